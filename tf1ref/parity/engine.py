"""Runs two programs, compares their traces to the bit, and names the first divergence.

A trace is a dict {key: array}. The first word of a key says what the array holds. Keys are compared in the order
`initial/` values, `forward/` results, anything else, `steps/` (one row for each step), `gradient/`, `slots/` and
`final/` values. The first key that differs is therefore nearest to the cause.
"""

import inspect
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tf1ref.errors import InputError
from tf1ref.ulps import ulp_distance

ORDER = ("initial", "forward", "", "steps", "gradient", "slots", "final")
STEPS = 20
Arrays = Mapping[str, npt.ArrayLike]


@dataclass
class Key:
    """How one key of two traces compares. `first` names the first element that differs, or is ""."""

    key: str
    elements: int
    differing: int
    max_difference: float
    max_ulp: int
    first: str


@dataclass
class Report:
    """How two traces compare.

    equal: True when every key is within `ulps` and at least one value changes over the run. rows: one Key for each
    key.
    """

    name: str
    equal: bool
    keys: int
    elements: int
    differing: int
    max_ulp: int
    first: str
    rows: list[Key]

    def summary(self) -> dict[str, Any]:
        """Returns the report without its rows, ready for JSON."""
        return {k: v for k, v in asdict(self).items() if k != "rows"}


class ProgramFailed(Exception):
    """A program under comparison raised an error. The message names the half and the error."""


def without_onednn() -> None:
    """Turns oneDNN off. Call it before TensorFlow is imported: oneDNN's convolution gradients differ in the last
    bits.
    """
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"


def run(module: Any, steps: int = STEPS, name: str | None = None) -> Report:
    """Runs run_graph and run_function of `module` for `steps` steps each (default: 20). Returns the Report.

    name: the name in messages (default: the module's). Raises InputError when a half does not return a trace, and
    ProgramFailed when it raises an error.
    """
    name = name or module.__name__
    graph = trace_of(module.run_graph, steps, name)
    function = trace_of(module.run_function, steps, name)
    return compare(graph, function, ulps=getattr(module, "ULPS", 0), name=name)


def trace_of(function: Callable[..., Arrays], steps: int | None, name: str) -> dict[str, np.ndarray]:
    """Calls one half with those of the parameters `steps` and `out` that it takes. Returns its trace, checked.

    `out` is a temporary folder, which is removed afterwards.
    """
    takes = inspect.signature(function).parameters
    # A functools.partial has no name.
    half = f"{name}.{getattr(function, '__name__', 'function')}"
    arguments: dict[str, Any] = {"steps": steps} if "steps" in takes else {}
    with tempfile.TemporaryDirectory() as folder:
        if "out" in takes:
            arguments["out"] = folder
        try:
            trace = function(**arguments)
        except Exception as e:
            raise ProgramFailed(f"{half}: {type(e).__name__}: {e}") from e
    if not isinstance(trace, dict) or not all(isinstance(key, str) for key in trace):
        raise InputError(f"{half}: returned {type(trace).__name__}: return a dict of arrays by name")
    return {key: _array(value, f"{half}: {key}") for key, value in trace.items()}


def compare(
    graph: Mapping[str, np.ndarray], function: Mapping[str, np.ndarray], ulps: int = 0, name: str = "trace"
) -> Report:
    """Compares two traces {key: array}; returns the Report.

    ulps: how many units in the last place floats may differ; 0 (the default) means equal to the bit.

    >>> trace = {"final/w": np.float32([1, 2])}
    >>> report = compare(trace, {"final/w": np.float32([1, 3])})
    >>> report.equal, report.rows[0].key
    (False, 'final/w')
    """
    rows = [_compare_key(key, graph.get(key), function.get(key)) for key in _ordered(graph, function)]
    wrong = [row for row in rows if row.max_ulp > ulps or (row.first and not row.max_ulp)]
    # Names and shapes come first, since a missing value explains the differences after it.
    wrong.sort(key=lambda row: row.elements > 0)
    first = f"{wrong[0].key}: {wrong[0].first}" if wrong else nothing_moves(graph)
    return Report(
        name=name,
        equal=not first,
        keys=len(rows),
        elements=sum(row.elements for row in rows),
        differing=sum(row.differing for row in rows),
        max_ulp=max((row.max_ulp for row in rows), default=0),
        first=first,
        rows=rows,
    )


