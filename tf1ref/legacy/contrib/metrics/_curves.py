"""Metrics of contrib.metrics over a range of thresholds: points of curves, one rate at another, AUC by histograms."""

from collections import namedtuple

import tensorflow.compat.v1 as v1
from tensorflow.python.ops import metrics_impl

from tf1ref.legacy.contrib.metrics._own import EPSILON, at_thresholds, collected

# The original keeps this much from 0 / 0 in the points of a curve; tf.metrics.auc has the same number.
CURVE_EPSILON = 1e-6

PrecisionRecallData = namedtuple("PrecisionRecallData", "tp fp tn fn precision recall thresholds")


def even_thresholds(number):
    """Returns `number` thresholds from 0 to 1. The two ends lie just outside, so that they part nothing."""
    return [-EPSILON, *(i / (number - 1) for i in range(1, number - 1)), 1.0 + EPSILON]


def streaming_curve_points(
    labels=None,
    predictions=None,
    weights=None,
    num_thresholds=200,
    metrics_collections=None,
    updates_collections=None,
    curve="ROC",
    name=None,
):
    """The points of a curve, [num_thresholds, 2], from the lowest threshold to the highest.

    A point of "ROC" is (false positive rate, recall), one of "PR" is (recall, precision). Raises ValueError for
    another curve.
    """
    with v1.variable_scope(name, "curve_points", (labels, predictions, weights)):
        if curve not in ("ROC", "PR"):
            raise ValueError(f"curve must be either ROC or PR, {curve} unknown")
        counts, updates = metrics_impl._confusion_matrix_at_thresholds(
            labels, predictions, even_thresholds(num_thresholds), weights
        )
        tp, fp = counts["tp"], counts["fp"]
        recall = (tp + CURVE_EPSILON) / (tp + counts["fn"] + CURVE_EPSILON)
        if curve == "ROC":
            axes = [fp / (fp + counts["tn"] + CURVE_EPSILON), recall]
        else:
            axes = [recall, (tp + CURVE_EPSILON) / (tp + fp + CURVE_EPSILON)]
        points, update = v1.stack(axes, axis=1), v1.group(*updates.values())
        return collected(points, update, metrics_collections, updates_collections)


def precision_recall_at_equal_thresholds(
    labels, predictions, weights=None, num_thresholds=None, use_locking=None, name=None
):
    """Counts, precision and recall at even thresholds from 0 to 1, 201 unless told, and the op that updates them.

    A prediction p in [0, 1] falls in the bucket floor(p * (num_thresholds - 1)), so that a batch costs its own size
    plus the number of thresholds. The counts are kept as float64 and given in the type of the predictions.
    """
    v1.debugging.assert_type(labels, v1.bool)
    bins = num_thresholds or 201
    with v1.variable_scope(name, "precision_recall_at_equal_thresholds", (labels, predictions, weights)):
        inside = [check(predictions, v1.cast(end, predictions.dtype), message="predictions must be in [0, 1]")
                  for check, end in ((v1.assert_greater_equal, 0), (v1.assert_less_equal, 1))]  # fmt: skip
        with v1.control_dependencies(inside):
            predictions, labels, weights = metrics_impl._remove_squeezable_dimensions(
                predictions, labels, 1.0 if weights is None else weights
            )
        predictions.get_shape().assert_is_compatible_with(labels.get_shape())
        true, share = v1.cast(labels, v1.float64), v1.cast(weights, v1.float64)
        places = v1.reshape(v1.cast(v1.floor(predictions * (bins - 1)), v1.int32), [-1])
        with v1.name_scope("variables"):
            kept = [metrics_impl.metric_variable([bins], v1.float64, name=f"{each}_buckets") for each in ("tp", "fp")]
        sums, updates = [], []
        locked = use_locking is None or use_locking
        for buckets, values in zip(kept, (true * share, (1.0 - true) * share)):
            updates.append(v1.scatter_add(buckets, places, v1.reshape(values, [-1]), use_locking=locked))
            sums.append(v1.cumsum(buckets, reverse=True))
        tp, fp = sums
        tn, fn = fp[0] - fp, tp[0] - tp
        precision, recall = (tp / v1.maximum(v1.cast(EPSILON, v1.float64), tp + other) for other in (fp, fn))
        values = (tp, fp, tn, fn, precision, recall, v1.linspace(0.0, 1.0, bins))
        return PrecisionRecallData(*(v1.cast(each, predictions.dtype) for each in values)), v1.group(*updates)


def recall_at_precision(
    labels,
    predictions,
    precision,
    weights=None,
    num_thresholds=200,
    metrics_collections=None,
    updates_collections=None,
    name=None,
    strict_mode=False,
):
    """The recall at the threshold whose precision is nearest to `precision`.

    With strict_mode the precision must reach it, and the recall is 0 where none does. Raises ValueError for a
    precision outside [0, 1].
    """
    if not 0 <= precision <= 1:
        raise ValueError("`precision` must be in the range [0, 1].")

    def recall(counts):
        tp, fp, fn = (counts[kind] for kind in ("tp", "fp", "fn"))
        above = tp / (tp + fp + EPSILON) - precision
        recalls = tp / (tp + fn + EPSILON)
        if not strict_mode:
            return v1.gather(recalls, v1.argmin(abs(above)))
        # The small number keeps a precision that is met exactly: its quotient falls short of it by that much.
        best = v1.argmax(1.0 / (above + EPSILON))
        return v1.where(v1.gather(above, best) >= 0, v1.gather(recalls, best), 0.0)

    collections = metrics_collections, updates_collections
    names = name, "recall_at_precision"
    return at_thresholds(recall, labels, predictions, even_thresholds(num_thresholds), weights, collections, names)


