"""A 3-4-4-1 sigmoid network learns 0.2 x^2 - x + 1

Source: S0 242-505
TF1: a layer is a function that adds two variables and three ops; the loss goes to an event file as a summary op.
Now: the same network as a tf.Module; tf.summary writes the scalar when its line is reached.
Errata: S0 averages a sum (reduce_mean of a scalar). So its loss is the summed square error, and its rate .001 is as .5
    on the mean. This is kept: `loss` is the sum. S0 closes its session before it evaluates in it. It runs the network
    three times a step (train, summary, print); here one run fetches all of it.
See: Cybenko, Approximation by Superpositions of a Sigmoidal Function, doi:10.1007/BF02551274
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import os

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_most
from tf1ref.modules import optimizers

SEED = 3
STEPS = 50000
LEARNING_RATE = 0.001
TRAIN_POINTS = 2000
TEST_POINTS = 1500
LAYERS = ((3, 4), (4, 4), (4, 1))

# The source shows the fit as a picture. A mean square error of 5e-4 is 2 % of the curve's height.
EXPECTED = {"final/test_mse": at_most(5e-4)}


def points(count):
    """Returns x (count, 3), three times the same number, and y (count, 1), both scaled to [0, 1], float32."""
    x = np.linspace(-20, 20, count)
    y = 0.2 * (x * x) - x + 1
    x = (x - x.min()) / (x.max() - x.min())
    y = (y - y.min()) / (y.max() - y.min())
    return np.repeat(x.reshape(count, 1), 3, axis=1).astype(np.float32), y.reshape(count, 1).astype(np.float32)


def add_layer(inputs, in_size, out_size, number):
    """Adds sigmoid(inputs * weights + bias): (n, in_size) to (n, out_size)."""
    with v1.variable_scope(f"layer{number}"):
        start = v1.random_normal_initializer(seed=number)
        weights = v1.get_variable("weights", [in_size, out_size], initializer=start)
        bias = v1.get_variable("bias", [1, out_size], initializer=v1.zeros_initializer())
        return v1.sigmoid(v1.matmul(inputs, weights) + bias)


def build_graph():
    """Adds the network, its loss, its training op and the loss summary to the default graph."""
    x = v1.placeholder(v1.float32, shape=[None, 3], name="X")
    y = v1.placeholder(v1.float32, shape=[None, 1], name="Y")
    out = x
    for number, (in_size, out_size) in enumerate(LAYERS, 1):
        out = add_layer(out, in_size, out_size, number)
    loss = v1.reduce_sum(v1.square(out - y))
    optimizer = v1.train.GradientDescentOptimizer(LEARNING_RATE)
    gradients = optimizer.compute_gradients(loss)
    # The tag is the op's name. If the loss had this name, the tag would become loss_1.
    v1.summary.scalar("loss", loss)
    return {
        "x": x,
        "y": y,
        "out": v1.identity(out, name="out"),
        "loss": loss,
        "gradients": {variable.op.name: gradient for gradient, variable in gradients},
        "train": optimizer.apply_gradients(gradients),
        "summary": v1.summary.merge_all(),
    }


def run_graph(steps=STEPS, out=None):
    """One run trains, measures and summarizes. `out`: the event file's folder; None writes no file."""
    x, y = points(TRAIN_POINTS)
    x_test, y_test = points(TEST_POINTS)
    losses, trace = [], {}
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        writer = v1.summary.FileWriter(out, sess.graph) if out else None
        feed = {graph["x"]: x, graph["y"]: y}
        variables = {v.op.name: v for v in v1.trainable_variables()}
        trace.update({f"initial/{k}": v for k, v in sess.run(variables).items()})
        trace.update({f"gradient/{k}": v for k, v in sess.run(graph["gradients"], feed).items()})
        bar = console.steps(steps)
        for step in bar:
            _, loss, summary = sess.run([graph["train"], graph["loss"], graph["summary"]], feed)
            losses.append(loss)
            bar.show(loss=loss)
            if writer and step % 100 == 0:
                writer.add_summary(summary, step)
        if writer:
            writer.close()
        trace["final/curve"] = sess.run(graph["out"], {graph["x"]: x_test})
        trace.update({f"final/{k}": v for k, v in sess.run(variables).items()})
    trace["steps/loss"] = np.array(losses)
    trace["final/test_mse"] = np.mean((trace["final/curve"] - y_test) ** 2)
    return trace


class Network(tf.Module):
    """The same layers; variables carry the graph's names."""

    def __init__(self):
        super().__init__()
        self.layers = []
        for number, (in_size, out_size) in enumerate(LAYERS, 1):
            start = tf.random.normal([in_size, out_size], seed=number)
            weights = tf.Variable(start, name=f"layer{number}/weights")
            self.layers.append((weights, tf.Variable(tf.zeros([1, out_size]), name=f"layer{number}/bias")))
        self.all = [variable for layer in self.layers for variable in layer]
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)
        self.optimizer.create(self.all)

    @tf.function
    def curve(self, x):
        """Returns the network's answer (n, 1) for x (n, 3)."""
        for weights, bias in self.layers:
            x = tf.sigmoid(tf.matmul(x, weights) + bias)
        return x

    @tf.function
    def loss_and_gradients(self, x, y):
        """Returns the summed square error before a step, and its gradients."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(self.curve(x) - y))
        return loss, tape.gradient(loss, self.all)

    @tf.function
    def train(self, x, y):
        """Makes one step. Returns the loss before it."""
        loss, gradients = self.loss_and_gradients(x, y)
        self.optimizer.apply(zip(gradients, self.all))
        return loss


def run_function(steps=STEPS, out=None):
    """The points become tensors once. A feed converts them in every run."""
    tf.random.set_seed(SEED)
    x, y = (tf.constant(a) for a in points(TRAIN_POINTS))
    x_test, y_test = points(TEST_POINTS)
    losses = []
    network = Network()
    names = {v.name.partition(":")[0]: v for v in network.all}
    trace = {f"initial/{k}": v.numpy() for k, v in names.items()}
    _, gradients = network.loss_and_gradients(x, y)
    trace.update({f"gradient/{k}": g.numpy() for k, g in zip(names, gradients)})
    writer = tf.summary.create_file_writer(os.fspath(out)) if out else tf.summary.create_noop_writer()
    bar = console.steps(steps)
    with writer.as_default():
        for step in bar:
            losses.append(network.train(x, y).numpy())
            bar.show(loss=losses[-1])
            if step % 100 == 0:
                tf.summary.scalar("loss", losses[-1], step=step)
    writer.close()
    trace["final/curve"] = network.curve(tf.constant(x_test)).numpy()
    trace.update({f"final/{k}": v.numpy() for k, v in names.items()})
    trace["steps/loss"] = np.array(losses)
    trace["final/test_mse"] = np.mean((trace["final/curve"] - y_test) ** 2)
    return trace


def plot(trace):
    """Returns a figure of the curve wanted and the curve learned, and the loss."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    x, y = points(TEST_POINTS)
    left.plot(x[:, 0], y, label="0.2 x^2 - x + 1, scaled")
    left.plot(x[:, 0], trace["final/curve"], "r", label="network")
    left.legend()
    left.set(xlabel="x, scaled", ylabel="y, scaled")
    right.semilogy(trace["steps/loss"])
    right.set(xlabel="step", ylabel="loss (summed square error)")
    return figure
