"""Training and evaluation as two programs that share a checkpoint folder

Source: S3 1923-2100
TF1: inference() is built once to train and once, in a graph of its own, to evaluate. variables_to_restore gives a Saver
    that reads the moving averages into the weights. The checkpoint's name has the step.
Now: two objects; the evaluating one reads the averages by name from the same kind of checkpoint.
Errata: S3 saves after steps 1, 1001 ... 9001. So the last 999 of its 10,000 steps are trained and lost. Its evaluator
    sleeps ten seconds and looks again, for ever. It meets a checkpoint twice or, on a fast machine, never. Here it
    looks once after every save. S3 leaves open whether the averages see a step's weights before or after the step. Here
    they see those after it. S3 wonders why relu on the last layer makes the accuracy low: relu lets no logit fall below
    0, and a logit that would has the gradient 0.
See: https://www.tensorflow.org/guide/checkpoint
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_least, exactly
from tf1ref.data import mnist
from tf1ref.errors import InputError
from tf1ref.legacy.contrib.layers import l2_regularizer
from tf1ref.modules import checkpoints, optimizers, schedules
from tf1ref.modules.moving_average import ExponentialMovingAverage

SEED = 1
STEPS = 10000
BATCH_SIZE = 100
INPUT_NODE = 784
LAYER1_NODE = 500
OUTPUT_NODE = 10
TRAIN_EXAMPLES = 55000
WEIGHT_DEVIATION = 0.1
MOVING_AVERAGE_DECAY = 0.99
REGULARIZATION_RATE = 0.0001
LEARNING_RATE_BASE = 0.8
LEARNING_RATE_DECAY = 0.99
SAVE_EVERY = 1000
MODEL_NAME = "mnist_model"

EXPECTED = {
    "evaluated_steps": exactly([1, 1001, 2001, 3001, 4001, 5001, 6001, 7001, 8001, 9001]),
    "final/validation_accuracy": at_least(0.975),  # S3 prints 0.9852; MNIST gives .9858, the generated digits .9806
}


def step_of(checkpoint, folder):
    """Returns the step in a checkpoint's name; raises InputError for None: `folder` holds no checkpoint."""
    if checkpoint is None:
        raise InputError(f"{folder}: holds no checkpoint to evaluate: train first")
    return int(checkpoint.rpartition("-")[2])


def evaluated(trace, rows):
    """Adds rows of (step, validation accuracy), one for each checkpoint."""
    steps, accuracies = zip(*rows)
    trace["evaluated_steps"], trace["validation_accuracy"] = np.array(steps), np.array(accuracies)
    trace["final/validation_accuracy"] = accuracies[-1]
    return trace


def add_variables(shape, seed, regularizer):
    """Adds a layer's weights (`shape`) and biases to the current scope, and the penalty to the collection."""
    start = v1.truncated_normal_initializer(stddev=WEIGHT_DEVIATION, seed=seed)
    weights = v1.get_variable("weights", shape, initializer=start)
    if regularizer:
        v1.add_to_collection("losses", regularizer(weights))
    return weights, v1.get_variable("biases", shape[-1:], initializer=v1.constant_initializer(0.0))


def inference(input_tensor, regularizer):
    """Adds the network: (n, 784) to logits (n, 10). `regularizer` (or None) adds L2."""
    with v1.variable_scope("layer1"):
        weights, biases = add_variables([INPUT_NODE, LAYER1_NODE], 1, regularizer)
        layer1 = v1.nn.relu(v1.matmul(input_tensor, weights) + biases)
    with v1.variable_scope("layer2"):
        weights, biases = add_variables([LAYER1_NODE, OUTPUT_NODE], 2, regularizer)
        return v1.matmul(layer1, weights) + biases


def build_graph():
    """Adds what evaluation and serving need to the default graph: pictures in, logits and accuracy out."""
    x = v1.placeholder(v1.float32, [None, INPUT_NODE], name="x-input")
    y_ = v1.placeholder(v1.float32, [None, OUTPUT_NODE], name="y-input")
    y = v1.identity(inference(x, None), name="y")
    correct = v1.equal(v1.argmax(y, 1), v1.argmax(y_, 1))
    accuracy = v1.reduce_mean(v1.cast(correct, v1.float32), name="accuracy")
    return {"x": x, "y_": y_, "y": y, "accuracy": accuracy}


