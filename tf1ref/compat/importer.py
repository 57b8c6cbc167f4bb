"""Puts the TF1 `tensorflow` before the imports of an old program, and of nobody else.

The real TensorFlow stays where it is: it, Keras and TensorBoard import themselves lazily and must get themselves.
"""

import builtins
import sys
import types

from tf1ref.compat import namespace, table

# Packages that are written for the TensorFlow that is installed.
OWN = {"tensorflow", "keras", "tf_keras", "tensorboard", "tf1ref", "tensorflow_datasets", "tensorflow_probability"}


def install():
    """Redirects `import tensorflow...` of every module that is not of OWN, for the rest of this process.

    Files that came with TensorFlow's tutorials are given where the program's own import finds none.
    """
    original = builtins.__import__
    root = namespace.root()

    def import_tf1(name, globals=None, locals=None, fromlist=(), level=0):
        package, _, path = name.partition(".")
        if level == 0 and package in ("tensorflow", "keras") and not _is_own(globals):
            # A `keras` beside it was another package, with the same small helpers; its layers are gone alike.
            return _import(root if package == "tensorflow" else root.keras, path, fromlist)
        try:
            return original(name, globals, locals, fromlist, level)
        except ModuleNotFoundError as e:
            if level or e.name != package or _is_own(globals) or not _lay_out(package):
                raise
            return original(name, globals, locals, fromlist, level)

    builtins.__import__ = import_tf1
    return root


def _is_own(globals):
    return globals is None or str(globals.get("__name__")).partition(".")[0] in OWN


def _lay_out(package):
    """Makes the modules of table.FILES below `package` importable; returns whether there are any."""
    for path, module in table.FILES.items():
        parts = path.split(".")
        if parts[0] != package:
            continue
        place = None
        for length, part in enumerate(parts, 1):
            name = ".".join(parts[:length])
            here = sys.modules.get(name) or (namespace.legacy(module) if name == path else types.ModuleType(name))
            if name != path:
                here.__path__ = []
            sys.modules[name] = here
            if place:
                setattr(place, part, here)
            place = here
    return package in sys.modules


def _import(root, path, fromlist):
    module = _walk(root, path)
    if not fromlist:
        return root
    for name in fromlist:
        if name != "*":
            _walk(module, name)
    return module._base if "*" in fromlist and isinstance(module, namespace.Namespace) and module._base else module


def _walk(module, path):
    for part in path.split(".") if path else ():
        try:
            module = getattr(module, part)
        except namespace.SymbolMissing as e:
            raise namespace.ModuleMissing(e.path) from None
    return module
