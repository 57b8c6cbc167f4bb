"""Leads the private imports of TensorFlow's test files to public names (see conformance_run.py)."""

import builtins
import functools
import importlib
import os
import sys
import types
from pathlib import Path

from tf1ref.compat import importer, namespace
from tf1ref.compat.names import table
from tf1ref.compat.texts import reading

load = importlib.import_module  # before `exec` changes it

# tf_slim's folders -> the modules of contrib that they were.
SLIM = {
    "layers": "contrib.layers", "ops": "contrib.framework", "losses": "contrib.losses", "metrics": "contrib.metrics",
    "training": "contrib.training", "learning": "contrib.slim.learning", "evaluation": "contrib.slim.evaluation",
    "summaries": "contrib.slim.summaries", "data": "contrib.slim.data", "queues": "contrib.slim.queues",
    "model_analyzer": "contrib.slim.model_analyzer",
}  # fmt: skip
# Modules whose own text is used: programs over the layers, what tests share, and names of metrics and predictions.
CANNED = "tensorflow_estimator.python.estimator.canned"
SOURCES = (
    "tf_slim.nets", f"{CANNED}.v1", f"{CANNED}.metric_keys", f"{CANNED}.prediction_keys",
    "tensorflow_estimator.python.estimator.hooks.fake_summary_writer",
)  # fmt: skip
# What tf.contrib.estimator called the heads of the canned estimators. These sum their losses where it takes the mean.
HEADS = {
    "_regression_head": "regression_head",
    "_binary_logistic_head_with_sigmoid_cross_entropy_loss": "binary_classification_head",
    "_multi_class_head_with_softmax_cross_entropy_loss": "multi_class_head",
}
# Keras merged the class Network of this module into Model.
KERAS_NETWORK = ("tensorflow.python.keras.engine", "network")
CHECKOUT = ROOT = None


class NotGiven(AttributeError):
    """A name that tf1ref does not give back is used."""


class Placeholder:
    """Stands for a name that is not given until something is done with it."""

    def __init__(self, path):
        self.__dict__["_path"] = path

    def __mro_entries__(self, bases):
        path = self._path
        return (type("Base", (), {"__init__": lambda *args, **kwargs: _refuse(path)}),)

    def __call__(self, *args, **kwargs):
        _refuse(self._path)

    def __getattr__(self, name):
        _refuse(self._path)


def _refuse(path):
    raise NotGiven(f"{path} is not given")


class Joined(types.ModuleType):
    """A private module of the checkout: its submodules, else the first of `places` that has the name."""

    def __init__(self, path, file, places):
        super().__init__(path)
        self.__dict__.update(_file=file, _places=places)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        below, path = os.path.join(self._file, name), f"{self.__name__}.{name}"
        if not _is_private(self.__name__):
            return _module(path) if _is_private(path) else getattr(load(self.__name__), name)
        if os.path.isdir(below) or os.path.isfile(f"{below}.py") or path.removeprefix("tensorflow.") in table.MODULES:
            return _module(path)
        for place in self._places:
            try:
                found = getattr(place, name)
            except AttributeError:
                continue
            return found
        if name == "EstimatorV2":  # what 1.15 calls Estimator inside
            return self.Estimator
        if name in HEADS:
            head = getattr(_public("contrib.estimator"), HEADS[name])
            return functools.partial(head, loss_reduction=ROOT.losses.Reduction.SUM)
        if path.startswith("tensorflow.contrib.") and not os.path.isdir(os.path.join(CHECKOUT, "tensorflow")):
            return _module(path)  # an estimator's checkout imports modules of contrib that it does not hold
        return _constant(self.__name__, name) or Placeholder(f"{self.__name__}.{name}")

    def __call__(self, *args, **kwargs):
        # A module whose package imports a function of the same name over it, such as arg_scope.
        return getattr(self, self.__name__.rpartition(".")[2])(*args, **kwargs)


def _constant(path, name):
    """Returns the text that a module inside today's TensorFlow has under that name, such as "kernel", or None."""
    try:
        found = getattr(load(path), name, None)
    except ImportError:
        return None
    return found if isinstance(found, str) else None


def _public(path):
    """Returns the public module of that path, or None."""
    place = ROOT
    for part in path.split("."):
        try:
            place = getattr(place, part)
        except AttributeError:
            return None
    return place


