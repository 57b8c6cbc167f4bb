"""tf.contrib.layers' regularizers: functions that add a penalty op for one tensor of weights."""

import tensorflow.compat.v1 as v1


def l2_regularizer(scale, scope=None):
    """Returns a function weights -> scale * sum(weights^2) / 2, a scalar op; of None for scale 0.

    Raises ValueError for a negative scale, as contrib's did.
    """
    if scale < 0.0:
        raise ValueError(f"a regularizer's scale must not be negative: {scale}")

    def l2(weights):
        if scale == 0.0:
            return None
        with v1.name_scope(scope, "l2_regularizer", [weights]) as name:
            factor = v1.convert_to_tensor(scale, dtype=weights.dtype.base_dtype, name="scale")
            return v1.multiply(factor, v1.nn.l2_loss(weights), name=name)

    return l2
