"""TensorBoard: digits, histograms, curves, and a graph with legible scopes

Source: S2 149-155
TF1: a summary is an op among the others, a name scope its box in the graph and the front of its tag.
Now: summaries are written outside of the tf.function, from what it returns, under any tags. Inside they would be ops,
    and the graph that is written would be full of their functions.
Errata: S2 declares label_y and never feeds a label. It feeds all 55,000 pictures a hundred times and trains nothing, so
    its hundred records are equal. Here batches of 100, the number in its comments, and the labels train the net. S2
    summarizes weight and bias under the same names, which become mean_2 and mean_5 (see monitoring.scalars). The ops of
    both lie side by side in the layer's box. Here each has a box of its own.
    The halves differ in one point. The graph half makes a tag of every picture (input/image/0 to 2) and scales it so
    that its brightest pixel is white. The function half writes one tag with three samples, and leaves the pixels as
    they are.
See: https://www.tensorflow.org/tensorboard/get_started
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import about, exactly
from tf1ref.data import mnist
from tf1ref.modules import optimizers

SEED = 1
STEPS = 100
BATCH_SIZE = 100
PICTURES = 3
SIDE = 28
LAYER1 = 20
CLASSES = 10
BIAS_START = 0.1
LEARNING_RATE = 0.01  # S2 has none

# S2 prints nothing. It draws 784 * 20 and 20 * 10 weights of deviation 1 and fills the biases.
EXPECTED = {
    "first/layer1/weights/mean": about(0.0, within=0.03),
    "first/layer1/weights/stddev": about(1.0, within=0.03),
    "first/layer1/biases/mean": exactly(0.1),
    "first/layer1/biases/max": exactly(0.1),
}


def as_trace(rows):
    """Returns the trace of what the steps summarized, a dict by tag for each step: all steps, and the first apart."""
    steps = {f"steps/{tag}": np.array([row[tag] for row in rows]) for tag in rows[0]}
    return {**{f"first/{tag}": value for tag, value in rows[0].items()}, **steps}


def add_statistics(tensor, name):
    """Adds the summaries of a variable under `name`. Returns the four numbers by tag."""
    with v1.name_scope(name) as scope:
        # The tag of a summary is its op's name, so the ops beside it must leave "mean", "max" and "min" free.
        mean = v1.reduce_mean(tensor, name="average")
        variance = v1.reduce_mean(v1.square(tensor - mean), name="variance")
        numbers = {
            "mean": mean,
            "stddev": v1.sqrt(variance),
            "max": v1.reduce_max(tensor, name="greatest"),
            "min": v1.reduce_min(tensor, name="least"),
        }
        for tag, number in numbers.items():
            v1.summary.scalar(tag, number)
        v1.summary.histogram("histogram", tensor)
    return {scope + tag: number for tag, number in numbers.items()}


def add_layer(inputs, units, name, output, seed):
    """Adds inputs * weight + bias, (n, units), and all its summaries. Returns it and the numbers by tag."""
    with v1.variable_scope(name):
        start = v1.random_normal_initializer(seed=seed)
        weight = v1.get_variable("weight", [inputs.shape[1], units], initializer=start)
        bias = v1.get_variable("bias", [units], initializer=v1.constant_initializer(BIAS_START))
        # The name is not "weight": the variable's scope has that name, and a second one would become weight_1.
        numbers = {**add_statistics(weight, "weights"), **add_statistics(bias, "biases")}
        with v1.name_scope("wx_add_b"):
            outputs = v1.add(v1.matmul(inputs, weight), bias)
        v1.summary.histogram(output, outputs)
    return outputs, numbers


def build_graph():
    """Adds the net, its training op and its summaries to the default graph: seven boxes."""
    with v1.name_scope("input"):
        input_x = v1.placeholder(v1.float32, [None, SIDE * SIDE], name="input_x")
        label_y = v1.placeholder(v1.float32, [None, CLASSES], name="label_y")
    with v1.name_scope("input_reshape"):
        v1.summary.image("input", v1.reshape(input_x, [-1, SIDE, SIDE, 1]), max_outputs=PICTURES)
    layer_out, numbers1 = add_layer(input_x, LAYER1, "layer1", "layer_out", seed=1)
    pre, numbers2 = add_layer(layer_out, CLASSES, "layer2", "pre", seed=2)
    with v1.name_scope("cross_entropy"):
        loss = v1.reduce_mean(v1.nn.softmax_cross_entropy_with_logits_v2(labels=label_y, logits=pre))
        v1.summary.scalar("loss", loss)
    with v1.name_scope("accuracy"):
        correct = v1.equal(v1.argmax(pre, 1), v1.argmax(label_y, 1))
        accuracy = v1.reduce_mean(v1.cast(correct, v1.float32))
        v1.summary.scalar("of_batch", accuracy)
    merged = v1.summary.merge_all()
    # A run has only this order: the summaries must see the weights that the loss has seen.
    with v1.name_scope("train"), v1.control_dependencies([merged]):
        optimizer = v1.train.GradientDescentOptimizer(LEARNING_RATE)
        pairs = optimizer.compute_gradients(loss)
        train = optimizer.apply_gradients(pairs)
    return {
        "input_x": input_x,
        "label_y": label_y,
        "y": pre,
        "summary": merged,
        "numbers": {**numbers1, **numbers2, "cross_entropy/loss": loss, "accuracy/of_batch": accuracy},
        "train": train,
        "variables": {v.op.name: v for _, v in pairs},
        "gradients": {f"gradient/{v.op.name}": gradient for gradient, v in pairs},
    }


def run_graph(steps=STEPS, out=None):
    """Only what a run returns is written. `out`: the event file's folder, or None for a temporary one."""
    data, rows = mnist.read_data_sets(one_hot=True, seed=SEED), []
    with v1.Graph().as_default(), v1.Session() as sess, tempfile.TemporaryDirectory() as scratch:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        trace = {f"initial/{k}": v for k, v in sess.run(graph["variables"]).items()}
        writer = v1.summary.FileWriter(out or scratch, sess.graph)
        bar = console.steps(steps)
        for step in bar:
            xs, ys = data.train.next_batch(BATCH_SIZE)
            feed = {graph["input_x"]: xs, graph["label_y"]: ys}
            fetches = graph["train"], graph["summary"], graph["numbers"], {} if step else graph["gradients"]
            _, summary, numbers, gradients = sess.run(fetches, feed)
            trace |= gradients
            writer.add_summary(summary, step)
            rows.append(numbers)
            bar.show(loss=numbers["cross_entropy/loss"])
        writer.close()
        trace.update({f"final/{k}": v for k, v in sess.run(graph["variables"]).items()})
    return {**trace, **as_trace(rows)}


