"""`tf1ref check`: which names of TensorFlow a Python file or notebook uses, and which of them still work. Runs
nothing.
"""

import ast
import os
from pathlib import Path
from typing import NamedTuple

from tf1ref.compat import calls, keras3
from tf1ref.compat.names import advice, facts, resolver, table
from tf1ref.compat.texts import notebooks, python2, reading, uses, worlds
from tf1ref.errors import InputError

SUFFIXES = (".py", ".ipynb")
# Folders without programs of the user.
SKIPPED = {".git", ".venv", "venv", "__pycache__", "node_modules", ".ipynb_checkpoints", "site-packages"}


class Use(NamedTuple):
    """One use of a name: whether it works under plain `python` and under `exec`. `instead` says what to write.

    guarded: the use stands behind hasattr, `try` or a version test, so the name may be missing.
    """

    file: str
    line: int
    name: str
    python: bool
    exec: bool
    instead: str = ""
    guarded: bool = False

    @property
    def verdict(self):
        """Returns "runs" for plain Python, "exec" where `tf1ref exec` is needed, or "missing"."""
        return "runs" if self.python else "exec" if self.exec else "missing"

    @property
    def alarms(self):
        """Returns whether the program stops at this use, under plain Python and under exec."""
        return self.verdict == "missing" and not self.guarded


class Problem(NamedTuple):
    """A file that could not be parsed: the line and the reason."""

    file: str
    line: int
    text: str


class Found(NamedTuple):
    """What `check` found: the number of files, every Use and Problem, {file: worlds.World}, and files in Python 2."""

    files: int
    uses: list
    problems: list
    worlds: dict
    python2: list


def check(paths):
    """Returns the Found of files and folders.

    Raises InputError for a path that does not exist, a file that is neither .py nor .ipynb, and a folder without
    either.
    """
    found = Found(0, [], [], {}, [])
    files, reader = files_of(paths), uses.Reader()
    for file in files:
        _check_file(file, found, reader)
    return found._replace(files=len(files))


def files_of(paths):
    """Returns the programs and notebooks in files and folders. Raises InputError as `check` does."""
    return list(dict.fromkeys(file for path in paths for file in _files(Path(path))))


def _files(path):
    if os.path.isfile(path):
        if path.suffix not in SUFFIXES:
            raise InputError(f"check {path}: neither .py nor .ipynb")
        return [path]
    if not os.path.isdir(path):
        raise InputError(f"check {path}: no such file or folder")
    inside = (p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
    found = sorted(p for p in inside if not SKIPPED & set(p.relative_to(path).parts))
    if not found:
        raise InputError(f"check {path}: no .py and no .ipynb in it")
    return found


def _check_file(file, found, reader):
    try:
        data = file.read_bytes()
    except OSError as e:
        raise InputError(f"check {file}: cannot be read: {e.strerror or e}") from e
    where = _Lines(file)
    if file.suffix == ".ipynb":
        data, where.cells = notebooks.as_one_program(data, file)
    try:
        text = reading.parse(data, str(file))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        place, line = where(python2.line_of(e))
        found.problems.append(Problem(place, line, python2.reason(e, data)))
        return
    if text.python2:
        found.python2.append(str(file))
    program = uses.read(text.tree, file, reader)
    world = worlds.of_program(program, file, reader)
    if program.names:
        found.worlds[str(file)] = world
    listed = {_use(name, world.number, where) for name in program.names}
    if any(n.path.startswith("keras") for n in program.names):
        listed |= set(_methods(text.tree, where))
    found.uses.extend(sorted(listed))


class _Lines:
    """Turns a line of the parsed text into (file or cell, line in it)."""

    def __init__(self, file):
        self.file, self.cells = str(file), None

    def __call__(self, line):
        if self.cells is None:
            return self.file, line
        number, inside = self.cells[line]
        return f"{self.file}[cell {number}]", inside


def _use(name, world, where):
    path, standalone = name.path, name.root == "keras"
    python, under_exec = resolver.in_python(path, 2 if standalone else world), resolver.resolve(path, world) is not None
    instead = _changed(path, name.call, world) if python and name.call is not None else None
    python = python and not instead
    file, line = where(name.node.lineno)
    instead = "" if python and under_exec else instead or _instead(path, world, under_exec, name.call)
    return Use(file, line, name.shown, python, under_exec, instead, name.guarded)


def _changed(path, call, world):
    """Returns what to write for a call that has another meaning in TensorFlow 2, or None."""
    if resolver.within(path, "keras"):
        return keras3.changed(path, call)
    return calls.changed(path, call) if world == 1 else None


def is_changed(name):
    """Returns whether plain TensorFlow 2 lacks the uses.Name of a TensorFlow 1 program, or fails at this call of it."""
    return not resolver.in_python(name.path, 1) or bool(name.call and calls.changed(name.path, name.call))


def _methods(tree, where):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (said := keras3.method(node)):
            file, line = where(node.lineno)
            yield Use(file, line, said[0], False, resolver.has_keras(), said[1])


def _instead(path, world, under_exec, call):
    if not under_exec:
        return advice.missing(path, world) or "no counterpart is known"
    if replacement := replacing(path, world, call):
        return replacement
    new = advice.new_code(path)
    if new:
        return f"tf1ref.modules.{new}"
    return "`tf1ref exec` gives it back"


def replacing(path, world=1, call=None):
    """Returns the TensorFlow 2 name that takes the same arguments as `tf.<path>`, or None.

    >>> replacing("log"), replacing("Session")
    ('tf.math.log', 'tf.compat.v1.Session')
    """
    if world == 2 or path.startswith("compat.") or resolver.within(path, "keras") or path in table.FUNCTIONS:
        return None
    origin = resolver.resolve(path, 1)
    if path in table.RENAMED:
        new = table.RENAMED[path]
        return f"tf.compat.v1.{new}" if resolver.plain(new, 1) and new not in table.FUNCTIONS else None
    new = facts.renames().get(path)
    is_there = origin and not origin.module.startswith("tf1ref.") and new and resolver.in_python(new, 1)
    if is_there and (call is None or not calls.moves_arguments(path, new, call)):
        return f"tf.{new}"
    return f"tf.compat.v1.{path}" if resolver.plain(path, 1) else None
