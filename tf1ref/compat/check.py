"""`tf1ref check`: what of TensorFlow a Python file or notebook uses, and which of it still runs. Only parses."""

import ast
import json
import re
from pathlib import Path
from typing import NamedTuple

from tf1ref.compat import calls, surface, table
from tf1ref.errors import InputError

SUFFIXES = (".py", ".ipynb")
# Folders that hold no program of the user's.
SKIPPED = {".git", ".venv", "venv", "__pycache__", "node_modules", ".ipynb_checkpoints", "site-packages"}


class Use(NamedTuple):
    """One use of a TensorFlow name: `verdict` is surface.RUNS, EXEC or MISSING; `instead` says what to write."""

    file: str
    line: int
    name: str
    verdict: str
    instead: str


class Problem(NamedTuple):
    """A file that could not be parsed: where and why."""

    file: str
    line: int
    text: str


class Found(NamedTuple):
    """What `check` found: how many files, every Use, every Problem."""

    files: int
    uses: list
    problems: list


def check(paths):
    """Returns what is Found in files and folders.

    Raises InputError for a path that does not exist, is neither .py nor .ipynb, or a folder without any.
    """
    uses, problems, files = [], [], []
    for path in paths:
        files += _files(Path(path))
    for file in dict.fromkeys(files):
        for text, cell, first in _sources(file):
            where = f"{file}{cell}"
            tree = _tree(text, where, first, problems)
            if tree is not None:
                uses += [use._replace(line=use.line + first - 1) for use in _uses(tree, where)]
    return Found(len(set(files)), uses, problems)


def _files(path):
    if path.is_file():
        if path.suffix not in SUFFIXES:
            raise InputError(f"check {path}: neither .py nor .ipynb")
        return [path]
    if not path.is_dir():
        raise InputError(f"check {path}: no such file or folder")
    found = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file() and not SKIPPED & set(p.parts))
    if not found:
        raise InputError(f"check {path}: no .py and no .ipynb in it")
    return found


def _sources(file):
    """Yields (text, cell, first line) of a program, or of each code cell of a notebook."""
    try:
        data = file.read_bytes()
        if file.suffix == ".py":
            yield data, "", 1
            return
        cells = json.loads(data)["cells"]
        for number, cell in enumerate(cells, 1):
            if cell["cell_type"] == "code":
                text = "".join(cell["source"])
                # IPython's own commands stand on lines of their own.
                yield re.sub(r"^(\s*)[%!?].*$", r"\1pass", text, flags=re.M).encode(), f"[cell {number}]", 1
    except OSError as e:
        raise InputError(f"check {file}: cannot be read: {e.strerror or e}") from e
    except (ValueError, KeyError, TypeError) as e:
        raise InputError(f"check {file}: no notebook: {e}") from e


def _tree(text, where, first, problems):
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        from tf1ref.compat.python2 import line_of, reason

        problems.append(Problem(where, line_of(e) + first - 1, reason(e, text)))
        return None


def _uses(tree, where):
    aliases, found = {}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += _imports(node, aliases)
        elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == "tensorflow":
            for alias in node.names:
                path = ".".join([*node.module.split(".")[1:], alias.name]) if alias.name != "*" else node.module[11:]
                aliases[alias.asname or alias.name] = path
                found.append((node.lineno, path))
    _assigned(tree, aliases)
    return sorted({_use(where, line, path) for line, path in found} | set(_named(tree, where, aliases)))


def _named(tree, where, aliases):
    """Yields a Use for each whole chain of attributes; a call is looked at with its arguments."""
    inner = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    calls = {id(n.func): n for n in ast.walk(tree) if isinstance(n, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            path = _path(node, aliases)
            if path:
                yield _use(where, node.lineno, path, calls.get(id(node)))


def _imports(node, aliases):
    for alias in node.names:
        root, _, path = alias.name.partition(".")
        if root == "tensorflow":
            aliases[alias.asname or "tensorflow"] = path if alias.asname else ""
            if path:
                yield node.lineno, path


def _assigned(tree, aliases):
    """`rnn = tf.nn.rnn_cell` makes `rnn` a name of TensorFlow's, where it is the only value the name gets."""
    bound = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound[node.id] = bound.get(node.id, 0) + 1
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name, path = node.targets[0].id, _path(node.value, aliases)
            if path and bound[name] == 1:
                aliases[name] = path


def _path(node, aliases):
    """Returns the dotted path below `tensorflow` of a chain of attributes, or None."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in aliases:
        return None
    return ".".join([p for p in (aliases[node.id], *reversed(parts)) if p])


def _use(where, line, path, call=None):
    found, instead = surface.verdict(path), None
    if found == surface.RUNS and call is not None:
        instead = calls.changed(path, call)
        found = surface.EXEC if instead else found
    return Use(where, line, f"tf.{path}" if path else "tensorflow", found, instead or _instead(path, found))


def _instead(path, found):
    if found == surface.MISSING:
        return table.advice(path) or "no counterpart is known"
    if found == surface.RUNS:
        return ""
    if path in table.RENAMED:
        return f"tf.compat.v1.{table.RENAMED[path]}"
    new = table.new_code(path)
    if new:
        return f"tf1ref.modules.{new}"
    given = next((p for p in (*table.MODULES, *table.FUNCTIONS) if path == p or path.startswith(p + ".")), None)
    return "`tf1ref exec` gives it back" if given else f"tf.compat.v1.{path.removeprefix('compat.v1.')}"
