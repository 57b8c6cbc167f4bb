"""Copies of examples that run without tf1ref: one file with the source of every module that the example imports."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tf1ref import __version__
from tf1ref.catalog.finding import Example, program

PACKAGE = Path(__file__).parents[1]
HEAD = '''"""{title}

A copy of the example {name} of tf1ref {version}, which need not be installed. It needs {packages}.
SOURCES holds the parts of tf1ref that it uses. The example itself comes after them.
"""

import importlib.abc
import importlib.util
import io
import sys
import zipfile

SOURCES = {{
{sources}}}
DATA = {{{data}}}


class Inside(importlib.abc.MetaPathFinder, importlib.abc.ExecutionLoader):
    """Finds the modules of tf1ref in SOURCES, and nowhere else."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] != "tf1ref":
            return None
        if name not in SOURCES:
            raise ModuleNotFoundError(f"No module named {{name!r}} in this copy", name=name)
        return importlib.util.spec_from_loader(name, self)

    def get_source(self, name):
        return SOURCES[name]

    def get_filename(self, name):
        return f"{{__file__}}:{{name}}"

    def is_package(self, name):
        return any(other.startswith(name + ".") for other in SOURCES)

    def get_resource_reader(self, name):
        return self

    def files(self):
        """For importlib.resources: DATA as a folder."""
        archive = zipfile.ZipFile(io.BytesIO(), "w")
        for name, text in DATA.items():
            archive.writestr(name, text)
        return zipfile.Path(archive)


sys.meta_path.insert(0, Inside())

# ---- the example ----

'''
TAIL = """

if __name__ == "__main__":
    import numpy

    numpy.set_printoptions(threshold=6, edgeitems=3, linewidth=160)
    reached = run_function() if "--function" in sys.argv else run_graph()
    expected = globals().get("EXPECTED", {})
    for key in expected or [key for key in reached if key.startswith("final/")]:
        print(f"{key}: {reached[key]}" + (f", promised {expected[key]}" if expected else ""))
"""


def standalone(example: Example) -> str:
    """Returns the text of one Python file that does what `example` (a catalog.Example) does, without tf1ref.

    Run as a program it runs the graph half, or with --function the other one, and prints the figures that it reached
    beside those that the source promises.
    """
    text = program(example.path)
    modules = _closure(text)
    sources = {name: program(modules[name]) for name in sorted(modules)}
    packages = sorted({p for t in [text, *sources.values()] for p in _roots(t)} - {"tf1ref", *sys.stdlib_module_names})
    folders = {path.parent for path in modules.values()}
    data = {path.name: path.read_text() for folder in folders for path in folder.glob("*.csv")}
    head = HEAD.format(
        title=example.title,
        name=example.name,
        version=__version__,
        packages=", ".join(packages),
        sources="".join(f"    {name!r}: {_literal(source)},\n" for name, source in sources.items()),
        data=", ".join(f"{name!r}: {_literal(content)}" for name, content in data.items()),
    )
    return head + text + TAIL


def _literal(text: str) -> str:
    plain = "'''" not in text and not text.endswith(("'", "\\"))
    return f"r'''{text}'''" if plain else repr(text)


def _path(module: str) -> Path | None:
    """The file of a module of tf1ref, or None."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def _closure(text: str) -> dict[str, Path]:
    """Returns {module of tf1ref: its file} of what a source imports, with those that they import and their packages."""
    left, found = _imported(text), dict[str, Path]()
    while left:
        module = left.pop()
        path = None if module in found else _path(module)
        if path:
            found[module] = path
            left |= _imported(program(path)) | {module.rpartition(".")[0]} - {""}
    return found


def _imported(text: str) -> set[str]:
    """What a source imports from tf1ref, wherever it does: modules, and names that may be modules."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.partition(".")[0] == "tf1ref"}


def _roots(text: str) -> Iterator[str]:
    """The packages that a source imports at its top."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
