"""Jobs in step (SyncReplicasOptimizer): where one task is killed or stopped all others wait for it, and it is named."""

import os
import signal

import pytest

pytestmark = pytest.mark.slow  # real TensorFlow servers

SECONDS = 240

PROGRAM = """
import tensorflow.compat.v1 as v1
from tf1ref import distributed

def train(task):
    with v1.Graph().as_default(), v1.device(task.device_setter()):
        w = v1.get_variable("w", [4], initializer=v1.zeros_initializer())
        optimizer = v1.train.GradientDescentOptimizer(1e-4)
        optimizer = v1.train.SyncReplicasOptimizer(optimizer, task.worker_count, task.worker_count)
        step = v1.train.get_or_create_global_step()
        train_op = optimizer.minimize(v1.nn.l2_loss(w - 1.0), global_step=step)
        with task.session(hooks=[optimizer.make_session_run_hook(task.is_chief)]) as session:
            for steps in range(1_000_000):
                session.run(train_op)
                if steps == 50:
                    open(f"{folder}/{job}-{index}.pid", "w").write(str(os.getpid()))

if __name__ == "__main__":
    if job == "ps": open(f"{folder}/ps-0.pid", "w").write(str(os.getpid()))
    distributed.run(train)
"""


@pytest.mark.parametrize(
    ("how", "name"), [("SIGKILL", "ps-0"), ("SIGKILL", "worker-0"), ("SIGKILL", "worker-1"), ("SIGSTOP", "worker-1")]
)
def test_the_task_all_others_wait_for_is_named(how, name, job):
    job.start(PROGRAM, "--stall-timeout", "10", description="sync")
    pids = {each: int(job.wait_for_file(f"{each}.pid", SECONDS)) for each in ("worker-0", "worker-1", "ps-0")}
    os.kill(pids[name], getattr(signal, how))
    code, _, err = job.end(SECONDS)
    what = "was killed by SIGKILL" if how == "SIGKILL" else "is stopped by a signal (SIGSTOP)"
    assert code == (1 if how == "SIGKILL" else 4) and f"error: {name.replace('-', ' ')} {what}" in err, err
    assert job.pids() == []
