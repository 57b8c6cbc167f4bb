"""tf1ref.distributed under the launcher's watch: what stalls is named, what is killed comes back. Real servers."""

import json
import os
import re
import signal

import pytest

pytestmark = pytest.mark.slow  # real TensorFlow servers, which a busy machine starts in half a minute

SECONDS = 240

# Two workers count one variable until the file `enough` is there; each tells its pid once it has counted 50 times.
PROGRAM = """
import tensorflow.compat.v1 as v1
from tf1ref import distributed

def count(task):
    with v1.Graph().as_default(), v1.device(task.device_setter()):
        add = v1.assign_add(v1.train.get_or_create_global_step(), 1, use_locking=True)
        with task.session(save_checkpoint_steps=20) as session:
            steps = 0
            while not os.path.exists(f"{folder}/enough"):
                reached = session.run(add)
                steps += 1
                time.sleep(.01)
                if steps == 50:
                    open(f"{folder}/{job}-{index}.{os.getpid()}", "w")
    print("counted to", int(reached), flush=True)

if job == "ps": open(f"{folder}/ps-0.{os.getpid()}", "w")
distributed.run(count)
"""
KEEP = ("--restart", "on-failure", "--checkpoint-dir", "kept")


def pids(job, name, count):
    """Returns the process numbers that the task `name` has told, once there are `count`: one a start."""

    def told():
        found = sorted(job.folder.glob(f"{name}.[0-9]*"), key=lambda path: path.stat().st_mtime_ns)
        return found if len(found) >= count else []

    return [int(path.suffix[1:]) for path in job.wait_for(told, SECONDS)]


def tasks(job, name):
    """Returns what the launcher tells of each task under `name`, in the order ps 0, worker 0, worker 1."""
    return [task[name] for task in json.loads((job.folder / "logs" / "job.json").read_text())["tasks"]]


def checkpoint(job):
    """Returns the newest checkpoint's step, or 0."""
    return max((int(path.suffixes[-2].rpartition("-")[2]) for path in job.folder.glob("kept/*.index")), default=0)


def test_a_killed_chief_goes_on_with_the_live_model_and_a_killed_ps_with_the_checkpoint(started_job):
    job = started_job
    job.start(PROGRAM, *KEEP, "--log-dir", "logs")
    assert pids(job, "worker-1", 1)
    os.kill(pids(job, "worker-0", 1)[0], signal.SIGKILL)
    assert len(pids(job, "worker-0", 2)) == 2
    saved = job.wait_for(lambda: checkpoint(job))
    os.kill(pids(job, "ps-0", 1)[0], signal.SIGKILL)
    assert len(pids(job, "ps-0", 2)) == 2
    made = tasks(job, "made")[1:]
    job.wait_for(lambda: all(now >= before + 50 for now, before in zip(tasks(job, "made")[1:], made)), SECONDS)
    (job.folder / "enough").touch()
    code, out, err = job.end(SECONDS)
    # A step that falls because of the chief would be an alarm, among the errors.
    assert (code, err) == (0, ""), out + err
    for name in ("worker 0", "ps 0"):
        assert f"{name} was killed by SIGKILL" in out
    assert out.count("starting it again") == 2 and out.count("counted to") == 2
    # No step is lost beyond the checkpoint that was there when the ps was killed.
    for step in re.findall(r"the global step fell from \d+ to (\d+), after the restart of a ps", out):
        assert int(step) >= saved
    (reached,) = re.findall(r"\[worker 0\] counted to (\d+)", out)
    assert checkpoint(job) >= int(reached) and job.pids() == []


IN_STEP = """
import tensorflow.compat.v1 as v1
from tf1ref import distributed

def train(task):
    with v1.Graph().as_default(), v1.device(task.device_setter()):
        w = v1.get_variable("w", [4], initializer=v1.zeros_initializer())
        optimizer = v1.train.SyncReplicasOptimizer(v1.train.GradientDescentOptimizer(1e-3), 2, 2)
        hooks = [optimizer.make_session_run_hook(task.is_chief), v1.train.StopAtStepHook(last_step=200)]
        step = v1.train.get_or_create_global_step()
        train_op = optimizer.minimize(v1.nn.l2_loss(w - 1.0), global_step=step)
        first = None
        with task.session(hooks=hooks) as session:
            while not session.should_stop():
                _, reached = session.run([train_op, step])
                first = reached if first is None else first
                if task.is_chief and reached > 80 and not os.path.exists(f"{folder}/raised"):
                    open(f"{folder}/raised", "w").write(str(reached))
                    raise RuntimeError("once")
    print(f"made {first} to {reached}", flush=True)

distributed.run(train)
"""


def test_a_chief_in_step_that_raised_goes_on_with_the_live_model(started_job):
    job = started_job
    code, out, err = job.start(IN_STEP, *KEEP, description="sync").end(SECONDS)
    assert (code, err) == (0, ""), out + err
    assert "RuntimeError: once" in out and out.count("starting it again") == 1 and "fell from" not in out
    # Its queues on the ps stay open: the other worker trains to the end, and has no word to say of the closing.
    made = dict(re.findall(r"\[worker (.)\] made (\d+ to \d+)", out))
    raised = int(job.wait_for_file("raised"))
    assert int(made["0"].split()[0]) >= raised and {each.split()[2] for each in made.values()} <= {"199", "200"}
    assert "Exception in thread" not in out and job.pids() == []


def test_variables_are_placed_by_size():
    import tensorflow.compat.v1 as v1

    from tf1ref.distributed.session import BySize

    cluster = v1.train.ClusterSpec({"ps": ["a:1", "b:1"], "worker": ["c:1"]})
    with v1.Graph().as_default(), v1.device(v1.train.replica_device_setter(cluster=cluster, ps_strategy=BySize(2))):
        sizes = {"big": [1000], "one": [300], "two": [300], "three": [300], "four": [200], "last": [1]}
        found = {name: v1.get_variable(name, shape).device for name, shape in sizes.items()}
    # Bytes: 4000 on the first, 1200, 2400, 3600, then 4400 on the second, which is then the fuller one.
    places = {name: int(device.rpartition(":")[2]) for name, device in found.items()}
    assert places == {"big": 0, "one": 1, "two": 1, "three": 1, "four": 1, "last": 0}
