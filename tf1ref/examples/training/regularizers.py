"""Penalties on weights: L1, L2, both, and the collections that carry them

Source: S3 1139-1173, S0 676-735, S4 1743-1770
TF1: contrib.layers' regularizers add an op; get_variable puts it into a collection, losses of one's own go there too.
Now: a penalty is a line of arithmetic in the loss; no collection carries it from where the layer is written.
Errata: S3 gives l1_l2_regularizer a share a of one and 1 - a of the other, and a whole sum of squares. The function
    takes two scales, and halves the squares. All three L2 formulas lack that half; S3's and S0's 7.5 has it. S0 calls
    the regularizer's result as ".(weights)", writes 12_regularizer with a one for the l, and its weights have three
    dimensions, because of one pair of brackets too many. It takes a mean of what is a sum already.
See: Krogh and Hertz, A Simple Weight Decay Can Improve Generalization, NIPS 1991
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import about, exactly
from tf1ref.legacy.contrib.layers import l1_l2_regularizer, l1_regularizer, l2_regularizer
from tf1ref.modules import optimizers

WEIGHTS = ((1.0, -2.0), (-3.0, 4.0))
SCALE = 0.5
L1_SCALE = 0.3
L2_SCALE = 0.2
# This shows what a penalty does to a fit: eight inputs, of which two matter, and few examples.
SEED = 7
STEPS = 400
LEARNING_RATE = 0.05
EXAMPLES = 12
INPUTS = 8
FIT_SCALE = 0.2
NAMES = ("plain", "l1", "l2")
INITIAL_DEVIATION = 0.5

EXPECTED = {
    "forward/l1": exactly(5.0),
    "forward/l2": exactly(7.5),
    # The notes say this in words: L1 makes weights vanish, and L2 makes them small but not zero.
    "final/vanished": about([0, 5, 0], 1),
}


def examples():
    """Returns x (12, 8) and y (12, 1), float32. y is 2 * x0 - x1 plus noise; the other six inputs do not matter."""
    random = np.random.RandomState(SEED)
    x = random.randn(EXAMPLES, INPUTS).astype(np.float32)
    noise = 0.3 * random.randn(EXAMPLES)
    return x, (2.0 * x[:, 0] - x[:, 1] + noise).astype(np.float32).reshape(EXAMPLES, 1)


def build_graph():
    """Adds the three penalties of one constant, and fits of one line: one without a penalty, one with each."""
    weights = v1.constant(WEIGHTS)
    forward = {
        "l1": l1_regularizer(SCALE)(weights),
        "l2": l2_regularizer(SCALE)(weights),
        "l1_l2": l1_l2_regularizer(L1_SCALE, L2_SCALE)(weights),
        "l2_loss": v1.nn.l2_loss(weights),
    }
    gradients = {name: v1.gradients(penalty, weights)[0] for name, penalty in forward.items()}
    x, y = v1.placeholder(v1.float32, [None, INPUTS], "x"), v1.placeholder(v1.float32, [None, 1], "y")
    penalties = {"plain": None, "l1": l1_regularizer(FIT_SCALE), "l2": l2_regularizer(FIT_SCALE)}
    fits = {name: add_fit(name, x, y, penalties[name]) for name in NAMES}
    return {
        "forward": forward,
        "gradients": gradients,
        "x": x,
        "y": y,
        "weights": {name: fit[0] for name, fit in fits.items()},
        "losses": [fits[name][1] for name in NAMES],
        "slopes": {name: fit[3] for name, fit in fits.items()},
        "train": v1.group(*(fit[2] for fit in fits.values())),
        "collected": [op.name for op in v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)],
    }


def add_fit(name, x, y, regularizer):
    """Adds y = x * weights, its loss, training op and gradient. The terms of the loss come from collections.

    get_variable calls the regularizer and puts its result into REGULARIZATION_LOSSES. "losses" is a collection of the
    program's own, which may have any name. A scope selects what belongs to this fit.
    """
    with v1.variable_scope(name):
        start = v1.random_normal_initializer(stddev=INITIAL_DEVIATION, seed=SEED)
        weights = v1.get_variable("weights", [INPUTS, 1], initializer=start, regularizer=regularizer)
        v1.add_to_collection("losses", v1.reduce_mean(v1.square(v1.matmul(x, weights) - y)))
    terms = v1.get_collection("losses", f"{name}/")
    terms += v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES, f"{name}/")
    loss = v1.add_n(terms)
    optimizer = v1.train.GradientDescentOptimizer(LEARNING_RATE)
    pairs = optimizer.compute_gradients(loss, [weights])
    return weights, loss, optimizer.apply_gradients(pairs), pairs[0][0]


def run_graph(steps=STEPS):
    """All fits take a step in each run."""
    x, y = examples()
    losses = []
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        trace = {f"forward/{name}": value for name, value in sess.run(graph["forward"]).items()}
        trace |= {f"gradient/{name}": value for name, value in sess.run(graph["gradients"]).items()}
        trace |= {f"initial/{name}": value for name, value in sess.run(graph["weights"]).items()}
        slopes = sess.run(graph["slopes"], {graph["x"]: x, graph["y"]: y})
        trace |= {f"gradient/{name}/weights": value for name, value in slopes.items()}
        bar = console.steps(steps)
        for _ in bar:
            _, values = sess.run([graph["train"], graph["losses"]], {graph["x"]: x, graph["y"]: y})
            losses.append(values)
            bar.show(loss=values[0])
        final = sess.run(graph["weights"])
    trace["steps/losses"] = np.array(losses)
    trace |= {f"final/{name}": value for name, value in final.items()}
    return trace | {"final/vanished": vanished(final)}


def vanished(weights):
    """Counts the weights that L1's step of rate * scale takes across zero, in each fit."""
    return np.array([np.sum(np.abs(weights[name]) < LEARNING_RATE * FIT_SCALE) for name in NAMES])


