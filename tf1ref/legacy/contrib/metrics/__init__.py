"""tf.contrib.metrics and slim.metrics: tf.metrics with the predictions first, as (value, update) pairs, and in maps."""

import tensorflow.compat.v1 as v1
from tensorflow.python.ops import metrics_impl

from tf1ref.legacy.contrib.metrics._curves import (
    auc_using_histogram,
    cohen_kappa,
    precision_at_recall,
    precision_recall_at_equal_thresholds,
    recall_at_precision,
    streaming_curve_points,
)
from tf1ref.legacy.contrib.metrics._own import (
    accuracy,
    count,
    f1_score,
    streaming_concat,
    streaming_false_negative_rate,
    streaming_false_negative_rate_at_thresholds,
    streaming_false_positive_rate,
    streaming_false_positive_rate_at_thresholds,
    streaming_recall_at_k,
)
from tf1ref.legacy.contrib.metrics._pairs import streaming_covariance, streaming_pearson_correlation

__all__ = [
    "accuracy", "aggregate_metric_map", "aggregate_metrics", "auc_using_histogram", "cohen_kappa", "confusion_matrix",
    "count", "f1_score", "precision_at_recall", "precision_recall_at_equal_thresholds", "recall_at_precision",
    "set_difference", "set_intersection", "set_size", "set_union", "sparse_recall_at_top_k", "streaming_accuracy",
    "streaming_auc",
    "streaming_concat", "streaming_covariance", "streaming_curve_points", "streaming_false_negative_rate",
    "streaming_false_negative_rate_at_thresholds", "streaming_false_negatives",
    "streaming_false_negatives_at_thresholds", "streaming_false_positive_rate",
    "streaming_false_positive_rate_at_thresholds", "streaming_false_positives",
    "streaming_false_positives_at_thresholds", "streaming_mean", "streaming_mean_absolute_error",
    "streaming_mean_cosine_distance", "streaming_mean_iou", "streaming_mean_relative_error",
    "streaming_mean_squared_error", "streaming_mean_tensor", "streaming_pearson_correlation",
    "streaming_percentage_less", "streaming_precision", "streaming_precision_at_thresholds", "streaming_recall",
    "streaming_recall_at_k", "streaming_recall_at_thresholds", "streaming_root_mean_squared_error",
    "streaming_sensitivity_at_specificity", "streaming_sparse_average_precision_at_k",
    "streaming_sparse_average_precision_at_top_k", "streaming_sparse_precision_at_k",
    "streaming_sparse_precision_at_top_k", "streaming_sparse_recall_at_k", "streaming_specificity_at_sensitivity",
    "streaming_true_negatives", "streaming_true_negatives_at_thresholds", "streaming_true_positives",
    "streaming_true_positives_at_thresholds",
]  # fmt: skip

set_difference, set_intersection = v1.sets.set_difference, v1.sets.set_intersection
set_size, set_union = v1.sets.set_size, v1.sets.set_union
streaming_mean, streaming_mean_tensor = v1.metrics.mean, v1.metrics.mean_tensor
streaming_percentage_less = v1.metrics.percentage_below


def confusion_matrix(labels, predictions, num_classes=None, dtype=v1.int32, name=None, weights=None):
    """Returns [num_classes, num_classes]: how often each label (row) was predicted as each class (column)."""
    return v1.confusion_matrix(labels, predictions, num_classes, dtype, name, weights)


def aggregate_metrics(*value_update_tuples):
    """Turns ((value, update), ...) into ([values], [updates]). Raises ValueError for an empty list."""
    if not value_update_tuples:
        raise ValueError("Expected at least one value_tensor/update_op pair")
    values, updates = zip(*value_update_tuples)
    return list(values), list(updates)


def aggregate_metric_map(names_to_tuples):
    """Turns {name: (value, update)} into ({name: value}, {name: update})."""
    values = {name: pair[0] for name, pair in names_to_tuples.items()}
    return values, {name: pair[1] for name, pair in names_to_tuples.items()}


def _tensor(values):
    return v1.convert_to_tensor(values) if type(values) in (list, tuple) else values


