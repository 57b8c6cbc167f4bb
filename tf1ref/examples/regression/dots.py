"""Dots: a 2-11-1 network with and without L2, and its boundary

Source: S4 1743-2060
TF1: one graph, two training ops, two sessions; the penalty is a term of one loss and not of the other.
Now: two objects of one class, one with the penalty; batches are tensors made once.
Errata: S4's loss is that of each epoch's last batch, 12 of the 300 points. It is kept, and the mean over the epoch
    stands beside it. S4's formula of the L2 loss lacks the half that tf.nn.l2_loss takes. Its comment spreads that
    function's one number over three columns. It draws w1 and w2 without seeds and predicts 3600 points one by one. Here
    a start has a seed, and one call answers for all points. Its comments speak of every 200 epochs and steps of .01,
    where the code has 20 and .1.
See: Krogh and Hertz, A Simple Weight Decay Can Improve Generalization, NIPS 1991
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import about, at_least, at_most
from tf1ref.data import dots
from tf1ref.examples.regression import _plots
from tf1ref.modules import optimizers
from tf1ref.parity import Trace

SEED = 1
STEPS = 400  # epochs of ten batches each
BATCH_SIZE = 32
HIDDEN_NODES = 11
BIAS_START = 0.01
LEARNING_RATE = 0.01
REGULARIZER = 0.03
PRINTED_EPOCH = 380
NAMES = ("mse", "l2")

# S4 prints .0228 and .1235 after epoch 380, of starts without a seed, and shows the boundaries as pictures.
EXPECTED = {
    "printed/mse": at_most(0.05),
    "printed/l2": about(0.1235, within=0.03),
    "final/mse/accuracy": at_least(0.95),
    "final/l2/accuracy": at_least(0.9),
    "final/weights_l2_over_mse": at_most(0.5),
}


def batches():
    """Returns the ten batches of an epoch in file order, float32 (32, 2) and (32, 1); the last one has 12 points."""
    x, y = (array.astype(np.float32) for array in dots.load())
    return [(x[i : i + BATCH_SIZE], y[i : i + BATCH_SIZE]) for i in range(0, len(x), BATCH_SIZE)]


def grid():
    """Returns (points of the plane, float32 (3600, 2); their coordinates, (2, 60, 60)), for the boundary."""
    plane = np.mgrid[-3:3:60j, -3:3:60j]
    return plane.reshape(2, -1).T.astype(np.float32), plane


def figures(trace, y):
    """Splits the losses (steps, 2 networks, 10 batches); adds what is computed from them and from the predictions."""
    losses = trace.pop("steps/losses")
    trace["steps/loss"], trace["steps/mean_loss"] = losses[:, :, -1], losses.mean(axis=2)
    squares = {}
    for number, name in enumerate(NAMES):
        trace[f"printed/{name}"] = losses[: PRINTED_EPOCH + 1, number, -1][-1]
        trace[f"final/{name}/accuracy"] = np.mean((trace[f"final/{name}/prediction"] > 0.5) == y)
        squares[name] = sum(np.sum(np.square(trace[f"final/{name}/{w}"])) for w in ("w1", "w2"))
    trace["final/weights_l2_over_mse"] = squares["l2"] / squares["mse"]
    return trace


def build_graph():
    """Adds the network, both losses and a training op for each to the default graph."""
    x = v1.placeholder(v1.float32, [None, 2], name="x")
    y_ = v1.placeholder(v1.float32, [None, 1], name="y_")
    w1 = v1.get_variable("w1", [2, HIDDEN_NODES], initializer=v1.random_normal_initializer(seed=1))
    b1 = v1.get_variable("b1", [HIDDEN_NODES], initializer=v1.constant_initializer(BIAS_START))
    w2 = v1.get_variable("w2", [HIDDEN_NODES, 1], initializer=v1.random_normal_initializer(seed=2))
    b2 = v1.get_variable("b2", [1], initializer=v1.constant_initializer(BIAS_START))
    y = v1.matmul(v1.nn.relu(v1.matmul(x, w1) + b1), w2) + b2
    loss_mse = v1.reduce_mean(v1.square(y_ - y))
    # One add_n sums all terms, because the session's graph optimizer regroups a sum of sums.
    loss = v1.add_n([loss_mse, REGULARIZER * v1.nn.l2_loss(w1), REGULARIZER * v1.nn.l2_loss(w2)])
    graph = {"x": x, "y_": y_, "y": v1.identity(y, name="y"), "train": {}, "gradients": {}}
    graph["loss"] = dict(zip(NAMES, (loss_mse, loss)))
    for name in NAMES:
        optimizer = v1.train.GradientDescentOptimizer(LEARNING_RATE)
        gradients = optimizer.compute_gradients(graph["loss"][name], [w1, b1, w2, b2])
        graph["gradients"][name] = {variable.op.name: gradient for gradient, variable in gradients}
        graph["train"][name] = optimizer.apply_gradients(gradients)
    return graph


def run_graph(steps=STEPS):
    """One step is an epoch: ten runs in each session."""
    epoch = batches()
    x, y = (np.concatenate(arrays) for arrays in zip(*epoch))
    trace = Trace()
    with v1.Graph().as_default():
        v1.set_random_seed(SEED)
        graph = build_graph()
        variables = {v.op.name: v for v in v1.trainable_variables()}
        initialize = v1.global_variables_initializer()
        feeds = [{graph["x"]: xs, graph["y_"]: ys} for xs, ys in epoch]
        with v1.Session() as plain, v1.Session() as regularized:
            sessions = dict(zip(NAMES, (plain, regularized)))
            for name, sess in sessions.items():
                sess.run(initialize)
                trace.initial({f"{name}/{k}": v for k, v in sess.run(variables).items()})
                first = sess.run(graph["gradients"][name], feeds[0])
                trace.gradients({f"{name}/{k}": v for k, v in first.items()})
            fetches = {name: [graph["train"][name], graph["loss"][name]] for name in NAMES}
            bar = console.steps(steps)
            for _ in bar:
                losses = [[s.run(fetches[name], feed)[1] for feed in feeds] for name, s in sessions.items()]
                trace.step(losses=losses)
                bar.show(**{name: row[-1] for name, row in zip(NAMES, losses)})
            for name, sess in sessions.items():
                answers = {"prediction": sess.run(graph["y"], {graph["x"]: x})}
                answers["grid"] = sess.run(graph["y"], {graph["x"]: grid()[0]})
                trace.final({f"{name}/{k}": v for k, v in {**sess.run(variables), **answers}.items()})
    return figures(trace.arrays(), y)


class Network(tf.Module):
    """Eleven relu nodes and one sum. `regularized`: whether the loss has the penalty of both weights."""

    def __init__(self, regularized):
        super().__init__()
        self.regularized = regularized
        self.w1 = tf.Variable(tf.random.normal([2, HIDDEN_NODES], seed=1), name="w1")
        self.b1 = tf.Variable(tf.fill([HIDDEN_NODES], BIAS_START), name="b1")
        self.w2 = tf.Variable(tf.random.normal([HIDDEN_NODES, 1], seed=2), name="w2")
        self.b2 = tf.Variable(tf.fill([1], BIAS_START), name="b2")
        self.all = [self.w1, self.b1, self.w2, self.b2]
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)

    def variables_by_name(self):
        """Returns {name in the graph: variable}."""
        return dict(zip(("w1", "b1", "w2", "b2"), self.all))

    @tf.function
    def predict(self, x):
        """Turns (n, 2) into (n, 1): above .5 is red."""
        return tf.matmul(tf.nn.relu(tf.matmul(x, self.w1) + self.b1), self.w2) + self.b2

    @tf.function
    def loss_and_gradients(self, x, y_):
        """Returns the loss before a step, and its gradients."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(y_ - self.predict(x)))
            if self.regularized:
                loss = tf.add_n([loss, REGULARIZER * tf.nn.l2_loss(self.w1), REGULARIZER * tf.nn.l2_loss(self.w2)])
        return loss, tape.gradient(loss, self.all)

    @tf.function
    def train(self, x, y_):
        """Makes one step. Returns the loss before it."""
        loss, gradients = self.loss_and_gradients(x, y_)
        self.optimizer.apply(zip(gradients, self.all))
        return loss


