"""`tf1ref run`: one half of one example, with progress, files and the figures promised beside those reached."""

import inspect
import io
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from tf1ref import catalog, console, files
from tf1ref.catalog import figures
from tf1ref.cluster import contract
from tf1ref.data import folders
from tf1ref.errors import InputError


class Done(NamedTuple):
    """What a run gave. `changes`: {constant: value}; `figures`: as `figures_of` returns them; `folder`: None without
    files; `stand_ins`: the data sets that were generated; `reports`: False for a task that is not the job's chief.
    """

    name: str
    mode: str
    steps: int | None
    changes: dict
    figures: list
    stand_ins: list
    trace: dict
    folder: Path | None
    reports: bool


def run(name, mode, steps=None, changes=(), out=None, plots=False, force=False):
    """Runs `name` in `mode` ("graph" or "function"); returns what is Done.

    steps: None for the source's own number. changes: "NAME=VALUE" strings. out: trace.npz and what the
    program itself writes go to out/mode. Raises InputError for bad input, before anything is computed.
    """
    known = catalog.constants(catalog.find(name).path)
    pairs = dict(catalog.parse_change(change, known) for change in changes)
    if plots:
        from tf1ref.catalog import plots as plotting

        plotting.need_matplotlib()
    job, index = _task()
    # Tasks of a cluster must not share files; a ps writes none, and the chief's are those of the job.
    place = mode if (job, index) == ("worker", 0) else f"{mode}-{job}-{index}"
    folder = prepare(out, place, force) if out and job != "ps" else None
    console.import_tensorflow()
    module = catalog.load(name, pairs)
    function = getattr(module, f"run_{mode}")
    arguments = _arguments(function, steps, folder, name)
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
    stand_ins = sorted(folders.stood_in)
    return Done(name, mode, ran, pairs, reached, stand_ins, trace, folder, reports=(job, index) == ("worker", 0))


def _task():
    """Returns this process's (job, index) in a cluster; alone it is ("worker", 0)."""
    text = os.environ.get("TF_CONFIG")
    return contract.parse_tf_config(text)[1:] if text else ("worker", 0)


def prepare(out, place, force):
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


def save_trace(path, trace):
    """Writes a trace as .npz without pickle."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, **{key: np.asarray(value) for key, value in trace.items()})
    files.write(path, buffer.getvalue())


def figures_of(module, steps, changes, trace):
    """Returns a dict for each promised figure: key, promised, reached, met.

    `met` is None where the program ran otherwise than the source does (other steps, other constants than SEED):
    that promises nothing.
    """
    full = (steps is None or steps == module.STEPS) and not set(changes) - {"SEED"}
    rows = []
    for key, promised in getattr(module, "EXPECTED", {}).items():
        reached = trace.get(key)
        met = None if not full else reached is not None and promised.met(reached)
        shown = "-" if reached is None else figures.text(reached)
        rows.append({"key": key, "promised": str(promised), "reached": shown, "met": met})
    return rows


def _arguments(function, steps, folder, name):
    takes = inspect.signature(function).parameters
    arguments = {}
    if "steps" in takes:
        arguments["steps"] = steps or takes["steps"].default
    elif steps:
        raise InputError(f"--steps {steps}: {name} has no steps")
    if "out" in takes:
        arguments["out"] = str(folder) if folder else None
    return arguments


def _latest(folder):
    from tf1ref.modules import checkpoints

    return checkpoints.latest(str(folder))