class Fits(tf.Module):
    """Rows of weights that start alike. A penalty is a method, and the loss says which terms it has."""

    def __init__(self):
        super().__init__()
        # There is one draw for all: a second call would continue the sequence, but a graph's three ops with one seed
        # draw alike.
        start = tf.random.normal([INPUTS, 1], stddev=INITIAL_DEVIATION, seed=SEED)
        self.weights = {name: tf.Variable(start, name=f"{name}/weights") for name in NAMES}
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)

    @staticmethod
    def l1(scale, weights):
        """Returns scale * sum(|weights|)."""
        return scale * tf.reduce_sum(tf.abs(weights))

    @staticmethod
    def l2(scale, weights):
        """Returns scale * sum(weights^2) / 2."""
        return scale * tf.nn.l2_loss(weights)

    @tf.function
    def penalties(self, weights):
        """Returns the three penalties and the unscaled l2_loss, with their gradients, by name."""
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(weights)
            values = {
                "l1": self.l1(SCALE, weights),
                "l2": self.l2(SCALE, weights),
                "l1_l2": tf.add_n([self.l1(L1_SCALE, weights), self.l2(L2_SCALE, weights)]),
                "l2_loss": tf.nn.l2_loss(weights),
            }
        return values, {name: tape.gradient(value, weights) for name, value in values.items()}

    def terms(self, name, weights):
        """Returns the penalties of one fit: a list of scalars."""
        if name == "l1":
            return [self.l1(FIT_SCALE, weights)]
        if name == "l2":
            return [self.l2(FIT_SCALE, weights)]
        return []

    @tf.function
    def losses_and_slopes(self, x, y):
        """Returns the loss of each fit, and the gradient of its weights, as two lists."""
        losses, slopes = [], []
        for name, weights in self.weights.items():
            with tf.GradientTape() as tape:
                error = tf.reduce_mean(tf.square(tf.matmul(x, weights) - y))
                loss = tf.add_n([error, *self.terms(name, weights)])
            losses.append(loss)
            slopes.append(tape.gradient(loss, weights))
        return losses, slopes

    @tf.function
    def train(self, x, y):
        """One step of all three fits. Returns the losses before it (3,)."""
        losses, slopes = self.losses_and_slopes(x, y)
        self.optimizer.apply(zip(slopes, self.weights.values()))
        return tf.stack(losses)  # three scalars -> (3,)


def run_function(steps=STEPS):
    """The fits share only a function."""
    tf.random.set_seed(SEED)
    x, y = (tf.constant(array) for array in examples())
    fits = Fits()
    values, gradients = fits.penalties(tf.constant(WEIGHTS))
    trace = {f"forward/{name}": value.numpy() for name, value in values.items()}
    trace |= {f"gradient/{name}": value.numpy() for name, value in gradients.items()}
    trace |= {f"initial/{name}": variable.numpy() for name, variable in fits.weights.items()}
    slopes = zip(NAMES, fits.losses_and_slopes(x, y)[1])
    trace |= {f"gradient/{name}/weights": value.numpy() for name, value in slopes}
    losses = []
    bar = console.steps(steps)
    for _ in bar:
        losses.append(fits.train(x, y).numpy())
        bar.show(loss=losses[-1][0])
    final = {name: variable.numpy() for name, variable in fits.weights.items()}
    trace["steps/losses"] = np.array(losses)
    trace |= {f"final/{name}": value for name, value in final.items()}
    return trace | {"final/vanished": vanished(final)}


def plot(trace):
    """Returns a figure of the eight weights of each fit. The first two matter; the others should be zero."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.subplots()
    for place, name in enumerate(NAMES):
        axes.bar(np.arange(INPUTS) + 0.25 * place - 0.25, trace[f"final/{name}"][:, 0], width=0.25, label=name)
    axes.axhline(0.0, color="gray", linewidth=0.8)
    axes.legend()
    axes.set(xlabel="input", ylabel="weight", title=f"y = 2 x0 - x1 from {EXAMPLES} examples")
    return figure
