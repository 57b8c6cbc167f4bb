"""contrib.seq2seq's monotonic attention against a walk over the memory in numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import seq2seq
from tf1ref.legacy.nn import rnn_cell

RANDOM = np.random.RandomState(2)
MEMORY = RANDOM.randn(3, 5, 4).astype("float32")
LENGTHS = np.int32([5, 2, 3])
X = RANDOM.randn(3, 4, 2).astype("float32")


@pytest.fixture(autouse=True)
def graph():
    with v1.Graph().as_default():
        v1.set_random_seed(3)
        yield


def walked(p, before):
    """From each place the walk may start at: the chance that it passes what is between and stops at i."""
    attention = np.zeros_like(before)
    for start in range(p.shape[1]):
        for stop in range(start, p.shape[1]):
            attention[:, stop] += before[:, start] * np.prod(1 - p[:, start:stop], axis=1) * p[:, stop]
    return attention


@pytest.mark.parametrize("mode", ["recursive", "parallel", "hard"])
def test_the_walk(mode):
    p, before = RANDOM.rand(4, 6).astype("float32"), RANDOM.rand(4, 6).astype("float32")
    before /= before.sum(1, keepdims=True)
    if mode == "hard":
        p, before = np.float32(p > 0.7), np.eye(6, dtype="float32")[[0, 2, 3, 5]]
    with v1.Session() as sess:
        found = sess.run(seq2seq.monotonic_attention(p, before, mode))
    np.testing.assert_allclose(found, walked(p, before), rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="mode must be"):
        seq2seq.monotonic_attention(p, before, "soft")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Bahdanau", "Luong"])
def test_in_a_wrapper(name):
    make = getattr(seq2seq, f"{name}MonotonicAttention")
    option = {"normalize": True} if name == "Bahdanau" else {"scale": True}
    mechanism = make(6, MEMORY, LENGTHS, score_bias_init=-0.5, mode="recursive", **option)
    cell = seq2seq.AttentionWrapper(rnn_cell.GRUCell(6), mechanism, alignment_history=True)
    start = cell.zero_state(3, v1.float32)
    helper = seq2seq.TrainingHelper(X, [4, 4, 4])
    _, state, _ = seq2seq.dynamic_decode(seq2seq.BasicDecoder(cell, helper, start))
    scope = f"decoder/attention_wrapper/{name.lower()}_monotonic_attention"
    inner = (
        ["query_layer/kernel", "attention_v", "attention_g", "attention_b"] if name == "Bahdanau" else ["attention_g"]
    )
    assert [v.op.name for v in v1.global_variables() if "gru" not in v.op.name] == [
        "memory_layer/kernel", *(f"{scope}/{each}" for each in [*inner, "attention_score_bias"])
    ]  # fmt: skip
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        history = sess.run(state.alignment_history.stack())
        zero, bias = sess.run([start.alignments, v1.global_variables()[-1]])
    assert bias == -0.5 and zero.tolist() == [[1, 0, 0, 0, 0]] * 3
    assert not history[:, 1, 2:].any() and not history[:, 2, 3:].any()
    # Nobody walks back: the chance to be at i or before never grows, nor does the chance to be anywhere at all.
    reached = np.concatenate([zero[None], history]).cumsum(2)
    assert (np.diff(reached, axis=0) <= 1e-6).all() and history[0].sum() > 0.5


def test_noise_is_drawn_by_its_seed():
    query, state = v1.zeros([3, 4]), v1.one_hot([0, 0, 0], 5)

    def aligned(noise, mode="parallel"):
        with v1.variable_scope("same", reuse=v1.AUTO_REUSE):
            mechanism = seq2seq.LuongMonotonicAttention(
                4, MEMORY, sigmoid_noise=noise, sigmoid_noise_seed=7, mode=mode
            )  # fmt: skip
            return mechanism(query, state)[0]

    plain, noisy, hard = aligned(0.0), aligned(3.0), aligned(3.0, "hard")
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        plain, noisy, hard = sess.run([plain, noisy, hard])
    # The query is 0, so each place stops the walk or not with even chances.
    np.testing.assert_allclose(plain, np.tile(0.5 ** np.arange(1, 6), (3, 1)), rtol=1e-4)
    assert np.abs(noisy - plain).max() > 0.1 and set(np.unique(hard)) <= {0, 1}
