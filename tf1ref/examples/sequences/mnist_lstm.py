"""Three LSTM layers read a digit row by row

Source: S3 3834-3944
TF1: MultiRNNCell of DropoutWrapper of BasicLSTMCell, run over the 28 rows by dynamic_rnn; keep_prob is fed.
Now: the same cells; the function that trains wraps them with dropout, the one that predicts takes them as they are.
Errata: S3's loss is also a mean over the ten classes, and so a tenth of the cross entropy. It takes the log of a
    softmax, which is infinite where that rounds to 0. Both are kept: a factor has no effect on Adam, and 200 steps do
    not come near 0. In S3 the rows draw their masks in any order, so that a seed does not determine them. Here
    DropoutWrapper keeps the rows' order.
See: Hochreiter and Schmidhuber, Long Short-Term Memory, doi:10.1162/neco.1997.9.8.1735
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_least
from tf1ref.data import mnist
from tf1ref.legacy.contrib import rnn as contrib_rnn
from tf1ref.modules import optimizers, rnn, rnn_wrappers
from tf1ref.modules.rnn_unroll import RNN

SEED = 1
STEPS = 200
ROWS = 28
COLUMNS = 28
HIDDEN_SIZE = 64
NUM_LAYERS = 3
CLASS_NUM = 10
BATCH_SIZE = 128
LEARNING_RATE = 1e-3
KEEP_PROB = 0.5
FORGET_BIAS = 1.0
WEIGHT_DEVIATION = 0.1
BIAS_START = 0.1
REPORT_EVERY = 100
PICTURE = 5  # index of the training picture whose reading is shown

EXPECTED = {"final/test_accuracy": at_least(0.8)}  # S3 prints 0.8588


def softmax(x):
    """Returns the softmax of the last axis of an array."""
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def build_graph():
    """Adds the network, its loss and its training op to the default graph; batch_size and keep_prob are fed."""
    keep_prob = v1.placeholder_with_default(1.0, [], name="output_keep_prob")
    _x = v1.placeholder(v1.float32, [None, ROWS * COLUMNS], name="x")
    y = v1.placeholder(v1.float32, [None, CLASS_NUM], name="y_")
    x = v1.reshape(_x, [-1, ROWS, COLUMNS])  # (n, 784) -> (n, 28, 28)

    def unit_lstm(number):
        cell = contrib_rnn.BasicLSTMCell(num_units=HIDDEN_SIZE, forget_bias=FORGET_BIAS, state_is_tuple=True)
        return contrib_rnn.DropoutWrapper(cell, input_keep_prob=1.0, output_keep_prob=keep_prob, seed=10 + number)

    mlstm_cell = contrib_rnn.MultiRNNCell([unit_lstm(i) for i in range(NUM_LAYERS)], state_is_tuple=True)
    init_state = mlstm_cell.zero_state(v1.shape(x)[0], dtype=v1.float32)
    with v1.variable_scope(v1.get_variable_scope(), initializer=v1.glorot_uniform_initializer(seed=1)):
        outputs, _ = v1.nn.dynamic_rnn(mlstm_cell, inputs=x, initial_state=init_state)
    w = v1.Variable(v1.truncated_normal([HIDDEN_SIZE, CLASS_NUM], stddev=WEIGHT_DEVIATION, seed=2), name="W")
    bias = v1.Variable(v1.constant(BIAS_START, shape=[CLASS_NUM]), name="bias")
    y_pre = v1.nn.softmax(v1.matmul(outputs[:, -1, :], w) + bias, name="y")  # (n, 28, 64) -> (n, 10)
    cross_entropy = -v1.reduce_mean(y * v1.log(y_pre))
    optimizer = v1.train.AdamOptimizer(LEARNING_RATE)
    pairs = optimizer.compute_gradients(cross_entropy)
    correct = v1.equal(v1.argmax(y_pre, 1), v1.argmax(y, 1))
    return {
        "x": _x,
        "y_": y,
        "output_keep_prob": keep_prob,
        "y": y_pre,
        "outputs": outputs,
        "loss": cross_entropy,
        "variables": {variable.op.name: variable for _, variable in pairs},
        "gradients": {variable.op.name: gradient for gradient, variable in pairs},
        "train": optimizer.apply_gradients(pairs),
        "slots": {s.op.name: s for _, v in pairs for s in (optimizer.get_slot(v, "m"), optimizer.get_slot(v, "v"))},
        "accuracy": v1.reduce_mean(v1.cast(correct, v1.float32), name="accuracy"),
    }


def train_graph(sess, graph, data, steps, trace):
    """Trains. An evaluation of a training batch draws masks, too, which keep everything."""
    x, y_, keep = graph["x"], graph["y_"], graph["output_keep_prob"]
    losses, accuracies, bar = [], [], console.steps(steps)
    for step in bar:
        xs, ys = data.train.next_batch(BATCH_SIZE)
        if step % REPORT_EVERY == 0:
            accuracies.append(sess.run(graph["accuracy"], {x: xs, y_: ys, keep: 1.0}))
        fetches = [graph["loss"], graph["train"]] + ([graph["gradients"]] if step == 0 else [])
        loss, _, *first = sess.run(fetches, {x: xs, y_: ys, keep: KEEP_PROB})
        if first:
            trace.update({f"gradient/{k}": v for k, v in first[0].items()})
        losses.append(loss)
        bar.show(loss=loss, accuracy=accuracies[-1])
    trace["steps/loss"], trace["train_accuracy"] = np.array(losses), np.array(accuracies)


def run_graph(steps=STEPS):
    """final/rows has the network's answer after each row of a picture, (28, 10)."""
    data, trace = mnist.read_data_sets(one_hot=True, seed=SEED), {}
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        trace.update({f"initial/{k}": v for k, v in sess.run(graph["variables"]).items()})
        train_graph(sess, graph, data, steps, trace)
        test = {graph["x"]: data.test.images, graph["y_"]: data.test.labels}
        trace["final/test_accuracy"] = sess.run(graph["accuracy"], test)
        variables = sess.run(graph["variables"])
        trace.update({f"final/{k}": v for k, v in variables.items()})
        trace.update({f"slots/{k}": v for k, v in sess.run(graph["slots"]).items()})
        (outputs,) = sess.run(graph["outputs"], {graph["x"]: data.train.images[PICTURE : PICTURE + 1]})
    trace["final/rows"] = softmax(np.matmul(outputs, variables["W"]) + variables["bias"])
    trace["final/label"] = data.train.labels[PICTURE].argmax()
    return trace


