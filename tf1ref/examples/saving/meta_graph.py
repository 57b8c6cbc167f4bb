"""Meta graphs: what a .meta file says, and a graph imported and extended

Source: S3 1809-1902, S2 240-250
TF1: export_meta_graph writes a graph, the ops it uses, the Saver's settings and the collections, as text too.
    import_meta_graph brings all of it back: a tensor is found by its name, and new ops may stand on it.
Now: saved_model.save writes functions with their variables; a loaded function is called inside another one. Its file
    holds a meta graph, too: the nodes lie in its library of functions, the variables' names in its graph of objects.
Errata: S3's first op is Add; since 1.15 `+` makes an AddV2. S3 calls the text JSON; it is protocol buffer text.
    VariableV2, v1/read and save/Assign belong to ref variables, which S3 has. Here use_resource=False makes them. S2's
    sketch with a VGG is in saving.going_on.
See: https://www.tensorflow.org/api_docs/python/tf/compat/v1/MetaGraphDef
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.core.framework.variable_pb2 import VariableDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tf1ref.catalog.figures import exactly

FIRST = 4.0
SECOND = 8.0
BIAS = 2.0
LATER_FIRST = 13.0
LATER_SECOND = 17.0
FACTOR = 2.0

EXPECTED = {
    "meta/trainable": exactly([b"v1", b"v2"]),
    "meta/op": exactly(b"AddV2"),
    "meta/op_arguments": exactly([b"x", b"y"]),
    "forward/saved": exactly(24.0),
    "forward/imported": exactly(60.0),
    "forward/extended": exactly(120.0),
}


def described(meta, nodes, trainable):
    """Returns what S3 looks up in a MetaGraphDef: the adding node, its arguments, and the variables' names."""
    (op,) = [node.op for node in nodes if node.name == "add"]
    (definition,) = [each for each in meta.meta_info_def.stripped_op_list.op if each.name == op]
    return {
        "meta/trainable": np.array(sorted(trainable), dtype=bytes),
        "meta/op": np.array(op, dtype=bytes),
        "meta/op_arguments": np.array([argument.name for argument in definition.input_arg], dtype=bytes),
    }


def build_graph(use_resource=False):
    """Adds S3's two variables and their sum, and its Saver, to the default graph."""
    first = v1.Variable(v1.constant(1.0, shape=[1]), name="v1", use_resource=use_resource)
    second = v1.Variable(v1.constant(2.0, shape=[1]), name="v2", use_resource=use_resource)
    return {"first": first, "second": second, "result": first + second, "saver": v1.train.Saver()}


def export_graph(path):
    """Writes S3's graph as text to `path`; returns the MetaGraphDef."""
    with v1.Graph().as_default():
        return build_graph()["saver"].export_meta_graph(path, as_text=True)


def extend_graph(folder, trace):
    """Runs S2's program: (w1 + w2) * bias is saved, imported, fed with other numbers, and multiplied again."""
    path = os.path.join(folder, "my_test_model")
    with v1.Graph().as_default(), v1.Session() as sess:
        w1, w2 = v1.placeholder("float", name="w1"), v1.placeholder("float", name="w2")
        b1 = v1.Variable(BIAS, name="bias")
        w4 = v1.multiply(v1.add(w1, w2), b1, name="op_to_restore")
        sess.run(v1.global_variables_initializer())
        trace["forward/saved"] = sess.run(w4, {w1: FIRST, w2: SECOND})
        v1.train.Saver().save(sess, path)
    with v1.Graph().as_default() as graph, v1.Session() as sess:
        saver = v1.train.import_meta_graph(f"{path}.meta")
        saver.restore(sess, path)
        feed = {"w1:0": LATER_FIRST, "w2:0": LATER_SECOND}
        op_to_restore = graph.get_tensor_by_name("op_to_restore:0")
        trace["forward/imported"] = sess.run(op_to_restore, feed)
        trace["forward/extended"] = sess.run(v1.multiply(op_to_restore, FACTOR), feed)


def run_graph(out=None):
    """A collection of variables holds one VariableDef, as bytes, for each."""
    trace = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.fspath(out or scratch)
        meta = export_graph(os.path.join(folder, "test_meta.pbtxt"))
        variables = meta.collection_def[v1.GraphKeys.TRAINABLE_VARIABLES].bytes_list.value
        names = [VariableDef.FromString(each).variable_name.partition(":")[0] for each in variables]
        trace |= described(meta, meta.graph_def.node, names)
        extend_graph(folder, trace)
    return {key: np.array(value) for key, value in trace.items()}


class Pair(tf.Module):
    """S3's two variables and their sum."""

    def __init__(self):
        super().__init__()
        self.first = tf.Variable(tf.constant(1.0, shape=[1]), name="v1")
        self.second = tf.Variable(tf.constant(2.0, shape=[1]), name="v2")

    @tf.function(input_signature=[])
    def result(self):
        """Returns the sum, shape [1]."""
        return self.first + self.second


def saved_meta_graph(folder):
    """Saves S3's pair; returns the meta graph of the file."""
    path = os.path.join(folder, "pair")
    tf.saved_model.save(Pair(), path)
    with open(os.path.join(path, "saved_model.pb"), "rb") as file:
        return SavedModel.FromString(file.read()).meta_graphs[0]


class Extended(tf.Module):
    """S2's (w1 + w2) * bias."""

    def __init__(self):
        super().__init__()
        self.bias = tf.Variable(BIAS, name="bias")

    @tf.function(input_signature=[tf.TensorSpec([]), tf.TensorSpec([])])
    def op_to_restore(self, w1, w2):
        """Returns a scalar for two scalars."""
        return tf.multiply(tf.add(w1, w2), self.bias)


def extend_function(folder, trace):
    """Calls the loaded function inside another one, whose graph holds both."""
    path, extended = os.path.join(folder, "my_test_model"), Extended()
    trace["forward/saved"] = extended.op_to_restore(FIRST, SECOND).numpy()
    tf.saved_model.save(extended, path)
    loaded = tf.saved_model.load(path)

    @tf.function
    def more(w1, w2):
        return tf.multiply(loaded.op_to_restore(w1, w2), FACTOR)

    later = tf.constant(LATER_FIRST), tf.constant(LATER_SECOND)
    trace["forward/imported"], trace["forward/extended"] = loaded.op_to_restore(*later).numpy(), more(*later).numpy()


def run_function(out=None):
    """The graph of objects has the name of each variable, and whether it is trained."""
    trace = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.fspath(out or scratch)
        meta = saved_meta_graph(folder)
        nodes = [node for function in meta.graph_def.library.function for node in function.node_def]
        variables = [each.variable for each in meta.object_graph_def.nodes if each.HasField("variable")]
        trace |= described(meta, nodes, [variable.name for variable in variables if variable.trainable])
        extend_function(folder, trace)
    return {key: np.array(value) for key, value in trace.items()}
