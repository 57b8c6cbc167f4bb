"""Hello, TensorFlow: a constant, a sum, and who computes them

Source: S0 91-115, S3 417-431
TF1: an op is only a node of a graph; a Session computes it, closed by hand or by `with`.
Now: an op computes at once; tf.function turns a Python function back into a graph.
Errata: S0 calls tf.run(session); it is session.run(tensor).
See: https://www.tensorflow.org/guide/intro_to_graphs
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

GREETING = "Hello TensorFlow"
A = 10
B = 32

EXPECTED = {"forward/hello": exactly(b"Hello TensorFlow"), "forward/sum": exactly(42)}


def build_graph():
    """Adds the greeting and the sum to the default graph."""
    hello = v1.constant(GREETING, name="hello")
    a = v1.constant(A, name="a")
    b = v1.constant(B, name="b")
    return {"hello": hello, "sum": v1.add(a, b, name="sum")}


def run_graph():
    """Nothing computes until Session.run. A session holds resources: close it, or use `with`, which closes it."""
    with v1.Graph().as_default():
        graph = build_graph()
        sess = v1.Session()
        hello = sess.run(graph["hello"])
        sess.close()
        with v1.Session() as sess:
            total = sess.run(graph["sum"])
    return {"forward/hello": np.array(hello), "forward/sum": np.array(total)}


@tf.function
def greet():
    """Returns the greeting, a string scalar."""
    return tf.constant(GREETING)


@tf.function
def add():
    """Returns A + B, an int32 scalar."""
    return tf.add(tf.constant(A), tf.constant(B))


def run_function():
    """There is nothing to open or close. A call runs the function."""
    return {"forward/hello": np.array(greet().numpy()), "forward/sum": np.array(add().numpy())}
