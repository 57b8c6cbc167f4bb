"""Iris: a forward pass by hand, then 500 epochs of plain gradient descent

Source: S4 54-105, 857-1023
TF1: batches are fed; the gradients and both assign_sub are ops, and their order has to be asked for.
Now: GradientTape and assign_sub in a tf.function; the order of the lines is the order of the effects.
Errata: S4's formula of the mean square error subtracts y from itself; y_ - y is meant. The loss that it prints is the
    mean of four batch means, although the fourth batch has 24 flowers and the others 32. This is kept. It says that the
    labels are int32; on Linux they are int64. It draws w1 and b1 with one seed. Eager mode continues one sequence, but
    a graph starts it twice, so that b1 repeats the first row of w1. Here b1 has a seed of its own.
See: Fisher, The Use of Multiple Measurements in Taxonomic Problems, doi:10.1111/j.1469-1809.1936.tb02137.x
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import exactly
from tf1ref.data import iris

SEED = 116
STEPS = 500  # epochs of four batches each
BATCH_SIZE = 32
TEST_FLOWERS = 30
CLASSES = 3
LEARNING_RATE = 0.1
DEVIATION = 0.1

# The forward pass of the lesson: one setosa, and weights that take it for a versicolor.
FLOWER = ((5.8, 4.0, 1.2, 0.2),)
WEIGHTS = ((-0.8, -0.34, -1.4), (0.6, 1.3, 0.25), (0.5, 1.45, 0.9), (0.65, 0.7, -1.2))
BIASES = (2.52, -3.1, 5.62)

EXPECTED = {
    "forward/y": exactly([[1.0099998, 2.008, -0.6600003]]),
    "forward/probabilities": exactly([0.2563381, 0.69540703, 0.04825489], 7),
    "final/test_accuracy": exactly(1.0),
}


def flowers():
    """Returns ((x, y) to train, (x, y) to test), shuffled. x: float32 (120, 4) and (30, 4). y: int64.

    Two shuffles with the same seed keep every flower beside its label.
    """
    x, y = iris.load()
    np.random.RandomState(SEED).shuffle(x)
    np.random.RandomState(SEED).shuffle(y)
    x = x.astype(np.float32)
    return (x[:-TEST_FLOWERS], y[:-TEST_FLOWERS]), (x[-TEST_FLOWERS:], y[-TEST_FLOWERS:])


def batches(x, y):
    """Returns the batches of one epoch in their order; the last one is smaller."""
    return [(x[i : i + BATCH_SIZE], y[i : i + BATCH_SIZE]) for i in range(0, len(x), BATCH_SIZE)]


def forward_in_graph():
    """Adds the lesson's forward pass: y (1, 3), and its probabilities (3,) without the axis of size 1."""
    y = v1.matmul(v1.constant(FLOWER), v1.constant(WEIGHTS)) + v1.constant(BIASES)
    return {"forward/y": y, "forward/probabilities": v1.nn.softmax(v1.squeeze(y))}


def build_graph():
    """Adds the layer, its loss, both updates and the accuracy to the default graph."""
    x = v1.placeholder(v1.float32, [None, 4], name="x")
    labels = v1.placeholder(v1.int64, [None], name="labels")
    w1 = v1.get_variable("w1", [4, CLASSES], initializer=v1.truncated_normal_initializer(stddev=DEVIATION, seed=1))
    b1 = v1.get_variable("b1", [CLASSES], initializer=v1.truncated_normal_initializer(stddev=DEVIATION, seed=2))
    y = v1.nn.softmax(v1.matmul(x, w1) + b1, name="y")
    loss = v1.reduce_mean(v1.square(v1.one_hot(labels, CLASSES) - y), name="loss")
    gradients = v1.gradients(loss, [w1, b1])
    with v1.control_dependencies([loss, *gradients]):
        updates = [v1.assign_sub(v, LEARNING_RATE * g) for v, g in zip([w1, b1], gradients)]
    correct = v1.equal(v1.argmax(y, axis=1), labels)
    return {
        "x": x,
        "labels": labels,
        "y": y,
        "loss": loss,
        "variables": {"w1": w1, "b1": b1},
        "gradients": dict(zip(["w1", "b1"], gradients)),
        "train": v1.group(*updates, name="train"),
        "accuracy": v1.reduce_mean(v1.cast(correct, v1.float32), name="accuracy"),
    }


