"""Values of a graph as Python text. Whatever the value, the text is a literal, and gives back the same bits."""

import math

import numpy as np
import tensorflow as tf

MOST = 16  # elements of a constant that is written out
MOST_FLOATS = 4  # a longer row of floats was learned
DEFAULTS = (tf.float32, tf.int32, tf.bool, tf.string)  # what TensorFlow makes of floats, ints, bools and text


def short(array):
    """True where `array` is written out and not kept beside the code."""
    a = np.asarray(array)
    if a.size > (MOST_FLOATS if a.dtype.kind == "f" else MOST) or (a.size == 0 and a.ndim > 1):
        return False
    if a.dtype.kind == "O":
        return all(isinstance(x, bytes) and len(x) <= 80 for x in a.flat)
    if a.dtype.kind in "fc":
        return a.dtype in (np.float16, np.float32, np.float64) and not np.isnan(a).any()
    return a.dtype.kind in "iub" and a.dtype.names is None


def plain(array):
    """Returns an array that is `short` as nested lists of Python literals."""
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
    """Returns a call of tf.constant that gives the `short` array as a tensor of the DType `kind`."""
    default = kind in DEFAULTS and np.asarray(array).size
    return f"tf.constant({plain(array)})" if default else f"tf.constant({plain(array)}, {dtype(kind)})"


def attribute(value):
    """Returns the text of an AttrValue, or None where it has none (a function, a tensor)."""
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
    """Returns bytes as the literal of a text in ASCII where they are one, else of bytes."""
    return quoted(data.decode()) if data.isascii() else quoted(data)


def shape(value):
    """Returns "[None, 28]" for a TensorShape, "None" where not even the rank is known."""
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
    """The shortest text that gives the same bits of x' own type."""
    if math.isinf(x):
        return 'float("inf")' if x > 0 else '-float("inf")'
    if math.isnan(x):
        return 'float("nan")'
    text = str(x)
    exact = type(x)(float(text)) == x
    text = text if exact else repr(float(x))
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if e else text  # 1e-5, not 1e-05


def quoted(text):
    """Returns the literal of a text in ASCII or of bytes, in double quotes where that needs no more escapes."""
    found = ascii(text)
    prefix, body = ("b", found[2:-1]) if isinstance(text, bytes) else ("", found[1:-1])
    if '"' in body:
        return found
    return f'{prefix}"{body}"' if "\\'" not in body else found
