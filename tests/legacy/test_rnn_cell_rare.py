"""Cells of contrib.rnn that read windows, groups or the time, against numpy after the papers' formulas."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import rnn

RANDOM = np.random.RandomState(4)
X = RANDOM.randn(2, 3, 6).astype("float32")
TIME = np.cumsum(RANDOM.rand(2, 3, 1), 1).astype("float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def join(*parts):
    return np.concatenate(parts, 1)


def coupled(w, x, state):
    c, h = state
    kernel = np.concatenate([w["W_0"], w["W_1"]])
    j, f, o = np.split(join(x, h) @ kernel + w["B"], 3, 1)
    f = sigmoid(f + 1 + w["W_F_diag"] * c)
    c = f * c + (1 - f) * np.tanh(j)
    h = np.clip(sigmoid(o + w["W_O_diag"] * c) * np.tanh(c) @ w["W_P_0"], -0.3, 0.3)
    return h, (c, h)


def layer_normed(w, x, state):
    c, h = state

    def norm(value, scope):
        deviation = np.sqrt(value.var(1, keepdims=True))
        return (value - value.mean(1, keepdims=True)) / deviation * w[f"{scope}/gamma"] + w[f"{scope}/beta"]

    j, f, o = np.split(join(x, h) @ w["W_0"], 3, 1)
    f = sigmoid(norm(f, "forget") + 1)
    c = norm(f * c + (1 - f) * np.tanh(norm(j, "transform")), "state")
    h = sigmoid(norm(o, "output")) * np.tanh(c)
    return h, (c, h)


def groups(w, x, state):
    c, h = state
    parts = zip(np.split(x, 2, 1), np.split(h, 2, 1), (w["group0/kernel"], w["group1/kernel"]))
    each = [np.split(join(part, own) @ kernel, 4, 1) for part, own, kernel in parts]
    i, j, f, o = (join(*gate) + w[f"bias_{name}"] for name, gate in zip("ijfo", zip(*each)))
    c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
    h = sigmoid(o) * np.maximum(c, 0) @ w["projection/kernel"]
    return h, (c, h)


def indy(w, x, state):
    c, h = state
    i, j, f, o = np.split(x @ w["kernel_w"] + np.tile(h, 4) * w["kernel_u"] + w["bias"], 4, 1)
    c = sigmoid(f + 0.5) * c + sigmoid(i) * np.tanh(j)
    h = np.tanh(c) * sigmoid(o)
    return h, (c, h)


def intersection(w, x, state):
    (h,) = state
    x = x @ w["in_projection/kernel"] + w["in_projection/bias"]
    gh, new, gy, y = np.split(join(x, h) @ w["kernel"] + w["bias"], 4, 1)
    gh, gy = sigmoid(gh + 1), sigmoid(gy + 1)
    return gy * x + (1 - gy) * np.maximum(y, 0), (gh * h + (1 - gh) * np.tanh(new),)


def phased(w, inputs, state):
    (time, x), (c, h) = inputs, state
    i, f = np.split(sigmoid(join(x, h, c) @ w["mask_gates/kernel"] + w["mask_gates/bias"]), 2, 1)
    new_c = f * c + i * np.tanh(join(x, h) @ w["new_input/kernel"] + w["new_input/bias"])
    new_h = np.tanh(new_c) * sigmoid(join(x, h, new_c) @ w["output_gate/kernel"] + w["output_gate/bias"])
    phi, on = np.mod(time - w["phase"], w["period"]) / w["period"], w["ratio_on"]
    k = np.where(phi < on / 2, 2 * phi / on, np.where(phi < on, 2 - 2 * phi / on, 0.001 * phi))
    c, h = k * new_c + (1 - k) * c, k * new_h + (1 - k) * h
    return h, (c, h)


def lstm(gates, c):
    i, j, f, o = gates
    c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
    return c, o


def grid(w, x, state):
    below_c, below_h, outputs, states = 0, np.zeros((2, 2)), [], []
    for number in range(3):
        c, h = state[2 * number : 2 * number + 2]
        joined = join(x[:, 2 * number : 2 * number + 2], h, below_h)
        below_c, frequency_o = lstm(np.split(joined @ w["W_f_0_0"] + w["B_f_0"], 4, 1), below_c)
        c, time_o = lstm(np.split(joined @ w["W_t_0_0"] + w["B_t_0"], 4, 1), c)
        below_h, h = sigmoid(frequency_o) * np.tanh(below_c), sigmoid(time_o) * np.tanh(c)
        outputs += [h, below_h]
        states += [c, h]
    return join(*outputs), states


GRID = {"feature_size": 2, "frequency_skip": 2, "num_frequency_blocks": [3]}
CASES = {
    "coupled": (
        lambda: rnn.CoupledInputForgetGateLSTMCell(4, True, num_proj=3, proj_clip=0.3, num_unit_shards=2), coupled,
        [4, 3], {"W_0": [5, 12], "W_1": [4, 12], "B": [12], "W_F_diag": [4], "W_O_diag": [4], "W_P_0": [4, 3]},
    ),
    "coupled, layer_norm": (
        lambda: rnn.CoupledInputForgetGateLSTMCell(4, layer_norm=True), layer_normed, [4, 4],
        {"W_0": [10, 12], "B": [12]} | {
            f"{scope}/{name}": [4] for scope in ("transform", "forget", "output", "state") for name in ("gamma", "beta")
        },
    ),
    "glstm": (
        lambda: rnn.GLSTMCell(4, num_proj=2, number_of_groups=2, activation=v1.nn.relu), groups, [4, 2],
        {"group0/kernel": [4, 8], "group1/kernel": [4, 8], "bias_i": [4], "bias_j": [4], "bias_f": [4], "bias_o": [4],
         "projection/kernel": [4, 2]},
    ),
    "indy": (
        lambda: rnn.IndyLSTMCell(4, forget_bias=0.5), indy, [4, 4],
        {"kernel_w": [6, 16], "kernel_u": [1, 16], "bias": [16]},
    ),
    "intersection": (
        lambda: rnn.IntersectionRNNCell(4, num_in_proj=4), intersection, [4],
        {"in_projection/kernel": [6, 4], "in_projection/bias": [4], "kernel": [8, 16], "bias": [16]},
    ),
    "phased": (
        lambda: rnn.PhasedLSTMCell(4, use_peepholes=True, trainable_ratio_on=False), phased, [4, 4],
        {"mask_gates/kernel": [14, 8], "mask_gates/bias": [8], "new_input/kernel": [10, 4], "new_input/bias": [4],
         "output_gate/kernel": [14, 4], "output_gate/bias": [4], "period": [4], "phase": [4], "ratio_on": [4]},
    ),
    "grid": (
        lambda: rnn.GridLSTMCell(2, **GRID), grid, [2] * 6,
        {"W_f_0_0": [6, 8], "B_f_0": [8], "W_t_0_0": [6, 8], "B_t_0": [8]},
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_cells(name):
    make, step, sizes, shapes = CASES[name]
    inputs = (TIME, X) if name == "phased" else X
    with v1.Graph().as_default(), v1.Session() as sess:
        outputs, _ = v1.nn.dynamic_rnn(make(), inputs, dtype=v1.float32)
        named = {v.op.name.split("/", 2)[2]: v for v in v1.global_variables()}
        assert {each: v.get_shape().as_list() for each, v in named.items()} == shapes
        assert list(named) == list(shapes)
        w = {each: RANDOM.randn(*shape) for each, shape in shapes.items()}
        if name == "phased":
            assert named["ratio_on"] not in v1.trainable_variables()
            w |= {"period": 1 + RANDOM.rand(4), "ratio_on": 0.2 + RANDOM.rand(4) / 2}
        for each, variable in named.items():
            variable.load(w[each], sess)
        found = sess.run(outputs)
    state, expected = [np.zeros((2, size)) for size in sizes], []
    for number in range(3):
        output, state = step(w, (TIME[:, number], X[:, number]) if name == "phased" else X[:, number], state)
        expected.append(output)
    np.testing.assert_allclose(found, np.stack(expected, 1), rtol=1e-4, atol=1e-5)


def test_time_frequency_lstm():
    state = RANDOM.randn(2, 8).astype("float32")
    with v1.Graph().as_default(), v1.Session() as sess:
        cell = rnn.TimeFreqLSTMCell(2, use_peepholes=True, cell_clip=0.5, feature_size=4, frequency_skip=2)
        found = cell(v1.constant(X[:, 0]), v1.constant(state))
        w = {v.op.name.split("/")[1]: RANDOM.randn(*v.get_shape().as_list()) for v in v1.global_variables()}
        assert list(w) == ["W_0", "B", "W_F_diag", "W_I_diag", "W_O_diag"]
        for variable, value in zip(v1.global_variables(), w.values()):
            variable.load(value, sess)
        output, next_state = sess.run(found)
    below, outputs, states = np.zeros((2, 2)), [], []
    for number in range(2):
        c, h = state[:, 4 * number :][:, :2], state[:, 4 * number + 2 :][:, :2]
        i, j, f, o = np.split(join(X[:, 0, 2 * number :][:, :4], h, below) @ w["W_0"] + w["B"], 4, 1)
        entry = sigmoid(i + w["W_I_diag"] * c)
        c = np.clip(sigmoid(f + 1 + w["W_F_diag"] * c) * c + entry * np.tanh(j), -0.5, 0.5)
        below = sigmoid(o + w["W_O_diag"] * c) * np.tanh(c)
        outputs, states = [*outputs, below], [*states, c, below]
    np.testing.assert_allclose(output, join(*outputs), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(next_state, join(*states), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_bidirectional_grid_is_two_grids():
    with v1.Graph().as_default(), v1.Session() as sess:
        with v1.variable_scope("both"):
            both = rnn.BidirectionalGridLSTMCell(2, backward_slice_offset=2, **GRID)
            joined, _ = both(v1.constant(X[:, 0]), both.zero_state(2, v1.float32))
        one = rnn.GridLSTMCell(2, **GRID)
        moved = np.concatenate([X[:, 0, 2:], np.zeros((2, 2), "float32")], 1)  # the windows from the third feature on
        backward = join(moved[:, 4:], moved[:, 2:4], moved[:, :2]).astype("float32")
        halves = [one(v1.constant(x), one.zero_state(2, v1.float32))[0] for x in (X[:, 0], backward)]
        sess.run(v1.global_variables_initializer())
        for variable in v1.global_variables("both"):
            twin = variable.op.name.rsplit("/", 1)[1]
            sess.run(variable.assign(next(v for v in v1.global_variables("grid") if v.op.name.endswith(twin))))
        found, expected = sess.run([joined, halves])
    assert both.state_size._fields[::11] == ("fwd_state_f00_b00_c", "bwd_state_f02_b00_m")
    np.testing.assert_array_equal(found, join(*expected))


def test_compiled_wrapper_marks_ops():
    with v1.Graph().as_default() as graph:
        cell = rnn.CompiledWrapper(rnn.GRUCell(3))
        cell(v1.zeros([2, 6]), cell.zero_state(2, v1.float32))
        kinds = {op.type for op in graph.get_operations() if op.node_def.attr["_XlaCompile"].b}
    assert "MatMul" in kinds
    assert cell.output_size == 3


REFUSED = {
    "grid windows": (lambda: rnn.GridLSTMCell(2, **GRID | {"num_frequency_blocks": [2]}), "requires 2 but gets 3"),
    "grid blocks": (lambda: rnn.GridLSTMCell(2, **GRID, start_freqindex_list=[0, 2]), "must have one length"),
    "glstm inputs": (lambda: rnn.GLSTMCell(8, number_of_groups=4), r"input size \(6\) must be divisible"),
    "intersection": (lambda: rnn.IntersectionRNNCell(4), "Must have input size == output size"),
    "shards": (lambda: rnn.CoupledInputForgetGateLSTMCell(2, num_unit_shards=9), "Too many shards"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    make, message = REFUSED[name]
    with v1.Graph().as_default(), pytest.raises(ValueError, match=message):
        cell = make()
        cell(v1.constant(X[:, 0]), cell.zero_state(2, v1.float32))


def test_refused_before_a_call():
    with pytest.raises(ValueError, match="num_proj must be divisible"):
        rnn.GLSTMCell(4, num_proj=3, number_of_groups=2)
    with pytest.raises(ValueError, match="num_frequency_blocks"):
        rnn.GridLSTMCell(2)
