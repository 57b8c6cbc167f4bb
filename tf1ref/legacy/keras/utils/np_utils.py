"""keras.utils.np_utils, which programs without a layer of Keras in them used for one function or two."""

import numpy as np


def to_categorical(y, num_classes=None, dtype="float32"):
    """Integers of any shape to one-hot rows: (..., num_classes); num_classes: one more than the largest, if None."""
    y = np.asarray(y, int)
    y = y[..., 0] if y.ndim > 1 and y.shape[-1] == 1 else y
    return np.eye(num_classes or y.max() + 1, dtype=dtype)[y]


def normalize(x, axis=-1, order=2):
    """Divides by the norm along `axis`; where that is 0, by 1."""
    norm = np.atleast_1d(np.linalg.norm(x, order, axis))
    norm[norm == 0] = 1
    return x / np.expand_dims(norm, axis)
