"""tf.contrib.losses and slim.losses. Unlike tf.losses they take predictions first, and weights by example.

Weights are a scalar, or have the shape of the first axes of the losses: [batch] weights the examples. A loss is the
weighted sum divided by the number of elements whose weight is not 0. It is added to the collection LOSSES.
"""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.framework._arg_scope import add_arg_scope

__all__ = [
    "absolute_difference", "add_loss", "compute_weighted_loss", "cosine_distance", "get_losses",
    "get_regularization_losses", "get_total_loss", "hinge_loss", "log_loss", "mean_pairwise_squared_error",
    "mean_squared_error", "sigmoid_cross_entropy", "softmax_cross_entropy", "sparse_softmax_cross_entropy",
]  # fmt: skip

get_losses, get_regularization_losses = v1.losses.get_losses, v1.losses.get_regularization_losses


@add_arg_scope
def add_loss(loss, loss_collection=v1.GraphKeys.LOSSES):
    """Adds a loss to the collection. With None it is not added."""
    if loss_collection:
        v1.add_to_collection(loss_collection, loss)


def get_total_loss(add_regularization_losses=True, name="total_loss"):
    """Returns the sum of the collected losses and of the regularization losses."""
    found = get_losses()
    if add_regularization_losses:
        found += get_regularization_losses()
    return v1.add_n(found, name=name)


def compute_weighted_loss(losses, weights=1.0, scope=None):
    """Returns the weighted sum of the losses, divided by the number of elements whose weight is not 0.

    Raises ValueError for losses or weights of unknown rank.
    """
    with v1.name_scope(scope, "weighted_loss", [losses, weights]):
        losses, weights = _floats(losses), _floats(weights)
        _check_rank(losses, "losses"), _check_rank(weights, "weights")
        if weights.shape.ndims > 1 and weights.shape.dims[-1].is_compatible_with(1):
            weights = v1.squeeze(weights, [-1])
        total = _weighed(losses, weights)
        mean = _quotient(total, v1.reduce_sum(_present_per_example(losses, weights)), "value")
        add_loss(mean)
        return mean


def _floats(values):
    return v1.cast(v1.convert_to_tensor(values), v1.float32)


def _check_rank(tensor, what):
    if tensor.shape.ndims is None:
        raise ValueError(f"{what}.get_shape().ndims cannot be None")


def _weighed(losses, weights):
    """Returns the sum of the losses times their weights. Axes that the weights lack are summed first."""
    summed = v1.reduce_sum(losses, axis=list(range(weights.shape.ndims, losses.shape.ndims)))
    return v1.reduce_sum(summed * weights)


def _present_per_example(losses, weights):
    """Returns [batch]: how many elements of each example have a weight that is not 0."""
    counted = v1.cast(v1.not_equal(weights, 0), v1.float32)
    if weights.shape.ndims == 0:
        batch = v1.constant(1) if losses.shape.ndims == 0 else v1.shape(losses)[0]
        each = v1.cast(v1.size(losses), v1.float32) / v1.cast(batch, v1.float32)
        return v1.fill([batch], v1.where(v1.equal(weights, 0), 0.0, each))
    counted = v1.reduce_sum(counted, axis=list(range(1, weights.shape.ndims)))
    # Unlike an index, a slice refuses weights with more axes than the losses.
    rest = v1.slice(v1.shape(losses), [weights.shape.ndims], [-1])
    return counted * v1.cast(v1.reduce_prod(rest), v1.float32)


def _quotient(numerator, denominator, name=None):
    """Returns the quotient, or 0 where the denominator is 0."""
    safe = v1.where(v1.equal(denominator, 0), v1.ones_like(denominator), denominator)
    return v1.where(v1.greater(denominator, 0), v1.div(numerator, safe), v1.zeros_like(numerator), name=name)


def _same_shape(predictions, labels):
    predictions, labels = _floats(predictions), _floats(labels)
    predictions.get_shape().assert_is_compatible_with(labels.get_shape())
    return predictions, labels


def absolute_difference(predictions, labels=None, weights=1.0, scope=None):
    """The loss |predictions - labels|.

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     print(sess.run(absolute_difference(v1.constant([1.0, 3.0]), v1.constant([1.0, 1.0]))))
    1.0
    """
    with v1.name_scope(scope, "absolute_difference", [predictions, labels]) as scope:
        predictions, labels = _same_shape(predictions, labels)
        return compute_weighted_loss(v1.abs(predictions - labels), weights, scope)


def mean_squared_error(predictions, labels=None, weights=1.0, scope=None):
    """The loss (predictions - labels)^2.

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     print(sess.run(mean_squared_error(v1.constant([1.0, 3.0]), v1.constant([1.0, 1.0]))))
    2.0
    """
    with v1.name_scope(scope, "mean_squared_error", [predictions, labels]) as scope:
        predictions, labels = _same_shape(predictions, labels)
        return compute_weighted_loss(v1.squared_difference(predictions, labels), weights, scope)


