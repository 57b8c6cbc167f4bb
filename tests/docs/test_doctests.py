"""The examples in docstrings, run as a user would type them: `np`, `tf` and `v1` stand for the usual imports."""

import ast
import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

ROOT = Path(__file__).resolve().parents[2]
NAMES = {"np": np, "tf": tf, "v1": v1}
FINDER = doctest.DocTestFinder(recurse=True)


def sources():
    """The modules whose docstrings hold examples, relative to the root of the repository."""
    found = (path for path in sorted(ROOT.glob("tf1ref/**/*.py")) if ">>> " in path.read_text())
    return [path.relative_to(ROOT).as_posix() for path in found]


def examples(name):
    """The DocTests of a module that hold an example."""
    module = importlib.import_module(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    return [test for test in FINDER.find(module, extraglobs=NAMES) if test.examples]


@pytest.mark.parametrize("name", sources())
def test_the_examples_of_a_module(name):
    runner, said = doctest.DocTestRunner(verbose=False), []
    for test in examples(name):
        runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("name", sources())
def test_no_example_is_overlooked(name):
    tree = ast.parse((ROOT / name).read_text())
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    texts = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, kinds)]
    assert sum(len(test.examples) for test in examples(name)) == sum(text.count(">>> ") for text in texts)


def test_there_are_examples_in_every_room_that_people_call():
    rooms = {name.split("/")[1] for name in sources()}
    assert {"artifacts", "data", "legacy", "modules", "parity"} <= rooms
    assert sum(len(test.examples) for name in sources() for test in examples(name)) >= 150
