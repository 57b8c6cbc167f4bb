"""`tf1ref exec`: hands the process over to one that runs a TF1 program."""

import os
import sys

from tf1ref.errors import InputError


def replace(program, arguments, as_module=False, seed=None, trust=False, debug=False):
    """Becomes a process that runs `program` with TensorFlow 1's behaviour; does not return.

    Exit codes and signals are that process' own. debug: tracebacks with the libraries' frames too. Raises InputError
    when there is no such script.
    """
    if not as_module and not os.path.isfile(program):
        what = "is a folder: name the script in it" if os.path.isdir(program) else "no such script"
        raise InputError(f"exec {program}: {what}")
    options = (
        ([] if seed is None else [f"--seed={seed}"]) + ["--trust"] * trust + ["--debug"] * debug + ["-m"] * as_module
    )
    command = [sys.executable, *_flags(), "-m", "tf1ref.compat", *options, "--", program, *arguments]
    sys.stdout.flush()
    os.execve(sys.executable, command, os.environ)


def _flags():
    """The interpreter's own switches (-u, -W, -X) go on to the process that takes its place."""
    import subprocess

    return subprocess._args_from_interpreter_flags()
