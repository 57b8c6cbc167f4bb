"""legacy_seq2seq's attention against numpy, after Vinyals et al., 2014, and its buckets and tied decoders."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import legacy_seq2seq, rnn

RANDOM = np.random.RandomState(6)
STEPS = [RANDOM.randn(2, 3).astype("float32") for _ in range(3)]
MEMORY = RANDOM.randn(2, 5, 4).astype("float32")
IDS = [np.array([1, 2]), np.array([0, 3]), np.array([3, 1])]


def joined(w, scope, *parts):
    return np.concatenate(parts, 1) @ w[f"{scope}kernel"] + w[f"{scope}bias"]


def read(w, head, query):
    scores = np.tanh(MEMORY @ w[f"AttnW_{head}"][0, 0] + joined(w, f"Attention_{head}/", query)[:, None])
    weights = np.exp(scores @ w[f"AttnV_{head}"])
    return np.einsum("bt,btd->bd", weights / weights.sum(1, keepdims=True), MEMORY)


@pytest.mark.parametrize("first", [False, True], ids="initial_state_attention={}".format)
def test_attention_decoder(first):
    state = RANDOM.randn(2, 4).astype("float32")
    with v1.Graph().as_default(), v1.Session() as sess:
        outputs, last = legacy_seq2seq.attention_decoder(
            [v1.constant(x) for x in STEPS], v1.constant(state), v1.constant(MEMORY), rnn.BasicRNNCell(4),
            output_size=2, num_heads=2, initial_state_attention=first,
        )  # fmt: skip
        names = [v.op.name.split("/", 1)[1] for v in v1.global_variables()]
        w = {n: RANDOM.randn(*v.get_shape().as_list()) for n, v in zip(names, v1.global_variables())}
        for variable, value in zip(v1.global_variables(), w.values()):
            variable.load(value, sess)
        found = sess.run([*outputs, last])
    assert {"AttnW_1", "AttnV_1", "Attention_1/kernel", "basic_rnn_cell/kernel", "AttnOutputProjection/bias"} <= {
        *names
    }
    heads = [read(w, head, state) if first else np.zeros((2, 4)) for head in range(2)]
    expected = []
    for x in STEPS:
        state = np.tanh(joined(w, "basic_rnn_cell/", joined(w, "", x, *heads), state))
        heads = [read(w, head, state) for head in range(2)]
        expected.append(joined(w, "AttnOutputProjection/", state, *heads))
    for got, wanted in zip(found, [*expected, state]):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def attended(feed_previous, reuse=None, steps=3):
    with v1.variable_scope("all", reuse=reuse):
        ids = [v1.constant(each) for each in IDS[:steps]]
        return legacy_seq2seq.embedding_attention_seq2seq(
            ids, ids, rnn.BasicLSTMCell(4), 4, 4, 3, feed_previous=feed_previous
        )


def tied(feed_previous, reuse=None, steps=3):
    with v1.variable_scope("all", reuse=reuse):
        ids = [v1.constant(each) for each in IDS[:steps]]
        return legacy_seq2seq.embedding_tied_rnn_seq2seq(ids, ids, rnn.GRUCell(4), 4, 3, feed_previous=feed_previous)


@pytest.mark.slow
@pytest.mark.parametrize("model", [attended, tied])
def test_a_tensor_chooses_the_decoder(model):
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(1)
        fed = v1.placeholder(v1.bool, [])
        chosen, given, own = model(fed), model(False, True), model(True, True)
        embeddings = [v.op.name for v in v1.trainable_variables() if v.op.name.endswith("embedding")]
        sess.run(v1.global_variables_initializer())
        for value, expected in ((False, given), (True, own)):
            found, expected = sess.run([chosen, expected], {fed: value})
            for a, b in zip(v1.nest.flatten(found), v1.nest.flatten(expected)):
                np.testing.assert_array_equal(a, b)
        assert np.abs(sess.run(given[0][2]) - sess.run(own[0][2])).max() > 0
    assert len(embeddings) == (2 if model is attended else 1)


@pytest.mark.slow
@pytest.mark.parametrize("each", [False, True], ids="per_example_loss={}".format)
def test_buckets_share_weights(each):
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(1)
        ids, ones = [v1.constant(i) for i in IDS], [v1.ones([2])] * 3

        def model(encoder_inputs, decoder_inputs):
            return attended(False, v1.get_variable_scope().reuse, len(encoder_inputs))

        outputs, losses = legacy_seq2seq.model_with_buckets(
            ids, ids, ids, ones, [(1, 1), (3, 3)], model, per_example_loss=each
        )
        assert len({v.op.name for v in v1.global_variables()}) == len(v1.global_variables())
        sess.run(v1.global_variables_initializer())
        logits, found = sess.run([outputs, losses])
    for steps, loss in zip(logits, found):
        costs = [np.log(np.exp(x).sum(1)) - x[[0, 1], labels] for x, labels in zip(steps, IDS)]
        expected = np.mean(costs, 0) if each else np.mean(costs)
        np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_refused():
    with v1.Graph().as_default():
        cell, steps = rnn.BasicRNNCell(4), [v1.constant(x) for x in STEPS]
        with pytest.raises(ValueError, match="at least 1 input"):
            legacy_seq2seq.attention_decoder([], None, v1.constant(MEMORY), cell)
        with pytest.raises(ValueError, match="less than 1 heads"):
            legacy_seq2seq.attention_decoder(steps, None, v1.constant(MEMORY), cell, num_heads=0)
        with pytest.raises(ValueError, match=r"Length of targets \(1\) must be at least that of last bucket \(3\)"):
            legacy_seq2seq.model_with_buckets(IDS, IDS, IDS[:1], IDS, [(2, 3)], attended)
        with pytest.raises(ValueError, match="are incompatible"):
            legacy_seq2seq.embedding_tied_rnn_seq2seq(
                IDS, IDS, cell, 4, 3, output_projection=(np.zeros((4, 5), "float32"), np.zeros(5, "float32"))
            )