def build_training():
    """Adds the network with its loss, the averages and the training op to the default graph."""
    x = v1.placeholder(v1.float32, [None, INPUT_NODE], name="x-input")
    y_ = v1.placeholder(v1.float32, [None, OUTPUT_NODE], name="y-input")
    y = inference(x, l2_regularizer(REGULARIZATION_RATE))
    global_step = v1.train.get_or_create_global_step()
    cross_entropy = v1.nn.sparse_softmax_cross_entropy_with_logits(logits=y, labels=v1.argmax(y_, 1))
    # One add_n sums all: the graph optimizer regroups a sum of sums, in a session differently from a function.
    loss = v1.add_n([v1.reduce_mean(cross_entropy), *v1.get_collection("losses")])
    learning_rate = v1.train.exponential_decay(
        LEARNING_RATE_BASE, global_step, TRAIN_EXAMPLES / BATCH_SIZE, LEARNING_RATE_DECAY
    )
    optimizer = v1.train.GradientDescentOptimizer(learning_rate)
    gradients = optimizer.compute_gradients(loss)
    train_step = optimizer.apply_gradients(gradients, global_step=global_step)
    variable_average = v1.train.ExponentialMovingAverage(MOVING_AVERAGE_DECAY, global_step)
    with v1.control_dependencies([train_step]):
        variable_average_op = variable_average.apply(v1.trainable_variables())
    with v1.control_dependencies([variable_average_op]):
        train_op = v1.no_op(name="train")
    endpoints = {"x": x, "y_": y_, "loss": loss, "train": train_op}
    endpoints["gradients"] = {f"gradient/{variable.op.name}": gradient for gradient, variable in gradients}
    return endpoints


def train_graph(data, steps, folder, saved=lambda: None):
    """Trains in one session. Writes checkpoints to `folder` and calls `saved` after each. Returns the trace."""
    losses, trace = [], {}
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_training()
        variables = {v.op.name: v for v in v1.global_variables()}
        saver = v1.train.Saver()
        sess.run(v1.global_variables_initializer())
        trace.update({f"initial/{k}": v for k, v in sess.run(variables).items()})
        bar = console.steps(steps)
        for step in bar:
            xs, ys = data.train.next_batch(BATCH_SIZE)
            fetches = [graph["train"], graph["loss"], graph["gradients"] if step == 0 else {}]
            _, loss, gradients = sess.run(fetches, feed_dict={graph["x"]: xs, graph["y_"]: ys})
            losses.append(loss)
            trace.update(gradients)
            bar.show(loss=loss)
            if step % SAVE_EVERY == 0:
                saver.save(sess, os.path.join(folder, MODEL_NAME), global_step=step + 1)
                saved()
        trace.update({f"final/{k}": v for k, v in sess.run(variables).items()})
    trace["steps/loss"] = np.array(losses)
    return trace


def evaluate_graph(data, folder):
    """Restores the averages of the latest checkpoint into the weights; returns its step and the accuracy."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        variable_average = v1.train.ExponentialMovingAverage(MOVING_AVERAGE_DECAY)
        saver = v1.train.Saver(variable_average.variables_to_restore())
        checkpoint = v1.train.latest_checkpoint(folder)
        step = step_of(checkpoint, folder)
        saver.restore(sess, checkpoint)
        return step, sess.run(graph["accuracy"], {graph["x"]: data.images, graph["y_"]: data.labels})


def run_graph(steps=STEPS, out=None):
    """Training knows nothing of evaluation. Only the checkpoint in `out` passes between the two graphs."""
    data = mnist.read_data_sets(one_hot=True, seed=SEED)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or scratch
        trace = train_graph(data, steps, folder, lambda: rows.append(evaluate_graph(data.validation, folder)))
    return evaluated(trace, rows)


class Network(tf.Module):
    """The network's four variables, named as in the graph."""

    def __init__(self):
        super().__init__()

        def layer(scope, shape, seed):
            start = tf.random.truncated_normal(shape, stddev=WEIGHT_DEVIATION, seed=seed)
            weights = tf.Variable(start, name=f"{scope}/weights")
            return weights, tf.Variable(tf.zeros(shape[-1:]), name=f"{scope}/biases")

        self.layer1 = layer("layer1", [INPUT_NODE, LAYER1_NODE], 1)
        self.layer2 = layer("layer2", [LAYER1_NODE, OUTPUT_NODE], 2)
        self.all = [*self.layer1, *self.layer2]

    def logits(self, x):
        """Turns (n, 784) into (n, 10)."""
        layer1 = tf.nn.relu(tf.matmul(x, self.layer1[0]) + self.layer1[1])
        return tf.matmul(layer1, self.layer2[0]) + self.layer2[1]

    @tf.function
    def accuracy(self, x, y_):
        """Returns the share of right answers."""
        correct = tf.equal(tf.argmax(self.logits(x), 1), tf.argmax(y_, 1))
        return tf.reduce_mean(tf.cast(correct, tf.float32))


