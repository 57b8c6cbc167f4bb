"""tf.keras.regularizers, which TF1 programs apply to their own weights. l2 counts the whole square, not half of it."""

import tensorflow.compat.v1 as v1


def l1_l2(l1=0.01, l2=0.01):
    """Returns a function x -> l1 * sum(|x|) + l2 * sum(x^2), a scalar op."""

    def penalty(x):
        parts = []
        if l1:
            parts.append(l1 * v1.reduce_sum(v1.abs(x)))
        if l2:
            parts.append(l2 * v1.reduce_sum(v1.square(x)))
        return v1.add_n(parts) if parts else v1.zeros([], x.dtype.base_dtype)

    return penalty


def l1(l=0.01):  # noqa: E741 - Keras' name
    """Returns a function x -> l * sum(|x|)."""
    return l1_l2(l1=l, l2=0.0)


def l2(l=0.01):  # noqa: E741 - Keras' name
    """Returns a function x -> l * sum(x^2).

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     print(sess.run(l2(0.5)(v1.constant([2.0]))))
    2.0
    """
    return l1_l2(l1=0.0, l2=l)
