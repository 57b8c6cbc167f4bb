"""Graphs: where nodes live, and why two graphs do not mix

Source: S3 464-505, S2 88-92, 93-98
TF1: nodes go into the default graph unless another one is; names and variables belong to one graph.
Now: every trace of a tf.function is a graph of its own; variables are objects outside all of them.
Errata: S3 leaves out the parentheses of global_variables_initializer().run().
See: https://www.tensorflow.org/guide/intro_to_graphs
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly
from tf1ref.examples.basics._errors import raises

ROW = ((3.0, 3.0),)
COLUMN = ((2.0,), (2.0,))
C = ((1.0, 2.0),)
D = ((8.0, 8.0),)
E = ((5.0, 6.0),)
THREE = 3.0
FOUR = 4.0

EXPECTED = {
    "forward/dot": exactly([[12.0]]),
    "forward/v_in_g1": exactly([0.0]),
    "forward/v_in_g2": exactly([1.0]),
    "forward/a_is_in_default_graph": exactly(True),
    "forward/a_is_in_graph2": exactly(False),
    "forward/e_is_in_graph2": exactly(True),
    "forward/names": exactly(["Const:0", "Const_1:0"]),
    "forward/mixing_is_error": exactly(True),
}


def build_graph():
    """Adds two unnamed constants and a product to the default graph: TF numbers the names that it makes up."""
    first, second = v1.constant(THREE), v1.constant(FOUR)
    dot = v1.matmul(v1.constant(ROW, name="a"), v1.constant(COLUMN, name="b"), name="dot")
    return {"first": first, "second": second, "sum": first + second, "dot": dot}


def build_graph1():
    """Adds a constant, a variable `v` of 0 and the sum of c and d to the default graph."""
    v = v1.get_variable("v", initializer=v1.zeros([1]))
    c, d = v1.constant(C, name="c"), v1.Variable(D, name="d")
    return {"v": v, "c": c, "sum": v1.add(c, d, name="sum")}


def build_graph2():
    """Adds a variable `v` of 1, a constant and the sum of e and whatever is fed as f to the default graph."""
    v = v1.get_variable("v", initializer=v1.ones([1]))
    e, f = v1.constant(E, name="e"), v1.placeholder(v1.float32, [1, 2], name="f")
    return {"v": v, "e": e, "f": f, "sum": v1.add(e, f, name="sum")}


def run_graph():
    """A session runs one graph. Mixing tensors of two raises ValueError; values may go from one to the other."""
    trace = {}
    default, graph1, graph2 = v1.Graph(), v1.Graph(), v1.Graph()
    with graph1.as_default():
        one = build_graph1()
    with graph2.as_default():
        two = build_graph2()
    with default.as_default(), v1.Session() as sess:
        g = build_graph()
        trace["forward/names"] = [g["first"].name, g["second"].name]
        trace["forward/seven"], trace["forward/dot"] = sess.run([g["sum"], g["dot"]])
        trace["forward/a_is_in_default_graph"] = g["first"].graph is v1.get_default_graph()
        trace["forward/a_is_in_graph2"] = g["first"].graph is graph2
        trace["forward/e_is_in_graph2"] = two["e"].graph is graph2
        trace["forward/mixing_is_error"] = raises(lambda: v1.add(g["first"], two["e"]), ValueError)
        trace["forward/foreign_fetch_is_error"] = raises(lambda: sess.run(one["sum"]), ValueError)
    with v1.Session(graph=graph1) as sess:
        # Inside `with`, the session's graph is the default one, so the initializer is made for graph1.
        sess.run(v1.global_variables_initializer())
        trace["forward/v_in_g1"], result = sess.run([one["v"], one["sum"]])
    with v1.Session(graph=graph2) as sess:
        sess.run(v1.global_variables_initializer())
        trace["forward/v_in_g2"], trace["forward/handed_on"] = sess.run(
            [two["v"], two["sum"]], feed_dict={two["f"]: result}
        )
    trace["forward/result"] = result
    return {key: np.array(value) for key, value in trace.items()}


class Program(tf.Module):
    """Variables and a function over them. `seen` keeps the symbols of the trace, so that they can be looked at."""

    def __init__(self, v, d):
        super().__init__()
        self.v = tf.Variable(v, name="v")
        self.d = tf.Variable(d, name="d")
        self.seen = []
        self.other = None

    @tf.function
    def names(self):
        """Returns 3 + 4, and the dot product; leaves the two constants in `seen`."""
        first, second = tf.constant(THREE), tf.constant(FOUR)
        self.seen.extend([first, second])
        return first + second, tf.matmul(tf.constant(ROW), tf.constant(COLUMN))

    @tf.function
    def add(self, c):
        """Returns c + d for c of shape [1, 2]."""
        constant = tf.identity(c)
        self.seen.append(constant)
        return tf.add(constant, self.d)

    @tf.function
    def mix(self):
        """Adds a symbol of another program's trace, which fails because that tensor is not in this graph."""
        return self.other.seen[0] + self.d


def run_function():
    """A symbol outside of its trace raises TypeError ("out of scope"). Values can be used anywhere."""
    default, one, two = Program([0.0], D), Program(tf.zeros([1]), D), Program(tf.ones([1]), E)
    seven, dot = default.names()
    result = one.add(tf.constant(C))
    handed_on = two.add(result)
    two.other = one
    own, graph2 = default.names.get_concrete_function().graph, two.add.get_concrete_function(result).graph
    trace = {
        "forward/names": [tensor.name for tensor in default.seen],
        "forward/seven": seven.numpy(),
        "forward/dot": dot.numpy(),
        "forward/a_is_in_default_graph": default.seen[0].graph is own,
        "forward/a_is_in_graph2": default.seen[0].graph is graph2,
        "forward/e_is_in_graph2": two.seen[0].graph is graph2,
        "forward/mixing_is_error": raises(two.mix, TypeError),
        "forward/foreign_fetch_is_error": raises(lambda: one.seen[0].numpy(), AttributeError),
        "forward/v_in_g1": one.v.numpy(),
        "forward/v_in_g2": two.v.numpy(),
        "forward/handed_on": handed_on.numpy(),
        "forward/result": result.numpy(),
    }
    return {key: np.array(value) for key, value in trace.items()}
