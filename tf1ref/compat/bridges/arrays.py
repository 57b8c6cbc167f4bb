"""What NumPy removed in 1.24, 2.0 and later."""

import contextlib
import functools
import importlib
import sys

import numpy as np


@functools.wraps(np.array)
def array(object, dtype=None, *, copy=True, **kwargs):
    """np.array as it was: rows of different lengths make an array of objects, and copy=False copies only if
    necessary.
    """
    copy = None if copy is False else copy
    try:
        return np.array(object, dtype, copy=copy, **kwargs)
    except ValueError as e:
        if dtype is not None or "inhomogeneous" not in str(e):
            raise
        return _ragged(object)


@functools.wraps(np.asarray)
def asarray(a, dtype=None, order=None, **kwargs):
    """np.asarray as it was: rows of different lengths make an array of objects."""
    try:
        return np.asarray(a, dtype, order, **kwargs)
    except ValueError as e:
        if dtype is not None or "inhomogeneous" not in str(e):
            raise
        return _ragged(a)


def _ragged(rows):
    try:
        return np.array(rows, dtype=object)
    # The shapes agree in the first dimension only. Each row becomes one object.
    except ValueError:
        rows = list(rows)
        made = np.empty(len(rows), dtype=object)
        made[:] = rows
        return made


@functools.wraps(np.fromstring)
def fromstring(string, dtype=float, count=-1, sep="", **kwargs):
    """np.fromstring as it was: without a separator it reads bytes and returns a new array."""
    if sep:
        return np.fromstring(string, dtype, count, sep=sep, **kwargs)
    data = string.encode("latin1") if isinstance(string, str) else string
    return np.frombuffer(data, dtype, count).copy()


@functools.wraps(np.reshape)
def reshape(a, *args, **kwargs):
    """np.reshape as it was: `newshape` may name the shape."""
    if "newshape" in kwargs:
        args = (kwargs.pop("newshape"), *args)
    return np.reshape(a, *args, **kwargs)


@functools.wraps(np.sum)
def sum(a, *args, **kwargs):
    """np.sum as it was: it also sums a generator."""
    return np.sum(list(a) if hasattr(a, "__next__") else a, *args, **kwargs)


@functools.wraps(np.set_printoptions)
def set_printoptions(precision=None, threshold=None, *args, **kwargs):
    """np.set_printoptions as it was: a threshold of NaN prints every element, and threads print alike."""
    if threshold is not None and str(threshold) == "nan":
        threshold = sys.maxsize
    np.set_printoptions(precision, threshold, *args, **kwargs)
    # Since 2.2 a thread starts with the options of the import. There is no public way to set those.
    with contextlib.suppress(ImportError, AttributeError):
        inner = importlib.import_module("numpy._core.printoptions")
        inner.default_format_options_dict.update(inner.format_options.get())


def print_plain_numbers():
    """Makes NumPy print numbers in lists without their type, as before 2.0: [3.0], not [np.float64(3.0)]."""
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        set_printoptions(legacy="1.25")


@functools.wraps(np.linspace)
def linspace(start, stop, num=50, *args, **kwargs):
    """np.linspace as it was: a number of points such as 10.0 is a whole one."""
    return np.linspace(start, stop, int(num), *args, **kwargs)


def stacking(function):
    """Returns np.vstack or a similar function, changed so that it also takes a generator or a map."""

    @functools.wraps(function)
    def stack(arrays, *args, **kwargs):
        return function(arrays if isinstance(arrays, np.ndarray) else list(arrays), *args, **kwargs)

    return stack


@functools.wraps(np.random.randint)
def random_integers(low, high=None, size=None):
    """np.random.random_integers: an integer from `low` to `high`, both included."""
    low, high = (1, low) if high is None else (low, high)
    return np.random.randint(low, np.asarray(high) + 1, size)


def reading_pickles(file, *args, **kwargs):
    """np.load under --trust: it reads pickles, also those of Python 2."""
    kwargs.setdefault("allow_pickle", True)
    try:
        return np.load(file, *args, **kwargs)
    except UnicodeError:
        if hasattr(file, "seek"):
            file.seek(0)
        return np.load(file, *args, **{**kwargs, "encoding": "latin1"})


# Removed names, and what each of them was.
LOST = {
    "float": float, "int": int, "long": int, "object": object, "complex": complex, "str": str,
    "unicode": str, "float_": np.float64, "complex_": np.complex128, "cfloat": np.complex128, "string_": np.bytes_,
    "unicode_": np.str_, "Inf": np.inf, "Infinity": np.inf, "infty": np.inf, "PINF": np.inf, "NINF": -np.inf,
    "NaN": np.nan, "NAN": np.nan, "PZERO": 0.0, "NZERO": -0.0, "product": np.prod, "cumproduct": np.cumprod,
    "alltrue": np.all, "sometrue": np.any, "row_stack": np.vstack, "round_": np.round, "asscalar": lambda a: a.item(),
    "asfarray": lambda a, dtype=float: np.asarray(a, dtype), "msort": lambda a: np.sort(a, axis=0), "rank": np.ndim,
    "in1d": lambda a, b, **kwargs: np.isin(np.ravel(a), b, **kwargs), "int0": np.intp, "uint0": np.uintp,
    "bool8": np.bool_, "object0": np.object_, "str0": np.str_, "bytes0": np.bytes_, "singlecomplex": np.complex64,
    "longfloat": np.longdouble, "clongfloat": np.clongdouble, "longcomplex": np.clongdouble, "Float64": np.float64,
    "find_common_type": lambda arrays, scalars: np.result_type(*arrays, *scalars), "mat": np.asmatrix,
    "trapz": getattr(np, "trapezoid", None) or getattr(np, "trapz", None), "cast": None, "disp": print,
    "issubclass_": issubclass, "safe_eval": __import__("ast").literal_eval, "issctype": lambda t: isinstance(t, type),
}  # fmt: skip
# Names that mean something else today.
CHANGED = {
    "bool": bool, "array": array, "asarray": asarray, "fromstring": fromstring, "reshape": reshape, "sum": sum,
    "set_printoptions": set_printoptions, "linspace": linspace,
    **{name: stacking(getattr(np, name)) for name in ("vstack", "hstack", "dstack", "stack", "concatenate")},
}  # fmt: skip
NAMES = {
    "numpy": {**{n: v for n, v in LOST.items() if v is not None and n not in np.__dict__}, **CHANGED},
    "numpy.random": {} if hasattr(np.random, "random_integers") else {"random_integers": random_integers},
}
