"""The names of TensorFlow and Keras that a file uses: where, with which call, and behind which test. Runs nothing."""

import ast
import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from tf1ref.compat.texts import eager, reading

ROOTS = {"tensorflow": "", "keras": "keras"}
CAUGHT = {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception", "BaseException", "NameError"}
VERSIONS = ("__version__", "VERSION", "LooseVersion", "StrictVersion", "parse_version")


class Name(NamedTuple):
    """One use: the dotted `path` below tensorflow, its ast node, its ast.Call or None, and whether a test guards it."""

    path: str
    node: ast.AST
    call: ast.Call | None
    guarded: bool
    root: str = "tensorflow"

    @property
    def shown(self):
        """Returns the name as people write it."""
        if self.root == "keras":
            return self.path
        return f"tf.{self.path}" if self.path else "tensorflow"


class Program(NamedTuple):
    """What a file uses: its Names, {alias: (root, path)}, and the files beside it that it imports.

    eager: the first place that only eager execution allows, or "".
    """

    names: list
    aliases: dict
    neighbours: list
    eager: str = ""


class Reader:
    """Reads the programs of a folder, and the files beside them that they import. Each file is read once."""

    def __init__(self):
        self._programs, self._known, self._places = {}, {}, {}

    def program(self, file):
        """Returns the Program of a resolved Path.

        It is empty for a file that cannot be read, and while the file is being read.
        """
        if file not in self._programs:
            # This stands while files that import each other are read.
            self._programs[file] = Program([], {}, [])
            with contextlib.suppress(OSError, SyntaxError, ValueError, RecursionError):
                self._programs[file] = read(reading.parse(file.read_bytes(), str(file)).tree, file, self)
        return self._programs[file]

    def known(self, file, function):
        """Returns function(the Program of a resolved Path). A function is called once for each file."""
        if (file, function) not in self._known:
            self._known[file, function] = function(self.program(file))
        return self._known[file, function]

    def neighbour(self, file, module, level):
        """Returns the file beside a resolved `file` that `import module` (or from `level` folders up) reads, or None.

        The result is resolved. It is None without a file, too.
        """
        if file is None:
            return None
        asked = file.parent, module, level
        if asked not in self._places:
            # Unlike Path.is_file, this is False for a name that is too long for a file, too.
            self._places[asked] = [found.resolve() for found in _places(*asked) if os.path.isfile(found)]
        return next((found for found in self._places[asked] if found != file), None)


def read(tree, file=None, reader=None):
    """Returns the Program of an ast.Module.

    file: its Path; imports of files beside it are followed. reader: the Reader of those files.

    >>> [name.shown for name in read(ast.parse("import tensorflow as tf; tf.log(tf.zeros([]))")).names]
    ['tf.log', 'tf.zeros']
    """
    aliases, imports, neighbours = {}, [], []
    reader, file = reader or Reader(), file and Path(file).resolve()
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            imports += _plain_import(node, aliases)
            neighbours += [f for a in node.names if (f := reader.neighbour(file, a.name, 0))]
        elif isinstance(node, ast.ImportFrom):
            imports += _from_import(node, aliases)
            neighbours += _from_neighbour(node, aliases, file, reader)
    _assigned(nodes, aliases)
    tests = _guards(nodes, aliases)
    owned = _set_names(nodes, aliases)
    names = [Name(path, node, None, id(node) in tests, root) for node, root, path in imports]
    names += _chains(nodes, aliases, tests)
    kept = [n for n in dict.fromkeys(names) if not any(n.path == o or n.path.startswith(f"{o}.") for o in owned)]
    sign = eager.sign(nodes, lambda node: (path_of(node, aliases) or ("", None))[1])
    return Program(kept, aliases, list(dict.fromkeys(neighbours)), sign)


def _plain_import(node, aliases):
    for alias in node.names:
        root, _, rest = alias.name.partition(".")
        if root in ROOTS:
            path = ".".join(filter(None, (ROOTS[root], rest)))
            aliases[alias.asname or root] = (root, path if alias.asname else ROOTS[root])
            if path:
                yield node, root, path


def _from_import(node, aliases):
    root, _, rest = (node.module or "").partition(".")
    if node.level or root not in ROOTS:
        return
    module = ".".join(filter(None, (ROOTS[root], rest)))
    for alias in node.names:
        path = ".".join(filter(None, (module, alias.name))) if alias.name != "*" else module
        if alias.name != "*":
            aliases[alias.asname or alias.name] = (root, path)
        yield node, root, path


def _places(folder, module, level):
    """Yields the Paths where Python looks for a module that a file in `folder` imports, from `level` folders up."""
    for _ in range(level - 1):
        folder = folder.parent
    tried = [folder]
    while not level and (tried[-1] / "__init__.py").is_file() and tried[-1] != tried[-1].parent:
        # In a package, this is the folder in which it lies.
        tried.append(tried[-1].parent)
    for place in tried:
        place = place.joinpath(*module.split(".")) if module else place
        if place.name:  # more dots than folders lead to the root
            yield place.with_suffix(".py")
        yield place / "__init__.py"


def _from_neighbour(node, aliases, file, reader):
    """Takes over the aliases of TensorFlow from a neighbour. Yields the neighbour's file and its submodules' files."""
    found = reader.neighbour(file, node.module or "", node.level)
    for alias in node.names:
        inner = reader.neighbour(file, ".".join(filter(None, (node.module, alias.name))), node.level)
        if inner:
            yield inner
    if found is None:
        return
    yield found
    passed = reader.program(found).aliases
    for alias in node.names:
        if alias.name == "*":
            aliases.update({k: v for k, v in passed.items() if not k.startswith("_") and k not in aliases})
        elif alias.name in passed:
            aliases[alias.asname or alias.name] = passed[alias.name]


def _assigned(nodes, aliases):
    """Makes `rnn` an alias after `rnn = tf.nn.rnn_cell`, when `rnn` gets no other value."""
    bound = {}
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound[node.id] = bound.get(node.id, 0) + 1
    for node in nodes:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name, found = node.targets[0].id, path_of(node.value, aliases)
            if found and bound[name] == 1:
                aliases[name] = found


def _chains(nodes, aliases, tests):
    """Yields a Name for each whole chain of attributes."""
    inner = {id(n.value) for n in nodes if isinstance(n, ast.Attribute)}
    calls = {id(n.func): n for n in nodes if isinstance(n, ast.Call)}
    for node in nodes:
        is_name = isinstance(node, ast.Name) and id(node) in calls and id(node) not in inner
        if is_name or isinstance(node, ast.Attribute) and id(node) not in inner and isinstance(node.ctx, ast.Load):
            found = path_of(node, aliases)
            if found and not (is_name and found[1] in ("", "keras")):
                yield Name(found[1], node, calls.get(id(node)), id(node) in tests, found[0])


def path_of(node, aliases):
    """Returns (root, dotted path below tensorflow) of a chain of attributes, or None."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in aliases:
        return None
    root, path = aliases[node.id]
    return root, ".".join([p for p in (path, *reversed(parts)) if p])


def _set_names(nodes, aliases):
    """Returns the paths that the program sets itself: `tf.model = ...`, setattr(tf, "model", ...)."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(path_of(node, aliases))
        elif (named := _asked(node, "setattr", aliases)) is not None:
            found.add(("", named))
    return {each[1] for each in found - {None}}


def _asked(node, function, aliases):
    """Returns the path in hasattr(tf.a, "b") or a similar test, or None."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function):
        return None
    if len(node.args) < 2 or not (isinstance(node.args[1], ast.Constant) and isinstance(node.args[1].value, str)):
        return None
    owner = path_of(node.args[0], aliases)
    return owner and ".".join(filter(None, (owner[1], node.args[1].value)))


def _guards(nodes, aliases):
    """Returns the ids of the nodes that a test guards: `try`, a version test, or hasattr."""
    guarded, asked = set(), set()
    for node in nodes:
        if isinstance(node, ast.Try) and any(map(_catches, node.handlers)):
            guarded |= {id(n) for part in (*node.body, *node.handlers, *node.orelse) for n in ast.walk(part)}
        elif isinstance(node, (ast.If, ast.IfExp)) and _asks_version(node.test):
            guarded |= {id(n) for n in ast.walk(node)}
        for function in ("hasattr", "getattr"):
            if (path := _asked(node, function, aliases)) is not None:
                asked.add(path)
    for node in nodes:
        found = path_of(node, aliases) if asked and isinstance(node, ast.Attribute) else None
        if found and any(found[1] == a or found[1].startswith(f"{a}.") for a in asked):
            guarded.add(id(node))
    return guarded


def _catches(handler):
    if handler.type is None:
        return True
    return bool(_names_in(handler.type) & CAUGHT)


def _asks_version(test):
    return bool(_names_in(test) & {*VERSIONS, "hasattr"})


def _names_in(expression):
    return {getattr(n, "id", None) or getattr(n, "attr", None) for n in ast.walk(expression)}
