"""784-128-32-10 in four functions: inference, loss, training, evaluation

Source: S1 537-741
TF1: four functions each add their part to one graph, in name scopes; placeholders have the batch size baked in.
Now: the same four are methods; a batch of any size is an argument.
Errata: S1 shows parts only: it has neither evaluation() and do_eval() nor rate, sizes and steps. Those here are from
    the tutorial that S1 translates, TensorFlow's fully_connected_feed.py. S1's code says placeholders_inputs(), its
    text placeholder_inputs(). Its fake_data is for tests and is left out. tf.to_int64 and tf.scalar_summary are gone;
    they are cast and summary.scalar now. The tutorial's do_eval takes the next 550 training batches. In the middle of
    an epoch these do not hold every picture once, and training then continues at another place. Here each set is read
    in file order.
See: https://github.com/tensorflow/tensorflow/tree/r1.0/tensorflow/examples/tutorials/mnist
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import math
import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_least, exactly
from tf1ref.data import mnist
from tf1ref.modules import checkpoints, optimizers

SEED = 1
STEPS = 2000
BATCH_SIZE = 100
IMAGE_PIXELS = 784
NUM_CLASSES = 10
HIDDEN1 = 128
HIDDEN2 = 32
LEARNING_RATE = 0.01
SUMMARY_EVERY = 100
EVALUATE_EVERY = 1000
MODEL_NAME = "model.ckpt"

# S1 prints no accuracy, so the figures are the sizes of its three sets and the name that it spells out. MNIST gives
# .90, the generated digits .87.
EXPECTED = {
    "num_examples": exactly([55000, 5000, 10000]),
    "weights": exactly([b"hidden1/weights", b"hidden2/weights", b"softmax_linear/weights"]),
    "final/precision": at_least(0.86),
}


def epoch(data):
    """Yields all of a set in file order, one batch at a time. A remainder that does not fill a batch is left out."""
    for i in range(0, data.num_examples - BATCH_SIZE + 1, BATCH_SIZE):
        yield data.images[i : i + BATCH_SIZE], data.labels[i : i + BATCH_SIZE]


def figures(trace, data, correct, losses):
    """Adds the losses, the right answers of each evaluation (training, validation, test), and their last shares."""
    trace["num_examples"] = np.array([part.num_examples for part in data])
    names = (key.removeprefix("initial/") for key in trace if key.startswith("initial/"))
    trace["weights"] = np.array([name for name in names if name.endswith("/weights")], dtype=bytes)
    trace["correct"] = np.array(correct)
    trace["final/precision"] = np.array(correct[-1]) / trace["num_examples"]
    trace["steps/loss"] = np.array(losses)
    return trace


def placeholder_inputs(batch_size):
    """Adds the placeholders. Their shapes are those of a whole batch."""
    images = v1.placeholder(v1.float32, shape=(batch_size, IMAGE_PIXELS), name="images")
    return images, v1.placeholder(v1.int32, shape=(batch_size,), name="labels")


def inference(images, hidden1_units, hidden2_units):
    """Adds the network up to the logits (n, 10)."""

    def linear(inputs, units, seed):
        size = int(inputs.shape[1])
        start = v1.truncated_normal([size, units], stddev=1.0 / math.sqrt(size), seed=seed)
        weights = v1.Variable(start, name="weights")
        return v1.matmul(inputs, weights) + v1.Variable(v1.zeros([units]), name="biases")

    with v1.name_scope("hidden1"):
        hidden1 = v1.nn.relu(linear(images, hidden1_units, seed=1))
    with v1.name_scope("hidden2"):
        hidden2 = v1.nn.relu(linear(hidden1, hidden2_units, seed=2))
    with v1.name_scope("softmax_linear"):
        return linear(hidden2, NUM_CLASSES, seed=3)


def add_loss(logits, labels):
    """Adds the mean cross entropy, a scalar."""
    labels = v1.cast(labels, v1.int64)
    cross_entropy = v1.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits, name="xentropy")
    return v1.reduce_mean(cross_entropy, name="xentropy_mean")


def training(loss, learning_rate):
    """Adds the loss's summary, the step counter and the training op; returns that and the gradients by name."""
    v1.summary.scalar("loss", loss)
    optimizer = v1.train.GradientDescentOptimizer(learning_rate)
    global_step = v1.Variable(0, name="global_step", trainable=False)
    gradients = optimizer.compute_gradients(loss)
    train_op = optimizer.apply_gradients(gradients, global_step=global_step)
    return train_op, {f"gradient/{variable.op.name}": gradient for gradient, variable in gradients}


def evaluation(logits, labels):
    """Adds the number of right answers in a batch."""
    return v1.reduce_sum(v1.cast(v1.nn.in_top_k(predictions=logits, targets=labels, k=1), v1.int32))


def build_graph():
    """Adds everything to the default graph."""
    images, labels = placeholder_inputs(BATCH_SIZE)
    logits = inference(images, HIDDEN1, HIDDEN2)
    loss = add_loss(logits, labels)
    train_op, gradients = training(loss, LEARNING_RATE)
    return {
        "images": images,
        "labels": labels,
        "logits": logits,
        "loss": loss,
        "train": train_op,
        "gradients": gradients,
        "eval_correct": evaluation(logits, labels),
        "summary": v1.summary.merge_all(),
    }


def do_eval(sess, graph, data):
    """Counts the right answers over one epoch, one batch at a time, since the placeholders take no more."""
    feeds = ({graph["images"]: xs, graph["labels"]: ys} for xs, ys in epoch(data))
    return sum(int(sess.run(graph["eval_correct"], feed_dict=feed)) for feed in feeds)


