"""modules/rnn and its like: legacy's cells under v1.nn.dynamic_rnn and static_rnn in a session, to the bit."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.rnn import LSTMBlockFusedCell
from tf1ref.legacy.nn import rnn_cell as theirs
from tf1ref.modules import checkpoints, rnn, rnn_block
from tf1ref.modules.rnn_unroll import RNN
from tf1ref.modules.rnn_wrappers import DropoutWrapper, MultiRNNCell

SERIES = np.random.RandomState(1).randn(4, 5, 6, 3).astype(np.float32)  # batches, rows, steps, depth
LENGTHS = [6, 2, 0, 4, 5]
PEEPHOLES = {"use_peepholes": True, "cell_clip": 0.3, "num_proj": 2, "proj_clip": 0.2, "forget_bias": 0.5}


def stack(kind):
    """Two layers with dropout, of legacy's classes or of the modules'."""
    wrap, cells = (theirs.DropoutWrapper, theirs) if kind == "theirs" else (DropoutWrapper, rnn)
    options = {} if kind == "theirs" else {"seed": 3}
    return [
        wrap(cells.BasicLSTMCell(4, **options), 0.9, 0.8, 0.7, seed=11),
        wrap(cells.GRUCell(3, **options), output_keep_prob=0.6, state_keep_prob=0.9, seed=12),
    ]


# Name -> (legacy's cell, whose kernels start from the scope's initializer; the module's, with the same seed).
CELLS = {
    "BasicRNNCell": (lambda: theirs.BasicRNNCell(4, "relu"), lambda: rnn.BasicRNNCell(4, "relu", seed=3)),
    "BasicLSTMCell": (lambda: theirs.BasicLSTMCell(4, 0.7), lambda: rnn.BasicLSTMCell(4, 0.7, seed=3)),
    "GRUCell": (lambda: theirs.GRUCell(4), lambda: rnn.GRUCell(4, seed=3)),
    "LSTMCell": (lambda: theirs.LSTMCell(4, activation=v1.nn.elu), lambda: rnn.LSTMCell(4, activation="elu", seed=3)),
    "LSTMCell, peepholes": (lambda: theirs.LSTMCell(4, **PEEPHOLES), lambda: rnn.LSTMCell(4, **PEEPHOLES, seed=3)),
    "MultiRNNCell": (lambda: theirs.MultiRNNCell(stack("theirs")), lambda: MultiRNNCell(stack("ours"))),
}
NAMES = {
    "BasicRNNCell": ["rnn/basic_rnn_cell/kernel", "rnn/basic_rnn_cell/bias"],
    "BasicLSTMCell": ["rnn/basic_lstm_cell/kernel", "rnn/basic_lstm_cell/bias"],
    "GRUCell": [f"rnn/gru_cell/{part}/{name}" for part in ("gates", "candidate") for name in ("kernel", "bias")],
    "LSTMCell": ["rnn/lstm_cell/kernel", "rnn/lstm_cell/bias"],
    "LSTMCell, peepholes": [
        "rnn/lstm_cell/kernel", "rnn/lstm_cell/bias", "rnn/lstm_cell/w_f_diag", "rnn/lstm_cell/w_i_diag",
        "rnn/lstm_cell/w_o_diag", "rnn/lstm_cell/projection/kernel",
    ],
    "MultiRNNCell": [
        "rnn/multi_rnn_cell/cell_0/basic_lstm_cell/kernel", "rnn/multi_rnn_cell/cell_0/basic_lstm_cell/bias",
        "rnn/multi_rnn_cell/cell_1/gru_cell/gates/kernel", "rnn/multi_rnn_cell/cell_1/gru_cell/gates/bias",
        "rnn/multi_rnn_cell/cell_1/gru_cell/candidate/kernel", "rnn/multi_rnn_cell/cell_1/gru_cell/candidate/bias",
    ],
}  # fmt: skip


def in_graph(make, network, lengths=None):
    """The graph half: outputs and states of a series."""

    def build(x):
        with v1.variable_scope(v1.get_variable_scope(), initializer=v1.glorot_uniform_initializer(seed=3)):
            if network == "dynamic":
                return v1.nn.dynamic_rnn(make(), x, lengths, dtype=x.dtype)
            outputs, state = v1.nn.static_rnn(make(), v1.unstack(x, axis=1), None, x.dtype, lengths)
            return v1.stack(outputs, 1), state

    return build


def as_module(make, network, lengths=None):
    """The module half: the call, and the layer."""

    def made():
        layer = RNN(make(), unroll=network == "static").create(3)
        return (lambda x: layer(x, sequence_length=lengths)), [layer]

    return made


# Whole series go through static_rnn's cells as those with lengths do.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "lengths"),
    [
        ("dynamic", None),
        ("dynamic", LENGTHS),
        ("static", LENGTHS),
        pytest.param("static", None, marks=pytest.mark.long),
    ],
    ids=["dynamic-whole", "dynamic-lengths", "static-lengths", "static-whole"],
)
@pytest.mark.parametrize("name", CELLS)
def test_a_training_is_the_sessions(name, network, lengths, assert_trains_alike):
    graph, module = CELLS[name]
    assert_trains_alike(in_graph(graph, network, lengths), as_module(module, network, lengths), SERIES)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["BasicLSTMCell", "GRUCell"])
def test_gradient_descent_too(name, assert_trains_alike):
    graph, module = CELLS[name]
    trace = assert_trains_alike(in_graph(graph, "dynamic"), as_module(module, "dynamic"), SERIES, "descent")
    assert trace["steps/19/loss"] < trace["steps/0/loss"]


@pytest.mark.slow
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
@pytest.mark.parametrize("options", [{}, {"use_peephole": True, "cell_clip": 0.3, "forget_bias": 0.5}])
def test_a_fused_training_is_the_sessions(options, lengths, assert_trains_alike):
    def build(x):
        with v1.variable_scope("rnn", initializer=v1.glorot_uniform_initializer(seed=3)):
            series = v1.transpose(x, [1, 0, 2])
            return LSTMBlockFusedCell(4, **options)(series, dtype=v1.float32, sequence_length=lengths)

    def make():
        cell = rnn_block.LSTMBlockFusedCell(4, **options, seed=3).create(3, "rnn")
        return (lambda x: cell(tf.transpose(x, [1, 0, 2]), sequence_length=lengths)), [cell]

    trace = assert_trains_alike(build, make, SERIES)
    assert "final/rnn/lstm_fused_cell/kernel" in trace


@pytest.mark.parametrize("name", CELLS)
def test_the_names_are_tf1s(name):
    layer = RNN(CELLS[name][1]()).create(3)
    assert list(layer.variables_by_name()) == NAMES[name]
    assert sorted(v.name for v in layer.variables) == sorted(f"{each}:0" for each in NAMES[name])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_in_numpy(x, kernel, bias, lengths):
    """Zaremba's LSTM along [rows, steps, depth] in float64: outputs, c, h."""
    units = len(bias) // 4
    c = h = np.zeros([len(x), units])
    outputs = np.zeros([*x.shape[:2], units])
    for time in range(x.shape[1]):
        i, j, f, o = np.split(np.concatenate([x[:, time], h], 1) @ kernel + bias, 4, axis=1)
        new_c = c * sigmoid(f + 1) + sigmoid(i) * np.tanh(j)
        new_h = np.tanh(new_c) * sigmoid(o)
        on = (time < np.array(lengths))[:, None]
        outputs[:, time] = np.where(on, new_h, 0)
        c, h = np.where(on, new_c, c), np.where(on, new_h, h)
    return outputs, c, h


