"""A program's file as a syntax tree. Python 2 is translated in memory, and lines keep their numbers."""

import ast
import contextlib
from typing import NamedTuple

from tf1ref.compat.texts import python2


class Text(NamedTuple):
    """A file that was read: its tree, and whether `/` divides its integers as in Python 2."""

    tree: ast.Module
    python2: bool
    divides: bool


def parse(data, path="", in_package=False):
    """Returns the Text of the bytes of a program.

    in_package: imports of a neighbour by its bare name are relative, as in Python 2.
    Raises SyntaxError, with the line of the file, for a text that is neither Python 3 nor Python 2.
    Raises ValueError for null bytes.
    """
    try:
        tree = ast.parse(data, path)
    except (SyntaxError, RecursionError) as e:
        if isinstance(e, RecursionError) or not python2.can_translate():
            raise
        translated = python2.translated(data, path, in_package)
        if translated is None:
            raise
        return Text(_tree(translated, path, e), True, not divides_truly(data))
    if python2.is_evident(tree) and python2.can_translate():
        # The prints of this file are calls. If they were statements, it would not all be valid Python 3.
        translated = python2.translated(data, path, in_package, prints=False)
        if translated is not None:
            return Text(_tree(translated, path, None) or tree, True, not divides_truly(data))
    return Text(tree, False, False)


def code(data, path, in_package=False):
    """Returns the code object of a program's file, with its calls rewritten (bridges/syntax.py).

    Raises as `parse` does.
    """
    from tf1ref.compat.bridges import syntax

    try:
        text = parse(data, path, in_package)
        return compile(syntax.taught(text.tree, text.divides), path, "exec", dont_inherit=True)
    except RecursionError:
        # Python compiles a sum of thousands of terms, and cannot do so from a tree. The file runs as it is.
        with contextlib.suppress(SyntaxError):
            return compile(data, path, "exec", dont_inherit=True)
        raise


def _tree(translated, path, error):
    try:
        return ast.parse(translated, path)
    except SyntaxError:
        if error is None:
            return None
        raise error from None


def divides_truly(data):
    """Returns whether the bytes of a program ask for division as in Python 3."""
    return any(b"__future__" in line and b"division" in line for line in data.splitlines())
