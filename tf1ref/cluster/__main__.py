"""python -m tf1ref.cluster: see `python -m tf1ref.cluster --help`."""

import sys

from tf1ref.cluster import control, description, launcher, options, render
from tf1ref.errors import InputError

USAGE = 2
SETTINGS = (*description.SETTINGS, *description.POLICY)


def main(arguments=None):
    """Runs the command line `arguments` (default: sys.argv); returns the exit code."""
    try:
        return run(list(sys.argv[1:] if arguments is None else arguments), "python -m tf1ref.cluster")
    except InputError as error:
        print(f"cluster: error: {error}", file=sys.stderr)
        return USAGE


def run(arguments, prog, command_of=lambda words: words):
    """Runs one command line, a list, which people typed after `prog`; returns the exit code.

    command_of: turns the words after -- into the command to run. Raises InputError, with nothing started.
    """
    split = arguments.index("--") if "--" in arguments else len(arguments)
    given, words = options.parser(prog).parse_args(arguments[:split]), arguments[split + 1 :]
    if given.verb == "status":
        return control.status(given.job, given.json)
    if given.verb == "stop":
        return control.stop(given.job, given.now)
    if not words:
        raise InputError("no command; write it after --, such as -- python train.py")
    found, command = description.load(given.file), command_of(words)
    if given.verb == "render":
        print(render.render(description.change(found), command, given.to, given.name, given.image), end="")
        return 0
    found = description.change(found, **{name: getattr(given, name) for name in SETTINGS})
    if given.verb == "up":
        return launcher.up(found, command, given.log_dir, given.isolate, given.json)
    job, index = _place(found, given.job, given.index)
    return launcher.run_one(found, job, index, command, given.log_dir, given.allow_network, given.json)


def _place(found, job, index):
    """Returns (job, index) of the task to run: as given, else as the file says."""
    job = found.job_name if job is None else job
    index = found.task_id if index is None else index
    if job is None or index is None:
        raise InputError(f"{found.path}: names no task; add --job (ps or worker) and --index")
    if index >= len(found.jobs[job]):
        raise InputError(f"--index {index}: {found.path} has {job} 0 to {len(found.jobs[job]) - 1}")
    return job, index


if __name__ == "__main__":
    sys.exit(main())
