"""tf1ref.distributed inside real cluster tasks."""

import re
import shutil
import subprocess

import pytest

from tf1ref.cluster.contract import tf_config

pytestmark = pytest.mark.slow  # real TensorFlow servers

SECONDS = 240

# Two workers add one to a shared counter until it is at 300, and tell how often they did. The launcher starts the ps
# first: here it waits with its server until a worker is there.
COUNT = """
import pathlib
if job == "ps":
    while not list(pathlib.Path(folder).glob("*.up")): time.sleep(.05)
    time.sleep(1)
pathlib.Path(folder, f"{index}.up").touch()
import tensorflow.compat.v1 as v1
from tf1ref import distributed

def count(task):
    with v1.Graph().as_default(), v1.device(task.device_setter()):
        step = v1.train.get_or_create_global_step()
        assert step.device == "/job:ps/task:0", step.device
        add = v1.assign_add(step, 1, use_locking=True)
        with task.session(hooks=[v1.train.StopAtStepHook(last_step=300)]) as session:
            steps, trace, metadata = 0, v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE), v1.RunMetadata()
            while not session.should_stop():
                reached = session.run(add) if steps else session.run(add, options=trace, run_metadata=metadata)
                steps += 1
                # Nobody counts on before both do: a worker that starts late would find the work done.
                pathlib.Path(folder, f"{index}.counts").touch()
                while len(list(pathlib.Path(folder).glob("*.counts"))) < 2: time.sleep(.01)
    print("counted", task.index, steps, "of", int(reached), flush=True)
    print("traced", bool(metadata.step_stats.dev_stats), flush=True)
    print("interfaces", [name for _, name in __import__("socket").if_nameindex()], flush=True)

distributed.run(count)
"""


def test_two_workers_count_one_variable_in_a_job_of_its_own_network(job, no_namespaces):
    code, out, err = job.start(COUNT, *["--isolate"] * (not no_namespaces)).end(SECONDS)
    assert (code, err) == (0, ""), out
    steps = {index: int(steps) for index, steps in re.findall(r"counted (\d) (\d+) of", out)}
    reached = max(map(int, re.findall(r"counted \d \d+ of (\d+)", out)))
    # No increment is lost: together they are the counter's last value.
    assert set(steps) == {"0", "1"} and min(steps.values()) > 0 and sum(steps.values()) == reached >= 300
    assert re.findall("traced (.*)", out) == ["True", "True"]  # the program's own RunOptions reach TensorFlow
    interfaces = re.findall(r"interfaces \[(.*)\]", out)
    assert len(interfaces) == 2 and (no_namespaces or not any("eth" in names for names in interfaces))
    assert job.pids() == []


# The worker counts a variable up to 200; then it saves. The checkpoint of step 0 takes 800 kB of 1200, the next one
# finds no place.
SAVE = """
import tensorflow.compat.v1 as v1
from tf1ref import distributed

def count(task):
    with v1.Graph().as_default(), v1.device(task.device_setter()):
        v1.get_variable("ballast", [200_000])
        add = v1.assign_add(v1.train.get_or_create_global_step(), 1, use_locking=True)
        with task.session(save_checkpoint_steps=100) as session:
            while session.run(add) < 200:
                time.sleep(.01)

distributed.run(count)
"""
# What the shell mounts is seen by its own children alone, and gone with them.
SMALL_DISK = 'mkdir -p kept && mount -t tmpfs -o size=1200k none kept && "$@"; code=$?; ls kept; exit $code'


def can_mount():
    try:
        command = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
        return subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not can_mount(), reason="a small file system cannot be mounted here (unshare -rm mount)")
def test_a_full_disk_is_named_and_the_last_checkpoint_kept(job):
    job.prefix = (shutil.which("unshare"), "-rm", "sh", "-c", SMALL_DISK, "sh")
    (job.folder / "pair.yml").write_text("ps_hosts: [localhost:0]\nworker_hosts: [localhost:0]\n")
    code, out, err = job.start(SAVE, "--checkpoint-dir", "kept", description="pair.yml").end(SECONDS)
    assert code == 1 and "worker 0 exited with code 1" in err and "No space left on device" in err, out + err
    assert re.search(r"^model.ckpt-\d+.index$", out, re.M) and job.pids() == []


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
