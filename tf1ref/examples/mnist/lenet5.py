"""LeNet-5 on the digits: trained, saved, and evaluated from its averages

Source: S3 2476-2754
TF1: inference() builds the network once to train and once, in a graph of its own, to evaluate a checkpoint
    whose moving averages are restored into the weights (variables_to_restore).
Now: one object, two instances; the evaluating one reads the averages by name from the same kind of checkpoint.
Errata: S3 defines dropout, but calls inference(x, False, ...) while it trains. So dropout never acts, and S3's figures
    are those without it. DROPOUT is that flag; with True, 10,000 steps reach .9864. S3's graphs take one batch size
    only; these take any, so they can be served. S3 leaves open when the averages move. Here they follow the training
    step.
See: LeCun et al., Gradient-Based Learning Applied to Document Recognition, doi:10.1109/5.726791
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
from tf1ref.catalog.figures import at_least
from tf1ref.data import mnist
from tf1ref.legacy.contrib.layers import l2_regularizer
from tf1ref.modules import checkpoints, optimizers, schedules
from tf1ref.modules.moving_average import ExponentialMovingAverage

SEED = 1
STEPS = 10000
BATCH_SIZE = 100
IMAGE_SIZE = 28
NUM_CHANNELS = 1
NUM_LABELS = 10
CONV1_DEEP = 32
CONV2_DEEP = 64
CONV_SIZE = 5
FC_SIZE = 512
DROPOUT = False
KEEP_PROB = 0.5
WEIGHT_DEVIATION = 0.1
FC_BIAS = 0.1
TRAIN_EXAMPLES = 55000
MOVING_AVERAGE_DECAY = 0.99
REGULARIZATION_RATE = 0.0001
LEARNING_RATE_BASE = 0.01
LEARNING_RATE_DECAY = 0.99
SAVE_EVERY = 500
MODEL_NAME = "mnist_model"

DECAY_STEPS = TRAIN_EXAMPLES / BATCH_SIZE
NODES = (IMAGE_SIZE // 4) ** 2 * CONV2_DEEP

EXPECTED = {"final/validation_accuracy": at_least(0.987)}  # S3 prints 0.9876 at step 9501


def batches(data):
    """Returns all of a data set in file order, a batch at a time."""
    parts = (slice(i, i + BATCH_SIZE) for i in range(0, data.num_examples, BATCH_SIZE))
    return [(data.images[part], data.labels[part]) for part in parts]


def add_variables(shape, seed, bias_start):
    """Adds a layer's weight (`shape`) and bias (its last dimension) to the current scope."""
    start = v1.truncated_normal_initializer(stddev=WEIGHT_DEVIATION, seed=seed)
    weight = v1.get_variable("weight", shape, initializer=start)
    return weight, v1.get_variable("bias", shape[-1:], initializer=v1.constant_initializer(bias_start))


