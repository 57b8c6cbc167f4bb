"""Runs a program under `exec --record` until it has trained for some steps."""

import os
import re
import subprocess
import sys

from tf1ref.errors import InputError, one_line
from tf1ref.parity import recorded

ERROR = re.compile(r"[\w.]+(Error|Exception)\b.*:")
TIMEOUT = 1800  # in seconds, for a program to do its steps


def record(script, path, arguments, steps, seed):
    """Runs `script` until it has trained for `steps` steps. Returns the recorded.Recording.

    Its output does not reach the terminal, and its input is empty. Raises InputError when it fails or never trains.
    """
    options = [f"--record={path}", f"--steps={steps}", "--stop", f"--seed={seed}"]
    command = [sys.executable, "-m", "tf1ref.compat", *options, "--", os.path.abspath(script), *arguments]
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, env=environment
        )
    except subprocess.TimeoutExpired as e:
        raise InputError(f"{script}: did not train {steps} steps within {TIMEOUT} s: give it smaller data") from e
    if "ran no session" in done.stderr:
        raise InputError(f"{script}: runs no session: there is nothing to port")
    if done.returncode or not os.path.exists(path):
        raise InputError(f"{script}: fails before it has trained: {_reason(done.stderr)}")
    found = recorded.load(path)
    if not found.steps:
        raise InputError(f"{script}: never trains: port its model, such as a checkpoint that it writes")
    if found.parallel:
        why = "the order of their runs is a race, and the next time another one"
        raise InputError(f"{script}: trains in several threads at once: {why}: let one thread train")
    return found


def _reason(said):
    """Returns the line of a program's last words that names its error. TensorFlow adds lines after it."""
    lines = [line for line in said.splitlines() if line.strip() and "nothing is recorded" not in line] or [""]
    at = next((i for i in reversed(range(len(lines))) if ERROR.match(lines[i])), len(lines) - 1)
    # What a kernel says stands before the line that names its node.
    kernel = next((i - 1 for i in range(at + 2, len(lines)) if "[[{{node" in lines[i]), at)
    return one_line(lines[kernel if lines[at].endswith("Graph execution error:") else at])
