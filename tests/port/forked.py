"""A Python process that starts at once: forked from one that has loaded TensorFlow, in 4 s, and has not used it.

`run` stands in for subprocess.run. The new process runs this file, with `job` among its globals.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tensorflow.compat.v1"])


def run(command, cwd=".", env=None, timeout=240, **_):
    """Runs [python, options..., FILE or -m MODULE, arguments...]; returns the CompletedProcess, its output as text."""
    words = [word for word in command[1:] if word not in ("-I", "-B")]
    with tempfile.TemporaryDirectory() as scratch:
        job = {"words": words, "cwd": os.path.abspath(cwd), "env": dict(env or os.environ), "scratch": scratch}
        process = FORKS.Process(target=runpy.run_path, args=(__file__, {"job": job}, "forked_child"))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, timeout)
        out, err = ((Path(scratch) / name).read_text() for name in ("out", "err"))
    return subprocess.CompletedProcess(command, process.exitcode, out, err)


def _become(words, cwd, env, scratch):
    for number, name in (1, "out"), (2, "err"):
        os.dup2(os.open(os.path.join(scratch, name), os.O_WRONLY | os.O_CREAT), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = env.get("PYTHONPATH", "").split(os.pathsep)
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path.insert(0, cwd)
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, os.path.dirname(os.path.join(cwd, words[0])))
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "forked_child":
    _become(**job)  # noqa: F821