@pytest.mark.parametrize("network", ["dynamic", pytest.param("static", marks=pytest.mark.slow), "fused"])
def test_an_lstm_in_numpy(network):
    if network == "fused":
        cell = rnn_block.LSTMBlockFusedCell(4, seed=1).create(3)
        outputs, state = cell(SERIES[0].transpose(1, 0, 2), sequence_length=LENGTHS)
        outputs = tf.transpose(outputs, [1, 0, 2])
    else:
        cell = rnn.BasicLSTMCell(4, seed=1)
        layer = RNN(cell, unroll=network == "static").create(3)
        outputs, state = tf.function(lambda: layer(SERIES[0], sequence_length=LENGTHS))()
    expected = lstm_in_numpy(SERIES[0].astype(np.float64), cell.kernel.numpy(), cell.bias.numpy(), LENGTHS)
    for one, other in zip(expected, (outputs, *state)):
        np.testing.assert_allclose(other, one, atol=1e-6)
    assert not outputs[2].numpy().any() and outputs[0].numpy().all()


def test_time_major_and_sizes_not_known_when_traced():
    layer = RNN(rnn.GRUCell(4, seed=1)).create(3)
    major = RNN(layer.cell, time_major=True)
    signature = tf.TensorSpec([None, None, 3])
    outputs, state = tf.function(layer.__call__, input_signature=[signature])(SERIES[0])
    turned, same = tf.function(major.__call__, input_signature=[signature])(SERIES[0].transpose(1, 0, 2))
    assert (turned.numpy().transpose(1, 0, 2) == outputs.numpy()).all()
    assert (same.numpy() == state.numpy()).all() and outputs.shape == [5, 6, 4]


def test_a_state_goes_on():
    layer = RNN(rnn.LSTMCell(4, num_proj=2, seed=1)).create(3)
    whole, last = layer(SERIES[0])
    first, state = layer(SERIES[0, :, :2])
    second, end = layer(SERIES[0, :, 2:], state)
    np.testing.assert_array_equal(np.concatenate([first, second], 1), whole)
    assert (end.c.numpy() == last.c.numpy()).all() and end.h.shape == [5, 2]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["LSTMCell, peepholes", "MultiRNNCell"])
