"""Activation functions and their derivatives, and how gradients vanish

Source: S4 1329-1468, S3 980-1000
TF1: v1.gradients adds the derivative as ops of the graph, beside the function.
Now: a GradientTape records the call and gives the derivative's values; the ops are the same ones.
Errata: S4 says that sigmoid's derivative stays below .25; it is .25 at 0. S4 gives relu and leaky relu the slope 1 at
    0. TensorFlow gives 0 and the leak there. S4 calls sigmoid's outputs whole numbers where it means positive ones. S3
    counts seven functions. TF 1.15 has more, leaky_relu, selu and swish among them.
See: Glorot and Bengio, Understanding the Difficulty of Training Deep Networks, PMLR 9 (2010), 249-256
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import at_least, at_most, exactly

LEAK = 0.2
# From -8 to 8 in quarters. This includes 0, 6 and the corner values exactly.
QUARTERS = 32
DEPTH = 10

# The ranges that S4 states, with the corners that are reached at -8 and 8.
EXPECTED = {
    "forward/range_of_sigmoid": exactly([0.000335, 0.999665]),
    "forward/range_of_tanh": exactly([-1.0, 1.0]),
    "gradient/largest_of_sigmoid": exactly(0.25),
    "gradient/largest_of_tanh": exactly(1.0),
    "gradient/slopes_of_relu": exactly([0.0, 1.0]),
    "gradient/slopes_of_leaky_relu": exactly([LEAK, 1.0]),
    # S4's formulas of four derivatives, compared with the ops, away from 0.
    "gradient/largest_gap_to_formula": at_most(1e-6),
    "gradient/through_sigmoids": at_most(0.25**DEPTH),
    "gradient/through_relus": at_least(1.0),
}


def inputs():
    """Returns x (65,), float32."""
    return (np.arange(-QUARTERS, QUARTERS + 1) / 4).astype(np.float32)


def build_graph():
    """Adds every function of a placeholder, its derivative, S4's formulas and two deep chains."""
    x = v1.placeholder(v1.float32, [None], name="x")
    y = {
        "sigmoid": v1.sigmoid(x),
        "tanh": v1.tanh(x),
        "relu": v1.nn.relu(x),
        "relu6": v1.nn.relu6(x),
        "leaky_relu": v1.nn.leaky_relu(x, alpha=LEAK),
        "elu": v1.nn.elu(x),
        "selu": v1.nn.selu(x),
        "softplus": v1.nn.softplus(x),
        "softsign": v1.nn.softsign(x),
        "swish": v1.nn.swish(x),
    }
    formulas = {
        "sigmoid": v1.exp(-x) / v1.square(1.0 + v1.exp(-x)),
        "tanh": 1.0 - v1.square(v1.tanh(x)),
        "relu": v1.where(x < 0.0, v1.zeros_like(x), v1.ones_like(x)),
        "leaky_relu": v1.where(x < 0.0, LEAK * v1.ones_like(x), v1.ones_like(x)),
    }
    sigmoids = relus = x
    for _ in range(DEPTH):
        sigmoids, relus = v1.sigmoid(sigmoids), v1.nn.relu(relus)
    return {
        "x": x,
        "forward": y,
        # This is the gradient of the sum. Each element of y depends only on its element of x.
        "gradient": {name: v1.gradients(values, x)[0] for name, values in y.items()},
        "formula": formulas,
        "chains": {"sigmoids": v1.gradients(sigmoids, x)[0], "relus": v1.gradients(relus, x)[0]},
    }


