"""contrib.rnn's cells, wrappers and fused cells against their formulas in numpy, and against the cells they wrap."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import rnn

RANDOM = np.random.RandomState(9)
X, H, C = (RANDOM.randn(2, size).astype("float32") for size in (3, 4, 4))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def run(build):
    """Returns (the values of what `build` returns, {name: value} of the variables). The variables are random."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(4)
        with v1.variable_scope("root", initializer=v1.random_normal_initializer(seed=2)):
            fetched = build()
        sess.run(v1.global_variables_initializer())
        for variable in v1.global_variables():
            variable.load(np.random.RandomState(len(variable.name)).randn(*variable.shape).astype("float32"), sess)
        values = sess.run(fetched)
        return values, {v.op.name.removeprefix("root/"): sess.run(v.value()) for v in v1.global_variables()}


def test_sru():
    (output, state), found = run(lambda: rnn.SRUCell(4)(v1.constant(X), v1.constant(C)))
    kernel, bias = found["sru_cell/kernel"], found["sru_cell/bias"]
    candidate, forget, reset, skipped = np.split(X @ kernel, 4, 1)
    forget, reset = sigmoid(forget + bias[:4]), sigmoid(reset + bias[4:])
    memory = forget * C + (1 - forget) * candidate
    np.testing.assert_allclose(state, memory, rtol=1e-5)
    np.testing.assert_allclose(output, reset * np.tanh(memory) + (1 - reset) * skipped, rtol=1e-5)


