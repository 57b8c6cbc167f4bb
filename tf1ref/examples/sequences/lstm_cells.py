"""Cells and what unrolls them: LSTM, GRU, stacked, with dropout, both ways

Source: S3 3755-3833, S4 6035-6090
TF1: a cell is one step; static_rnn writes steps out, dynamic_rnn loops, bidirectional_dynamic_rnn goes both ways.
Now: the same cells, made once with create(depth); an RNN around them loops or writes out.
Errata: S3's inference returns `predection`, a name that it does not define. Its steps draw their dropout masks in any
    order, so that a seed does not determine them. Here DropoutWrapper keeps the steps' order. S4's formulas are those
    of BasicLSTMCell, except for the 1 that TF1 adds to the forget gate.
See: Hochreiter and Schmidhuber, Long Short-Term Memory, doi:10.1162/neco.1997.9.8.1735
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import at_most, exactly
from tf1ref.errors import InputError
from tf1ref.legacy.contrib import rnn as contrib_rnn
from tf1ref.modules import rnn, rnn_wrappers
from tf1ref.modules.rnn_unroll import RNN

SEED = 1
BATCH_SIZE = 2
TIME_STEPS = 5
DEPTH = 3
HIDDEN_SIZE = 8
PROJECTED = 4
NUM_LAYERS = 3
LENGTHS = (5, 3)  # the second row ends early
OUTPUT_KEEP_PROB = 0.5
FORGET_BIAS = 1.0
WEIGHT_DEVIATION = 0.1
BIAS_START = 0.1

LSTM_PARAMETERS = 4 * ((DEPTH + HIDDEN_SIZE) * HIDDEN_SIZE + HIDDEN_SIZE)
EXPECTED = {
    "parameters/static": exactly(LSTM_PARAMETERS),
    "parameters/bidirectional": exactly(2 * LSTM_PARAMETERS),
    "parameters/gru": exactly(3 * ((DEPTH + HIDDEN_SIZE) * HIDDEN_SIZE + HIDDEN_SIZE)),
    "difference/static_and_dynamic": at_most(1e-6),
    "difference/formulas": at_most(1e-6),
    "difference/ended_row": exactly(0.0),
}


def series():
    """Returns the input, float32 (2, 5, 3). Raises InputError where LENGTHS does not fit it."""
    if len(LENGTHS) != BATCH_SIZE or not all(0 < length <= TIME_STEPS for length in LENGTHS):
        raise InputError(f"LENGTHS is {LENGTHS}: give {BATCH_SIZE} lengths, from 1 to the {TIME_STEPS} steps unrolled")
    return np.random.RandomState(SEED).randn(BATCH_SIZE, TIME_STEPS, DEPTH).astype(np.float32)


def by_formulas(kernel, bias):
    """Returns the outputs (2, 5, 8) of an LSTM with TF1's kernel (11, 32), step by step by S4's formulas."""
    w_i, w_c, w_f, w_o = np.split(kernel, 4, axis=1)
    b_i, b_c, b_f, b_o = np.split(bias, 4)
    c = h = np.zeros([BATCH_SIZE, HIDDEN_SIZE], np.float32)
    outputs = []
    for x in series().transpose(1, 0, 2):
        xh = np.concatenate([x, h], axis=1)
        i, f, o = (1 / (1 + np.exp(-z)) for z in (xh @ w_i + b_i, xh @ w_f + b_f + FORGET_BIAS, xh @ w_o + b_o))
        c = f * c + i * np.tanh(xh @ w_c + b_c)
        h = o * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def figures(trace):
    """Adds parameter counts, and how far apart values are that should be equal."""
    sizes = {key.removeprefix("initial/"): value.size for key, value in trace.items() if key.startswith("initial/")}
    for part in ("static", "bidirectional", "gru"):
        trace[f"parameters/{part}"] = sum(size for name, size in sizes.items() if name.startswith(f"{part}/"))
    weights = (trace[f"initial/static/rnn/basic_lstm_cell/{name}"] for name in ("kernel", "bias"))
    static = trace["forward/static"]
    trace["difference/formulas"] = np.abs(static - by_formulas(*weights)).max()
    trace["difference/static_and_dynamic"] = np.abs(static[0] - trace["forward/dynamic"][0]).max()
    trace["difference/ended_row"] = np.abs(trace["forward/dynamic"][1, LENGTHS[1] :]).max()
    return trace


def one_step(x):
    """Adds one call of each cell, on the first inputs and zeros."""
    peepholes = contrib_rnn.LSTMCell(HIDDEN_SIZE, use_peepholes=True, num_proj=PROJECTED, forget_bias=FORGET_BIAS)
    cells = {"peepholes": peepholes, "gru": contrib_rnn.GRUCell(HIDDEN_SIZE)}
    return {name: cell(x[:, 0], cell.zero_state(BATCH_SIZE, v1.float32), scope=name) for name, cell in cells.items()}


def unrolled(x):
    """Adds the same cell along the series: written out, looped over, and in both directions."""

    def cell():
        return contrib_rnn.BasicLSTMCell(HIDDEN_SIZE, forget_bias=FORGET_BIAS)

    with v1.variable_scope("static"):
        steps, _ = contrib_rnn.static_rnn(cell(), v1.unstack(x, axis=1), dtype=v1.float32)
    with v1.variable_scope("dynamic"):
        dynamic, state = v1.nn.dynamic_rnn(cell(), x, sequence_length=LENGTHS, dtype=v1.float32)
    with v1.variable_scope("bidirectional"):
        both, _ = v1.nn.bidirectional_dynamic_rnn(cell(), cell(), x, sequence_length=LENGTHS, dtype=v1.float32)
    outputs = {"static": v1.stack(steps, axis=1), "dynamic": dynamic, "bidirectional": v1.concat(both, axis=2)}
    return {**outputs, "dynamic_state": v1.concat(state, axis=1)}


def mlstm_inference(x):
    """Adds S3's network: three layers with dropout, and a weighted sum of the last outputs, (2, 1)."""

    def unit_lstm(number):
        cell = contrib_rnn.BasicLSTMCell(num_units=HIDDEN_SIZE, forget_bias=FORGET_BIAS)
        return contrib_rnn.DropoutWrapper(cell, output_keep_prob=OUTPUT_KEEP_PROB, seed=10 + number)

    mlstm_cell = contrib_rnn.MultiRNNCell([unit_lstm(i) for i in range(NUM_LAYERS)])
    init_state = mlstm_cell.zero_state(BATCH_SIZE, dtype=v1.float32)
    outputs, _ = v1.nn.dynamic_rnn(mlstm_cell, inputs=x, initial_state=init_state)
    w = v1.Variable(v1.truncated_normal([HIDDEN_SIZE, 1], stddev=WEIGHT_DEVIATION, seed=2), name="W")
    bias = v1.Variable(v1.constant(BIAS_START, shape=[1]), name="bias")
    return v1.matmul(outputs[:, -1, :], w) + bias  # the last step alone: (n, size) -> (n, 1)


