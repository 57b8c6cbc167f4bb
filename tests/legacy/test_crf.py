"""contrib.crf against all the sequences of tags there are, counted out in numpy."""

import itertools

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import crf

RANDOM = np.random.RandomState(4)
TAGS, TIME = 3, 5
LENGTHS = np.array([5, 3, 1, 0, 2])
UNARY = RANDOM.randn(5, TIME, TAGS).astype("float32")
PAIRS = RANDOM.randn(TAGS, TAGS).astype("float32")
TRUTH = RANDOM.randint(TAGS, size=(5, TIME))


def score(row, tags):
    steps = sum(UNARY[row, step, tag] for step, tag in enumerate(tags))
    return steps + sum(PAIRS[one, other] for one, other in zip(tags, tags[1:]))


def scores(row, allowed=None):
    """All sequences of the row's length -> their score."""
    return {
        tags: score(row, tags)
        for tags in itertools.product(range(TAGS), repeat=LENGTHS[row])
        if allowed is None or all(allowed[row, step, tag] for step, tag in enumerate(tags))
    }


def log_sum(values):
    return np.log(np.exp(np.float64(list(values))).sum())


OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in ("sizes fed", "control flow 1")]


@pytest.fixture(scope="module", params=["all known", *OTHERS])
def found(request):
    """All that the module computes, of tensors whose shapes are known, and of others."""
    allowed = RANDOM.rand(5, TIME, TAGS) < 0.6
    allowed[..., 0] = True
    before = v1.control_flow_v2_enabled()
    if request.param == "control flow 1":
        v1.disable_control_flow_v2()
    with v1.Graph().as_default(), v1.Session() as sess:
        fed = request.param == "sizes fed"
        x = v1.placeholder(v1.float32, [None, None, TAGS] if fed else UNARY.shape)
        tags = v1.placeholder(v1.int64 if fed else v1.int32, [None, None] if fed else TRUTH.shape)
        lengths = v1.placeholder(v1.int32 if fed else v1.int64, [None] if fed else LENGTHS.shape)
        likelihood, transitions = crf.crf_log_likelihood(x, tags, lengths)
        fetches = {
            "score": crf.crf_sequence_score(x, tags, lengths, transitions),
            "unary": crf.crf_unary_score(tags, lengths, x),
            "binary": crf.crf_binary_score(tags, lengths, transitions),
            "norm": crf.crf_log_norm(x, lengths, transitions),
            "multitag": crf.crf_multitag_sequence_score(x, allowed, lengths, transitions),
            "likelihood": likelihood,
            "decoded": crf.crf_decode(x, transitions, lengths),
            "slopes": v1.gradients(likelihood, [x, transitions]),
        }
        assert [v.op.name for v in v1.trainable_variables()] == ["transitions"]
        sess.run(v1.global_variables_initializer())
        v1.global_variables()[0].load(PAIRS, sess)
        feed = {x: UNARY, tags: TRUTH, lengths: LENGTHS}
        yield {"allowed": allowed, **sess.run(fetches, feed)}
    (v1.enable_control_flow_v2 if before else v1.disable_control_flow_v2)()


def test_scores(found):
    expected = [score(row, TRUTH[row, :length]) for row, length in enumerate(LENGTHS)]
    np.testing.assert_allclose(found["score"], expected, rtol=1e-5, atol=1e-6)
    unary = [sum(UNARY[row, t, TRUTH[row, t]] for t in range(length)) for row, length in enumerate(LENGTHS)]
    np.testing.assert_allclose(found["unary"], unary, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["binary"], np.array(expected) - unary, rtol=1e-5, atol=1e-6)


def test_norms_and_likelihoods(found):
    norms = [log_sum(scores(row).values()) if length else 0 for row, length in enumerate(LENGTHS)]
    np.testing.assert_allclose(found["norm"], norms, rtol=1e-5)
    expected = [score(row, TRUTH[row, :length]) - norms[row] for row, length in enumerate(LENGTHS)]
    np.testing.assert_allclose(found["likelihood"], expected, rtol=1e-4, atol=1e-5)
    some = [log_sum(scores(row, found["allowed"]).values()) if LENGTHS[row] else 0 for row in range(5)]
    np.testing.assert_allclose(found["multitag"], some, rtol=1e-5, atol=1e-6)


def test_slopes_are_the_truth_less_the_expectation(found):
    unary, pairs = np.zeros_like(UNARY), np.zeros_like(PAIRS)
    for row, length in enumerate(LENGTHS):
        every = scores(row) if length else {}
        total = log_sum(every.values()) if length else 0
        weighed = [(tags, -np.exp(value - total)) for tags, value in every.items()]
        for tags, weight in [*weighed, (tuple(TRUTH[row, :length]), 1.0)]:
            for step, tag in enumerate(tags):
                unary[row, step, tag] += weight
            for one, other in zip(tags, tags[1:]):
                pairs[one, other] += weight
    np.testing.assert_allclose(found["slopes"][0], unary, atol=1e-5)
    np.testing.assert_allclose(found["slopes"][1], pairs, atol=1e-5)


def test_decoding(found):
    tags, best = found["decoded"]
    assert tags.dtype == np.int32 and tags.shape == (5, TIME)
    for row, length in enumerate(LENGTHS):
        assert not tags[row, max(length, 1) :].any()
        if length:
            every = scores(row)
            expected = max(every, key=every.get)
            assert tuple(tags[row, :length]) == expected
            assert best[row] == pytest.approx(every[expected], rel=1e-5)
            by_numpy, value = crf.viterbi_decode(UNARY[row, :length], PAIRS)
            assert tuple(by_numpy) == expected and value == pytest.approx(every[expected], rel=1e-5)
    assert best[3] == 0


def test_sequences_of_one_step():
    x = UNARY[:, :1]
    with v1.Graph().as_default(), v1.Session() as sess:
        tags = crf.crf_decode(v1.constant(x), v1.constant(PAIRS), v1.ones([5], v1.int32))
        likelihood, _ = crf.crf_log_likelihood(v1.constant(x), TRUTH[:, :1], [1] * 5, v1.constant(PAIRS))
        (tags, best), likelihood = sess.run([tags, likelihood])
    np.testing.assert_array_equal(tags, x.argmax(2))
    np.testing.assert_array_equal(best, x.max((1, 2)))
    chosen = np.take_along_axis(x[:, 0], TRUTH[:, :1], 1)[:, 0]
    np.testing.assert_allclose(likelihood, chosen - np.log(np.exp(x).sum((1, 2))), rtol=1e-5)