def test_ind_rnn():
    (output, state), found = run(lambda: rnn.IndRNNCell(4, activation=v1.nn.relu)(v1.constant(X), v1.constant(H)))
    own = {name.rpartition("/")[2]: value for name, value in found.items()}
    expected = np.maximum(X @ own["kernel_w"] + H * own["kernel_u"] + own["bias"], 0)
    np.testing.assert_allclose(output, expected, rtol=1e-5)
    assert np.array_equal(output, state)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_a_convolution_of_size_one_is_a_product(dims):
    """With kernels of size 1 each place has an LSTM of its own, whose gates are in the order i, j, f, o."""
    cell = {1: rnn.Conv1DLSTMCell, 2: rnn.Conv2DLSTMCell, 3: rnn.Conv3DLSTMCell}[dims]
    sizes = [3, 2, 4][:dims]
    x, c, h = (RANDOM.randn(2, *sizes, channels).astype("float32") for channels in (3, 5, 5))

    def build():
        made = cell(input_shape=[*sizes, 3], output_channels=5, kernel_shape=[1] * dims, forget_bias=0.5)
        assert made.output_size.as_list() == [*sizes, 5] and made.zero_state(2, v1.float32).c.shape == c.shape
        return made(v1.constant(x), (v1.constant(c), v1.constant(h)))

    (output, state), found = run(build)
    kernel, bias = found[f"conv_{dims}d_lstm_cell/kernel"], found[f"conv_{dims}d_lstm_cell/biases"]
    i, j, f, o = np.split(np.concatenate([x, h], -1) @ kernel.reshape(8, 20) + bias, 4, -1)
    memory = sigmoid(f + 0.5) * c + sigmoid(i) * np.tanh(j)
    np.testing.assert_allclose(state.c, memory, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(output, np.tanh(memory) * sigmoid(o), rtol=1e-4, atol=1e-6)


def test_a_convolutional_cell_reads_its_neighbours_and_passes_its_inputs_on():
    x = RANDOM.randn(1, 6, 2).astype("float32")

    def build():
        options = {"kernel_shape": [3], "use_bias": False, "skip_connection": True}
        cell = rnn.ConvLSTMCell(1, [6, 2], 3, **options)
        zeros = cell.zero_state(1, v1.float32)
        with v1.variable_scope("a"):
            one = cell(v1.constant(x), zeros)[0]
        changed = x.copy()
        changed[0, 3] += 1
        return one, cell(v1.constant(changed), zeros)[0]

    (one, other), found = run(build)
    assert one.shape == (1, 6, 5) and np.array_equal(one[..., 3:], x) and len(found) == 1
    assert (one != other).any(-1)[0].tolist() == [False, False, True, True, True, False]
    with pytest.raises(ValueError, match="Invalid input_shape"):
        rnn.ConvLSTMCell(2, [6, 2], 3, [3])


@pytest.mark.parametrize("coupled", [True, False])
def test_highway(coupled):
    inputs = RANDOM.randn(2, 4).astype("float32")

    def build():
        cell = rnn.HighwayWrapper(rnn.BasicRNNCell(4), couple_carry_transform_gates=coupled)
        return cell(v1.constant(inputs), v1.constant(H))

    (output, state), found = run(build)
    carry = sigmoid(inputs @ found["carry_w"] + found["carry_b"])
    transform = 1 - carry if coupled else sigmoid(inputs @ found["transform_w"] + found["transform_b"])
    np.testing.assert_allclose(output, inputs * carry + state * transform, rtol=1e-5)


@pytest.mark.parametrize("is_tuple", [True, False])
def test_attention_over_the_last_outputs(is_tuple):
    attention, memory = RANDOM.randn(2, 4).astype("float32"), RANDOM.randn(2, 5 * 4).astype("float32")

    def build():
        cell = rnn.AttentionCellWrapper(rnn.GRUCell(4), 5, attn_vec_size=6, state_is_tuple=is_tuple)
        state = tuple(map(v1.constant, (H, attention, memory)))
        output, state = cell(v1.constant(X), state if is_tuple else v1.concat(state, 1))
        return output, state if is_tuple else tuple(v1.split(state, [4, 4, 20], axis=1))

    (output, (state, attended, kept)), found = run(build)
    found = {name.removeprefix("attention_cell_wrapper/"): value for name, value in found.items()}
    slots = memory.reshape(2, 5, 4)
    query = state @ found["attention/kernel"] + found["attention/bias"]
    scores = (found["attention/attn_v"] * np.tanh(slots @ found["attention/attn_w"][0, 0] + query[:, None])).sum(2)
    weights = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(attended, (weights[..., None] * slots).sum(1), rtol=1e-4, atol=1e-6)
    inner = np.concatenate([X, attention], 1) @ found["kernel"] + found["bias"]
    assert inner.shape == X.shape and "gru_cell/gates/kernel" in found
    projection = found["attn_output_projection/kernel"], found["attn_output_projection/bias"]
    assert projection[0].shape == (8, 4)
    kept = kept.reshape(2, 5, 4)
    assert np.array_equal(kept[:, :4], slots[:, 1:]) and np.array_equal(kept[:, 4], output)


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [((3, 2), {}, TypeError), ((rnn.GRUCell(3), 0), {}, ValueError)],
    ids=["no cell", "no length"],
)
def test_attention_refuses(arguments, options, error):
    with pytest.raises(error):
        rnn.AttentionCellWrapper(*arguments, **options)
    with pytest.raises(ValueError, match="flag state_is_tuple"):
        rnn.AttentionCellWrapper(rnn.LSTMCell(3), 2, state_is_tuple=False)


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [True, False])
def test_fused_cells_are_loops(dynamic):
    x, lengths = RANDOM.randn(5, 2, 3).astype("float32"), np.int32([5, 2])

    def build():
        fused = rnn.FusedRNNCellAdaptor(rnn.GRUCell(4), use_dynamic_rnn=dynamic)
        with v1.variable_scope("a"):
            there = fused(v1.constant(x), dtype=v1.float32, sequence_length=lengths)
        back = rnn.TimeReversedFusedRNN(fused)
        with v1.variable_scope("a", reuse=True):
            turned = back(v1.constant(x), dtype=v1.float32, sequence_length=lengths)
            turned_list = back(v1.unstack(v1.constant(x)), dtype=v1.float32)
            rows = v1.reverse_sequence(x, lengths, seq_axis=0, batch_axis=1)
            expected = v1.nn.dynamic_rnn(
                fused._cell, rows, lengths, dtype=v1.float32, time_major=True, scope="b"
            )  # fmt: skip
        return there, turned, turned_list, v1.reverse_sequence(expected[0], lengths, seq_axis=0, batch_axis=1), expected

    (there, turned, turned_list, outputs, expected), _ = run(build)
    np.testing.assert_allclose(turned[0], outputs, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(turned[1], expected[1], rtol=1e-5, atol=1e-6)
    assert there[0].shape == (5, 2, 4) and len(turned_list[0]) == 5
    np.testing.assert_allclose(turned_list[0][0][0], turned[0][0, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_cells_are_saved_under_the_names_of_tensorflow_1(tmp_path):
    with v1.Graph().as_default(), v1.Session() as sess:
        cell = rnn.MultiRNNCell([rnn.ResidualWrapper(rnn.BasicRNNCell(3)), rnn.GRUCell(3)])
        cell(v1.constant(X), cell.zero_state(2, v1.float32))
        sess.run(v1.global_variables_initializer())
        path = v1.train.Checkpoint(net=cell).save(str(tmp_path / "c"), session=sess)
    names = {name.partition("/.ATTR")[0] for name, _ in tf.train.list_variables(path)}
    assert {"net/cell-0/cell/_kernel", "net/cell-1/_gate_kernel"} < names
