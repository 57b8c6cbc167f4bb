"""Hooks: what happens around the steps of a monitored session

Source: S0 2600-2640
TF1: a hook of MonitoredTrainingSession adds ops to the graph before it is final (begin), asks a run for more fetches
    (before_run), sees what they gave (after_run), and can end the loop. TensorFlow has hooks that stop, log, save and
    summarize; two more are written here. The cluster is that of async_mnist.py, but its second worker evaluates.
Now: a loop of one's own calls plain functions after a step. It is equal, with what the hooks' timers do written out.
Errata: S0 gives MonitoredTrainingSession a file for its folder of checkpoints, counts the steps of one worker as the
    steps of all, and reports from inside the loop, which is what hooks are for. In TensorFlow the first summary is that
    of step 1, not 0, and the next one that of step 101. In a cluster it may be that of step 100, because the hook reads
    the step in the same run that changes it. LoggingTensorHook logs the values of run 1, 101, ...
See: https://www.tensorflow.org/api_docs/python/tf/compat/v1/train/SessionRunHook
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_least, exactly
from tf1ref.data import mnist
from tf1ref.errors import InputError
from tf1ref.examples.distributed import _tasks
from tf1ref.modules import checkpoints, optimizers

SEED = 1
STEPS = 1000
BATCH_SIZE = 500
LEARNING_RATE = 0.5
REPORT_EVERY = 100
SAVE_EVERY = 200
KEPT = 5  # the Saver's default
WAIT_SECONDS = 1200  # an evaluator gives up when nothing is saved for so long

EXPECTED = {
    "hooks/saved": exactly([200, 400, 600, 800, 1000]),
    "hooks/validated": exactly(list(range(100, 1001, 100))),
    "final/test_accuracy": at_least(0.9),  # S0 prints no figure; softmax regression reaches .91 to .92
}


def build_graph():
    """Adds softmax regression, its loss, its training op and its accuracy to the default graph."""
    global_step = v1.train.get_or_create_global_step()
    x = v1.placeholder(v1.float32, [None, 784], name="x")
    y_ = v1.placeholder(v1.float32, [None, 10], name="y_")
    weights = v1.get_variable("W", [784, 10], initializer=v1.zeros_initializer())
    biases = v1.get_variable("b", [10], initializer=v1.zeros_initializer())
    y = v1.add(v1.matmul(x, weights), biases, name="y")
    loss = v1.reduce_mean(v1.nn.softmax_cross_entropy_with_logits_v2(labels=y_, logits=y), name="cross_entropy")
    v1.summary.scalar("loss", loss)
    optimizer = v1.train.GradientDescentOptimizer(LEARNING_RATE)
    gradients = optimizer.compute_gradients(loss)
    train_op = optimizer.apply_gradients(gradients, global_step=global_step)
    first = {"forward/y": y, **{f"gradient/{v.op.name}": gradient for gradient, v in gradients}}
    training = {"loss": loss, "step": global_step, "train": train_op, "first": first}
    correct = v1.equal(v1.argmax(y, 1), v1.argmax(y_, 1))
    accuracy = v1.reduce_mean(v1.cast(correct, v1.float32), name="accuracy")
    return {"x": x, "y_": y_, "y": y, "accuracy": accuracy, **training}


class Watch(v1.train.SessionRunHook):
    """Fetches the loss with every run, and more with the first, though the program never asks for it."""

    def __init__(self, graph, bar):
        self._graph, self._bar, self.losses, self.trace = graph, bar, [], {}

    def after_create_session(self, session, coord):
        self.trace.update(session.run({f"initial/{v.op.name}": v for v in v1.global_variables()}))

    def before_run(self, run_context):
        return v1.train.SessionRunArgs([self._graph["loss"], {} if self.losses else self._graph["first"]])

    def after_run(self, run_context, run_values):
        loss, first = run_values.results
        self.losses.append(loss)
        self.trace.update(first)
        self._bar.reached(len(self.losses), loss=loss)


class Validation(v1.train.SessionRunHook):
    """Asks for the accuracy on a batch of the validation set after every REPORT_EVERY steps of all workers."""

    def __init__(self, graph, validation):
        self._graph, self._validation, self.rows = graph, validation, []
        self._timer = v1.train.SecondOrStepTimer(every_steps=REPORT_EVERY)

    def after_create_session(self, session, coord):
        self._timer.update_last_triggered_step(session.run(self._graph["step"]))

    def after_run(self, run_context, run_values):
        # Not fetched with the run: there, a read and the step have no order.
        step = run_context.session.run(self._graph["step"])
        if self._timer.should_trigger_for_step(step):
            self._timer.update_last_triggered_step(step)
            xs, ys = self._validation.next_batch(BATCH_SIZE)
            feed = {self._graph["x"]: xs, self._graph["y_"]: ys}
            self.rows.append((step, run_context.session.run(self._graph["accuracy"], feed)))


def read_summaries(folder):
    """Returns [(step, loss)] of the event file in `folder`."""
    (file,) = (os.path.join(folder, name) for name in os.listdir(folder) if "tfevents" in name)
    events = map(v1.Event.FromString, v1.python_io.tf_record_iterator(file))
    return [(event.step, value.simple_value) for event in events for value in event.summary.value]


def steps_of(folder):
    """Returns the steps of the checkpoints that `folder` lists."""
    paths = v1.train.get_checkpoint_state(folder).all_model_checkpoint_paths
    return [int(path.rpartition("-")[2]) for path in paths]


def as_trace(losses, logged, summaries, validated, saved):
    """The trace of what the hooks did."""
    return {
        "steps/loss": np.array(losses),
        "hooks/logged": np.float32(logged),
        "hooks/summary_steps": np.array([step for step, _ in summaries]),
        "hooks/summaries": np.float32([loss for _, loss in summaries]),
        "hooks/validated": np.array([step for step, _ in validated]),
        "hooks/accuracy": np.float32([accuracy for _, accuracy in validated]),
        "hooks/saved": np.array(saved),
    }


def hooks_of(graph, watch, validation, logged, steps, folder):
    """Returns the hooks of a session that trains: TensorFlow's five, then our own."""

    def as_text(row):
        logged.append(row["loss"])
        return f"loss = {row['loss']:.6g}"

    return [
        v1.train.StopAtStepHook(last_step=steps),
        v1.train.NanTensorHook(graph["loss"]),
        v1.train.LoggingTensorHook({"loss": graph["loss"]}, every_n_iter=REPORT_EVERY, formatter=as_text),
        v1.train.CheckpointSaverHook(folder, save_steps=SAVE_EVERY, saver=v1.train.Saver()),
        v1.train.SummarySaverHook(REPORT_EVERY, output_dir=folder, summary_op=v1.summary.merge_all()),
        *(watch, validation),
    ]