class Layer(tf.Module):
    """Computes inputs * weight + bias, in a box of its own."""

    def __init__(self, inputs, units, name, seed):
        super().__init__(name=name)
        self.weight = tf.Variable(tf.random.normal([inputs, units], seed=seed), name=f"{name}/weight")
        self.bias = tf.Variable(tf.fill([units], BIAS_START), name=f"{name}/bias")

    def __call__(self, inputs):
        with tf.name_scope(f"{self.name}/wx_add_b"):
            return tf.add(tf.matmul(inputs, self.weight), self.bias)


class Net(tf.Module):
    """The network 784 - 20 - 10, with nothing in between."""

    def __init__(self):
        super().__init__()
        self.layer1 = Layer(SIDE * SIDE, LAYER1, "layer1", seed=1)
        self.layer2 = Layer(LAYER1, CLASSES, "layer2", seed=2)
        self.all = [self.layer1.weight, self.layer1.bias, self.layer2.weight, self.layer2.bias]
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)

    @tf.function
    def train(self, input_x, label_y):
        """Makes one step.

        Returns the values before it: both layers (n, 20) and (n, 10), loss, accuracy and gradients.
        """
        with tf.GradientTape() as tape:
            layer_out = self.layer1(input_x)
            pre = self.layer2(layer_out)
            with tf.name_scope("cross_entropy"):
                loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=label_y, logits=pre))
        with tf.name_scope("accuracy"):
            accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(pre, 1), tf.argmax(label_y, 1)), tf.float32))
        with tf.name_scope("train"):
            gradients = self.optimizer.minimize(tape, loss, self.all)
        return layer_out, pre, loss, accuracy, gradients


