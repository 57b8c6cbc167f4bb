"""Which names the modules of installed packages have. Their source files are read, and nothing is imported.

TensorFlow's public API consists of generated files of imports (tensorflow/_api/v2). The imports are the names.
"""

import ast
import functools
import importlib.util
import os
import re
from pathlib import Path

from tf1ref.errors import InputError


@functools.cache
def folder(package):
    """Returns the folder of an installed top-level package, or None."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def tensorflow_folder():
    """Returns the folder of the installed TensorFlow. Raises InputError when it is not installed."""
    found = folder("tensorflow")
    if found is None:
        raise InputError("no TensorFlow is installed here: pip install tensorflow")
    return found


@functools.cache
def file(module):
    """Returns the file of the dotted `module`, the folder of a package without __init__.py, or None."""
    package, *rest = module.split(".")
    place = folder(package)
    if place is None:
        return None
    place = place.joinpath(*rest)
    for each in (place / "__init__.py", place.with_name(f"{place.name}.py"), place.with_name(f"{place.name}.so")):
        if os.path.isfile(each):  # False for a name that is too long for a file, too
            return each
    return place if os.path.isdir(place) and any(place.glob("*.py")) else None


def is_module(module):
    """Returns whether such a module or package exists."""
    return file(module) is not None


@functools.cache
def tree(path):
    """Returns the syntax tree of a Python file. For a file that does not exist the tree is empty."""
    text = path.read_bytes() if path.is_file() and path.suffix == ".py" else b""
    return ast.parse(text)


@functools.cache
def names(module):
    """Returns the names that `module` defines or imports at its top level, also inside `if` and `try`."""
    place = file(module)
    found = set()
    for node in _top_level(tree(place).body) if place else ():
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                if alias.name == "*":
                    found.update(n for n in names(_imported_from(node, module)) if not n.startswith("_"))
                else:
                    found.add(alias.asname or alias.name.partition(".")[0])
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update(n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name))
        elif isinstance(node, ast.Delete):
            found.difference_update(n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name))
    return frozenset(found)


def makes_names(module):
    """Returns whether `module` makes names while it is imported, as protocol buffers and ops do."""
    place = file(module)
    return place is None or place.suffix == ".so" or place.stem.endswith("_pb2")


def _top_level(body):
    for node in body:
        yield node
        for part in ("body", "orelse", "handlers", "finalbody"):
            if isinstance(node, (ast.If, ast.Try, ast.With, ast.ExceptHandler)):
                yield from _top_level(getattr(node, part, ()))


def _imported_from(node, module):
    """Returns the absolute name of the module that an ast.ImportFrom in `module` imports from."""
    if not node.level:
        return node.module
    is_package = file(module).name == "__init__.py"
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, *([node.module] if node.module else [])])


@functools.cache
def definers(package, name):
    """Returns the modules directly in `package` that define the function or class `name` at their top level."""
    place = file(package)
    pattern = re.compile(rf"^(?:def|class) {re.escape(name)}\b".encode(), re.M)
    files = sorted(place.parent.glob("*.py")) if place and place.name == "__init__.py" else ()
    return tuple(f"{package}.{each.stem}" for each in files if pattern.search(each.read_bytes()))


def is_package(module):
    """Returns whether `module` is a folder."""
    place = file(module)
    return place is not None and (place.is_dir() or place.name == "__init__.py")


def below(package):
    """Returns `package` and the packages in it."""
    place = file(package).parent
    inner = (each.parent.relative_to(place).parts for each in sorted(place.rglob("__init__.py")))
    return [".".join([package, *parts]) for parts in inner]


def imported(module):
    """Yields (name, module it comes from, its name there) of each `from a import b` of a module."""
    for node in tree(file(module)).body:
        for alias in node.names if isinstance(node, ast.ImportFrom) and node.module and not node.level else ():
            yield alias.asname or alias.name, node.module, alias.name


@functools.cache
def homes(module):
    """Returns {name: dotted path} of what a module imports: `from a import b as c` gives {"c": "a.b"}."""
    return {name: f"{home}.{inner}" for name, home, inner in imported(module) if not name.startswith("_")}