def train_graph(cluster, target, data, steps, folder):
    """The chief's loop, which asks for nothing but the step: all else is the hooks'. Returns the trace."""
    worker, logged = "/job:worker/task:0", []
    config = v1.ConfigProto(allow_soft_placement=True, device_filters=["/job:ps", worker])
    device = v1.train.replica_device_setter(worker_device=worker, cluster=cluster)
    with v1.Graph().as_default(), v1.device(device), console.steps(steps) as bar:
        v1.set_random_seed(SEED)
        graph = build_graph()
        watch, validation = Watch(graph, bar), Validation(graph, data.validation)
        hooks = hooks_of(graph, watch, validation, logged, steps, folder)
        # Under a launcher with a folder for checkpoints it saves there too, for the worker that evaluates.
        saving = {"checkpoint_dir": _tasks.checkpoint_folder(), "save_checkpoint_steps": SAVE_EVERY}
        with v1.train.MonitoredTrainingSession(target, is_chief=True, hooks=hooks, config=config, **saving) as sess:
            while not sess.should_stop():
                xs, ys = data.train.next_batch(BATCH_SIZE)
                sess.run(graph["train"], feed_dict={graph["x"]: xs, graph["y_"]: ys})
    trace = as_trace(watch.losses, logged, read_summaries(folder), validation.rows, steps_of(folder))
    return {**watch.trace, **trace}


def restored(path, test):
    """What the checkpoint `path` answers in a graph of this process alone: the trace's final values."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        v1.train.Saver().restore(sess, path)
        fetches = {f"final/{v.op.name}": v for v in v1.global_variables()} | {"final/test_accuracy": graph["accuracy"]}
        return sess.run(fetches, {graph["x"]: test.images, graph["y_"]: test.labels})


def evaluate_graph(test, steps):
    """A worker that evaluates: every checkpoint of the job that it sees, up to the last step's. Returns the trace.

    Raises InputError without the launcher's folder for checkpoints, RuntimeError when nothing is saved any more.
    """
    if not (folder := _tasks.checkpoint_folder()):
        raise InputError("nothing to evaluate: start the job with --checkpoint-dir DIR")
    rows = []
    for path in v1.train.checkpoints_iterator(folder, timeout=WAIT_SECONDS):
        try:
            found = restored(path, test)
        except (v1.errors.NotFoundError, ValueError):
            continue  # It is gone already: the chief keeps five.
        rows.append((found["final/global_step"], found["final/test_accuracy"]))
        console.say("step {}: accuracy {:.4f} on the test set".format(*rows[-1]))
        if rows[-1][0] >= steps:
            evaluated, accuracies = zip(*rows)
            return {"evaluated/steps": np.array(evaluated), "evaluated/accuracy": np.array(accuracies)}
    raise RuntimeError(f"{folder}: no new checkpoint in {WAIT_SECONDS} s; is the chief alive?")


def run_task(hosts, job_name, task_index, steps, folder):
    """The program of every task. Returns a worker's trace."""
    cluster = v1.train.ClusterSpec(hosts)
    server = v1.train.Server(cluster, job_name=job_name, task_index=task_index)
    if job_name == "ps":
        server.join()  # It holds variables until it is ended.
    data = mnist.read_data_sets(one_hot=True, seed=SEED)
    if task_index > 0:
        return evaluate_graph(data.test, steps)
    trace = train_graph(cluster, server.target, data, steps, folder)
    return {**trace, **restored(v1.train.latest_checkpoint(folder), data.test)}