def precision_at_recall(
    labels,
    predictions,
    target_recall,
    weights=None,
    num_thresholds=200,
    metrics_collections=None,
    updates_collections=None,
    name=None,
):
    """The precision at the highest threshold whose recall is at least `target_recall`.

    Raises ValueError for a recall outside [0, 1], and RuntimeError in eager execution.
    """
    if v1.executing_eagerly():
        raise RuntimeError("tf.metrics.precision_at_recall is not supported when eager execution is enabled.")
    if not 0 <= target_recall <= 1:
        raise ValueError("`target_recall` must be in the range [0, 1].")

    def precision(counts):
        tp, fp, fn = (counts[kind] for kind in ("tp", "fp", "fn"))
        # The recall falls as the threshold rises, so that the number of those that reach it tells the last one.
        enough = v1.cast(tp / (tp + fn + EPSILON) >= target_recall, v1.int64)
        last = v1.reduce_sum(enough) - 1
        return (tp[last] + EPSILON) / (tp[last] + fp[last] + EPSILON)

    collections = metrics_collections, updates_collections
    names = name, "precision_at_recall"
    return at_thresholds(precision, labels, predictions, even_thresholds(num_thresholds), weights, collections, names)


def auc_using_histogram(
    boolean_labels, scores, score_range, nbins=100, collections=None, check_shape=True, name=None
):  # fmt: skip
    """The area under the ROC curve, from one histogram of the scores for each of the two labels, and the update.

    `score_range` is [lowest, highest]; scores outside fall in the bins at the ends. Raises ValueError for labels that
    are not bool.
    """
    with v1.variable_scope(name, "auc_using_histogram", [boolean_labels, scores, score_range]):
        labels, scores = v1.convert_to_tensor(boolean_labels), v1.convert_to_tensor(scores)
        if labels.dtype != v1.bool:
            raise ValueError(f"Argument boolean_labels should have dtype bool.  Found: {labels.dtype}")
        scores, labels, _ = metrics_impl._remove_squeezable_dimensions(scores, labels, None)
        with v1.control_dependencies([v1.assert_rank(each, 1) for each in (labels, scores)] if check_shape else []):
            labels = v1.identity(labels)
        shares, updates = [], []
        for kind, which in (("hist_true_acc", labels), ("hist_false_acc", v1.logical_not(labels))):
            kept = v1.get_variable(
                kind, [nbins], v1.int64, v1.zeros_initializer(), trainable=False,
                collections=collections or [v1.GraphKeys.LOCAL_VARIABLES],
            )  # fmt: skip
            batch = v1.histogram_fixed_width(v1.boolean_mask(scores, which), score_range, nbins, v1.int64)
            updates.append(v1.assign_add(kept, batch))
            # From high to low, as the threshold falls.
            shares.append(v1.cast(v1.reverse(v1.truediv(kept, v1.reduce_sum(kept)), [0]), v1.float32))
        heights, widths = v1.pad(v1.cumsum(shares[0]), [[1, 0]]), shares[1]
        auc = v1.reduce_sum(widths * (heights[1:] + heights[:-1]) / 2.0, name="auc")
        return auc, v1.group(*updates, name="update_op")


def cohen_kappa(
    labels,
    predictions_idx,
    num_classes,
    weights=None,
    metrics_collections=None,
    updates_collections=None,
    name=None,
):
    """Cohen's kappa of labels and predicted classes, by how much they agree more often than by chance.

    Raises ValueError for fewer than two classes, and RuntimeError in eager execution.
    """
    if v1.executing_eagerly():
        raise RuntimeError("tf.contrib.metrics.cohen_kappa is not supported when eager execution is enabled.")
    if num_classes < 2:
        raise ValueError(f"`num_classes` must be >= 2.Found: {num_classes}")
    with v1.variable_scope(name, "cohen_kappa", (labels, predictions_idx, weights)):
        labels.get_shape().with_rank_at_most(2)
        labels = v1.squeeze(labels, [-1]) if labels.get_shape().ndims == 2 else labels
        predicted, labels, weights = metrics_impl._remove_squeezable_dimensions(predictions_idx, labels, weights)
        predicted.get_shape().assert_is_compatible_with(labels.get_shape())
        dtype = v1.int64 if weights is None or weights.dtype.is_integer else v1.float32
        table = v1.confusion_matrix(labels, predicted, num_classes, dtype, weights=weights)
        batch = {"po": v1.diag_part(table), "pe_row": v1.reduce_sum(table, 0), "pe_col": v1.reduce_sum(table, 1)}
        kept = [metrics_impl.metric_variable([num_classes], dtype, name=each) for each in batch]

        def kappa(agreed, rows, columns):
            agreed, rows, columns = (v1.cast(each, v1.float64) for each in (agreed, rows, columns))
            total = v1.reduce_sum(rows)
            chance = v1.reduce_sum(v1.div_no_nan(rows * columns, total))
            return v1.div_no_nan(v1.reduce_sum(agreed) - chance, total - chance)

        updates = [v1.assign_add(var, values) for var, values in zip(kept, batch.values())]
        return collected(kappa(*kept), kappa(*updates), metrics_collections, updates_collections)