class Network(tf.Module):
    """Three cells, a dense layer and the optimizer."""

    def __init__(self):
        super().__init__()
        cells = [rnn.BasicLSTMCell(HIDDEN_SIZE, FORGET_BIAS, seed=1) for _ in range(NUM_LAYERS)]
        self.rnn = RNN(rnn_wrappers.MultiRNNCell(cells)).create(COLUMNS)
        start = tf.random.truncated_normal([HIDDEN_SIZE, CLASS_NUM], stddev=WEIGHT_DEVIATION, seed=2)
        self.w = tf.Variable(start, name="W")
        self.bias = tf.Variable(tf.fill([CLASS_NUM], BIAS_START), name="bias")
        self.optimizer = optimizers.Adam(LEARNING_RATE)
        self.optimizer.create(self.variables_by_name().values())

    def variables_by_name(self):
        """Returns {name in the graph: variable}."""
        return {**self.rnn.variables_by_name(), "W": self.w, "bias": self.bias}

    def answers(self, outputs, y_):
        """Returns (probabilities (n, 10), accuracy) of outputs (n, 28, 64)."""
        y_pre = tf.nn.softmax(tf.matmul(outputs[:, -1, :], self.w) + self.bias)  # (n, 28, 64) -> (n, 10)
        correct = tf.equal(tf.argmax(y_pre, 1), tf.argmax(y_, 1))
        return y_pre, tf.reduce_mean(tf.cast(correct, tf.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 784]), tf.TensorSpec([None, 10]), tf.TensorSpec([])])
    def with_dropout(self, x, y_, keep):
        """Returns (loss, accuracy, gradients). Each call draws masks, so only the order of the calls counts."""
        wrapped = [
            rnn_wrappers.DropoutWrapper(cell, output_keep_prob=keep, seed=10 + number)
            for number, cell in enumerate(self.rnn.cell.cells)
        ]
        layers = RNN(rnn_wrappers.MultiRNNCell(wrapped))
        with tf.GradientTape() as tape:
            outputs, _ = layers(tf.reshape(x, [-1, ROWS, COLUMNS]))  # (n, 784) -> (n, 28, 64)
            y_pre, accuracy = self.answers(outputs, y_)
            loss = -tf.reduce_mean(y_ * tf.math.log(y_pre))
        return loss, accuracy, tape.gradient(loss, list(self.variables_by_name().values()))

    @tf.function
    def apply(self, gradients):
        """Makes one step."""
        self.optimizer.apply(zip(gradients, self.variables_by_name().values()))

    @tf.function
    def evaluate(self, x, y_):
        """Returns (outputs after each row (n, 28, 64), accuracy), without dropout."""
        outputs, _ = self.rnn(tf.reshape(x, [-1, ROWS, COLUMNS]))  # (n, 784) -> (n, 28, 64)
        return outputs, self.answers(outputs, y_)[1]


