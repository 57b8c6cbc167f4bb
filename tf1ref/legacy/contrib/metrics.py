"""tf.contrib.metrics and slim.metrics: tf.metrics with the predictions first, as (value, update) pairs; and in maps."""

import tensorflow.compat.v1 as v1


def aggregate_metrics(*value_update_tuples):
    """((value, update), ...) to ([values], [updates]). Raises ValueError for none."""
    if not value_update_tuples:
        raise ValueError("Expected at least one value_tensor/update_op pair")
    values, updates = zip(*value_update_tuples)
    return list(values), list(updates)


def aggregate_metric_map(names_to_tuples):
    """{name: (value, update)} to ({name: value}, {name: update})."""
    values = {name: pair[0] for name, pair in names_to_tuples.items()}
    return values, {name: pair[1] for name, pair in names_to_tuples.items()}


def _swapped(metric, name):
    def streaming(predictions, labels, *args, **kwargs):
        return metric(labels, predictions, *args, **kwargs)

    streaming.__name__ = streaming.__qualname__ = name
    streaming.__doc__ = f"tf.metrics.{metric.__name__} with the predictions first."
    return streaming


streaming_accuracy = _swapped(v1.metrics.accuracy, "streaming_accuracy")
streaming_auc = _swapped(v1.metrics.auc, "streaming_auc")
streaming_precision = _swapped(v1.metrics.precision, "streaming_precision")
streaming_recall = _swapped(v1.metrics.recall, "streaming_recall")
streaming_mean_absolute_error = _swapped(v1.metrics.mean_absolute_error, "streaming_mean_absolute_error")
streaming_mean_squared_error = _swapped(v1.metrics.mean_squared_error, "streaming_mean_squared_error")
streaming_root_mean_squared_error = _swapped(v1.metrics.root_mean_squared_error, "streaming_root_mean_squared_error")
streaming_mean = v1.metrics.mean
streaming_mean_iou = _swapped(v1.metrics.mean_iou, "streaming_mean_iou")


def streaming_recall_at_k(predictions, labels, k, weights=None, **kwargs):
    """The share of rows whose label is among the k largest predictions."""
    right = v1.cast(v1.nn.in_top_k(predictions, labels, k), v1.float32)
    return v1.metrics.mean(right, weights, **kwargs)


def accuracy(predictions, labels, weights=None, name=None):
    """The share of predictions that equal the labels; a tensor, not a pair."""
    if labels.dtype != predictions.dtype:
        raise ValueError(f"Labels and predictions should be of same type, got {labels.dtype} and {predictions.dtype}")
    with v1.name_scope(name, "accuracy", [predictions, labels]):
        right = v1.cast(v1.equal(predictions, labels), v1.float32)
        if weights is None:
            return v1.reduce_mean(right)
        return v1.div(v1.reduce_sum(right * weights), v1.reduce_sum(weights * v1.ones_like(right)))
