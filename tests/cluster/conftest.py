import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]
NO_KERAS = pathlib.Path(__file__).parent / "no_keras"
SECONDS = 60  # nothing here takes that long on a busy machine either; a test that waits so long has failed


def _as_from_a_terminal():
    """What a runner in the background (nohup, `&` in a script) hands down is that SIGINT and SIGHUP are ignored."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Job:
    """`python -m tf1ref.cluster up` as a process of its own, over a program that the test writes."""

    def __init__(self, folder):
        self.folder = folder
        # Every process of the job inherits it, also those that leave its process group and its session.
        self._mark = f"CLUSTER_TEST={folder}"
        self.process = None
        self.python = sys.executable  # runs the tasks
        self.prefix = ()  # words before the launcher's command, such as those that enter a namespace

    def start(self, program, *options, description="local", verb=("up",)):
        """Starts the job; `program` is Python text that finds `job`, `index` and `folder` defined."""
        head = "import json, os, signal, subprocess, sys, time\n"
        head += "task = json.loads(os.environ['TF_CONFIG'])['task']\n"
        head += f"job, index, folder = task['type'], task['index'], {str(self.folder)!r}\n"
        (self.folder / "task.py").write_text(head + program)
        command = [self.python, str(self.folder / "task.py")]
        return self.start_command(command, *options, description=description, verb=verb)

    def start_command(self, command, *options, description="local", verb=("up",)):
        self.process = subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "tf1ref.cluster", *verb, str(description), *options, "--", *command],
            env=self.environment(),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_as_from_a_terminal,
        )
        return self

    def environment(self):
        name, _, value = self._mark.partition("=")
        path = os.pathsep.join(filter(None, [str(NO_KERAS), str(ROOT), os.environ.get("PYTHONPATH")]))
        own = {name: value, "PYTHONPATH": path, "TMPDIR": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder)}
        return {**os.environ, **own}

    def ask(self, *arguments):
        """Runs `python -m tf1ref.cluster` with `arguments` beside the job; returns exit code, output and errors."""
        command = [sys.executable, "-m", "tf1ref.cluster", *map(str, arguments)]
        done = subprocess.run(
            command, env=self.environment(), cwd=self.folder, capture_output=True, text=True, timeout=SECONDS
        )
        return done.returncode, done.stdout, done.stderr

    def end(self, seconds=SECONDS):
        """Waits for the launcher; returns its exit code, standard output and standard error."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err

    def pids(self):
        """Every process of this job, the launcher's too."""
        return [int(p.name) for p in pathlib.Path("/proc").iterdir() if p.name.isdigit() and self._owns(p)]

    def _owns(self, process):
        try:
            return self._mark.encode() in (process / "environ").read_bytes().split(b"\0")
        except OSError:
            return False

    def wait_for_file(self, name, seconds=SECONDS):
        """Returns the text of the file `name` that a task writes, once it is there and not empty."""
        path = self.folder / name
        return self.wait_for(lambda: path.exists() and path.read_text(), seconds)

    @staticmethod
    def wait_for(found, seconds=SECONDS):
        """Returns the first true value of `found()`; fails after `seconds`."""
        limit = time.monotonic() + seconds
        while not (value := found()):
            assert time.monotonic() < limit, f"nothing after {seconds} s"
            time.sleep(0.05)
        return value

    def clean(self):
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self.process is not None:
            self.process.communicate()


@pytest.fixture
def job(tmp_path):
    job = Job(tmp_path)
    yield job
    job.clean()


@pytest.fixture
def started_job(job, started_python):
    """A job whose tasks have TensorFlow loaded when they start. Not for tasks that are stopped, nor with --isolate:
    the process that works is another one than that which the launcher starts.
    """
    job.python = started_python
    return job


@pytest.fixture
def jobs(tmp_path_factory):
    """Makes Jobs, as many as are asked for."""
    made = []

    def make():
        made.append(Job(tmp_path_factory.mktemp("job")))
        return made[-1]

    yield make
    for job in made:
        job.clean()


@pytest.fixture(scope="session")
def no_namespaces():
    """Why this machine cannot make a network namespace, or "" where it can."""
    code = "from tf1ref.cluster import isolation; isolation.enter()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    return done.stderr.strip().rpartition("\n")[2]


@pytest.fixture
def namespaces(no_namespaces):
    """Leaves the test out where there are none."""
    if no_namespaces:
        pytest.skip(f"no network namespaces here: {no_namespaces}")
