"""Saver: all variables or some, under other names, and how many to keep

Source: S3 1630-1716, S0 142-168, 966-1020, S2 233-250
TF1: a Saver adds ops that write and read variables by name; beside the values save() writes the graph, from
    which import_meta_graph builds it again. A list picks variables, a dict names them otherwise.
Now: a Checkpoint is told its variables by keyword; a manager keeps the last ones. restore() is content with less
    than all unless assert_consumed asks. A function's graph is saved by saved_model.save, not with every checkpoint.
Errata: S0's first program loads from model/test.cpkt what it saved to test.cpkt, and feeds {X: 12} where x has the
    shape [1, 1]. To keep one checkpoint every n hours does not replace max_to_keep, which counts the others. S0 saves
    to model.ckpt and imports from "model.ckpt/model.ckpt.meta", in a folder that does not exist. Its list of files has
    one model.ckpt; S3's four (.index, .data) are right since 0.11. S2 says that a Saver holds "gradients", too. It
    holds variables, and a gradient is not a variable. S2 writes the graph with the first numbered checkpoint only, and
    max_to_keep removes that and its .meta five saves later. Here the graph goes under a name of its own.
See: https://www.tensorflow.org/guide/checkpoint
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import glob
import os
import re
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

FIRST = 1.0
SECOND = 2.0
OTHER = 1.5  # the start of the variables of other graphs
SAVES = 7
MAX_TO_KEEP = 5
NAME = "test_model"
# This is a microsecond, so that everything is kept that would be removed.
KEEP_EVERY_HOURS = 1 / 3_600_000_000
K = 5
TWELVE = 12

EXPECTED = {
    "final/result": exactly([3.0]),
    "final/imported": exactly([3.0]),
    "final/only_v1": exactly([1.0]),
    "final/not_restored": exactly([1.5]),
    "final/renamed": exactly([3.0]),
    "final/missing_key": exactly(1),
    "final/kept": exactly([2, 3, 4, 5, 6]),
    "final/graphs_written": exactly(1),
    "final/kept_for_hours": exactly([0, 1, 2, 3, 4, 5, 6]),
    "final/kx": exactly([[25.0]]),
    "final/kx_of_twelve": exactly([[60.0]]),
}


def numbers_of(paths):
    """Returns the step at the end of each checkpoint's name."""
    return [int(re.search(r"-(\d+)$", path)[1]) for path in paths]


def numbers_in(folder, name):
    """Returns the steps of the checkpoints of this name that lie in a folder."""
    return sorted(
        numbers_of(path.removesuffix(".index") for path in glob.glob(f"{glob.escape(folder)}/{name}-*.index"))
    )


def build_graph(first=FIRST, second=SECOND, prefix=""):
    """Adds two variables and their sum to the default graph. `prefix` comes before their names."""
    one = v1.Variable(v1.constant(first, shape=[1]), name=f"{prefix}v1")
    two = v1.Variable(v1.constant(second, shape=[1]), name=f"{prefix}v2")
    return {"first": one, "second": two, "result": one + two}


def save_graph(path, trace):
    """Saves the model with its graph, then saves it SAVES times with a number and without a graph."""
    with v1.Graph().as_default(), v1.Session() as sess:
        nodes = build_graph()
        saver = v1.train.Saver()
        sess.run(v1.global_variables_initializer())
        trace["initial/v1"], trace["initial/v2"] = sess.run([nodes["first"], nodes["second"]])
        saver.save(sess, path)
        many = v1.train.Saver(max_to_keep=MAX_TO_KEEP)
        for step in range(SAVES):
            many.save(sess, f"{path}_many", global_step=step, write_meta_graph=False)
        trace["final/kept"] = numbers_of(many.last_checkpoints)
        trace["final/graphs_written"] = len(glob.glob(f"{glob.escape(path)}*.meta"))


def keep_graph(folder):
    """Saves SAVES times by a Saver that keeps the last checkpoint, and one for every so many hours."""
    with v1.Graph().as_default(), v1.Session() as sess:
        build_graph()
        sess.run(v1.global_variables_initializer())
        saver = v1.train.Saver(max_to_keep=1, keep_checkpoint_every_n_hours=KEEP_EVERY_HOURS)
        for step in range(SAVES):
            saver.save(sess, os.path.join(folder, "hourly"), global_step=step, write_meta_graph=False)
    return numbers_in(folder, "hourly")


def kx_graph(path, trace):
    """Runs S0's first program, y = k * x. Another session restores into the same graph, without an initializer."""
    with v1.Graph().as_default():
        x = v1.placeholder(v1.float32, [1, 1])
        k = v1.Variable([[float(K)]])
        y = v1.matmul(k, x)
        saver = v1.train.Saver()
        with v1.Session() as sess:
            sess.run(v1.global_variables_initializer())
            trace["final/kx"] = sess.run(y, {x: [[K]]})
            saver.save(sess, path)
        with v1.Session() as sess:
            saver.restore(sess, path)
            trace["final/kx_of_twelve"] = sess.run(y, {x: [[TWELVE]]})


def restore_graph(path, fetch, prefix="", saved=None, initialize=False):
    """Restores into a graph whose variables start at OTHER. `saved`: what to give the Saver, of the model's nodes."""
    with v1.Graph().as_default(), v1.Session() as sess:
        nodes = build_graph(OTHER, OTHER, prefix)
        saver = v1.train.Saver(saved(nodes) if saved else None)
        # Otherwise variables that are not restored have no value.
        if initialize:
            sess.run(v1.global_variables_initializer())
        saver.restore(sess, path)
        return sess.run(nodes[fetch])


