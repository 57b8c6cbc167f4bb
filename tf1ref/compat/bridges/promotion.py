"""The type of a result of NumPy as NumPy 1 chose it, for the operators of a program's files.

In NumPy 2 a Python number takes the type of the other operand, and a scalar of NumPy widens an array
(NEP 50, https://numpy.org/neps/nep-0050-scalar-promotion.html). So `np.uint8(9) + 1` is a uint8 there, a sum of
float32 losses is rounded to float32, and `weights * np.sqrt(2.0)` makes float64 of float32. In NumPy 1 an operation of
scalars had the type of both, where Python's numbers are int64, float64 and complex128. A scalar of the array's kind, or
of a lower one, counted by its value.

`a + b` in a program becomes `a + right(a, b)`, or `left(a, b) + kept()` where to evaluate `a` twice might do something.
So the operation itself stays in the program's file, for tracebacks and warnings.
"""

import threading

import numpy as np

NEEDED = np.lib.NumpyVersion(np.__version__) >= "2.0.0"
OF_NUMPY = (np.ndarray, np.generic)
ARRAYS = (np.ndarray, np.memmap)  # matrices and masked arrays have operators of their own
KINDS = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 2}
PYTHONS = {bool: np.bool_, int: np.int64, float: np.float64, complex: np.complex128}
PYTHON_KINDS = {number: KINDS[np.dtype(number).kind] for number in PYTHONS}
# Nothing of NumPy: to see this first takes half of the time that isinstance takes.
PLAIN = frozenset((*PYTHONS, str, list, tuple))
SMALL = 32767  # up to here a number fits every float of 4 bytes or more, in NumPy 1's eyes too

_right = threading.local()


def right(one, other):
    """Returns the right operand for the left one, so that the result has the type that it had in NumPy 1."""
    if type(one) in PLAIN and type(other) in PLAIN:
        return other
    first, second = as_before(one, other)
    return second if first is one else _Turned(first, second)


def left(one, other):
    """Returns the left operand, and keeps the right one of `right` for `kept`."""
    other = right(one, other)
    try:
        _right.operands.append(other)
    except AttributeError:  # this is the thread's first
        _right.operands = [other]
    return one


def kept():
    """Returns the right operand of the operation that `left` has begun."""
    return _right.operands.pop()


def total(values, /, start=0):
    """Returns what Python's sum returned with NumPy 1: float64 for scalars of float32, beside the start of 0."""
    if isinstance(values, (list, tuple)) and PLAIN.issuperset(map(type, values)):
        return sum(values, start)
    result = sum([], start)  # it refuses a text to start with
    for value in values:
        result = result + right(result, value)
    return result


class _Turned:
    """A right operand whose left one has to be another: it computes with `first` in place of what it is asked for."""

    __array_ufunc__ = None  # NumPy leaves the operation to this class

    def __init__(self, first, second):
        self.first, self.second = first, second

    def __radd__(self, _):
        return self.first + self.second

    def __rsub__(self, _):
        return self.first - self.second

    def __rmul__(self, _):
        return self.first * self.second

    def __rtruediv__(self, _):
        return self.first / self.second

    def __rfloordiv__(self, _):
        return self.first // self.second

    def __rmod__(self, _):
        return self.first % self.second

    def __rpow__(self, _):
        return self.first**self.second


def as_before(one, other):
    """Returns two operands whose result in NumPy 2 has the type that theirs had in NumPy 1.

    The first changes only where it is a scalar beside an array.

    >>> [type(value).__name__ for value in as_before(np.uint8(9), 1)]
    ['uint8', 'int64']
    >>> as_before(np.ones(2, np.float32), np.float64(0.5))[1].dtype
    dtype('float32')
    """
    if not (NEEDED and (isinstance(one, OF_NUMPY) or isinstance(other, OF_NUMPY))):
        return one, other
    kinds = _kind(one), _kind(other)
    if None in kinds:
        return one, other
    arrays = [isinstance(value, np.ndarray) and value.ndim > 0 for value in (one, other)]
    if arrays == [True, False]:
        return one, _beside(one, other, *kinds)
    if arrays == [False, True]:
        return _beside(other, one, *kinds[::-1]), other
    if type(other) in PYTHONS:
        return one, _full(other)
    full = _full(one)
    return one, np.promote_types(full.dtype, other.dtype).type(other) if hasattr(full, "dtype") else other


def _kind(value):
    """Returns the rank of a number's kind among KINDS, or None for what is no number."""
    if type(value) in PYTHONS:
        return PYTHON_KINDS[type(value)]
    if type(value) in ARRAYS or isinstance(value, np.generic):
        return KINDS.get(value.dtype.kind)
    return None


def _full(value):
    """Returns a Python number as the scalar that it was for NumPy 1. An integer of more than 64 bits stays."""
    if type(value) not in PYTHONS:
        return value
    if type(value) is int and not -(2**63) <= value < 2**63:
        return np.uint64(value) if 0 <= value < 2**64 else value
    return PYTHONS[type(value)](value)


def _beside(array, scalar, kind, scalar_kind):
    """Returns a scalar as it counts beside an array. Where it is right as it is, it is the same object."""
    if scalar_kind > kind:
        return _full(scalar)
    dtype = array.dtype
    wide = dtype.kind == "f" and dtype.itemsize >= 4
    if wide and type(scalar) in (int, float) and -SMALL <= scalar <= SMALL:
        return scalar
    value = np.asarray(scalar)[()] if type(scalar) in PYTHONS else scalar
    if value.dtype.kind == "O":
        return scalar
    if wide and value.dtype.kind != "c" and -SMALL <= value <= SMALL:
        return scalar if value.dtype == dtype else dtype.type(value)
    smallest = np.min_scalar_type(value)
    if dtype.kind == "i" and smallest.kind == "u":
        # The smallest signed type that holds it: 127 is an int8 beside signed numbers.
        smallest = np.min_scalar_type(-int(value) - 1)
    return np.promote_types(dtype, smallest).type(value)
