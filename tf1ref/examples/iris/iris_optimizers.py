"""Iris: five optimizers written out, on one network from one start

Source: S4 2061-2285, 857-1023
TF1: the moments m and v are variables beside the weights; all new values are computed before the first assign.
Now: the same few lines in a tf.function, on tf.Variables. training/optimizers has the kernels that do this.
Errata: in two of Adagrad's formulas S4 adds the last step's g_t^2 t times, where g_tau is meant. In Adam's it writes
    V_step-1 for V_t-1. None of its rules has an epsilon. Once RMSProp has learnt the first flower, the V of its weights
    decays to 0 in float32, and 0 / 0 makes every weight NaN. With oneDNN on this happens after epoch 369 (--set
    EPSILON=0). Here the rules have TF1's epsilon. S4 shows pictures and times of its programs, but not the programs.
    Network, rate and batches here are those of its iris program.
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
from tf1ref.examples.iris.iris_softmax import batches, flowers

SEED = 116
STEPS = 500  # epochs of four batches each
CLASSES = 3
DEVIATION = 0.1
LEARNING_RATE = 0.1
BETA = 0.9  # SGDM's and RMSProp's
BETA1 = 0.9
BETA2 = 0.999
EPSILON = 1e-10  # RMSProp's, as in TF1; S4 has none
MOMENTS = {"sgd": (), "sgdm": ("m",), "adagrad": ("v",), "rmsprop": ("v",), "adam": ("m", "v")}

EXPECTED = {f"final/{rule}/test_accuracy": exactly(1.0) for rule in MOMENTS}


def finished(trace, losses, accuracies):
    """Returns the trace with both curves of every rule, epoch by epoch.

    They are the mean loss of the epoch's batches, and the test accuracy after it.
    """
    for rule in MOMENTS:
        loss = np.array([np.mean([batch[rule] for batch in epoch]) for epoch in losses])
        accuracy = np.array([epoch[rule] for epoch in accuracies])
        trace[f"steps/{rule}/loss"], trace[f"steps/{rule}/test_accuracy"] = loss, accuracy
        trace[f"final/{rule}/loss"], trace[f"final/{rule}/test_accuracy"] = loss[-1], accuracy[-1]
    return trace


def rule_in_graph(rule, g, moments, t):
    """Returns the change of a weight with gradient g in step t (from 1), and the new moments.

    The change is learning rate * m / sqrt(V).
    """
    if rule == "sgd":
        return LEARNING_RATE * g, []
    if rule == "sgdm":
        m = BETA * moments[0] + (1 - BETA) * g
        return LEARNING_RATE * m, [m]
    if rule == "adagrad":
        v = moments[0] + v1.square(g)
        return LEARNING_RATE * g / v1.sqrt(v), [v]
    if rule == "rmsprop":
        v = BETA * moments[0] + (1 - BETA) * v1.square(g)
        return LEARNING_RATE * g / v1.sqrt(v + EPSILON), [v]
    m = BETA1 * moments[0] + (1 - BETA1) * g
    v = BETA2 * moments[1] + (1 - BETA2) * v1.square(g)
    m_corrected, v_corrected = m / (1 - v1.pow(BETA1, t)), v / (1 - v1.pow(BETA2, t))
    return LEARNING_RATE * m_corrected / v1.sqrt(v_corrected), [m, v]


def network_in_graph(rule, x, labels, t):
    """Adds one network under the name of its rule, and the assigns of one step; w1 and b1 are drawn alike in all."""
    with v1.variable_scope(rule):
        w1 = v1.get_variable("w1", [4, CLASSES], initializer=v1.truncated_normal_initializer(stddev=DEVIATION, seed=1))
        b1 = v1.get_variable("b1", [CLASSES], initializer=v1.truncated_normal_initializer(stddev=DEVIATION, seed=2))
        y = v1.nn.softmax(v1.matmul(x, w1) + b1, name="y")
        loss = v1.reduce_mean(v1.square(v1.one_hot(labels, CLASSES) - y), name="loss")
        gradients, old, new = v1.gradients(loss, [w1, b1]), [], []
        for weight, name, g in zip([w1, b1], ["w1", "b1"], gradients):
            zeros = v1.zeros_initializer()
            moments = [v1.get_variable(f"{name}/{m}", weight.shape, initializer=zeros) for m in MOMENTS[rule]]
            step, new_moments = rule_in_graph(rule, g, moments, t)
            old += [weight, *moments]
            new += [weight - step, *new_moments]
        with v1.control_dependencies([loss, *new]):
            updates = [v1.assign(variable, value) for variable, value in zip(old, new)]
        correct = v1.equal(v1.argmax(y, axis=1), labels)
        accuracy = v1.reduce_mean(v1.cast(correct, v1.float32), name="accuracy")
    return {"y": y, "loss": loss, "accuracy": accuracy, "gradients": gradients, "updates": updates}


def build_graph():
    """Adds five networks and one op that takes a step in each to the default graph."""
    x = v1.placeholder(v1.float32, [None, 4], name="x")
    labels = v1.placeholder(v1.int64, [None], name="labels")
    global_step = v1.train.create_global_step()
    networks = {rule: network_in_graph(rule, x, labels, v1.cast(global_step + 1, v1.float32)) for rule in MOMENTS}
    graph = {"x": x, "labels": labels}
    for end in ("y", "loss", "accuracy"):
        graph[end] = {rule: network[end] for rule, network in networks.items()}
    graph["gradients"] = {f"{k}/{w}": g for k, n in networks.items() for w, g in zip(("w1", "b1"), n["gradients"])}
    with v1.control_dependencies([update for network in networks.values() for update in network["updates"]]):
        graph["train"] = v1.assign_add(global_step, 1)
    return graph


def run_graph(steps=STEPS):
    """One run makes a step of all five. A step of the bar is an epoch: four runs that train and one that tests."""
    train, test = flowers()
    losses, accuracies = [], []
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        weights = {v.op.name: v for v in v1.trainable_variables() if v.op.name.endswith("1")}
        moments = {v.op.name: v for v in v1.trainable_variables() if v.op.name not in weights}
        trace = {f"initial/{k}": v for k, v in sess.run(weights).items()}
        feeds = [{graph["x"]: x, graph["labels"]: labels} for x, labels in batches(*train)]
        trace.update({f"gradient/{k}": v for k, v in sess.run(graph["gradients"], feeds[0]).items()})
        test_feed = {graph["x"]: test[0], graph["labels"]: test[1]}
        bar = console.steps(steps)
        for _ in bar:
            losses.append([sess.run([graph["loss"], graph["train"]], feed)[0] for feed in feeds])
            accuracies.append(sess.run(graph["accuracy"], test_feed))
            bar.show(**losses[-1][-1])
        trace.update({f"slots/{k}": v for k, v in sess.run(moments).items()})
        trace.update({f"final/{k}": v for k, v in sess.run(weights).items()})
    return finished(trace, losses, accuracies)


def rule_in_function(rule, g, moments, t):
    """Returns the change of a weight and the new moments, as in the graph."""
    if rule == "sgd":
        return LEARNING_RATE * g, []
    if rule == "sgdm":
        m = BETA * moments[0] + (1 - BETA) * g
        return LEARNING_RATE * m, [m]
    if rule == "adagrad":
        v = moments[0] + tf.square(g)
        return LEARNING_RATE * g / tf.sqrt(v), [v]
    if rule == "rmsprop":
        v = BETA * moments[0] + (1 - BETA) * tf.square(g)
        return LEARNING_RATE * g / tf.sqrt(v + EPSILON), [v]
    m = BETA1 * moments[0] + (1 - BETA1) * g
    v = BETA2 * moments[1] + (1 - BETA2) * tf.square(g)
    m_corrected, v_corrected = m / (1 - tf.pow(BETA1, t)), v / (1 - tf.pow(BETA2, t))
    return LEARNING_RATE * m_corrected / tf.sqrt(v_corrected), [m, v]


class Network(tf.Module):
    """One layer, four measures to three probabilities, and the moments of its rule."""

    def __init__(self, rule, w1, b1):
        super().__init__()
        self.rule = rule
        self.weights = [tf.Variable(w1, name=f"{rule}/w1"), tf.Variable(b1, name=f"{rule}/b1")]
        self.moments = []
        for name, start in (("w1", w1), ("b1", b1)):
            self.moments.append([tf.Variable(tf.zeros_like(start), name=f"{rule}/{name}/{m}") for m in MOMENTS[rule]])

    def probabilities(self, x):
        """Turns (n, 4) into (n, 3)."""
        w1, b1 = self.weights
        return tf.nn.softmax(tf.matmul(x, w1) + b1)

    @tf.function
    def loss_and_gradients(self, x, labels):
        """Returns the mean square error before a step, and its gradients."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.one_hot(labels, CLASSES) - self.probabilities(x)))
        return loss, tape.gradient(loss, self.weights)

    @tf.function
    def train(self, x, labels, t):
        """Makes step t (from 1). Returns the loss before it."""
        loss, gradients = self.loss_and_gradients(x, labels)
        for weight, g, moments in zip(self.weights, gradients, self.moments):
            step, new_moments = rule_in_function(self.rule, g, moments, t)
            weight.assign(weight - step)
            for moment, value in zip(moments, new_moments):
                moment.assign(value)
        return loss

    @tf.function
    def accuracy(self, x, labels):
        """Returns the share of right answers."""
        correct = tf.equal(tf.argmax(self.probabilities(x), axis=1), labels)
        return tf.reduce_mean(tf.cast(correct, tf.float32))


