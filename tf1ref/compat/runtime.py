"""Turns this process into one of 2019's: TensorFlow 1's behaviour, old names of NumPy and Python, plots to files.

Called once, by `tf1ref exec`, before the program's first line.
"""

import builtins
import functools
import os
import random
import sys
import urllib.parse
import urllib.request
import warnings

import numpy as np

# Names that NumPy took away at 1.24 and 2.0, and what they were.
NUMPY_NAMES = {
    "float": float, "int": int, "long": int, "bool": bool, "object": object, "complex": complex, "str": str,
    "unicode": str, "float_": np.float64, "complex_": np.complex128, "cfloat": np.complex128, "string_": np.bytes_,
    "unicode_": np.str_, "Inf": np.inf, "Infinity": np.inf, "infty": np.inf, "PINF": np.inf, "NINF": -np.inf,
    "NaN": np.nan, "PZERO": 0.0, "NZERO": -0.0, "product": np.prod, "cumproduct": np.cumprod, "alltrue": np.all,
    "sometrue": np.any, "row_stack": np.vstack, "round_": np.round, "asscalar": lambda a: a.item(),
    "asfarray": lambda a, dtype=float: np.asarray(a, dtype), "msort": lambda a: np.sort(a, axis=0),
    "in1d": lambda a, b, **kwargs: np.isin(np.ravel(a), b, **kwargs),
    "find_common_type": lambda arrays, scalars: np.result_type(*arrays, *scalars),
    "trapz": getattr(np, "trapezoid", None) or getattr(np, "trapz", None),
}  # fmt: skip

# Names of Python 2 that programs with `from __future__ import print_function` left standing, and where they are now.
PYTHON2_NAMES = {
    "xrange": range, "raw_input": input, "unicode": str, "unichr": chr, "long": int, "basestring": str,
    "reduce": functools.reduce,
}  # fmt: skip
URLLIB_NAMES = {
    "urlretrieve": urllib.request.urlretrieve, "urlopen": urllib.request.urlopen, "quote": urllib.parse.quote,
    "unquote": urllib.parse.unquote, "urlencode": urllib.parse.urlencode,
}  # fmt: skip


def prepare(seed=None, trust=False, say=print):
    """Switches TensorFlow 2's behaviour off and gives back what programs of the time relied on.

    seed: an integer that every graph, NumPy and `random` start from. trust: np.load may unpickle, which runs what the
    file says, as it could before NumPy 1.16.3. say: takes the notes, one line each.
    """
    import tensorflow as tf

    from tf1ref.legacy.contrib.eager import _variables as eager_variables

    tf.compat.v1.disable_v2_behavior()
    tf.get_logger().setLevel("ERROR")
    warnings.filterwarnings("ignore", module="tensorflow")  # of TensorFlow's own use of what it deprecates
    _soften_placement()
    _tell_of_missing_gpus(say)
    _give_back_numpy_names(trust)
    _give_back_python2_names()
    _free_log_dir()
    eager_variables.install()
    if seed is not None:
        _seed_everything(seed)


def plot_without_display():
    """Before matplotlib is imported: without a display figures go to files (compat/plot_files.py)."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ["MPLBACKEND"] = "module://tf1ref.compat.plot_files"


def _soften_placement():
    from tensorflow.python.client import session

    plain = session.BaseSession.__init__

    def init(self, target="", graph=None, config=None):
        softened = type(config)() if config is not None else session.config_pb2.ConfigProto()
        if config is not None:
            softened.CopyFrom(config)
        softened.allow_soft_placement = True
        plain(self, target, graph, softened)

    session.BaseSession.__init__ = init


def _tell_of_missing_gpus(say):
    import tensorflow as tf
    from tensorflow.python.framework import ops

    plain, told = ops.Graph.device, []

    def device(self, wanted):
        if not told and isinstance(wanted, str) and "gpu" in wanted.lower():
            told.append(wanted)
            if not tf.config.list_physical_devices("GPU"):
                say(f"tf.device({wanted!r}): no GPU here, its ops run on the CPU")
        return plain(self, wanted)

    ops.Graph.device = device


def _give_back_numpy_names(trust):
    for name, value in NUMPY_NAMES.items():
        if name not in np.__dict__:
            setattr(np, name, value)
    np.reshape = _taking(np.reshape, "newshape", 1)
    if trust:
        np.load = functools.partial(np.load, allow_pickle=True)


def _give_back_python2_names():
    for place, names in ((builtins, PYTHON2_NAMES), (urllib, URLLIB_NAMES)):
        for name, value in names.items():
            if not hasattr(place, name):
                setattr(place, name, value)


def _taking(function, keyword, position):
    """Returns `function` that takes the argument at `position` by its old `keyword` too."""

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        if keyword in kwargs:
            args = (*args[:position], kwargs.pop(keyword), *args[position:])
        return function(*args, **kwargs)

    return wrapped


def _free_log_dir():
    """absl.logging defines --log_dir, as many tutorials do: theirs must not be defined twice."""
    from absl import flags

    if "log_dir" in flags.FLAGS:
        delattr(flags.FLAGS, "log_dir")


def _seed_everything(seed):
    import tensorflow as tf
    from tensorflow.python.framework import ops

    random.seed(seed)
    np.random.seed(seed % 2**32)
    plain = ops.Graph.__init__

    def init(self, *args, **kwargs):
        plain(self, *args, **kwargs)
        self.seed = seed

    ops.Graph.__init__ = init
    tf.compat.v1.set_random_seed(seed)
