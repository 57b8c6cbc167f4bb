"""Two restricted Boltzmann machines in a stack, then wake and sleep

Source: S2 20-31
TF1: the updates are assign_add ops, which wait until all of them are computed. There is no loss or optimizer.
Now: the same lines in the order in which they take effect.
Errata: S2 has words and no program: sizes, rates and steps are chosen here. It leaves out how a machine of two layers
    is trained: one step of contrastive divergence (Hinton, 2002). Wake and sleep are the paper's, with one such step.
See: Hinton et al., A Fast Learning Algorithm for Deep Belief Nets, doi:10.1162/neco.2006.18.7.1527
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_most
from tf1ref.data import mnist
from tf1ref.examples.unsupervised import _pictures

SEED = 1
STEPS = 1100  # in each phase: two epochs
BATCH_SIZE = 100
SIZES = (784, 256, 64)
LEARNING_RATE = 0.1
TUNING_RATE = 0.02
WEIGHT_DEVIATION = 0.05
PHASES = ("rbm1", "rbm2", "wake_sleep")
SHOWN = 10  # test digits in the picture
FILTERS = 100  # hidden units in the picture
EXPECTED = {"final/rbm1/error": at_most(15.0), "final/tuned_over_stacked": at_most(0.98)}  # all zeros: about 100


def figures(phase, pictures, back):
    """Returns the reconstructions after a phase, and their distance from the pictures, by trace key."""
    error = np.mean(np.sum(np.square(pictures - back), axis=1))
    return {f"final/{phase}/error": error, f"final/{phase}/reconstructions": back[:SHOWN]}


def summary(pictures, trace):
    """Returns the trace, with the values that are printed and shown."""
    ratio = trace["final/wake_sleep/error"] / trace["final/rbm2/error"]
    return {**trace, "final/tuned_over_stacked": ratio, "final/digits": pictures[:SHOWN]}


def sample(probabilities, seed):
    """Adds states, which are 1 with the given probabilities and else 0."""
    return v1.cast(v1.random_uniform(v1.shape(probabilities), seed=seed) < probabilities, v1.float32)


class Machine:
    """A restricted Boltzmann machine: weights between two layers, a bias for each unit of both."""

    def __init__(self, number):
        shape = [SIZES[number - 1], SIZES[number]]
        with v1.variable_scope(f"rbm{number}"):
            start = v1.random_normal_initializer(stddev=WEIGHT_DEVIATION, seed=number)
            self.weights = v1.get_variable("weights", shape, initializer=start)
            self.visible = v1.get_variable("visible", shape[:1], initializer=v1.zeros_initializer())
            self.hidden = v1.get_variable("hidden", shape[1:], initializer=v1.zeros_initializer())

    def up(self, x):
        """Adds the probabilities of the hidden units."""
        return v1.nn.sigmoid(v1.matmul(x, self.weights) + self.hidden)

    def down(self, states):
        """Adds the probabilities of the visible units."""
        return v1.nn.sigmoid(v1.matmul(states, self.weights, transpose_b=True) + self.visible)

    def contrastive_divergence(self, x, seed):
        """Adds one step down and up again. Returns the reconstruction, and (variable, direction) pairs."""
        data = self.up(x)
        back = self.down(sample(data, seed))
        model = self.up(back)
        return back, [
            (self.weights, v1.matmul(x, data, transpose_a=True) - v1.matmul(back, model, transpose_a=True)),
            (self.visible, v1.reduce_sum(x - back, 0)),
            (self.hidden, v1.reduce_sum(data - model, 0)),
        ]


def wake_sleep(x, bottom, top, generative):
    """Adds one step of the third phase, as contrastive_divergence does. `generative`: the weights downwards."""
    awake = sample(bottom.up(x), 31)
    back = v1.nn.sigmoid(v1.matmul(awake, generative) + bottom.visible)
    dreamed, pairs = top.contrastive_divergence(awake, 32)
    asleep = sample(dreamed, 33)
    picture = v1.nn.sigmoid(v1.matmul(asleep, generative) + bottom.visible)
    recognised = bottom.up(picture)
    return back, [
        (generative, v1.matmul(awake, x - back, transpose_a=True)),
        (bottom.visible, v1.reduce_sum(x - back, 0)),
        *pairs,
        (bottom.weights, v1.matmul(picture, asleep - recognised, transpose_a=True)),
        (bottom.hidden, v1.reduce_sum(asleep - recognised, 0)),
    ]


def add_phase(x, back, pairs, rate):
    """Adds one step of a phase: `rate` times the batch's mean direction."""
    scale = rate / v1.cast(v1.shape(x)[0], v1.float32)
    directions = {variable.op.name: direction for variable, direction in pairs}
    with v1.control_dependencies(list(directions.values())):
        updates = [v1.assign_add(variable, scale * direction) for variable, direction in pairs]
    error = v1.reduce_mean(v1.reduce_sum(v1.squared_difference(x, back), 1))
    return {"train": v1.group(*updates), "error": error, "directions": directions}


