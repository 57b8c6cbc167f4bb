"""`tf1ref run`: one half of one example, with progress, files and the figures promised beside those reached."""

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
    """What a run gave.

    changes: {constant: value} of the constants that differ from the source's; source: the source's own values of these,
    and of STEPS where it ran for other steps. figures: as `figures_of` returns them. stand_ins: the data sets that were
    generated. folder: None when nothing was kept. reports: False for a task that is not the job's chief.
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
    """Runs `example` in `mode` ("graph" or "function"); returns what is Done.

    steps: None for the source's own number. changes: "NAME=VALUE" strings. out: trace.npz and what the
    program itself writes go to out/mode. Raises InputError for bad input, before anything is computed.
    """
    known = catalog.constants(example.path)
    pairs = dict(catalog.parse_change(change, known) for change in changes)
    pairs = {constant: value for constant, value in pairs.items() if value != known[constant]}
    if plots:
        from tf1ref.catalog import plots as plotting

        plotting.need_matplotlib()
    job, index, reports = _task()
    # Tasks of a cluster must not share files; a ps writes none, and the chief's are those of the job.
    place = mode if reports else f"{mode}-{job}-{index}"
    folder = prepare(out, place, force) if out and job != "ps" else None
    console.import_tensorflow()
    module = catalog.load(example, pairs)
    function = getattr(module, f"run_{mode}")
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
    if ran and ran != module.STEPS:
        source["STEPS"] = module.STEPS
    stand_ins = sorted(folders.stood_in)
    return Done(example.name, mode, ran, pairs, source, reached, stand_ins, trace, folder, reports)


def _task() -> tuple[str, int, bool]:
    """Returns this process's job and index in a cluster, and whether it is the chief; alone it is worker 0."""
    if not (text := os.environ.get("TF_CONFIG")):
        return "worker", 0, True
    hosts, job, index = contract.parse_tf_config(text)
    return job, index, contract.is_chief(hosts, job, index)


def prepare(out: str | Path, place: str, force: bool) -> Path:
    """Creates out/place and returns it. Raises InputError when it cannot be written or holds an earlier run."""
    folder = Path(out) / place
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        if not force and any(folder.iterdir()):
            raise InputError(f"--out {out}: {folder} holds an earlier run: choose another folder, or --force")
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
    """Returns a dict for each promised figure: key, promised, reached, kept, met.

    kept: whether the reached figure is what was promised. met: the same, or None where the program ran otherwise than
    the source does (other steps, other constants than SEED, a stand-in for data that the figure needs): the source
    promises nothing for such a run.
    """
    full = (steps is None or steps == module.STEPS) and not set(changes) - {"SEED"}
    rows = []
    for key, promised in getattr(module, "EXPECTED", {}).items():
        reached = trace.get(key)
        promises = full and promised.real not in folders.stood_in
        kept = reached is not None and promised.met(reached)
        shown = "-" if reached is None else figures.text(reached)
        met = kept if promises else None
        rows.append({"key": key, "promised": str(promised), "reached": shown, "kept": kept, "met": met})
    return rows


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