def mean_pairwise_squared_error(predictions, labels=None, weights=1.0, scope=None):
    """The sum over the examples of the mean of ((p_i - p_j) - (l_i - l_j))^2 over all n * n pairs.

    weights: a scalar or [batch]. The formula is 2 * (sum of d^2) / n - 2 * (sum of d)^2 / n^2 with d = p - l.
    """
    with v1.name_scope(scope, "mean_pairwise_squared_error", [predictions, labels]):
        predictions, labels = _same_shape(predictions, labels)
        weights = _floats(weights)
        differences = predictions - labels
        _check_rank(differences, "diffs"), _check_rank(weights, "weights")
        axes = list(range(1, differences.shape.ndims))
        n = _present_per_example(differences, weights)
        squares = 2.0 * _quotient(v1.reduce_sum(v1.square(differences), axes), n)
        square = 2.0 * _quotient(v1.square(v1.reduce_sum(differences, axes)), v1.square(n))
        loss = _weighed(squares - square, weights)
        loss = v1.where(v1.reduce_sum(n) > 0, loss, v1.zeros_like(loss))
        add_loss(loss)
        return loss


def log_loss(predictions, labels=None, weights=1.0, epsilon=1e-7, scope=None):
    """The loss -labels * log(predictions) - (1 - labels) * log(1 - predictions).

    epsilon: a number that is added inside the logarithms.

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     print(f"{sess.run(log_loss(v1.constant([0.5]), v1.constant([1.0]))):.4f}")
    0.6931
    """
    with v1.name_scope(scope, "log_loss", [predictions, labels]) as scope:
        predictions, labels = _same_shape(predictions, labels)
        right, wrong = v1.log(predictions + epsilon), v1.log((1 - predictions) + epsilon)
        return compute_weighted_loss(-v1.multiply(labels, right) - v1.multiply(1 - labels, wrong), weights, scope)


def cosine_distance(predictions, labels=None, axis=None, weights=1.0, scope=None, dim=None):
    """The loss 1 - cosine along `axis`, for vectors of length 1. `dim` is the older name of `axis`.

    Raises ValueError without an axis.
    """
    axis = dim if axis is None else axis
    if axis is None:
        raise ValueError("You must specify 'axis'.")
    with v1.name_scope(scope, "cosine_distance_loss", [predictions, labels]) as scope:
        predictions, labels = _same_shape(predictions, labels)
        return compute_weighted_loss(1 - v1.reduce_sum(v1.multiply(predictions, labels), axis=[axis]), weights, scope)


def hinge_loss(logits, labels=None, scope=None):
    """Returns max(0, 1 - (2 * labels - 1) * logits), without a reduction.

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     print(sess.run(hinge_loss(v1.constant([0.5]), v1.constant([1.0]))))
    [0.5]
    """
    with v1.name_scope(scope, "hinge_loss", [logits, labels]):
        logits, labels = v1.convert_to_tensor(logits), _floats(labels)
        logits.get_shape().assert_is_compatible_with(labels.get_shape())
        return v1.nn.relu(v1.subtract(v1.ones_like(labels), v1.multiply(2 * labels - v1.ones_like(labels), logits)))


def sigmoid_cross_entropy(logits, multi_class_labels, weights=1.0, label_smoothing=0, scope=None):
    """The cross entropy of independent classes. label_smoothing moves the labels towards 1/2."""
    with v1.name_scope(scope, "sigmoid_cross_entropy_loss", [logits, multi_class_labels, weights]) as scope:
        logits, labels = v1.convert_to_tensor(logits), v1.convert_to_tensor(multi_class_labels)
        logits.get_shape().assert_is_compatible_with(labels.get_shape())
        labels = v1.cast(labels, logits.dtype)
        if label_smoothing > 0:
            labels = labels * (1 - label_smoothing) + 0.5 * label_smoothing
        losses = v1.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits, name="xentropy")
        return compute_weighted_loss(losses, weights, scope)


def softmax_cross_entropy(logits, onehot_labels, weights=1.0, label_smoothing=0, scope=None):
    """The cross entropy of classes that exclude one another, with labels of [n, classes]."""
    with v1.name_scope(scope, "softmax_cross_entropy_loss", [logits, onehot_labels, weights]) as scope:
        logits, labels = v1.convert_to_tensor(logits), v1.convert_to_tensor(onehot_labels)
        logits.get_shape().assert_is_compatible_with(labels.get_shape())
        labels = v1.cast(labels, logits.dtype)
        if label_smoothing > 0:
            classes = v1.cast(v1.shape(labels)[1], logits.dtype)
            labels = labels * (1.0 - label_smoothing) + label_smoothing / classes
        losses = v1.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits, name="xentropy")
        return compute_weighted_loss(losses, weights, scope)


def sparse_softmax_cross_entropy(logits, labels, weights=1.0, scope=None):
    """The cross entropy of classes that exclude one another, with labels of [n] or [n, 1]."""
    with v1.name_scope(scope, "sparse_softmax_cross_entropy_loss", [logits, labels, weights]) as scope:
        labels = v1.reshape(labels, shape=[v1.shape(labels)[0]])
        losses = v1.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits, name="xentropy")
        return compute_weighted_loss(losses, weights, scope)