def run_graph(steps=STEPS):
    """One step is an epoch: four runs that train and one that tests."""
    train, test = flowers()
    losses, accuracies = [], []
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        trace = sess.run(forward_in_graph())
        sess.run(v1.global_variables_initializer())
        trace.update({f"initial/{k}": v for k, v in sess.run(graph["variables"]).items()})
        feeds = [{graph["x"]: x, graph["labels"]: labels} for x, labels in batches(*train)]
        trace.update({f"gradient/{k}": v for k, v in sess.run(graph["gradients"], feeds[0]).items()})
        test_feed = {graph["x"]: test[0], graph["labels"]: test[1]}
        bar = console.steps(steps)
        for _ in bar:
            losses.append(np.mean([sess.run([graph["train"], graph["loss"]], feed)[1] for feed in feeds]))
            accuracies.append(sess.run(graph["accuracy"], test_feed))
            bar.show(loss=losses[-1], accuracy=accuracies[-1])
        trace.update({f"final/{k}": v for k, v in sess.run(graph["variables"]).items()})
    trace["steps/loss"], trace["steps/test_accuracy"] = np.array(losses), np.array(accuracies)
    trace["final/test_accuracy"] = accuracies[-1]
    return trace


def forward():
    """Computes the lesson's forward pass: (1, 4) to y (1, 3), and its probabilities (3,). Every line runs at once."""
    y = tf.matmul(tf.constant(FLOWER), tf.constant(WEIGHTS)) + tf.constant(BIASES)
    return {"forward/y": y.numpy(), "forward/probabilities": tf.nn.softmax(tf.squeeze(y)).numpy()}


class Network(tf.Module):
    """One layer, four measures to three probabilities."""

    def __init__(self):
        super().__init__()
        self.w1 = tf.Variable(tf.random.truncated_normal([4, CLASSES], stddev=DEVIATION, seed=1), name="w1")
        self.b1 = tf.Variable(tf.random.truncated_normal([CLASSES], stddev=DEVIATION, seed=2), name="b1")

    def probabilities(self, x):
        """Turns (n, 4) into (n, 3)."""
        return tf.nn.softmax(tf.matmul(x, self.w1) + self.b1)

    @tf.function
    def loss_and_gradients(self, x, labels):
        """Returns the mean square error before a step, and its gradients."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.one_hot(labels, CLASSES) - self.probabilities(x)))
        return loss, tape.gradient(loss, [self.w1, self.b1])

    @tf.function
    def train(self, x, labels):
        """Makes one step. Returns the loss before it."""
        loss, gradients = self.loss_and_gradients(x, labels)
        self.w1.assign_sub(LEARNING_RATE * gradients[0])
        self.b1.assign_sub(LEARNING_RATE * gradients[1])
        return loss

    @tf.function
    def accuracy(self, x, labels):
        """Returns the share of right answers."""
        correct = tf.equal(tf.argmax(self.probabilities(x), axis=1), labels)
        return tf.reduce_mean(tf.cast(correct, tf.float32))


def run_function(steps=STEPS):
    """There are batches of two sizes, and tf.function traces `train` once for each."""
    tf.random.set_seed(SEED)
    train, test = flowers()
    losses, accuracies = [], []
    network = Network()
    variables = {"w1": network.w1, "b1": network.b1}
    trace = forward()
    trace.update({f"initial/{k}": v.numpy() for k, v in variables.items()})
    epoch = [(tf.constant(x), tf.constant(labels)) for x, labels in batches(*train)]
    _, gradients = network.loss_and_gradients(*epoch[0])
    trace.update({f"gradient/{k}": g.numpy() for k, g in zip(variables, gradients)})
    test = tf.constant(test[0]), tf.constant(test[1])
    bar = console.steps(steps)
    for _ in bar:
        losses.append(np.mean([network.train(*batch).numpy() for batch in epoch]))
        accuracies.append(network.accuracy(*test).numpy())
        bar.show(loss=losses[-1], accuracy=accuracies[-1])
    trace.update({f"final/{k}": v.numpy() for k, v in variables.items()})
    trace["steps/loss"], trace["steps/test_accuracy"] = np.array(losses), np.array(accuracies)
    trace["final/test_accuracy"] = accuracies[-1]
    return trace


def plot(trace):
    """Returns a figure of the loss and the test accuracy, epoch by epoch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(trace["steps/loss"])
    left.set(xlabel="epoch", ylabel="loss", title="Mean square error in training")
    right.plot(trace["steps/test_accuracy"])
    right.set(xlabel="epoch", ylabel="accuracy", title="Accuracy on the 30 test flowers", ylim=(0, 1.05))
    return figure
