"""keras.utils.np_utils, of which programs without any layer of Keras use one or two functions."""

import numpy as np


def to_categorical(y, num_classes=None, dtype="float32"):
    """Turns integers of any shape into one-hot rows, [..., num_classes].

    num_classes: None (the default) takes the largest integer plus 1.

    >>> print(to_categorical([0, 2]))
    [[1. 0. 0.]
     [0. 0. 1.]]
    """
    y = np.asarray(y, int)
    y = y[..., 0] if y.ndim > 1 and y.shape[-1] == 1 else y
    return np.eye(num_classes or y.max() + 1, dtype=dtype)[y]


def normalize(x, axis=-1, order=2):
    """Divides by the norm along `axis`, or by 1 where the norm is 0."""
    norm = np.atleast_1d(np.linalg.norm(x, order, axis))
    norm[norm == 0] = 1
    return x / np.expand_dims(norm, axis)
