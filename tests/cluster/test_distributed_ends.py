"""Tasks started by hand, without a launcher: every one ends by itself, with the exit code that says how."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tf1ref.cluster.contract import tf_config
from tf1ref.cluster.ports import Ports

pytestmark = pytest.mark.slow  # real TensorFlow servers

ROOT = pathlib.Path(__file__).parents[2]
NO_KERAS = pathlib.Path(__file__).parent / "no_keras"  # half of what importing TensorFlow costs
SECONDS = 240

# python task.py STEPS [PID]: adds one to a shared counter STEPS times; then stops the process PID.
PROGRAM = """
import os, signal, sys, time
import tensorflow.compat.v1 as v1
from tf1ref import distributed

def count(task):
    with v1.Graph().as_default(), v1.device(task.device_setter()):
        add = v1.assign_add(v1.train.get_or_create_global_step(), 1)
        with task.session() as session:
            for step in range(int(sys.argv[1])):
                reached = session.run(add)
                if step == 0:
                    print("first", int(reached), flush=True)
                time.sleep(.01)
            if sys.argv[2:]:
                os.kill(int(sys.argv[2]), signal.SIGSTOP)
    print("left", flush=True)

distributed.run(count)
"""

# python task.py FOLDER: counts, without end, with a checkpoint every 600 s: as the documentation's own example.
KEEP = """
import sys, time
import tensorflow.compat.v1 as v1
from tf1ref import distributed

def count(task):
    with v1.Graph().as_default(), v1.device(task.device_setter()):
        add = v1.assign_add(v1.train.get_or_create_global_step(), 1)
        with task.session(sys.argv[1]) as session:
            while not session.should_stop():
                reached = session.run(add)
                if reached == 50:
                    print("fifty", flush=True)
                time.sleep(.01)

distributed.run(count)
"""

# python task.py CLOSES: leaves through Python's own exit, the session still referred to, closed or not.
EXIT = """
import sys
import tensorflow.compat.v1 as v1
from tf1ref import distributed

task = distributed.Task.from_environment()
if task.is_ps:
    task.serve()
with v1.Graph().as_default(), v1.device(task.device_setter()):
    add = v1.assign_add(v1.train.get_or_create_global_step(), 1)
    session = task.session()
    raw = session._tf_sess()
    print("first", session.run(add), flush=True)
    sys.stdin.readline()
    if sys.argv[1] == "close":
        session.close()
sys.exit(7)
"""


class Cluster:
    """One ps and two workers, started one by one."""

    def __init__(self, folder, ports, program=PROGRAM):
        self._folder, self._started = folder, []
        self._hosts = {"ps": [_local(ports)], "worker": [_local(ports), _local(ports)]}
        (folder / "task.py").write_text(program)

    def start(self, job, index, *arguments):
        own = {"TF_CONFIG": tf_config(self._hosts, job, index), "TF_CPP_MIN_LOG_LEVEL": "3"}
        path = os.pathsep.join(filter(None, [str(NO_KERAS), str(ROOT), os.environ.get("PYTHONPATH")]))
        process = subprocess.Popen(
            [sys.executable, str(self._folder / "task.py"), *map(str, arguments)],
            env={**os.environ, **own, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._started.append(process)
        return process

    def kill(self):
        for process in self._started:
            process.kill()
            process.communicate()


def _local(ports):
    return f"localhost:{ports.pick()}"


@pytest.fixture
def cluster(tmp_path, request):
    ports = Ports()
    cluster = Cluster(tmp_path, ports, getattr(request, "param", PROGRAM))
    yield cluster
    cluster.kill()
    ports.close()


def test_a_chief_that_is_started_again_goes_on_with_the_live_model(cluster):
    ps = cluster.start("ps", 0)
    assert cluster.start("worker", 0, 50).communicate(timeout=SECONDS)[0] == "first 1\nleft\n"
    again = cluster.start("worker", 0, 50)
    assert again.communicate(timeout=SECONDS)[0] == "first 51\nleft\n" and again.returncode == 0
    ps.send_signal(signal.SIGTERM)
    assert ps.wait(SECONDS) == 0


def test_a_worker_ends_well_when_the_ps_no_longer_answers(cluster):
    ps = cluster.start("ps", 0)
    worker = cluster.start("worker", 0, 5, ps.pid)
    assert worker.communicate(timeout=SECONDS)[0] == "first 1\nleft\n" and worker.returncode == 0


def test_a_worker_that_is_stuck_on_a_stopped_ps_ends_by_a_signal(cluster):
    ps = cluster.start("ps", 0)
    worker = cluster.start("worker", 0, 100_000)
    assert worker.stdout.readline() == "first 1\n"
    ps.send_signal(signal.SIGSTOP)
    time.sleep(0.5)  # long enough for the worker to be inside a call that does not return
    worker.send_signal(signal.SIGINT)
    assert worker.wait(SECONDS) == 130


@pytest.mark.parametrize("cluster", [EXIT], indirect=True, ids=[""])
@pytest.mark.parametrize("closing", ["close", "leave open"])
def test_pythons_own_exit_neither_hangs_on_a_stopped_ps_nor_loses_the_exit_code(closing, cluster):
    ps, worker = cluster.start("ps", 0), cluster.start("worker", 0, closing)
    assert worker.stdout.readline() == "first 1\n"
    ps.send_signal(signal.SIGSTOP)
    worker.stdin.write("\n")
    worker.stdin.flush()
    assert worker.wait(SECONDS) == 7


@pytest.mark.parametrize("cluster", [KEEP], indirect=True, ids=[""])
def test_a_chief_that_is_asked_to_end_saves_once_more(cluster, tmp_path):
    ps = cluster.start("ps", 0)
    worker = cluster.start("worker", 0, tmp_path / "kept")
    assert worker.stdout.readline() == "fifty\n"
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(SECONDS) == 143
    steps = [int(path.stem.rpartition("-")[2]) for path in (tmp_path / "kept").glob("model.ckpt-*.index")]
    assert max(steps) >= 50
    ps.send_signal(signal.SIGINT)
    assert ps.wait(SECONDS) == 130
