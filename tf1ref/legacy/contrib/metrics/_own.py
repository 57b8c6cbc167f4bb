"""Metrics of contrib.metrics that tf.metrics lacks: error rates, counts, f1, and concatenated values."""

import tensorflow.compat.v1 as v1
from tensorflow.python.ops import metrics_impl

# A small number in the denominator of a quotient of counts, as in tf.metrics.
EPSILON = 1e-7


def collected(value, update, metrics_collections, updates_collections):
    """Adds the two tensors of a metric to the collections. Returns them."""
    if metrics_collections:
        v1.add_to_collections(metrics_collections, value)
    if updates_collections:
        v1.add_to_collections(updates_collections, update)
    return value, update


def accuracy(predictions, labels, weights=None, name=None):
    """Returns the share of predictions that equal the labels, as one tensor."""
    if not (labels.dtype.is_integer or labels.dtype in (v1.bool, v1.string)):
        raise ValueError(f"Labels should have bool, integer, or string dtype, given: {labels.dtype}")
    if labels.dtype != predictions.dtype:
        raise ValueError(f"Labels and predictions should be of same type, got {labels.dtype} and {predictions.dtype}")
    with v1.name_scope(name, "accuracy", [predictions, labels]):
        right = v1.cast(v1.equal(predictions, labels), v1.float32)
        if weights is None:
            return v1.reduce_mean(right)
        return v1.div(v1.reduce_sum(right * weights), v1.reduce_sum(weights * v1.ones_like(right)))


def streaming_recall_at_k(
    predictions, labels, k, weights=None, metrics_collections=None, updates_collections=None, name=None
):
    """The share of rows whose label is among the k largest predictions."""
    right = v1.cast(v1.nn.in_top_k(predictions, labels, k), v1.float32)
    return v1.metrics.mean(right, weights, metrics_collections, updates_collections, name or f"recall_at_{k}")


def _rate(wrong, right, predictions, labels, weights, collections, name):
    """Returns wrong / (wrong + right) of two counting metrics, or 0 where both are 0."""
    with v1.variable_scope(name[0], name[1], (predictions, labels, weights)):
        pairs = [metric(labels, predictions, weights) for metric in (wrong, right)]

        def rate(first, second):
            total = first + second
            safe = v1.where(v1.equal(total, 0), v1.ones_like(total), total)
            return v1.where(v1.greater(total, 0), v1.div(first, safe), v1.zeros_like(first))

        return collected(*(rate(*each) for each in zip(*pairs)), *collections)


def streaming_false_positive_rate(
    predictions, labels, weights=None, metrics_collections=None, updates_collections=None, name=None
):
    """The number of false positives divided by the number of negatives."""
    collections = metrics_collections, updates_collections
    wrong, right = v1.metrics.false_positives, v1.metrics.true_negatives
    return _rate(wrong, right, predictions, labels, weights, collections, (name, "false_positive_rate"))


def streaming_false_negative_rate(
    predictions, labels, weights=None, metrics_collections=None, updates_collections=None, name=None
):
    """The number of false negatives divided by the number of positives."""
    collections = metrics_collections, updates_collections
    wrong, right = v1.metrics.false_negatives, v1.metrics.true_positives
    return _rate(wrong, right, predictions, labels, weights, collections, (name, "false_negative_rate"))


def at_thresholds(rate, labels, predictions, thresholds, weights, collections, name, kinds=None):
    """Returns a metric that `rate` computes from {kind: counts at the thresholds}.

    kinds: of "tp", "fp", "tn" and "fn"; None is all. name: (name or None, default name) of the scope.
    """
    with v1.variable_scope(*name, (predictions, labels, weights)):
        found = metrics_impl._confusion_matrix_at_thresholds(labels, predictions, thresholds, weights, includes=kinds)
        return collected(*(rate(counts) for counts in found), *collections)


def _rate_at(kinds, predictions, labels, thresholds, weights, collections, name):
    def rate(counts):
        wrong, right = (counts[kind] for kind in kinds)
        return wrong / (EPSILON + wrong + right)

    return at_thresholds(rate, labels, predictions, thresholds, weights, collections, name, kinds)


