"""`run`: a program under exec, in a process of its own that need not load TensorFlow first."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def forking():
    """The process that forks; ends with the tests."""
    command = [sys.executable, str(Path(__file__).with_name("forking.py"))]
    environment = {**os.environ, "DISPLAY": "", "WAYLAND_DISPLAY": "", "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=environment) as process:
        yield process
        process.stdin.close()
        process.wait(60)


@pytest.fixture
def run(forking, tmp_path):
    """Writes a program to the test's own folder and runs it there; returns what became of it."""

    def run(text, *arguments, options=(), name="program.py", **environment):
        (tmp_path / name).write_text(text) if isinstance(text, str) else (tmp_path / name).write_bytes(text)
        asked = {"cwd": str(tmp_path), "words": [*options, "--", name, *arguments], "env": environment}
        forking.stdin.write(json.dumps(asked) + "\n")
        forking.stdin.flush()
        return types.SimpleNamespace(**json.loads(forking.stdout.readline()))

    return run
