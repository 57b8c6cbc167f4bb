"""The module `tensorflow` as a TF1 program sees it: tf.compat.v1, with what TensorFlow dropped back in its place."""

import importlib
import types

from tf1ref.compat import table


class SymbolMissing(AttributeError):
    """A TensorFlow name that neither TensorFlow nor tf1ref has; the message says what to use instead."""

    def __init__(self, path):
        super().__init__(f"tf.{path} {gone(path)}")
        self.path = path


class ModuleMissing(ImportError):
    """The same where it is imported."""

    def __init__(self, path):
        super().__init__(f"tensorflow.{path} {gone(path)}", name=f"tensorflow.{path}")
        self.path = path


def gone(path):
    """Returns what there is to say of a name that is missing."""
    import tensorflow as tf

    said = f"is not in TensorFlow {tf.__version__}, nor does tf1ref give it back"
    advice = table.advice(path)
    return f"{said}: {advice}" if advice else said


class Namespace(types.ModuleType):
    """One module below `tensorflow`: names of the table first, then those of the module `base`."""

    def __init__(self, path, base):
        super().__init__(f"tensorflow.{path}" if path else "tensorflow", getattr(base, "__doc__", None))
        self.__dict__.update(_path=path, _base=base)

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            return getattr(self._base, name)
        path = f"{self._path}.{name}" if self._path else name
        found = _find(path, self._base, name)
        self.__dict__[name] = found  # the next look-up does not come here
        return found

    def __dir__(self):
        own = {key[len(self._path) :].lstrip(".").partition(".")[0] for key in _keys() if key.startswith(self._path)}
        return sorted(own | set(dir(self._base) if self._base else ()))


def root():
    """Returns `tensorflow` as a TF1 program imports it."""
    import tensorflow as tf

    module = Namespace("", tf.compat.v1)
    # What the names here amount to; programs of the time branch on it.
    module.__version__ = module.VERSION = "1.15.5"
    module.python = Namespace("python", importlib.import_module("tensorflow.python"))
    module.compat = Namespace("compat", tf.compat)
    module.compat.v1 = module
    return module


def legacy(module):
    """Returns the module of tf1ref.legacy of that name."""
    return importlib.import_module(f"tf1ref.legacy.{module}")


def _keys():
    return [*table.MODULES, *table.RENAMED, *table.FUNCTIONS]


def _find(path, base, name):
    if path in table.MODULES:
        return Namespace(path, legacy(table.MODULES[path]))
    if path in table.FUNCTIONS:
        module, _, function = table.FUNCTIONS[path].rpartition(".")
        return getattr(legacy(module), function)
    if path in table.RENAMED:
        found = _of_tensorflow(table.RENAMED[path])
        return Namespace(table.RENAMED[path], found) if isinstance(found, types.ModuleType) else found
    if path in ("keras", "python.keras") and not _eagerly():
        return Namespace(path, None)
    found = getattr(base, name, None) if base else None
    if found is None:
        found = _imported(path)
    if found is None and table.below(path):
        return Namespace(path, None)
    if found is None:
        raise SymbolMissing(path)
    # Modules of TensorFlow's inside stay themselves: what a program sets there must reach TensorFlow.
    inside = path.startswith(("python.", "core.", "compiler.")) and not table.below(path)
    return found if inside or not isinstance(found, types.ModuleType) else Namespace(path, found)


def _of_tensorflow(path):
    import tensorflow as tf

    found = tf.compat.v1
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _imported(path):
    """Returns TensorFlow's own module of that path, or None."""
    if path.split(".")[0] not in ("python", "core", "compiler", "lite", "tools"):
        return None
    try:
        return importlib.import_module(f"tensorflow.{path}")
    except ModuleNotFoundError:
        return None


def _eagerly():
    import tensorflow as tf

    return tf.executing_eagerly()
