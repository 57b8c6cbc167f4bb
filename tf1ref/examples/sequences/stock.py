"""Sixty opening prices in, the next one out: simple cells, LSTM, GRU

Source: S4 5868-6480
TF1: dynamic_rnn twice, dropout between; the network is built once to train and once, with its variables, to predict.
Now: two RNN objects and a dense layer; one function with dropout trains, one without predicts.
Errata: S4's program under the heading "RNN" is its LSTM program again, line for line. Here that network has the simple
    cells that the heading speaks of. S4 prints the LSTM's table and figures (mse 10297.97, rmse 101.48, mae 96.16)
    under all three. Keras draws the kernel of a layer's inputs by glorot and that of its state orthogonally. Here, as
    in TF1, the two are one kernel with one glorot draw. A constant 1 in the sum opens an LSTM's forget gates at the
    start. S4 validates on the 300 days on which it tests. It saves the epoch that is best there, and predicts with the
    last one. Its GRU is Keras', with a second bias; here it is TF1's, with 74,081 parameters.
See: Cho et al., the gated recurrent unit in Learning Phrase Representations, arXiv:1406.1078
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_most, exactly
from tf1ref.data import stock
from tf1ref.legacy.nn import rnn_cell
from tf1ref.modules import optimizers, rnn
from tf1ref.modules.rnn_unroll import RNN
from tf1ref.parity import Trace

SEED = 7
STEPS = 1650  # 50 epochs of 33 batches
TEST_DAYS = 300
DAYS_IN = 60
BATCH_SIZE = 64
UNITS1 = 80
UNITS2 = 100
DROPOUT_RATE = 0.2
LEARNING_RATE = 0.001
EPSILON = 1e-7  # Keras' own epsilon for Adam; TF1's is 1e-8
KINDS = ("SimpleRNN", "LSTM", "GRU")

# S4 prints the rmse of an LSTM without seeds. Three epochs in a row differ by as much as a half.
EXPECTED = {
    "final/SimpleRNN/parameters": exactly(24761),
    "final/LSTM/parameters": exactly(98741),
    "final/GRU/parameters": exactly(74081),
    "final/LSTM/rmse": at_most(101.478902),
}


class Prices:
    """Windows of prices, scaled so that the training prices lie between 0 and 1.

    train_x (n, 60, 1), train_y (n, 1), test_x (240, 60, 1), test_y (240, 1), float32.
    """

    def __init__(self, prices):
        train, test = prices[:-TEST_DAYS], prices[-TEST_DAYS:]
        self.low, self.span = train.min(), np.ptp(train) or 1.0
        self.train_x, self.train_y = self._windows(train)
        self.test_x, self.test_y = self._windows(test)

    def _windows(self, prices):
        scaled = ((prices - self.low) / self.span).astype(np.float32)
        x = np.stack([scaled[i - DAYS_IN : i] for i in range(DAYS_IN, len(scaled))])
        return x[:, :, None], scaled[DAYS_IN:, None]

    def prices(self, scaled):
        """Turns scaled prices (n, 1) into prices (n,), float64."""
        return scaled[:, 0].astype(np.float64) * self.span + self.low

    def batches(self):
        """Yields (x, y, whether it ends an epoch) for ever. Each epoch is shuffled anew."""
        random, count = np.random.RandomState(SEED), len(self.train_x)
        while True:
            order = random.permutation(count)
            for i in range(0, count, BATCH_SIZE):
                rows = order[i : i + BATCH_SIZE]
                yield self.train_x[rows], self.train_y[rows], i + BATCH_SIZE >= count


def figures(data, scaled, variables):
    """Returns the three measures of predictions (240, 1), in the unit of the prices, and the values behind them."""
    predicted, real = data.prices(scaled), data.prices(data.test_y)
    mse = np.mean(np.square(predicted - real))
    measures = {"mse": mse, "rmse": np.sqrt(mse), "mae": np.mean(np.abs(predicted - real))}
    return {**measures, "prediction": predicted, "parameters": sum(int(np.prod(v.shape)) for v in variables.values())}


def inference(x, kind, train):
    """Adds the network from (n, 60, 1) to (n, 1). `train` adds dropout."""
    cell = {"SimpleRNN": rnn_cell.BasicRNNCell, "LSTM": rnn_cell.BasicLSTMCell, "GRU": rnn_cell.GRUCell}[kind]
    for layer, units in ((1, UNITS1), (2, UNITS2)):
        with v1.variable_scope(f"layer{layer}", initializer=v1.glorot_uniform_initializer(seed=layer)):
            x, _ = v1.nn.dynamic_rnn(cell(units), x, dtype=v1.float32)
        x = x[:, -1, :] if layer == 2 else x  # (n, days, units) -> (n, units)
        x = v1.nn.dropout(x, rate=DROPOUT_RATE, seed=10 + layer) if train else x
    with v1.variable_scope("dense"):
        kernel = v1.get_variable("kernel", [UNITS2, 1], initializer=v1.glorot_uniform_initializer(seed=3))
        return v1.matmul(x, kernel) + v1.get_variable("bias", [1], initializer=v1.zeros_initializer())


def build_graph(kind="LSTM"):
    """Adds the network of a kind twice, its loss and its training op to the default graph."""
    x = v1.placeholder(v1.float32, [None, DAYS_IN, 1], name="x")
    y_ = v1.placeholder(v1.float32, [None, 1], name="y_")
    loss = v1.losses.mean_squared_error(y_, inference(x, kind, train=True))
    with v1.variable_scope(v1.get_variable_scope(), reuse=True):
        y = inference(x, kind, train=False)
    optimizer = v1.train.AdamOptimizer(LEARNING_RATE, epsilon=EPSILON)
    pairs = optimizer.compute_gradients(loss)
    return {
        "x": x,
        "y_": y_,
        "y": v1.identity(y, name="y"),
        "loss": loss,
        "test_loss": v1.losses.mean_squared_error(y_, y),
        "variables": {variable.op.name: variable for _, variable in pairs},
        "gradients": {variable.op.name: gradient for gradient, variable in pairs},
        "train": optimizer.apply_gradients(pairs),
        "slots": {variable.op.name: variable for variable in optimizer.variables()},
    }


def train_graph(kind, data, steps, trace):
    """Trains one kind of network in a session. The test loss is measured at the end of every epoch."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph(kind)
        x, y_ = graph["x"], graph["y_"]
        sess.run(v1.global_variables_initializer())
        trace.initial({f"{kind}/{k}": v for k, v in sess.run(graph["variables"]).items()})
        test_losses, bar = trace.setdefault(f"{kind}/test_loss", []), console.steps(steps)
        for step, (xs, ys, epoch_ends) in zip(bar, data.batches()):
            fetches = [graph["loss"], graph["train"]] + ([graph["gradients"]] if step == 0 else [])
            loss, _, *first = sess.run(fetches, {x: xs, y_: ys})
            if first:
                trace.gradients({f"{kind}/{k}": v for k, v in first[0].items()})
            trace.step(**{f"{kind}/loss": loss})
            if epoch_ends or step == steps - 1:
                test_losses.append(sess.run(graph["test_loss"], {x: data.test_x, y_: data.test_y}))
            bar.show(loss=loss)
        variables = sess.run(graph["variables"])
        trace.slots({f"{kind}/{k}": v for k, v in sess.run(graph["slots"]).items()})
        answers = figures(data, sess.run(graph["y"], {x: data.test_x}), variables)
    trace.final({f"{kind}/{k}": v for k, v in {**variables, **answers}.items()})