def inference(input_tensor, train, regularizer):
    """Adds the network: (n, 28, 28, 1) to logits (n, 10). `train` adds dropout, `regularizer` (or None) L2."""
    with v1.variable_scope("layer1-conv1"):
        weight, bias = add_variables([CONV_SIZE, CONV_SIZE, NUM_CHANNELS, CONV1_DEEP], 1, 0.0)
        conv1 = v1.nn.conv2d(input_tensor, weight, strides=[1, 1, 1, 1], padding="SAME")
        relu1 = v1.nn.relu(v1.nn.bias_add(conv1, bias))
    with v1.name_scope("layer2-pool1"):
        pool1 = v1.nn.max_pool(relu1, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
    with v1.variable_scope("layer3-conv2"):
        weight, bias = add_variables([CONV_SIZE, CONV_SIZE, CONV1_DEEP, CONV2_DEEP], 2, 0.0)
        conv2 = v1.nn.conv2d(pool1, weight, strides=[1, 1, 1, 1], padding="SAME")
        relu2 = v1.nn.relu(v1.nn.bias_add(conv2, bias))
    with v1.name_scope("layer4-pool2"):
        pool2 = v1.nn.max_pool(relu2, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
        reshaped = v1.reshape(pool2, [-1, NODES])  # (n, 7, 7, 64) -> (n, 3136)
    with v1.variable_scope("layer5-fc1"):
        weight, bias = add_variables([NODES, FC_SIZE], 3, FC_BIAS)
        if regularizer:
            v1.add_to_collection("losses", regularizer(weight))
        fc1 = v1.nn.relu(v1.matmul(reshaped, weight) + bias)
        if train:
            fc1 = v1.nn.dropout(fc1, rate=1 - KEEP_PROB, seed=5)
    with v1.variable_scope("layer6-fc2"):
        weight, bias = add_variables([FC_SIZE, NUM_LABELS], 4, FC_BIAS)
        if regularizer:
            v1.add_to_collection("losses", regularizer(weight))
        return v1.matmul(fc1, weight) + bias


def build_graph():
    """Adds what evaluation and serving need to the default graph: pictures in, logits and accuracy out."""
    x = v1.placeholder(v1.float32, [None, IMAGE_SIZE, IMAGE_SIZE, NUM_CHANNELS], name="x-input")
    y_ = v1.placeholder(v1.float32, [None, NUM_LABELS], name="y-input")
    y = v1.identity(inference(x, False, None), name="y")
    correct = v1.equal(v1.argmax(y, 1), v1.argmax(y_, 1))
    accuracy = v1.reduce_mean(v1.cast(correct, v1.float32), name="accuracy")
    return {"x": x, "y_": y_, "y": y, "accuracy": accuracy}


def build_training():
    """Adds the network with dropout, its loss, the averages, the training op and summaries."""
    x = v1.placeholder(v1.float32, [None, IMAGE_SIZE, IMAGE_SIZE, NUM_CHANNELS], name="x-input")
    y_ = v1.placeholder(v1.float32, [None, NUM_LABELS], name="y-input")
    y = inference(x, DROPOUT, l2_regularizer(REGULARIZATION_RATE))
    global_step = v1.train.get_or_create_global_step()
    cross_entropy = v1.nn.sparse_softmax_cross_entropy_with_logits(logits=y, labels=v1.argmax(y_, 1))
    # One add_n sums all: the graph optimizer regroups a sum of sums, in a session differently from a function.
    loss = v1.add_n([v1.reduce_mean(cross_entropy), *v1.get_collection("losses")])
    learning_rate = v1.train.exponential_decay(
        LEARNING_RATE_BASE, global_step, DECAY_STEPS, LEARNING_RATE_DECAY, staircase=True
    )
    optimizer = v1.train.GradientDescentOptimizer(learning_rate)
    gradients = optimizer.compute_gradients(loss)
    train_step = optimizer.apply_gradients(gradients, global_step=global_step)
    variable_averages = v1.train.ExponentialMovingAverage(MOVING_AVERAGE_DECAY, global_step)
    with v1.control_dependencies([train_step]):
        averages_op = variable_averages.apply(v1.trainable_variables())
    with v1.control_dependencies([averages_op]):
        train_op = v1.no_op(name="train")
    v1.summary.scalar("loss", loss)
    v1.summary.scalar("learning_rate", learning_rate)
    endpoints = {"x": x, "y_": y_, "loss": loss, "train": train_op, "summary": v1.summary.merge_all()}
    endpoints["gradients"] = {f"gradient/{variable.op.name}": gradient for gradient, variable in gradients}
    return endpoints


def train_graph(data, steps, folder):
    """Trains in one session; writes checkpoints and summaries to `folder`. Returns the trace."""
    losses, trace = [], {}
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_training()
        variables = {v.op.name: v for v in v1.global_variables()}
        saver = v1.train.Saver()
        writer = v1.summary.FileWriter(folder, sess.graph)
        sess.run(v1.global_variables_initializer())
        trace.update({f"initial/{k}": v for k, v in sess.run(variables).items()})
        bar = console.steps(steps)
        for step in bar:
            xs, ys = data.train.next_batch(BATCH_SIZE)
            fetches = [graph["train"], graph["loss"], graph["summary"], graph["gradients"] if step == 0 else {}]
            _, loss, summary, gradients = sess.run(fetches, feed_dict={graph["x"]: xs, graph["y_"]: ys})
            losses.append(loss)
            trace.update(gradients)
            bar.show(loss=loss)
            if step % SAVE_EVERY == 0:
                writer.add_summary(summary, step + 1)
                saver.save(sess, os.path.join(folder, MODEL_NAME), global_step=step + 1)
        saver.save(sess, os.path.join(folder, MODEL_NAME), global_step=steps)
        writer.close()
        trace.update({f"final/{k}": v for k, v in sess.run(variables).items()})
    trace["steps/loss"] = np.array(losses)
    return trace


def evaluate_graph(data, folder):
    """Restores the averages of the latest checkpoint into the weights; returns the validation accuracy."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        averages = v1.train.ExponentialMovingAverage(MOVING_AVERAGE_DECAY)
        saver = v1.train.Saver(averages.variables_to_restore())
        saver.restore(sess, v1.train.latest_checkpoint(folder))
        feeds = ({graph["x"]: xs, graph["y_"]: ys} for xs, ys in batches(data))
        return np.mean([sess.run(graph["accuracy"], feed_dict=feed) for feed in feeds])


def run_graph(steps=STEPS, out=None):
    """Training knows nothing of evaluation. Only the checkpoint in `out` passes between the two graphs."""
    data = mnist.read_data_sets(one_hot=True, reshape=False, seed=SEED)
    with tempfile.TemporaryDirectory() as scratch:
        trace = train_graph(data, steps, out or scratch)
        trace["final/validation_accuracy"] = evaluate_graph(data.validation, out or scratch)
    return trace


class LeNet5(tf.Module):
    """The network's eight variables, named as in the graph."""

    def __init__(self):
        super().__init__()

        def layer(scope, shape, seed, bias):
            start = tf.random.truncated_normal(shape, stddev=WEIGHT_DEVIATION, seed=seed)
            weight = tf.Variable(start, name=f"{scope}/weight")
            return weight, tf.Variable(tf.fill(shape[-1:], bias), name=f"{scope}/bias")

        self.conv1 = layer("layer1-conv1", [CONV_SIZE, CONV_SIZE, NUM_CHANNELS, CONV1_DEEP], 1, 0.0)
        self.conv2 = layer("layer3-conv2", [CONV_SIZE, CONV_SIZE, CONV1_DEEP, CONV2_DEEP], 2, 0.0)
        self.fc1 = layer("layer5-fc1", [NODES, FC_SIZE], 3, FC_BIAS)
        self.fc2 = layer("layer6-fc2", [FC_SIZE, NUM_LABELS], 4, FC_BIAS)
        self.all = [*self.conv1, *self.conv2, *self.fc1, *self.fc2]

    def logits(self, x, train):
        """Turns (n, 28, 28, 1) into (n, 10); `train` adds dropout."""
        for weight, bias in (self.conv1, self.conv2):
            conv = tf.nn.conv2d(x, weight, strides=[1, 1, 1, 1], padding="SAME")
            relu = tf.nn.relu(tf.nn.bias_add(conv, bias))
            x = tf.nn.max_pool(relu, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
        fc1 = tf.nn.relu(tf.matmul(tf.reshape(x, [-1, NODES]), self.fc1[0]) + self.fc1[1])  # -> (n, 512)
        if train:
            fc1 = tf.nn.dropout(fc1, rate=1 - KEEP_PROB, seed=5)
        return tf.matmul(fc1, self.fc2[0]) + self.fc2[1]

    @tf.function
    def accuracy(self, x, y_):
        """Returns the share of right answers."""
        correct = tf.equal(tf.argmax(self.logits(x, False), 1), tf.argmax(y_, 1))
        return tf.reduce_mean(tf.cast(correct, tf.float32))


class Training(tf.Module):
    """A network, its averages, the step counter and the optimizer."""

    def __init__(self):
        super().__init__()
        self.network = LeNet5()
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")
        self.averages = ExponentialMovingAverage(MOVING_AVERAGE_DECAY, self.global_step)
        self.averages.create(self.network.all)
        self.optimizer = optimizers.GradientDescent(self.learning_rate)

    def learning_rate(self):
        """Returns the rate at the present step."""
        args = LEARNING_RATE_BASE, self.global_step, DECAY_STEPS, LEARNING_RATE_DECAY
        return schedules.exponential_decay(*args, staircase=True)

    def variables_by_name(self):
        """Returns {name: variable} of what the graph's Saver would save."""
        own = {v.name.partition(":")[0]: v for v in [*self.network.all, self.global_step]}
        return {**own, **self.averages.variables_by_name()}

    @tf.function
    def train(self, x, y_):
        """Makes one step, then updates the averages. Returns the loss before the step, its rate and its gradients."""
        network, rate = self.network, self.learning_rate()
        with tf.GradientTape() as tape:
            logits, labels = network.logits(x, DROPOUT), tf.argmax(y_, 1)
            cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=labels)
            penalties = [REGULARIZATION_RATE * tf.nn.l2_loss(w) for w in (network.fc1[0], network.fc2[0])]
            loss = tf.add_n([tf.reduce_mean(cross_entropy), *penalties])
        gradients = self.optimizer.minimize(tape, loss, network.all, self.global_step)
        self.averages.apply(network.all)
        return loss, rate, gradients


def train_function(data, steps, folder):
    """Trains one object; writes the same checkpoints and summaries to `folder`. Returns the trace."""
    tf.random.set_seed(SEED)
    training = Training()
    variables = training.variables_by_name()
    trace = {f"initial/{k}": v.numpy() for k, v in variables.items()}
    losses = []
    bar = console.steps(steps)
    with tf.summary.create_file_writer(os.fspath(folder)).as_default():
        for step in bar:
            xs, ys = data.train.next_batch(BATCH_SIZE)
            loss, rate, gradients = training.train(tf.constant(xs), tf.constant(ys, tf.float32))
            losses.append(loss.numpy())
            bar.show(loss=losses[-1])
            if step == 0:
                trace.update({f"gradient/{k}": g.numpy() for k, g in zip(variables, gradients)})
            if step % SAVE_EVERY == 0:
                tf.summary.scalar("loss", loss, step=step + 1)
                tf.summary.scalar("learning_rate", rate, step=step + 1)
                checkpoints.save(folder, MODEL_NAME, variables, global_step=step + 1)
    checkpoints.save(folder, MODEL_NAME, variables, global_step=steps)
    trace.update({f"final/{k}": v.numpy() for k, v in variables.items()})
    trace["steps/loss"] = np.array(losses)
    return trace


def evaluate_function(data, folder):
    """Reads the averages into a second network; returns the validation accuracy."""
    network = LeNet5()
    averages = {f"{v.name.partition(':')[0]}/ExponentialMovingAverage": v for v in network.all}
    checkpoints.restore(checkpoints.latest(folder), averages)
    pairs = ((tf.constant(xs), tf.constant(ys, tf.float32)) for xs, ys in batches(data))
    return np.mean([network.accuracy(*pair).numpy() for pair in pairs])


def run_function(steps=STEPS, out=None):
    """Only the checkpoint passes between the two objects, too. It has the same names as the graph's."""
    data = mnist.read_data_sets(one_hot=True, reshape=False, seed=SEED)
    with tempfile.TemporaryDirectory() as scratch:
        trace = train_function(data, steps, out or scratch)
        trace["final/validation_accuracy"] = evaluate_function(data.validation, out or scratch)
    return trace
