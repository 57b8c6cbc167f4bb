"""Hooks: what happens around the steps of a monitored session

Source: S0 2600-2640
TF1: a hook adds ops to the graph before it is final (begin), asks a run for more fetches (before_run), sees what they
    gave (after_run), and can end the loop. TensorFlow's stop, log, save and summarize; two here are of our own.
Now: a loop of one's own calls plain functions after a step. Equal, with what the hooks' timers do written out.
Errata: S0 gives MonitoredTrainingSession a file for its folder of checkpoints, counts the steps of a worker as the
    steps of all, and reports from inside the loop what hooks are made for. TensorFlow's own: the first summary is
    that of step 1, not 0, and the next that of step 101. In a cluster it may be that of step 100: the hook reads the
    step in the very run that changes it. LoggingTensorHook logs the values of run 1, 101, ...
"""

import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console, distributed
from tf1ref.catalog.figures import at_least, exactly
from tf1ref.data import mnist
from tf1ref.errors import InputError
from tf1ref.modules import checkpoints, optimizers

SEED = 1
STEPS = 1000
BATCH_SIZE = 500
LEARNING_RATE = 0.5
REPORT_EVERY = 100
SAVE_EVERY = 200
KEPT = 5  # the Saver's default

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
    train_op = v1.train.GradientDescentOptimizer(LEARNING_RATE).minimize(loss, global_step=global_step)
    correct = v1.equal(v1.argmax(y, 1), v1.argmax(y_, 1))
    accuracy = v1.reduce_mean(v1.cast(correct, v1.float32), name="accuracy")
    return {"x": x, "y_": y_, "y": y, "loss": loss, "step": global_step, "train": train_op, "accuracy": accuracy}


class Losses(v1.train.SessionRunHook):
    """Fetches the loss with every run, though the program never asks for it."""

    def __init__(self, loss, bar):
        self._loss, self._bar, self.values = loss, bar, []

    def before_run(self, run_context):
        return v1.train.SessionRunArgs(self._loss)

    def after_run(self, run_context, run_values):
        self.values.append(run_values.results)
        self._bar.reached(len(self.values), loss=run_values.results)


class Validation(v1.train.SessionRunHook):
    """Asks for the accuracy on a batch of the validation set after every REPORT_EVERY steps of all workers."""

    def __init__(self, graph, validation):
        self._graph, self._validation = graph, validation
        self._timer = v1.train.SecondOrStepTimer(every_steps=REPORT_EVERY)
        self.rows = []

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


def train_graph(task, data, steps, folder):
    """One worker's loop, which asks for nothing but the step: all else is the hooks'. Returns the trace."""
    logged = []

    def as_text(row):
        logged.append(row["loss"])
        return f"loss = {row['loss']:.6g}"

    with v1.Graph().as_default(), v1.device(task.device_setter()), console.steps(steps) as bar:
        v1.set_random_seed(SEED)
        graph = build_graph()
        losses, validation = Losses(graph["loss"], bar), Validation(graph, data.validation)
        hooks = [
            v1.train.StopAtStepHook(last_step=steps),
            v1.train.NanTensorHook(graph["loss"]),
            v1.train.LoggingTensorHook({"loss": graph["loss"]}, every_n_iter=REPORT_EVERY, formatter=as_text),
            v1.train.CheckpointSaverHook(folder, save_steps=SAVE_EVERY, saver=v1.train.Saver()),
            v1.train.SummarySaverHook(REPORT_EVERY, output_dir=folder, summary_op=v1.summary.merge_all()),
            *(losses, validation),
        ]
        # Under a launcher with a checkpoint folder it saves there too, for whoever evaluates.
        with task.session(hooks=hooks, save_checkpoint_steps=SAVE_EVERY) as sess:
            while not sess.should_stop():
                xs, ys = data.train.next_batch(BATCH_SIZE)
                sess.run(graph["train"], feed_dict={graph["x"]: xs, graph["y_"]: ys})
    return as_trace(losses.values, logged, read_summaries(folder), validation.rows, steps_of(folder))


def restored(path, test):
    """What the checkpoint `path` answers in a graph of this process alone: the trace's final values."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        v1.train.Saver().restore(sess, path)
        trace = sess.run({f"final/{v.op.name}": v for v in v1.global_variables()})
        trace["final/test_accuracy"] = sess.run(graph["accuracy"], {graph["x"]: test.images, graph["y_"]: test.labels})
    return trace


def evaluate_graph(task, test, steps):
    """A worker that evaluates: every checkpoint of the job that it sees, up to the last step's. Returns the trace."""
    rows = []
    for path in task.checkpoints(last_step=steps):
        try:
            found = restored(path, test)
        except (v1.errors.NotFoundError, ValueError):
            continue  # It is gone already: the chief keeps five.
        rows.append((found["final/global_step"], found["final/test_accuracy"]))
        console.say("step {}: accuracy {:.4f} on the test set".format(*rows[-1]))
    evaluated, accuracies = zip(*rows)
    return {"evaluated/steps": np.array(evaluated), "evaluated/accuracy": np.array(accuracies)}


def run_graph(steps=STEPS, out=None):
    """As a task of a cluster, or alone. In a cluster worker 0 trains, and any other worker evaluates.

    `out`: for checkpoints and event files. Raises InputError for an evaluator without the launcher's checkpoint folder.
    """
    task = distributed.Task.from_environment()
    if task.is_ps:
        task.serve()
    data = mnist.read_data_sets(one_hot=True, seed=SEED)
    if not task.is_chief:
        if not task.checkpoint_dir:
            raise InputError("nothing to evaluate: start the job with --checkpoint-dir DIR")
        return evaluate_graph(task, data.test, steps)
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or scratch
        trace = train_graph(task, data, steps, folder)
        return {**trace, **restored(v1.train.latest_checkpoint(folder), data.test)}


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
        """One step; returns the loss before it."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=self.logits(x)))
        self.optimizer.minimize(tape, loss, [self.W, self.b], self.global_step)
        return loss

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
    losses, logged, summaries, validated = [], [], [], []
    variables = network.variables_by_name()
    checkpoints.save(folder, "model.ckpt", variables, 0)
    writer = tf.summary.create_file_writer(folder)
    bar = console.steps(steps)
    for i in bar:
        xs, ys = data.train.next_batch(BATCH_SIZE)
        losses.append(network.train(tf.constant(xs), tf.constant(ys, tf.float32)).numpy())
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
    return as_trace(losses, logged, summaries, validated, [int(path.rpartition("-")[2]) for path in paths])


def run_function(steps=STEPS, out=None):
    """One process, no server, no hooks."""
    tf.random.set_seed(SEED)
    data, network = mnist.read_data_sets(one_hot=True, seed=SEED), Softmax()
    with tempfile.TemporaryDirectory() as scratch:
        trace = train_function(network, data, steps, os.fspath(out or scratch))
    trace.update({f"final/{name}": variable.numpy() for name, variable in network.variables_by_name().items()})
    trace["final/test_accuracy"] = network.accuracy_of(data.test.images, data.test.labels)
    return trace
