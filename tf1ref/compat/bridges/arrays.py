"""What NumPy took away at 1.24, 2.0 and later."""

import functools

import numpy as np


@functools.wraps(np.array)
def array(object, dtype=None, *, copy=True, **kwargs):
    """np.array: rows of different lengths make an array of objects; copy=False copies where it has to."""
    copy = None if copy is False else copy
    try:
        return np.array(object, dtype, copy=copy, **kwargs)
    except ValueError as e:
        if dtype is not None or "inhomogeneous" not in str(e):
            raise
        return _ragged(object)


@functools.wraps(np.asarray)
def asarray(a, dtype=None, order=None, **kwargs):
    """np.asarray: rows of different lengths make an array of objects."""
    try:
        return np.asarray(a, dtype, order, **kwargs)
    except ValueError as e:
        if dtype is not None or "inhomogeneous" not in str(e):
            raise
        return _ragged(a)


def _ragged(rows):
    try:
        return np.array(rows, dtype=object)
    except ValueError:  # the shapes agree in the first dimension alone: one object a row
        rows = list(rows)
        made = np.empty(len(rows), dtype=object)
        made[:] = rows
        return made


@functools.wraps(np.fromstring)
def fromstring(string, dtype=float, count=-1, sep="", **kwargs):
    """np.fromstring: with no separator it reads bytes, and gives an array of its own."""
    if sep:
        return np.fromstring(string, dtype, count, sep=sep, **kwargs)
    data = string.encode("latin1") if isinstance(string, str) else string
    return np.frombuffer(data, dtype, count).copy()


@functools.wraps(np.reshape)
def reshape(a, *args, **kwargs):
    """np.reshape: takes the shape as `newshape` too."""
    if "newshape" in kwargs:
        args = (kwargs.pop("newshape"), *args)
    return np.reshape(a, *args, **kwargs)


@functools.wraps(np.sum)
def sum(a, *args, **kwargs):
    """np.sum: adds up a generator, too."""
    return np.sum(list(a) if hasattr(a, "__next__") else a, *args, **kwargs)


def stacking(function):
    """np.vstack and its like: take a generator or a map, too."""

    @functools.wraps(function)
    def stack(arrays, *args, **kwargs):
        return function(arrays if isinstance(arrays, np.ndarray) else list(arrays), *args, **kwargs)

    return stack


@functools.wraps(np.random.randint)
def random_integers(low, high=None, size=None):
    """np.random.random_integers: both ends can be drawn."""
    low, high = (1, low) if high is None else (low, high)
    return np.random.randint(low, np.asarray(high) + 1, size)


def reading_pickles(file, *args, **kwargs):
    """np.load under --trust: pickles are read, those of Python 2 too."""
    kwargs.setdefault("allow_pickle", True)
    try:
        return np.load(file, *args, **kwargs)
    except UnicodeError:
        if hasattr(file, "seek"):
            file.seek(0)
        return np.load(file, *args, **{**kwargs, "encoding": "latin1"})


# Names that are gone, and what they were.
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
# Those of which today's meaning is another.
CHANGED = {
    "bool": bool, "array": array, "asarray": asarray, "fromstring": fromstring, "reshape": reshape, "sum": sum,
    **{name: stacking(getattr(np, name)) for name in ("vstack", "hstack", "dstack", "stack", "concatenate")},
}  # fmt: skip
NAMES = {
    "numpy": {**{n: v for n, v in LOST.items() if v is not None and n not in np.__dict__}, **CHANGED},
    "numpy.random": {} if hasattr(np.random, "random_integers") else {"random_integers": random_integers},
}
