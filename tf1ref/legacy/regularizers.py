"""tf.contrib.layers' regularizers: functions that add a penalty op for one tensor of weights."""

import numbers

import tensorflow.compat.v1 as v1


def l2_regularizer(scale, scope=None):
    """Returns a function weights -> scale * sum(weights^2) / 2, a scalar op; of None for scale 0.

    A scale may be a tensor. Raises ValueError for a negative one and for an integer, as contrib's did.
    """
    if isinstance(scale, numbers.Integral):
        raise ValueError(f"a regularizer's scale is a float, not the integer {scale}")
    off = isinstance(scale, numbers.Real) and scale == 0.0
    if isinstance(scale, numbers.Real) and scale < 0.0:
        raise ValueError(f"a regularizer's scale must not be negative: {scale}")

    def l2(weights):
        if off:
            return None
        with v1.name_scope(scope, "l2_regularizer", [weights]) as name:
            factor = v1.convert_to_tensor(scale, dtype=weights.dtype.base_dtype, name="scale")
            return v1.multiply(factor, v1.nn.l2_loss(weights), name=name)

    return l2
