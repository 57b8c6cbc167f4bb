"""A ps and two workers: launched and watched, by hand without anything around, and the same in one process."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import Contest

from tf1ref.cluster.contract import tf_config
from tf1ref.cluster.ports import Ports

SUBJECT = """\
An MLP of 784, 100, 10 units on a fixed batch of 100, asynchronous descent. "By hand": a server, a device setter and a
session in each process, no launcher, no hooks, no checkpoints. Steps are the global ones, from the moment when both
workers run; seconds are those from starting the job, of the slower worker."""
STEPS = 3000  # each worker makes so many
TASK = Path(__file__).with_name("cluster_task.py")
ROOT = TASK.parents[1]
LIMIT = 180  # seconds a job may take


def contests():
    """Yields the Contests: rates, then seconds."""
    rates = {"one process": one_process, "by hand": by_hand, "launched": launched}
    yield Contest(
        "1 ps, 2 workers", "steps/s", "by hand", {name: lambda job=job: job().rate for name, job in rates.items()}
    )
    yield Contest(
        "seconds",
        "s",
        "by hand, first steps",
        {
            "by hand, first steps": lambda: by_hand().first,
            "launched, first steps": lambda: launched().first,
            "launched, first steps after imports": lambda: launched().after_imports,
            "launched, a step after a killed ps": killed_ps,
        },
    )


class Outcome:
    """What a job's workers wrote into `folder`; `began`: when it was started."""

    def __init__(self, folder, began):
        workers = [json.loads(path.read_text()) for path in folder.glob("*.json")]
        self.first = max(worker["first"] for worker in workers) - began
        self.after_imports = max(worker["first"] - worker["imported"] for worker in workers)
        seconds = max(worker["ended"] for worker in workers) - min(worker["began"] for worker in workers)
        self.rate = STEPS * len(workers) / seconds


@contextlib.contextmanager
def _folder():
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def _start(command, **variables):
    own = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    return subprocess.Popen(command, env={**os.environ, **own}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _end(process):
    output, _ = process.communicate(timeout=LIMIT)
    if process.returncode:
        # A message of TensorFlow may quote a whole request: one line of thousands of letters.
        lines = [line[:300] for line in output.decode(errors="replace").splitlines()[-30:]]
        raise SystemExit("\n".join([f"the job failed ({process.returncode}):", *lines]))


def one_process():
    """The cluster of a ps and a worker that tf1ref.distributed makes where there is no TF_CONFIG."""
    with _folder() as folder:
        began = time.time()
        _end(_start([sys.executable, TASK, "watched", folder, str(STEPS)]))
        return Outcome(folder, began)


def by_hand():
    """Three processes, started as one would in three terminals."""
    with _folder() as folder, contextlib.closing(Ports()) as ports:
        hosts = {"ps": [_host(ports)], "worker": [_host(ports), _host(ports)]}
        began = time.time()
        command = [sys.executable, TASK, "bare", folder, str(STEPS)]
        ps, *workers = [
            _start(command, TF_CONFIG=tf_config(hosts, job, index))
            for job, index in (("ps", 0), ("worker", 0), ("worker", 1))
        ]
        try:
            for worker in workers:
                _end(worker)
        finally:
            for process in (ps, *workers):
                process.kill()
                process.communicate()
        return Outcome(folder, began)


def _host(ports):
    return f"localhost:{ports.pick()}"


def launched():
    """The same job through the launcher, watched, with a checkpoint folder."""
    with _folder() as folder:
        began = time.time()
        _end(_launch("watched", folder))
        return Outcome(folder, began)


def _launch(mode, folder):
    up = [sys.executable, "-m", "tf1ref.cluster", "up", "local", "--checkpoint-dir", folder / "kept"]
    return _start([*up, "--restart", "on-failure", "--", sys.executable, TASK, mode, folder, str(STEPS)])


def killed_ps():
    """Kills the ps while both workers train; returns the seconds that the longer waiting step took."""
    with _folder() as folder:
        process = _launch("recover", folder)
        limit = time.monotonic() + LIMIT
        while len(list(folder.glob("*.here"))) < 2 or not list(folder.glob("kept/*.index")):
            if process.poll() is not None or time.monotonic() > limit:
                process.kill()
                raise SystemExit("the job did not get to its first checkpoint")
            time.sleep(0.01)
        os.kill(int((folder / "ps.pid").read_text()), signal.SIGKILL)
        _end(process)
        return max(json.loads(path.read_text())["gap"] for path in folder.glob("*.json"))