def run_graph(steps=STEPS, out=None):
    """Runs the task that TF_CONFIG names, or the chief alone. Checkpoints and event files are the chief's, in `out`."""
    with tempfile.TemporaryDirectory() as scratch:
        return _tasks.run_tasks(lambda *place: run_task(*place, steps, out or scratch), workers=1)


class Softmax(tf.Module):
    """The same two variables, and the step."""

    def __init__(self):
        super().__init__()
        self.W = tf.Variable(tf.zeros([784, 10]), name="W")
        self.b = tf.Variable(tf.zeros([10]), name="b")
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)

    def variables_by_name(self):
        """What the graph's Saver would save."""
        return {"global_step": self.global_step, "W": self.W, "b": self.b}

    def logits(self, x):
        """(n, 784) to (n, 10)."""
        return tf.add(tf.matmul(x, self.W), self.b)

    @tf.function
    def train(self, x, y_):
        """One step. Returns the loss before it, and with it the logits and the gradients by their trace's keys."""
        with tf.GradientTape() as tape:
            y = self.logits(x)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y))
        gradient_w, gradient_b = self.optimizer.minimize(tape, loss, [self.W, self.b], self.global_step)
        return loss, {"forward/y": y, "gradient/W": gradient_w, "gradient/b": gradient_b}

    @tf.function
    def accuracy(self, x, y_):
        """The share of right answers."""
        correct = tf.equal(tf.argmax(self.logits(x), 1), tf.argmax(y_, 1))
        return tf.reduce_mean(tf.cast(correct, tf.float32))

    def accuracy_of(self, images, labels):
        """The same of numpy arrays."""
        return self.accuracy(tf.constant(images), tf.constant(labels, tf.float32)).numpy()


def train_function(network, data, steps, folder):
    """The loop, and after a step what the hooks' timers would do then. Returns the trace."""
    trace, losses, logged, summaries, validated = {}, [], [], [], []
    variables = network.variables_by_name()
    checkpoints.save(folder, "model.ckpt", variables, 0)
    writer = tf.summary.create_file_writer(folder)
    bar = console.steps(steps)
    for i in bar:
        xs, ys = data.train.next_batch(BATCH_SIZE)
        loss, first = network.train(tf.constant(xs), tf.constant(ys, tf.float32))
        if i == 0:
            trace = {key: tensor.numpy() for key, tensor in first.items()}
        losses.append(loss.numpy())
        bar.show(loss=losses[-1])
        tf.debugging.check_numerics(losses[-1], "the loss")
        step = i + 1
        if i % REPORT_EVERY == 0:
            logged.append(losses[-1])
            with writer.as_default(step):
                tf.summary.scalar("loss", losses[-1])
            summaries.append((step, losses[-1]))
        if step % REPORT_EVERY == 0:
            validated.append((step, network.accuracy_of(*data.validation.next_batch(BATCH_SIZE))))
        if step % SAVE_EVERY == 0 or step == steps:
            checkpoints.save(folder, "model.ckpt", variables, step, KEPT)
    writer.close()
    paths = tf.train.get_checkpoint_state(folder).all_model_checkpoint_paths
    saved = [int(path.rpartition("-")[2]) for path in paths]
    return {**trace, **as_trace(losses, logged, summaries, validated, saved)}


def run_function(steps=STEPS, out=None):
    """One process, no server, no hooks."""
    tf.random.set_seed(SEED)
    data, network = mnist.read_data_sets(one_hot=True, seed=SEED), Softmax()
    variables = network.variables_by_name()
    trace = {f"initial/{name}": variable.numpy() for name, variable in variables.items()}
    with tempfile.TemporaryDirectory() as scratch:
        trace.update(train_function(network, data, steps, os.fspath(out or scratch)))
    trace.update({f"final/{name}": variable.numpy() for name, variable in variables.items()})
    trace["final/test_accuracy"] = network.accuracy_of(data.test.images, data.test.labels)
    return trace
