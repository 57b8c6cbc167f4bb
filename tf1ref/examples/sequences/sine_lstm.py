"""Two LSTM layers learn the sine, in a session of one's own

Source: S3 4327-4396
TF1: MultiRNNCell under dynamic_rnn with a zero state of a fed batch size; losses.mean_squared_error; feeds.
Now: two cells in an RNN; the loss is a mean of squares.
Errata: S3 makes ten values the ten features of one step. So the network never makes a second step, and its state has no
    effect. This is kept (sine_lstm_estimator has the same). S3's gap of .01 is 100 / 9999, and its windows leave out
    the last one. It draws batches without a seed.
See: Hochreiter and Schmidhuber, Long Short-Term Memory, doi:10.1162/neco.1997.9.8.1735
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_most
from tf1ref.examples.sequences import _sine
from tf1ref.legacy.contrib import rnn as contrib_rnn
from tf1ref.modules import optimizers, rnn, rnn_wrappers
from tf1ref.modules.rnn_unroll import RNN

SEED = 1
STEPS = 1000
HIDDEN_SIZE = 30
NUM_LAYERS = 2
BATCH_SIZE = 32
LEARNING_RATE = 0.1
WEIGHT_DEVIATION = 0.1
BIAS_START = 0.1
REPORT_EVERY = 100

EXPECTED = {"final/test_loss": at_most(0.0032 * 1.5)}  # S3 prints 0.0031799008


def batches(size):
    """Yields the rows of a batch for ever: the first BATCH_SIZE of a permutation, as S3 draws them."""
    random = np.random.RandomState(SEED)
    while True:
        yield random.permutation(size)[:BATCH_SIZE]


def mlstm_inference(batch_size, x):
    """Adds the network: (n, 1, 10) to (n, 1)."""
    cells = [contrib_rnn.BasicLSTMCell(num_units=HIDDEN_SIZE) for _ in range(NUM_LAYERS)]
    mlstm_cell = contrib_rnn.MultiRNNCell(cells)
    init_state = mlstm_cell.zero_state(batch_size, dtype=v1.float32)
    with v1.variable_scope(v1.get_variable_scope(), initializer=v1.glorot_uniform_initializer(seed=1)):
        outputs, _ = v1.nn.dynamic_rnn(mlstm_cell, inputs=x, initial_state=init_state)
    w = v1.Variable(v1.truncated_normal([HIDDEN_SIZE, 1], stddev=WEIGHT_DEVIATION, seed=2), name="W")
    bias = v1.Variable(v1.constant(BIAS_START, shape=[1]), name="bias")
    return v1.matmul(outputs[:, -1, :], w) + bias  # (n, 1, 30) -> (n, 30) -> (n, 1)


def build_graph():
    """Adds the network, its loss and its training op to the default graph."""
    _x = v1.placeholder(v1.float32, [None, _sine.TIME_STEPS], name="x")
    _y = v1.placeholder(v1.float32, [None], name="y_")
    y_pre = mlstm_inference(v1.shape(_x)[0], v1.expand_dims(_x, 1))  # x (n, 10) -> (n, 1, 10)
    loss = v1.losses.mean_squared_error(v1.expand_dims(_y, 1), y_pre)
    optimizer = v1.train.GradientDescentOptimizer(LEARNING_RATE)
    pairs = optimizer.compute_gradients(loss)
    return {
        "x": _x,
        "y_": _y,
        "y": v1.identity(y_pre, name="y"),
        "loss": loss,
        "variables": {variable.op.name: variable for _, variable in pairs},
        "gradients": {variable.op.name: gradient for gradient, variable in pairs},
        "train": optimizer.apply_gradients(pairs),
    }


def run_graph(steps=STEPS):
    """train_loss is the loss of all training examples, every hundred steps."""
    train_x, train_y, test_x, test_y = _sine.data()
    losses, reports, trace = [], [], {}
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        x, y_ = graph["x"], graph["y_"]
        sess.run(v1.global_variables_initializer())
        trace.update({f"initial/{k}": v for k, v in sess.run(graph["variables"]).items()})
        bar = console.steps(steps)
        for step, batch in zip(bar, batches(len(train_x))):
            feed = {x: train_x[batch], y_: train_y[batch]}
            if step % REPORT_EVERY == 0:
                reports.append(sess.run(graph["loss"], {x: train_x, y_: train_y}))
            if step == 0:
                trace.update({f"gradient/{k}": v for k, v in sess.run(graph["gradients"], feed).items()})
            losses.append(sess.run([graph["loss"], graph["train"]], feed)[0])
            bar.show(loss=losses[-1], train_loss=reports[-1])
        trace.update({f"final/{k}": v for k, v in sess.run(graph["variables"]).items()})
        trace["final/test_loss"] = sess.run(graph["loss"], {x: test_x, y_: test_y})
        trace["final/prediction"] = sess.run(graph["y"], {x: test_x})[:, 0]
    trace["steps/loss"], trace["train_loss"] = np.array(losses), np.array(reports)
    return trace


class Network(tf.Module):
    """Two cells, one weighted sum and the optimizer."""

    def __init__(self):
        super().__init__()
        cells = [rnn.BasicLSTMCell(HIDDEN_SIZE, seed=1) for _ in range(NUM_LAYERS)]
        self.rnn = RNN(rnn_wrappers.MultiRNNCell(cells)).create(_sine.TIME_STEPS)
        start = tf.random.truncated_normal([HIDDEN_SIZE, 1], stddev=WEIGHT_DEVIATION, seed=2)
        self.w = tf.Variable(start, name="W")
        self.bias = tf.Variable(tf.fill([1], BIAS_START), name="bias")
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)

    def variables_by_name(self):
        """Returns {name in the graph: variable}."""
        return {**self.rnn.variables_by_name(), "W": self.w, "bias": self.bias}

    @tf.function
    def predict(self, x):
        """Turns (n, 10) into (n, 1): ten values as the features of one step."""
        outputs, _ = self.rnn(tf.expand_dims(x, 1))  # (n, 10) -> (n, 1, 10)
        return tf.matmul(outputs[:, -1, :], self.w) + self.bias  # (n, 1, 30) -> (n, 30) -> (n, 1)

    @tf.function
    def loss(self, x, y_):
        """Returns the mean squared error."""
        return tf.reduce_mean(tf.math.squared_difference(self.predict(x), tf.expand_dims(y_, 1)))

    @tf.function
    def train(self, x, y_):
        """Makes one step. Returns the loss before it and its gradients."""
        with tf.GradientTape() as tape:
            loss = self.loss(x, y_)
        return loss, self.optimizer.minimize(tape, loss, list(self.variables_by_name().values()))


def run_function(steps=STEPS):
    """The state of zeros is made where the batch size is known."""
    tf.random.set_seed(SEED)
    train_x, train_y, test_x, test_y = _sine.data()
    network = Network()
    variables = network.variables_by_name()
    trace = {f"initial/{k}": v.numpy() for k, v in variables.items()}
    losses, reports, bar = [], [], console.steps(steps)
    for step, batch in zip(bar, batches(len(train_x))):
        if step % REPORT_EVERY == 0:
            reports.append(network.loss(tf.constant(train_x), tf.constant(train_y)).numpy())
        loss, gradients = network.train(tf.constant(train_x[batch]), tf.constant(train_y[batch]))
        if step == 0:
            trace.update({f"gradient/{k}": g.numpy() for k, g in zip(variables, gradients)})
        losses.append(loss.numpy())
        bar.show(loss=losses[-1], train_loss=reports[-1])
    trace.update({f"final/{k}": v.numpy() for k, v in variables.items()})
    trace["final/test_loss"] = network.loss(tf.constant(test_x), tf.constant(test_y)).numpy()
    trace["final/prediction"] = network.predict(tf.constant(test_x))[:, 0].numpy()
    trace["steps/loss"], trace["train_loss"] = np.array(losses), np.array(reports)
    return trace


def plot(trace):
    """Returns a figure of the predicted series beside the real one."""
    return _sine.picture(trace["final/prediction"], "LSTM, traditional")
