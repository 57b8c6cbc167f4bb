"""Checkpoint readers: what a checkpoint holds, without a graph

Source: S3 1903-1922, S2 240-250
TF1: NewCheckpointReader opens a prefix - what save() returned or latest_checkpoint() found - and says names, shapes
    and types; get_tensor reads one value. No graph, no session.
Now: tf.train.load_checkpoint is the same reader; list_variables and load_variable are its short forms. A Checkpoint's
    own names are paths of attributes that end in .ATTRIBUTES/VARIABLE_VALUE.
Errata: S3's reader lists v1_1 and v2_1, too, because its shell built the two variables twice in one graph. S2 prints a
    checkpoint with inspect_checkpoint, a hidden module; a reader shows the same.
See: https://www.tensorflow.org/guide/checkpoint
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

FIRST = 1.0
SECOND = 2.0
NAME = "test_model"

EXPECTED = {
    "final/latest": exactly(NAME),
    "final/names": exactly(["v1", "v2"]),
    "final/shape/v1": exactly([1]),
    "final/shape/v2": exactly([1]),
    "final/value/v1": exactly([1.0]),
    "final/has_v3": exactly(0),
}


def build_graph():
    """Adds two variables and their sum to the default graph."""
    first = v1.Variable(v1.constant(FIRST, shape=[1]), name="v1")
    second = v1.Variable(v1.constant(SECOND, shape=[1]), name="v2")
    return {"first": first, "second": second, "result": first + second}


def run_graph(out=None):
    """Saves to `out`/test_model, finds it again and reads it."""
    trace = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.fspath(out or scratch)
        with v1.Graph().as_default(), v1.Session() as sess:
            nodes = build_graph()
            sess.run(v1.global_variables_initializer())
            trace["initial/v1"], trace["initial/v2"] = sess.run([nodes["first"], nodes["second"]])
            v1.train.Saver().save(sess, os.path.join(folder, NAME))
        latest = v1.train.latest_checkpoint(folder)
        reader = v1.train.NewCheckpointReader(latest)
        shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        trace["final/latest"] = os.path.basename(latest)
        trace["final/names"] = sorted(shapes)
        trace["final/has_v3"] = int(reader.has_tensor("v3"))
        for name in shapes:
            trace[f"final/shape/{name}"], trace[f"final/type/{name}"] = shapes[name], types[name].name
            trace[f"final/value/{name}"] = reader.get_tensor(name)
    return {key: np.array(value) for key, value in trace.items()}


class Model(tf.Module):
    """Two variables."""

    def __init__(self):
        super().__init__()
        self.first = tf.Variable(tf.constant(FIRST, shape=[1]), name="v1")
        self.second = tf.Variable(tf.constant(SECOND, shape=[1]), name="v2")


def run_function(out=None):
    """A Checkpoint also holds its tree of objects. That key is not a variable."""
    trace, ending = {}, "/.ATTRIBUTES/VARIABLE_VALUE"
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.fspath(out or scratch)
        model = Model()
        trace["initial/v1"], trace["initial/v2"] = model.first.numpy(), model.second.numpy()
        prefix = tf.train.Checkpoint(v1=model.first, v2=model.second).write(os.path.join(folder, NAME))
        with tf.io.gfile.GFile(os.path.join(folder, "checkpoint"), "w") as f:
            # write() keeps no state, and save() numbers.
            f.write(f'model_checkpoint_path: "{os.path.basename(prefix)}"\n')
        latest = tf.train.latest_checkpoint(folder)
        listed = {name.removesuffix(ending): shape for name, shape in tf.train.list_variables(latest) if shape}
        reader = tf.train.load_checkpoint(latest)
        trace["final/latest"] = os.path.basename(latest)
        trace["final/names"] = sorted(listed)
        trace["final/has_v3"] = int(reader.has_tensor("v3" + ending))
        for name, shape in listed.items():
            value = tf.train.load_variable(latest, name + ending)
            trace[f"final/shape/{name}"], trace[f"final/type/{name}"] = shape, tf.as_dtype(value.dtype).name
            trace[f"final/value/{name}"] = value
    return {key: np.array(value) for key, value in trace.items()}
