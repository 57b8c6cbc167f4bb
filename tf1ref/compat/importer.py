"""What `import` gives a program: its `tensorflow` and `keras`, views of modules that lost names, and its own files.

The real modules stay in sys.modules, because installed packages import themselves lazily and need the real ones.
"""

import builtins
import functools
import importlib
import importlib.abc
import importlib.machinery
import os
import sys
import types

from tf1ref.compat import namespace
from tf1ref.compat.bridges import views
from tf1ref.compat.names import table
from tf1ref.compat.texts import reading

# Packages that are written for the installed TensorFlow.
OWN = {
    "tensorflow", "keras", "tf_keras", "tensorboard", "tf1ref", "tensorflow_datasets", "tensorflow_probability",
    "tensorflow_hub", "tensorflow_addons", "tensorflow_text", "transformers", "tf2onnx", "tf_slim", "keras_hub",
}  # fmt: skip


def install(world=1):
    """Redirects the imports of the program for the rest of this process. Returns its `tensorflow`.

    In world 1 other packages get the TF1 `tensorflow`, too. The packages in OWN do not: they are written for the
    installed one. Files that came with TensorFlow's tutorials are given where the program's own import finds none.
    """
    original, root = builtins.__import__, namespace.root(world)

    def import_for_program(name, globals=None, locals=None, fromlist=(), level=0):
        package, _, path = name.partition(".")
        own = is_programs(globals)
        if level == 0 and package in ("tensorflow", "keras") and (own or (world == 1 and not _is_own(globals))):
            return _import(root, path if package == "tensorflow" else f"keras.{path}".rstrip("."), fromlist, package)
        if level or not own:
            return original(name, globals, locals, fromlist, level)
        try:
            found = original(name, globals, locals, fromlist, level)
        except ModuleNotFoundError as e:
            return _lost(name, fromlist, e, original)
        return _viewed(name, fromlist, found)

    builtins.__import__ = import_for_program
    importlib.import_module = _by_name(importlib.import_module, import_for_program)
    sys.meta_path.insert(0, Finder())
    return root


def is_programs(globals):
    """Returns whether the module with these globals is the program's: its main file or one that is not installed."""
    if not isinstance(globals, dict):  # `__import__(name, [], [], ["*"])` was how one imported what a text names
        return False
    return globals.get("__name__") == "__main__" or is_own_file(globals.get("__file__") or "")


@functools.cache
def is_own_file(path):
    """Returns whether a file is the program's: neither installed, nor a file of Python or of this package."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    places = (package + os.sep, os.path.dirname(os.__file__) + os.sep, "<frozen")
    installed = f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}"
    path = os.path.abspath(path) if path and not path.startswith("<") else path
    if not path or path.startswith(places) or any(i in path for i in installed):
        return False
    folders = (os.path.join(os.path.abspath(folder), "") for folder in sys.path)
    return not any(path.startswith(folder) and _is_installed_into(folder) for folder in folders)


@functools.cache
def _is_installed_into(folder):
    """Returns whether pip installs into this folder of sys.path, as it does with --target."""
    try:
        return any(name.endswith(".dist-info") for name in os.listdir(folder))
    except OSError:
        return False


class Finder(importlib.abc.MetaPathFinder):
    """Finds what Python finds. Loader reads the program's own files."""

    def find_spec(self, name, path=None, target=None):
        """Returns the spec of a module of the program, and None for every other module."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec and isinstance(spec.loader, importlib.machinery.SourceFileLoader) and is_own_file(spec.origin):
            spec.loader = Loader(name, spec.origin)
            return spec
        return None


class Loader(importlib.machinery.SourceFileLoader):
    """Reads a file of the program: translates it from Python 2 and rewrites its calls. No byte code is kept."""

    def get_code(self, fullname):
        """Returns the code object of the module."""
        in_package = "." in fullname or os.path.basename(self.path) == "__init__.py"
        return reading.code(self.get_data(self.path), self.path, in_package)


def _by_name(original, import_for_program):
    """importlib.import_module for calls of the program."""

    def import_module(name, package=None):
        if name.startswith(".") or not is_programs(sys._getframe(1).f_globals):
            return original(name, package)
        return import_for_program(name, sys._getframe(1).f_globals, None, ("__name__",), 0)

    return import_module


def _is_own(globals):
    return not isinstance(globals, dict) or str(globals.get("__name__")).partition(".")[0] in OWN


def _lost(name, fromlist, error, original):
    """Returns what an import of a removed module gives: the module that replaces it, a view, or a tutorial's file."""
    package = name.partition(".")[0]
    if error.name and (error.name == name or name.startswith(error.name + ".")):
        if package in views.MOVED and error.name == package:
            new = views.MOVED[package]
            return _viewed(new, fromlist or ("__name__",), importlib.import_module(new))
        is_there = package in sys.modules or package in sys.builtin_module_names or package in views.STANDARD
        if is_there and views.knows(name):
            return _viewed(name, fromlist, sys.modules.get(package))
        if error.name == package and _lay_out(package):
            return original(name, None, None, fromlist, 0)
    raise error


def _viewed(name, fromlist, found):
    package, _, path = name.partition(".")
    view = views.of(package, sys.modules.get(package))
    if not isinstance(view, views.View):
        return found
    if not fromlist:
        return view
    for part in path.split(".") if path else ():
        view = getattr(view, part)
    # `import *` takes what the module itself lists.
    return found if "*" in fromlist and found is not None else view


def _lay_out(package):
    """Makes the modules of table.FILES below `package` importable. Returns whether there are any."""
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


def _import(root, path, fromlist, package):
    module = _walk(root, path)
    if not fromlist:
        return root if package == "tensorflow" else _walk(root, "keras")
    for name in fromlist:
        if name != "*" and not name.startswith("__"):
            _walk(module, name)
    return module._base if "*" in fromlist and isinstance(module, namespace.Namespace) and module._base else module


def _walk(module, path):
    for part in path.split(".") if path else ():
        try:
            module = getattr(module, part)
        except namespace.SymbolMissing as e:
            raise namespace.ModuleMissing(e.path, e.world) from None
    return module