def _swapped(metric, name=None):
    """Returns the streaming_ form of a function of tf.metrics. Arguments after the first two keep their order."""
    name = f"streaming_{name or metric.__name__}"

    def streaming(predictions, labels, *args, **kwargs):
        labels, predictions = _tensor(labels), _tensor(predictions)
        return metric(labels, predictions, *args, **kwargs)

    streaming.__name__ = streaming.__qualname__ = name
    streaming.__doc__ = f"tf.metrics.{metric.__name__} with the predictions first."
    return streaming


def _counted(kind, name):
    """Returns the streaming_ form of a count at thresholds. Its variable lies in the scope of the program."""

    def streaming(predictions, labels, thresholds, weights=None):
        labels, predictions = _tensor(labels), _tensor(predictions)
        values, updates = metrics_impl._confusion_matrix_at_thresholds(
            labels, predictions, thresholds, weights, includes=(kind,)
        )
        return values[kind], updates[kind]

    streaming.__name__ = streaming.__qualname__ = f"streaming_{name}_at_thresholds"
    streaming.__doc__ = f"tf.metrics.{name}_at_thresholds with the predictions first."
    return streaming


streaming_false_negatives_at_thresholds = _counted("fn", "false_negatives")
streaming_false_positives_at_thresholds = _counted("fp", "false_positives")
streaming_true_negatives_at_thresholds = _counted("tn", "true_negatives")
streaming_true_positives_at_thresholds = _counted("tp", "true_positives")
streaming_accuracy = _swapped(v1.metrics.accuracy)
streaming_auc = _swapped(v1.metrics.auc)
streaming_false_negatives = _swapped(v1.metrics.false_negatives)
streaming_false_positives = _swapped(v1.metrics.false_positives)
streaming_mean_absolute_error = _swapped(v1.metrics.mean_absolute_error)
streaming_mean_cosine_distance = _swapped(v1.metrics.mean_cosine_distance)
streaming_mean_iou = _swapped(v1.metrics.mean_iou)
streaming_mean_relative_error = _swapped(v1.metrics.mean_relative_error)
streaming_mean_squared_error = _swapped(v1.metrics.mean_squared_error)
streaming_precision = _swapped(v1.metrics.precision)
streaming_precision_at_thresholds = _swapped(v1.metrics.precision_at_thresholds)
streaming_recall = _swapped(v1.metrics.recall)
streaming_recall_at_thresholds = _swapped(v1.metrics.recall_at_thresholds)
streaming_root_mean_squared_error = _swapped(v1.metrics.root_mean_squared_error)
streaming_sensitivity_at_specificity = _swapped(v1.metrics.sensitivity_at_specificity)
streaming_sparse_average_precision_at_k = _swapped(
    v1.metrics.average_precision_at_k, "sparse_average_precision_at_k"
)  # fmt: skip
streaming_sparse_precision_at_k = _swapped(v1.metrics.precision_at_k, "sparse_precision_at_k")
streaming_sparse_recall_at_k = _swapped(v1.metrics.recall_at_k, "sparse_recall_at_k")
streaming_specificity_at_sensitivity = _swapped(v1.metrics.specificity_at_sensitivity)
streaming_true_negatives = _swapped(v1.metrics.true_negatives)
streaming_true_positives = _swapped(v1.metrics.true_positives)


def streaming_sparse_precision_at_top_k(top_k_predictions, labels, class_id=None, weights=None, **kwargs):
    """tf.metrics.precision_at_top_k: the predictions are the indices of the k largest."""
    labels, predictions = v1.convert_to_tensor_or_sparse_tensor(labels), v1.convert_to_tensor(top_k_predictions)
    return metrics_impl.precision_at_top_k(labels, predictions, class_id=class_id, weights=weights, **kwargs)


def sparse_recall_at_top_k(labels, top_k_predictions, class_id=None, weights=None, **kwargs):
    """tf.metrics.recall_at_top_k: the predictions are the indices of the k largest."""
    labels, predictions = v1.convert_to_tensor_or_sparse_tensor(labels), v1.convert_to_tensor(top_k_predictions)
    return v1.metrics.recall_at_top_k(labels, predictions, class_id=class_id, weights=weights, **kwargs)


def streaming_sparse_average_precision_at_top_k(top_k_predictions, labels, weights=None, **kwargs):
    """tf.metrics.average_precision_at_k, for predictions that are the indices of the k largest."""
    return metrics_impl._streaming_sparse_average_precision_at_top_k(
        labels=labels, predictions_idx=top_k_predictions, weights=weights, **kwargs
    )