class Training(tf.Module):
    """A network, its averages, the step counter and the optimizer."""

    def __init__(self):
        super().__init__()
        self.network = Network()
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")
        self.averages = ExponentialMovingAverage(MOVING_AVERAGE_DECAY, self.global_step)
        self.averages.create(self.network.all)
        self.optimizer = optimizers.GradientDescent(self.learning_rate)

    def learning_rate(self):
        """Returns the rate at the present step."""
        return schedules.exponential_decay(
            LEARNING_RATE_BASE, self.global_step, TRAIN_EXAMPLES / BATCH_SIZE, LEARNING_RATE_DECAY
        )

    def variables_by_name(self):
        """Returns {name: variable} of what the graph's Saver would save."""
        own = {v.name.partition(":")[0]: v for v in [*self.network.all, self.global_step]}
        return {**own, **self.averages.variables_by_name()}

    @tf.function
    def train(self, x, y_):
        """Makes one step, then updates the averages. Returns the loss before the step and its gradients."""
        network = self.network
        with tf.GradientTape() as tape:
            cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(
                logits=network.logits(x), labels=tf.argmax(y_, 1)
            )
            penalties = [REGULARIZATION_RATE * tf.nn.l2_loss(w) for w in (network.layer1[0], network.layer2[0])]
            loss = tf.add_n([tf.reduce_mean(cross_entropy), *penalties])
        gradients = self.optimizer.minimize(tape, loss, network.all, self.global_step)
        self.averages.apply(network.all)
        return loss, gradients


def train_function(data, steps, folder, saved=lambda: None):
    """Trains one object; writes the same checkpoints to `folder` and calls `saved` after each. Returns the trace."""
    tf.random.set_seed(SEED)
    training = Training()
    variables = training.variables_by_name()
    trace = {f"initial/{k}": v.numpy() for k, v in variables.items()}
    losses = []
    bar = console.steps(steps)
    for step in bar:
        xs, ys = data.train.next_batch(BATCH_SIZE)
        loss, gradients = training.train(tf.constant(xs), tf.constant(ys, tf.float32))
        losses.append(loss.numpy())
        bar.show(loss=losses[-1])
        if step == 0:
            trace.update({f"gradient/{k}": g.numpy() for k, g in zip(variables, gradients)})
        if step % SAVE_EVERY == 0:
            checkpoints.save(folder, MODEL_NAME, variables, global_step=step + 1)
            saved()
    trace.update({f"final/{k}": v.numpy() for k, v in variables.items()})
    trace["steps/loss"] = np.array(losses)
    return trace


def evaluate_function(data, folder):
    """Reads the averages of the latest checkpoint into a second network; returns its step and the accuracy."""
    checkpoint = checkpoints.latest(folder)
    step = step_of(checkpoint, folder)
    network = Network()
    checkpoints.restore(checkpoint, {f"{v.name.partition(':')[0]}/ExponentialMovingAverage": v for v in network.all})
    return step, network.accuracy(tf.constant(data.images), tf.constant(data.labels, tf.float32)).numpy()


def run_function(steps=STEPS, out=None):
    """Only the checkpoint passes between the two objects, too. It has the same names as the graph's."""
    data = mnist.read_data_sets(one_hot=True, seed=SEED)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or scratch
        trace = train_function(data, steps, folder, lambda: rows.append(evaluate_function(data.validation, folder)))
    return evaluated(trace, rows)
