"""`run`: a program under exec, in a process of its own."""

import os
import subprocess

import pytest


@pytest.fixture
def run(keras_python, tmp_path):
    """Writes a program to the test's own folder and runs it there; returns the CompletedProcess (text)."""

    def run(text, *arguments, options=(), name="program.py", **environment):
        (tmp_path / name).write_text(text) if isinstance(text, str) else (tmp_path / name).write_bytes(text)
        command = [keras_python, "-m", "tf1ref.compat", *options, "--", name, *arguments]
        environment = {**os.environ, "DISPLAY": "", "WAYLAND_DISPLAY": "", **environment}
        return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment)

    return run