def run_graph():
    """One run fetches all of it."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        keys = ("forward", "gradient", "formula", "chains")
        results = sess.run({key: graph[key] for key in keys}, {graph["x"]: inputs()})
    return as_trace(**results)


def as_trace(forward, gradient, formula, chains):
    """Returns four dicts of curves as one trace, with the values for EXPECTED."""
    apart = inputs() != 0
    gaps = [np.abs(gradient[name] - formula[name])[apart].max() for name in formula]
    trace = {f"forward/{name}": values for name, values in forward.items()}
    trace |= {f"gradient/{name}": values for name, values in gradient.items()}
    trace |= {f"gradient/formula_{name}": values for name, values in formula.items()}
    return trace | {
        "forward/range_of_sigmoid": np.array([forward["sigmoid"].min(), forward["sigmoid"].max()]),
        "forward/range_of_tanh": np.array([forward["tanh"].min(), forward["tanh"].max()]),
        "gradient/largest_of_sigmoid": gradient["sigmoid"].max(),
        "gradient/largest_of_tanh": gradient["tanh"].max(),
        "gradient/slopes_of_relu": np.unique(gradient["relu"]),
        "gradient/slopes_of_leaky_relu": np.unique(gradient["leaky_relu"]),
        "gradient/at_zero": np.array([values[QUARTERS] for values in gradient.values()]),
        "gradient/largest_gap_to_formula": np.max(gaps),
        "gradient/through_sigmoids": chains["sigmoids"],
        "gradient/through_relus": chains["relus"][QUARTERS + 1 :],  # where x is positive
    }


@tf.function
def functions(x):
    """Returns every function of x (n,), by name."""
    return {
        "sigmoid": tf.sigmoid(x),
        "tanh": tf.tanh(x),
        "relu": tf.nn.relu(x),
        "relu6": tf.nn.relu6(x),
        "leaky_relu": tf.nn.leaky_relu(x, alpha=LEAK),
        "elu": tf.nn.elu(x),
        "selu": tf.nn.selu(x),
        "softplus": tf.nn.softplus(x),
        "softsign": tf.nn.softsign(x),
        "swish": tf.nn.swish(x),
    }


@tf.function
def functions_and_slopes(x):
    """Returns the functions and their derivatives: two dicts of (n,)."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = functions(x)
    return y, {name: tape.gradient(values, x) for name, values in y.items()}


@tf.function
def formulas_of_slopes(x):
    """Returns four derivatives by S4's formulas."""
    return {
        "sigmoid": tf.exp(-x) / tf.square(1.0 + tf.exp(-x)),
        "tanh": 1.0 - tf.square(tf.tanh(x)),
        "relu": tf.where(x < 0.0, tf.zeros_like(x), tf.ones_like(x)),
        "leaky_relu": tf.where(x < 0.0, LEAK * tf.ones_like(x), tf.ones_like(x)),
    }


@tf.function
def slopes_through_chains(x):
    """Returns the derivatives of DEPTH sigmoids, and of DEPTH relus, one after the other."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        sigmoids = relus = x
        for _ in range(DEPTH):
            sigmoids, relus = tf.sigmoid(sigmoids), tf.nn.relu(relus)
    return {"sigmoids": tape.gradient(sigmoids, x), "relus": tape.gradient(relus, x)}


def run_function():
    """There are three functions, and each is traced once."""
    x = tf.constant(inputs())
    forward, gradient = functions_and_slopes(x)
    results = {"forward": forward, "gradient": gradient}
    results |= {"formula": formulas_of_slopes(x), "chains": slopes_through_chains(x)}
    results = {key: {name: values.numpy() for name, values in each.items()} for key, each in results.items()}
    return as_trace(**results)


def plot(trace):
    """Returns a figure of each function with its derivative below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    names = [key.partition("/")[2] for key in trace if key.startswith("forward/") and "range_of" not in key]
    for axes, name in zip(figure.subplots(2, 5).ravel(), names):
        axes.axhline(0.0, color="gray", linewidth=0.8)
        axes.axvline(0.0, color="gray", linewidth=0.8)
        axes.plot(inputs(), trace[f"forward/{name}"], label=name)
        axes.plot(inputs(), trace[f"gradient/{name}"], "--", label="derivative")
        axes.set(title=name, ylim=(-2.2, 6.6) if trace[f"forward/{name}"].max() > 1.1 else (-1.1, 1.1))
    axes.legend(axes.lines[2:], ["function", "derivative"], loc="upper left")
    return figure