def build_graph():
    """Adds both machines, the weights downwards and the three phases to the default graph."""
    x = v1.placeholder(v1.float32, [None, SIZES[0]], name="x-input")
    bottom, top = Machine(1), Machine(2)
    generative = v1.get_variable("generative", [SIZES[1], SIZES[0]], initializer=v1.zeros_initializer())
    code = bottom.up(x)
    phases = {
        "rbm1": add_phase(x, *bottom.contrastive_divergence(x, 11), LEARNING_RATE),
        "rbm2": add_phase(code, *top.contrastive_divergence(code, 21), LEARNING_RATE),
        "wake_sleep": add_phase(x, *wake_sleep(x, bottom, top, generative), TUNING_RATE),
    }
    through = v1.nn.sigmoid(v1.matmul(top.down(top.up(code)), generative) + bottom.visible)
    return {
        "x": x,
        "y": v1.identity(top.up(code), name="y"),
        "reconstructions": {"rbm1": bottom.down(code), "rbm2": through, "wake_sleep": through},
        "untie": v1.assign(generative, v1.transpose(bottom.weights)),
        "variables": {v.op.name: v for v in v1.global_variables()},
        "phases": phases,
    }


def train_graph(sess, graph, phase, data, steps):
    """Runs a phase. Returns its errors and its first directions."""
    ops, errors, first, bar = graph["phases"][phase], [], {}, console.steps(steps)
    for step in bar:
        fetches = ops["train"], ops["error"], {} if step else ops["directions"]
        _, error, directions = sess.run(fetches, {graph["x"]: data.next_batch(BATCH_SIZE)[0]})
        errors.append(error)
        first.update(directions)
        bar.show(error=error)
    return np.array(errors), first


def run_graph(steps=STEPS):
    """No labels are used. The weights downwards start as those upwards, when the second machine is trained."""
    data, trace = mnist.read_data_sets(seed=SEED), {}
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        trace.update({f"initial/{k}": v for k, v in sess.run(graph["variables"]).items()})
        for phase in PHASES:
            trace[f"steps/{phase}"], first = train_graph(sess, graph, phase, data.train, steps)
            trace.update({f"gradient/{phase}/{k}": v for k, v in first.items()})
            if phase == "rbm2":
                sess.run(graph["untie"])
            back = sess.run(graph["reconstructions"][phase], {graph["x"]: data.test.images})
            trace.update(figures(phase, data.test.images, back))
        trace.update({f"final/{k}": v for k, v in sess.run(graph["variables"]).items()})
    return summary(data.test.images, trace)


def states(probabilities, seed):
    """Returns states, which are 1 with the given probabilities and else 0."""
    return tf.cast(tf.random.uniform(tf.shape(probabilities), seed=seed) < probabilities, tf.float32)


class Boltzmann(tf.Module):
    """A restricted Boltzmann machine."""

    def __init__(self, number):
        super().__init__()
        shape = [SIZES[number - 1], SIZES[number]]
        start = tf.random.normal(shape, stddev=WEIGHT_DEVIATION, seed=number)
        self.weights = tf.Variable(start, name=f"rbm{number}/weights")
        self.visible = tf.Variable(tf.zeros(shape[:1]), name=f"rbm{number}/visible")
        self.hidden = tf.Variable(tf.zeros(shape[1:]), name=f"rbm{number}/hidden")

    def up(self, x):
        """Returns the probabilities of the hidden units."""
        return tf.nn.sigmoid(tf.matmul(x, self.weights) + self.hidden)

    def down(self, x):
        """Returns the probabilities of the visible units."""
        return tf.nn.sigmoid(tf.matmul(x, self.weights, transpose_b=True) + self.visible)

    def contrastive_divergence(self, x, seed):
        """Returns (reconstruction, (variable, direction) pairs)."""
        data = self.up(x)
        back = self.down(states(data, seed))
        model = self.up(back)
        return back, [
            (self.weights, tf.matmul(x, data, transpose_a=True) - tf.matmul(back, model, transpose_a=True)),
            (self.visible, tf.reduce_sum(x - back, 0)),
            (self.hidden, tf.reduce_sum(data - model, 0)),
        ]