def build_graph():
    """Adds every cell and network to the default graph."""
    x = v1.placeholder(v1.float32, [BATCH_SIZE, TIME_STEPS, DEPTH], name="x")
    with v1.variable_scope(v1.get_variable_scope(), initializer=v1.glorot_uniform_initializer(seed=1)):
        steps = one_step(x)
        outputs = unrolled(x)
        prediction = mlstm_inference(x)
    (projected, (c, h)), (gru, _) = steps["peepholes"], steps["gru"]
    outputs.update(peepholes=projected, peepholes_c=c, peepholes_h=h, gru=gru, prediction=prediction)
    variables = {v.op.name: v for v in v1.trainable_variables()}
    total = v1.add_n([v1.reduce_sum(each) for each in outputs.values()])
    gradients = dict(zip(variables, v1.gradients(total, list(variables.values()))))
    return {"x": x, "outputs": outputs, "variables": variables, "gradients": gradients}


def run_graph():
    """One run fetches the outputs and the gradients of their sum, so both have the same dropout."""
    rows = series()
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        trace = {f"initial/{k}": v for k, v in sess.run(graph["variables"]).items()}
        outputs, gradients = sess.run([graph["outputs"], graph["gradients"]], {graph["x"]: rows})
    trace.update({f"forward/{k}": v for k, v in outputs.items()})
    return figures({**trace, **{f"gradient/{k}": v for k, v in gradients.items()}})


