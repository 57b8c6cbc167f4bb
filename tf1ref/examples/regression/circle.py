"""Half a disc: a 2-10-5-3-1 network with and without L2, and its boundary

Source: S3 1352-1467
TF1: penalties gather in the collection "losses" of a graph; two sessions of one graph hold two sets of variables.
Now: the penalties are added up where they are needed; two objects hold two sets of variables.
Errata: S3 calls it five layers, and counts the input. Its second run prints the plain loss under the name of the
    regularized one. Its output has relu, too. Without L2 the output of two of five starts fell below 0 everywhere,
    where relu has no gradient, and stayed 0 for ever. S3 sets no seed; with the one here the network learns. For a
    second run in one process S3 advises a new graph each time. This is right: a graph's collection keeps the penalties
    of earlier networks.
See: Krogh and Hertz, A Simple Weight Decay Can Improve Generalization, NIPS 1991
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_least, at_most
from tf1ref.examples.regression import _plots
from tf1ref.legacy.contrib.layers import l2_regularizer
from tf1ref.modules import optimizers
from tf1ref.parity import Trace

SEED = 1
DATA_SEED = 0
STEPS = 4000
POINTS = 150
LAYERS = (2, 10, 5, 3, 1)
NOISE = 0.1
BIAS_START = 0.1
LEARNING_RATE = 0.001
REGULARIZATION = 0.003
NAMES = ("mse", "l2")

# S3 shows a picture of the boundaries. The one with L2 is rounder, and drawn with smaller weights.
EXPECTED = {
    "final/mse/accuracy": at_least(0.9),
    "final/l2/accuracy": at_least(0.9),
    "final/weights_l2_over_mse": at_most(0.5),
}


def points():
    """Returns x float32 (150, 2) and y (150, 1): 0 inside the circle round (0, 0), else 1.

    y is computed before x gets its noise.
    """
    random = np.random.RandomState(DATA_SEED)
    x1 = random.uniform(-1, 1, size=POINTS)
    x2 = random.uniform(0, 2, size=POINTS)
    y = np.where(x1**2 + x2**2 <= 1, 0, 1).reshape(-1, 1)
    x = np.stack([random.normal(x1, NOISE), random.normal(x2, NOISE)], axis=1)
    return x.astype(np.float32), y.astype(np.float32)


def grid():
    """Returns (points of the plane, float32 (n, 2); their coordinates, (2, 121, 121)), for the boundary."""
    plane = np.mgrid[-1.2:1.2:121j, -0.2:2.2:121j]
    return plane.reshape(2, -1).T.astype(np.float32), plane


def figures(trace, y):
    """Adds the two accuracies, and how much smaller the squares of the weights are with L2, to the trace."""
    squares = {}
    for name in NAMES:
        trace[f"final/{name}/accuracy"] = np.mean((trace[f"final/{name}/prediction"] > 0.5) == y)
        squares[name] = sum(
            np.sum(np.square(v)) for k, v in trace.items() if k.startswith(f"final/{name}/") and k.endswith("weights")
        )
    trace["final/weights_l2_over_mse"] = squares["l2"] / squares["mse"]
    return trace


def add_layer(inputs, in_size, out_size, number):
    """Adds relu(inputs * weights + biases), and the penalty of the weights to the collection "losses"."""
    with v1.variable_scope(f"layer{number}"):
        start = v1.random_normal_initializer(seed=number)
        weights = v1.get_variable("weights", [in_size, out_size], initializer=start)
        biases = v1.get_variable("biases", [out_size], initializer=v1.constant_initializer(BIAS_START))
        v1.add_to_collection("losses", l2_regularizer(REGULARIZATION)(weights))
        return v1.nn.relu(v1.matmul(inputs, weights) + biases)


def build_graph():
    """Adds the network, both losses and a training op for each to the default graph."""
    x = v1.placeholder(v1.float32, [None, 2], name="x")
    y_ = v1.placeholder(v1.float32, [None, 1], name="y_")
    y = x
    for number in range(1, len(LAYERS)):
        y = add_layer(y, LAYERS[number - 1], LAYERS[number], number)
    mse_loss = v1.reduce_sum(v1.pow(y_ - y, 2)) / POINTS
    v1.add_to_collection("losses", mse_loss)
    graph = {"x": x, "y_": y_, "y": v1.identity(y, name="y"), "loss": {}, "train": {}, "gradients": {}, "slots": {}}
    graph["loss"] = {"mse": mse_loss, "l2": v1.add_n(v1.get_collection("losses"))}
    for name, loss in graph["loss"].items():
        optimizer = v1.train.AdamOptimizer(LEARNING_RATE, name=f"Adam_{name}")
        gradients = optimizer.compute_gradients(loss)
        graph["gradients"][name] = {variable.op.name: gradient for gradient, variable in gradients}
        graph["train"][name] = optimizer.apply_gradients(gradients)
        slots = [optimizer.get_slot(variable, slot) for _, variable in gradients for slot in ("m", "v")]
        graph["slots"][name] = {slot.op.name: slot for slot in slots}
    return graph


def run_graph(steps=STEPS):
    """Each session is initialized by itself. With the seeds of one graph, both start with the same weights."""
    x, y = points()
    trace = Trace()
    with v1.Graph().as_default():
        v1.set_random_seed(SEED)
        graph = build_graph()
        variables = {v.op.name: v for v in v1.trainable_variables()}
        initialize = v1.global_variables_initializer()
        feed = {graph["x"]: x, graph["y_"]: y}
        with v1.Session() as plain, v1.Session() as regularized:
            sessions = dict(zip(NAMES, (plain, regularized)))
            for name, sess in sessions.items():
                sess.run(initialize)
                trace.initial({f"{name}/{k}": v for k, v in sess.run(variables).items()})
                first = sess.run(graph["gradients"][name], feed)
                trace.gradients({f"{name}/{k}": v for k, v in first.items()})
            fetches = {name: [graph["train"][name], graph["loss"][name]] for name in NAMES}
            bar = console.steps(steps)
            for _ in bar:
                losses = [sess.run(fetches[name], feed)[1] for name, sess in sessions.items()]
                trace.step(loss=losses)
                bar.show(**dict(zip(NAMES, losses)))
            for name, sess in sessions.items():
                answers = {"prediction": sess.run(graph["y"], feed)}
                answers["grid"] = sess.run(graph["y"], {graph["x"]: grid()[0]})
                trace.final({f"{name}/{k}": v for k, v in {**sess.run(variables), **answers}.items()})
                trace.slots(sess.run(graph["slots"][name]))
    return figures(trace.arrays(), y)


class Network(tf.Module):
    """Four layers with relu. `name` tells which of the two losses it learns by, mse or l2."""

    def __init__(self, name):
        super().__init__()
        self.regularized = name == "l2"
        self.layers = []
        for number in range(1, len(LAYERS)):
            start = tf.random.normal([LAYERS[number - 1], LAYERS[number]], seed=number)
            weights = tf.Variable(start, name=f"layer{number}/weights")
            biases = tf.Variable(tf.fill([LAYERS[number]], BIAS_START), name=f"layer{number}/biases")
            self.layers.append((weights, biases))
        self.all = [variable for layer in self.layers for variable in layer]
        self.optimizer = optimizers.Adam(LEARNING_RATE, name=f"Adam_{name}")
        self.optimizer.create(self.all)

    def variables_by_name(self):
        """Returns {name in the graph: variable}."""
        return {variable.name.partition(":")[0]: variable for variable in self.all}

    @tf.function
    def predict(self, x):
        """Turns (n, 2) into (n, 1): above .5 is outside."""
        for weights, biases in self.layers:
            x = tf.nn.relu(tf.matmul(x, weights) + biases)
        return x

    @tf.function
    def loss_and_gradients(self, x, y):
        """Returns the loss before a step, and its gradients.

        All terms are in one add_n, because another order would round differently.
        """
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.pow(y - self.predict(x), 2)) / POINTS
            if self.regularized:
                penalties = [REGULARIZATION * tf.nn.l2_loss(weights) for weights, _ in self.layers]
                loss = tf.add_n([*penalties, loss])
        return loss, tape.gradient(loss, self.all)

    @tf.function
    def train(self, x, y):
        """Makes one step. Returns the loss before it."""
        loss, gradients = self.loss_and_gradients(x, y)
        self.optimizer.apply(zip(gradients, self.all))
        return loss


def run_function(steps=STEPS):
    """The seed is set before each network, so that both start with the same weights."""
    x, y = points()
    networks, trace = {}, Trace()
    batch = tf.constant(x), tf.constant(y)
    for name in NAMES:
        tf.random.set_seed(SEED)
        network = networks[name] = Network(name)
        variables = network.variables_by_name()
        trace.initial({f"{name}/{k}": v for k, v in variables.items()})
        _, gradients = network.loss_and_gradients(*batch)
        trace.gradients({f"{name}/{k}": g for k, g in zip(variables, gradients)})
    bar = console.steps(steps)
    for _ in bar:
        losses = [network.train(*batch).numpy() for network in networks.values()]
        trace.step(loss=losses)
        bar.show(**dict(zip(NAMES, losses)))
    for name, network in networks.items():
        answers = {"prediction": network.predict(batch[0]), "grid": network.predict(tf.constant(grid()[0]))}
        trace.final({f"{name}/{k}": v for k, v in {**network.variables_by_name(), **answers}.items()})
        trace.slots(network.optimizer.slots)
    return figures(trace.arrays(), y)


def plot(trace):
    """The points and the line where the network says .5, without and with L2."""
    x, y = points()
    return _plots.boundaries(trace, x, np.where(y[:, 0] > 0, "firebrick", "royalblue"), grid()[1])
