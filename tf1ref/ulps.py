"""Distances between floats, counted in units in the last place."""

import numpy as np


def ulp_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns how many representable floats lie between each pair of elements (int64; 0 for equal bits).

    Floats are mapped to integers that keep their order; -0.0 and 0.0 are one apart, and so are two NaNs
    of different bits at the least. The largest int64 stands in where the distance does not fit.

    >>> print(ulp_distance(np.float32([1.0, 0.0]), np.float32([1.0000001, -0.0])))
    [1 1]
    """
    kind = {2: np.int16, 4: np.int32, 8: np.int64}[a.dtype.itemsize]
    low = np.iinfo(kind).min

    def order(x):
        bits = np.array(x, order="C").view(kind)
        return np.where(bits < 0, low - bits - 1, bits).astype(object if kind is np.int64 else np.int64)

    with np.errstate(over="ignore"):  # np.where computes the unwanted side too, which may not fit
        distance = np.abs(order(a) - order(b))
    return np.minimum(distance, np.iinfo(np.int64).max).astype(np.int64)
