"""Dropout: a mask, a scale, and a probability that is fed

Source: S4 3685-3708, S1 478-487
TF1: keep_prob is a placeholder, .5 in training and 1 in testing; every run draws a new mask.
Now: tf.nn.dropout takes rate = 1 - keep_prob. A Python argument `training` tells whether there is dropout at all.
Errata: S4's argument is the share that is dropped, S1's is the share that is kept, so .2 and .8 mean the same. A reader
    who takes TF1's second argument for a rate makes a silent mistake. S4's listing does not parse (full-width commas
    and colons, MaxPoo12D, a quotation mark missing). S1's placeholder takes any shape; a scalar is meant.
See: Hinton et al., Improving Neural Networks by Preventing Co-Adaptation, arXiv:1207.0580
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import about, exactly
from tf1ref.modules import optimizers
from tf1ref.parity import Trace

SEED = 5
STEPS = 100
KEEP_PROB = 0.5
# In S4's layer a fifth of the units is dropped.
S4_RATE = 0.2
UNITS = 1000
# A regression with dropout in its hidden layer: 20 inputs, 50 hidden units, 1 output.
EXAMPLES = 64
INPUTS = 20
HIDDEN = 50
DEVIATION = 0.2
LEARNING_RATE = 0.01

EXPECTED = {
    "forward/test": exactly(np.ones(UNITS)),
    # The mean is kept: a fifth of 1000 units is dropped, and the others become 1 / .8 = 1.25.
    "forward/mean_of_mask": about(1.0, 0.05),
    "forward/values": exactly([0.0, 1.25]),
    "forward/share_dropped": about(0.2, 0.04),
}


def points():
    """Returns x (64, 20) and y (64, 1), float32: y is the first input's sign, with noise."""
    random = np.random.RandomState(SEED)
    x = random.randn(EXAMPLES, INPUTS).astype(np.float32)
    return x, (np.sign(x[:, :1]) + 0.1 * random.randn(EXAMPLES, 1)).astype(np.float32)


def build_graph():
    """Adds a mask on ones, and a network whose hidden layer has dropout with a fed probability."""
    ones = v1.ones([UNITS])
    keep_prob = v1.placeholder(v1.float32, [], name="keep_prob")
    x, y_ = v1.placeholder(v1.float32, [None, INPUTS], "x"), v1.placeholder(v1.float32, [None, 1], "y-input")
    weights1 = v1.get_variable(
        "weights1", [INPUTS, HIDDEN], initializer=v1.truncated_normal_initializer(stddev=DEVIATION, seed=1)
    )
    weights2 = v1.get_variable(
        "weights2", [HIDDEN, 1], initializer=v1.truncated_normal_initializer(stddev=DEVIATION, seed=2)
    )
    hidden = v1.nn.relu(v1.matmul(x, weights1))
    dropped = v1.nn.dropout(hidden, keep_prob=keep_prob, seed=3)
    y = v1.matmul(dropped, weights2)
    loss = v1.reduce_mean(v1.square(y - y_))
    optimizer = v1.train.GradientDescentOptimizer(LEARNING_RATE)
    pairs = optimizer.compute_gradients(loss)
    return {
        "mask": v1.nn.dropout(ones, keep_prob=keep_prob, seed=4),
        "keep_prob": keep_prob,
        "x": x,
        "y_": y_,
        "y": v1.identity(y, name="y"),
        "dropped": dropped,
        "loss": loss,
        "variables": {v.op.name: v for v in (weights1, weights2)},
        "gradients": {v.op.name: gradient for gradient, v in pairs},
        "train": optimizer.apply_gradients(pairs),
    }


