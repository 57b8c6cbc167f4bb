"""Learning rates that fall: exponential, and six other schedules

Source: S4 1236-1327, S3 1095-1138, S0 660-675
TF1: a schedule is a tensor computed from global_step, which minimize() counts up; every run reads it anew.
Now: a schedule is a function of the step variable, called inside the training function. tf.train has none left.
Errata: S3 stores the rate after the step, so its list shows the rate of the next step; x is right. With one step a
    staircase its staircase=True changes nothing. S0's listing has a letter O for the zero of global_step. S4 prints the
    loss from before an update with the w from after it, as in gradient_descent. S4 computes its rate in Python and
    rounds it to float32 once. TF1 takes the power in float32, which gives the same six digits.
See: Loshchilov and Hutter, SGDR (cosine decay with restarts), arXiv:1608.03983
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import exactly
from tf1ref.modules import optimizers, schedules

# S4's program: (w + 1)^2 under a rate that loses 1 % a step.
STEPS = 40
START = 5.0
LR_BASE = 0.2
LR_DECAY = 0.99
LR_STEP = 1
# S3's program: x^2 under a staircase. TF1 moves x first and prints the rate of the next step.
X_START = 5.0
X_RATE = 0.1
X_DECAY = 0.96
# The schedules side by side, over CURVE steps. S0's is the staircase.
CURVE = range(0, 1000, 4)
RATE = 0.1
CURVE_STEPS = 100
DECAY = 0.96
NATURAL_DECAY = 0.1
INVERSE_DECAY = 0.5
POLYNOMIAL_STEPS = 300
END_RATE = 0.01
POWER = 2.0
COSINE_STEPS = 800
ALPHA = 0.05
BOUNDARIES = (200, 500)
PIECES = (0.1, 0.05, 0.01)

EXPECTED = {
    "steps/w": exactly(
        [2.6, 1.1744, 0.321948, -0.191126, -0.501926, -0.691392, -0.807611, -0.879339, -0.923874, -0.951691]
        + [-0.969167, -0.980209, -0.987226, -0.99171, -0.994591, -0.996452, -0.99766, -0.998449, -0.998967, -0.999308]
        + [-0.999535, -0.999685, -0.999786, -0.999854, -0.9999, -0.999931, -0.999952, -0.999967, -0.999977, -0.999984]
        + [-0.999989, -0.999992, -0.999994, -0.999996, -0.999997, -0.999998]
        + 4 * [-0.999999]
    ),  # fmt: skip
    "steps/loss": exactly(
        [36.0, 12.959999, 4.728015, 1.747547, 0.654277, 0.248077, 0.095239, 0.037014, 0.014559, 0.005795]
        + [0.002334, 0.000951, 0.000392, 0.000163, 0.000069, 0.000029, 0.000013, 0.000005, 0.000002, 0.000001]
        + 20 * [0.0]
    ),  # fmt: skip
    "steps/lr": exactly(
        [0.2, 0.198, 0.19602, 0.19406, 0.192119, 0.190198, 0.188296, 0.186413, 0.184549, 0.182703]
        + [0.180876, 0.179068, 0.177277, 0.175504, 0.173749, 0.172012, 0.170292, 0.168589, 0.166903, 0.165234]
        + [0.163581, 0.161946, 0.160326, 0.158723, 0.157136, 0.155564, 0.154009, 0.152469, 0.150944, 0.149434]
        + [0.14794, 0.146461, 0.144996, 0.143546, 0.142111, 0.14069, 0.139283, 0.13789, 0.136511, 0.135146]
    ),  # fmt: skip
}


def build_graph():
    """Adds both descents and all curves (of the step that is fed) to the default graph."""
    w = v1.get_variable("w", initializer=v1.constant(START))
    step = v1.train.get_or_create_global_step()
    rate = v1.train.exponential_decay(LR_BASE, step, LR_STEP, LR_DECAY)
    loss = v1.square(w + 1.0, name="loss")
    x = v1.get_variable("x", initializer=v1.constant(X_START))
    x_step = v1.get_variable("x_step", initializer=v1.constant(0), trainable=False)
    x_rate = v1.train.exponential_decay(X_RATE, x_step, 1, X_DECAY, staircase=True)
    x_loss = v1.square(x)
    x_optimizer = v1.train.GradientDescentOptimizer(x_rate)
    at = v1.placeholder(v1.int64, [], name="at")
    return {
        "w": w,
        "x": x,
        "loss": loss,
        "lr": rate,
        "x_lr": x_rate,
        "gradients": {"w": v1.gradients(loss, w)[0], "x": v1.gradients(x_loss, x)[0]},
        "train": v1.train.GradientDescentOptimizer(rate).minimize(loss, global_step=step, var_list=[w]),
        "x_train": x_optimizer.minimize(x_loss, global_step=x_step, var_list=[x]),
        "at": at,
        "curves": add_curves(at),
    }


def add_curves(at):
    """Adds the rate of every schedule at step `at`, by name."""
    return {
        "exponential": v1.train.exponential_decay(RATE, at, CURVE_STEPS, DECAY),
        "staircase": v1.train.exponential_decay(RATE, at, CURVE_STEPS, DECAY, staircase=True),
        "natural_exp": v1.train.natural_exp_decay(RATE, at, CURVE_STEPS, NATURAL_DECAY),
        "inverse_time": v1.train.inverse_time_decay(RATE, at, CURVE_STEPS, INVERSE_DECAY),
        "polynomial": v1.train.polynomial_decay(RATE, at, POLYNOMIAL_STEPS, END_RATE, POWER),
        "cycle": v1.train.polynomial_decay(RATE, at, POLYNOMIAL_STEPS, END_RATE, POWER, cycle=True),
        "cosine": v1.train.cosine_decay(RATE, at, COSINE_STEPS, ALPHA),
        "piecewise": v1.train.piecewise_constant(at, list(BOUNDARIES), list(PIECES)),
    }


def run_graph(steps=STEPS):
    """w and the rate are read in runs of their own, w after the step and the rate before it."""
    keys = ("lr", "loss", "w", "x", "x_next_lr")
    trace = {f"steps/{key}": [] for key in keys}
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        trace |= {"initial/w": sess.run(graph["w"]), "initial/x": sess.run(graph["x"])}
        trace |= {f"gradient/{name}": value for name, value in sess.run(graph["gradients"]).items()}
        bar = console.steps(steps)
        for _ in bar:
            before = sess.run([graph["lr"], graph["loss"]])
            sess.run([graph["train"], graph["x_train"]])
            after = sess.run([graph["w"], graph["x"], graph["x_lr"]])
            for key, value in zip(keys, before + after):
                trace[f"steps/{key}"].append(value)
            bar.show(lr=before[0], loss=before[1])
        trace |= {"final/w": sess.run(graph["w"]), "final/x": sess.run(graph["x"])}
        curves = [sess.run(graph["curves"], {graph["at"]: step}) for step in CURVE]
    trace |= {f"forward/{name}": [curve[name] for curve in curves] for name in curves[0]}
    return {key: np.array(value) for key, value in trace.items()}


class Model(tf.Module):
    """Two variables that roll down, each with its step counter, schedule and optimizer."""

    def __init__(self):
        super().__init__()
        self.w = tf.Variable(START, name="w")
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")
        self.optimizer = optimizers.GradientDescent(self.rate)
        self.x = tf.Variable(X_START, name="x")
        self.x_step = tf.Variable(0, trainable=False, name="x_step")
        self.x_optimizer = optimizers.GradientDescent(self.x_rate)

    def rate(self):
        """Returns S4's rate at the present step."""
        return schedules.exponential_decay(LR_BASE, self.global_step, LR_STEP, LR_DECAY)

    def x_rate(self):
        """Returns S3's rate at the present step."""
        return schedules.exponential_decay(X_RATE, self.x_step, 1, X_DECAY, staircase=True)

    @tf.function
    def gradients(self):
        """The slopes at w and at x, without a step."""
        with tf.GradientTape(persistent=True) as tape:
            loss, x_loss = tf.square(self.w + 1.0), tf.square(self.x)
        return {"w": tape.gradient(loss, self.w), "x": tape.gradient(x_loss, self.x)}

    @tf.function
    def train(self):
        """Makes one step of S4's program. Returns the rate and the loss before it, and w after it."""
        rate = self.rate()
        with tf.GradientTape() as tape:
            loss = tf.square(self.w + 1.0)
        self.optimizer.minimize(tape, loss, [self.w], self.global_step)
        return rate, loss, self.w.read_value()

    @tf.function
    def train_x(self):
        """Makes one step of S3's program. Returns x after it and the rate of the next one."""
        with tf.GradientTape() as tape:
            loss = tf.square(self.x)
        self.x_optimizer.minimize(tape, loss, [self.x], self.x_step)
        return self.x.read_value(), self.x_rate()

    @tf.function
    def curves(self, at):
        """Returns the rate of every schedule at step `at`, by name."""
        return {
            "exponential": schedules.exponential_decay(RATE, at, CURVE_STEPS, DECAY),
            "staircase": schedules.exponential_decay(RATE, at, CURVE_STEPS, DECAY, staircase=True),
            "natural_exp": schedules.natural_exp_decay(RATE, at, CURVE_STEPS, NATURAL_DECAY),
            "inverse_time": schedules.inverse_time_decay(RATE, at, CURVE_STEPS, INVERSE_DECAY),
            "polynomial": schedules.polynomial_decay(RATE, at, POLYNOMIAL_STEPS, END_RATE, POWER),
            "cycle": schedules.polynomial_decay(RATE, at, POLYNOMIAL_STEPS, END_RATE, POWER, cycle=True),
            "cosine": schedules.cosine_decay(RATE, at, COSINE_STEPS, ALPHA),
            "piecewise": schedules.piecewise_constant(at, BOUNDARIES, PIECES),
        }


