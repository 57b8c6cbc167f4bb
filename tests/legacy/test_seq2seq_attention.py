"""contrib.seq2seq's attention: scores, contexts and attention layers against numpy; TF 1.15's variable names."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy import layers
from tf1ref.legacy.contrib import seq2seq
from tf1ref.legacy.nn import rnn_cell

RANDOM = np.random.RandomState(6)
MEMORY = RANDOM.randn(3, 5, 4).astype("float32")
LENGTHS = np.int32([5, 2, 3])
X = RANDOM.randn(3, 4, 2).astype("float32")
UNITS = 6
CELL = ["basic_rnn_cell/kernel", "basic_rnn_cell/bias"]
B, L = "bahdanau_attention", "luong_attention"

# name -> (the mechanism, its variables within the wrapper, what the wrapper is given besides, variables of that)
CASES = {
    "bahdanau": (
        lambda: seq2seq.BahdanauAttention(UNITS, MEMORY, LENGTHS),
        [f"{B}/query_layer/kernel", f"{B}/attention_v"], {"attention_layer_size": 7}, ["attention_layer/kernel"],
    ),
    "bahdanau normalized": (
        lambda: seq2seq.BahdanauAttention(UNITS, MEMORY, LENGTHS, normalize=True),
        [f"{B}/query_layer/kernel", f"{B}/attention_v", f"{B}/attention_g", f"{B}/attention_b"],
        {"output_attention": False}, [],
    ),
    "luong": (lambda: seq2seq.LuongAttention(UNITS, MEMORY), [], {}, []),
    "luong scaled": (
        lambda: seq2seq.LuongAttention(UNITS, MEMORY, LENGTHS, scale=True), [f"{L}/attention_g"],
        {"attention_layer": layers.Dense(3, v1.nn.relu, name="mine")}, ["mine/kernel", "mine/bias"],
    ),
    "luong hard": (
        lambda: seq2seq.LuongAttention(UNITS, MEMORY, LENGTHS, probability_fn=seq2seq.hardmax), [],
        {"cell_input_fn": lambda inputs, attention: inputs + 0.1 * attention[:, :2], "output_attention": False}, [],
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def graph():
    with v1.Graph().as_default():
        v1.set_random_seed(5)
        yield


def by_hand(name, w):
    """All steps of the wrapper in numpy; w: the variables' values by their last names."""
    bahdanau, lengths = name.startswith("bahdanau"), LENGTHS if name != "luong" else [5] * 3
    inside = (np.arange(5) < np.array(lengths)[:, None]).astype("float32")
    values = MEMORY * inside[..., None]
    keys = values @ w["memory_layer/kernel"]
    h, attention, outputs, history = np.zeros((3, UNITS)), np.zeros((3, 7 if name == "bahdanau" else 4)), [], []
    attention = np.zeros((3, 3)) if name == "luong scaled" else attention
    for x in X.transpose(1, 0, 2):
        x = x + 0.1 * attention[:, :2] if name == "luong hard" else np.concatenate([x, attention], 1)
        h = np.tanh(np.concatenate([x, h], 1) @ w["basic_rnn_cell/kernel"] + w["basic_rnn_cell/bias"])
        if bahdanau:
            v = w[f"{B}/attention_v"]
            added = keys + (h @ w[f"{B}/query_layer/kernel"])[:, None]
            if "normalized" in name:
                v, added = w[f"{B}/attention_g"] * v / np.linalg.norm(v), added + w[f"{B}/attention_b"]
            score = np.tanh(added) @ v
        else:
            score = np.einsum("btd,bd->bt", keys, h) * w.get(f"{L}/attention_g", 1)
        score = np.where(inside, score, -np.inf)
        aligned = np.exp(score - score.max(1, keepdims=True))
        aligned = np.eye(5)[score.argmax(1)] if "hard" in name else aligned / aligned.sum(1, keepdims=True)
        context = np.einsum("bt,btd->bd", aligned, values)
        both = np.concatenate([h, context], 1)
        attention = context
        if name == "bahdanau":
            attention = both @ w["attention_layer/kernel"]
        elif name == "luong scaled":
            attention = np.maximum(both @ w["mine/kernel"] + w["mine/bias"], 0)
        outputs.append(h if name in ("bahdanau normalized", "luong hard") else attention)
        history.append(aligned)
    return np.stack(outputs, 1), np.stack(history)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_against_numpy(name, flow):
    make, inner, options, outer = CASES[name]
    if "attention_layer" in options:  # a layer is of one graph
        options = {"attention_layer": layers.Dense(3, v1.nn.relu, name="mine")}
    cell = seq2seq.AttentionWrapper(rnn_cell.BasicRNNCell(UNITS), make(), alignment_history=True, **options)
    start = cell.zero_state(3, v1.float32)
    helper = seq2seq.TrainingHelper(X, [4, 4, 4])
    outputs, state, _ = seq2seq.dynamic_decode(seq2seq.BasicDecoder(cell, helper, start))
    wrapper = "decoder/attention_wrapper"
    assert [v.op.name for v in v1.global_variables()] == [
        "memory_layer/kernel", *(f"{wrapper}/{each}" for each in [*CELL, *inner, *outer])
    ]  # fmt: skip
    # There is no way from a hard choice to the scores' variables.
    trained = v1.trainable_variables()[1 if "hard" in name else 0 :]
    slopes = v1.gradients(v1.reduce_sum(v1.square(outputs.rnn_output)), trained)
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        named = {v.op.name.replace(f"{wrapper}/", ""): v for v in v1.global_variables()}
        w = sess.run(named)
        if "normalized" in name:
            assert w[f"{B}/attention_g"] == np.float32(UNITS**-0.5) and not w[f"{B}/attention_b"].any()
        assert w.get(f"{L}/attention_g", 1) == 1
        w = {each: np.float32(RANDOM.randn(*value.shape)) for each, value in w.items()}
        for each, variable in named.items():
            variable.load(w[each], sess)
        outputs, history, last, slopes = sess.run(
            [outputs.rnn_output, state.alignment_history.stack(), state.alignments, slopes]
        )
    expected, aligned = by_hand(name, w)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(history, aligned, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(last, history[-1])
    assert all(np.isfinite(slope).all() and slope.any() for slope in slopes)


def test_two_memories_and_a_wrapper_as_a_cell_of_dynamic_rnn():
    other = v1.constant(MEMORY[:, :3] * 2)
    mechanisms = [seq2seq.LuongAttention(UNITS, MEMORY), seq2seq.BahdanauAttention(UNITS, other, name="second")]
    cell = seq2seq.AttentionWrapper(rnn_cell.GRUCell(UNITS), mechanisms, attention_layer_size=[7, 8])
    assert cell.output_size == 15 and cell.state_size.alignments == (5, 3) and cell.state_size.attention == 15
    outputs, state = v1.nn.dynamic_rnn(cell, X, dtype=v1.float32)
    assert [v.op.name for v in v1.global_variables() if "gru" not in v.op.name] == [
        "memory_layer/kernel", "memory_layer_1/kernel", "rnn/attention_wrapper/attention_layer/kernel",
        f"rnn/attention_wrapper/{B}/query_layer/kernel", f"rnn/attention_wrapper/{B}/attention_v",
        "rnn/attention_wrapper/attention_layer_1/kernel",
    ]  # fmt: skip
    assert state.alignment_history == ((), ())
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        state, outputs = sess.run([state, outputs])
    assert [each.shape for each in state.alignments] == [(3, 5), (3, 3)] and state.time == 4
    np.testing.assert_allclose([each.sum(1) for each in state.alignments], 1, rtol=1e-6)
    np.testing.assert_array_equal(outputs[:, -1], state.attention)


def test_sizes_known_only_when_it_runs(flow):
    memory, lengths = v1.placeholder(v1.float32, [None, None, 4]), v1.placeholder(v1.int32, [None])
    batch = v1.shape(memory)[0]
    cell = rnn_cell.BasicLSTMCell(UNITS)
    encoded = cell.zero_state(batch, v1.float32)
    wrapper = seq2seq.AttentionWrapper(cell, seq2seq.BahdanauAttention(UNITS, memory, lengths), 4, True)
    start = wrapper.zero_state(batch, v1.float32).clone(cell_state=encoded)
    helper = seq2seq.GreedyEmbeddingHelper(v1.eye(4), v1.fill([batch], 1), 2)
    decoder = seq2seq.BasicDecoder(wrapper, helper, start)
    outputs, state, _ = seq2seq.dynamic_decode(decoder, impute_finished=True, maximum_iterations=5)
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        ids, history = sess.run(
            [outputs.sample_id, state.alignment_history.stack()], {memory: MEMORY, lengths: LENGTHS}
        )
    assert ids.shape == (3, len(history)) and history.shape[1:] == (3, 5)
    assert not history[:, 1, 2:].any() and not history[:, 2, 3:].any()


def test_own_keys_values_and_attention():
    made = seq2seq.LuongAttention(UNITS, MEMORY, custom_key_value_fn=lambda keys, values: (2 * keys, values[..., :1]))
    seen = []

    def attention(mechanism, output, state, layer):
        seen.append((mechanism, layer))
        alignments, state = mechanism(output, state)
        return output[:, :1], alignments, state

    start = rnn_cell.GRUCell(UNITS).zero_state(3, v1.float32) + 0.5
    cell = seq2seq.AttentionWrapper(rnn_cell.GRUCell(UNITS), made, attention_fn=attention, initial_cell_state=start)
    output, state = cell(v1.constant(X[:, 0]), cell.zero_state(3, v1.float32))
    assert seen == [(made, None)] and made.values.get_shape().as_list() == [3, 5, 1]
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        zero, keys = sess.run([cell.zero_state(3, v1.float32), made.keys])
        kernel = sess.run(made.memory_layer.kernel)
        output, state = sess.run([output, state])
    assert (zero.cell_state == 0.5).all() and not zero.attention.any()
    np.testing.assert_allclose(keys, 2 * MEMORY @ kernel, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(output, state.cell_state[:, :1])


def test_what_is_past_the_lengths_is_0_and_scores_what_one_says():
    mechanism = seq2seq.LuongAttention(UNITS, MEMORY, LENGTHS, score_mask_value=-1.0)
    with v1.Session() as sess:
        alignments, _ = mechanism(v1.zeros([3, UNITS]), None)
        sess.run(v1.global_variables_initializer())
        values, keys, alignments = sess.run([mechanism.values, mechanism.keys, alignments])
    inside = np.arange(5) < LENGTHS[:, None]
    np.testing.assert_array_equal(values, MEMORY * inside[..., None])
    assert not keys[~inside].any() and keys[inside].all()
    expected = np.exp(np.where(inside, 0, -1))
    np.testing.assert_allclose(alignments, expected / expected.sum(1, keepdims=True), rtol=1e-6)


def test_hardmax_and_safe_cumprod():
    logits = v1.placeholder(v1.float32, [None, None])
    x = RANDOM.rand(3, 6).astype("float32")
    with v1.Session() as sess:
        assert sess.run(seq2seq.hardmax(logits), {logits: [[1, 3, 3], [5, 1, 0]]}).tolist() == [[0, 1, 0], [1, 0, 0]]
        found = sess.run([seq2seq.safe_cumprod(x, axis=1), seq2seq.safe_cumprod(x, axis=1, exclusive=True)])
        zero = sess.run(seq2seq.safe_cumprod([0.0, 1.0]))
    np.testing.assert_allclose(found[0], x.cumprod(1), rtol=1e-4)
    np.testing.assert_allclose(found[1][:, 1:], x.cumprod(1)[:, :-1], rtol=1e-4)
    assert (zero >= 0).all() and (zero < 1e-37).all()


def test_what_does_not_fit():
    cell, luong = rnn_cell.GRUCell(UNITS), seq2seq.LuongAttention(UNITS, MEMORY)
    wrapper = seq2seq.AttentionWrapper(cell, luong)
    state = wrapper.zero_state(3, v1.float32)
    wrap = seq2seq.AttentionWrapper
    for build, kind, says in (
        (lambda: seq2seq.LuongAttention(UNITS, v1.placeholder(v1.float32, [3, 5, None])), ValueError, "inner dims"),
        (lambda: seq2seq.LuongAttention(UNITS, MEMORY, probability_fn=3), TypeError, "callable"),
        (lambda: seq2seq.LuongAttention(2, MEMORY)(v1.zeros([3, 4]), None), ValueError, "Incompatible or unknown"),
        (lambda: wrap(cell, cell), TypeError, "AttentionMechanism"),
        (lambda: wrap(3, luong), TypeError, "not an RNNCell"),
        (lambda: wrap(cell, luong, cell_input_fn=3), TypeError, "callable"),
        (lambda: wrap(cell, luong, [3, 4]), ValueError, "exactly one"),
        (lambda: wrap(cell, luong, 3, attention_layer=layers.Dense(3)), ValueError, "Only one of"),
        (lambda: wrapper(X[:, 0], cell.zero_state(3, v1.float32)), TypeError, "AttentionWrapperState"),
        (lambda: state.clone(cell_state=v1.zeros([3, UNITS + 1])), ValueError, "cannot become"),
        (lambda: wrapper.zero_state(6, v1.float32), tf.errors.InvalidArgumentError, "tile_batch"),
    ):
        with pytest.raises(kind, match=says):
            build()
    zero = seq2seq.LuongAttention(UNITS, MEMORY, v1.constant([5, 0, 2]))
    with v1.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError, match="greater than zero"):
        sess.run(zero(v1.zeros([3, UNITS]), None)[0])
