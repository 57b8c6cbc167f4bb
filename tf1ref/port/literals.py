"""Values of a graph as Python text. The text is always a literal, and restores the same bits."""

import math

import numpy as np
import tensorflow as tf

MOST = 16  # the most elements of a constant that is written out
# A longer row of floats is a learned one.
MOST_FLOATS = 4
DEFAULTS = (tf.float32, tf.int32, tf.bool, tf.string)  # TensorFlow turns floats, ints, bools and text into these


def short(array):
    """Returns True when `array` is written out and not kept beside the code."""
    a = np.asarray(array)
    if a.size > (MOST_FLOATS if a.dtype.kind == "f" else MOST) or (a.size == 0 and a.ndim > 1):
        return False
    if a.dtype.kind == "O":
        return all(isinstance(x, bytes) and len(x) <= 80 for x in a.flat)
    if a.dtype.kind in "fc":
        return a.dtype in (np.float16, np.float32, np.float64) and not np.isnan(a).any()
    return a.dtype.kind in "iub" and a.dtype.names is None


def repeated(array):
    """Returns True for an array of one number that is repeated, such as zeros, in a type that tf.fill takes.

    >>> repeated(np.float32([0, 0])), repeated(np.float32([0, -0.0]))
    (True, False)
    """
    a = np.asarray(array)
    same = a.size > 1 and a.tobytes() == np.full_like(a, a.flat[0]).tobytes()
    return bool(same and a.dtype in (np.float32, np.float64, np.int32, np.int64) and not np.isnan(a.flat[0]))


def filled(array):
    """Returns a call that makes an array that is `repeated`.

    >>> filled(np.zeros([2, 3], np.float32)), filled(np.full([2], 0.5)), filled(np.int32([1, 1]))
    ('tf.zeros([2, 3])', 'tf.fill([2], tf.constant(0.5, tf.float64))', 'tf.ones([2], tf.int32)')
    """
    a = np.asarray(array)
    shape, value, kind = list(a.shape), a.flat[0], tf.as_dtype(a.dtype)
    number = plain(value) if kind in DEFAULTS else constant(value, kind)
    return zeros_or_ones(shape, value, kind) or f"tf.fill({shape}, {number})"


def zeros_or_ones(shape, value, kind):
    """Returns tf.zeros or tf.ones of a `shape`, which is written as it is, or "" for another value.

    >>> zeros_or_ones([2], np.float32(1), tf.float32), zeros_or_ones([2], np.float32(-0.0), tf.float32)
    ('tf.ones([2])', '')
    """
    if value not in (0, 1) or np.signbit(value):
        return ""
    return f"tf.{'ones' if value else 'zeros'}({shape}{'' if kind == tf.float32 else f', {dtype(kind)}'})"


def plain(array):
    """Returns an array that is `short` as nested lists of Python literals.

    >>> plain(np.float32([0.1, 1e-5]))
    '[0.1, 1e-5]'
    """
    a = np.asarray(array)
    if a.ndim:
        return "[" + ", ".join(plain(x) for x in a) + "]"
    x = a[()]
    if isinstance(x, bytes):
        return quoted(x)
    if a.dtype.kind == "f":
        return _float(x)
    return repr(x.item())


def dtype(value):
    """Returns "tf.float32" for a DType."""
    return f"tf.{value.base_dtype.name}"


def constant(array, kind):
    """Returns a call of tf.constant that makes the `short` array a tensor of the DType `kind`."""
    default = kind in DEFAULTS and np.asarray(array).size
    return f"tf.constant({plain(array)})" if default else f"tf.constant({plain(array)}, {dtype(kind)})"


def attribute(value):
    """Returns the text of an AttrValue, or None when it has none (a function, a tensor)."""
    which = value.WhichOneof("value")
    if which == "list":
        return "[" + ", ".join(_list(value.list)) + "]"
    if which == "s":
        return string(value.s)
    if which == "type":
        return dtype(tf.as_dtype(value.type))
    if which == "shape":
        return shape(tf.TensorShape(value.shape))
    return {"i": repr(value.i), "b": repr(value.b), "f": _float(np.float32(value.f))}.get(which)


def string(data):
    """Returns bytes as the literal of an ASCII text when they are one, else of bytes.

    >>> string(b"NHWC")
    '"NHWC"'
    """
    return quoted(data.decode()) if data.isascii() else quoted(data)


def shape(value):
    """Returns "[None, 28]" for a TensorShape, or "None" when the rank is unknown.

    >>> shape(tf.TensorShape([None, 28]))
    '[None, 28]'
    >>> shape(tf.TensorShape(None))
    'None'
    """
    return "None" if value.rank is None else repr(value.as_list())


def _list(values):
    for name, write in (
        ("s", string),
        ("i", repr),
        ("b", repr),
        ("f", lambda x: _float(np.float32(x))),
        ("type", lambda x: dtype(tf.as_dtype(x))),
        ("shape", lambda x: shape(tf.TensorShape(x))),
    ):
        if items := getattr(values, name):
            return [write(item) for item in items]
    return []


def _float(x):
    """Returns the shortest text that restores the bits of x in its own type."""
    if math.isinf(x):
        return 'float("inf")' if x > 0 else '-float("inf")'
    if math.isnan(x):
        return 'float("nan")'
    text = str(x)
    exact = type(x)(float(text)) == x
    text = text if exact else repr(float(x))
    mantissa, e, exponent = text.partition("e")
    # The text is 1e-5 and not 1e-05.
    return f"{mantissa}e{int(exponent)}" if e else text


def quoted(text):
    """Returns the literal of an ASCII text or of bytes, in double quotes when that needs no more escapes.

    >>> print(quoted("a 'name'"))
    "a 'name'"
    """
    found = ascii(bytes(text) if isinstance(text, bytes) else str(text))  # NumPy's own say their type
    prefix, body = ("b", found[2:-1]) if isinstance(text, bytes) else ("", found[1:-1])
    if '"' in body:
        return found
    return f'{prefix}"{body}"' if "\\'" not in body else found
