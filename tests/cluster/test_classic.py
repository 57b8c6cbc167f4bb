"""Classic ps/worker scripts under `tf1ref exec`, launched as they are: who trains, what is told, what is kept."""

import json
import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # real TensorFlow servers

SECONDS = 280

HEAD = """
import os, sys, time
import numpy as np
import tensorflow as tf
flags = tf.app.flags
flags.DEFINE_string("ps_hosts", "", ""); flags.DEFINE_string("worker_hosts", "", "")
flags.DEFINE_string("job_name", "", ""); flags.DEFINE_integer("task_index", 0, "")
flags.DEFINE_integer("steps", 150, ""); flags.DEFINE_string("dir", "", "")
FLAGS = flags.FLAGS
# The hosts that the script was written for: nobody has them here.
cluster = tf.train.ClusterSpec({"ps": ["ps-machine:2222"], "worker": ["machine-1:2222", "machine-2:2222"]})
server = tf.train.Server(cluster, job_name=FLAGS.job_name, task_index=FLAGS.task_index)
if FLAGS.job_name == "ps":
    server.join()
chief = FLAGS.task_index == 0
with tf.device(tf.train.replica_device_setter(
        worker_device="/job:worker/task:%d" % FLAGS.task_index, cluster=cluster)):
    step = tf.train.get_or_create_global_step()
    w = tf.get_variable("w", [4], initializer=tf.zeros_initializer())
    loss = tf.reduce_mean(tf.square(w - 1.0))
"""
ASYNC = HEAD + "    train = tf.train.GradientDescentOptimizer(.01).minimize(loss, global_step=step)\n"
# MonitoredTrainingSession; the chief begins two seconds late.
MONITORED = (
    ASYNC
    + """
if chief: time.sleep(2)
made = 0
hooks = [tf.train.StopAtStepHook(last_step=FLAGS.steps)]
with tf.train.MonitoredTrainingSession(server.target, chief, FLAGS.dir or None, hooks=hooks) as session:
    while not session.should_stop():
        session.run(train)
        made += 1
        time.sleep(.005)
"""
)
SUPERVISED = (
    ASYNC
    + """
sv = tf.train.Supervisor(is_chief=chief, logdir=FLAGS.dir or None, global_step=step, summary_op=None)
with sv.prepare_or_wait_for_session(server.target) as session:
    found = 0
    while not sv.should_stop() and found < FLAGS.steps:
        _, found = session.run([train, step])
        time.sleep(.005)
sv.stop()
"""
)


