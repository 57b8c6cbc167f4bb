"""contrib.metrics over thresholds, against counts in numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import metrics

RANDOM = np.random.RandomState(4)
P, L, W = RANDOM.rand(40).astype("f"), RANDOM.rand(40) > 0.4, RANDOM.randint(1, 4, 40).astype("f")
EVEN = np.linspace(0, 1, 5)


def counts(thresholds, above=np.greater):
    """Returns tp, fp, fn, tn at each threshold."""
    hit = above(P[None, :], np.asarray(thresholds)[:, None])
    return [(W * (a & b)).sum(1) for a, b in ((hit, L), (hit, ~L), (~hit, L), (~hit, ~L))]


def run(make):
    """Returns what a metric gives after two batches."""
    with v1.Graph().as_default(), v1.Session() as session:
        p, labels, w = (v1.placeholder(dtype, [None]) for dtype in (v1.float32, v1.bool, v1.float32))
        value, update = make(p, labels, w)
        session.run(v1.local_variables_initializer())
        for part in (slice(0, 25), slice(25, 40)):
            session.run(update, {p: P[part], labels: L[part], w: W[part]})
        return session.run(value)


def test_points_of_curves():
    tp, fp, fn, tn = counts([-1, *EVEN[1:-1], 2])
    recall = tp / (tp + fn)
    found = run(lambda p, q, w: metrics.streaming_curve_points(q, p, w, num_thresholds=5))
    assert found == pytest.approx(np.stack([fp / (fp + tn), recall], 1), abs=1e-5)
    found = run(lambda p, q, w: metrics.streaming_curve_points(q, p, w, num_thresholds=5, curve="PR"))
    precision = np.append((tp / np.maximum(tp + fp, 1))[:-1], 1)  # nothing is found above 1: the precision counts as 1
    assert found == pytest.approx(np.stack([recall, precision], 1), abs=1e-5)
    with pytest.raises(ValueError, match="ROC or PR"):
        run(lambda p, q, w: metrics.streaming_curve_points(q, p, curve="X"))


def test_precision_and_recall_at_equal_thresholds():
    found = run(lambda p, q, w: metrics.precision_recall_at_equal_thresholds(q, p, w, num_thresholds=5))
    tp, fp, fn, tn = counts(EVEN, np.greater_equal)
    assert np.stack([found.tp, found.fp, found.fn, found.tn]) == pytest.approx(np.stack([tp, fp, fn, tn]))
    assert found.precision == pytest.approx(tp / np.maximum(tp + fp, 1e-7)) and found.thresholds == pytest.approx(EVEN)
    assert found.recall == pytest.approx(tp / (tp + fn))


def test_one_rate_at_another():
    tp, fp, fn, _ = counts([-1, *np.linspace(0, 1, 20)[1:-1], 2])
    recall, precision = tp / (tp + fn), tp / np.maximum(tp + fp, 1e-7)
    found = run(lambda p, q, w: metrics.recall_at_precision(q, p, 0.6, w, num_thresholds=20))
    assert found == pytest.approx(recall[abs(precision - 0.6).argmin()], rel=1e-5)
    found = run(lambda p, q, w: metrics.recall_at_precision(q, p, 0.6, w, num_thresholds=20, strict_mode=True))
    assert found == pytest.approx(recall[np.where(precision >= 0.6, precision, 2).argmin()], rel=1e-5)
    found = run(lambda p, q, w: metrics.precision_at_recall(q, p, 0.7, w, num_thresholds=20))
    assert found == pytest.approx(precision[recall >= 0.7][-1], rel=1e-5)
    with pytest.raises(ValueError, match="range"):
        run(lambda p, q, w: metrics.recall_at_precision(q, p, 1.5))


def test_area_by_histograms_counts_the_pairs_in_order():
    """Two scores of one bin count as half a pair in order."""
    found = run(lambda p, q, w: metrics.auc_using_histogram(q, p, [0.0, 1.0], nbins=6))
    bins = np.floor(P * 6)
    pairs = np.sign(bins[L][:, None] - bins[~L][None, :])
    assert found == pytest.approx(((pairs + 1) / 2).mean(), abs=1e-6)


def test_kappa():
    expected, predicted = L.astype(int), (P > 0.5).astype(int)
    table = np.zeros([2, 2])
    np.add.at(table, (expected, predicted), W)
    chance = (table.sum(0) * table.sum(1)).sum() / table.sum()
    kappa = (np.trace(table) - chance) / (table.sum() - chance)
    found = run(lambda p, q, w: metrics.cohen_kappa(v1.cast(q, v1.int32), v1.cast(p > 0.5, v1.int32), 2, w))
    assert found == pytest.approx(kappa, rel=1e-6)
    with v1.Graph().as_default(), v1.Session() as session:
        found = session.run(metrics.confusion_matrix(expected, predicted, 2, weights=W, dtype=v1.float32))
    assert (found == table).all()


def test_variables_have_the_names_of_1_15():
    with v1.Graph().as_default():
        metrics.streaming_true_positives_at_thresholds(v1.constant(P), v1.constant(L), [0.5])
        metrics.streaming_concat(v1.constant(P))
        metrics.precision_recall_at_equal_thresholds(v1.constant(L), v1.constant(P), name="at")
        names = {variable.op.name for variable in v1.local_variables()}
    assert names == {"true_positives", "streaming_concat/array", "streaming_concat/size"} | {
        f"at/variables/{kind}_buckets" for kind in ("tp", "fp")
    }
