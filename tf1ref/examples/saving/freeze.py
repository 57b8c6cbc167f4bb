"""Freezing: a graph and its weights in one file

Source: S3 1762-1808, S0 1032-1080
TF1: convert_variables_to_constants prunes the graph to the outputs and puts each variable's value, which it
    asks the session for, in the variable's place; import_graph_def adds the file to any graph.
Now: a concrete function's graph receives its variables as captured inputs. To freeze it, their values are written where
    it reads them. The file is the same kind; import_graph_def reads it inside a tf.function.
    GFile stands where S3 and S0 read with FastGFile, which is deprecated and the same.
Errata: S0 names the first variable "vl" (a letter for a digit). It asks for "add :0" with a space in it, which is not a
    name. The conversion takes the node, "add"; the import takes the tensor, "add:0".
See: https://www.tensorflow.org/api_docs/python/tf/compat/v1/graph_util/convert_variables_to_constants
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
FILE = "combined_model.pb"

EXPECTED = {
    "forward/variables": exactly(2),
    "forward/variables_left": exactly(0),
    "forward/constants": exactly([1.0, 2.0]),
    "final/result": exactly([3.0]),
}


def build_graph():
    """Adds two variables and their sum to the default graph. The sum's node is called "add"."""
    first = v1.Variable(v1.constant(FIRST, shape=[1]), name="v1")
    second = v1.Variable(v1.constant(SECOND, shape=[1]), name="v2")
    return {"first": first, "second": second, "result": first + second}


def write_graph(path, trace):
    """Writes the frozen graph. The session holds the values, so the conversion needs it open."""
    with v1.Graph().as_default() as graph, v1.Session() as sess:
        nodes = build_graph()
        sess.run(v1.global_variables_initializer())
        trace["initial/v1"], trace["initial/v2"] = sess.run([nodes["first"], nodes["second"]])
        trace["forward/result"] = sess.run(nodes["result"])
        graph_def = graph.as_graph_def()
        trace["forward/variables"] = sum(node.op == "VarHandleOp" for node in graph_def.node)
        frozen = v1.graph_util.convert_variables_to_constants(sess, graph_def, ["add"])
    with v1.gfile.GFile(path, "wb") as f:
        f.write(frozen.SerializeToString())


def run_graph(out=None):
    """Writes `out`/combined_model.pb, then reads it into a graph that knows nothing of the first one."""
    trace = {}
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(out or scratch, FILE)
        write_graph(path, trace)
        graph_def = v1.GraphDef()
        with v1.gfile.GFile(path, "rb") as f:
            graph_def.ParseFromString(f.read())
    constants = [v1.make_ndarray(node.attr["value"].tensor) for node in graph_def.node if node.op == "Const"]
    trace["forward/constants"] = np.sort(np.concatenate(constants))
    trace["forward/variables_left"] = sum("Var" in node.op for node in graph_def.node)
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


def write_function(path, trace):
    """Writes the frozen function. A trace has its variables as inputs; each read of one becomes a constant."""
    model = Model()
    trace["initial/v1"], trace["initial/v2"] = model.first.numpy(), model.second.numpy()
    trace["forward/result"] = model.result().numpy()
    concrete = model.result.get_concrete_function()
    handles = {id(v.handle): v for v in concrete.variables}
    captured = zip(concrete.inputs, concrete.captured_inputs)
    variables = {placeholder.op.name: handles[id(handle)] for placeholder, handle in captured}
    trace["forward/variables"] = len(variables)
    frozen = concrete.graph.as_graph_def()
    kept = [node for node in frozen.node if node.name not in variables]
    for node in kept:
        if node.op == "ReadVariableOp":
            value = variables[node.input[0]].numpy()
            node.op = "Const"
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
            del node.input[:]
    del frozen.node[:]
    frozen.node.extend(kept)
    with tf.io.gfile.GFile(path, "wb") as f:
        f.write(frozen.SerializeToString())


def run_function(out=None):
    """Writes and reads the same file. An empty tf.Graph makes the message into which it is read."""
    trace = {}
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(out or scratch, FILE)
        write_function(path, trace)
        graph_def = tf.Graph().as_graph_def()
        with tf.io.gfile.GFile(path, "rb") as f:
            graph_def.ParseFromString(f.read())
    constants = [tf.make_ndarray(node.attr["value"].tensor) for node in graph_def.node if node.op == "Const"]
    trace["forward/constants"] = np.sort(np.concatenate(constants))
    trace["forward/variables_left"] = sum("Var" in node.op for node in graph_def.node)

    @tf.function
    def imported():
        return tf.graph_util.import_graph_def(graph_def, return_elements=["add:0"])

    (result,) = imported()
    trace["final/result"] = result.numpy()
    return {key: np.array(value) for key, value in trace.items()}
