"""Prepares this process for an old program: TensorFlow 1's behaviour, old names of NumPy and Python, plots to files.

`tf1ref exec` calls this once, before the program's first line.
"""

import builtins
import functools
import importlib
import importlib.util
import os
import random
import sys
import warnings

import numpy as np

from tf1ref.compat.bridges import arrays, python

# Names of Python 2 that programs with `from __future__ import print_function` still use, and what they are today.
PYTHON2_NAMES = {
    "xrange": range, "raw_input": input, "unicode": str, "unichr": chr, "long": int, "basestring": str,
    "reduce": functools.reduce, "reload": lambda module: module, "cmp": lambda a, b: (a > b) - (a < b),
    "intern": sys.intern, "apply": lambda function, args=(), kwargs={}: function(*args, **kwargs),
}  # fmt: skip


def before_tensorflow():
    """Makes tf.keras Keras 2 where it is installed. Call it before TensorFlow is imported."""
    if importlib.util.find_spec("tf_keras"):
        os.environ["TF_USE_LEGACY_KERAS"] = "1"


def prepare(seed=None, trust=False, say=print, world=1):
    """Gives back what programs of the time relied on. In world 1 it switches TensorFlow 2's behaviour off.

    seed: an integer, the seed of every graph, of NumPy and of `random`.
    trust: lets np.load unpickle, as it did before NumPy 1.16.3. A pickle can run any code.
    say: a function that takes notes of one line.
    """
    import tensorflow as tf

    if world == 1:
        from tf1ref.legacy.contrib.eager import _variables as eager_variables

        tf.compat.v1.disable_v2_behavior()
        eager_variables.install()
    tf.get_logger().setLevel("ERROR")
    # These packages warn about their own use of deprecated functions.
    warnings.filterwarnings("ignore", module="tensorflow|tf_keras")
    _soften_placement()
    _tell_of_missing_gpus(say)
    _give_back_python2_names()
    arrays.print_plain_numbers()
    if trust:
        python.trust = True
        arrays.NAMES["numpy"]["load"] = arrays.reading_pickles
    _free_log_dir()
    if seed is not None:
        _seed_everything(seed)


def plot_without_display():
    """Writes figures to files where there is no display (compat/plot_files.py). Call it before matplotlib is
    imported.
    """
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


def _give_back_python2_names():
    for name, value in PYTHON2_NAMES.items():
        if not hasattr(builtins, name):
            setattr(builtins, name, value)


def _free_log_dir():
    """Removes absl's own --log_dir, which many tutorials define, too. It must not be defined twice."""
    from absl import flags

    if "log_dir" in flags.FLAGS:
        delattr(flags.FLAGS, "log_dir")


def _seed_everything(seed):
    from tensorflow.python.eager import context
    from tensorflow.python.framework import ops

    random.seed(seed)
    np.random.seed(seed % 2**32)
    plain = ops.Graph.__init__

    def init(self, *args, **kwargs):
        plain(self, *args, **kwargs)
        self.seed = seed

    ops.Graph.__init__ = init
    # Not tf.random.set_seed: it makes the default graph, and enable_eager_execution refuses to come after a graph.
    context.set_global_seed(seed)
