"""A digit on a picture, drawn by Pillow or from any file, is recognized

Source: S4 3142-3333
TF1: the application is a second graph that restores the checkpoint; a picture is fed with an axis
    of one before it.
Now: a second object whose variables are restored by name; a call takes the stack of pictures.
Errata: S4 squeezes the whole sheet to 28 x 28 and takes every pixel below 200 for ink. So a thin pen vanishes, and
    light ink on dark paper is inverted (0 of 10 drawn digits are right). MNIST's digits were cut out, scaled to 20 and
    centred. `final/answer` is for pictures prepared like that, `final/answer_of_threshold` for S4's way. Its comments
    exchange black and white, its inner loop uses the outer loop's i, and Pillow's ANTIALIAS is LANCZOS now.
See: LeCun et al., Gradient-Based Learning Applied to Document Recognition, doi:10.1109/5.726791
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
from PIL import Image, ImageDraw

from tf1ref import console, files
from tf1ref.catalog.figures import at_least, exactly
from tf1ref.data import mnist, pictures
from tf1ref.modules import checkpoints, optimizers
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
MODEL_NAME = "mnist.ckpt"
PICTURE = ""  # a picture file; "": all ten digits are drawn
THRESHOLD = 200  # S4 takes what is darker for ink; of 255
SHEET = 200  # pixels of a side of a drawn picture
PEN = 14

# The way of a pen over the sheet, x right and y down in pixels. "|" lifts it.
STROKES = (
    "100,35 70,50 58,100 70,150 100,165 130,150 142,100 130,50 100,35",
    "80,65 108,35 102,165",
    "62,70 75,42 105,34 133,50 132,80 105,115 60,162 | 60,162 142,160",
    "65,48 95,34 128,48 128,78 92,97 | 92,97 132,112 138,142 105,166 62,152",
    "82,35 62,105 140,100 | 122,60 116,168",
    "135,38 78,38 70,92 | 70,92 105,82 136,105 132,145 100,165 62,152",
    "125,35 88,65 65,115 72,152 102,166 132,145 125,112 95,104 68,128",
    "60,42 140,40 108,100 90,165",
    "128,52 100,34 72,52 85,85 122,115 132,145 100,167 66,148 78,112 120,82 128,52",
    "132,65 105,35 72,50 68,85 98,98 130,70 | 132,65 128,110 115,165",
)
WEIGHTS = ("dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias")

EXPECTED = {
    "final/answer": exactly(tuple(range(10))),
    "final/probability": at_least(0.5),
    "final/answer_of_threshold": exactly(tuple(range(10))),
    "final/test_accuracy": at_least(0.97),
}


def drawn(digit):
    """Returns a digit drawn in black on a white sheet, as a Pillow picture."""
    sheet = Image.new("L", (SHEET, SHEET), 255)
    pen = ImageDraw.Draw(sheet)
    for stroke in STROKES[digit].split("|"):
        points = [tuple(int(n) for n in pair.split(",")) for pair in stroke.split()]
        pen.line(points, fill=0, width=PEN, joint="curve")
        for x, y in points:  # makes round ends
            pen.ellipse((x - PEN / 2, y - PEN / 2, x + PEN / 2, y + PEN / 2), fill=0)
    return sheet


def read_pictures(folder):
    """Returns (centred, squeezed), uint8 (n, 28, 28) each, of PICTURE, or of ten drawings that are saved to `folder`.

    Raises InputError for a file that is not a picture, or is blank.
    """
    names = [PICTURE] if PICTURE else [os.path.join(folder, f"digit_{digit}.png") for digit in range(10)]
    if not PICTURE:
        for digit, name in enumerate(names):
            png = io.BytesIO()
            drawn(digit).save(png, "PNG")
            files.write(name, png.getvalue())
    return [np.stack([read(name) for name in names]) for read in (pictures.digit, pictures.squeezed)]


def add_answers(trace, squeezed):
    """Adds the most likely digits to the trace, and the squeezed sheets for its picture."""
    for name, key in (("centred", "answer"), ("thresholded", "answer_of_threshold")):
        trace[f"final/{key}"] = trace[f"forward/{name}/probabilities"].argmax(axis=1)
    trace["final/probability"] = trace["forward/centred/probabilities"].max(axis=1)
    trace["forward/sheets"] = squeezed
    return trace


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


def train_graph(steps, folder):
    """Trains in one session and leaves a checkpoint. Returns the trace."""
    data, trace = mnist.read_data_sets(reshape=False, validation_size=0, seed=SEED), Trace()
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        cross_entropy = v1.nn.sparse_softmax_cross_entropy_with_logits(logits=graph["logits"], labels=graph["y_"])
        loss = v1.reduce_mean(cross_entropy)
        optimizer = v1.train.AdamOptimizer(LEARNING_RATE, BETA1, BETA2, EPSILON)
        pairs = optimizer.compute_gradients(loss)
        train = optimizer.apply_gradients(pairs)
        weights, gradients = {v.op.name: v for _, v in pairs}, {v.op.name: gradient for gradient, v in pairs}
        sess.run(v1.global_variables_initializer())
        trace.initial(sess.run(weights))
        bar = console.steps(steps)
        for step in bar:
            xs, ys = data.train.next_batch(BATCH_SIZE)
            feed = {graph["x"]: xs[..., 0], graph["y_"]: ys}
            _, now, first = sess.run([train, loss, {} if step else gradients], feed)
            trace.gradients(first)
            trace.step(loss=now)
            bar.show(loss=now)
        v1.train.Saver(weights).save(sess, os.path.join(folder, MODEL_NAME))
        trace.final(sess.run(weights))
        trace.slots(sess.run({v.op.name: v for v in optimizer.variables()}))
        feed = {graph["x"]: data.test.images[..., 0], graph["y_"]: data.test.labels}
        trace["final/test_accuracy"] = sess.run(graph["accuracy"], feed)
    return trace.arrays()


def apply_graph(centred, squeezed, folder):
    """The application: restores the weights, then answers for both preparations."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        sheets = v1.placeholder(v1.uint8, [None, SIDE, SIDE], name="sheets")
        grey = v1.cast(sheets, v1.float32) / 255
        high_contrast = v1.cast(v1.less(sheets, THRESHOLD), v1.float32)
        v1.train.Saver().restore(sess, v1.train.latest_checkpoint(folder))
        seen = sess.run({"centred": grey}, {sheets: centred})
        seen |= sess.run({"thresholded": high_contrast}, {sheets: squeezed})
        trace = {f"forward/{name}/seen": value for name, value in seen.items()}
        for name, value in seen.items():
            trace[f"forward/{name}/probabilities"] = sess.run(graph["y"], {graph["x"]: value})
    return trace


