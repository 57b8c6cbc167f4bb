"""Softmax regression on the digits: one matrix, three ways to train it

Source: S3 1468-1520, S1 152-363, S2 307-315
TF1: placeholders are fed a batch at a time; Session.run(train_step) computes, updates and returns.
Now: one tf.function a step, the batch is its argument; `train_batches` loops inside the function.
Errata: S3 gives softmax's output to softmax_cross_entropy_with_logits, which applies softmax again, and reaches 90.77 %
    after 1,000 steps. The op takes logits; with them the figure passes 91 %. S1 writes sum(y * log(softmax)), which is
    NaN once a probability rounds to 0. Here the cross entropy comes from the logits. S2 recommends Adam at 1e-5. That
    rate needs S2's 55,000 steps; after 1,000 it is far from the end. S2 leaves the start of W and b to get_variable,
    which draws them. Here all three start with zeros, as S1's and S3's do.
See: https://github.com/tensorflow/tensorflow/tree/r1.0/tensorflow/examples/tutorials/mnist
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import about
from tf1ref.data import mnist
from tf1ref.modules import optimizers
from tf1ref.parity import Trace

SEED = 1
STEPS = 1000
BATCH_SIZE = 100
VARIANTS = ("sum", "mean", "adam")
SUM_RATE = 0.01
MEAN_RATE = 0.5
ADAM_RATE = 1e-5

EXPECTED = {
    "final/sum/test_accuracy": about(0.91, 0.015),
    "final/mean/test_accuracy": about(0.9077, 0.015),
}


def build_graph(variant="mean"):
    """Adds the model, its loss and its training op to the default graph.

    x: (batch, 784) pixels in [0, 1]; y_: (batch, 10) one-hot; y: (batch, 10) probabilities.
    """
    x = v1.placeholder(v1.float32, [None, 784], name="X_input")
    y_ = v1.placeholder(v1.float32, [None, 10], name="y_input")
    W = v1.get_variable("W", [784, 10], initializer=v1.zeros_initializer())
    b = v1.get_variable("b", [10], initializer=v1.zeros_initializer())
    logits = v1.nn.bias_add(v1.matmul(x, W), b, name="logits")
    y = v1.nn.softmax(logits, name="y")
    cross_entropy = v1.nn.softmax_cross_entropy_with_logits_v2(labels=y_, logits=logits)
    if variant == "sum":
        loss = v1.reduce_sum(cross_entropy)
        optimizer = v1.train.GradientDescentOptimizer(SUM_RATE)
    elif variant == "mean":
        loss = v1.reduce_mean(cross_entropy)
        optimizer = v1.train.GradientDescentOptimizer(MEAN_RATE)
    else:
        loss = v1.reduce_mean(cross_entropy)
        optimizer = v1.train.AdamOptimizer(ADAM_RATE)
    gradients = optimizer.compute_gradients(loss, [W, b])
    correct = v1.equal(v1.argmax(y, 1), v1.argmax(y_, 1))
    return {
        "x": x,
        "y_": y_,
        "W": W,
        "b": b,
        "y": y,
        "loss": loss,
        "gradients": [gradient for gradient, _ in gradients],
        "train_step": optimizer.apply_gradients(gradients),
        "slots": {slot.op.name: slot for slot in optimizer.variables()},
        "accuracy": v1.reduce_mean(v1.cast(correct, v1.float32), name="accuracy"),
    }


def run_graph(steps=STEPS):
    """The session owns W and b; a batch enters through feed_dict at every run."""
    trace = Trace()
    for variant in VARIANTS:
        data = mnist.read_data_sets(one_hot=True, seed=SEED)
        with v1.Graph().as_default(), v1.Session() as sess:
            graph = build_graph(variant)
            sess.run(v1.global_variables_initializer())
            trace.initial({f"{variant}/W": sess.run(graph["W"])})
            bar = console.steps(steps)
            for step in bar:
                xs, ys = data.train.next_batch(BATCH_SIZE)
                feed = {graph["x"]: xs, graph["y_"]: ys}
                if step == 0:
                    dW, db = sess.run(graph["gradients"], feed_dict=feed)
                    trace.gradients({f"{variant}/W": dW, f"{variant}/b": db})
                _, loss = sess.run([graph["train_step"], graph["loss"]], feed_dict=feed)
                trace.step(**{f"{variant}/loss": loss})
                bar.show(loss=loss)
            test = {graph["x"]: data.test.images, graph["y_"]: data.test.labels}
            accuracy, W, b = sess.run([graph["accuracy"], graph["W"], graph["b"]], feed_dict=test)
            trace.final({f"{variant}/test_accuracy": accuracy, f"{variant}/W": W, f"{variant}/b": b})
            trace.slots({f"{variant}/{k}": v for k, v in sess.run(graph["slots"]).items()})
    return trace.arrays()


class Model(tf.Module):
    """The model owns W and b, the optimizer its slots; names as in the graph."""

    def __init__(self, variant="mean"):
        super().__init__()
        self.W = tf.Variable(tf.zeros([784, 10]), name="W")
        self.b = tf.Variable(tf.zeros([10]), name="b")
        self.reduce = tf.reduce_sum if variant == "sum" else tf.reduce_mean
        if variant == "adam":
            self.optimizer = optimizers.Adam(ADAM_RATE)
        else:
            self.optimizer = optimizers.GradientDescent(SUM_RATE if variant == "sum" else MEAN_RATE)
        self.optimizer.create([self.W, self.b])

    def loss(self, x, y_):
        """Returns the cross entropy of a batch, summed or averaged: a scalar."""
        logits = tf.nn.bias_add(tf.matmul(x, self.W), self.b)
        return self.reduce(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=logits))

    @tf.function
    def gradients(self, x, y_):
        """Returns the gradients of W and b without a step."""
        with tf.GradientTape() as tape:
            loss = self.loss(x, y_)
        return tape.gradient(loss, [self.W, self.b])

    @tf.function
    def train_step(self, x, y_):
        """Makes one step on one batch. Returns the loss before it."""
        with tf.GradientTape() as tape:
            loss = self.loss(x, y_)
        self.optimizer.minimize(tape, loss, [self.W, self.b])
        return loss

    @tf.function
    def train_batches(self, xs, ys):
        """Makes steps over (steps, batch, 784) and (steps, batch, 10) in one call. Returns the losses (steps,).

        A call costs some 150 us more than Session.run. A loop inside pays this once.
        """
        losses = tf.TensorArray(tf.float32, size=tf.shape(xs)[0])
        for i in tf.range(tf.shape(xs)[0]):
            losses = losses.write(i, self.train_step(xs[i], ys[i]))
        return losses.stack()

    @tf.function
    def accuracy(self, x, y_):
        """Returns the share of pictures whose most likely digit is the right one."""
        y = tf.nn.softmax(tf.nn.bias_add(tf.matmul(x, self.W), self.b))
        correct = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
        return tf.reduce_mean(tf.cast(correct, tf.float32))


def run_function(steps=STEPS):
    """The batch is an argument. float32 is stated here; in the graph a placeholder stated it."""
    trace = Trace()
    for variant in VARIANTS:
        data = mnist.read_data_sets(one_hot=True, seed=SEED)
        model = Model(variant)
        trace.initial({f"{variant}/W": model.W})
        bar = console.steps(steps)
        for step in bar:
            xs, ys = data.train.next_batch(BATCH_SIZE)
            xs, ys = tf.constant(xs), tf.constant(ys, tf.float32)
            if step == 0:
                dW, db = model.gradients(xs, ys)
                trace.gradients({f"{variant}/W": dW, f"{variant}/b": db})
            loss = model.train_step(xs, ys)
            trace.step(**{f"{variant}/loss": loss})
            bar.show(loss=loss)
        test = tf.constant(data.test.images), tf.constant(data.test.labels, tf.float32)
        reached = {"test_accuracy": model.accuracy(*test), "W": model.W, "b": model.b}
        trace.final({f"{variant}/{k}": v for k, v in reached.items()})
        trace.slots({f"{variant}/{k}": v for k, v in model.optimizer.variables_by_name().items()})
    return trace.arrays()
