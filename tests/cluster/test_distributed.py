"""tf1ref.distributed inside real cluster tasks."""

import os
import pathlib
import subprocess
import sys

import pytest

from tf1ref.cluster.contract import tf_config
from tf1ref.cluster.ports import Ports

pytestmark = pytest.mark.slow  # real TensorFlow servers

ROOT = pathlib.Path(__file__).parents[2]
NO_KERAS = pathlib.Path(__file__).parent / "no_keras"  # half of what importing TensorFlow costs
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
SECONDS = 240

# Every worker adds one to a shared counter until it has reached LAST, and tells how often it did.
COUNT = """
import pathlib
import tensorflow.compat.v1 as v1
from tf1ref import distributed

LAST = 300

def count(task):
    with v1.Graph().as_default(), v1.device(task.device_setter()):
        step = v1.train.get_or_create_global_step()
        assert step.device == "/job:ps/task:0", step.device
        add = v1.assign_add(step, 1, use_locking=True)
        with task.session(CHECKPOINTS, hooks=[v1.train.StopAtStepHook(last_step=LAST)]) as session:
            steps = 0
            while not session.should_stop():
                reached = session.run(add)
                steps += 1
                HOOK
    print("counted", task.index, "alone" if task.alone else "", steps, "of", int(reached), flush=True)

if __name__ == "__main__":
    distributed.run(count)
"""
# Nobody counts before both are there: a worker that starts late would find the work done.
MEET = """
                pathlib.Path(folder, f"{index}.here").touch()
                while len(list(pathlib.Path(folder).glob("*.here"))) < 2: time.sleep(.01)
"""


def program(hook="", checkpoints="None"):
    return COUNT.replace("                HOOK\n", hook).replace("CHECKPOINTS", checkpoints)


def alone(text, folder, **variables):
    """Runs the program `text` by itself; returns the finished process."""
    (folder / "alone.py").write_text("import time\nindex, folder = 0, '.'\n" + text)
    path = os.pathsep.join(filter(None, [str(NO_KERAS), str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "alone.py"],
        env={**os.environ, **QUIET, "PYTHONPATH": path, **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def test_two_workers_count_one_variable(job):
    code, out, err = job.start(program(MEET)).end(SECONDS)
    assert (code, err) == (0, "")
    counted = [line.split() for line in out.splitlines() if "] counted " in line]
    steps = {words[3]: int(words[4]) for words in counted}
    # No increment is lost: together they are the counter's last value.
    assert set(steps) == {"0", "1"} and min(steps.values()) > 0
    assert sum(steps.values()) == max(int(words[6]) for words in counted) >= 300
    assert job.pids() == []


def test_the_same_program_runs_alone_and_goes_on_from_its_checkpoint(tmp_path):
    done = alone(program(checkpoints="'saved'"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "counted 0 alone 300 of 300" in done.stdout
    more = program(checkpoints="'saved'").replace("LAST = 300", "LAST = 310")
    assert "counted 0 alone 10 of 310" in alone(more, tmp_path).stdout


def test_a_program_that_raises_ends_with_what_it_raised(tmp_path):
    done = alone(program("                raise RuntimeError('no data')\n"), tmp_path)
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == "RuntimeError: no data"


@pytest.fixture
def ports():
    ports = Ports()
    yield ports
    ports.close()


def test_a_missing_ps_is_named_in_time(ports, tmp_path):
    ps, worker = f"localhost:{ports.pick()}", f"localhost:{ports.pick()}"
    text = program().replace("run(count)", "run(count, start_timeout=1.0)")
    done = alone(text, tmp_path, TF_CONFIG=tf_config({"ps": [ps], "worker": [worker]}, "worker", 0))
    assert done.returncode == 3
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"tf1ref: error: ps 0 at {ps}: Connection refused after 1 s")


@pytest.mark.parametrize(
    "text, word",
    [
        ("{", "TF_CONFIG: JSONDecodeError"),
        ("[]", "TF_CONFIG: TypeError"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}', "the cluster has no ps"),
        (tf_config({"ps": ["a:1"], "worker": ["b:1"]}, "worker", 1), "there is no worker 1"),
        (tf_config({"ps": ["a"], "worker": ["b:1"]}, "ps", 0), "'a' is no address"),
        ('{"cluster": {"ps": ["a:1"], "worker": ["b:1"]}}', "KeyError: 'task'"),
    ],
)
def test_tf_config_that_cannot_be_used(text, word, monkeypatch):
    from tf1ref import distributed
    from tf1ref.errors import InputError

    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=word) as caught:
        distributed.Task.from_environment()
    assert "\n" not in str(caught.value)


def test_a_description_that_names_no_task():
    from tf1ref import distributed
    from tf1ref.errors import InputError

    with pytest.raises(InputError, match="add job_name"):
        distributed.Task.from_description("local.yml")
