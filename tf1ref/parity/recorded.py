"""What a TF1 program computed, as `tf1ref exec --record` wrote it, and the comparison of a port with it.

A recording is a zip without pickles. It holds index.json, a MetaGraphDef for each graph that was run, and arrays.
Arrays are stored by the hash of their content: a test set that is fed a hundred times is kept once.
"""

import contextlib
import inspect
import io
import json
import os
import zipfile
import zlib
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from tf1ref.errors import InputError
from tf1ref.parity import engine

FORMAT = 2
INDEX = "index.json"
# An index of more bytes is not read.
MOST_INDEX = 1 << 28


@dataclass
class Run:
    """One session.run.

    feeds, fetches: {tensor name: array}. targets: names of ops. trains: True when the run wrote weights.
    session: the number of the session, each of which has variables of its own.
    """

    graph: int
    trains: bool
    targets: list
    feeds: dict
    fetches: dict
    session: int = 0


@dataclass
class Recording:
    """A recording in memory.

    runs: every Run, in order. initial, final: {variable: array} before and after the training.
    graphs: serialized MetaGraphDefs. seeds: the seed of each graph, or None.
    lines: for each graph {op: [file, line, function]}.
    gradients: for each graph the calls of tf.gradients, {"ys": tensors, "xs": ops, "gradients": [tensors of each x]}.
    names: for each graph {tensor or op: the program's variable for it}.
    left_out: sentences that say what was not recorded.
    parallel: several threads trained at once, and the order of their runs was a race.
    """

    path: str
    program: str
    arguments: list
    runs: list
    initial: dict
    final: dict
    graphs: list
    seeds: list
    lines: list
    gradients: list = field(default_factory=list)
    names: list = field(default_factory=list)
    trainable: list = field(default_factory=list)
    left_out: list = field(default_factory=list)
    parallel: bool = False

    @property
    def steps(self) -> list:
        """The Runs that trained."""
        return [run for run in self.runs if run.trains]

    @property
    def feeds(self) -> list:
        """Returns {tensor name without ":0": array} for each step."""
        return [{name.removesuffix(":0"): value for name, value in run.feeds.items()} for run in self.steps]

    def trace(self) -> dict:
        """Returns {key: array} of the training with the keys that parity compares: initial/, steps/ and final/.

        A fetched tensor is included when every step fetched it in the same shape.
        """
        steps, found = self.steps, {f"initial/{name}": value for name, value in self.initial.items()}
        for name in steps[0].fetches if steps else ():
            rows = [step.fetches.get(name) for step in steps]
            if all(row is not None and row.shape == rows[0].shape for row in rows):
                found[f"steps/{name.removesuffix(':0')}"] = np.stack(rows)
        return {**found, **{f"final/{name}": value for name, value in self.final.items()}}


def load(path: str | os.PathLike[str]) -> Recording:
    """Returns the Recording at `path`. Raises InputError for a file that is damaged, cut off or not a recording."""
    path = os.fspath(path)
    try:
        with zipfile.ZipFile(path) as z:
            if z.getinfo(INDEX).file_size > MOST_INDEX:
                raise InputError(f"{path}: its index is larger than any recording's: record the program again")
            index = json.loads(z.read(INDEX))
            if index["format"] != FORMAT:
                raise InputError(f"{path}: a recording of format {index['format']}, this reads {FORMAT}: record again")
            return _recording(path, index, z)
    except FileNotFoundError as e:
        raise InputError(f"{path}: no such recording: make one with `tf1ref exec --record {path} SCRIPT`") from e
    except (OSError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, AttributeError, EOFError) as e:
        raise InputError(
            f"{path}: not a recording, or cut off: make one with `tf1ref exec --record FILE SCRIPT`"
        ) from e


def compare(recording: Recording, module: ModuleType, ulps: int | None = None) -> engine.Report:
    """Compares `module`.run_function(recording) with what was recorded; returns the parity Report.

    run_function returns a trace: final/<variable> of every trainable variable, and any other keys of the recording.
    ulps: how many units in the last place floats may differ.
    Raises InputError when the module has no such function, or the function does not return a trace.
    """
    function = getattr(module, "run_function", None)
    if function is None or not inspect.signature(function).parameters:
        raise InputError(f"{module.__name__}: has no run_function(recording): write one that returns a trace")
    if not recording.steps:
        raise InputError(f"{recording.path}: no run of {recording.program} trained: there is nothing to compare")

    def run_function():
        return function(recording)

    reached = engine.trace_of(run_function, 0, module.__name__)
    recorded = recording.trace()
    asked = {f"final/{name}" for name in recording.trainable} | reached.keys()
    wanted = {key: value for key, value in recorded.items() if key in asked}
    return engine.compare(
        wanted, reached, ulps=getattr(module, "ULPS", 0) if ulps is None else ulps, name=module.__name__
    )


def is_recording(path: object) -> bool:
    """True for a zip that holds what `exec --record` writes. Nothing of it is read but its list of names."""
    if not isinstance(path, (str, os.PathLike)) or not os.path.isfile(path) or not zipfile.is_zipfile(path):
        return False
    with contextlib.suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as z:
        return INDEX in z.namelist()
    return False


def between(one: str, other: str, ulps: int = 0) -> engine.Report:
    """Returns the parity Report of the recording `other` against `one`: variables around the training, and fetches.

    Raises InputError for a file that is no recording, or one whose program did not train.
    """
    for path in (one, other):
        if not is_recording(path):
            raise InputError(f"{path}: is no recording, and the other file is one: give two recordings or two models")
    recordings = [load(path) for path in (one, other)]
    for recording in recordings:
        if not recording.steps:
            raise InputError(f"{recording.path}: no run of {recording.program} trained: there is nothing to compare")
    first, second = (recording.trace() for recording in recordings)
    return engine.compare(first, second, ulps=ulps, name=f"{one} and {other}")


def _recording(path, index, z):
    arrays = {}

    def array(key):
        if key not in arrays:
            with z.open(f"arrays/{key}.npy") as file:
                arrays[key] = np.lib.format.read_array(io.BytesIO(file.read()), allow_pickle=False)
        return arrays[key]

    def all_of(named):
        return {name: array(key) for name, key in named.items()}

    runs = [
        Run(r["graph"], r["trains"], r["targets"], all_of(r["feeds"]), all_of(r["fetches"]), r.get("session", 0))
        for r in index["runs"]
    ]
    return Recording(
        path,
        index["program"],
        index["arguments"],
        runs,
        all_of(index["initial"]),
        all_of(index["final"]),
        [z.read(f"graphs/{i}.pb") for i in range(len(index["graphs"]))],
        [g["seed"] for g in index["graphs"]],
        [g["lines"] for g in index["graphs"]],
        [g["gradients"] for g in index["graphs"]],
        [g["names"] for g in index["graphs"]],
        index["trainable"],
        index["left_out"],
        index.get("parallel", False),
    )