class Cells(tf.Module):
    """Every cell, with the graph's names."""

    def __init__(self):
        super().__init__()

        def lstm():
            return rnn.BasicLSTMCell(HIDDEN_SIZE, FORGET_BIAS, seed=1)

        options = {"use_peepholes": True, "num_proj": PROJECTED, "forget_bias": FORGET_BIAS}
        self.peepholes = rnn.LSTMCell(HIDDEN_SIZE, **options, seed=1, name="peepholes").create(DEPTH)
        self.gru = rnn.GRUCell(HIDDEN_SIZE, seed=1, name="gru").create(DEPTH)
        self.static = RNN(lstm(), unroll=True, name="static/rnn").create(DEPTH)
        self.dynamic = RNN(lstm(), name="dynamic/rnn").create(DEPTH)
        self.forward = RNN(lstm(), name="bidirectional/bidirectional_rnn/fw").create(DEPTH)
        self.backward = RNN(lstm(), name="bidirectional/bidirectional_rnn/bw").create(DEPTH)
        layers = [
            rnn_wrappers.DropoutWrapper(lstm(), output_keep_prob=OUTPUT_KEEP_PROB, seed=10 + number)
            for number in range(NUM_LAYERS)
        ]
        self.mlstm = RNN(rnn_wrappers.MultiRNNCell(layers)).create(DEPTH)
        start = tf.random.truncated_normal([HIDDEN_SIZE, 1], stddev=WEIGHT_DEVIATION, seed=2)
        self.w = tf.Variable(start, name="W")
        self.bias = tf.Variable(tf.fill([1], BIAS_START), name="bias")

    def variables_by_name(self):
        """Returns {name in the graph: variable}, in the order in which the graph makes them."""
        layers = [self.peepholes, self.gru, self.static, self.dynamic, self.forward, self.backward, self.mlstm]
        named = {name: variable for layer in layers for name, variable in layer.variables_by_name().items()}
        return {**named, "W": self.w, "bias": self.bias}

    def outputs(self, x):
        """Returns what every cell makes of the series (2, 5, 3), by name."""
        peepholes, (c, h) = self.peepholes(x[:, 0], self.peepholes.zero_state(BATCH_SIZE))
        gru, _ = self.gru(x[:, 0], self.gru.zero_state(BATCH_SIZE))
        static, _ = self.static(x)
        dynamic, state = self.dynamic(x, sequence_length=LENGTHS)
        ahead, _ = self.forward(x, sequence_length=LENGTHS)
        back, _ = self.backward(tf.reverse_sequence(x, LENGTHS, seq_axis=1), sequence_length=LENGTHS)
        both = tf.concat([ahead, tf.reverse_sequence(back, LENGTHS, seq_axis=1)], axis=2)
        last = self.mlstm(x)[0][:, -1, :]  # (n, steps, size) -> (n, size)
        outputs = {"static": static, "dynamic": dynamic, "bidirectional": both}
        outputs.update(dynamic_state=tf.concat(state, axis=1), peepholes=peepholes, peepholes_c=c, peepholes_h=h)
        return {**outputs, "gru": gru, "prediction": tf.matmul(last, self.w) + self.bias}

    @tf.function
    def outputs_and_gradients(self, x):
        """Returns the outputs, and the gradients of their sum."""
        with tf.GradientTape() as tape:
            outputs = self.outputs(x)
            total = tf.add_n([tf.reduce_sum(each) for each in outputs.values()])
        return outputs, tape.gradient(total, self.variables_by_name())


def run_function():
    """The backward direction is a forward pass over the reversed rows."""
    tf.random.set_seed(SEED)
    cells = Cells()
    trace = {f"initial/{k}": v.numpy() for k, v in cells.variables_by_name().items()}
    outputs, gradients = cells.outputs_and_gradients(tf.constant(series()))
    trace.update({f"forward/{k}": v.numpy() for k, v in outputs.items()})
    return figures({**trace, **{f"gradient/{k}": v.numpy() for k, v in gradients.items()}})
