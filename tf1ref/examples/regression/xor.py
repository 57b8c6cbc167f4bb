"""Exclusive or: a perceptron fails, four hidden nodes solve it

Source: S3 1001-1009, S0 525-542
TF1: both networks stand in one graph, under a scope each, and one run trains both.
Now: one class, told whether it has a hidden layer; its variables carry the scope's name.
Errata: none found. The notes show pictures of the two boundaries and no program. The points, the loss and the rate are
    this example's own. The four nodes and the rule (equal signs give 0, else 1) are S3's.
See: Rumelhart et al., Learning Representations by Back-Propagating Errors, doi:10.1038/323533a0
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_most, exactly
from tf1ref.modules import optimizers

SEED = 1
STEPS = 500
POINTS = 200
HIDDEN_NODES = 4
# The points keep this distance from the axes, since a boundary is never exact.
MARGIN = 0.1
LEARNING_RATE = 0.05
NAMES = ("perceptron", "hidden")

# The best straight line cuts one quadrant off. Three of four are right then.
EXPECTED = {"final/perceptron/accuracy": at_most(0.75), "final/hidden/accuracy": exactly(1.0)}


def points():
    """Returns x float32 (200, 2) in [-1, 1], with equally many points in each quadrant, and y (200, 1).

    y is 0 where the signs are equal, else 1.
    """
    sizes = MARGIN + (1 - MARGIN) * np.random.RandomState(SEED).rand(POINTS, 2)
    signs = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)] * (POINTS // 4))
    return (sizes * signs).astype(np.float32), (signs[:, :1] != signs[:, 1:]).astype(np.float32)


def grid():
    """Returns (rows of points of the plane float32 (n, 2), the coordinates (2, 81, 81)), for the boundary."""
    plane = np.mgrid[-1:1:81j, -1:1:81j]
    return plane.reshape(2, -1).T.astype(np.float32), plane


def add_network(name, x):
    """Adds the logits (n, 1) of a perceptron, or of one with a tanh layer in front of it."""
    with v1.variable_scope(name):
        size = 2
        if name == "hidden":
            size = HIDDEN_NODES
            start = v1.random_normal_initializer(seed=1)
            weights = v1.get_variable("layer1/weights", [2, size], initializer=start)
            biases = v1.get_variable("layer1/biases", [size], initializer=v1.zeros_initializer())
            x = v1.tanh(v1.matmul(x, weights) + biases)
        start = v1.random_normal_initializer(seed=2)
        weights = v1.get_variable("output/weights", [size, 1], initializer=start)
        biases = v1.get_variable("output/biases", [1], initializer=v1.zeros_initializer())
        return v1.matmul(x, weights) + biases


def build_graph():
    """Adds both networks, each with its loss, training op, accuracy and probabilities, to the default graph."""
    x = v1.placeholder(v1.float32, [None, 2], name="x")
    y = v1.placeholder(v1.float32, [None, 1], name="y")
    graph = {"x": x, "y": y, "loss": {}, "train": {}, "accuracy": {}, "probability": {}, "gradients": {}, "slots": {}}
    for name in NAMES:
        logits = add_network(name, x)
        loss = v1.reduce_mean(v1.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits))
        optimizer = v1.train.AdamOptimizer(LEARNING_RATE)
        gradients = optimizer.compute_gradients(loss, v1.trainable_variables(name))
        right = v1.equal(v1.cast(logits > 0, v1.float32), y)
        graph["loss"][name] = loss
        graph["train"][name] = optimizer.apply_gradients(gradients)
        graph["accuracy"][name] = v1.reduce_mean(v1.cast(right, v1.float32))
        graph["probability"][name] = v1.sigmoid(logits, name=f"{name}/probability")
        graph["gradients"].update({variable.op.name: gradient for gradient, variable in gradients})
        slots = [optimizer.get_slot(variable, slot) for _, variable in gradients for slot in ("m", "v")]
        graph["slots"].update({slot.op.name: slot for slot in slots})
    return graph


def run_graph(steps=STEPS):
    """A dict of ops is fetched as a dict of values: one run trains both networks on all points."""
    x, y = points()
    losses = []
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        variables = {v.op.name: v for v in v1.trainable_variables()}
        feed = {graph["x"]: x, graph["y"]: y}
        trace = {f"initial/{k}": v for k, v in sess.run(variables).items()}
        trace.update({f"gradient/{k}": v for k, v in sess.run(graph["gradients"], feed).items()})
        bar = console.steps(steps)
        for _ in bar:
            _, loss = sess.run([graph["train"], graph["loss"]], feed)
            losses.append([loss[name] for name in NAMES])
            bar.show(**loss)
        trace.update({f"final/{k}": v for k, v in sess.run(variables).items()})
        trace.update({f"slots/{k}": v for k, v in sess.run(graph["slots"]).items()})
        trace.update({f"final/{k}/accuracy": v for k, v in sess.run(graph["accuracy"], feed).items()})
        probabilities = sess.run(graph["probability"], {graph["x"]: grid()[0]})
        trace.update({f"final/{k}/grid": v for k, v in probabilities.items()})
    trace["steps/loss"] = np.array(losses)
    return trace


class Network(tf.Module):
    """A perceptron, or one behind a layer of tanh nodes. `variables_by_name` has the graph's names."""

    def __init__(self, name):
        super().__init__()
        self.hidden = name == "hidden"
        size = HIDDEN_NODES if self.hidden else 2
        self.all = []
        if self.hidden:
            self.all.append(tf.Variable(tf.random.normal([2, size], seed=1), name=f"{name}/layer1/weights"))
            self.all.append(tf.Variable(tf.zeros([size]), name=f"{name}/layer1/biases"))
        self.all.append(tf.Variable(tf.random.normal([size, 1], seed=2), name=f"{name}/output/weights"))
        self.all.append(tf.Variable(tf.zeros([1]), name=f"{name}/output/biases"))
        self.optimizer = optimizers.Adam(LEARNING_RATE)
        self.optimizer.create(self.all)

    def variables_by_name(self):
        """Returns {name in the graph: variable}."""
        return {variable.name.partition(":")[0]: variable for variable in self.all}

    @tf.function
    def logits(self, x):
        """Turns (n, 2) into (n, 1): above 0 the answer is 1."""
        if self.hidden:
            x = tf.tanh(tf.matmul(x, self.all[0]) + self.all[1])
        return tf.matmul(x, self.all[-2]) + self.all[-1]

    @tf.function
    def loss_and_gradients(self, x, y):
        """Returns the cross entropy before a step, and its gradients."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=self.logits(x)))
        return loss, tape.gradient(loss, self.all)

    @tf.function
    def train(self, x, y):
        """Makes one step. Returns the loss before it."""
        loss, gradients = self.loss_and_gradients(x, y)
        self.optimizer.apply(zip(gradients, self.all))
        return loss

    @tf.function
    def accuracy(self, x, y):
        """Returns the share of right answers."""
        return tf.reduce_mean(tf.cast(tf.equal(tf.cast(self.logits(x) > 0, tf.float32), y), tf.float32))


def run_function(steps=STEPS):
    """The seed is set anew for each network, since an eager op that is called again continues its sequence."""
    x, y = (tf.constant(array) for array in points())
    networks, losses, trace = {}, [], {}
    for name in NAMES:
        tf.random.set_seed(SEED)
        network = networks[name] = Network(name)
        variables = network.variables_by_name()
        trace.update({f"initial/{k}": v.numpy() for k, v in variables.items()})
        _, gradients = network.loss_and_gradients(x, y)
        trace.update({f"gradient/{k}": g.numpy() for k, g in zip(variables, gradients)})
    bar = console.steps(steps)
    for _ in bar:
        losses.append([network.train(x, y).numpy() for network in networks.values()])
        bar.show(**dict(zip(NAMES, losses[-1])))
    for name, network in networks.items():
        trace.update({f"final/{k}": v.numpy() for k, v in network.variables_by_name().items()})
        trace.update({f"slots/{k}": v.numpy() for k, v in network.optimizer.slots.items()})
        trace[f"final/{name}/accuracy"] = network.accuracy(x, y).numpy()
        trace[f"final/{name}/grid"] = tf.sigmoid(network.logits(tf.constant(grid()[0]))).numpy()
    trace["steps/loss"] = np.array(losses)
    return trace


def plot(trace):
    """Returns a figure of the points and what each network makes of the plane, and both losses."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    *planes, right = figure.subplots(1, 3)
    x, y = points()
    plane = grid()[1]
    for name, axes in zip(NAMES, planes):
        answer = trace[f"final/{name}/grid"].reshape(plane[0].shape)
        axes.contourf(*plane, answer, levels=np.linspace(0, 1, 11), cmap="coolwarm", alpha=0.5)
        axes.scatter(*x.T, c=y[:, 0], cmap="coolwarm", s=8)
        axes.set(title=f"{name}: accuracy {trace[f'final/{name}/accuracy']:.3g}", aspect="equal")
    right.semilogy(trace["steps/loss"], label=NAMES)
    right.set(xlabel="step", ylabel="cross entropy")
    right.legend()
    return figure