def train_function(network, data, steps, trace):
    """Trains. One function draws the masks, in the order of its calls."""
    keep, keep_all = tf.constant(KEEP_PROB), tf.constant(1.0)
    losses, accuracies, bar = [], [], console.steps(steps)
    for step in bar:
        xs, ys = (tf.constant(array, tf.float32) for array in data.train.next_batch(BATCH_SIZE))
        if step % REPORT_EVERY == 0:
            accuracies.append(network.with_dropout(xs, ys, keep_all)[1].numpy())
        loss, _, gradients = network.with_dropout(xs, ys, keep)
        network.apply(gradients)
        if step == 0:
            trace.update({f"gradient/{k}": g.numpy() for k, g in zip(network.variables_by_name(), gradients)})
        losses.append(loss.numpy())
        bar.show(loss=losses[-1], accuracy=accuracies[-1])
    trace["steps/loss"], trace["train_accuracy"] = np.array(losses), np.array(accuracies)


def run_function(steps=STEPS):
    """The evaluation has no dropout, instead of one that keeps everything."""
    tf.random.set_seed(SEED)
    data, network = mnist.read_data_sets(one_hot=True, seed=SEED), Network()
    trace = {f"initial/{k}": v.numpy() for k, v in network.variables_by_name().items()}
    train_function(network, data, steps, trace)
    test = tf.constant(data.test.images), tf.constant(data.test.labels, tf.float32)
    trace["final/test_accuracy"] = network.evaluate(*test)[1].numpy()
    trace.update({f"final/{k}": v.numpy() for k, v in network.variables_by_name().items()})
    trace.update({f"slots/{k}": v.numpy() for k, v in network.optimizer.slots.items()})
    picture = slice(PICTURE, PICTURE + 1)
    shown = tf.constant(data.train.images[picture]), tf.constant(data.train.labels[picture], tf.float32)
    outputs = network.evaluate(*shown)[0][0].numpy()
    trace["final/rows"] = softmax(np.matmul(outputs, network.w.numpy()) + network.bias.numpy())
    trace["final/label"] = data.train.labels[PICTURE].argmax()
    return trace


def plot(trace):
    """Returns a figure with a panel for each row: the network's answer for the digit so far."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 10), layout="constrained")
    figure.suptitle(f"The answers after each row of a digit that is {trace['final/label']}")
    for number, (axis, row) in enumerate(zip(figure.subplots(ROWS // 4, 4).ravel(), trace["final/rows"])):
        colors = ["C1" if digit == trace["final/label"] else "C0" for digit in range(CLASS_NUM)]
        axis.bar(range(CLASS_NUM), row, color=colors)
        axis.set(ylim=(0, 1), yticks=(), xticks=range(CLASS_NUM), title=f"row {number + 1}")
        axis.tick_params(labelsize=6)
    return figure
