"""Real TensorFlow tasks, killed or stopped: every task, at its start, in its training, at its end, in three modes.

A job of each kind ends by itself, within its time-outs, and names the task; nothing of it is left. The suite runs a few
cells; FAILURE_TABLE=all runs all 54 of them, in half an hour, FAILURE_TABLE="classic ps-0" those of these words. Each
costs three TensorFlow processes.
"""

import concurrent.futures
import os
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

SECONDS = 280
TOGETHER = 3  # jobs at a time: they wait for each other's processor, and then for their time-outs

PROGRAM = """
TASK, WHERE, SIGNAL, IN_STEP = CELL

def hurt(where, of=f"{job}-{index}"):
    if (of, where) == (TASK, WHERE):
        os.kill(int(open(f"{folder}/{of}.pid").read()), SIGNAL)
        if of == f"{job}-{index}":
            time.sleep(60)  # a signal comes when it comes

# Before TensorFlow loads, which may take a busy machine longer than the start time-out.
open(f"{folder}/{job}-{index}.pid", "w").write(str(os.getpid()))
hurt("start")
import tensorflow.compat.v1 as v1
from tf1ref import distributed

def train(task):
    with v1.Graph().as_default(), v1.device(task.device_setter()):
        w = v1.get_variable("w", [4], initializer=v1.zeros_initializer())
        # A worker that fails when the chief is done does the job no harm: there the chief is never done.
        hooks = [v1.train.StopAtStepHook(last_step=10**6 if TASK == "worker-1" else 60)]
        optimizer = v1.train.GradientDescentOptimizer(1e-3)
        if IN_STEP:
            optimizer = v1.train.SyncReplicasOptimizer(optimizer, task.worker_count, task.worker_count)
            hooks.append(optimizer.make_session_run_hook(task.is_chief))
        step = v1.train.get_or_create_global_step()
        train_op = optimizer.minimize(v1.nn.l2_loss(w - 1.0), global_step=step)
        steps = 0
        with task.session(hooks=hooks) as session:
            while not session.should_stop() and (task.is_chief or TASK != "worker-1" or steps < 40):
                session.run(train_op)
                steps += 1
                time.sleep(.01)
                if steps == 10:
                    hurt("mid")
                    if task.is_chief: hurt("mid", "ps-0")
            hurt("end")
            if task.is_chief: hurt("end", "ps-0")

distributed.run(train)
"""

# The same as a script of TensorFlow 1 says it, launched as it is.
CLASSIC = """
import json, os, signal, time
TASK, WHERE, SIGNAL, IN_STEP = CELL
task = json.loads(os.environ["TF_CONFIG"])["task"]
here = "%s-%d" % (task["type"], task["index"])
open(here + ".pid", "w").write(str(os.getpid()))

def hurt(where, of=here):
    if (of, where) == (TASK, WHERE):
        os.kill(int(open(of + ".pid").read()), SIGNAL)
        if of == here:
            time.sleep(60)

hurt("start")
import tensorflow as tf
flags = tf.app.flags
flags.DEFINE_string("ps_hosts", "", ""); flags.DEFINE_string("worker_hosts", "", "")
flags.DEFINE_string("job_name", "", ""); flags.DEFINE_integer("task_index", 0, "")
FLAGS = flags.FLAGS
cluster = tf.train.ClusterSpec({"ps": FLAGS.ps_hosts.split(","), "worker": FLAGS.worker_hosts.split(",")})
server = tf.train.Server(cluster, FLAGS.job_name, FLAGS.task_index)
if FLAGS.job_name == "ps":
    server.join()
chief = FLAGS.task_index == 0
with tf.device(tf.train.replica_device_setter(worker_device="/job:worker/task:%d" % FLAGS.task_index, cluster=cluster)):
    w = tf.get_variable("w", [4], initializer=tf.zeros_initializer())
    train_op = tf.train.GradientDescentOptimizer(1e-3).minimize(
        tf.nn.l2_loss(w - 1.0), global_step=tf.train.get_or_create_global_step())
steps, hooks = 0, [tf.train.StopAtStepHook(last_step=10**6 if TASK == "worker-1" else 60)]
with tf.train.MonitoredTrainingSession(server.target, chief, "kept", hooks=hooks) as session:
    while not session.should_stop() and (chief or TASK != "worker-1" or steps < 40):
        session.run(train_op)
        steps += 1
        time.sleep(.01)
        if steps == 10:
            hurt("mid")
            if chief: hurt("mid", "ps-0")
    hurt("end")
    if chief: hurt("end", "ps-0")
"""

TASKS, WHEN, HOW = ("worker-0", "worker-1", "ps-0"), ("start", "mid", "end"), ("SIGKILL", "SIGSTOP")
MODES = ("local", "sync", "classic")
ALL = [(mode, task, where, how) for mode in MODES for task in TASKS for where in WHEN for how in HOW]
# Each task, each moment, each signal and each mode, and what is hardest: a ps that is only stopped.
FEW = [
    ("local", "worker-0", "start", "SIGKILL"),
    ("sync", "worker-1", "mid", "SIGSTOP"),
    ("classic", "ps-0", "end", "SIGSTOP"),
]


def wrong(job, mode, task, where, how):
    """Runs a job with one cell's failure; returns what it says where that is not what it should, or None."""
    cell = f"{task!r}, {where!r}, signal.{how}, {mode == 'sync'}"
    # Stopped at its start, a task keeps the others from theirs: that is the start time-out's.
    late = how == "SIGSTOP" and where == "start"
    options = ("--stall-timeout", "8", "--start-timeout", "60" if late else "200", "--grace", "2")
    # At its end a chief saves: it needs the ps once more.
    options += ("--checkpoint-dir", "kept")
    if mode == "classic":
        (job.folder / "script.py").write_text(CLASSIC.replace("CELL", cell))
        command = [sys.executable, "-m", "tf1ref", "exec", "script.py"]
        code, out, err = job.start_command(command, *options, description="local").end(SECONDS)
    else:
        code, out, err = job.start(PROGRAM.replace("CELL", cell), *options, description=mode).end(SECONDS)
    said = "was killed by SIGKILL" if how == "SIGKILL" else "is stopped by a signal (SIGSTOP)"
    codes = {1} if how == "SIGKILL" else {3, 4} if late else {4}
    right = code in codes and f"error: {task.replace('-', ' ')} {said}" in err
    return None if right and job.pids() == [] else f"{mode} {task} {where} {how}: {code}, {job.pids()}, {err[:300]}"


def test_whoever_it_is_the_job_ends_and_names_it(jobs):
    words = os.environ.get("FAILURE_TABLE", "").replace("all", "").split()
    cells = [cell for cell in ALL if {*words} <= {*cell}] if "FAILURE_TABLE" in os.environ else FEW
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
        running = [pool.submit(wrong, jobs(), *cell) for cell in cells]
    assert [found for each in running if (found := each.result())] == []
