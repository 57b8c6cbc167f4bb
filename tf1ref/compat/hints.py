"""What to do about errors that old programs meet outside of TensorFlow: in NumPy and in Python."""

import re

# (type of the error, pattern of its message, what to write).
HINTS = (
    (ValueError, r"Could not interpret optimizer identifier: <tensorflow\.",
     "Keras 3 trains with optimizers of its own: write tf.keras.optimizers.Adam(...) or optimizer='adam'"),
    (TypeError, "only 0-dimensional arrays can be converted",
     "NumPy 2.4 does not take an array with one element for a number: write array.item(), or install numpy<2.4"),
    (ValueError, "inhomogeneous shape",
     "NumPy 1.24 and later refuse rows of different lengths: write np.array(rows, dtype=object)"),
    (ValueError, "allow_pickle=False",
     "the file holds Python objects: `tf1ref exec --trust` reads them, and runs code that they hold"),
    (AttributeError, "'LSTMStateTuple' object has no attribute",
     "before TensorFlow 0.12 the state of an LSTM was one tensor: write BasicLSTMCell(..., state_is_tuple=False)"),
    (AttributeError, r"'dict' object has no attribute '(has_key|iter\w+)'",
     "Python 2: write `key in d`, d.items(), d.keys(), d.values()"),
    (TypeError, r"'dict_(keys|values|items)' object is not subscriptable", "Python 2: write list(d.keys())[0]"),
    (TypeError, r"'(map|filter|zip)' object is not subscriptable", "Python 2: write list(map(...))[0]"),
    (TypeError, r"object of type '(map|filter|zip)' has no len", "Python 2: write len(list(map(...)))"),
    (TypeError, "'float' object cannot be interpreted as an integer", "Python 2 divided integers by /: write //"),
    (TypeError, "slice indices must be integers", "Python 2 divided integers by /: write //"),
    (AttributeError, "'str' object has no attribute 'decode'", "Python 2: text is decoded already: omit .decode()"),
    (TypeError, "expected bytes, str found", "Python 2: write text.encode()"),
    (UnicodeDecodeError, "codec can't decode byte",
     "Python 2 read bytes: open(path, 'rb'); its pickles: pickle.load(file, encoding='latin1')"),
    (ModuleNotFoundError, "'(cPickle|cStringIO|StringIO|urllib2|urlparse|Queue|ConfigParser|Tkinter)'",
     "Python 2: write pickle, io, urllib.request, urllib.parse, queue, configparser, tkinter"),
)  # fmt: skip


def of(error):
    """Returns what to do about an exception, or None.

    >>> of(AttributeError("'dict' object has no attribute 'has_key'"))
    'Python 2: write `key in d`, d.items(), d.keys(), d.values()'
    """
    return next((say for kind, text, say in HINTS if isinstance(error, kind) and re.search(text, str(error))), None)