class Networks(tf.Module):
    """Five networks with the same start. It is drawn once, and every network has its own variables."""

    def __init__(self):
        super().__init__()
        w1 = tf.random.truncated_normal([4, CLASSES], stddev=DEVIATION, seed=1)
        b1 = tf.random.truncated_normal([CLASSES], stddev=DEVIATION, seed=2)
        self.by_rule = {rule: Network(rule, w1, b1) for rule in MOMENTS}
        self.global_step = tf.Variable(0, dtype=tf.int64, name="global_step")

    @tf.function
    def train(self, x, labels):
        """Makes a step in each. Returns {rule: loss before it}."""
        t = tf.cast(self.global_step + 1, tf.float32)
        losses = {rule: network.train(x, labels, t) for rule, network in self.by_rule.items()}
        self.global_step.assign_add(1)
        return losses

    @tf.function
    def accuracies(self, x, labels):
        """Returns {rule: the share of right answers}."""
        return {rule: network.accuracy(x, labels) for rule, network in self.by_rule.items()}


def run_function(steps=STEPS):
    """One call steps all five."""
    tf.random.set_seed(SEED)
    train, test = flowers()
    losses, accuracies = [], []
    networks = Networks()
    weights = {v.name.partition(":")[0]: v for n in networks.by_rule.values() for v in n.weights}
    moments = {v.name.partition(":")[0]: v for n in networks.by_rule.values() for row in n.moments for v in row}
    trace = {f"initial/{k}": v.numpy() for k, v in weights.items()}
    epoch = [(tf.constant(x), tf.constant(labels)) for x, labels in batches(*train)]
    gradients = [g for network in networks.by_rule.values() for g in network.loss_and_gradients(*epoch[0])[1]]
    trace.update({f"gradient/{k}": g.numpy() for k, g in zip(weights, gradients)})
    test = tf.constant(test[0]), tf.constant(test[1])
    bar = console.steps(steps)
    for _ in bar:
        losses.append([{k: v.numpy() for k, v in networks.train(*batch).items()} for batch in epoch])
        accuracies.append({k: v.numpy() for k, v in networks.accuracies(*test).items()})
        bar.show(**losses[-1][-1])
    trace.update({f"slots/{k}": v.numpy() for k, v in moments.items()})
    trace.update({f"final/{k}": v.numpy() for k, v in weights.items()})
    return finished(trace, losses, accuracies)


def plot(trace):
    """Returns a figure of the losses and the test accuracies of all five, epoch by epoch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for rule in MOMENTS:
        epochs = np.arange(1, len(trace[f"steps/{rule}/loss"]) + 1)
        left.plot(epochs, trace[f"steps/{rule}/loss"], label=rule)
        right.plot(epochs, trace[f"steps/{rule}/test_accuracy"], label=rule)
    left.set(xlabel="epoch", ylabel="loss", title="Mean square error in training", ylim=(0, None))
    right.set(xlabel="epoch", ylabel="accuracy", title="Accuracy on the 30 test flowers", xscale="log")
    left.legend()
    return figure