def _places(path):
    """Returns the public modules in which the names of a private module are looked for."""
    parts = path.split(".")
    if parts[0] == "tf_slim":
        wanted = [SLIM.get(parts[1], "contrib.slim") if len(parts) > 1 else "contrib.slim", "contrib.slim"]
        wanted += ["contrib.framework", "contrib.layers"]
    elif parts[0] == "tensorflow_estimator":
        wanted = [f"estimator.{part}" for part in ("inputs", "export") if part in parts] + ["estimator"]
        wanted += ["estimator.export", "estimator.inputs", "train"]
    elif parts[1] == "contrib":
        wanted = [f"contrib.{parts[2]}.{parts[-1]}", f"contrib.{parts[2]}"]
        wanted += ["contrib.framework"] if parts[2] in ("layers", "slim") else []
    else:
        wanted = ["layers" if parts[2] == "layers" else "nn.rnn_cell"]
    found = [_public(each) for each in wanted]
    package = {"tf_slim": "contrib.layers", "tensorflow_estimator": "estimator"}.get(parts[0]) or ".".join(
        parts[1:3] if parts[1] == "contrib" else ["layers"] if parts[2] == "layers" else ["nn", "rnn_cell"]
    )
    found += _private(package)
    if "export" in parts:  # what an estimator's export took from TensorFlow
        found.append(load("tensorflow.python.saved_model.model_utils"))
    return [place for place in found if place is not None]


def _private(package):
    """The modules of tf1ref.legacy that make up a package: tests look at what is private to them."""
    try:
        home = load(f"tf1ref.legacy.{package}")
    except ImportError:
        return []
    folder = getattr(home, "__path__", [None])[0]
    names = sorted(n[:-3] for n in os.listdir(folder) if n.endswith(".py") and n[1] != "_") if folder else []
    return [load(f"tf1ref.legacy.{package}.{name}") for name in names]


def _module(path):
    """Returns the stand-in for a private module of the checkout."""
    if path not in _KNOWN:
        file = os.path.join(CHECKOUT, *path.split("."))
        if path.startswith(SOURCES) and os.path.isfile(f"{file}.py"):
            # Under its own name `exec` would take it for an installed package, whose imports are not led elsewhere.
            _KNOWN[path] = run_file(f"{file}.py", f"checkout.{path}")
        else:
            _KNOWN[path] = Joined(path, file, _places(path))
    return _KNOWN[path]


_KNOWN = {}


def _is_private(path):
    """Whether an import of `path` is led elsewhere."""
    parts = path.split(".")
    if parts[0] in ("tf_slim", "tensorflow_estimator"):
        return True
    if path.startswith("tensorflow.contrib."):
        return len(parts) > 3 and parts[3] != "datasets"
    return path.startswith(("tensorflow.python.layers", "tensorflow.python.ops.rnn_cell"))


def _moved(name):
    """Returns what today's TensorFlow calls `name`, wherever in its inside that stands now."""
    import tensorflow as tf

    v1 = tf.compat.v1
    for place in (v1, v1.nn, v1.train, v1.losses, v1.metrics, v1.linalg, v1.strings, v1.summary):
        if hasattr(place, name):
            return getattr(place, name)
    inside = ("tensorflow.python.framework", "tensorflow.python.ops", "tensorflow.python.training")
    for path in sorted(path for path in sys.modules if path.startswith(inside)):
        if name in vars(sys.modules[path]):
            return vars(sys.modules[path])[name]
    raise AttributeError(name)


def install(checkout):
    """Does to imports what `exec` does, and puts the stand-ins for modules of the checkout in front of it."""
    global CHECKOUT, ROOT
    CHECKOUT, ROOT = checkout, importer.install()
    plain = builtins.__import__

    def import_private(name, globals=None, locals=None, fromlist=(), level=0):
        caller = str((globals or {}).get("__name__"))
        if level or caller.partition(".")[0] in importer.OWN or not fromlist:
            return plain(name, globals, locals, fromlist, level)
        for each in fromlist:
            if name.startswith("tensorflow.python.") or f"{name}.{each}".startswith("tensorflow.python."):
                _soften(f"{name}.{each}")
        if any(_is_private(f"{name}.{each}") for each in fromlist):
            return _module(name)
        if (name, *fromlist) == KERAS_NETWORK:
            return types.SimpleNamespace(network=types.SimpleNamespace(Network=_public("keras.Model")))
        try:
            return plain(name, globals, locals, fromlist, level)
        except namespace.ModuleMissing:
            if not name.startswith("tensorflow.python."):
                raise
            return _Partial(name, fromlist)

    builtins.__import__ = import_private


class _Partial:
    """A module inside TensorFlow without some of its names: those are placeholders."""

    def __init__(self, path, names):
        for name in names:
            try:
                found = getattr(load(path), name)
            except (ImportError, AttributeError):
                try:
                    found = load(f"{path}.{name}")
                except ImportError:
                    found = Placeholder(f"{path}.{name}")
            setattr(self, name, found)


def _soften(path):
    """Lets a module of TensorFlow's inside find the names that it had and that moved since."""
    try:
        module = load(path)
    except ImportError:
        return
    if "__getattr__" not in vars(module):
        module.__getattr__ = _moved


def run_file(file, name):
    code = reading.code(Path(file).read_bytes(), file)
    module = types.ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module
    exec(code, module.__dict__)
    return module