def run_graph(steps=STEPS, out=None):
    """The pictures are read first, so that a bad one is found before the training."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.fspath(out or scratch)
        centred, squeezed = read_pictures(folder)
        trace = train_graph(steps, folder)
        return add_answers({**trace, **apply_graph(centred, squeezed, folder)}, squeezed)


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
        """Returns {name in the graph: variable} of the weights, which is all that the application needs."""
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

    @tf.function
    def probabilities(self, x):
        """Turns (n, 28, 28) into (n, 10)."""
        return tf.nn.softmax(self.logits(x))


@tf.function
def prepare(centred, squeezed):
    """Returns what the network is fed for uint8 pictures: grey levels, and ink where a sheet is below THRESHOLD."""
    high_contrast = tf.cast(tf.less(squeezed, THRESHOLD), tf.float32)
    return {"centred": tf.cast(centred, tf.float32) / 255, "thresholded": high_contrast}


def run_function(steps=STEPS, out=None):
    """One object trains, and another one applies. The checkpoint has the same names as the graph's."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.fspath(out or scratch)
        centred, squeezed = read_pictures(folder)
        tf.random.set_seed(SEED)
        data = mnist.read_data_sets(reshape=False, validation_size=0, seed=SEED)
        network, trace = Network(), Trace()
        trace.initial(network.variables_by_name())
        bar = console.steps(steps)
        for step in bar:
            xs, ys = data.train.next_batch(BATCH_SIZE)
            loss, gradients = network.train(tf.constant(xs[..., 0]), tf.constant(ys, tf.int64))
            if step == 0:
                trace.gradients(dict(zip(WEIGHTS, gradients)))
            trace.step(loss=loss)
            bar.show(loss=loss.numpy())
        prefix = checkpoints.save(folder, MODEL_NAME, network.variables_by_name())
        test = tf.constant(data.test.images[..., 0]), tf.constant(data.test.labels, tf.int64)
        trace["final/test_accuracy"] = network.accuracy(*test).numpy()
        application = Network()
        checkpoints.restore(prefix, application.variables_by_name())
    trace.final(network.variables_by_name())
    trace.slots(network.optimizer.variables_by_name())
    for name, seen in prepare(tf.constant(centred), tf.constant(squeezed)).items():
        trace[f"forward/{name}/seen"] = seen.numpy()
        trace[f"forward/{name}/probabilities"] = application.probabilities(seen).numpy()
    return add_answers(trace.arrays(), squeezed)


def plot(trace):
    """Returns a figure of each picture, what the network sees of it in both ways, and its probabilities."""
    from matplotlib.figure import Figure

    sheets = trace["forward/sheets"]
    figure = Figure(figsize=(max(5, 1.3 * len(sheets)), 5.6), layout="constrained")
    rows = figure.subplots(4, len(sheets), squeeze=False, gridspec_kw={"height_ratios": [2, 2, 2, 3]})
    shown = [sheets, trace["forward/thresholded/seen"], trace["forward/centred/seen"]]
    for axes, images, label in zip(rows, shown, ("the picture", "S4's threshold", "centred")):
        axes[0].set_ylabel(label)
        for axis, image in zip(axes, images):
            axis.imshow(image, cmap="gray", vmin=0, vmax=image.max() if image.max() <= 1 else 255)
            axis.set(xticks=[], yticks=[])
    rows[3][0].set_ylabel("probability")
    for axis, row, answer in zip(rows[3], trace["forward/centred/probabilities"], trace["final/answer"]):
        axis.bar(range(OUTPUT_NODE), row, color=["tab:orange" if n == answer else "gray" for n in range(OUTPUT_NODE)])
        axis.set(ylim=(0, 1), xticks=[answer], yticks=[0, 1] if axis is rows[3][0] else [])
    return figure
