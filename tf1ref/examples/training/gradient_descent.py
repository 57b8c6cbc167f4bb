"""Gradient descent by hand: one variable rolls down (w + 1)^2

Source: S4 140-235
TF1: the gradient and the update are ops of the graph; every Session.run([train, loss]) is one step.
Now: the same step traced once by tf.function; the variable lives in Python, not in a session.
Errata: S4's table writes the first gradient as 2*4+2; with w = 5 it is 2*5+2 = 12. The loss that it prints is the one
    before the update of the same line, the w is the one after it.
See: Ruder, An Overview of Gradient Descent Optimization Algorithms, arXiv:1609.04747
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import exactly
from tf1ref.parity import Trace

STEPS = 40
LEARNING_RATE = 0.2
START = 5.0

EXPECTED = {
    "steps/w": exactly(
        [2.6, 1.16, 0.296, -0.2224, -0.53344, -0.720064, -0.832038, -0.899223, -0.939534, -0.96372]
        + [-0.978232, -0.986939, -0.992164, -0.995298, -0.997179, -0.998307, -0.998984, -0.999391, -0.999634]
        + [-0.999781, -0.999868, -0.999921, -0.999953, -0.999972, -0.999983, -0.99999, -0.999994, -0.999996]
        + [-0.999998, -0.999999, -0.999999]
        + 9 * [-1.0]
    ),  # fmt: skip
    "steps/loss": exactly(
        [36.0, 12.959999, 4.665599, 1.679616, 0.604662, 0.217678, 0.078364, 0.028211, 0.010156, 0.003656]
        + [0.001316, 0.000474, 0.000171, 0.000061, 0.000022, 0.000008, 0.000003, 0.000001]
        + 22 * [0.0]
    ),  # fmt: skip
    "final/w": exactly(-1.0),
}


def build_graph():
    """Adds the variable, the loss, its gradient and the update to the default graph."""
    w = v1.get_variable("w", initializer=v1.constant(START), dtype=v1.float32)
    loss = v1.square(w + 1.0, name="loss")
    (gradient,) = v1.gradients(loss, [w])
    # In a graph "first the loss, then the update" has to be said: ops without a path between them run in any order.
    with v1.control_dependencies([loss, gradient]):
        train_op = v1.assign_sub(w, LEARNING_RATE * gradient, name="train")
    return {"w": w, "loss": loss, "gradient": gradient, "train": train_op}


def run_graph(steps=STEPS):
    """Nothing computes until Session.run; the session owns the value of w."""
    trace = Trace()
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        trace.initial({"w": sess.run(graph["w"])})
        bar = console.steps(steps)
        for _ in bar:
            w, loss, gradient = sess.run([graph["train"], graph["loss"], graph["gradient"]])
            trace.step(w=w, loss=loss, gradient=gradient)
            bar.show(loss=loss, w=w)
        trace.final({"w": sess.run(graph["w"])})
    return trace.arrays()


class Model(tf.Module):
    """The variable is an attribute of an object; its name is the one it has in the graph."""

    def __init__(self):
        super().__init__()
        self.w = tf.Variable(START, name="w", dtype=tf.float32)

    @tf.function
    def train(self):
        """Makes one step. Returns w after it, the loss before it and the gradient: three scalars.

        Reads and writes of a variable keep the order of the lines: no control dependencies.
        """
        with tf.GradientTape() as tape:
            loss = tf.square(self.w + 1.0)
        gradient = tape.gradient(loss, self.w)
        self.w.assign_sub(LEARNING_RATE * gradient)
        return self.w.read_value(), loss, gradient


def run_function(steps=STEPS):
    """The first call traces, the others run what was traced; the object owns the value of w."""
    model, trace = Model(), Trace()
    trace.initial({"w": model.w})
    bar = console.steps(steps)
    for _ in bar:
        w, loss, gradient = model.train()
        trace.step(w=w, loss=loss, gradient=gradient)
        bar.show(loss=loss, w=w)
    trace.final({"w": model.w})
    return trace.arrays()


def plot(trace):
    """Returns a figure of w and the loss, step by step."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(trace["steps/w"], marker=".")
    left.axhline(-1.0, color="gray", linewidth=0.8)
    left.set(xlabel="step", ylabel="w", title="w goes to -1")
    right.semilogy(np.maximum(trace["steps/loss"], 1e-14), marker=".")
    right.set(xlabel="step", ylabel="loss", title="(w + 1)^2")
    return figure
