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

# python task.py STEPS [FILE]: adds one to a shared counter STEPS times; then stops the process whose number is in FILE.
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
                os.kill(int(open(sys.argv[2]).read()), signal.SIGSTOP)
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

# python task.py LAST [FAILS]: adds one to a counter until it is LAST, or fails at once; keeps it in `saved`.
ALONE = """
import sys
import tensorflow.compat.v1 as v1
from tf1ref import distributed

def count(task):
    with v1.Graph().as_default(), v1.device(task.device_setter()):
        add = v1.assign_add(v1.train.get_or_create_global_step(), 1)
        hooks, steps = [v1.train.StopAtStepHook(last_step=int(sys.argv[1]))], 0
        with task.session("saved", hooks=hooks) as session:
            while not session.should_stop():
                reached = session.run(add)
                steps += 1
                if sys.argv[2:]:
                    raise RuntimeError("no data")
    print("counted", "alone" if task.alone else "", steps, "of", int(reached), flush=True)

distributed.run(count, start_timeout=1.0)
"""


class Cluster:
    """One ps and two workers, started one by one; `python` runs them."""

    def __init__(self, folder, ports, python, program=PROGRAM):
        self.folder, self.python, self._started = folder, python, []
        self._hosts = {"ps": [_local(ports)], "worker": [_local(ports), _local(ports)]}
        tell = "import os, pathlib\npathlib.Path(os.environ['PID_FILE']).write_text(str(os.getpid()))\n"
        (folder / "task.py").write_text(tell + program)

    def start(self, job, index, *arguments, python=None):
        path = os.pathsep.join(filter(None, [str(NO_KERAS), str(ROOT), os.environ.get("PYTHONPATH")]))
        own = {"TF_CONFIG": tf_config(self._hosts, job, index), "PID_FILE": f"{job}.pid", "PYTHONPATH": path}
        process = subprocess.Popen(
            [python or self.python, str(self.folder / "task.py"), *map(str, arguments)],
            env={**os.environ, **own},
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._started.append(process)
        return process

    @property
    def ps_pid(self):
        """The ps's own process number, once a worker has talked to it: what was started may stand in for it."""
        return int((self.folder / "ps.pid").read_text())

    def kill(self):
        for process in self._started:
            process.kill()
            process.communicate()


def _local(ports):
    return f"localhost:{ports.pick()}"


@pytest.fixture
def cluster(tmp_path, started_python, request):
    ports = Ports()
    cluster = Cluster(tmp_path, ports, started_python, getattr(request, "param", PROGRAM))
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
    cluster.start("ps", 0)
    worker = cluster.start("worker", 0, 5, "ps.pid")
    assert worker.communicate(timeout=SECONDS)[0] == "first 1\nleft\n" and worker.returncode == 0


def test_a_worker_that_is_stuck_on_a_stopped_ps_ends_by_a_signal(cluster):
    cluster.start("ps", 0)
    worker = cluster.start("worker", 0, 100_000)
    assert worker.stdout.readline() == "first 1\n"
    os.kill(cluster.ps_pid, signal.SIGSTOP)
    time.sleep(0.5)  # long enough for the worker to be inside a call that does not return
    worker.send_signal(signal.SIGINT)
    assert worker.wait(SECONDS) == 130


@pytest.mark.parametrize("cluster", [EXIT], indirect=True, ids=[""])
@pytest.mark.parametrize("closing", ["close", "leave open"])
def test_pythons_own_exit_neither_hangs_on_a_stopped_ps_nor_loses_the_exit_code(closing, cluster):
    cluster.start("ps", 0)
    worker = cluster.start("worker", 0, closing, python=sys.executable)  # what is started another way has no such exit
    assert worker.stdout.readline() == "first 1\n"
    os.kill(cluster.ps_pid, signal.SIGSTOP)
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


@pytest.fixture
def alone(tmp_path, started_python):
    """Runs ALONE by itself; returns the finished process."""

    def run(*arguments, **variables):
        (tmp_path / "alone.py").write_text(ALONE)
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        return subprocess.run(
            [started_python, "alone.py", *arguments],
            env={**os.environ, "PYTHONPATH": path, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    return run


def test_the_same_program_runs_alone_and_goes_on_from_its_checkpoint(alone):
    done = alone("60")
    assert done.returncode == 0 and "counted alone 60 of 60" in done.stdout, done.stderr
    assert "counted alone 10 of 70" in alone("70").stdout


def test_a_program_that_raises_ends_with_what_it_raised(alone):
    done = alone("60", "fails")
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == "RuntimeError: no data"


# 192.0.2.1 of RFC 5737 is nobody's: packets to it get no answer, or are refused on the way.
@pytest.mark.parametrize(("host", "problem"), [("localhost", "Connection refused"), ("192.0.2.1", "")])
def test_a_ps_that_is_not_there_is_named_in_time(host, problem, alone):
    ports = Ports()
    ps, worker = f"{host}:{ports.pick()}", _local(ports)
    done = alone("60", TF_CONFIG=tf_config({"ps": [ps], "worker": [worker]}, "worker", 0))
    ports.close()
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 3 and last.startswith(f"tf1ref: error: ps 0 at {ps}: {problem}"), done.stderr
    assert last.endswith(" after 1 s; start it")