def import_graph(path):
    """Builds the graph from the .meta file, so that no variable has to be declared again."""
    with v1.Graph().as_default() as graph, v1.Session() as sess:
        saver = v1.train.import_meta_graph(f"{path}.meta")
        saver.restore(sess, path)
        return sess.run(graph.get_tensor_by_name("add:0"))


def key_missing_graph(path):
    """Returns True when a plain Saver does not find "other-v1"."""
    try:
        restore_graph(path, "result", prefix="other-")
    except v1.errors.NotFoundError as e:
        return "Key other-v1 not found in checkpoint" in e.message
    return False


def run_graph(out=None):
    """Saves to `out`/test_model and restores it, each time in a graph of its own."""
    trace = {}
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(out or scratch, NAME)
        save_graph(path, trace)
        trace["final/result"] = restore_graph(path, "result")
        trace["final/imported"] = import_graph(path)
        trace["final/only_v1"] = restore_graph(path, "first", saved=lambda nodes: [nodes["first"]])
        trace["final/not_restored"] = restore_graph(path, "second", "", lambda nodes: [nodes["first"]], initialize=True)
        names = {"v1": "first", "v2": "second"}
        renamed = restore_graph(path, "result", "other-", lambda nodes: {k: nodes[n] for k, n in names.items()})
        trace["final/renamed"] = renamed
        trace["final/missing_key"] = int(key_missing_graph(path))
        trace["final/kept_for_hours"] = keep_graph(scratch)
        kx_graph(os.path.join(scratch, "test.cpkt"), trace)
    return {key: np.array(value) for key, value in trace.items()}


class Model(tf.Module):
    """Two variables and their sum."""

    def __init__(self, first=FIRST, second=SECOND):
        super().__init__()
        self.first = tf.Variable(tf.constant(first, shape=[1]), name="v1")
        self.second = tf.Variable(tf.constant(second, shape=[1]), name="v2")

    @tf.function(input_signature=[])
    def result(self):
        """Returns the sum, shape [1]."""
        return tf.add(self.first, self.second, name="add")


def save_function(path, trace):
    """Saves the variables, the function, and SAVES times by number."""
    model = Model()
    trace["initial/v1"], trace["initial/v2"] = model.first.numpy(), model.second.numpy()
    checkpoint = tf.train.Checkpoint(v1=model.first, v2=model.second)
    checkpoint.write(path)
    tf.saved_model.save(model, f"{path}_function")
    folder = f"{path}_many"
    manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=MAX_TO_KEEP, checkpoint_name="many")
    for step in range(SAVES):
        manager.save(checkpoint_number=step)
    trace["final/kept"] = numbers_of(manager.checkpoints)
    trace["final/graphs_written"] = len(glob.glob(os.path.join(glob.escape(f"{path}_function"), "*model.pb")))


def keep_function(folder):
    """Saves by a manager, whose checkpoints have a folder."""
    checkpoint, kept = tf.train.Checkpoint(v=Model().first), os.path.join(folder, "kept")
    manager = tf.train.CheckpointManager(checkpoint, kept, 1, KEEP_EVERY_HOURS, checkpoint_name="hourly")
    for step in range(SAVES):
        manager.save(checkpoint_number=step)
    return numbers_in(kept, "hourly")


class Product(tf.Module):
    """S0's k * x."""

    def __init__(self, k):
        super().__init__()
        self.k = tf.Variable([[float(k)]])

    @tf.function(input_signature=[tf.TensorSpec([1, 1])])
    def __call__(self, x):
        """Turns (1, 1) into (1, 1)."""
        return tf.matmul(self.k, x)


def kx_function(path, trace):
    """Lets another object read what the first one wrote. An object's variables have a value, so it starts at 0."""
    product, other = Product(K), Product(0)
    trace["final/kx"] = product([[float(K)]]).numpy()
    tf.train.Checkpoint(product).write(path)
    tf.train.Checkpoint(other).read(path).assert_consumed()
    trace["final/kx_of_twelve"] = other([[float(TWELVE)]]).numpy()


def restore_function(path, fetch, names):
    """Restores into an object whose variables hold OTHER; `names`: {name in the file: attribute}."""
    model = Model(OTHER, OTHER)
    checkpoint = tf.train.Checkpoint(**{name: getattr(model, attribute) for name, attribute in names.items()})
    status = checkpoint.read(path)
    status.assert_existing_objects_matched().expect_partial()
    return model.result().numpy() if fetch == "result" else getattr(model, fetch).numpy()


def key_missing_function(path):
    """Returns True when the file has no other_v1. Reading alone would report nothing and leave OTHER."""
    try:
        restore_function(path, "result", {"other_v1": "first", "other_v2": "second"})
    except AssertionError:
        return True
    return False


def run_function(out=None):
    """Restores in the same ways. A name in the file is the keyword, whatever the variable is called."""
    trace = {}
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(out or scratch, NAME)
        save_function(path, trace)
        both = {"v1": "first", "v2": "second"}
        trace["final/result"] = restore_function(path, "result", both)
        # This owns the variables; without it they are gone.
        loaded = tf.saved_model.load(f"{path}_function")
        trace["final/imported"] = loaded.result().numpy()
        trace["final/only_v1"] = restore_function(path, "first", {"v1": "first"})
        trace["final/not_restored"] = restore_function(path, "second", {"v1": "first"})
        trace["final/renamed"] = restore_function(path, "result", both)
        trace["final/missing_key"] = int(key_missing_function(path))
        trace["final/kept_for_hours"] = keep_function(scratch)
        kx_function(os.path.join(scratch, "test.cpkt"), trace)
    return {key: np.array(value) for key, value in trace.items()}