def run_graph(steps=STEPS):
    """Three networks have a graph each. mse, rmse and mae are those of the test days, in the unit of the prices."""
    data, trace = Prices(stock.load()), Trace()
    for kind in KINDS:
        train_graph(kind, data, steps, trace)
    trace.final({"real": data.prices(data.test_y)})
    return trace.arrays()


class Network(tf.Module):
    """Two recurrent layers of a kind, a weighted sum and the optimizer."""

    def __init__(self, kind):
        super().__init__()
        cell = {"SimpleRNN": rnn.BasicRNNCell, "LSTM": rnn.BasicLSTMCell, "GRU": rnn.GRUCell}[kind]
        self.layer1 = RNN(cell(UNITS1, seed=1), name="layer1/rnn").create(1)
        self.layer2 = RNN(cell(UNITS2, seed=2), name="layer2/rnn").create(UNITS1)
        edge = (6.0 / (UNITS2 + 1)) ** 0.5  # glorot uniform
        self.kernel = tf.Variable(tf.random.uniform([UNITS2, 1], -edge, edge, seed=3), name="dense/kernel")
        self.bias = tf.Variable(tf.zeros([1]), name="dense/bias")
        self.optimizer = optimizers.Adam(LEARNING_RATE, epsilon=EPSILON)
        self.optimizer.create(self.variables_by_name().values())

    def variables_by_name(self):
        """Returns {name in the graph: variable}."""
        layers = {**self.layer1.variables_by_name(), **self.layer2.variables_by_name()}
        return {**layers, "dense/kernel": self.kernel, "dense/bias": self.bias}

    def outputs(self, x, train):
        """Turns (n, 60, 1) into (n, 1); `train` adds dropout."""
        x, _ = self.layer1(x)
        x = tf.nn.dropout(x, rate=DROPOUT_RATE, seed=11) if train else x
        x = self.layer2(x)[0][:, -1, :]  # (n, days, units) -> (n, units)
        x = tf.nn.dropout(x, rate=DROPOUT_RATE, seed=12) if train else x
        return tf.matmul(x, self.kernel) + self.bias

    @tf.function
    def predict(self, x):
        """Returns the next price, scaled."""
        return self.outputs(x, train=False)

    # One trace serves every size of batch, because each trace would start the masks anew.
    @tf.function(input_signature=[tf.TensorSpec([None, DAYS_IN, 1]), tf.TensorSpec([None, 1])])
    def train(self, x, y_):
        """Makes one step. Returns the loss before it and its gradients."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.math.squared_difference(self.outputs(x, train=True), y_))
        return loss, self.optimizer.minimize(tape, loss, list(self.variables_by_name().values()))

    @tf.function
    def test_loss(self, x, y_):
        """Returns the mean squared error without dropout."""
        return tf.reduce_mean(tf.math.squared_difference(self.outputs(x, train=False), y_))


def train_function(kind, data, steps, trace):
    """Trains one object."""
    tf.random.set_seed(SEED)
    network = Network(kind)
    variables = network.variables_by_name()
    trace.initial({f"{kind}/{k}": v for k, v in variables.items()})
    test = tf.constant(data.test_x), tf.constant(data.test_y)
    test_losses, bar = trace.setdefault(f"{kind}/test_loss", []), console.steps(steps)
    for step, (xs, ys, epoch_ends) in zip(bar, data.batches()):
        loss, gradients = network.train(tf.constant(xs), tf.constant(ys))
        if step == 0:
            trace.gradients({f"{kind}/{k}": g for k, g in zip(variables, gradients)})
        trace.step(**{f"{kind}/loss": loss})
        if epoch_ends or step == steps - 1:
            test_losses.append(network.test_loss(*test).numpy())
        bar.show(loss=loss)
    values = {name: variable.numpy() for name, variable in variables.items()}
    trace.slots({f"{kind}/{k}": v for k, v in network.optimizer.variables_by_name().items()})
    answers = figures(data, network.predict(test[0]).numpy(), values)
    trace.final({f"{kind}/{k}": v for k, v in {**values, **answers}.items()})


def run_function(steps=STEPS):
    """Three objects of one class."""
    data, trace = Prices(stock.load()), Trace()
    for kind in KINDS:
        train_function(kind, data, steps, trace)
    trace.final({"real": data.prices(data.test_y)})
    return trace.arrays()


def plot(trace):
    """Returns a figure of the predicted prices beside the real ones, and the losses of the epochs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3 * len(KINDS)), layout="constrained")
    for kind, (prices, losses) in zip(KINDS, figure.subplots(len(KINDS), 2, squeeze=False)):
        prices.plot(trace["final/real"], color="red", label="price")
        prices.plot(trace[f"final/{kind}/prediction"], color="blue", label="predicted")
        prices.set(title=f"{kind}: rmse {trace[f'final/{kind}/rmse']:.1f}", xlabel="test day")
        losses.plot(trace[f"steps/{kind}/loss"], linewidth=0.6, label="training loss")
        ends = np.linspace(0, len(trace[f"steps/{kind}/loss"]), len(trace[f"{kind}/test_loss"]) + 1)[1:]
        losses.plot(ends, trace[f"{kind}/test_loss"], label="test loss")
        losses.set(title=kind, xlabel="step", yscale="log")
        prices.legend()
        losses.legend()
    return figure
