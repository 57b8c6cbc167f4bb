"""The pytest fixture `parity`. Every project that has tf1ref installed can use it."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tf1ref.parity import Report


@pytest.fixture
def parity() -> "Callable[..., Report]":
    """Returns a function that proves a port: parity(run_graph, run_function, steps=20, ulps=0) or parity(module,
    ...).

    Both functions return a dict of arrays. The test fails at the first difference and names its key, step and
    element.
    Otherwise the fixture's function returns the report.
    Set TF_ENABLE_ONEDNN_OPTS=0 for the tests: with oneDNN on, convolution gradients differ in the last bits.
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    return _parity


def _parity(program: Any, function: Callable | None = None, steps: int = 20, ulps: int = 0) -> "Report":
    from tf1ref.parity import engine

    __tracebackhide__ = True
    if function is None:
        name = getattr(program, "__name__", str(program))
        halves = program.run_graph, program.run_function
        ulps = max(ulps, getattr(program, "ULPS", 0))
    else:
        name, halves = getattr(function, "__module__", "the port"), (program, function)
    graph, other = (engine.trace_of(half, steps, name) for half in halves)
    report = engine.compare(graph, other, ulps=ulps, name=name)
    if not report.equal:
        hint = "" if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" else " (oneDNN is on: TF_ENABLE_ONEDNN_OPTS=0)"
        pytest.fail(f"{name}: {report.differing} of {report.elements} elements differ{hint}: {report.first}")
    return report
