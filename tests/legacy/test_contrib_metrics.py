"""contrib.metrics against numpy, over three batches."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import metrics

RANDOM = np.random.RandomState(6)
BATCHES = [(RANDOM.rand(5).astype("f"), RANDOM.rand(5) > 0.5, RANDOM.randint(0, 3, 5).astype("f")) for _ in range(3)]
P, L, W = (np.concatenate(each) for each in zip(*BATCHES))
THRESHOLDS = [0.2, 0.6]


def rate(wrong, right):
    return (W * wrong).sum() / ((W * wrong).sum() + (W * right).sum())


def covariance(p, q):
    return ((p - np.average(p, weights=W)) * (q - np.average(q, weights=W)) * W).sum() / (W.sum() - 1)


def run(make, batches=BATCHES):
    with v1.Graph().as_default(), v1.Session() as session:
        p, labels, w = v1.placeholder(v1.float32, [None]), v1.placeholder(v1.bool, [None]), v1.placeholder(v1.float32)
        w.set_shape([None])
        value, update = make(p, labels, w)
        session.run(v1.local_variables_initializer())
        for batch in batches:
            updated = session.run(update, dict(zip((p, labels, w), batch)))
        found = session.run(value)
        assert np.array_equal(found, updated)
        return found


CASES = {
    "false_positive_rate": (
        lambda p, q, w: metrics.streaming_false_positive_rate(p > 0.5, q, w), rate((P > 0.5) & ~L, (P <= 0.5) & ~L)),
    "false_negative_rate": (
        lambda p, q, w: metrics.streaming_false_negative_rate(p > 0.5, q, w), rate((P <= 0.5) & L, (P > 0.5) & L)),
    "false_positive_rate_at_thresholds": (
        lambda p, q, w: metrics.streaming_false_positive_rate_at_thresholds(p, q, THRESHOLDS, w),
        [rate((t < P) & ~L, (t >= P) & ~L) for t in THRESHOLDS]),
    "recall_at_thresholds": (
        lambda p, q, w: metrics.streaming_recall_at_thresholds(p, q, THRESHOLDS, w),
        [rate((t < P) & L, (t >= P) & L) for t in THRESHOLDS]),
    "count": (lambda p, q, w: metrics.count(p, w), W.sum()),
    "covariance": (lambda p, q, w: metrics.streaming_covariance(p, w * p, w), covariance(P, W * P)),
    "pearson": (
        lambda p, q, w: metrics.streaming_pearson_correlation(p, v1.cast(q, v1.float32), w),
        covariance(P, L) / np.sqrt(covariance(P, P) * covariance(L * 1.0, L * 1.0))),
    "concat": (lambda p, q, w: metrics.streaming_concat(p), P),
    "concat of so many": (lambda p, q, w: metrics.streaming_concat(p, max_size=7), P[:7]),
    "mean_absolute_error": (
        lambda p, q, w: metrics.streaming_mean_absolute_error(p, v1.cast(q, v1.float32), w),
        np.average(abs(P - L), weights=W)),
    "percentage_less": (lambda p, q, w: metrics.streaming_percentage_less(p, 0.3, w), np.average(P < 0.3, weights=W)),
    "true_positives": (lambda p, q, w: metrics.streaming_true_positives(p > 0.5, q, w), (W * ((P > 0.5) & L)).sum()),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_over_batches(name):
    make, expected = CASES[name]
    assert run(make) == pytest.approx(expected, rel=1e-4)


def test_f1_is_the_best_of_all_thresholds():
    best = 0
    for t in [i / 19 for i in range(20)]:
        hit, wrong, missed = ((t < P) & L).sum(), ((t < P) & ~L).sum(), ((t >= P) & L).sum()
        best = max(best, 2 * hit / (2 * hit + wrong + missed))
    assert run(lambda p, q, w: metrics.f1_score(q, p, num_thresholds=20)) == pytest.approx(best, abs=1e-3)


def test_a_large_mean_costs_no_digits():
    """The one-pass formula, a difference of squares, has nothing left of a variance of 1 beside a mean of 10000."""
    batches = [(RANDOM.randn(50).astype("f") + 1e4, np.zeros(50, bool), np.ones(50, "f")) for _ in range(3)]
    values = np.concatenate([batch[0] for batch in batches]).astype(float)
    found = run(lambda p, q, w: metrics.streaming_covariance(p, p), batches)
    assert found == pytest.approx(values.var(ddof=1), rel=0.02)


def test_k_largest():
    scores, labels = np.array([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]], "f"), np.array([[2], [0]], np.int64)
    with v1.Graph().as_default(), v1.Session() as session:
        pairs = [
            metrics.streaming_sparse_recall_at_k(scores, labels, 1),
            metrics.streaming_sparse_precision_at_k(scores, labels, 2),
            metrics.streaming_sparse_precision_at_top_k(np.array([[1, 2], [0, 2]], np.int64), labels),
            metrics.sparse_recall_at_top_k(labels, np.array([[1], [0]], np.int64)),
            metrics.streaming_recall_at_k(scores, labels[:, 0], 1),
        ]
        session.run(v1.local_variables_initializer())
        assert session.run([update for _, update in pairs]) == [0.5, 0.5, 0.5, 0.5, 0.5]


def test_labels_may_be_sparse_or_lists():
    sparse = v1.SparseTensorValue([[0, 0], [1, 0]], np.array([2, 0], np.int64), [2, 1])
    with v1.Graph().as_default(), v1.Session() as session:
        pairs = [
            metrics.streaming_sparse_precision_at_top_k(np.array([[1, 2], [0, 2]], np.int64), sparse),
            metrics.sparse_recall_at_top_k(sparse, np.array([[1], [0]], np.int64)),
            metrics.streaming_true_positives_at_thresholds((0.2, 0.8), (1, 1), [0.5]),
        ]
        alone = metrics.streaming_covariance(v1.constant([3.0]), v1.constant([3.0]))
        session.run(v1.local_variables_initializer())
        assert session.run([update for _, update in pairs]) == [0.5, 0.5, [1.0]]
        assert np.isnan(session.run(list(alone))).all()


def test_what_is_refused():
    with v1.Graph().as_default():
        with pytest.raises(ValueError, match="bool, integer, or string"):
            metrics.accuracy(v1.constant([0.5]), v1.constant([0.5]))
        with pytest.raises(ValueError, match="static rank"):
            metrics.streaming_concat(v1.placeholder(v1.float32))
        with pytest.raises(ValueError, match="other than the dimension"):
            metrics.streaming_concat(v1.placeholder(v1.float32, [None, None]))
