"""What Python and PyYAML removed, up to Python 3.13, and modules that only Python 2 had."""

import collections.abc
import functools
import html
import importlib
import importlib.util
import inspect
import io
import itertools
import math
import os
import pickle
import platform
import string
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree

import numpy as np

# `exec --trust` sets this: pickles of Python 2 are read, and their text becomes bytes.
trust = False


def _pickled(load):
    @functools.wraps(load)
    def read(source, *args, **kwargs):
        start = source.tell() if trust and hasattr(source, "seekable") and source.seekable() else None
        try:
            return load(source, *args, **kwargs)
        except UnicodeDecodeError:
            if not trust or "encoding" in kwargs:
                raise
            if start is not None:
                source.seek(start)
            return load(source, *args, **{**kwargs, "encoding": "latin1"})

    return read


def getargspec(function):
    """inspect.getargspec: a tuple (args, varargs, keywords, defaults)."""
    return ArgSpec(*inspect.getfullargspec(function)[:4])


ArgSpec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")


def yaml_load(stream, Loader=None):
    """yaml.load without a loader. It reads plain data only, as yaml.safe_load does."""
    import yaml

    return yaml.load(stream, Loader=Loader or yaml.SafeLoader)


def _load_source(name, path, file=None):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _of_one_element(function):
    """Returns a function of math that also takes an array with one element."""

    @functools.wraps(function)
    def of(*args):
        return function(*(a.item() if isinstance(a, np.ndarray) and a.size == 1 else a for a in args))

    return of


class BytesOrText(io.BytesIO):
    """Python 2's StringIO.StringIO, which holds text or bytes. What was written last decides what getvalue returns."""

    def __init__(self, initial=""):
        self._text = isinstance(initial, str) and bool(initial)
        super().__init__(initial.encode() if isinstance(initial, str) else initial)

    def write(self, data):
        """Writes text or bytes."""
        self._text = isinstance(data, str)
        return super().write(data.encode() if isinstance(data, str) else data)

    def getvalue(self):
        """Returns text when text was written last, else bytes."""
        return super().getvalue().decode() if self._text else super().getvalue()


_MATH = ("floor", "ceil", "trunc", "fabs", "sqrt", "exp", "log", "log10", "pow", "isnan", "isinf", "sin", "cos", "tanh")
_ABC = {name: getattr(collections.abc, name) for name in collections.abc.__all__}
NAMES = {
    "collections": _ABC,
    "fractions": {"gcd": math.gcd},
    "imp": {"load_source": _load_source, "reload": importlib.reload},
    "inspect": {"getargspec": getargspec, "ArgSpec": ArgSpec},
    "itertools": {"izip": zip, "imap": map, "ifilter": filter, "izip_longest": itertools.zip_longest,
                  "ifilterfalse": itertools.filterfalse},
    "math": {n: _of_one_element(getattr(math, n)) for n in _MATH},
    "os": {"getcwdu": os.getcwd, "errno": __import__("errno")},
    "pickle": {"load": _pickled(pickle.load), "loads": _pickled(pickle.loads)},
    "platform": {"linux_distribution": lambda *a, **k: ("", "", ""), "dist": lambda *a, **k: ("", "", "")}
    if not hasattr(platform, "dist") else {},
    "string": {"letters": string.ascii_letters, "lowercase": string.ascii_lowercase, "maketrans": str.maketrans,
               "uppercase": string.ascii_uppercase, "join": lambda words, sep=" ": sep.join(words),
               "strip": str.strip, "lower": str.lower, "upper": str.upper, "split": str.split, "replace": str.replace,
               "atoi": int, "atof": float},
    "sys": {"maxint": sys.maxsize, "setdefaultencoding": lambda name: None},
    "time": {"clock": time.perf_counter},
    "types": {"StringType": str, "IntType": int, "FloatType": float, "ListType": list, "DictType": dict,
              "TupleType": tuple, "NoneType": type(None), "BooleanType": bool, "StringTypes": (str,),
              "UnicodeType": str, "LongType": int},
    "urllib": {"urlretrieve": urllib.request.urlretrieve, "urlopen": urllib.request.urlopen,
               "quote": urllib.parse.quote, "unquote": urllib.parse.unquote, "urlencode": urllib.parse.urlencode,
               "quote_plus": urllib.parse.quote_plus, "unquote_plus": urllib.parse.unquote_plus,
               "URLopener": getattr(urllib.request, "URLopener", None)},
    "urllib.request": {"HTTPError": urllib.error.HTTPError, "URLError": urllib.error.URLError,
                       "quote": urllib.parse.quote, "unquote": urllib.parse.unquote},
    "io": {},
    "cgi": {"escape": html.escape},
    "xml.etree": {"cElementTree": xml.etree.ElementTree},
    "yaml": {"load": yaml_load},
}  # fmt: skip