def write_statistics(tensor, name, step):
    """Writes the summaries of a variable under `name`. Returns the four numbers by tag."""
    mean = tf.reduce_mean(tensor)
    stddev = tf.sqrt(tf.reduce_mean(tf.square(tensor - mean)))
    numbers = {"mean": mean, "stddev": stddev, "max": tf.reduce_max(tensor), "min": tf.reduce_min(tensor)}
    numbers = {f"{name}/{tag}": number for tag, number in numbers.items()}
    for tag, number in numbers.items():
        tf.summary.scalar(tag, number, step)
    tf.summary.histogram(f"{name}/histogram", tensor, step)
    return numbers


def train_and_write(net, input_x, label_y, step):
    """Makes one step and writes its summaries. Returns the numbers by tag, and the gradients.

    The variables are read before the step.
    """
    numbers = {}
    for layer in (net.layer1, net.layer2):
        numbers |= write_statistics(layer.weight, f"{layer.name}/weights", step)
        numbers |= write_statistics(layer.bias, f"{layer.name}/biases", step)
    layer_out, pre, loss, accuracy, gradients = net.train(input_x, label_y)
    outputs = {"cross_entropy/loss": loss, "accuracy/of_batch": accuracy}
    for tag, number in outputs.items():
        tf.summary.scalar(tag, number, step)
    tf.summary.histogram("layer1/layer_out", layer_out, step)
    tf.summary.histogram("layer2/pre", pre, step)
    pictures = tf.reshape(input_x, [-1, SIDE, SIDE, 1])  # (n, 784) -> (n, 28, 28, 1)
    tf.summary.image("input_reshape/input", pictures, step, max_outputs=PICTURES)
    return {tag: number.numpy() for tag, number in {**numbers, **outputs}.items()}, gradients


def run_function(steps=STEPS, out=None):
    """The writer is a context. Summaries inside it are written."""
    tf.random.set_seed(SEED)
    data, rows = mnist.read_data_sets(one_hot=True, seed=SEED), []
    net = Net()
    variables = {v.name.partition(":")[0]: v for v in net.all}
    trace = {f"initial/{k}": v.numpy() for k, v in variables.items()}
    with tempfile.TemporaryDirectory() as scratch:
        writer = tf.summary.create_file_writer(os.fspath(out or scratch))
        bar = console.steps(steps)
        with writer.as_default():
            for step in bar:
                xs, ys = data.train.next_batch(BATCH_SIZE)
                batch = tf.constant(xs), tf.constant(ys, tf.float32)
                numbers, gradients = train_and_write(net, *batch, step)
                if step == 0:
                    trace |= {f"gradient/{name}": each.numpy() for name, each in zip(variables, gradients)}
                rows.append(numbers)
                bar.show(loss=rows[-1]["cross_entropy/loss"])
            tf.summary.graph(net.train.get_concrete_function(*batch).graph)
        writer.close()
    trace.update({f"final/{k}": v.numpy() for k, v in variables.items()})
    return {**trace, **as_trace(rows)}


def plot(trace):
    """Returns a figure of loss and accuracy, and of each variable what TensorBoard's page of distributions shows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    rows = figure.subplots(2, 3)
    for axes, tag in zip(rows[:, 0], ("cross_entropy/loss", "accuracy/of_batch")):
        axes.plot(trace[f"steps/{tag}"])
        axes.set_title(tag)
    scopes = [f"{layer}/{name}" for layer in ("layer1", "layer2") for name in ("weights", "biases")]
    for axes, scope in zip(rows[:, 1:].flat, scopes):
        mean, stddev, most, least = (trace[f"steps/{scope}/{tag}"] for tag in ("mean", "stddev", "max", "min"))
        axes.fill_between(range(len(mean)), least, most, alpha=0.2, label="min to max")
        axes.fill_between(range(len(mean)), mean - stddev, mean + stddev, alpha=0.4, label="mean and deviation")
        axes.plot(mean)
        axes.set_title(scope)
    for axes in rows[1]:
        axes.set_xlabel("step")
    rows[0, 1].legend(loc="upper right")
    return figure