def nothing_moves(trace: Mapping[str, np.ndarray]) -> str:
    """Returns why a trace proves nothing, or "" when it proves something.

    An empty trace proves nothing, and neither does one whose variables and steps never change.

    >>> nothing_moves({"steps/loss": np.float32([3, 3])})
    'nothing moves: no variable and no value of a step ever changes'
    >>> nothing_moves({"steps/loss": np.float32([3, 2])})
    ''
    """
    if not sum(np.size(value) for value in trace.values()):
        return "the trace is empty: it proves nothing"
    pairs = [
        (v, trace["final/" + k[8:]]) for k, v in trace.items() if k[:8] == "initial/" and "final/" + k[8:] in trace
    ]
    rows = [v for k, v in trace.items() if k.startswith("steps/") and len(v) > 1]
    moved = [not np.array_equal(a, b) for a, b in pairs] + [any(not np.array_equal(r, v[0]) for r in v) for v in rows]
    return "" if any(moved) or not moved else "nothing moves: no variable and no value of a step ever changes"


def _array(value: npt.ArrayLike, where: str) -> np.ndarray:
    array = np.asarray(value)
    # String tensors arrive as objects.
    if array.dtype == object:
        if not all(isinstance(element, (bytes, str)) for element in array.flat):
            raise InputError(f"{where}: {type(array.flat[0]).__name__}: not an array of numbers or strings")
        array = array.astype(bytes)
    return array


def _ordered(graph: Mapping[str, np.ndarray], function: Mapping[str, np.ndarray]) -> list[str]:
    keys = list(graph) + [key for key in function if key not in graph]

    def place(key: str) -> int:
        word = key.split("/")[0]
        return ORDER.index(word if word in ORDER else "")

    return sorted(keys, key=place)


def _compare_key(key: str, a: np.ndarray | None, b: np.ndarray | None) -> Key:
    if a is None or b is None:
        where = "the graph" if a is None else "the function"
        return Key(key, 0, 1, float("inf"), 0, f"missing in {where}")
    if a.shape != b.shape or (a.dtype != b.dtype and a.dtype.kind != "S"):
        return Key(
            key,
            0,
            1,
            float("inf"),
            0,
            f"{a.dtype}{list(a.shape)} in the graph, {b.dtype}{list(b.shape)} in the function",
        )
    if a.dtype.kind in "fV" and a.dtype.itemsize in (2, 4, 8):
        ulps = ulp_distance(a, b)
        with np.errstate(all="ignore"):
            gap = np.abs(a.astype(np.float64) - b.astype(np.float64))
        # fmax ignores the NaN of inf - inf.
        difference = float(np.fmax.reduce(gap, axis=None, initial=0.0))
    else:
        ulps = (a != b).astype(np.int64)
        difference = float(np.max(ulps, initial=0))
    differing = int(np.count_nonzero(ulps))
    return Key(key, a.size, differing, difference, int(np.max(ulps, initial=0)), _first(key, a, b, ulps))


def _first(key: str, a: np.ndarray, b: np.ndarray, ulps: np.ndarray) -> str:
    if not np.any(ulps):
        return ""
    place = tuple(int(i) for i in np.argwhere(ulps)[0])
    where = f"step {place[0]}, element {list(place[1:])}" if key.startswith("steps/") else f"element {list(place)}"
    return f"{where}: {a[place]!s} in the graph, {b[place]!s} in the function"
