"""Covariance and Pearson correlation of predictions and labels, batch by batch.

Each batch has a count, two means and a comoment, the sum of the products of the deviations. Two batches are joined by
the formula of Chan, Golub and LeVeque (1983), which loses no digits when the means are large.
"""

import tensorflow.compat.v1 as v1
from tensorflow.python.ops import metrics_impl

from tf1ref.legacy.contrib.metrics._own import collected


def _quotient(numerator, denominator):
    safe = v1.where(v1.equal(denominator, 0), v1.ones_like(denominator), denominator)
    return v1.where(v1.greater(denominator, 0), v1.div(numerator, safe), v1.zeros_like(numerator))


def streaming_covariance(
    predictions, labels, weights=None, metrics_collections=None, updates_collections=None, name=None
):
    """The sample covariance: the comoment divided by the count minus 1. It is NaN for fewer than two values."""
    with v1.variable_scope(name, "covariance", (predictions, labels, weights)):
        predictions, labels, weights = metrics_impl._remove_squeezable_dimensions(predictions, labels, weights)
        predictions.get_shape().assert_is_compatible_with(labels.get_shape())
        counts, mean_p, mean_l, comoment = (
            metrics_impl.metric_variable([], v1.float32, name=each)
            for each in ("count", "mean_prediction", "mean_label", "comoment")
        )
        predictions, labels = v1.cast(predictions, v1.float32), v1.cast(labels, v1.float32)
        share = v1.ones_like(predictions)
        if weights is not None:
            share = v1.cast(weights, v1.float32) * share
        batch = v1.reduce_sum(share)
        before = counts.read_value() if hasattr(counts, "read_value") else v1.identity(counts)
        total = before + batch
        here_p = _quotient(v1.reduce_sum(predictions * share), batch)
        here_l = _quotient(v1.reduce_sum(labels * share), batch)
        delta_p = _quotient((here_p - mean_p) * batch, total)
        delta_l = _quotient((here_l - mean_l) * batch, total)
        # The first term has the deviations from the batch's own means, the second one the distance of the means.
        own = v1.reduce_sum(share * (predictions - here_p) * (labels - here_l))
        apart = (here_p - mean_p) * (here_l - mean_l) * _quotient(before * batch, total)
        with v1.control_dependencies([before, delta_p, delta_l, own, apart]):
            moved = [v1.assign_add(var, value) for var, value in (
                (counts, batch), (mean_p, delta_p), (mean_l, delta_l), (comoment, own + apart))]  # fmt: skip

        def covariance(moment, number):
            few = v1.fill(v1.shape(moment), float("nan"))
            return v1.where(v1.less_equal(number, 1), few, v1.truediv(moment, number - 1))

        value = covariance(v1.identity(comoment), v1.identity(counts))
        with v1.control_dependencies(moved):
            update = covariance(v1.identity(moved[3]), v1.identity(moved[0]))
        return collected(value, update, metrics_collections, updates_collections)


def streaming_pearson_correlation(
    predictions, labels, weights=None, metrics_collections=None, updates_collections=None, name=None
):
    """The covariance divided by the root of the two variances."""
    with v1.variable_scope(name, "pearson_r", (predictions, labels, weights)):
        predictions, labels, weights = metrics_impl._remove_squeezable_dimensions(predictions, labels, weights)
        predictions.get_shape().assert_is_compatible_with(labels.get_shape())
        pairs = (
            streaming_covariance(predictions, labels, weights, name="covariance"),
            streaming_covariance(predictions, predictions, weights, name="variance_predictions"),
            streaming_covariance(labels, labels, weights, name="variance_labels"),
        )
        values = (v1.truediv(both, v1.multiply(v1.sqrt(p), v1.sqrt(q))) for both, p, q in zip(*pairs))
        return collected(*values, metrics_collections, updates_collections)
