"""legacy/rnn_cell_block and rnn_cell_layer_norm: the kernels against the plain cells, the rest against numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.rnn import (
    GRUBlockCell,
    GRUBlockCellV2,
    LayerNormBasicLSTMCell,
    LSTMBlockCell,
    LSTMBlockFusedCell,
)
from tf1ref.legacy.contrib.rnn._block import block_lstm
from tf1ref.legacy.nn import rnn_cell

SERIES = np.random.RandomState(7).randn(9, 4, 3).astype("float32")
LENGTHS = [9, 4, 0, 7]


@pytest.fixture(autouse=True)
def graph():
    with v1.Graph().as_default(), v1.variable_scope("", initializer=v1.glorot_uniform_initializer(seed=5)):
        yield


def learned(outputs, state):
    """Returns outputs, state and gradients by the variables and the inputs of one run."""
    weights = np.random.RandomState(3).rand(*outputs.get_shape().as_list()).astype("float32")
    loss = v1.reduce_sum(weights * outputs) + v1.add_n([v1.nn.l2_loss(each) for each in v1.nest.flatten(state)])
    gradients = v1.gradients(loss, v1.trainable_variables())
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        return sess.run([outputs, *v1.nest.flatten(state), *gradients])


def by_steps(cell, lengths=None):
    return learned(*v1.nn.dynamic_rnn(cell, v1.constant(SERIES), lengths, dtype=v1.float32, time_major=True))


def alone(build):
    with v1.Graph().as_default(), v1.variable_scope("", initializer=v1.glorot_uniform_initializer(seed=5)):
        return build()


def assert_close(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)
        assert other.any()


@pytest.mark.slow
@pytest.mark.parametrize("peephole", [False, True])
@pytest.mark.parametrize("clip", [None, 0.3])
def test_lstm_block_is_lstm(peephole, clip):
    plain = alone(lambda: by_steps(rnn_cell.LSTMCell(4, peephole, clip, forget_bias=0.5)))
    found = by_steps(LSTMBlockCell(4, 0.5, clip, peephole))
    if peephole:
        # The plain cell makes w_f_diag before w_i_diag.
        plain[5], plain[6] = plain[6], plain[5]
    if clip:
        # The kernel's gradient does not know of the clipping.
        assert max(abs(plain[1]).max(), abs(found[1]).max()) == np.float32(clip)
        plain, found = plain[:3], found[:3]
    assert_close(found, plain)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_fused_is_lstm(lengths):
    plain = alone(lambda: by_steps(rnn_cell.BasicLSTMCell(4), lengths))
    fused = learned(*LSTMBlockFusedCell(4)(v1.constant(SERIES), dtype=v1.float32, sequence_length=lengths))
    assert_close(fused, plain)
    assert [v.name for v in v1.global_variables()] == ["lstm_fused_cell/kernel:0", "lstm_fused_cell/bias:0"]


@pytest.mark.parametrize("peephole", [False, True])
def test_fused_gradients_are_the_kernels(peephole):
    random = np.random.RandomState(2)
    shapes = {"x": SERIES.shape, "cs_prev": [4, 4], "h_prev": [4, 4], "w": [7, 16], "wci": [4], "wcf": [4], "wco": [4]}
    given = {name: v1.constant(random.randn(*shape).astype("float32") / 2) for name, shape in shapes.items()}
    given["b"] = v1.constant(random.randn(16).astype("float32"))
    options = {"use_peephole": peephole, "forget_bias": 0.5, "cell_clip": -1.0}
    kernel = v1.raw_ops.BlockLSTM(seq_len_max=v1.constant(9, v1.int64), **given, **options)
    x, c, h = given["x"], given["cs_prev"], given["h_prev"]
    ours = block_lstm(x, c, h, **{name: given[name] for name in ("w", "wci", "wcf", "wco", "b")}, **options)
    weights = random.rand(9, 4, 4).astype("float32")
    found = []
    for outputs, last in ((kernel.h, kernel.cs[-1]), ours):
        loss = v1.reduce_sum(weights * outputs) + v1.nn.l2_loss(last)
        found.append([outputs, last, *v1.gradients(loss, [t for n, t in given.items() if peephole or n[:2] != "wc"])])
    with v1.Session() as sess:
        assert_close(*sess.run(found[::-1]))


def test_fused_takes_lists_and_states():
    cell = LSTMBlockFusedCell(4, use_peephole=True, cell_clip=2.0, name="one")
    start = rnn_cell.LSTMStateTuple(v1.ones([4, 4]), v1.ones([4, 4]))
    whole, state = cell(v1.constant(SERIES), start)
    first, between = cell(v1.unstack(v1.constant(SERIES[:5])), start)
    rest, end = cell(v1.unstack(v1.constant(SERIES[5:])), between)
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        whole, state, parts, end = sess.run([whole, state, v1.stack(first + rest), end])
    np.testing.assert_array_equal(whole, parts)
    np.testing.assert_array_equal(state, end)
    assert len(v1.global_variables()) == 5


@pytest.mark.slow
@pytest.mark.parametrize("block", [GRUBlockCell, GRUBlockCellV2])
def test_gru_block_is_gru(block):
    plain = alone(lambda: by_steps(rnn_cell.GRUCell(4), LENGTHS))
    assert_close(by_steps(block(4), LENGTHS), plain)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normalised(x):
    return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-12)


@pytest.mark.parametrize("layer_norm", [True, False])
def test_layer_norm_lstm_by_hand(layer_norm):
    cell = LayerNormBasicLSTMCell(4, 0.5, layer_norm=layer_norm, norm_gain=1.5, norm_shift=0.25)
    c, h = np.random.RandomState(1).randn(2, 4, 4).astype("float32")
    output, state = cell(v1.constant(SERIES[0]), rnn_cell.LSTMStateTuple(v1.constant(c), v1.constant(h)))
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        kernel, second = sess.run(v1.global_variables()[:2])
        output, state = sess.run([output, state])
    gates = np.concatenate([SERIES[0], h], 1) @ kernel + (0 if layer_norm else second)
    norm = (lambda x: normalised(x) * 1.5 + 0.25) if layer_norm else (lambda x: x)
    i, j, f, o = map(norm, np.split(gates, 4, 1))
    next_c = norm(c * sigmoid(f + 0.5) + sigmoid(i) * np.tanh(j))
    np.testing.assert_allclose(state.c, next_c, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(output, np.tanh(next_c) * sigmoid(o), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(output, state.h)


def test_layer_norm_lstm_drops_new_inputs_only():
    cell = LayerNormBasicLSTMCell(4, layer_norm=False, dropout_keep_prob=1e-6, dropout_prob_seed=3)
    c = np.ones([4, 4], "float32")
    _, state = cell(v1.constant(SERIES[0]), (v1.constant(c), v1.zeros([4, 4])))
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        kernel, bias = sess.run(v1.global_variables())
        found = sess.run(state.c)
    gates = np.concatenate([SERIES[0], np.zeros([4, 4])], 1) @ kernel + bias
    np.testing.assert_allclose(found, sigmoid(np.split(gates, 4, 1)[2] + 1), rtol=1e-5)
