"""`tf1ref check --fix`: writes the mechanical replacements that check proposes into copies of the files' text."""

import difflib
import os
from pathlib import Path
from typing import NamedTuple

from tf1ref import files
from tf1ref.compat import check
from tf1ref.compat.texts import reading, uses, worlds
from tf1ref.errors import InputError

SWITCH = "compat.v1.disable_v2_behavior()"


class Fixed(NamedTuple):
    """A file, its text and its new text, both as bytes, and the number of replacements."""

    file: Path
    old: bytes
    new: bytes
    count: int

    def diff(self):
        """Returns the unified diff."""
        texts = (data.decode("utf-8", "replace").splitlines(keepends=True) for data in (self.old, self.new))
        return "".join(difflib.unified_diff(*texts, str(self.file), str(self.file)))


def fixed(paths):
    """Returns the Fixed of each .py file that has replacements. Nothing is written.

    A name is replaced by the one that has the same arguments in TensorFlow 2. Where TensorFlow 1's graphs are needed,
    a line after the import switches its behaviour on. Files in Python 2 and notebooks are not changed.
    Raises InputError as check.check does.
    """
    reader = uses.Reader()
    found = (_fixed(file, reader) for file in check.files_of(paths) if file.suffix == ".py")
    return [each for each in found if each is not None]


def write(changes):
    """Writes the new texts. Raises InputError for a file that cannot be replaced, before anything is written."""
    for change in changes:
        if not (os.access(change.file, os.W_OK) and os.access(change.file.parent, os.W_OK)):
            raise InputError(f"check --fix {change.file}: cannot be written to: nothing was changed")
    for change in changes:
        files.write(change.file, change.new)


def _fixed(file, reader):
    data = file.read_bytes()
    try:
        text = reading.parse(data, str(file))
    except (SyntaxError, ValueError, RecursionError):
        return None
    if text.python2:
        return None
    program = uses.read(text.tree, file, reader)
    if worlds.of_program(program, file, reader).number != 1:
        return None
    edits = [edit for name in program.names if (edit := _edit(name, program.aliases))]
    if not edits:
        return None
    lines = data.splitlines(keepends=True)
    for line, start, end, new in sorted(edits, reverse=True):
        whole = lines[line - 1]
        lines[line - 1] = whole[:start] + new.encode() + whole[end:]
    count = len(edits)
    _switch(text.tree, program, lines)
    return Fixed(file, data, b"".join(lines), count)


def _edit(name, aliases):
    """Returns (line, first byte, last byte, new text) of a use whose replacement takes the same arguments, or None."""
    node, root = name.node, name.node
    while hasattr(root, "value"):
        root = root.value
    # Only a name that begins with `tf` itself and stands on one line is replaced here. A name from an import or an
    # assignment is replaced at that import or assignment.
    if aliases.get(getattr(root, "id", None)) != ("tensorflow", "") or node.lineno != node.end_lineno or name.guarded:
        return None
    new = check.replacing(name.path, 1, name.call) if check.is_changed(name) else None
    return new and (node.lineno, node.col_offset, node.end_col_offset, root.id + new.removeprefix("tf"))


def _switch(tree, program, lines):
    """Adds the line that switches TensorFlow 1's behaviour on, after `import tensorflow as tf`."""
    for node in tree.body:
        alias = next((a.asname or a.name for a in getattr(node, "names", ()) if a.name == "tensorflow"), None)
        if alias and program.aliases.get(alias) == ("tensorflow", ""):
            end = b"\r\n" if lines[node.end_lineno - 1].endswith(b"\r\n") else b"\n"
            if not lines[node.end_lineno - 1].endswith(b"\n"):
                lines[node.end_lineno - 1] += end
            lines.insert(node.end_lineno, f"{alias}.{SWITCH}".encode() + end)
            return
