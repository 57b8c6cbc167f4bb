"""Finds programs by name: modules with two halves to compare, and examples that are sources of artifacts."""

import functools
import importlib
import importlib.machinery
import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from tf1ref import console, parity
from tf1ref.artifacts import Program
from tf1ref.catalog import finding
from tf1ref.errors import InputError
from tf1ref.parity import recorded


def compare_all(names: Sequence[str], steps: int) -> list[parity.Report]:
    """Runs both halves of every program in `names`, shows which one is running, and returns their parity.Reports.

    steps: training steps of each half. Raises InputError for an unknown name, before anything runs.
    """
    console.import_tensorflow()
    modules = [(name, module_named(name)) for name in names]
    reports = []
    for number, (name, module) in enumerate(modules, 1):
        if len(modules) > 1:
            console.note(f"[{number}/{len(modules)}] {name}")
        reports.append(parity.run(module, steps, name))
    return reports


def compare_recorded(path: str, names: Sequence[str]) -> parity.Report:
    """Compares the one module in `names` with the recording at `path`; returns the parity.Report.

    The module is a port of the recorded program. Raises InputError for a recording or module that cannot be used.
    """
    if len(names) != 1:
        raise InputError(f"--recorded {path}: name the one module, with run_function(recording), that is its port")
    recording = recorded.load(path)
    console.import_tensorflow()
    return recorded.compare(recording, module_named(names[0], ("run_function",)))


def source_named(word: str) -> str | Program:
    """Returns the Program of "chapter.example", or any other word unchanged.

    freeze, convert and verify take both. A file of that name comes first.
    Whether the chapter has the example is checked when it is loaded.
    """
    example = re.fullmatch(r"([a-z]\w*)\.[a-z]\w*", word)
    if example and example[1] in finding.CHAPTERS and not os.path.exists(word):
        return Program(word, functools.partial(finding.load, word))
    return word


def module_named(name: str, functions: Sequence[str] = ("run_graph", "run_function")) -> ModuleType:
    """Returns the module to compare: an example ("chapter.example"), an importable module, or a .py file.

    Raises InputError when the module is not found, cannot be imported, or lacks one of `functions`.
    """
    example = next((example for example in finding.examples() if example.name == name), None)
    module = finding.load(example) if example else _import(name)
    missing = [f for f in functions if not callable(getattr(module, f, None))]
    if missing:
        raise InputError(f"{name}: has no function {' and no '.join(missing)}: define it, returning a trace")
    return module


def _import(name: str) -> ModuleType:
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        if name.endswith(".py"):
            if not Path(name).is_file():
                raise InputError(f"{name}: no such file")
            loader = importlib.machinery.SourceFileLoader(Path(name).stem, name)
            module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(loader.name, loader, origin=name))
            loader.exec_module(module)
            return module
        return importlib.import_module(name)
    except ModuleNotFoundError as e:
        if e.name and name.split(".")[0] == e.name.split(".")[0]:
            # find raises an error that lists similar names.
            finding.find(name)
        raise InputError(f"{name}: cannot be imported: {e}") from e
    except InputError:
        raise
    except Exception as e:
        raise InputError(f"{name}: cannot be imported: {type(e).__name__}: {e}") from e
    finally:
        sys.path.remove(here)
