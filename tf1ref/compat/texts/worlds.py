"""Tells for which world a program was written: TensorFlow 1, or TensorFlow 2 with Keras 2. Runs nothing."""

from pathlib import Path
from typing import NamedTuple

from tf1ref.compat import calls
from tf1ref.compat.names import facts, resolver
from tf1ref.compat.texts import uses

# TensorFlow 1 has these, too, but a program without a session, or without Keras, does not need them.
LEANING = ("GradientTape", "function", "keras", "executing_eagerly", "Module")
# Functions of Keras that only a graph has.
GRAPH_KERAS = ("gradients", "function", "get_session", "set_session", "placeholder", "learning_phase")
MOST_FILES = 300


class World(NamedTuple):
    """The world, 1 or 2, and the name that decided ("" where none did)."""

    number: int
    because: str = ""


class Signs(NamedTuple):
    """What a program's names say: how many only each world has, the first of them, and the first that only leans."""

    first: int
    second: int
    first_name: str
    second_name: str
    leaning: str
    eager: str


def of(programs):
    """Returns the World of what uses.Programs use together. Names that only one of the two worlds has decide."""
    return _decided([signs(program) for program in programs])


def signs(program):
    """Returns the Signs of a uses.Program."""
    first, second, leaning = [], [], []
    for name in (n for n in program.names if not n.guarded):
        if _only_first(name):
            first.append(name.shown)
        elif _only_second(name.path):
            second.append(name.shown)
        elif name.path.partition(".")[0] in LEANING:
            leaning.append(name.shown)
    names = (found[0] if found else "" for found in (first, second, leaning))
    return Signs(len(first), len(second), *names, program.eager)


def _decided(found):
    """Returns the World that the Signs of several programs, the asked one first, decide together."""
    first, second = sum(s.first for s in found), sum(s.second for s in found)
    if first and first >= second:
        return World(1, next(s.first_name for s in found if s.first))
    because = [s.second_name for s in found] + [s.leaning for s in found] + [s.eager for s in found]
    decided = next(filter(None, because), "")
    return World(2, decided) if decided else World(1)


def of_file(tree, file):
    """Returns the World of an ast.Module that lies at `file`, with the files beside it that it imports, and theirs.

    >>> from tf1ref.compat.texts import reading
    >>> of_file(reading.parse(b"import tensorflow as tf; tf.Session()").tree, "old.py").number
    1
    """
    reader = uses.Reader()
    return of_program(uses.read(tree, file, reader), file, reader)


def of_program(program, file, reader):
    """Returns the World of a uses.Program that lies at `file`, with what it imports.

    reader: the uses.Reader of the files beside it.
    """
    found, seen, todo = [signs(program)], {Path(file).resolve()}, list(program.neighbours)
    while todo and len(seen) < MOST_FILES:
        each = todo.pop()
        if each not in seen:
            seen.add(each)
            # Hundreds of files that import each other are all asked for each of them.
            found.append(reader.known(each, signs))
            todo += reader.program(each).neighbours
    return _decided(found)


def _only_first(name):
    path = name.path
    if path.startswith(("compat.", "python.")) or path == "":
        return False
    if resolver.within(path, "keras"):
        return resolver.within(path, "keras.backend") and path.rpartition(".")[2] in GRAPH_KERAS
    if resolver.in_python(path, 1):
        return name.call is not None and bool(calls.strange(path, name.call))
    if path.partition(".")[0] in resolver.KERAS_MODULES and resolver.resolve(path, 2):
        return False
    return resolver.resolve(path, 1) is not None or facts.is_known(path)


def _only_second(path):
    if path.startswith(("compat.", "python.")) or path == "":
        return False
    return not facts.is_known(path) and resolver.resolve(path, 1) is None and resolver.resolve(path, 2) is not None
