"""The module `tensorflow` as a program of the time sees it: every name is loaded from where compat/resolver.py says."""

import importlib
import sys
import types

from tf1ref.compat.bridges import keras2
from tf1ref.compat.names import advice as missing
from tf1ref.compat.names import facts, resolver

# What the names here amount to; programs of the time branch on it.
VERSIONS = {1: "1.15.5", 2: "2.15.1"}
# Modules of TensorFlow's inside: what a program sets there must reach TensorFlow.
INSIDE = ("tensorflow.python.", "tensorflow.core.", "tensorflow.compiler.")


class SymbolMissing(AttributeError):
    """A TensorFlow name that neither TensorFlow nor tf1ref has; the message says what to use instead."""

    def __init__(self, path, world=1):
        super().__init__(f"tf.{path} {gone(path, world)}")
        self.path, self.world = path, world


class ModuleMissing(ImportError):
    """The same where it is imported."""

    def __init__(self, path, world=1):
        super().__init__(f"tensorflow.{path} {gone(path, world)}", name=f"tensorflow.{path}")
        self.path, self.world = path, world


def gone(path, world):
    """Returns what there is to say of a name that is missing."""
    import tensorflow as tf

    said = f"is not in TensorFlow {tf.__version__}, nor does tf1ref give it back"
    advice = missing.missing(path, world)
    return f"{said}: {advice}" if advice else said


class Namespace(types.ModuleType):
    """One module at or below `tensorflow`. `_base` is the module that stands there today, None where none does."""

    def __init__(self, path, world, base):
        super().__init__(f"tensorflow.{path}" if path else "tensorflow", getattr(base, "__doc__", None))
        inside = getattr(base, "__name__", "").startswith(INSIDE)
        self.__dict__.update(_path=path, _world=world, _base=base, _inside=inside)

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            return getattr(self._base, name)
        path = f"{self._path}.{name}" if self._path else name
        found = _find(path, self._world, self._base, name)
        if not self._inside:
            self.__dict__[name] = found  # the next look-up does not come here
        return found

    def __setattr__(self, name, value):
        setattr(self._base, name, value) if self._inside else super().__setattr__(name, value)

    def __dir__(self):
        known = facts.members(self._path) if self._world == 1 else set()
        return sorted({*self.__dict__, *known, *(dir(self._base) if self._base else ())})


def root(world=1):
    """Returns `tensorflow` as a program of that world imports it."""
    import tensorflow as tf

    module = Namespace("", world, tf.compat.v1 if world == 1 else tf)
    module.__version__ = module.VERSION = VERSIONS[world]
    if world == 1:
        module.compat = Namespace("compat", 1, tf.compat)
        module.compat.v1 = module
    return module


def legacy(module):
    """Returns the module of tf1ref.legacy of that name."""
    return importlib.import_module(f"tf1ref.legacy.{module}")


def load(origin):
    """Returns the object that a resolver.Origin says; None for a module that only leads to others."""
    if not origin.module:
        return None
    if origin.module.startswith("tf_keras."):
        keras2.install()
    module = importlib.import_module(origin.module)
    return getattr(module, origin.name) if origin.name else module


def _find(path, world, base, name):
    origin = resolver.resolve(path, world)
    if origin is None:
        # What a module makes while it is imported does not show in its text.
        if base is not None and path.startswith(resolver.BESIDE) and hasattr(base, name):
            return getattr(base, name)
        raise SymbolMissing(path, world)
    found = load(origin)
    is_module = isinstance(found, types.ModuleType) or not origin.is_value
    return Namespace(path, world, found) if is_module and not _is_foreign(found) else found


def _is_foreign(module):
    """A module that TensorFlow only imports for itself, such as numpy or six."""
    name = getattr(module, "__name__", "tensorflow").partition(".")[0]
    return name not in ("tensorflow", "tf1ref", "tf_keras", "tensorboard") and name in sys.modules