def train_graph(data, steps, folder):
    """Trains; writes summaries and checkpoints to `folder`. Returns the trace."""
    losses, correct, trace = [], [], {}
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        variables = {v.op.name: v for v in v1.global_variables()}
        saver = v1.train.Saver()
        writer = v1.summary.FileWriter(folder, sess.graph)
        sess.run(v1.global_variables_initializer())
        trace.update({f"initial/{k}": v for k, v in sess.run(variables).items()})
        bar = console.steps(steps)
        for step in bar:
            xs, ys = data.train.next_batch(BATCH_SIZE)
            feed = {graph["images"]: xs, graph["labels"]: ys}
            fetches = [graph["train"], graph["loss"], graph["gradients"] if step == 0 else {}]
            _, loss, gradients = sess.run(fetches, feed_dict=feed)
            losses.append(loss)
            trace.update(gradients)
            bar.show(loss=loss)
            if step % SUMMARY_EVERY == 0:
                writer.add_summary(sess.run(graph["summary"], feed_dict=feed), step)
            if (step + 1) % EVALUATE_EVERY == 0 or step + 1 == steps:
                saver.save(sess, os.path.join(folder, MODEL_NAME), global_step=step)
                correct.append([do_eval(sess, graph, part) for part in data])
        writer.close()
        trace.update({f"final/{k}": v for k, v in sess.run(variables).items()})
    return figures(trace, data, correct, losses)


def run_graph(steps=STEPS, out=None):
    """One graph serves training and evaluation. do_eval goes through all three sets."""
    data = mnist.read_data_sets(seed=SEED)
    with tempfile.TemporaryDirectory() as scratch:
        return train_graph(data, steps, os.fspath(out or scratch))


class Mnist(tf.Module):
    """The four functions. The variables are named as in the graph."""

    def __init__(self, hidden1_units, hidden2_units):
        super().__init__()

        def linear(scope, size, units, seed):
            start = tf.random.truncated_normal([size, units], stddev=1.0 / math.sqrt(size), seed=seed)
            return tf.Variable(start, name=f"{scope}/weights"), tf.Variable(tf.zeros([units]), name=f"{scope}/biases")

        self.hidden1 = linear("hidden1", IMAGE_PIXELS, hidden1_units, seed=1)
        self.hidden2 = linear("hidden2", hidden1_units, hidden2_units, seed=2)
        self.softmax_linear = linear("softmax_linear", hidden2_units, NUM_CLASSES, seed=3)
        self.all = [*self.hidden1, *self.hidden2, *self.softmax_linear]
        self.global_step = tf.Variable(0, trainable=False, name="global_step")
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)

    def variables_by_name(self):
        """Returns {name: variable} of what the graph's Saver would save."""
        return {v.name.partition(":")[0]: v for v in [*self.all, self.global_step]}

    def inference(self, images):
        """Turns (n, 784) into logits (n, 10)."""
        hidden1 = tf.nn.relu(tf.matmul(images, self.hidden1[0]) + self.hidden1[1])
        hidden2 = tf.nn.relu(tf.matmul(hidden1, self.hidden2[0]) + self.hidden2[1])
        return tf.matmul(hidden2, self.softmax_linear[0]) + self.softmax_linear[1]

    @tf.function
    def loss(self, images, labels):
        """Returns the mean cross entropy, a scalar."""
        logits = self.inference(images)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))

    @tf.function
    def training(self, images, labels):
        """Makes one step. Returns the loss before it and its gradients."""
        with tf.GradientTape() as tape:
            loss = self.loss(images, labels)
        return loss, self.optimizer.minimize(tape, loss, self.all, self.global_step)

    @tf.function
    def evaluation(self, images, labels):
        """Returns the number of right answers."""
        right = tf.math.in_top_k(targets=labels, predictions=self.inference(images), k=1)
        return tf.reduce_sum(tf.cast(right, tf.int32))

    def do_eval(self, data):
        """Counts the right answers over one epoch."""
        return sum(int(self.evaluation(tf.constant(xs), tf.constant(ys, tf.int32))) for xs, ys in epoch(data))


def train_function(data, steps, folder):
    """Trains; writes the same summaries and checkpoints to `folder`. Returns the trace."""
    tf.random.set_seed(SEED)
    model = Mnist(HIDDEN1, HIDDEN2)
    variables = model.variables_by_name()
    trace = {f"initial/{k}": v.numpy() for k, v in variables.items()}
    losses, correct = [], []
    bar = console.steps(steps)
    with tf.summary.create_file_writer(folder).as_default():
        for step in bar:
            xs, ys = data.train.next_batch(BATCH_SIZE)
            xs, ys = tf.constant(xs), tf.constant(ys, tf.int32)
            loss, gradients = model.training(xs, ys)
            losses.append(loss.numpy())
            bar.show(loss=losses[-1])
            if step == 0:
                trace.update({f"gradient/{k}": g.numpy() for k, g in zip(variables, gradients)})
            if step % SUMMARY_EVERY == 0:
                tf.summary.scalar("loss", model.loss(xs, ys), step=step)
            if (step + 1) % EVALUATE_EVERY == 0 or step + 1 == steps:
                checkpoints.save(folder, MODEL_NAME, variables, global_step=step)
                correct.append([model.do_eval(part) for part in data])
    trace.update({f"final/{k}": v.numpy() for k, v in variables.items()})
    return figures(trace, data, correct, losses)


def run_function(steps=STEPS, out=None):
    """A batch of any size would do. The evaluation goes in batches because the graph's must."""
    data = mnist.read_data_sets(seed=SEED)
    with tempfile.TemporaryDirectory() as scratch:
        return train_function(data, steps, os.fspath(out or scratch))
