"""Runs one of TensorFlow's test files as `tf1ref exec` runs a program: CHECKOUT FILE OUT [TEXT].

Private imports are led to public names: `tensorflow.contrib.losses.python.losses.loss_ops` to tf.contrib.losses, and
so on. A name that is not given becomes a placeholder, so that only the tests that use it fail. Each test that ends
adds a line [test, outcome, message] to OUT; outcome is pass, skip, ours or not given.
"""

import ast
import builtins
import importlib
import json
import os
import sys
import types
import unittest
from pathlib import Path

from tf1ref.compat import importer, namespace, runtime
from tf1ref.compat.texts import reading

load = importlib.import_module  # before `exec` changes it

# tf_slim's folders -> the modules of contrib that they were.
SLIM = {
    "layers": "contrib.layers", "ops": "contrib.framework", "losses": "contrib.losses", "metrics": "contrib.metrics",
    "training": "contrib.training", "learning": "contrib.slim.learning", "evaluation": "contrib.slim.evaluation",
    "summaries": "contrib.slim.summaries", "data": "contrib.slim.data", "queues": "contrib.slim.queues",
    "model_analyzer": "contrib.slim.model_analyzer",
}  # fmt: skip
# Modules whose own text is used: they are programs over the layers, not a part of them.
SOURCES = ("tf_slim.nets",)
ROOT = None


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
        if os.path.isdir(below) or os.path.isfile(f"{below}.py"):
            return _module(path)
        for place in self._places:
            try:
                found = getattr(place, name)
            except AttributeError:
                continue
            return found
        return Placeholder(f"{self.__name__}.{name}")

    def __call__(self, *args, **kwargs):
        # A module whose package imports a function of the same name over it, such as arg_scope.
        return getattr(self, self.__name__.rpartition(".")[2])(*args, **kwargs)


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
    return [place for place in [*found, *_private(package)] if place is not None]


def _private(package):
    """The modules of tf1ref.legacy that make up a package: tests look at what is private to them."""
    try:
        home = load(f"tf1ref.legacy.{package}")
    except ImportError:
        return []
    folder = getattr(home, "__path__", [None])[0]
    names = sorted(n[:-3] for n in os.listdir(folder) if n.startswith("_") and n[1] != "_") if folder else []
    return [load(f"tf1ref.legacy.{package}.{name}") for name in names]


def _module(path):
    """Returns the stand-in for a private module of the checkout."""
    if path not in _KNOWN:
        file = os.path.join(CHECKOUT, *path.split("."))
        if path.startswith(SOURCES) and os.path.isfile(f"{file}.py"):
            _KNOWN[path] = _run_file(f"{file}.py", path)
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


def _install():
    """Puts the stand-ins in front of what `exec` does to imports."""
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


def _run_file(file, name):
    code = reading.code(Path(file).read_bytes(), file)
    module = types.ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module
    exec(code, module.__dict__)
    return module


class Outcomes(unittest.TestResult):
    """Writes a line for each test that begins and for each that ends."""

    def __init__(self, out):
        super().__init__()
        self.out, self.failed = out, None

    def _line(self, test, outcome, message=""):
        name = test.id().split(".", 1)[-1]
        print(json.dumps([name, outcome, " ".join(message.split())[:300]]), file=self.out, flush=True)

    def startTest(self, test):
        self.failed = None
        self._line(test, "started")

    def stopTest(self, test):
        if self.failed in (None, "skip"):
            return self._line(test, self.failed or "pass")
        return self._line(test, _kind(self.failed), f"{type(self.failed).__name__}: {self.failed}")

    def addFailure(self, test, error):
        self.failed = self.failed or error[1]

    def addError(self, test, error):
        self.addFailure(test, error)
        if not isinstance(test, unittest.TestCase):  # a class or module that cannot be set up
            self._line(test, _kind(error[1]), f"{type(error[1]).__name__}: {error[1]}")

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(test, error)

    def addSkip(self, test, reason):
        self.failed = "skip"


def _kind(error):
    while error is not None:
        if isinstance(error, (NotGiven, namespace.SymbolMissing, namespace.ModuleMissing)):
            return "not given"
        error = error.__cause__ or error.__context__
    return "ours"


def _tests(suite, only):
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from _tests(each, only)
        elif not each.id().endswith(".test_session") and only in each.id():
            yield each


def _unread(path, error, out):
    """A file that cannot be imported: all its tests have the file's outcome."""
    tree = ast.parse(Path(path).read_bytes())
    message = f"the file cannot be imported: {type(error).__name__}: {error}"
    inside = ((group, test) for group in tree.body if isinstance(group, ast.ClassDef) for test in group.body)
    for group, test in inside:
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test"):
            name = f"{group.name}.{test.name}"
            print(json.dumps([name, _kind(error), message[:300]]), file=out, flush=True)


def main():
    """Runs one file's tests."""
    global CHECKOUT, ROOT
    CHECKOUT, path, out, only = sys.argv[1:5]
    runtime.plot_without_display()
    runtime.before_tensorflow()
    runtime.prepare(say=lambda text: None)
    ROOT = importer.install()
    _install()
    from absl import flags

    # tf-slim's tests take a decorator from a package that is gone; it keeps a function from being a test.
    sys.modules.update({name: types.ModuleType(name) for name in ("nose", "nose.tools")})
    sys.modules["nose.tools"].nottest = lambda function: function
    file, stem = os.path.join(CHECKOUT, path), os.path.basename(path)[: -len(".py")]
    sys.argv = [file]
    load("tensorflow.python.platform.googletest")
    flags.FLAGS([file], known_only=True)
    with open(out, "w") as opened:
        try:
            module = _run_file(file, stem)
        except Exception as error:
            return _unread(file, error, opened)
        if b"enable_eager_execution()" in Path(file).read_bytes():
            namespace.root().enable_eager_execution()
        result = Outcomes(opened)
        for test in _tests(unittest.defaultTestLoader.loadTestsFromModule(module), only):
            test(result)


if __name__ == "__main__":
    main()
