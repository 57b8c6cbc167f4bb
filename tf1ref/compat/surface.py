"""Which names the installed TensorFlow and tf1ref have, read from their source files: nothing is imported.

TensorFlow's public API lies in generated files of imports (tensorflow/_api/v2); what they import is what there is.
"""

import ast
import functools
import importlib.util
from pathlib import Path

from tf1ref.compat import table
from tf1ref.errors import InputError

RUNS, EXEC, MISSING = "runs", "exec", "missing"
# tf.layers and tf.nn.rnn_cell are there by name, and raise: "not available with Keras 3".
BROKEN = ("layers", "nn.rnn_cell")


def verdict(path):
    """Returns RUNS (TensorFlow 2 has `tf.<path>`), EXEC (it is there under `tf1ref exec`) or MISSING.

    path: dotted, without `tensorflow.`; what is deeper than a class or function counts as that.
    Raises InputError when no TensorFlow is installed.
    """
    for prefix in ("compat.v1", "compat.v2"):
        if path == prefix:
            return RUNS
        if path.startswith(prefix + "."):
            rest = path[len(prefix) + 1 :]
            if prefix == "compat.v2":
                return RUNS if _public(rest, "v2") else MISSING
            return RUNS if _public(rest, "v1") and not _within(rest, BROKEN) else _under_exec(rest)
    if path == "" or _public(path, "v2") or _private(path):
        return RUNS
    return _under_exec(path)


def _under_exec(path):
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        start, rest = ".".join(parts[:length]), parts[length:]
        if start in table.RENAMED or start in table.FUNCTIONS:
            return EXEC
        if start in table.MODULES:
            return EXEC if not rest or rest[0] in _names(table.LEGACY, table.MODULES[start]) else MISSING
    if _within(path, ("keras", "python.keras")):
        return MISSING
    if _public(path, "v1") or _private(path):
        return EXEC
    # A module that only leads to others: `import tensorflow.contrib`.
    return EXEC if table.below(path) and path not in table.GONE or path == "contrib" else MISSING


def _within(path, places):
    return any(path == place or path.startswith(place + ".") for place in places)


@functools.cache
def tensorflow_folder():
    """Returns the folder of the installed TensorFlow. Raises InputError when there is none."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None:
        raise InputError("no TensorFlow is installed here: pip install tensorflow")
    return Path(spec.submodule_search_locations[0])


def _public(path, version):
    folder = tensorflow_folder() / "_api" / "v2"
    folder = folder / "compat" / "v1" if version == "v1" else folder
    for part in path.split("."):
        names = _root_names() if folder.name == "v2" else _file_names(folder / "__init__.py")
        if part not in names and not (version == "v1" and part in ("flags", "keras")):
            return False
        if not (folder / part).is_dir():
            return True  # a function or class, or a value; what follows are its attributes
        folder = folder / part
    return True


def _root_names():
    # TensorFlow's own root adds `keras` lazily and `Variable` and such through _api/v2/__init__ or itself.
    return _file_names(tensorflow_folder() / "__init__.py") | {"keras", "__version__"}


def _private(path):
    """Whether tensorflow/python/... has that name: these are no API, and are here as they are."""
    parts = path.split(".")
    if parts[0] not in ("python", "core", "compiler", "tsl"):
        return False
    place = tensorflow_folder()
    for index, part in enumerate(parts):
        if (place / part).is_dir():
            place = place / part
            continue
        file = place / f"{part}.py"
        if file.is_file():
            rest = parts[index + 1 :]
            # Protocol buffers build their classes when they are imported.
            return not rest or part.endswith("_pb2") or rest[0] in _file_names(file)
        return part in _file_names(place / "__init__.py")
    return True


def _names(folder, module):
    path = folder / f"{module.replace('.', '/')}.py"
    return _file_names(path if path.is_file() else path.with_suffix("") / "__init__.py")


@functools.cache
def tree(path):
    """Returns the syntax tree of a Python file; an empty one where there is no such file."""
    return ast.parse(path.read_bytes()) if path.is_file() else ast.Module(body=[], type_ignores=[])


@functools.cache
def _file_names(path):
    """Names that a file defines or imports at its top level."""
    parsed, names = tree(path), set()
    for node in ast.walk(parsed):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                names.update(_star(path, node) if alias.name == "*" else [(alias.asname or alias.name).split(".")[0]])
    for node in parsed.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name))
    return frozenset(names)


def _star(path, node):
    """Names that `from x import *` brings, for modules of TensorFlow's or ours."""
    module = (node.module or "").split(".")
    base = {"tensorflow": tensorflow_folder, "tf1ref": lambda: table.LEGACY.parent}.get(module[0])
    if base is None:
        return []
    file = base().joinpath(*module[1:])
    found = _file_names(file.with_suffix(".py") if file.with_suffix(".py").is_file() else file / "__init__.py")
    return [name for name in found if not name.startswith("_")]
