"""More pictures out of those there are: turned, shifted, zoomed, mirrored

Source: S4 2813-2897
TF1: the generator becomes ops of the graph: one projective transform a picture, its numbers drawn at random.
Now: a tf.function made for each kind of change; every call draws anew.
Errata: S4 calls image_gen_train.fit, which matters only for whitening and centring, and sets rescale=1. / 1., which
    does nothing. Its list has horizontal_flip. Its program rightly leaves it off: a mirrored 2 is not a 2. It shows
    none of the pictures that it makes; here they are in the trace.
See: Shorten and Khoshgoftaar, A Survey on Image Data Augmentation, doi:10.1186/s40537-019-0197-0
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import math

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_least, exactly
from tf1ref.data import mnist
from tf1ref.modules import optimizers
from tf1ref.parity import Trace

SEED = 1
STEPS = 9375  # 5 epochs of 60,000 pictures
BATCH_SIZE = 32
SIDE = 28
INPUT_NODE = 784
HIDDEN_NODE = 128
OUTPUT_NODE = 10
LEARNING_RATE = 0.001
BETA1 = 0.9
BETA2 = 0.999
EPSILON = 1e-7  # Keras' number; TF1's is 1e-8
ROTATION = 45.0  # degrees to either side
SHIFT = 0.15  # a share of the side, in either direction
# Each axis is scaled by itself, from 1 - ZOOM to 1 + ZOOM. Below 1 the picture grows.
ZOOM = 0.5
HORIZONTAL_FLIP = False  # True: mirrors half of the pictures
SHOWN = 10

WEIGHTS = ("dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias")
MIDDLE = (SIDE - 1) / 2
# The arguments of `augment` for each kind of change by itself, for none, and for the source's.
KINDS = {
    "unchanged": (0, 0, 0, False),
    "turned": (ROTATION, 0, 0, False),
    "shifted": (0, SHIFT, 0, False),
    "zoomed": (0, 0, ZOOM, False),
    "mirrored": (0, 0, 0, True),
    "augmented": (ROTATION, SHIFT, ZOOM, HORIZONTAL_FLIP),
}

EXPECTED = {
    "forward/unchanged_differs": exactly(0),
    "final/test_accuracy": at_least(0.9),
}


def shown(test):
    """Returns the first pictures of the test set, float32 (SHOWN, 28, 28, 1)."""
    return test.images[:SHOWN]


def add_augmentation(images, rotation, shift, zoom, flip):
    """Changes each picture of (n, 28, 28, 1) by numbers of its own, as Keras' ImageDataGenerator draws them.

    A pixel (row, column) of the result, counted from the middle, comes from rotation * ((zoom * pixel) + shift) of the
    picture. Values between pixels are bilinear; beyond the edge they are those of the nearest pixel.
    """
    with v1.name_scope("augment"):
        n = v1.shape(images)[0]
        angle = v1.random_uniform([n], -rotation, rotation, seed=3) * (math.pi / 180)
        down = v1.random_uniform([n], -shift, shift, seed=4) * SIDE
        right = v1.random_uniform([n], -shift, shift, seed=5) * SIDE
        high = v1.random_uniform([n], 1 - zoom, 1 + zoom, seed=6)
        wide = v1.random_uniform([n], 1 - zoom, 1 + zoom, seed=7)
        if flip:
            wide *= v1.where(v1.random_uniform([n], seed=8) < 0.5, -v1.ones([n]), v1.ones([n]))
        sine, cosine = v1.sin(angle), v1.cos(angle)
        x_of_x, x_of_y, y_of_x, y_of_y = cosine * wide, sine * high, -sine * wide, cosine * high
        # There is one add_n for each sum: a session orders sums of sums differently from a function. add_n's terms
        # are sorted by name, and mul_10 comes before mul_9, so the scope makes the numbers begin alike for each kind.
        zero, middle = v1.zeros([n]), v1.fill([n], MIDDLE)
        x = v1.add_n([middle, -MIDDLE * x_of_x, -MIDDLE * x_of_y, sine * down, cosine * right])
        y = v1.add_n([middle, -MIDDLE * y_of_x, -MIDDLE * y_of_y, cosine * down, -sine * right])
        return v1.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=v1.stack([x_of_x, x_of_y, x, y_of_x, y_of_y, y, zero, zero], axis=1),
            output_shape=[SIDE, SIDE],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        )


def build_graph():
    """Adds the network to the default graph: pictures (n, 28, 28, 1) in, probabilities (n, 10) out."""
    x = v1.placeholder(v1.float32, [None, SIDE, SIDE, 1], name="x-input")
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


def run_graph(steps=STEPS):
    """The pictures are changed in a run of their own. The result is fed to the training op."""
    data, trace = mnist.read_data_sets(reshape=False, validation_size=0, seed=SEED), Trace()
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        x, y_ = graph["x"], graph["y_"]
        augmented = add_augmentation(x, *KINDS["augmented"])
        cross_entropy = v1.nn.sparse_softmax_cross_entropy_with_logits(logits=graph["logits"], labels=y_)
        loss = v1.reduce_mean(cross_entropy)
        optimizer = v1.train.AdamOptimizer(LEARNING_RATE, BETA1, BETA2, EPSILON)
        pairs = optimizer.compute_gradients(loss)
        train = optimizer.apply_gradients(pairs)
        weights, gradients = {v.op.name: v for _, v in pairs}, {v.op.name: gradient for gradient, v in pairs}
        sheets = {f"forward/{kind}": add_augmentation(x, *arguments) for kind, arguments in KINDS.items()}
        sess.run(v1.global_variables_initializer())
        trace.initial(sess.run(weights))
        trace |= {"forward/pictures": shown(data.test), **sess.run(sheets, {x: shown(data.test)})}
        bar = console.steps(steps)
        for step in bar:
            xs, ys = data.train.next_batch(BATCH_SIZE)
            xs = sess.run(augmented, {x: xs})
            _, now, first = sess.run([train, loss, {} if step else gradients], {x: xs, y_: ys})
            trace.gradients(first)
            trace.step(loss=now, mean_grey=xs.mean(axis=(1, 2, 3)))
            bar.show(loss=now)
        trace.final(sess.run(weights))
        trace.slots(sess.run({v.op.name: v for v in optimizer.variables()}))
        trace["final/test_accuracy"] = sess.run(graph["accuracy"], {x: data.test.images, y_: data.test.labels})
    trace["forward/unchanged_differs"] = np.sum(trace["forward/unchanged"] != trace["forward/pictures"])
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
        """Turns (n, 28, 28, 1) into (n, 10)."""
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


def augmenter(rotation, shift, zoom, flip):
    """Returns a tf.function that changes pictures (n, 28, 28, 1), each by numbers of its own."""

    @tf.function
    def augment(images):
        n = tf.shape(images)[0]
        angle = tf.random.uniform([n], -rotation, rotation, seed=3) * (math.pi / 180)
        down = tf.random.uniform([n], -shift, shift, seed=4) * SIDE
        right = tf.random.uniform([n], -shift, shift, seed=5) * SIDE
        high = tf.random.uniform([n], 1 - zoom, 1 + zoom, seed=6)
        wide = tf.random.uniform([n], 1 - zoom, 1 + zoom, seed=7)
        if flip:
            wide *= tf.where(tf.random.uniform([n], seed=8) < 0.5, -tf.ones([n]), tf.ones([n]))
        sine, cosine = tf.sin(angle), tf.cos(angle)
        x_of_x, x_of_y, y_of_x, y_of_y = cosine * wide, sine * high, -sine * wide, cosine * high
        zero, middle = tf.zeros([n]), tf.fill([n], MIDDLE)
        x = tf.add_n([middle, -MIDDLE * x_of_x, -MIDDLE * x_of_y, sine * down, cosine * right])
        y = tf.add_n([middle, -MIDDLE * y_of_x, -MIDDLE * y_of_y, cosine * down, -sine * right])
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=tf.stack([x_of_x, x_of_y, x, y_of_x, y_of_y, y, zero, zero], axis=1),
            output_shape=[SIDE, SIDE],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        )

    return augment


def run_function(steps=STEPS):
    """Every augmenter has random ops of its own, which start again from their seeds."""
    tf.random.set_seed(SEED)
    data, trace = mnist.read_data_sets(reshape=False, validation_size=0, seed=SEED), Trace()
    network, augment = Network(), augmenter(*KINDS["augmented"])
    trace.initial(network.variables_by_name())
    pictures = tf.constant(shown(data.test))
    trace["forward/pictures"] = pictures.numpy()
    trace |= {f"forward/{kind}": augmenter(*arguments)(pictures).numpy() for kind, arguments in KINDS.items()}
    bar = console.steps(steps)
    for step in bar:
        xs, ys = data.train.next_batch(BATCH_SIZE)
        xs = augment(tf.constant(xs))
        loss, gradients = network.train(xs, tf.constant(ys, tf.int64))
        if step == 0:
            trace.gradients(dict(zip(network.variables_by_name(), gradients)))
        trace.step(loss=loss, mean_grey=xs.numpy().mean(axis=(1, 2, 3)))
        bar.show(loss=loss.numpy())
    test = tf.constant(data.test.images), tf.constant(data.test.labels, tf.int64)
    trace.final(network.variables_by_name())
    trace.slots(network.optimizer.variables_by_name())
    trace["final/test_accuracy"] = network.accuracy(*test).numpy()
    trace["forward/unchanged_differs"] = np.sum(trace["forward/unchanged"] != trace["forward/pictures"])
    return trace.arrays()


def plot(trace):
    """Returns a figure of the pictures before, after each change by itself, and after the source's."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.2), layout="constrained")
    kinds = ["pictures", "turned", "shifted", "zoomed", "mirrored", "augmented"]
    for axes, kind in zip(figure.subplots(len(kinds), SHOWN), kinds):
        axes[0].set_ylabel("before" if kind == "pictures" else kind)
        for axis, image in zip(axes, trace[f"forward/{kind}"]):
            axis.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
    return figure
