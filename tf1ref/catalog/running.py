"""`tf1ref run` runs one half of one example, shows progress, and compares the figures reached with those promised."""

import inspect
import io
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from tf1ref import catalog, console, files
from tf1ref.catalog import figures
from tf1ref.cluster import contract
from tf1ref.data import folders
from tf1ref.errors import InputError


class Done(NamedTuple):
    """What one run gave.

    changes: {constant: value} of the constants that were changed.
    source: {constant: value} that the source has for them; STEPS is among them where the number of steps was changed.
    figures: a list of dicts, as `figures_of` returns it.
    stand_ins: names of the data sets that were generated.
    folder: the folder of the results, or None when nothing was kept.
    reports: False for a task of a cluster that is not the chief.
    """

    name: str
    mode: str
    steps: int | None
    changes: dict[str, Any]
    source: dict[str, Any]
    figures: list[dict[str, Any]]
    stand_ins: list[str]
    trace: dict[str, Any]
    folder: Path | None
    reports: bool


def run(
    example: catalog.Example,
    mode: str,
    steps: int | None = None,
    changes: Sequence[str] = (),
    out: str | Path | None = None,
    plots: bool = False,
    force: bool = False,
) -> Done:
    """Runs one half of `example`, and returns a Done.

    mode: "graph" or "function". steps: training steps; None takes the source's number. changes: "NAME=VALUE" strings.
    out: a folder; trace.npz and the program's own files go to out/mode. plots: also draws them there. force: allows
    `out` to hold an earlier run. Raises InputError for bad input, before anything is computed.
    """
    known = catalog.constants(example.path)
    pairs = dict(catalog.parse_change(change, known) for change in changes)
    pairs = {constant: value for constant, value in pairs.items() if value != known[constant]}
    if plots:
        from tf1ref.catalog import plots as plotting

        plotting.need_matplotlib()
    job, index, reports = _task()
    # Tasks of a cluster must not share files. A ps writes none, and the chief's files are those of the job.
    place = mode if reports else f"{mode}-{job}-{index}"
    folder = prepare(out, place, force) if out and job != "ps" else None
    console.import_tensorflow()
    _watch_servers()
    module = catalog.load(example, pairs)
    function = _half(module, mode)
    arguments = _arguments(function, steps, folder, example.name)
    try:
        with console.progress_shown():
            trace = function(**arguments)
    except KeyboardInterrupt:
        kept = _latest(folder) if folder else None
        console.note(f"interrupted; the last checkpoint is {kept}" if kept else "interrupted; nothing was saved")
        raise
    if folder:
        save_trace(folder / "trace.npz", trace)
        if plots:
            plotting.save(module, trace, folder / "trace.png")
    ran = arguments.get("steps")
    reached = figures_of(module, ran, pairs, trace)
    source = {constant: known[constant] for constant in pairs}
    if ran and ran != (full := getattr(module, "STEPS", ran)):
        source["STEPS"] = full
    stand_ins = sorted(folders.stood_in)
    return Done(example.name, mode, ran, pairs, source, reached, stand_ins, trace, folder, reports)


def _task() -> tuple[str, int, bool]:
    """Returns the job and the index of this process in a cluster, and whether it is the chief.

    A process outside a cluster counts as worker 0.
    """
    if not (text := os.environ.get("TF_CONFIG")):
        return "worker", 0, True
    hosts, job, index = contract.parse_tf_config(text)
    return job, index, contract.is_chief(hosts, job, index)


def _watch_servers():
    """Lets a launcher see this task's server: the distributed examples are written as TF1's own programs are."""
    if os.environ.get("TF_CONFIG"):
        from tf1ref.compat import clusters

        clusters.install(console.note)


def prepare(out: str | Path, place: str, force: bool) -> Path:
    """Creates out/place and returns it. Raises InputError when it cannot be written or holds an earlier run."""
    folder = Path(out) / place
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        if not force and any(folder.iterdir()):
            raise InputError(f"--out {out}: {folder} holds an earlier run: choose another folder, or give --force")
    except OSError as e:
        raise InputError(f"--out {out}: cannot be written: {e.strerror or e}") from e
    return folder


def save_trace(path: Path, trace: Mapping[str, Any]) -> None:
    """Writes a trace as .npz without pickle."""
    import numpy as np

    buffer = io.BytesIO()
    arrays: dict[str, Any] = {key: np.asarray(value) for key, value in trace.items()}
    np.savez(buffer, **arrays)
    files.write(path, buffer.getvalue())


def figures_of(
    module: ModuleType, steps: int | None, changes: Mapping[str, Any], trace: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Returns a dict for each promised figure, with the keys key, promised, reached, kept and met.

    kept: True when the reached figure is what was promised.
    met: the same, or None where the run differs from the source's.
    A run differs by other steps, by other constants than SEED, or by a stand-in for data that the figure needs.
    The source promises nothing for such a run.
    """
    full = (steps is None or steps == getattr(module, "STEPS", steps)) and not set(changes) - {"SEED"}
    rows = []
    for key, promised in getattr(module, "EXPECTED", {}).items():
        reached = trace.get(key)
        promises = full and promised.real not in folders.stood_in
        kept = reached is not None and promised.met(reached)
        shown = "-" if reached is None else figures.text(reached)
        met = kept if promises else None
        rows.append({"key": key, "promised": str(promised), "reached": shown, "kept": kept, "met": met})
    return rows


def _half(module: ModuleType, mode: str) -> Callable:
    """Returns the function of one half, which somebody's own copy may lack."""
    function = getattr(module, f"run_{mode}", None)
    if not callable(function):
        raise InputError(f"{module.__file__}: has no function run_{mode}: define it, returning a trace")
    return function


def _arguments(function: Callable, steps: int | None, folder: Path | None, name: str) -> dict[str, Any]:
    takes = inspect.signature(function).parameters
    arguments: dict[str, Any] = {}
    if "steps" in takes:
        arguments["steps"] = steps or takes["steps"].default
    elif steps:
        raise InputError(f"--steps {steps}: {name} has no steps")
    if "out" in takes:
        arguments["out"] = str(folder) if folder else None
    return arguments


def _latest(folder: Path) -> str | None:
    from tf1ref.modules import checkpoints

    return checkpoints.latest(str(folder))