class BeliefNet(tf.Module):
    """Two machines, and the weights downwards."""

    def __init__(self):
        super().__init__()
        self.bottom, self.top = Boltzmann(1), Boltzmann(2)
        self.generative = tf.Variable(tf.zeros([SIZES[1], SIZES[0]]), name="generative")

    def variables_by_name(self):
        """Returns {name in the graph: variable}, in the graph's order."""
        machines = [v for m in (self.bottom, self.top) for v in (m.weights, m.visible, m.hidden)]
        return {v.name.partition(":")[0]: v for v in [*machines, self.generative]}

    def picture(self, x):
        """Returns the probabilities of the pixels, by the weights downwards."""
        return tf.nn.sigmoid(tf.matmul(x, self.generative) + self.bottom.visible)

    def wake_sleep(self, x):
        """Awake, the weights downwards learn from what is seen. Asleep, those upwards learn from what is dreamed."""
        awake = states(self.bottom.up(x), 31)
        back = self.picture(awake)
        dreamed, pairs = self.top.contrastive_divergence(awake, 32)
        asleep = states(dreamed, 33)
        picture = self.picture(asleep)
        recognised = self.bottom.up(picture)
        return back, [
            (self.generative, tf.matmul(awake, x - back, transpose_a=True)),
            (self.bottom.visible, tf.reduce_sum(x - back, 0)),
            *pairs,
            (self.bottom.weights, tf.matmul(picture, asleep - recognised, transpose_a=True)),
            (self.bottom.hidden, tf.reduce_sum(asleep - recognised, 0)),
        ]

    @tf.function
    def train(self, phase, x):
        """Makes one step of a phase (a Python string, with a trace each). Returns the error and the directions."""
        if phase == "rbm1":
            back, pairs = self.bottom.contrastive_divergence(x, 11)
        elif phase == "rbm2":
            x = self.bottom.up(x)
            back, pairs = self.top.contrastive_divergence(x, 21)
        else:
            back, pairs = self.wake_sleep(x)
        scale = (TUNING_RATE if phase == "wake_sleep" else LEARNING_RATE) / tf.cast(tf.shape(x)[0], tf.float32)
        for variable, direction in pairs:
            variable.assign_add(scale * direction)
        error = tf.reduce_mean(tf.reduce_sum(tf.math.squared_difference(x, back), 1))
        return error, {variable.name.partition(":")[0]: direction for variable, direction in pairs}

    @tf.function
    def reconstruct(self, phase, x):
        """Returns the reconstruction after a phase: from the first hidden layer, and later from the top."""
        code = self.bottom.up(x)
        return self.bottom.down(code) if phase == "rbm1" else self.picture(self.top.down(self.top.up(code)))


def train_function(net, phase, data, steps):
    """Runs a phase. Returns its errors and its first directions."""
    errors, first, bar = [], {}, console.steps(steps)
    for step in bar:
        error, directions = net.train(phase, tf.constant(data.next_batch(BATCH_SIZE)[0]))
        errors.append(error.numpy())
        if step == 0:
            first = {name: direction.numpy() for name, direction in directions.items()}
        bar.show(error=errors[-1])
    return np.array(errors), first


def run_function(steps=STEPS):
    """The same phases, one object."""
    tf.random.set_seed(SEED)
    data, net = mnist.read_data_sets(seed=SEED), BeliefNet()
    trace = {f"initial/{k}": v.numpy() for k, v in net.variables_by_name().items()}
    for phase in PHASES:
        trace[f"steps/{phase}"], first = train_function(net, phase, data.train, steps)
        trace.update({f"gradient/{phase}/{k}": v for k, v in first.items()})
        if phase == "rbm2":
            net.generative.assign(tf.transpose(net.bottom.weights))
        back = net.reconstruct(phase, tf.constant(data.test.images)).numpy()
        trace.update(figures(phase, data.test.images, back))
    trace.update({f"final/{k}": v.numpy() for k, v in net.variables_by_name().items()})
    return summary(data.test.images, trace)


def plot(trace):
    """Returns a figure of the test digits, reconstructed after each phase, and of the hidden units' weights."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 8.5), layout="constrained")
    axes = figure.subplot_mosaic([["digits", "digits"], ["filters", "errors"]])
    rows = [trace["final/digits"], *(trace[f"final/{phase}/reconstructions"] for phase in PHASES)]
    _pictures.show(axes["digits"], np.concatenate(rows), SHOWN, "test digits; back after each phase")
    _pictures.show(axes["filters"], trace["final/rbm1/weights"].T[:FILTERS], 10, "what the first hidden units look for")
    for phase in PHASES:
        label = f"{phase}: test {trace[f'final/{phase}/error']:.1f}"
        axes["errors"].plot(trace[f"steps/{phase}"], linewidth=0.8, label=label)
    axes["errors"].set(xlabel="step", ylabel="squared difference", ylim=(0, 60))
    axes["errors"].legend()
    return figure
