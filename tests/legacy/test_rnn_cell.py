"""legacy/rnn_cell: TF 1.15's variable names in every kind of network, and states."""

import copy
import os
import subprocess

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.layers import l2_regularizer
from tf1ref.legacy.contrib.rnn import (
    GRUBlockCell,
    GRUBlockCellV2,
    LayerNormBasicLSTMCell,
    LSTMBlockCell,
    stack_bidirectional_dynamic_rnn,
    stack_bidirectional_rnn,
)
from tf1ref.legacy.nn import rnn_cell

SERIES = np.random.RandomState(7).randn(4, 9, 3).astype("float32")
PAIR = [("kernel", [7, 16]), ("bias", [16])]
GATES = [("gates/kernel", [7, 8]), ("gates/bias", [8]), ("candidate/kernel", [7, 4]), ("candidate/bias", [4])]
NORMED = [(f"{gate}/{what}", [4]) for gate in ("input", "transform", "forget", "output", "state")
          for what in ("gamma", "beta")]  # fmt: skip
LSTM, GRU = rnn_cell.BasicLSTMCell, rnn_cell.GRUCell

# What makes a cell -> (its scope, names and shapes of its variables in the order they are made).
CELLS = {
    "BasicRNNCell": (lambda: rnn_cell.BasicRNNCell(4), "basic_rnn_cell", [("kernel", [7, 4]), ("bias", [4])]),
    "BasicLSTMCell": (lambda: LSTM(4), "basic_lstm_cell", PAIR),
    "LSTMCell": (lambda: rnn_cell.LSTMCell(4), "lstm_cell", PAIR),
    "peepholes, projection": (
        lambda: rnn_cell.LSTMCell(4, use_peepholes=True, num_proj=2), "lstm_cell",
        [("kernel", [5, 16]), ("bias", [16]), ("w_f_diag", [4]), ("w_i_diag", [4]), ("w_o_diag", [4]),
         ("projection/kernel", [4, 2])],
    ),
    "GRUCell": (lambda: GRU(4), "gru_cell", GATES),
    "LSTMBlockCell": (lambda: LSTMBlockCell(4), "lstm_cell", PAIR),
    "LSTMBlockCell, peepholes": (
        lambda: LSTMBlockCell(4, use_peephole=True), "lstm_cell",
        [*PAIR, ("w_i_diag", [4]), ("w_f_diag", [4]), ("w_o_diag", [4])],
    ),
    "GRUBlockCell": (
        lambda: GRUBlockCell(4), "gru_cell", [("w_ru", [7, 8]), ("b_ru", [8]), ("w_c", [7, 4]), ("b_c", [4])],
    ),
    "GRUBlockCellV2": (lambda: GRUBlockCellV2(4), "gru_cell", GATES),
    "LayerNormBasicLSTMCell": (
        lambda: LayerNormBasicLSTMCell(4), "layer_norm_basic_lstm_cell", [("kernel", [7, 16]), *NORMED],
    ),
    "LayerNormBasicLSTMCell, off": (
        lambda: LayerNormBasicLSTMCell(4, layer_norm=False), "layer_norm_basic_lstm_cell", PAIR,
    ),
    "MultiRNNCell": (
        lambda: rnn_cell.MultiRNNCell([rnn_cell.DropoutWrapper(LSTM(4), 0.5), rnn_cell.ResidualWrapper(GRU(4))]),
        "multi_rnn_cell",
        [(f"cell_0/basic_lstm_cell/{name}", shape) for name, shape in PAIR]
        + [(f"cell_1/gru_cell/{name}", [8 if size == 7 else size for size in shape]) for name, shape in GATES],
    ),
    "a name": (lambda: rnn_cell.LSTMCell(4, name="mine"), "mine", PAIR),
}  # fmt: skip
NETWORKS = {
    "dynamic_rnn": (lambda cell: v1.nn.dynamic_rnn(cell, SERIES, dtype=v1.float32), "rnn"),
    "static_rnn": (
        lambda cell: v1.nn.static_rnn(cell, v1.unstack(v1.constant(SERIES), axis=1), dtype=v1.float32, scope="encoder"),
        "encoder",
    ),
    "raw_rnn": (lambda cell: raw(cell), "rnn"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def graph():
    with v1.Graph().as_default() as graph:
        yield graph


def raw(cell):
    steps = v1.TensorArray(v1.float32, 9).unstack(v1.transpose(v1.constant(SERIES), [1, 0, 2]))

    def loop(time, output, state, _):
        done = time >= v1.fill([4], 9)
        state = cell.zero_state(4, v1.float32) if output is None else state
        inputs = v1.cond(v1.reduce_all(done), lambda: v1.zeros([4, 3]), lambda: steps.read(time))
        inputs.set_shape([4, 3])
        return done, inputs, state, output, None

    outputs, state, _ = v1.nn.raw_rnn(cell, loop)
    return outputs.stack(), state


def variables():
    return [(v.name, v.get_shape().as_list()) for v in v1.global_variables()]


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", CELLS)
def test_names_and_shapes(name, network):
    make, scope, expected = CELLS[name]
    build, outer = NETWORKS[network]
    cell = make()
    output, state = build(cell)
    assert variables() == [(f"{outer}/{scope}/{each}:0", shape) for each, shape in expected]
    assert [v.name for v in cell.trainable_variables] == [v.name for v in v1.trainable_variables()]
    gradients = v1.gradients([v1.reduce_sum(each) for each in v1.nest.flatten(output)], v1.trainable_variables())
    v1.nest.assert_same_structure(state, cell.zero_state(4, v1.float32))
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        assert all(np.isfinite(each).all() and each.any() for each in sess.run(gradients))


def test_the_three_networks_agree():
    with v1.variable_scope("", reuse=v1.AUTO_REUSE):
        cell = rnn_cell.LSTMCell(4)
        dynamic, static, looped = NETWORKS["dynamic_rnn"][0](cell), NETWORKS["static_rnn"][0](cell), raw(cell)
    assert len(v1.global_variables()) == 2
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        one, other, third = sess.run([dynamic[0], v1.stack(static[0], 1), v1.transpose(looped[0], [1, 0, 2])])
    assert (one == other).all() and (one == third).all() and one.any()


def test_names_in_both_directions():
    v1.nn.bidirectional_dynamic_rnn(LSTM(4), LSTM(4), SERIES, dtype=v1.float32)
    v1.nn.static_bidirectional_rnn(GRU(4), GRU(4), v1.unstack(v1.constant(SERIES), axis=1), dtype=v1.float32)
    assert [name for name, _ in variables() if "bias" not in name] == [
        "bidirectional_rnn/fw/basic_lstm_cell/kernel:0", "bidirectional_rnn/bw/basic_lstm_cell/kernel:0",
        "bidirectional_rnn/fw/gru_cell/gates/kernel:0", "bidirectional_rnn/fw/gru_cell/candidate/kernel:0",
        "bidirectional_rnn/bw/gru_cell/gates/kernel:0", "bidirectional_rnn/bw/gru_cell/candidate/kernel:0",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_stacks_of_both_directions(kind):
    forward, backward = [LSTM(4), LSTM(5)], [LSTM(4), LSTM(5)]
    if kind == "static":
        inputs = v1.unstack(v1.constant(SERIES), axis=1)
        outputs, fw, bw = stack_bidirectional_rnn(forward, backward, inputs, dtype=v1.float32)
        outputs, prefix = v1.stack(outputs, 1), "stack_bidirectional_rnn/cell_{}/{}"
    else:
        outputs, fw, bw = stack_bidirectional_dynamic_rnn(forward, backward, SERIES, dtype=v1.float32)
        prefix = "stack_bidirectional_rnn/cell_{}/bidirectional_rnn/{}"
    assert variables() == [
        (f"{prefix.format(layer, way)}/basic_lstm_cell/{name}:0", [*depth, 4 * units])
        for layer, units, depths in ((0, 4, 3 + 4), (1, 5, 8 + 5))
        for way in ("fw", "bw")
        for name, depth in (("kernel", [depths]), ("bias", []))
    ]
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        outputs, fw, bw = sess.run([outputs, fw, bw])
    np.testing.assert_array_equal(outputs[:, -1, :5], fw[1].h)
    np.testing.assert_array_equal(outputs[:, 0, 5:], bw[1].h)


def test_one_cell_called_in_two_scopes_keeps_the_first():
    cell, state = LSTM(4), v1.zeros([4, 8])
    with v1.variable_scope("one"):
        cell(SERIES[:, 0], v1.split(state, 2, 1))
    with v1.variable_scope("two"):
        cell(SERIES[:, 1], v1.split(state, 2, 1))
    assert [name for name, _ in variables()] == ["one/basic_lstm_cell/kernel:0", "one/basic_lstm_cell/bias:0"]


def test_the_scope_of_a_call_wins():
    LSTM(4)(SERIES[:, 0], v1.split(v1.zeros([4, 8]), 2, 1), scope="mine")
    LayerNormBasicLSTMCell(4, layer_norm=False)(SERIES[:, 0], v1.split(v1.zeros([4, 8]), 2, 1), "ours")
    assert [name for name, _ in variables()] == ["mine/kernel:0", "mine/bias:0", "ours/kernel:0", "ours/bias:0"]


def test_penalties_of_a_cell_in_a_loop_can_be_summed_outside():
    with v1.variable_scope("net", regularizer=l2_regularizer(0.5)):
        NETWORKS["dynamic_rnn"][0](GRU(4))
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        kernels = sess.run([v for v in v1.global_variables() if "kernel" in v.name])
        penalty = sess.run(v1.losses.get_regularization_loss())
    biases = 8 * 1.0**2
    np.testing.assert_allclose(penalty, 0.25 * (sum((k**2).sum() for k in kernels) + biases), rtol=1e-6)


def test_zero_states():
    cell = rnn_cell.MultiRNNCell([LSTM(4), GRU(3)])
    assert cell.state_size == (rnn_cell.LSTMStateTuple(4, 4), 3) and cell.output_size == 3
    known, fed = cell.zero_state(2, v1.float64), cell.zero_state(v1.placeholder_with_default(5, []), v1.float32)
    assert [each.get_shape().as_list() for each in v1.nest.flatten(known)] == [[2, 4], [2, 4], [2, 3]]
    assert [each.get_shape().as_list() for each in v1.nest.flatten(fed)] == [[None, 4], [None, 4], [None, 3]]
    assert known[0].dtype == v1.float64 and known[0].c.op.name.startswith(
        "MultiRNNCellZeroState/BasicLSTMCellZeroState"
    )
    with v1.Session() as sess:
        assert [each.shape for each in v1.nest.flatten(sess.run(fed))] == [(5, 4), (5, 4), (5, 3)]
    assert cell.get_initial_state(v1.constant(SERIES[:, 0]))[1].get_shape().as_list() == [4, 3]


def test_a_cell_of_ones_own():
    class Mean(rnn_cell.RNNCell):
        state_size = output_size = 3

        def call(self, inputs, state):
            kept = v1.get_variable("kept", [], initializer=v1.constant_initializer(0.5))
            state = kept * state + (1 - kept) * inputs
            return state, state

    cell = Mean()
    outputs, _ = NETWORKS["dynamic_rnn"][0](cell)
    assert variables() == [("rnn/mean/kept:0", [])] and len(cell.trainable_weights) == 1
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        np.testing.assert_allclose(sess.run(outputs)[:, 1], SERIES[:, 0] / 4 + SERIES[:, 1] / 2, rtol=1e-6)


def test_copies_of_an_unused_cell_are_cells_of_their_own():
    cell = LSTM(3)
    NETWORKS["dynamic_rnn"][0](rnn_cell.MultiRNNCell([copy.deepcopy(cell), copy.deepcopy(cell)]))
    assert len(v1.global_variables()) == 4


@pytest.mark.slow
def test_with_tensorflow_1_behaviour(started_python):
    """Loops of the old kind, and variables that are references: what `exec` runs in."""
    program = (
        "import numpy as np, tensorflow.compat.v1 as v1; v1.disable_v2_behavior()\n"
        "from tf1ref.legacy import layers\nfrom tf1ref.legacy.nn import rnn_cell\n"
        "x = v1.placeholder(v1.float32, [None, 9, 3])\n"
        "cells = [rnn_cell.DropoutWrapper(rnn_cell.BasicLSTMCell(4), 0.9), rnn_cell.GRUCell(5)]\n"
        "output, _ = v1.nn.dynamic_rnn(rnn_cell.MultiRNNCell(cells), x, [9, 2], dtype=v1.float32)\n"
        "output = layers.batch_normalization(layers.dense(output[:, -1], 2), training=True)\n"
        "with v1.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS)):\n"
        "    step = v1.train.AdamOptimizer().minimize(v1.nn.l2_loss(output - 1))\n"
        "with v1.Session() as s:\n"
        "    s.run(v1.global_variables_initializer())\n"
        "    s.run(step, {x: np.ones([2, 9, 3])})\n"
        "    print(*[v.name for v in v1.trainable_variables()], s.run('batch_normalization/beta:0').all())\n"
    )
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([started_python, "-c", program], capture_output=True, text=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    lstm, gru = "rnn/multi_rnn_cell/cell_0/basic_lstm_cell", "rnn/multi_rnn_cell/cell_1/gru_cell"
    assert done.stdout.split() == [
        f"{lstm}/kernel:0", f"{lstm}/bias:0", f"{gru}/gates/kernel:0", f"{gru}/gates/bias:0",
        f"{gru}/candidate/kernel:0", f"{gru}/candidate/bias:0", "dense/kernel:0", "dense/bias:0",
        "batch_normalization/gamma:0", "batch_normalization/beta:0", "True",
    ]  # fmt: skip
