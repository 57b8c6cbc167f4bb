"""Tools for .pb and .meta: node names, TensorBoard, one into the other

Source: S0 1082-1132
TF1: a GraphDef parsed from a .pb lists its nodes; imported into a graph, or a .meta by import_meta_graph, a FileWriter
    hands that graph to TensorBoard. A .meta becomes a .pb by restoring its values and freezing.
Now: tf.summary.graph writes a graph among the summaries. A function over the values of a model, instead of its
    variables, is its frozen form: tracing it makes constants.
Errata: S0 parses a .pb into the default graph's own GraphDef. That works because the graph is empty then. Its lister
    reads import_graph_def's graph, but the nodes are in the file already. It never closes its FileWriter. What that has
    not flushed after two minutes is lost when the program ends before.
See: https://www.tensorflow.org/tensorboard/graphs
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import glob
import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.graph_pb2 import GraphDef

from tf1ref.catalog.figures import exactly
from tf1ref.data.formats import records

FIRST = 1.0
SECOND = 2.0
NAME = "model.ckpt"
FILE = "model.pb"
OWN = ("add", "v1", "v2")

EXPECTED = {
    "final/names": exactly(["add", "v1", "v2"]),
    "final/shown_of_pb": exactly(["add", "v1", "v2"]),
    "final/shown_of_model": exactly(1),
    "final/variables_left": exactly(0),
    "final/result": exactly([3.0]),
}


def own(nodes):
    """Returns the sorted names of the program's own nodes, without those that read and return values."""
    return sorted(node.name for node in nodes if node.name in OWN)


def shown(folder):
    """Returns the GraphDef that TensorBoard finds in the event file of `folder`."""
    graph_def = GraphDef()
    (path,) = glob.glob(os.path.join(glob.escape(folder), "*tfevents*"))
    for record in records.read(path):
        graph_def.MergeFromString(Event.FromString(record).graph_def)
    return graph_def


def build_graph():
    """Adds two variables and their sum to the default graph."""
    first = v1.Variable(v1.constant(FIRST, shape=[1]), name="v1")
    second = v1.Variable(v1.constant(SECOND, shape=[1]), name="v2")
    return {"first": first, "second": second, "result": first + second}


def save_graph(prefix, trace):
    """Writes the checkpoint and its .meta."""
    with v1.Graph().as_default(), v1.Session() as sess:
        nodes = build_graph()
        sess.run(v1.global_variables_initializer())
        trace["initial/v1"], trace["initial/v2"] = sess.run([nodes["first"], nodes["second"]])
        v1.train.Saver().save(sess, prefix)


def meta_to_pb(prefix, path):
    """Restores the graph and the values, and freezes what "add" needs."""
    with v1.Graph().as_default() as graph, v1.Session() as sess:
        v1.train.import_meta_graph(f"{prefix}.meta").restore(sess, prefix)
        frozen = v1.graph_util.convert_variables_to_constants(sess, graph.as_graph_def(), ["add"])
    with v1.gfile.GFile(path, "wb") as f:
        f.write(frozen.SerializeToString())


def read_pb_graph(path):
    """Returns the GraphDef in a .pb."""
    graph_def = v1.GraphDef()
    with v1.gfile.GFile(path, "rb") as f:
        graph_def.ParseFromString(f.read())
    return graph_def


def show_graph(folder, add):
    """Writes the graph that `add` builds to an event file in `folder`."""
    with v1.Graph().as_default() as graph:
        add()
        v1.summary.FileWriter(folder, graph).close()


def run_graph(out=None):
    """Writes a checkpoint and its .meta to `out`, makes a .pb from them, and shows both to TensorBoard."""
    trace = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.fspath(out or scratch)
        prefix, path = os.path.join(folder, NAME), os.path.join(folder, FILE)
        save_graph(prefix, trace)
        meta_to_pb(prefix, path)
        graph_def = read_pb_graph(path)
        show_graph(os.path.join(folder, "pb"), lambda: v1.import_graph_def(graph_def, name=""))
        show_graph(os.path.join(folder, "model"), lambda: v1.train.import_meta_graph(f"{prefix}.meta"))
        trace["final/names"] = own(graph_def.node)
        trace["final/shown_of_pb"] = own(shown(os.path.join(folder, "pb")).node)
        trace["final/shown_of_model"] = sum(n.name == "add" for n in shown(os.path.join(folder, "model")).node)
    trace["final/variables_left"] = sum("Var" in node.op for node in graph_def.node)
    with v1.Graph().as_default(), v1.Session() as sess:
        (result,) = v1.import_graph_def(graph_def, return_elements=["add:0"])
        trace["final/result"] = sess.run(result)
    return {key: np.array(value) for key, value in trace.items()}


class Model(tf.Module):
    """Two variables and their sum."""

    def __init__(self):
        super().__init__()
        self.first = tf.Variable(tf.constant(FIRST, shape=[1]), name="v1")
        self.second = tf.Variable(tf.constant(SECOND, shape=[1]), name="v2")

    @tf.function(input_signature=[])
    def result(self):
        """Returns the sum, shape [1]."""
        return tf.add(self.first, self.second, name="add")


def frozen_function(values):
    """Returns the GraphDef of the sum of {name: array}. Each array is a constant of that name."""

    @tf.function(input_signature=[])
    def result():
        first, second = tf.constant(values["v1"], name="v1"), tf.constant(values["v2"], name="v2")
        return tf.add(first, second, name="add")

    return result.get_concrete_function().graph.as_graph_def()


def read_pb_function(path):
    """Returns the GraphDef in a .pb. An empty tf.Graph makes the message into which it is read."""
    graph_def = tf.Graph().as_graph_def()
    with tf.io.gfile.GFile(path, "rb") as f:
        graph_def.ParseFromString(f.read())
    return graph_def


def show_function(folder, graph):
    """Writes a graph, or its GraphDef, to an event file in `folder`."""
    writer = tf.summary.create_file_writer(folder)
    with writer.as_default():
        tf.summary.graph(graph)
    writer.close()


def run_function(out=None):
    """Writes a SavedModel to `out`, makes a .pb from it, and shows both to TensorBoard."""
    trace = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder, model = os.fspath(out or scratch), Model()
        path = os.path.join(folder, FILE)
        trace["initial/v1"], trace["initial/v2"] = model.first.numpy(), model.second.numpy()
        tf.saved_model.save(model, os.path.join(folder, NAME))
        loaded = tf.saved_model.load(os.path.join(folder, NAME))
        values = {"v1": loaded.first.numpy(), "v2": loaded.second.numpy()}
        with tf.io.gfile.GFile(path, "wb") as f:
            f.write(frozen_function(values).SerializeToString())
        graph_def = read_pb_function(path)
        show_function(os.path.join(folder, "pb"), graph_def)
        show_function(os.path.join(folder, "model"), model.result.get_concrete_function().graph)
        trace["final/names"] = own(graph_def.node)
        trace["final/shown_of_pb"] = own(shown(os.path.join(folder, "pb")).node)
        trace["final/shown_of_model"] = sum(n.name == "add" for n in shown(os.path.join(folder, "model")).node)
    trace["final/variables_left"] = sum("Var" in node.op for node in graph_def.node)

    @tf.function
    def imported():
        return tf.graph_util.import_graph_def(graph_def, return_elements=["add:0"])

    (result,) = imported()
    trace["final/result"] = result.numpy()
    return {key: np.array(value) for key, value in trace.items()}