def run_function(steps=STEPS):
    """The order of the lines says which value is the one before the step."""
    keys = ("lr", "loss", "w", "x", "x_next_lr")
    trace = {f"steps/{key}": [] for key in keys}
    model = Model()
    trace |= {"initial/w": model.w.numpy(), "initial/x": model.x.numpy()}
    trace |= {f"gradient/{name}": value.numpy() for name, value in model.gradients().items()}
    bar = console.steps(steps)
    for _ in bar:
        row = model.train() + model.train_x()
        for key, value in zip(keys, row):
            trace[f"steps/{key}"].append(value.numpy())
        bar.show(lr=row[0], loss=row[1])
    trace |= {"final/w": model.w.numpy(), "final/x": model.x.numpy()}
    curves = [model.curves(tf.constant(step, tf.int64)) for step in CURVE]
    trace |= {f"forward/{name}": [curve[name].numpy() for curve in curves] for name in curves[0]}
    return {key: np.array(value) for key, value in trace.items()}


def plot(trace):
    """Returns a figure of S3's pair of curves, x above its rate, and the schedules side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    axes = figure.subplot_mosaic([["x", "curves"], ["lr", "curves"]], width_ratios=[1, 1.6])
    axes["x"].plot(trace["steps/x"])
    axes["x"].set(title=f"x^2, from {X_START:g}", ylabel="x")
    axes["lr"].plot(trace["steps/x_next_lr"], drawstyle="steps-post")
    axes["lr"].set(xlabel="step", ylabel="learning rate")
    for key, values in trace.items():
        if key.startswith("forward/"):
            axes["curves"].plot(CURVE, values, drawstyle="steps-post", label=key.partition("/")[2])
    axes["curves"].legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
    axes["curves"].set(title="schedules", xlabel="step", ylabel="learning rate")
    return figure
