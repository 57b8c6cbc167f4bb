"""Batch normalization: the batch's moments in training, averages after

Source: S4 3562-3629
TF1: no op depends on the updates of the moving averages. UPDATE_OPS collects them, and the training op has to depend on
    them. Inference is a second graph that reads the averages.
Now: `training` is a Python bool. The averages are updated at their line, so an update cannot be forgotten.
Errata: S4 never says what its m counts: it is images times rows times columns, the outputs of one kernel for a batch.
    S4 calls the result a normal distribution. Only mean and deviation change, not the shape. It does not mention
    inference, where there is no batch. Its listing does not parse (full-width commas, MaxPoo12D).
See: Ioffe and Szegedy, Batch Normalization, arXiv:1502.03167
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import about, at_least, at_most
from tf1ref.modules import optimizers
from tf1ref.parity import Trace

SEED = 2
STEPS = 300
BATCH_SIZE = 32
INPUTS = 4
HIDDEN = 8
# The inputs lie far from 0, as S4 says of deep layers: around 5, with a deviation of 3.
SHIFT = 5.0
SPREAD = 3.0
DEVIATION = 0.5
EPSILON = 0.001
MOMENTUM = 0.9  # tf.layers has .99 and contrib.layers .999, for thousands of steps
LEARNING_RATE = 0.05

EXPECTED = {
    "forward/mean": about(np.zeros(HIDDEN), 1e-5),
    "forward/deviation": about(np.ones(HIDDEN), 1e-3),
    "final/test_loss": at_most(0.1),
    # Without the updates the averages stay at 0 and 1. Training looks right, but inference is wrong.
    "final/test_loss_without_updates": at_least(1.0),
}


def batch(random, count=BATCH_SIZE):
    """Returns x (count, 4) and y (count, 1), float32. y is the inputs' mean distance from SHIFT, in SPREADs."""
    x = random.randn(count, INPUTS)
    y = np.abs(x).mean(axis=1, keepdims=True)
    return (SHIFT + SPREAD * x).astype(np.float32), y.astype(np.float32)


def batch_norm(x, is_training):
    """Adds gamma * (x - mean) / sqrt(variance + EPSILON) + beta, with the batch's moments or the averages."""
    size = x.shape[-1]
    beta = v1.get_variable("beta", [size], initializer=v1.zeros_initializer())
    gamma = v1.get_variable("gamma", [size], initializer=v1.ones_initializer())
    moving_mean = v1.get_variable("moving_mean", [size], initializer=v1.zeros_initializer(), trainable=False)
    moving_variance = v1.get_variable("moving_variance", [size], initializer=v1.ones_initializer(), trainable=False)
    if not is_training:
        return v1.nn.batch_normalization(x, moving_mean, moving_variance, beta, gamma, EPSILON)
    mean, variance = v1.nn.moments(x, axes=[0])  # (n, size) -> (size,)
    for moving, now in ((moving_mean, mean), (moving_variance, variance)):
        v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, moving.assign_sub((moving - now) * (1 - MOMENTUM)))
    return v1.nn.batch_normalization(x, mean, variance, beta, gamma, EPSILON)


def build_graph(is_training=False):
    """Adds the 4-8-1 network to the default graph, for inference or training, with the same variables."""
    x, y_ = v1.placeholder(v1.float32, [None, INPUTS], "x"), v1.placeholder(v1.float32, [None, 1], "y-input")
    start = v1.truncated_normal_initializer
    weights1 = v1.get_variable("weights1", [INPUTS, HIDDEN], initializer=start(stddev=DEVIATION, seed=1))
    with v1.variable_scope("bn"):
        normalized = batch_norm(v1.matmul(x, weights1), is_training)
    weights2 = v1.get_variable("weights2", [HIDDEN, 1], initializer=start(stddev=DEVIATION, seed=2))
    y = v1.matmul(v1.nn.relu(normalized), weights2, name="y")
    loss = v1.reduce_mean(v1.square(y - y_))
    graph = {"x": x, "y_": y_, "y": y, "normalized": normalized, "loss": loss}
    graph["variables"] = {v.op.name: v for v in v1.global_variables()}
    if is_training:
        with v1.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS)):
            optimizer = v1.train.GradientDescentOptimizer(LEARNING_RATE)
            pairs = optimizer.compute_gradients(loss)
            graph["train"] = optimizer.apply_gradients(pairs)
        graph["gradients"] = {v.op.name: gradient for gradient, v in pairs}
    return graph


