"""Notebooks as programs: their code cells, the lines in IPython's own language, and outputs that are written back."""

import json
import re

from tf1ref.errors import InputError

# A line of IPython's language: %magic, !command, ?name, name?, and assignments from the first two.
MAGIC = re.compile(r"^(\s*)(?:(?P<name>[\w, .\[\]]+?)\s*=\s*)?(?P<kind>[%!?])(?P<rest>.*)$")
HELP = re.compile(r"^\s*[\w.]+\?{1,2}\s*$")
# Cell magics whose body is Python that runs, and those whose body is another language.
PYTHON_CELLS = ("time", "timeit", "capture", "prun", "matplotlib", "tensorflow_version")


class Cell:
    """A code cell: its `number` counted over all cells from 1, and its `text` as Python.

    commands: [(line, kind, text, whether its answer is kept)] of the lines in IPython's language.

    skipped: the language of a cell magic whose body is not Python, else "".
    """

    def __init__(self, number, source):
        self.number, self.source = number, source
        self.commands, self.skipped = [], ""
        self.text = self._python(source)

    def _python(self, source):
        lines = source.split("\n")
        head = next((i for i, line in enumerate(lines) if line.strip()), 0)
        if lines[head].startswith("%%"):
            name = lines[head][2:].split()[0] if lines[head][2:].split() else ""
            if name not in PYTHON_CELLS:
                self.skipped = name or "?"
                return "\n" * (len(lines) - 1)
            lines[head] = ""
        text = "\n".join(lines)
        # Inside a text or brackets, % and ! at the start of a line are Python.
        return text if _compiles(text) else "\n".join(self._line(i, line) for i, line in enumerate(lines, 1))

    def _line(self, number, line):
        found = MAGIC.match(line)
        if HELP.match(line):
            return f"{line[: len(line) - len(line.lstrip())]}pass"
        if not found:
            return line
        self.commands.append((number, found["kind"], found["rest"].strip(), bool(found["name"])))
        call = f"_tf1ref_command({self.number}, {number})"
        return f"{found[1]}{found['name'].strip()} = {call}" if found["name"] else f"{found[1]}{call}"


def _compiles(text):
    try:
        compile(text, "cell", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def read(data, path):
    """Returns (the notebook's JSON, its code Cells).

    Raises InputError for a file that is not a notebook, and for a notebook of another language.
    """
    try:
        notebook = json.loads(data)
        cells = notebook["cells"] if "cells" in notebook else [c for w in notebook["worksheets"] for c in w["cells"]]
        found = [
            Cell(number, "".join(cell["source"] if "source" in cell else cell["input"]))
            for number, cell in enumerate(cells, 1)
            if cell["cell_type"] == "code"
        ]
        described = notebook.get("metadata", {})
        kernel, about = described.get("kernelspec") or {}, described.get("language_info") or {}
        language = kernel.get("language") or about.get("name")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise InputError(f"{path}: no notebook: {type(e).__name__}: {e}") from e
    if language and not str(language).lower().startswith("python"):
        raise InputError(f"{path}: its cells are in {language}: only Python's can be read")
    return notebook, found


def as_one_program(data, path):
    """Returns (the text of all cells in order, {line: (cell's number, line in it)}). Raises InputError as `read`
    does.
    """
    lines, places = [], {}
    for cell in read(data, path)[1]:
        for number, line in enumerate(cell.text.split("\n"), 1):
            lines.append(line)
            places[len(lines)] = (cell.number, number)
    places.setdefault(1, (1, 1))
    last = places[max(places)]
    return "\n".join(lines).encode(), _Places(places, last)


class _Places(dict):
    """A list of places in which a line past the end has the place of the last line."""

    def __init__(self, places, last):
        super().__init__(places)
        self.last = last

    def __missing__(self, line):
        return self.last
