"""tf1ref.distributed under the launcher's watch: what stalls is named, what is killed comes back. Real servers."""

import os
import re
import signal

import pytest

pytestmark = pytest.mark.slow  # real TensorFlow servers, which a busy machine starts in half a minute

SECONDS = 240

# Two workers count one variable up to LAST; at step 50 of its own, each tells its pid.
PROGRAM = """
import tensorflow.compat.v1 as v1
from tf1ref import distributed

def count(task):
    with v1.Graph().as_default(), v1.device(task.device_setter()):
        add = v1.assign_add(v1.train.get_or_create_global_step(), 1, use_locking=True)
        hooks = [v1.train.StopAtStepHook(last_step=LAST)]
        with task.session(hooks=hooks, save_checkpoint_steps=20) as session:
            steps = 0
            while not session.should_stop():
                reached = session.run(add)
                steps += 1
                time.sleep(.01)
                if steps == 50:
                    open(f"{folder}/{job}-{index}.counts", "w").write(str(os.getpid()))
    print("counted to", int(reached), flush=True)

if __name__ == "__main__":
    if job == "ps": open(f"{folder}/ps-0.counts", "w").write(str(os.getpid()))
    distributed.run(count)
"""


def program(last):
    return PROGRAM.replace("LAST", str(last))


def pids(job):
    """Returns {task: pid} once both workers count."""
    names = ("worker-0", "worker-1", "ps-0")
    return {name: int(job.wait_for_file(f"{name}.counts", SECONDS)) for name in names}


def checkpoint(job):
    """Returns the newest checkpoint's step, or 0."""
    return max((int(path.suffixes[-2].rpartition("-")[2]) for path in job.folder.glob("kept/*.index")), default=0)


KEEP = ("--restart", "on-failure", "--checkpoint-dir", "kept")


def test_a_killed_ps_comes_back_with_the_checkpoint(job):
    job.start(program(last=600), *KEEP)
    found = pids(job)
    saved = job.wait_for(lambda: checkpoint(job))
    os.kill(found["ps-0"], signal.SIGKILL)
    code, out, err = job.end(SECONDS)
    assert code == 0 and "alarm" not in err, out + err
    assert "ps 0 was killed by SIGKILL" in out and "starting it again" in out
    # Who makes the last step says so; the other may have been told to stop with the answer of the step before it.
    reached = [int(step) for step in re.findall(r"counted to (\d+)", out)]
    assert len(reached) == 2 and max(reached) >= 600
    assert checkpoint(job) >= 600 and job.pids() == []
    # No step is lost beyond the checkpoint that was there when the ps was killed.
    for step in re.findall(r"the global step fell from \d+ to (\d+), after the restart of a ps", out):
        assert int(step) >= saved


def test_a_killed_chief_goes_on_with_the_live_model(job):
    job.start(program(last=800), *KEEP)
    os.kill(pids(job)["worker-0"], signal.SIGKILL)
    code, out, err = job.end(SECONDS)
    assert (code, err) == (0, ""), out + err
    assert "worker 0 was killed by SIGKILL" in out and "starting it again" in out and "fell from" not in out
    assert out.count("counted to") == 2 and job.pids() == []


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


def test_a_chief_in_step_that_raised_goes_on_with_the_live_model(job):
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
