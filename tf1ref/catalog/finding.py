"""Finds the examples by reading their source. There is no registry, and TensorFlow is not imported until one is
loaded.

Every file in a chapter's folder is an example. `load` can change constants before the program runs: it replaces the
literal in the syntax tree, so all that is computed from it changes, too.
"""

import ast
import re
import sys
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tf1ref.errors import InputError, nearest

FOLDER = Path(__file__).parents[1] / "examples"
# This is the reading order: each chapter needs only what earlier ones teach.
CHAPTERS = (
    "basics", "training", "regression", "iris", "mnist", "convnets", "towers", "transfer", "images",
    "pipelines", "sequences", "saving", "monitoring", "distributed", "unsupervised",
)  # fmt: skip
CONSTANT = re.compile(r"[A-Z][A-Z0-9_]*$")
# With this after its docstring an example, or a copy of one, runs as a file. It comes before TensorFlow is imported:
# to print the help must not take seconds, nor bring the banner of the import.
GUARD = """if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

"""


class Example(NamedTuple):
    """One reference program. `source` is the line of the notes from which it comes."""

    name: str
    chapter: str
    title: str
    source: str
    path: Path


class Parts(NamedTuple):
    """The source text of one example: docstring, imports and constants, graph half, function half."""

    docstring: str
    constants: str
    graph: str
    function: str


def examples(chapter: str | None = None) -> list[Example]:
    """Returns every Example in reading order, or those of one chapter.

    Raises InputError for a chapter that does not exist.
    """
    known = [c for c in CHAPTERS if (FOLDER / c).is_dir()]
    if chapter is not None and chapter not in known:
        raise InputError(f"no chapter {chapter!r}: choose one of {', '.join(known)}{nearest(chapter, known)}")
    found: list[Example] = []
    for each in known if chapter is None else [chapter]:
        files = sorted(p for p in (FOLDER / each).glob("*.py") if not p.name.startswith("_"))
        found += [_read(each, path) for path in files]
    return found


def find(name: str) -> Example:
    """Returns the Example called `name` ("chapter.example"), or the one in a file, such as a copy ("folder/mine.py").

    Raises InputError with the nearest names, or for a file that is not a program.
    """
    every = examples()
    if name.endswith(".py"):
        return _in_file(Path(name), every)
    for example in every:
        if example.name == name:
            return example
    hint = nearest(name, [e.name for e in every]) or "; `tf1ref list` shows all"
    raise InputError(f"no example {name!r}{hint}")


def program(path: str | Path) -> str:
    """Returns the text of a program without GUARD: what its readers are shown, and what a notebook runs."""
    return Path(path).read_text().replace(GUARD, "", 1)


def constants(path: str | Path) -> dict[str, Any]:
    """Returns {name: value} of the top-level constants of a program whose values are plain literals."""
    return {name: ast.literal_eval(node.value) for name, node in _assignments(_tree(path)).items()}


def load(example: Example | str, changes: Mapping[str, Any] | None = None) -> types.ModuleType:
    """Imports an example afresh, with the values of `changes` ({constant: value}) in place of its literals.

    example: an Example or its name. Raises InputError for an unknown name or an unknown constant.
    """
    if isinstance(example, str):
        example = find(example)
    tree = _tree(example.path)
    places = _assignments(tree)
    for constant, value in (changes or {}).items():
        _exchange(places, constant, value, example.name)
    module = types.ModuleType(f"tf1ref.examples.{example.name}", ast.get_docstring(tree))
    module.__file__ = str(example.path)
    # pickle and inspect look modules up by name.
    sys.modules[module.__name__] = module
    exec(compile(ast.fix_missing_locations(tree), example.path, "exec"), module.__dict__)
    return module


def parse_change(text: str, known: Mapping[str, Any]) -> tuple[str, Any]:
    """Parses one "NAME=VALUE" against `known` {name: value}; returns (name, value) of the same type.

    Raises InputError when the name is unknown or the value is of another type.
    """
    name, equals, word = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: write NAME=VALUE")
    if name not in known:
        hint = nearest(name, known) or f"; there are: {', '.join(known)}"
        raise InputError(f"--set {text}: no constant {name!r} (or it is computed from others){hint}")
    old = known[name]
    if isinstance(old, str):
        return name, word
    try:
        value = ast.literal_eval(word)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = word
    if isinstance(old, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(old):
        raise InputError(f"--set {text}: {name} is {type(old).__name__} (now {old!r}): give a value of that type")
    return name, value


def parts(path: str | Path) -> Parts:
    """Splits a program into its Parts. A half starts at the first definition that uses `v1.` or `tf.`."""
    text = program(path)
    lines, tree = text.splitlines(), ast.parse(text, filename=str(path))
    body = [n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    graph = next((_first_line(n, lines) for n in body if "v1" in vocabulary(n)), len(lines))
    function = next((_first_line(n, lines) for n in body if "tf" in vocabulary(n)), len(lines))
    start = (tree.body[0].end_lineno or 0) if ast.get_docstring(tree) else 0
    cut = [start, graph, function, len(lines)]
    texts = ["\n".join(lines[a:b]).strip("\n") for a, b in zip(cut, cut[1:])]
    return Parts(ast.get_docstring(tree) or "", *texts)


def vocabulary(node: ast.AST) -> set[str]:
    """Returns which of the module names `v1` and `tf` a node of the syntax tree uses."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & {"v1", "tf"}


def _first_line(node: ast.FunctionDef | ast.ClassDef, lines: list[str]) -> int:
    first = min([node.lineno] + [d.lineno for d in node.decorator_list]) - 1
    while first and lines[first - 1].startswith("#"):
        first -= 1
    return first


def _in_file(path: Path, every: Iterable[Example]) -> Example:
    try:
        ast.parse(path.read_text())
    except (OSError, SyntaxError, ValueError) as e:
        raise InputError(f"{path}: cannot be read as a program: {getattr(e, 'strerror', None) or e}") from e
    own = (example for example in every if example.path.resolve() == path.resolve())
    return next(own, None) or _read("", path)


def _read(chapter: str, path: Path) -> Example:
    # The docstring is read as text. To parse a hundred files would take longer than `tf1ref list` may.
    text = path.read_text()
    docstring = re.match(r'"""(.*?)"""', text, re.S)
    head = docstring.group(1) if docstring else ""
    found = re.search(r"^Source:\s*(.+(?:\n\s{2,}.+)*)", head, re.M)
    title = head.strip().split("\n")[0].rstrip(".")
    source = re.sub(r"\s+", " ", found.group(1)) if found else ""
    return Example(f"{chapter}.{path.stem}".lstrip("."), chapter, title, source, path)


def _tree(path: str | Path) -> ast.Module:
    return ast.parse(Path(path).read_text(), filename=str(path))


def _assignments(tree: ast.Module) -> dict[str, ast.Assign]:
    """Returns the top-level `NAME = literal` statements by name."""
    found = {}
    for node in tree.body:
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)):
            continue
        if CONSTANT.match(node.targets[0].id):
            try:
                ast.literal_eval(node.value)
            except ValueError:
                # A computed value or a call is not a literal that could be replaced.
                continue
            found[node.targets[0].id] = node
    return found


def _exchange(places: Mapping[str, ast.Assign], constant: str, value: Any, name: str) -> None:
    if constant not in places:
        raise InputError(f"{name} has no constant {constant!r}{nearest(constant, places)}")
    node = places[constant]
    node.value = ast.copy_location(ast.parse(repr(value), mode="eval").body, node.value)
