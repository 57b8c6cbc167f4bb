"""What is known of TensorFlow 1's names: its API (tf1_names.txt), and TensorFlow's own tables of renames.

The tables are in TensorFlow's wheel (tensorflow/tools/compatibility). Their text is read, and nothing is imported.
"""

import ast
import functools
from pathlib import Path

from tf1ref.compat.names import sources, table

NAMES = Path(__file__).with_name("tf1_names.txt")


@functools.cache
def _known():
    """Returns {path: whether it is a module} of the file tf1_names.txt."""
    found = {"": True}
    for line in NAMES.read_text().splitlines():
        if line.startswith("#"):
            continue
        module, _, names = line.partition(": ")
        start = "" if module == "." else f"{module}."
        parts = module.split(".") if start else []
        found.update((".".join(parts[:n]), True) for n in range(1, len(parts) + 1))
        for name in names.split():
            found[start + name.rstrip("/")] = found.get(start + name.rstrip("/"), False) or name.endswith("/")
    return found


def every_name():
    """Returns the paths of all known names of TensorFlow 1, without `tensorflow.`."""
    return sorted(_known().keys() - {""})


def is_known(path):
    """Returns whether any version of TensorFlow 1 had `tf.<path>`.

    >>> is_known("contrib.layers.fully_connected"), is_known("keras.nothing")
    (True, False)
    """
    return path in _known()


def is_module(path):
    """Returns whether `tf.<path>` was a module of TensorFlow 1."""
    return _known().get(path, False)


def members(path):
    """Returns the names in the module `tf.<path>` of TensorFlow 1."""
    start = f"{path}." if path else ""
    return {p[len(start) :] for p in _known() if p.startswith(start) and "." not in p[len(start) :]} - {""}


@functools.cache
def renames():
    """Returns {old path: new path} of TensorFlow's own tables, without `tf.`."""
    rows = {}
    for file, name in (("renames_v2.py", "renames"), ("all_renames_v2.py", "manual_symbol_renames")):
        path = sources.tensorflow_folder() / "tools" / "compatibility" / file
        for node in sources.tree(path).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
                rows.update(ast.literal_eval(node.value))
    return {old.removeprefix("tf."): new.removeprefix("tf.") for old, new in rows.items() if old.startswith("tf.")}


@functools.cache
def _leading():
    """Returns every path that has something below it."""
    keys = [*table.MODULES, *table.RENAMED, *table.FUNCTIONS, *table.PACKAGES]
    return frozenset(".".join(parts[:n]) for key in keys for parts in [key.split(".")] for n in range(1, len(parts)))


def leads_on(path):
    """Returns whether `tf.<path>` is a module of TensorFlow 1 with a name below it that is given back."""
    return path in _leading()
