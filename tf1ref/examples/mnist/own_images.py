"""Pictures of one's own: files and labels, made into .npy, trained on

Source: S4 2734-2812
TF1: Python reads the files before the session starts; the arrays are fed, a batch a run.
Now: the same arrays, a batch a call.
Errata: S4 has 60,000 pictures to train on and 10,000 to test. Here MNIST is written as 6,000 and 1,000 files, and 940
    steps take the place of 9,375. S4 loads the .npy files wherever they exist, even when the pictures have changed
    since. Here they are then made anew. S4 counts on every line and every file being right. Here each mistake is named
    with its line.
See: https://www.tensorflow.org/tutorials/load_data/images
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import io
import math
import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from PIL import Image

from tf1ref import console, files
from tf1ref.catalog.figures import at_least, exactly
from tf1ref.data import labelled_images, mnist
from tf1ref.errors import InputError
from tf1ref.modules import optimizers
from tf1ref.parity import Trace

SEED = 1
STEPS = 940  # 5 epochs
BATCH_SIZE = 32
TRAIN_PICTURES = 6000  # S4: 60,000, and 9375 steps. To remove so many files again takes minutes on some disks.
TEST_PICTURES = 1000  # S4: 10,000
SIDE = 28
INPUT_NODE = 784
HIDDEN_NODE = 128
OUTPUT_NODE = 10
LEARNING_RATE = 0.001
BETA1 = 0.9
BETA2 = 0.999
EPSILON = 1e-7  # Keras' number; TF1's is 1e-8
# Folders of pictures of 28 x 28, and their texts with a line `name label` for each picture. "" stands for MNIST's,
# which are written as .jpg files.
TRAIN_PATH = ""
TRAIN_TXT = ""
TEST_PATH = ""
TEST_TXT = ""

WEIGHTS = ("dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias")

EXPECTED = {
    "forward/train_pictures": exactly(6000),
    "forward/test_pictures": exactly(1000),
    "final/test_accuracy": at_least(0.88),  # S4's number of pictures gives .9775
}


def write_pictures(data, folder, kind):
    """Writes a data set as .jpg files in a folder, with their labels in a text file, as S4 has MNIST."""
    path = os.path.join(folder, f"mnist_{kind}_jpg_{data.num_examples}")
    os.makedirs(path, exist_ok=True)
    lines = []
    for number, (image, label) in enumerate(zip(data.images, data.labels)):
        lines.append(f"{number}_{label}.jpg {label}\n")
        content = io.BytesIO()
        Image.fromarray(image[..., 0]).save(content, "JPEG")
        # These files are not synced one by one: for thousands of files that takes minutes. The text comes last and is
        # synced.
        with open(os.path.join(path, f"{number}_{label}.jpg"), "wb") as file:
            file.write(content.getvalue())
    files.write(f"{path}.txt", "".join(lines).encode())
    return path, f"{path}.txt"


def limited(data, count):
    """Returns the first `count` examples of a data set."""
    return mnist.DataSet(data.images[:count], data.labels[:count], data.source, np.uint8, reshape=False)


def read_pictures(folder, steps):
    """Returns ((x, y) to train, (x, y) to test): x float32 (n, 28, 28) from 0 to 1, y int64 (n,).

    The .npy files go to `folder`. No more of MNIST's training pictures are written than `steps` use. Raises InputError
    for pictures or labels that cannot be used, and when only some of the four constants are set.
    """
    given = {"train": (TRAIN_PATH, TRAIN_TXT), "test": (TEST_PATH, TEST_TXT)}
    named = [bool(word) for pair in given.values() for word in pair]
    if any(named) and not all(named):
        raise InputError("only some of TRAIN_PATH, TRAIN_TXT, TEST_PATH, TEST_TXT are set: set all four, or none")
    if not any(named):
        data = mnist.read_data_sets(dtype=np.uint8, reshape=False, validation_size=0)
        most = steps * BATCH_SIZE
        sets = {"train": limited(data.train, min(TRAIN_PICTURES, most)), "test": limited(data.test, TEST_PICTURES)}
        given = {kind: write_pictures(sets[kind], folder, kind) for kind in sets}
    pairs = [labelled_images.load(*given[kind], os.path.join(folder, f"mnist_{kind}")) for kind in given]
    return [(np.multiply(x, np.float32(1 / 255), dtype=np.float32), y) for x, y in pairs]


def batches(x, y, steps):
    """Returns `steps` batches, shuffled anew every epoch; an epoch's last one may be smaller, as in Keras' fit."""
    random, order = np.random.RandomState(SEED), np.arange(0)
    for _ in range(steps):
        if not len(order):
            order = random.permutation(len(y))
        yield x[order[:BATCH_SIZE]], y[order[:BATCH_SIZE]]
        order = order[BATCH_SIZE:]


def first_of(x, y, test_y):
    """Returns the numbers of pictures, and the first ten with their labels."""
    return {"train_pictures": len(y), "test_pictures": len(test_y), "pictures": x[:10], "labels": y[:10]}


def build_graph():
    """Adds the network to the default graph: pictures (n, 28, 28) in, probabilities (n, 10) out."""
    x = v1.placeholder(v1.float32, [None, SIDE, SIDE], name="x-input")
    y_ = v1.placeholder(v1.int64, [None], name="y-input")
    with v1.variable_scope("dense"):
        start = v1.glorot_uniform_initializer(seed=1)
        kernel = v1.get_variable("kernel", [INPUT_NODE, HIDDEN_NODE], initializer=start)
        bias = v1.get_variable("bias", [HIDDEN_NODE], initializer=v1.zeros_initializer())
        hidden = v1.nn.relu(v1.matmul(v1.reshape(x, [-1, INPUT_NODE]), kernel) + bias)  # -> (n, 128)
    with v1.variable_scope("dense_1"):
        start = v1.glorot_uniform_initializer(seed=2)
        kernel = v1.get_variable("kernel", [HIDDEN_NODE, OUTPUT_NODE], initializer=start)
        bias = v1.get_variable("bias", [OUTPUT_NODE], initializer=v1.zeros_initializer())
        logits = v1.matmul(hidden, kernel) + bias
    accuracy = v1.reduce_mean(v1.cast(v1.equal(v1.argmax(logits, 1), y_), v1.float32), name="accuracy")
    return {"x": x, "y_": y_, "logits": logits, "y": v1.nn.softmax(logits, name="y"), "accuracy": accuracy}


def run_graph(steps=STEPS, out=None):
    """Writes and reads the pictures in `out`, then trains in one session."""
    with tempfile.TemporaryDirectory() as scratch:
        (x, y), (test_x, test_y) = read_pictures(os.fspath(out or scratch), steps)
    trace = Trace()
    trace.forward(first_of(x, y, test_y))
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        cross_entropy = v1.nn.sparse_softmax_cross_entropy_with_logits(logits=graph["logits"], labels=graph["y_"])
        loss = v1.reduce_mean(cross_entropy)
        optimizer = v1.train.AdamOptimizer(LEARNING_RATE, BETA1, BETA2, EPSILON)
        pairs = optimizer.compute_gradients(loss)
        train = optimizer.apply_gradients(pairs)
        weights = {v.op.name: v for _, v in pairs}
        sess.run(v1.global_variables_initializer())
        trace.initial(sess.run(weights))
        bar = console.steps(steps)
        for step, (xs, ys) in zip(bar, batches(x, y, steps)):
            feed = {graph["x"]: xs, graph["y_"]: ys}
            if step == 0:
                trace.gradients(sess.run({v.op.name: gradient for gradient, v in pairs}, feed))
            now = sess.run([train, loss], feed)[1]
            trace.step(loss=now)
            bar.show(loss=now)
        trace.final(sess.run(weights))
        trace.slots(sess.run({v.op.name: v for v in optimizer.variables()}))
        trace["final/test_accuracy"] = sess.run(graph["accuracy"], {graph["x"]: test_x, graph["y_"]: test_y})
    return trace.arrays()


class Network(tf.Module):
    """The four weights, named as in the graph."""

    def __init__(self):
        super().__init__()

        def kernel(name, inputs, outputs, seed):
            limit = math.sqrt(3.0 * (1.0 / ((inputs + outputs) / 2)))  # glorot_uniform
            return tf.Variable(tf.random.uniform([inputs, outputs], -limit, limit, seed=seed), name=name)

        self.kernel = kernel("dense/kernel", INPUT_NODE, HIDDEN_NODE, seed=1)
        self.bias = tf.Variable(tf.zeros([HIDDEN_NODE]), name="dense/bias")
        self.kernel_1 = kernel("dense_1/kernel", HIDDEN_NODE, OUTPUT_NODE, seed=2)
        self.bias_1 = tf.Variable(tf.zeros([OUTPUT_NODE]), name="dense_1/bias")
        self.weights = [self.kernel, self.bias, self.kernel_1, self.bias_1]
        self.optimizer = optimizers.Adam(LEARNING_RATE, BETA1, BETA2, EPSILON)
        self.optimizer.create(self.weights)

    def variables_by_name(self):
        """Returns {name in the graph: variable} of the weights."""
        return dict(zip(WEIGHTS, self.weights))

    def logits(self, x):
        """Turns (n, 28, 28) into (n, 10)."""
        hidden = tf.nn.relu(tf.matmul(tf.reshape(x, [-1, INPUT_NODE]), self.kernel) + self.bias)  # -> (n, 128)
        return tf.matmul(hidden, self.kernel_1) + self.bias_1

    @tf.function
    def train(self, x, y_):
        """Makes one step. Returns the loss before it, and the gradients."""
        with tf.GradientTape() as tape:
            cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=self.logits(x), labels=y_)
            loss = tf.reduce_mean(cross_entropy)
        return loss, self.optimizer.minimize(tape, loss, self.weights)

    @tf.function
    def accuracy(self, x, y_):
        """Returns the share of right answers."""
        return tf.reduce_mean(tf.cast(tf.equal(tf.argmax(self.logits(x), 1), y_), tf.float32))


def run_function(steps=STEPS, out=None):
    """Writes and reads the pictures in `out`, then trains one object."""
    with tempfile.TemporaryDirectory() as scratch:
        (x, y), (test_x, test_y) = read_pictures(os.fspath(out or scratch), steps)
    tf.random.set_seed(SEED)
    network, trace = Network(), Trace()
    trace.forward(first_of(x, y, test_y))
    trace.initial(network.variables_by_name())
    bar = console.steps(steps)
    for step, (xs, ys) in zip(bar, batches(x, y, steps)):
        loss, gradients = network.train(tf.constant(xs), tf.constant(ys))
        if step == 0:
            trace.gradients(dict(zip(WEIGHTS, gradients)))
        trace.step(loss=loss)
        bar.show(loss=loss.numpy())
    trace.final(network.variables_by_name())
    trace.slots(network.optimizer.variables_by_name())
    trace["final/test_accuracy"] = network.accuracy(tf.constant(test_x), tf.constant(test_y)).numpy()
    return trace.arrays()


def plot(trace):
    """Returns a figure of the first ten pictures, as read back from their files, with their labels, and the loss."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 2])
    for axis, image, label in zip(top.subplots(1, 10), trace["forward/pictures"], trace["forward/labels"]):
        axis.imshow(image, cmap="gray", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[], title=label)
    axis = bottom.subplots()
    axis.plot(trace["steps/loss"], linewidth=0.5)
    axis.set(xlabel="step", ylabel="loss", title=f"test accuracy {trace['final/test_accuracy']:.4f}")
    return figure