def run_graph(steps=STEPS):
    """There are two graphs. The second one loads what the first has learned, as a Saver would do."""
    random, trace = np.random.RandomState(SEED), Trace()
    test = batch(random, 500)
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph(is_training=True)
        sess.run(v1.global_variables_initializer())
        trace.initial(sess.run(graph["variables"]))
        trace["forward/normalized"] = sess.run(graph["normalized"], {graph["x"]: test[0]})
        bar = console.steps(steps)
        for step in bar:
            x, y = batch(random)
            fetches = graph["train"], graph["loss"], {} if step else graph["gradients"]
            _, loss, gradients = sess.run(fetches, {graph["x"]: x, graph["y_"]: y})
            trace.gradients(gradients)
            trace.step(loss=loss, moving_mean=sess.run(graph["variables"]["bn/moving_mean"]))
            bar.show(loss=loss)
        values = sess.run(graph["variables"])
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        feed = {graph["x"]: test[0], graph["y_"]: test[1]}
        for name, variable in graph["variables"].items():
            variable.load(values[name], sess)
        trace["final/y"], trace["final/test_loss"] = sess.run([graph["y"], graph["loss"]], feed)
        for name in ("bn/moving_mean", "bn/moving_variance"):
            graph["variables"][name].load(trace[f"initial/{name}"], sess)
        trace["final/test_loss_without_updates"] = sess.run(graph["loss"], feed)
    trace.final(values)
    trace.forward(moments(trace["forward/normalized"]))
    return trace.arrays()


def moments(normalized):
    """Returns mean and deviation of each column, which should be 0 and 1."""
    return {"mean": normalized.mean(axis=0), "deviation": normalized.std(axis=0)}


class Network(tf.Module):
    """The same network. The averages are variables that are not trained."""

    def __init__(self):
        super().__init__()
        start = tf.random.truncated_normal([INPUTS, HIDDEN], stddev=DEVIATION, seed=1)
        self.weights1 = tf.Variable(start, name="weights1")
        self.beta = tf.Variable(tf.zeros([HIDDEN]), name="bn/beta")
        self.gamma = tf.Variable(tf.ones([HIDDEN]), name="bn/gamma")
        self.mean = tf.Variable(tf.zeros([HIDDEN]), name="bn/moving_mean", trainable=False)
        self.variance = tf.Variable(tf.ones([HIDDEN]), name="bn/moving_variance", trainable=False)
        start = tf.random.truncated_normal([HIDDEN, 1], stddev=DEVIATION, seed=2)
        self.weights2 = tf.Variable(start, name="weights2")
        self.trained = [self.weights1, self.beta, self.gamma, self.weights2]
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)

    @tf.function
    def normalized(self, x, training):
        """Returns the hidden layer (n, 8) before its relu. With `training` it also updates the averages."""
        hidden = tf.matmul(x, self.weights1)
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = tf.nn.moments(hidden, axes=[0])  # (n, 8) -> (8,)
            self.mean.assign_sub((self.mean - mean) * (1 - MOMENTUM))
            self.variance.assign_sub((self.variance - variance) * (1 - MOMENTUM))
        return tf.nn.batch_normalization(hidden, mean, variance, self.beta, self.gamma, EPSILON)

    @tf.function
    def loss(self, x, y_, training):
        """Returns the mean square error, and the answers (n, 1)."""
        y = tf.matmul(tf.nn.relu(self.normalized(x, training)), self.weights2)
        return tf.reduce_mean(tf.square(y - y_)), y

    @tf.function
    def train(self, x, y_):
        """Makes one step and updates the averages. Returns the loss before it, and the four gradients."""
        with tf.GradientTape() as tape:
            loss, _ = self.loss(x, y_, True)
        return loss, self.optimizer.minimize(tape, loss, self.trained)


def run_function(steps=STEPS):
    """There is one object. Inference is the same function with another argument."""
    random, trace = np.random.RandomState(SEED), Trace()
    tf.random.set_seed(SEED)
    network = Network()
    test = [tf.constant(array) for array in batch(random, 500)]
    names = {v.name.partition(":")[0]: v for v in network.variables}
    trace.initial(names)
    trace["forward/normalized"] = network.normalized(test[0], True).numpy()
    # The line before has updated the averages; the graph only fetched the values.
    restart(network)
    bar = console.steps(steps)
    for step in bar:
        loss, gradients = network.train(*(tf.constant(array) for array in batch(random)))
        if step == 0:
            trace.gradients({v.name.partition(":")[0]: g for v, g in zip(network.trained, gradients)})
        trace.step(loss=loss, moving_mean=network.mean)
        bar.show(loss=loss.numpy())
    trace.final(names)
    trace["final/test_loss"], trace["final/y"] = (result.numpy() for result in network.loss(*test, False))
    restart(network)
    trace["final/test_loss_without_updates"] = network.loss(*test, False)[0].numpy()
    trace.forward(moments(trace["forward/normalized"]))
    return trace.arrays()


def restart(network):
    """Sets the averages to where they begin."""
    network.mean.assign(tf.zeros([HIDDEN]))
    network.variance.assign(tf.ones([HIDDEN]))
