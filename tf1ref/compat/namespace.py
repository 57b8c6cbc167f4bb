"""The module `tensorflow` as an old program sees it. Each name is loaded from where names/resolver.py says."""

import importlib
import sys
import types

from tf1ref.compat.bridges import keras2
from tf1ref.compat.names import advice as missing
from tf1ref.compat.names import facts, resolver

# The version that these names amount to. Old programs branch on it.
VERSIONS = {1: "1.15.5", 2: "2.15.1"}
# Modules inside TensorFlow. What a program sets in them must reach TensorFlow itself.
INSIDE = ("tensorflow.python.", "tensorflow.core.", "tensorflow.compiler.")


class SymbolMissing(AttributeError):
    """Neither TensorFlow nor tf1ref has this name of TensorFlow. The message says what to use instead."""

    def __init__(self, path, world=1):
        super().__init__(f"tf.{path} {gone(path, world)}")
        self.path, self.world = path, world


class ModuleMissing(ImportError):
    """The same error, raised by an import."""

    def __init__(self, path, world=1):
        super().__init__(f"tensorflow.{path} {gone(path, world)}", name=f"tensorflow.{path}")
        self.path, self.world = path, world


def gone(path, world):
    """Returns the message for a missing name."""
    import tensorflow as tf

    said = f"is not in TensorFlow {tf.__version__}, nor does tf1ref give it back"
    advice = missing.missing(path, world)
    return f"{said}: {advice}" if advice else said


class Namespace(types.ModuleType):
    """One module at or below `tensorflow`. `_base` is the module of that name today, or None when it was removed."""

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
            # The next look-up finds it without this method.
            self.__dict__[name] = found
        return found

    def __setattr__(self, name, value):
        setattr(self._base, name, value) if self._inside else super().__setattr__(name, value)

    def __delattr__(self, name):
        # unittest.mock deletes what it has set, and sets the old value again.
        delattr(self._base, name) if self._inside else super().__delattr__(name)

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
    """Returns the object of a resolver.Origin, or None for a module that only leads to others."""
    if not origin.module:
        return None
    if origin.module.startswith("tf_keras."):
        keras2.install()
    module = importlib.import_module(origin.module)
    return getattr(module, origin.name) if origin.name else module


def _find(path, world, base, name):
    origin = resolver.resolve(path, world)
    if origin is None:
        # The text of a module does not show names that it makes while it is imported.
        if base is not None and path.startswith(resolver.BESIDE) and hasattr(base, name):
            return getattr(base, name)
        raise SymbolMissing(path, world)
    found = load(origin)
    is_module = isinstance(found, types.ModuleType) or not origin.is_value
    return Namespace(path, world, found) if is_module and not _is_foreign(found) else found


def _is_foreign(module):
    """Returns whether a module is one that TensorFlow only imports for its own use, such as numpy or six."""
    name = getattr(module, "__name__", "tensorflow").partition(".")[0]
    return name not in ("tensorflow", "tf1ref", "tf_keras", "tensorboard") and name in sys.modules
