"""tf.contrib.losses and slim.losses: tf.losses with the predictions first. The losses go to the collection LOSSES."""

import tensorflow.compat.v1 as v1

__all__ = [
    "absolute_difference", "add_loss", "compute_weighted_loss", "cosine_distance", "get_losses",
    "get_regularization_losses", "get_total_loss", "hinge_loss", "log_loss", "mean_pairwise_squared_error",
    "mean_squared_error", "sigmoid_cross_entropy", "softmax_cross_entropy", "sparse_softmax_cross_entropy",
]  # fmt: skip

get_losses, get_regularization_losses = v1.losses.get_losses, v1.losses.get_regularization_losses
add_loss = v1.losses.add_loss


def get_total_loss(add_regularization_losses=True, name="total_loss"):
    """Returns the sum of the collected losses, and of the regularization losses."""
    return v1.losses.get_total_loss(add_regularization_losses, name)


def compute_weighted_loss(losses, weights=1.0, scope=None):
    """The mean of the losses whose weight is not 0, each times its weight."""
    return v1.losses.compute_weighted_loss(losses, weights, scope)


def absolute_difference(predictions, labels=None, weights=1.0, scope=None):
    """|labels - predictions|."""
    return v1.losses.absolute_difference(labels, predictions, weights, scope)


def mean_squared_error(predictions, labels=None, weights=1.0, scope=None):
    """(labels - predictions)^2."""
    return v1.losses.mean_squared_error(labels, predictions, weights, scope)


def mean_pairwise_squared_error(predictions, labels=None, weights=1.0, scope=None):
    """The squared differences of the differences of all pairs."""
    return v1.losses.mean_pairwise_squared_error(labels, predictions, weights, scope)


def log_loss(predictions, labels=None, weights=1.0, epsilon=1e-7, scope=None):
    """-labels * log(predictions) - (1 - labels) * log(1 - predictions)."""
    return v1.losses.log_loss(labels, predictions, weights, epsilon, scope)


def cosine_distance(predictions, labels=None, axis=None, weights=1.0, scope=None, dim=None):
    """1 - the cosine along `axis`, of vectors of length 1."""
    return v1.losses.cosine_distance(labels, predictions, dim if axis is None else axis, weights, scope)


def hinge_loss(logits, labels=None, scope=None):
    """max(0, 1 - (2 * labels - 1) * logits), not reduced."""
    labels = v1.cast(labels, v1.float32)
    with v1.name_scope(scope, "hinge_loss", [logits, labels]):
        logits.get_shape().assert_is_compatible_with(labels.get_shape())
        return v1.nn.relu(v1.subtract(v1.ones_like(labels), v1.multiply(2 * labels - v1.ones_like(labels), logits)))


def sigmoid_cross_entropy(logits, multi_class_labels, weights=1.0, label_smoothing=0, scope=None):
    """The cross entropy of independent classes."""
    return v1.losses.sigmoid_cross_entropy(multi_class_labels, logits, weights, label_smoothing, scope)


def softmax_cross_entropy(logits, onehot_labels, weights=1.0, label_smoothing=0, scope=None):
    """The cross entropy of classes that exclude one another, labels (n, classes)."""
    return v1.losses.softmax_cross_entropy(onehot_labels, logits, weights, label_smoothing, scope)


def sparse_softmax_cross_entropy(logits, labels, weights=1.0, scope=None):
    """The same with labels (n,)."""
    return v1.losses.sparse_softmax_cross_entropy(labels, logits, weights, scope)
