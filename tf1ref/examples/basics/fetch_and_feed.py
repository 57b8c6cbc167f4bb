"""Fetch and feed: several results of one run, and values put in from outside

Source: S0 118-138, S1 114-150, S2 100-107, S3 568-580
TF1: session.run takes what to fetch and what to feed; any tensor of the graph can be fed, placeholders must be.
Now: a tf.function returns several results and takes arguments; what may be replaced has to be an argument.
Errata: S0 feeds {a:1,b,2}, which is not a dict; {a: 1, b: 2} is. Its tf.device around sess.run moves nothing: only ops
    that are made inside are placed. S2 says that the order of the fetch list must follow the dependencies; any order
    will do.
See: https://www.tensorflow.org/api_docs/python/tf/compat/v1/Session
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly
from tf1ref.examples.basics._errors import raises

INPUT1 = 3.0
INPUT2 = 2.0
INPUT3 = 5.0
LEFT = (7.0,)
RIGHT = (2.0,)
A = (1.0, 2.0)
B = (2.0, 3.0)
W = 0.1
BIAS = 0.2
X = 10.0
# This is fed in place of the sum INPUT2 + INPUT3, which is then never computed.
REPLACEMENT = 10.0
DEFAULT = 4.0

EXPECTED = {
    "forward/mul_and_sum": exactly([21.0, 7.0]),
    "forward/product": exactly([14.0]),
    "forward/adder_node": exactly([3.0, 5.0]),
    "forward/halves": exactly(3.0),  # in float16
    "forward/y1": exactly(1.2),
    "forward/y2": exactly(0.32),
    "forward/missing_feed_is_error": exactly(True),
    "forward/wrong_shape_is_error": exactly(True),
}


def build_graph():
    """Adds the source's four small programs to the default graph; placeholders are the names a feed may use."""
    intermed = v1.add(v1.constant(INPUT2), v1.constant(INPUT3), name="intermed")
    left, right = v1.placeholder(v1.float32, [1], name="left"), v1.placeholder(v1.float32, [1], name="right")
    a, b = v1.placeholder(v1.float32, name="a"), v1.placeholder(v1.float32, name="b")
    # Without a shape, a placeholder takes any shape.
    half_a, half_b = v1.placeholder(v1.float16), v1.placeholder(v1.float16)
    x = v1.placeholder(v1.float32, name="x")
    y1 = v1.add(v1.multiply(W, x), BIAS, name="y1")
    optional = v1.placeholder_with_default(v1.constant(DEFAULT), [], name="optional")
    return {
        "intermed": intermed,
        "mul": v1.multiply(v1.constant(INPUT1), intermed, name="mul"),
        "left": left,
        "right": right,
        "product": v1.multiply(left, right, name="product"),
        "a": a,
        "b": b,
        "adder_node": a + b,
        "half_a": half_a,
        "half_b": half_b,
        "halves": v1.add(half_a, half_b),
        "x": x,
        "y1": y1,
        "y2": v1.add(v1.multiply(W, y1), BIAS, name="y2"),
        "y3": v1.add(v1.multiply(v1.constant(W), BIAS), 1.0, name="y3"),
        "optional": optional,
        "root": v1.sqrt(optional, name="root"),
    }


def run_graph():
    """A feed lasts for one run. A placeholder without one is InvalidArgumentError, a wrong shape ValueError."""
    trace = {}
    with v1.Graph().as_default(), v1.Session() as sess:
        g = build_graph()
        trace["forward/mul_and_sum"] = sess.run([g["mul"], g["intermed"]])
        trace["forward/replaced"] = sess.run(g["mul"], {g["intermed"]: REPLACEMENT})
        trace["forward/not_replaced"] = sess.run(g["mul"])
        trace["forward/product"] = sess.run(g["product"], {g["left"]: LEFT, g["right"]: RIGHT})
        trace["forward/adder_node"] = sess.run(g["adder_node"], {g["a"]: A, g["b"]: B})
        trace["forward/halves"] = sess.run(g["halves"], {g["half_a"]: 1, g["half_b"]: 2})
        # Fetches may be nested in lists, tuples and dicts. The result has the same structure.
        answer = sess.run({"ys": (g["y2"], g["y1"]), "y3": g["y3"]}, {g["x"]: X})
        (trace["forward/y2"], trace["forward/y1"]), trace["forward/y3"] = answer["ys"], answer["y3"]
        # y3 does not depend on x, so nothing has to be fed for it. y2 depends on it through y1.
        trace["forward/y3_alone"] = sess.run(g["y3"])
        trace["forward/missing_feed_is_error"] = raises(lambda: sess.run(g["y2"]), v1.errors.InvalidArgumentError)
        trace["forward/wrong_shape_is_error"] = raises(
            lambda: sess.run(g["product"], {g["left"]: (1.0, 2.0), g["right"]: RIGHT}), ValueError
        )
        trace["forward/default"] = sess.run(g["root"])
        trace["forward/given"] = sess.run(g["root"], {g["optional"]: X})
    return {key: np.array(value) for key, value in trace.items()}


@tf.function
def mul_and_sum(intermed=None):
    """Returns the product and the sum, two scalars. The argument with a default replaces the feed."""
    if intermed is None:
        intermed = tf.add(tf.constant(INPUT2), tf.constant(INPUT3))
    return tf.multiply(tf.constant(INPUT1), intermed), intermed


@tf.function(input_signature=[tf.TensorSpec([1], tf.float32), tf.TensorSpec([1], tf.float32)])
def product(left, right):
    """Multiplies two vectors of one element. The signature replaces the shapes of the placeholders."""
    return tf.multiply(left, right)


@tf.function
def adder_node(a, b):
    """Adds two tensors of any shape."""
    return a + b


@tf.function
def chain(x):
    """Returns y1 and y2: W * x + BIAS, applied once and twice."""
    y1 = tf.add(tf.multiply(W, x), BIAS)
    return y1, tf.add(tf.multiply(W, y1), BIAS)


@tf.function
def y3():
    """Returns W * BIAS + 1, which needs no x."""
    return tf.add(tf.multiply(tf.constant(W), BIAS), 1.0)


@tf.function
def root(optional=DEFAULT):
    """Returns the square root of the argument, or of its default."""
    return tf.sqrt(tf.convert_to_tensor(optional, tf.float32))


def run_function():
    """Arguments last for one call. A missing argument, or one of a wrong shape, raises TypeError."""
    trace = {}
    trace["forward/mul_and_sum"] = [r.numpy() for r in mul_and_sum()]
    trace["forward/replaced"] = mul_and_sum(tf.constant(REPLACEMENT))[0].numpy()
    trace["forward/not_replaced"] = mul_and_sum()[0].numpy()
    trace["forward/product"] = product(tf.constant(LEFT), tf.constant(RIGHT)).numpy()
    trace["forward/adder_node"] = adder_node(tf.constant(A), tf.constant(B)).numpy()
    trace["forward/halves"] = adder_node(tf.constant(1, tf.float16), tf.constant(2, tf.float16)).numpy()
    trace["forward/y1"], trace["forward/y2"] = (y.numpy() for y in chain(tf.constant(X)))
    trace["forward/y3"] = trace["forward/y3_alone"] = y3().numpy()
    trace["forward/missing_feed_is_error"] = raises(lambda: chain(), TypeError)
    trace["forward/wrong_shape_is_error"] = raises(
        lambda: product(tf.constant((1.0, 2.0)), tf.constant(RIGHT)), TypeError
    )
    trace["forward/default"] = root().numpy()
    trace["forward/given"] = root(tf.constant(X)).numpy()
    return {key: np.array(value) for key, value in trace.items()}
