"""What of this machine and its installation will work, and what will not: a page for a bug report.

TensorFlow is looked at from another process (probe.py): on a processor that it is not built for, it ends the process
that imports it. Nothing secret is looked at: no variables but those that change TensorFlow's arithmetic or where tf1ref
looks for files, no names of machines or users, and the home folder is written ~.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from typing import Any, NamedTuple

PROBE = pathlib.Path(__file__).with_name("probe.py")
PROBE_SECONDS = 300  # TensorFlow is imported in it, from a disk that may be slow
# Variables that explain differences between two machines.
VARIABLES = (
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_USE_LEGACY_KERAS",
    "TF_CPP_MIN_LOG_LEVEL",
    "CUDA_VISIBLE_DEVICES",
    "TF1REF_DATA",
)


class Finding(NamedTuple):
    """One line of the page: in which group, what, what was found, and what will not work because of it, or None."""

    group: str
    name: str
    found: str
    problem: str | None = None


def examine() -> list[Finding]:
    """Returns everything that was found, in the order of the page. It starts one process and leaves nothing behind."""
    from tf1ref.doctor import machine

    found = [*machine.software(), *_probed(), *_variables(), *machine.processor(), *machine.data()]
    found += [*machine.cluster(), *machine.limits(), *machine.disk()]
    return [each._replace(found=tidy(each.found), problem=each.problem and tidy(each.problem)) for each in found]


def tidy(text: str) -> str:
    """The text on one line, with ~ for the home folder."""
    home = os.path.expanduser("~")
    line = " ".join(str(text).split())
    return line.replace(home, "~") if len(home) > 1 else line


def _variables() -> list[Finding]:
    return [Finding("variables", name, os.environ[name]) for name in VARIABLES if name in os.environ]


def _probed() -> list[Finding]:
    """What the other process says of TensorFlow, NumPy and Keras."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "found.json"
        # Without the folder that we are in: a user's own numpy.py there would be imported, and run.
        command = [sys.executable, "-P", str(PROBE), str(out)] if sys.version_info >= (3, 11) else None
        command = command or [sys.executable, str(PROBE), str(out)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PROBE_SECONDS)
        except subprocess.TimeoutExpired:
            return [Finding("software", "TensorFlow", f"not imported in {PROBE_SECONDS} s", "nothing can run")]
        if done.returncode == 0 and out.exists():
            return [Finding(*row) for row in json.loads(out.read_text(encoding="utf-8"))]
    return [Finding("software", "TensorFlow", _how_it_ended(done), "it cannot be imported, so nothing can run")]


def _how_it_ended(done: Any) -> str:
    if done.returncode == -signal.SIGILL:
        return "ended by SIGILL: it was built for another processor"
    if done.returncode < 0:
        return f"ended by {signal.Signals(-done.returncode).name}"
    return (done.stderr.strip().splitlines() or ["ended without a word"])[-1][:300]