def streaming_false_positive_rate_at_thresholds(
    predictions, labels, thresholds, weights=None, metrics_collections=None, updates_collections=None, name=None
):
    """The number of false positives divided by the number of negatives, for each threshold."""
    names, collections = (name, "false_positive_rate_at_thresholds"), (metrics_collections, updates_collections)
    return _rate_at(("fp", "tn"), predictions, labels, thresholds, weights, collections, names)


def streaming_false_negative_rate_at_thresholds(
    predictions, labels, thresholds, weights=None, metrics_collections=None, updates_collections=None, name=None
):
    """The number of false negatives divided by the number of positives, for each threshold."""
    names, collections = (name, "false_negative_rate_at_thresholds"), (metrics_collections, updates_collections)
    return _rate_at(("fn", "tp"), predictions, labels, thresholds, weights, collections, names)


def count(values, weights=None, metrics_collections=None, updates_collections=None, name=None):
    """The number of values, or the sum of the weights."""
    with v1.variable_scope(name, "count", (values, weights)):
        total = metrics_impl.metric_variable([], v1.float32, name="count")
        if weights is None:
            number = v1.cast(v1.size(values), v1.float32)
        else:
            values = v1.cast(values, v1.float32)
            values, _, weights = metrics_impl._remove_squeezable_dimensions(values, None, weights)
            number = v1.reduce_sum(v1.ones_like(values) * v1.cast(weights, v1.float32))
        with v1.control_dependencies([values]):
            update = v1.assign_add(total, number)
        return collected(v1.identity(total), update, metrics_collections, updates_collections)


def f1_score(
    labels,
    predictions,
    weights=None,
    num_thresholds=200,
    metrics_collections=None,
    updates_collections=None,
    name=None,
):
    """The largest harmonic mean of precision and recall over `num_thresholds` thresholds from 0 to 1."""
    with v1.variable_scope(name, "f1", (labels, predictions, weights)):
        inside = [(i + 1) * 1.0 / (num_thresholds - 1) for i in range(num_thresholds - 2)]
        thresholds = [-EPSILON, *inside, 1.0 + EPSILON]
        found = metrics_impl._confusion_matrix_at_thresholds(
            labels, predictions, thresholds, weights, includes=("tp", "fp", "fn")
        )

        def best(values):
            precision = values["tp"] / (EPSILON + values["tp"] + values["fp"])
            recall = values["tp"] / (EPSILON + values["tp"] + values["fn"])
            return v1.reduce_max(2.0 * precision * recall / (precision + recall + EPSILON))

        return collected(*(best(values) for values in found), metrics_collections, updates_collections)


def streaming_concat(
    values, axis=0, max_size=None, metrics_collections=None, updates_collections=None, name=None
):  # fmt: skip
    """The values of all batches, concatenated along `axis`, up to max_size.

    Raises ValueError for an axis that the values do not have, and when the size of another axis is unknown.
    """
    with v1.variable_scope(name, "streaming_concat", (values,)):
        values = v1.convert_to_tensor(values)
        rank = values.get_shape().ndims
        if rank is None:
            raise ValueError("`values` must have known static rank")
        if not -rank <= axis < rank:
            raise ValueError(f"axis = {axis} not in [{-rank}, {rank})")
        axis %= rank
        sizes = values.get_shape().as_list()
        if any(size is None for i, size in enumerate(sizes) if i != axis):
            raise ValueError("all dimensions of `values` other than the dimension to concatenate along must be known")
        shape = [None if i == axis else size for i, size in enumerate(sizes)]
        kept = v1.Variable(
            lambda: v1.zeros([0 if i == axis else size for i, size in enumerate(sizes)], values.dtype),
            trainable=False, collections=[v1.GraphKeys.LOCAL_VARIABLES, v1.GraphKeys.METRIC_VARIABLES],
            shape=shape, validate_shape=False, use_resource=True, name="array",
        )  # fmt: skip
        joined = v1.concat([kept.read_value(), values], axis)
        if max_size is not None:
            joined = v1.slice(
                joined, [0] * rank,
                [v1.minimum(v1.shape(joined)[i], max_size) if i == axis else -1 for i in range(rank)],
            )  # fmt: skip
        update = kept.assign(joined, read_value=False)
        size = metrics_impl.metric_variable([], v1.int32, name="size")
        with v1.control_dependencies([update, v1.assign(size, v1.shape(joined)[axis])]):
            update = kept.read_value()
        value = kept.read_value()
        value.set_shape(shape)
        return collected(value, update, metrics_collections, updates_collections)