def run_function(steps=STEPS):
    """The seed is set before each network, so that both start with the same weights."""
    epoch = [(tf.constant(xs), tf.constant(ys)) for xs, ys in batches()]
    x, y = (np.concatenate(arrays) for arrays in zip(*batches()))
    networks, trace = {}, Trace()
    for name in NAMES:
        tf.random.set_seed(SEED)
        network = networks[name] = Network(regularized=name == "l2")
        variables = network.variables_by_name()
        trace.initial({f"{name}/{k}": v for k, v in variables.items()})
        _, gradients = network.loss_and_gradients(*epoch[0])
        trace.gradients({f"{name}/{k}": g for k, g in zip(variables, gradients)})
    bar = console.steps(steps)
    for _ in bar:
        losses = [[network.train(*batch).numpy() for batch in epoch] for network in networks.values()]
        trace.step(losses=losses)
        bar.show(**{name: row[-1] for name, row in zip(NAMES, losses)})
    for name, network in networks.items():
        answers = {"prediction": network.predict(tf.constant(x)), "grid": network.predict(tf.constant(grid()[0]))}
        trace.final({f"{name}/{k}": v for k, v in {**network.variables_by_name(), **answers}.items()})
    return figures(trace.arrays(), y)


def plot(trace):
    """The dots and the line where the network says .5, without and with L2."""
    x, y = dots.load()
    return _plots.boundaries(trace, x, np.where(y[:, 0] > 0, "red", "blue"), grid()[1])
