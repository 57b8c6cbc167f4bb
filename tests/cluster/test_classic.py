"""Classic ps/worker scripts under `tf1ref exec`, launched as they are: who trains, what is told, what is kept."""

import json
import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # real TensorFlow servers

SECONDS = 280
EXEC = (sys.executable, "-m", "tf1ref", "exec")

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
        if made == 20: open("twenty-%d" % FLAGS.task_index, "w").write("x")
print("made", made)
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
IN_STEP = (
    HEAD
    + """
    optimizer = tf.train.SyncReplicasOptimizer(tf.train.GradientDescentOptimizer(.01), 2, 2)
    train = optimizer.minimize(loss, global_step=step)
hooks = [optimizer.make_session_run_hook(chief), tf.train.StopAtStepHook(last_step=FLAGS.steps)]
with tf.train.MonitoredTrainingSession(server.target, chief, hooks=hooks) as session:
    while not session.should_stop(): session.run(train)
"""
)


def start(job, program, *words, options=(), counts=("--ps", "1", "--workers", "2")):
    (job.folder / "script.py").write_text(program)
    command = [sys.executable, "-m", "tf1ref.cluster", "up", *counts, "--log-dir", "logs", "--start-timeout", "200"]
    job.process = subprocess.Popen(
        [*command, *options, "--", *EXEC, "script.py", *words],
        cwd=job.folder,
        env=job.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return job


def workers(job):
    state = json.loads((job.folder / "logs" / "job.json").read_text())
    assert state["code"] is not None
    return [task for task in state["tasks"] if not task["name"].startswith("ps")]


@pytest.mark.parametrize("program", [MONITORED, SUPERVISED], ids=["monitored", "supervised"])
def test_every_worker_trains_and_the_job_ends(program, job):
    code, out, err = start(job, program).end(SECONDS)
    assert (code, err) == (0, ""), out
    made = [task["made"] for task in workers(job)]
    assert sum(made) >= 150 and min(made) >= 0.2 * sum(made) / 2, made
    assert out.count("the launcher fills in --") == 3
    assert "the program names hosts of its own (ps-machine:2222, machine-1:2222" in out
    assert job.pids() == []


def test_workers_in_step_end_together(job):
    code, out, err = start(job, IN_STEP, "--steps=40", options=("--success", "all")).end(SECONDS)
    assert (code, err) == (0, ""), out
    assert all(task["made"] >= 40 for task in workers(job)) and job.pids() == []


@pytest.mark.parametrize("program", [MONITORED, SUPERVISED], ids=["monitored", "supervised"])
def test_a_job_that_is_asked_to_end_keeps_its_last_step(program, job):
    start(job, program, "--steps=1000000", "--dir=kept")
    chief = job.wait_for(lambda: _step(job) >= 20 and _step(job), SECONDS)
    job.process.send_signal(signal.SIGTERM)
    code, out, err = job.end(SECONDS)
    assert (code, err) == (130, ""), out
    saved = [int(path.stem.rpartition("-")[2]) for path in (job.folder / "kept").glob("model.ckpt-*.index")]
    assert max(saved) >= chief and job.pids() == []


def _step(job):
    path = job.folder / "logs" / "job.json"
    tasks = json.loads(path.read_text())["tasks"] if path.exists() else []
    return max((task["step"] or 0 for task in tasks), default=0)


def test_a_worker_that_stands_still_is_seen(job):
    stuck = MONITORED.replace("if made == 20:", "if made == 20 and not chief: time.sleep(600)\n        if made == 20:")
    code, out, err = start(job, stuck, "--steps=1000000", options=("--stall-timeout", "20")).end(SECONDS)
    assert code == 4 and "worker 1 has been at step" in err and "in its own code" in err, err
    assert job.pids() == []


def test_a_chief_that_comes_back_goes_on_with_the_live_model(job):
    options = ("--restart", "on-failure", "--checkpoint-dir", "kept")
    start(job, MONITORED, "--steps=3000", "--dir=kept", options=options)
    job.wait_for_file("twenty-0", SECONDS)
    job.wait_for_file("twenty-1", SECONDS)
    state = json.loads((job.folder / "logs" / "job.json").read_text())
    os.kill(next(task["pid"] for task in state["tasks"] if task["name"] == "worker 0"), signal.SIGKILL)
    code, out, err = job.end(SECONDS)
    assert (code, err) == (0, ""), out  # a step that falls would be an alarm
    assert "the ps processes hold a live model: the chief goes on with it" in out and job.pids() == []


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
def test_an_estimator_trains_one_model_in_one_folder(evaluator, job):
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
    assert len(list((job.folder / "model" / "eval").glob("events*"))) >= 1
    assert all(task["made"] for task in workers(job) if not task["name"].startswith("evaluator"))
    assert job.pids() == []
