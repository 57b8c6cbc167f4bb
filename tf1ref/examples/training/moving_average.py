"""Moving averages of a variable, with a decay that grows with the steps

Source: S3 1174-1226, S0 736-777
TF1: apply([v]) adds a shadow variable and returns the op that moves it; average(v) is the shadow.
Now: the shadow is a variable of an object; apply() moves it where its line stands.
Errata: S0 gives apply() a variable where TF1 takes a list. It says that trainable=False keeps a variable from being
    averaged; only the list decides that. k has opposite roles in S0's two formulas. A smooth average takes a small k in
    the first one and a large k in the second one, which is the code's. S0's listing does not parse (full-width comma,
    "assess:", a line that leaves its block). In S3 none was found.
See: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, doi:10.1137/0330046
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly
from tf1ref.modules.moving_average import ExponentialMovingAverage

DECAY = 0.99
# What v and the step counter become before each apply; the last line changes nothing and applies once more.
ASSIGNED = ((5.0, 0), (10.0, 10000), (10.0, 10000))
# A second average, of a variable that jumps between two values: the decay does not grow, no num_updates.
STEPS = 40
PLAIN_DECAY = 0.9
LOW = -1.0
HIGH = 2.0

EXPECTED = {
    "printed": exactly([[0.0, 0.0], [5.0, 4.5], [10.0, 4.555], [10.0, 4.60945]]),
    "forward/decays": exactly([0.1, 0.99, 0.99], 7),
}


def build_graph():
    """Adds v, the step counter, both averages and what moves them to the default graph."""
    v = v1.get_variable("v1", initializer=v1.constant(0.0))
    step = v1.get_variable("step", initializer=v1.constant(0), trainable=False)
    noisy = v1.get_variable("noisy", initializer=v1.constant(LOW))
    value, number, next_noisy = v1.placeholder(v1.float32), v1.placeholder(v1.int32), v1.placeholder(v1.float32)
    averages = v1.train.ExponentialMovingAverage(DECAY, step)
    plain = v1.train.ExponentialMovingAverage(PLAIN_DECAY, name="Plain")
    apply = averages.apply([v])  # creates the shadow: average(v) is None before
    assign_noisy = noisy.assign(next_noisy)
    with v1.control_dependencies([assign_noisy]):
        apply_plain = plain.apply([noisy])
    n = v1.cast(step, v1.float32)
    return {
        "v1": v,
        "average": averages.average(v),
        "value": value,
        "number": number,
        "assign": v1.group(v.assign(value), step.assign(number)),
        "decay": v1.minimum(DECAY, (1.0 + n) / (10.0 + n)),
        "apply": apply,
        "noisy": noisy,
        "plain_average": plain.average(noisy),
        "next_noisy": next_noisy,
        "apply_plain": apply_plain,
        "names": [averages.average_name(v), plain.average_name(noisy)],
    }


def run_graph(steps=STEPS):
    """The assignment and the average are two runs: in one, their order would be a matter of chance."""
    trace = {"steps/noisy": [], "steps/average": []}
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        pair = [graph["v1"], graph["average"]]
        printed, decays = [sess.run(pair)], []
        for value, number in ASSIGNED:
            sess.run(graph["assign"], {graph["value"]: value, graph["number"]: number})
            decays.append(sess.run(graph["decay"]))
            sess.run(graph["apply"])
            printed.append(sess.run(pair))
        trace["initial/average"] = sess.run(graph["plain_average"])
        for i in range(steps):
            sess.run(graph["apply_plain"], {graph["next_noisy"]: HIGH if i % 3 else LOW})
            noisy, average = sess.run([graph["noisy"], graph["plain_average"]])
            trace["steps/noisy"].append(noisy)
            trace["steps/average"].append(average)
        trace["final/average"] = sess.run(graph["plain_average"])
    trace |= {"printed": printed, "forward/decays": decays, "names": graph["names"]}
    return {key: np.array(value) for key, value in trace.items()}


class Model(tf.Module):
    """The variables and their shadows; the shadows carry the names of TF1's checkpoints."""

    def __init__(self):
        super().__init__()
        self.v = tf.Variable(0.0, name="v1")
        self.step = tf.Variable(0, name="step", trainable=False)
        self.noisy = tf.Variable(LOW, name="noisy")
        self.averages = ExponentialMovingAverage(DECAY, self.step)
        self.plain = ExponentialMovingAverage(PLAIN_DECAY, name="Plain")
        self.averages.create([self.v])
        self.plain.create([self.noisy])

    @tf.function
    def assign(self, value, number):
        """Sets v and the step, moves the average; returns v, the average and the decay that the step allows."""
        self.v.assign(value)
        self.step.assign(number)
        n = tf.cast(number, tf.float32)
        decay = tf.minimum(DECAY, (1.0 + n) / (10.0 + n))
        self.averages.apply([self.v])
        return self.v.read_value(), self.averages.average(self.v).read_value(), decay

    @tf.function
    def jump(self, value):
        """Sets the noisy variable and moves its average; returns both."""
        self.noisy.assign(value)
        self.plain.apply([self.noisy])
        return self.noisy.read_value(), self.plain.average(self.noisy).read_value()


def run_function(steps=STEPS):
    """Assignment, then average: the order of the lines."""
    trace = {"steps/noisy": [], "steps/average": []}
    model = Model()
    average = model.plain.average(model.noisy)
    printed, decays = [[model.v.numpy(), model.averages.average(model.v).numpy()]], []
    for value, number in ASSIGNED:
        *pair, decay = (tensor.numpy() for tensor in model.assign(tf.constant(value), tf.constant(number)))
        printed.append(pair)
        decays.append(decay)
    trace["initial/average"] = average.numpy()
    for i in range(steps):
        noisy, moved = model.jump(tf.constant(HIGH if i % 3 else LOW))
        trace["steps/noisy"].append(noisy.numpy())
        trace["steps/average"].append(moved.numpy())
    trace["final/average"] = average.numpy()
    names = [*model.averages.variables_by_name(), *model.plain.variables_by_name()]
    trace |= {"printed": printed, "forward/decays": decays, "names": names}
    return {key: np.array(value) for key, value in trace.items()}


def plot(trace):
    """A variable that jumps, and its average, which smooths it and comes late."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(trace["steps/noisy"], ".", color="gray", label="the variable")
    axes.plot(trace["steps/average"], label=f"its average, decay {PLAIN_DECAY}")
    axes.legend()
    axes.set(xlabel="step")
    return figure
