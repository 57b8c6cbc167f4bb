"""tf.contrib.layers' regularizers: functions that add a penalty op for one tensor of weights."""

import numbers

import tensorflow.compat.v1 as v1


def l1_regularizer(scale, scope=None):
    """Returns a function weights -> scale * sum(|weights|), a scalar op. For a scale of 0 the function returns None.

    scale: a float or a tensor. Raises ValueError for a negative number and for an integer, as contrib did.

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     print(sess.run(l1_regularizer(0.5)(v1.constant([1.0, -3.0]))))
    2.0
    """
    return _regularizer(scale, scope, "l1_regularizer", lambda weights: v1.reduce_sum(v1.abs(weights)))


def l2_regularizer(scale, scope=None):
    """Returns a function weights -> scale * sum(weights^2) / 2, a scalar op. For a scale of 0 it returns None.

    scale: a float or a tensor. Raises ValueError for a negative number and for an integer, as contrib did.

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     print(sess.run(l2_regularizer(0.5)(v1.constant([2.0]))))
    1.0
    """
    return _regularizer(scale, scope, "l2_regularizer", v1.nn.l2_loss)


def l1_l2_regularizer(scale_l1=1.0, scale_l2=1.0, scope=None):
    """Returns a function weights -> scale_l1 * sum(|weights|) + scale_l2 * sum(weights^2) / 2, a scalar op.

    The two scales are independent. When one is 0, only the op of the other is added, under the same name. When both are
    0, no op is added. Raises ValueError as the two regularizers do.

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     print(sess.run(l1_l2_regularizer(0.5, 0.5)(v1.constant([2.0]))))
    2.0
    """
    scope = scope or "l1_l2_regularizer"
    l1, l2 = l1_regularizer(scale_l1), l2_regularizer(scale_l2)
    if isinstance(scale_l1, numbers.Real) and scale_l1 == 0.0:
        return l2_regularizer(scale_l2, scope)
    if isinstance(scale_l2, numbers.Real) and scale_l2 == 0.0:
        return l1_regularizer(scale_l1, scope)
    return sum_regularizer([l1, l2], scope=scope)


def sum_regularizer(regularizer_list, scope=None):
    """Returns a function weights -> sum of the regularizers' penalties. For an empty list it returns None.

    Regularizers that are None, or return None, are skipped.
    """
    regularizers = [regularizer for regularizer in regularizer_list if regularizer is not None]
    if not regularizers:
        return None

    def total(weights):
        with v1.name_scope(scope, "sum_regularizer", [weights]) as name:
            terms = [term for term in (regularizer(weights) for regularizer in regularizers) if term is not None]
            return v1.add_n(terms, name=name) if terms else None

    return total


def _regularizer(scale, scope, default, penalty):
    if isinstance(scale, numbers.Integral):
        raise ValueError(f"a regularizer's scale is a float, not the integer {scale}")
    if isinstance(scale, numbers.Real) and scale < 0.0:
        raise ValueError(f"a regularizer's scale must not be negative: {scale}")
    off = isinstance(scale, numbers.Real) and scale == 0.0

    def scaled(weights):
        if off:
            return None
        with v1.name_scope(scope, default, [weights]) as name:
            factor = v1.convert_to_tensor(scale, dtype=weights.dtype.base_dtype, name="scale")
            return v1.multiply(factor, penalty(weights), name=name)

    return scaled


def apply_regularization(regularizer, weights_list=None):
    """Returns the sum of the penalties of `weights_list` (default: the collection WEIGHTS), a scalar op.

    The sum goes to REGULARIZATION_LOSSES. Raises ValueError when the list of weights is empty.
    """
    weights_list = weights_list or v1.get_collection(v1.GraphKeys.WEIGHTS)
    if not weights_list:
        raise ValueError("No weights to regularize.")
    with v1.name_scope("get_regularization_penalty", values=weights_list) as scope:
        penalties = [regularizer(weights) for weights in weights_list]
        penalties = [v1.constant(0.0) if penalty is None else penalty for penalty in penalties]
        total = v1.add_n(penalties, name=scope)
    v1.add_to_collection(v1.GraphKeys.REGULARIZATION_LOSSES, total)
    return total
