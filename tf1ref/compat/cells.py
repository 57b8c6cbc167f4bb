"""Runs the cells of a notebook in order, in one scope, and keeps the outputs of each."""

import ast
import base64
import builtins
import io
import json
import linecache
import subprocess
import sys
import traceback

from tf1ref import console, files
from tf1ref.compat.bridges import syntax
from tf1ref.compat.texts import notebooks, reading
from tf1ref.errors import one_line

# Line magics that are skipped silently: what they ask for is there already, or matters to Jupyter only.
SILENT = ("matplotlib", "autoreload", "load_ext", "reload_ext", "config", "pylab", "tensorflow_version", "precision")


class Runner:
    """Runs a notebook. Commands of the shell run only with `trust`. `out` is the notebook that gets the outputs."""

    def __init__(self, data, path, trust=False, out=None):
        self.notebook, self.cells = notebooks.read(data, path)
        self.path, self.trust = path, trust
        self.out = files.target(out, force=False) if out else None
        self._cell = None
        self._python2, self._divides_truly = self._is_python2(), False

    def run(self, scope):
        """Runs every cell. The first one that raises an error ends the run and is named.

        `out` is written in any case.
        """
        builtins._tf1ref_command = self._command
        scope["display"] = lambda *things: [self._display(thing) for thing in things]
        scope["get_ipython"] = lambda: _Shell(self)
        try:
            for count, cell in enumerate(self.cells, 1):
                self._run_cell(cell, count, scope)
        finally:
            if self.out:
                files.write(self.out, (json.dumps(self.notebook, indent=1) + "\n").encode())

    def _run_cell(self, cell, count, scope):
        self._cell, name = self._json(cell), f"{self.path}[cell {cell.number}]"
        self._cell.update(outputs=[], execution_count=count)
        linecache.cache[name] = (len(cell.source), None, cell.source.splitlines(True), name)
        if cell.skipped:
            self._say(f"cell {cell.number} is skipped: it is in %%{cell.skipped}")
            return
        plain = sys.stdout
        if self.out:
            sys.stdout = _Copy(plain, self._cell["outputs"])
        try:
            self._evaluate(cell, name, scope)
        except BaseException as e:
            self._failed(e, cell)
            raise
        finally:
            sys.stdout = plain
            self._figures()

    def _evaluate(self, cell, name, scope):
        text = reading.parse(cell.text.encode(), name)
        # IPython compiles statement by statement: such an import may come late, and holds for the later cells, too.
        future = [n for n in text.tree.body if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
        self._divides_truly |= reading.divides_truly(cell.text.encode())
        text.tree.body = [node for node in text.tree.body if node not in future]
        tree = syntax.taught(text.tree, (self._python2 or text.python2) and not self._divides_truly)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec", dont_inherit=True), scope)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), name, "eval", dont_inherit=True), scope)
            if value is not None and not cell.text.rstrip().endswith(";"):
                scope["_"] = value
                self._display(value, count=self._cell["execution_count"])

    def _is_python2(self):
        """Returns whether the notebook says so, or a cell of it where it says nothing."""
        version = (self.notebook.get("metadata", {}).get("language_info") or {}).get("version")
        return str(version).startswith("2") if version else any(map(_shows_python2, self.cells))

    def _json(self, cell):
        cells = self.notebook.get("cells") or [c for w in self.notebook["worksheets"] for c in w["cells"]]
        return cells[cell.number - 1]

    def _display(self, value, count=None):
        text = repr(value)
        print(text)
        if self.out:
            outputs = self._cell["outputs"]
            # The printed text is the value here, not a stream.
            if outputs and outputs[-1]["output_type"] == "stream":
                outputs[-1]["text"] = outputs[-1]["text"][: -len(text) - 1]
                outputs[:] = [o for o in outputs if o["output_type"] != "stream" or o["text"]]
            kind = {"output_type": "display_data"}
            if count is not None:
                kind = {"output_type": "execute_result", "execution_count": count}
            outputs.append({**kind, "data": {"text/plain": text}, "metadata": {}})

    def _figures(self):
        """Puts the figures that a cell left open into its outputs, as Jupyter does."""
        if not self.out or "matplotlib.pyplot" not in sys.modules:
            return
        pyplot = sys.modules["matplotlib.pyplot"]
        for number in pyplot.get_fignums():
            picture = io.BytesIO()
            pyplot.figure(number).savefig(picture, format="png")
            data = {"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": f"<Figure {number}>"}
            self._cell["outputs"].append({"output_type": "display_data", "data": data, "metadata": {}})
            pyplot.close(number)

    def _failed(self, error, cell):
        if isinstance(error, SystemExit):
            return
        self._say(f"cell {cell.number} failed: {type(error).__name__}: {one_line(error)}")
        lines = traceback.format_exception_only(type(error), error)
        said = {"ename": type(error).__name__, "evalue": str(error), "traceback": lines}
        self._cell["outputs"].append({"output_type": "error", **said})

    def _command(self, number, line):
        """Runs a line of IPython's language. Magics of matplotlib and Jupyter are accepted; the shell needs --trust."""
        cell = next(c for c in self.cells if c.number == number)
        kind, text, kept = next(command[1:] for command in cell.commands if command[0] == line)
        if kind == "?" or kind == "%" and text.split(" ")[0] in SILENT:
            return None
        if kind == "!" and self.trust:
            joined = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
            done = subprocess.run(text, shell=True, text=True, errors="replace", **joined)
            if kept:
                return done.stdout.splitlines()
            print(done.stdout, end="")
            return None
        hint = "; --trust runs it" if kind == "!" else ""
        self._say(f"cell {number}, line {line} is skipped: {kind}{text}{hint}")
        return []

    def _say(self, text):
        console.error(f"exec {self.path}: {text}")


class _Shell:
    """What get_ipython() returns. Its methods run magics and commands as the lines do."""

    def __init__(self, runner):
        self._runner = runner

    def __getattr__(self, name):
        return lambda *words, **more: None


class _Copy(io.TextIOBase):
    """Standard output, of which a copy is kept in a cell's outputs."""

    def __init__(self, stream, outputs):
        self._stream, self._outputs = stream, outputs

    def write(self, text):
        """Writes to standard output and to the copy."""
        if not self._outputs or self._outputs[-1].get("name") != "stdout":
            self._outputs.append({"output_type": "stream", "name": "stdout", "text": ""})
        self._outputs[-1]["text"] += text
        return self._stream.write(text)

    def flush(self):
        """Flushes standard output."""
        self._stream.flush()


def _shows_python2(cell):
    try:
        return reading.parse(cell.text.encode()).python2
    except (SyntaxError, ValueError):
        return False  # it is said when the cell is run