def test_a_checkpoint_goes_both_ways(name, train_in_session, train_in_function, tmp_path):
    graph, module = CELLS[name]
    build = in_graph(graph, "dynamic")
    trace = train_in_session(build, SERIES, checkpoint=str(tmp_path / "graph"))
    named = RNN(module()).create(3).variables_by_name()
    checkpoints.restore(str(tmp_path / "graph"), named)
    for each, variable in named.items():
        assert variable.numpy().tobytes() == trace[f"final/{each}"].tobytes(), each
    state = train_in_function(as_module(module, "dynamic"), SERIES)[1]
    prefix = checkpoints.save(str(tmp_path / "module"), "model", state)
    with v1.Graph().as_default(), v1.Session() as sess:
        build(v1.placeholder(v1.float32, SERIES.shape[1:]))
        v1.train.Saver().restore(sess, prefix)
        for each, value in sess.run({v.op.name: v for v in v1.global_variables()}).items():
            assert value.tobytes() == trace[f"final/{each}"].tobytes(), each


def lstm(depth=3, **options):
    return rnn.BasicLSTMCell(4, **options).create(depth)


def run(**options):
    return RNN(lstm(), **options)


ZEROS = tf.zeros([5, 4])
ERRORS = {
    "another depth": (
        lambda: lstm(7)(SERIES[0, 0], (ZEROS, ZEROS)), ValueError,
        "basic_lstm_cell/kernel is float32 [11, 16], its inputs float32 (6, 3): expected a last axis of 7",
    ),
    "a state of another size": (
        lambda: lstm()(SERIES[0, :, 0], (ZEROS, tf.zeros([5, 5]))), ValueError,
        "basic_lstm_cell/kernel is float32 [7, 16], its state float32 (5, 5): expected a last axis of 4",
    ),
    "a state of one": (
        lambda: lstm()(SERIES[0, :, 0], ZEROS), ValueError, "basic_lstm_cell: its state must be a tuple of 2, not",
    ),
    "mixed dtypes": (
        lambda: lstm()(SERIES[0, :, 0].astype("float64"), (ZEROS, ZEROS)), TypeError,
        "basic_lstm_cell/kernel is float32 [7, 16], its inputs float64 (5, 3): cast them",
    ),
    "no create": (lambda: RNN(rnn.GRUCell(4))(SERIES[0]), ValueError, "gru_cell has no variables: call create()"),
    "one cell in two networks": (
        lambda: [RNN(cell, name=name).create(3) for cell in [rnn.GRUCell(4)] for name in ("one", "two")], ValueError,
        "one/gru_cell/gates/kernel exists",
    ),
    "one cell for two layers": (lambda: MultiRNNCell([rnn.GRUCell(4)] * 2), ValueError, "multi_rnn_cell: a cell"),
    "no cells": (lambda: MultiRNNCell([]), ValueError, "multi_rnn_cell: cells must be a list"),
    "a state for too few": (
        lambda: MultiRNNCell([rnn.GRUCell(4)]).create(3)(SERIES[0, :, 0], ZEROS), ValueError,
        "multi_rnn_cell: its state must be a tuple of 1",
    ),
    "rank 2": (lambda: run()(SERIES[0, 0]), ValueError, "rnn: its inputs must be of rank 3, not (6, 3)"),
    "lengths": (
        lambda: run()(SERIES[0], sequence_length=[1, 2]), ValueError, "rnn: sequence_length must be [5], one for each",
    ),
    "steps unknown": (
        lambda: tf.function(
            run(unroll=True).__call__, input_signature=[tf.TensorSpec([5, None, 3])], autograph=False
        )(SERIES[0]),
        ValueError, "rnn: unroll=True needs a known number of steps, but the inputs are (None, 5, 3)",
    ),
    "activation": (lambda: rnn.GRUCell(4, "tan"), ValueError, "gru_cell: unknown activation 'tan'"),
    "units": (lambda: rnn.GRUCell(-1).create(3), ValueError, "gru_cell/gates/kernel: its shape must be"),
    "a probability": (lambda: DropoutWrapper(lstm(), 1.5), ValueError, "basic_lstm_cell: input_keep_prob must be"),
    "a wrapped nothing": (lambda: DropoutWrapper(4), TypeError, "DropoutWrapper: 4 is not a cell"),
    "fused, rank 2": (
        lambda: rnn_block.LSTMBlockFusedCell(4).create(3)(SERIES[0, 0]), ValueError,
        "lstm_fused_cell/kernel is float32 [7, 16], its inputs float32 (6, 3): expected rank 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_the_variable(name):
    wrong, kind, start = ERRORS[name]
    with pytest.raises(kind) as caught:
        wrong()
    assert str(caught.value).startswith(start)
