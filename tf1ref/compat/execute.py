"""`tf1ref exec`: replaces this process by one that runs a TF1 program."""

import os
import sys

from tf1ref import files
from tf1ref.errors import InputError


def replace(
    program,
    arguments,
    as_module=False,
    seed=None,
    trust=False,
    debug=False,
    world=None,
    out=None,
    record=None,
    steps=None,
):
    """Becomes a process that runs `program` as TensorFlow of its time did. It does not return.

    Exit codes and signals are those of that process. debug: prints tracebacks with the libraries' frames, too.
    world: 1 or 2, used where the program's text does not tell. out: a notebook that gets the outputs.
    record: a file for what the program computes up to its step `steps`.
    Raises InputError when the script does not exist or a file cannot be written.
    """
    if not as_module and not os.path.isfile(program):
        what = "is a folder: name the script in it" if os.path.isdir(program) else "no such script"
        raise InputError(f"exec {program}: {what}")
    if out is not None:
        if not program.endswith(".ipynb"):
            raise InputError(f"exec {program}: --out is for notebooks: leave it out")
        files.target(out)
    if steps is not None and record is None:
        raise InputError(f"exec {program}: --steps goes with --record FILE")
    if record is not None:
        # The program may change the working folder.
        record = os.path.abspath(files.target(record))
    valued = (("--seed", seed), ("--world", world), ("--out", out), ("--record", record), ("--steps", steps))
    options = [f"{option}={value}" for option, value in valued if value is not None]
    options += ["--trust"] * trust + ["--debug"] * debug + ["-m"] * as_module
    command = [sys.executable, *_flags(), "-m", "tf1ref.compat", *options, "--", program, *arguments]
    sys.stdout.flush()
    os.execve(sys.executable, command, os.environ)


def _flags():
    """Returns the interpreter's own switches (-u, -W, -X), which the new process gets, too."""
    import subprocess

    return subprocess._args_from_interpreter_flags()