def start(job, program, *words, options=(), counts=("--ps", "1", "--workers", "2")):
    (job.folder / "script.py").write_text(program)
    command = [sys.executable, "-m", "tf1ref.cluster", "up", *counts, "--log-dir", "logs", "--start-timeout", "200"]
    job.process = subprocess.Popen(
        [*command, *options, "--", job.python, "-m", "tf1ref", "exec", "script.py", *words],
        cwd=job.folder,
        env=job.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return job


# As on a loaded machine: the program's own end, which closes its session, overtakes the save.
SLOW_SAVER = """
import time, tensorflow as tf
save = tf.train.Saver.save
tf.train.Saver.save = lambda *args, **kwargs: (time.sleep(1), save(*args, **kwargs))[1]
"""
ENDLESS = ("--steps=1000000", "--dir=kept")


def state(job, *names):
    """What the launcher tells of the workers: {name: [task[name] for each]}, {} before it does."""
    path = job.folder / "logs" / "job.json"
    tasks = json.loads(path.read_text())["tasks"] if path.exists() else []
    found = [task for task in tasks if not task["name"].startswith("ps")]
    return {name: [task[name] for task in found] for name in names}


def all_trained(job, steps):
    """The highest global step, once every worker has made `steps` of its own; else None."""
    found = state(job, "made", "step")
    ready = found["made"] and all(made is not None and made >= steps for made in found["made"])
    return max(found["step"]) if ready and None not in found["step"] else None


def kept_at_the_end(job, words):
    """Asks the job to end once both workers train; asserts that the last step is kept. Returns its output."""
    reached = job.wait_for(lambda: all_trained(job, 20), SECONDS)
    job.process.send_signal(signal.SIGTERM)
    code, out, err = job.end(SECONDS)
    assert (code, err) == (130, "") and all(word in out for word in words), out
    saved = [int(path.stem.rpartition("-")[2]) for path in (job.folder / "kept").glob("model.ckpt-*.index")]
    assert max(saved) >= reached and job.pids() == []
    return out


def test_a_supervisors_job_trains_on_every_worker_and_keeps_its_last_step(started_job):
    job = start(started_job, SLOW_SAVER + SUPERVISED, *ENDLESS)
    out = kept_at_the_end(job, ["the program names hosts of its own (ps-machine:2222, machine-1:2222"])
    assert out.count("the launcher fills in --") == 3


CLOSED_FIRST = """
import socket
import tensorflow as tf
taken = [socket.create_server(("localhost", 0)) for _ in range(2)]
ps, worker = ["localhost:%d" % each.getsockname()[1] for each in taken]
for each in taken: each.close()
cluster = tf.train.ClusterSpec({"ps": [ps], "worker": [worker]})
servers = [tf.train.Server(cluster, job, 0) for job in ("ps", "worker")]
with tf.device(tf.train.replica_device_setter(cluster=cluster)):
    step = tf.train.get_or_create_global_step()
    add = tf.assign_add(step, 1)
    queue = tf.FIFOQueue(1, [tf.int32])
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(1)]))  # it waits for room in the queue
    size = queue.size()
sv = tf.train.Supervisor(global_step=step, summary_op=None)
with sv.prepare_or_wait_for_session(servers[1].target) as session:
    while session.run(size) == 0 or session.run(add) < 20: pass
sv.stop()
print("stopped")
"""


def test_a_session_that_is_closed_before_its_supervisor_stops_is_no_failure(tf1ref, tmp_path):
    (tmp_path / "script.py").write_text(CLOSED_FIRST)
    done = tf1ref("exec", "script.py")
    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr


def test_a_monitored_sessions_chief_comes_back_to_the_live_model_and_keeps_the_last_step(started_job):
    options = ("--restart", "on-failure", "--checkpoint-dir", "kept")
    job = start(started_job, SLOW_SAVER + MONITORED, *ENDLESS, options=options)
    before = job.wait_for(lambda: all_trained(job, 20), SECONDS)
    os.kill(state(job, "pid")["pid"][0], signal.SIGKILL)
    # A step that falls would be an alarm.
    job.wait_for(lambda: state(job, "restarts")["restarts"] == [1, 0], SECONDS)
    kept_at_the_end(job, ["the ps processes hold a live model: the chief goes on with it"])
    assert state(job, "step")["step"][0] > before


def test_a_worker_that_stands_still_is_seen(started_job):
    job = started_job
    stuck = MONITORED.replace("made += 1", "made += 1\n        if made == 20 and not chief: time.sleep(600)")
    code, out, err = start(job, stuck, *ENDLESS[:1], options=("--stall-timeout", "8")).end(SECONDS)
    assert code == 4 and "worker 1 has been at step" in err and "in its own code" in err, err
    assert job.pids() == []


ESTIMATOR = """
import json, os
import numpy as np
import tensorflow as tf
def model_fn(features, labels, mode):
    y = tf.layers.dense(features["x"], 1, name="d")
    loss = tf.losses.mean_squared_error(labels, y)
    train = tf.train.GradientDescentOptimizer(.01).minimize(loss, tf.train.get_global_step())
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train, predictions=y)
def data():
    x = np.random.RandomState(0).randn(64, 3).astype(np.float32)
    return tf.data.Dataset.from_tensor_slices(({"x": x}, x.sum(1, keepdims=True)))
config = tf.estimator.RunConfig("model", save_checkpoints_steps=50)
names = "task_type", "task_id", "is_chief", "num_ps_replicas", "num_worker_replicas", "master"
said = {name: getattr(config, name) for name in names}
said["cluster"] = config.cluster_spec.as_dict()
open("%s-%d.json" % (config.task_type, config.task_id), "w").write(json.dumps(said))
spec = tf.estimator.EvalSpec(lambda: data().batch(8), steps=4, start_delay_secs=1, throttle_secs=1)
train = tf.estimator.TrainSpec(lambda: data().repeat().batch(8), max_steps=150)
metrics, _ = tf.estimator.train_and_evaluate(tf.estimator.Estimator(model_fn, config=config), train, spec)
if metrics:
    open("result-%s.json" % config.task_type, "w").write(json.dumps({k: float(v) for k, v in metrics.items()}))
"""


@pytest.mark.parametrize("evaluator", [True, False], ids=["evaluator", "chief evaluates"])
def test_an_estimator_trains_one_model_in_one_folder(evaluator, started_job):
    job = started_job
    counts = ("--ps", "1", "--workers", "1", "--chief", *["--evaluator"] * evaluator)
    code, out, err = start(job, ESTIMATOR, counts=counts, options=("--success", "all")).end(SECONDS)
    assert (code, err) == (0, ""), out
    said = {path.stem: json.loads(path.read_text()) for path in job.folder.glob("*-0.json")}
    ps, chief, worker = said["ps-0"], said["chief-0"], said["worker-0"]
    assert chief["is_chief"] and not worker["is_chief"] and not ps["is_chief"]
    assert {(each["num_ps_replicas"], each["num_worker_replicas"]) for each in (ps, chief, worker)} == {(1, 2)}
    assert chief["master"] == f"grpc://{chief['cluster']['chief'][0]}"
    assert set(chief["cluster"]) == {"ps", "chief", "worker"}
    if evaluator:
        outside = said["evaluator-0"]
        assert (outside["master"], outside["num_ps_replicas"], outside["cluster"]) == ("", 0, {})
    results = list(job.folder.glob("result-*.json"))
    assert [path.stem for path in results] == ["result-evaluator" if evaluator else "result-chief"]
    assert json.loads(results[0].read_text())["global_step"] >= 150
    # One training, one series of evaluations.
    assert len(list((job.folder / "model").glob("events*"))) == 1
    assert len(list((job.folder / "model" / "eval").glob("events*"))) == 1
    found = state(job, "name", "made")
    assert all(made for name, made in zip(*found.values()) if not name.startswith("evaluator"))
    assert job.pids() == []
