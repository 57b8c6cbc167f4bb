"""python -m tf1ref.cluster: see `python -m tf1ref.cluster --help`."""

import argparse
import sys
from collections.abc import Callable

from tf1ref.cluster import control, description, fields, launcher, options, render
from tf1ref.cluster.description import Description
from tf1ref.errors import InputError

USAGE = 2
SETTINGS = (*description.SETTINGS, *description.POLICY)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line `arguments` (default: sys.argv); returns the exit code."""
    try:
        return run(list(sys.argv[1:] if arguments is None else arguments), "python -m tf1ref.cluster")
    except InputError as error:
        print(f"cluster: error: {error}", file=sys.stderr)
        return USAGE


def _as_it_is(words: list[str], python: str) -> list[str]:
    return words


def run(arguments: list[str], prog: str, command_of: Callable[[list[str], str], list[str]] = _as_it_is) -> int:
    """Runs one command line, a list, which people typed after `prog`; returns the exit code.

    command_of: turns the words after -- into the command to run, where `python` is how the interpreter is called.
    Raises InputError, with nothing started.
    """
    split = arguments.index("--") if "--" in arguments else len(arguments)
    given, words = options.parser(prog).parse_args(arguments[:split]), arguments[split + 1 :]
    if given.verb == "status":
        return control.status(given.job, given.json)
    if given.verb == "stop":
        return control.stop(given.job, given.now)
    found = _described(given)
    # What runs elsewhere finds its Python there.
    command = command_of(words, "python" if given.verb == "render" else sys.executable) if words else []
    if given.verb == "render":
        print(render.render(found, command, given.to, given.name, given.image), end="")
        return 0
    if given.verb == "up":
        return launcher.up(found, command, given.log_dir, given.isolate, given.json)
    job, index = _place(found, given.job, given.index)
    return launcher.run_one(found, job, index, command, given.log_dir, given.allow_network, given.json)


def _described(given: argparse.Namespace) -> Description:
    """Returns the cluster that the command line means: a file's, or the one it counts out."""
    counts = {name: getattr(given, name) for name in ("ps", "workers", "chief", "evaluator", "sync")}
    if given.file is not None:
        for name, value in counts.items():
            if value is not None and value is not False:
                raise InputError(f"--{name} and {given.file}: the file says which tasks there are; give one of the two")
        found = fields.load(given.file)
    elif given.ps is None and given.workers is None:
        raise InputError("no cluster; give a description, such as local, or --ps 1 --workers 2")
    else:
        ps = 1 if given.ps is None else given.ps
        workers = (0 if given.chief else 1) if given.workers is None else given.workers
        found = description.of_counts(ps, workers, given.chief, given.evaluator, given.sync)
    found = description.change(found, **{name: getattr(given, name, None) for name in SETTINGS})
    return description.with_env(found, dict(given.env))


def _place(found: Description, job: str | None, index: int | None) -> tuple[str, int]:
    """Returns (job, index) of the task to run: as given, else as the file says."""
    job = found.job_name if job is None else job
    index = found.task_id if index is None else index
    if job is None or index is None:
        raise InputError(f"{found.path}: names no task; add --job (ps or worker) and --index")
    if job not in found.jobs:
        raise InputError(f"--job {job}: {found.path} has {', '.join(found.jobs)}")
    if index >= len(found.jobs[job]):
        raise InputError(f"--index {index}: {found.path} has {job} 0 to {len(found.jobs[job]) - 1}")
    return job, index


if __name__ == "__main__":
    sys.exit(main())