def run_graph(steps=STEPS):
    """One graph trains and tests. Only the value fed for keep_prob differs."""
    (x, y), trace = points(), Trace()
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        keep_prob = graph["keep_prob"]
        trace["forward/mask"] = sess.run(graph["mask"], {keep_prob: 1 - S4_RATE})
        trace["forward/another_mask"] = sess.run(graph["mask"], {keep_prob: 1 - S4_RATE})
        trace["forward/test"] = sess.run(graph["mask"], {keep_prob: 1.0})
        trace.initial(sess.run(graph["variables"]))
        feed = {graph["x"]: x, graph["y_"]: y, keep_prob: KEEP_PROB}
        bar = console.steps(steps)
        for step in bar:
            fetches = graph["train"], graph["loss"], graph["dropped"], {} if step else graph["gradients"]
            _, loss, hidden, gradients = sess.run(fetches, feed)
            trace.gradients(gradients)
            trace.step(loss=loss, share_of_zeros=np.mean(hidden == 0.0))
            bar.show(loss=loss)
        trace.final(sess.run(graph["variables"]))
        trace["final/y"], trace["final/loss"] = sess.run([graph["y"], graph["loss"]], feed | {keep_prob: 1.0})
    trace.forward(measures(trace["forward/mask"]))
    return trace.arrays()


def measures(mask):
    """Returns the mean of a mask on ones, its different values, and the share of zeros."""
    return {"mean_of_mask": mask.mean(), "values": np.unique(mask), "share_dropped": np.mean(mask == 0.0)}


class Network(tf.Module):
    """The same two layers."""

    def __init__(self):
        super().__init__()
        self.weights1 = tf.Variable(
            tf.random.truncated_normal([INPUTS, HIDDEN], stddev=DEVIATION, seed=1), name="weights1"
        )
        self.weights2 = tf.Variable(tf.random.truncated_normal([HIDDEN, 1], stddev=DEVIATION, seed=2), name="weights2")
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)

    @tf.function
    def mask(self, ones, rate):
        """Returns dropout of ones: 0 or 1 / (1 - rate)."""
        return tf.nn.dropout(ones, rate=rate, seed=4)

    @tf.function
    def outputs(self, x, training):
        """Returns the outputs (n, 1) and the hidden layer.

        `training` is a Python bool, so there are two traces, one of them without a mask.
        """
        hidden = tf.nn.relu(tf.matmul(x, self.weights1))
        if training:
            hidden = tf.nn.dropout(hidden, rate=1 - tf.constant(KEEP_PROB), seed=3)
        return tf.matmul(hidden, self.weights2), hidden

    @tf.function
    def loss(self, x, y_):
        """Returns the mean square error of the whole network, without dropout."""
        return tf.reduce_mean(tf.square(self.outputs(x, False)[0] - y_))

    @tf.function
    def train(self, x, y_):
        """Makes one step with a new mask.

        Returns the loss before it, the hidden layer after dropout, and the gradients.
        """
        with tf.GradientTape() as tape:
            y, hidden = self.outputs(x, True)
            loss = tf.reduce_mean(tf.square(y - y_))
        return loss, hidden, self.optimizer.minimize(tape, loss, [self.weights1, self.weights2])


def run_function(steps=STEPS):
    """Testing is another trace of the same function, which the value of a Python argument makes."""
    tf.random.set_seed(SEED)
    x, y = (tf.constant(array) for array in points())
    network, trace = Network(), Trace()
    names = {"weights1": network.weights1, "weights2": network.weights2}
    ones, keep_prob = tf.ones([UNITS]), tf.constant(1 - S4_RATE)
    trace["forward/mask"] = network.mask(ones, 1 - keep_prob).numpy()
    trace["forward/another_mask"] = network.mask(ones, 1 - keep_prob).numpy()
    trace["forward/test"] = network.mask(ones, tf.constant(0.0)).numpy()
    trace.initial(names)
    bar = console.steps(steps)
    for step in bar:
        loss, hidden, gradients = network.train(x, y)
        if step == 0:
            trace.gradients(dict(zip(names, gradients)))
        trace.step(loss=loss, share_of_zeros=np.mean(hidden.numpy() == 0.0))
        bar.show(loss=loss.numpy())
    trace.final(names)
    trace["final/y"], trace["final/loss"] = network.outputs(x, False)[0].numpy(), network.loss(x, y).numpy()
    trace.forward(measures(trace["forward/mask"]))
    return trace.arrays()
