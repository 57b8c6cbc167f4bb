"""Arithmetic: element by element, along an axis, and as matrices

Source: S4 418-630, 782-815, S3 695-733, S0 175-177
TF1: tf.reduce_sum(x, axis=1) and its like only add nodes; v1 still knows the old argument names.
Now: the same functions compute at once, or are traced; the results have the same bits.
Errata: S4 says that only tensors of equal shapes can be added; shapes that broadcast can.
    S4's mean of [[1, 2, 3], [2, 2, 3]] is 2 because integers divide towards zero; the mean is 2.1666667.
    S3 shows matmul of ranks 3 and 2 as ValueError; since TF 1.14 matmul and @ broadcast.
    S3 says that the type must not be int64; today it may.
See: https://www.tensorflow.org/api_docs/python/tf/math
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly
from tf1ref.examples.basics._errors import error_of

THREE = 3.0
POWER = 3
CAST = (1.0, 2.0, 3.0)
ROWS = ((1, 2, 3), (2, 2, 3))
TEST = ((1, 2, 3), (2, 3, 4), (5, 4, 3), (8, 7, 2))
BOOLS = (True, False, True)

EXPECTED = {
    "forward/add": exactly([[4.0, 4.0, 4.0]]),
    "forward/subtract": exactly([[-2.0, -2.0, -2.0]]),
    "forward/multiply": exactly([[3.0, 3.0, 3.0]]),
    "forward/divide": exactly([[3.0, 3.0, 3.0]]),
    "forward/pow": exactly([[27.0, 27.0]]),
    "forward/square": exactly([[9.0, 9.0]]),
    "forward/sqrt": exactly([[1.7320508, 1.7320508]], digits=7),
    "forward/matmul": exactly([[6.0, 6.0, 6.0], [6.0, 6.0, 6.0], [6.0, 6.0, 6.0]]),
    "forward/cast": exactly([1, 2, 3]),
    "forward/min": exactly(1),
    "forward/max": exactly(3),
    "forward/int_mean": exactly(2),
    "forward/row_sums": exactly([6, 7]),
    "forward/argmax_columns": exactly([3, 3, 1]),
    "forward/argmax_rows": exactly([2, 2, 0, 0]),
    "forward/tensordot_shape": exactly([3, 2, 5]),
    "forward/flat_shape": exactly([6, 5]),
    "forward/inner_mismatch_is_error": exactly("ValueError"),
}


def elementwise():
    """Adds arithmetic, element by element, to the default graph."""
    a, b, c = v1.ones([1, 3]), v1.fill([1, 3], THREE), v1.fill([1, 2], THREE)
    return {
        "add": v1.add(a, b),
        "subtract": v1.subtract(a, b),
        "multiply": v1.multiply(a, b),
        "divide": v1.divide(b, a),
        "broadcast": v1.fill([2, 1], THREE) + a,
        "pow": v1.pow(c, POWER),
        "square": v1.square(c),
        "sqrt": v1.sqrt(c),
    }


def reductions():
    """Adds casts, reductions (S0 lists seven of them) and indices of maxima to the default graph."""
    x, rows, bools = v1.cast(v1.constant(CAST, v1.float64), v1.int32), v1.constant(ROWS), v1.constant(BOOLS)
    return {
        "cast": x,
        "min": v1.reduce_min(x),
        "max": v1.reduce_max(x),
        "int_mean": v1.reduce_mean(rows),
        "float_mean": v1.reduce_mean(v1.cast(rows, v1.float32)),
        "column_means": v1.reduce_mean(v1.cast(rows, v1.float32), axis=0),
        "row_sums": v1.reduce_sum(rows, axis=1),
        "kept_sums": v1.reduce_sum(rows, axis=1, keepdims=True),
        "product": v1.reduce_prod(rows),
        "all": v1.reduce_all(bools),
        "any": v1.reduce_any(bools),
        "argmax_columns": v1.argmax(v1.constant(TEST, v1.int64), axis=0),
        "argmax_rows": v1.argmax(v1.constant(TEST, v1.int64), axis=1),
    }


def products():
    """Adds matrix products to the default graph; ranks 3 and 2 meet in the last axis and the first."""
    ll, ww = v1.reshape(v1.range(24), [3, 2, 4]), v1.reshape(v1.range(20), [4, 5])
    tensordot = v1.tensordot(ll, ww, axes=(-1, 0))
    flat = v1.reshape(ll, [-1, 4]) @ ww
    return {
        "matmul": v1.matmul(v1.ones([3, 2]), v1.fill([2, 3], THREE)),
        "tensordot": tensordot,
        "tensordot_shape": v1.shape(tensordot),
        "flat_shape": v1.shape(flat),
        "broadcast_matmul": v1.matmul(ll, ww),
        "broadcast_at": ll @ ww,
    }


def build_graph():
    """Adds everything to the default graph, by name."""
    return {**elementwise(), **reductions(), **products()}


def run_graph():
    """Inner sizes that differ raise ValueError when the node is made. Shapes are checked before any run."""
    with v1.Graph().as_default(), v1.Session() as sess:
        trace = {f"forward/{key}": value for key, value in sess.run(build_graph()).items()}
        mismatch = error_of(lambda: v1.matmul(v1.ones([3, 2]), v1.ones([3, 2])))
        trace["forward/inner_mismatch_is_error"] = mismatch
    return {key: np.array(value) for key, value in trace.items()}


@tf.function
def element_by_element():
    """Returns arithmetic on small tensors, by name."""
    a, b, c = tf.ones([1, 3]), tf.fill([1, 3], THREE), tf.fill([1, 2], THREE)
    return {
        "add": tf.add(a, b),
        "subtract": tf.subtract(a, b),
        "multiply": tf.multiply(a, b),
        "divide": tf.divide(b, a),
        "broadcast": tf.fill([2, 1], THREE) + a,
        "pow": tf.pow(c, POWER),
        "square": tf.square(c),
        "sqrt": tf.sqrt(c),
    }


@tf.function
def along_an_axis():
    """Returns casts, reductions and indices of maxima, by name."""
    x, rows, bools = tf.cast(tf.constant(CAST, tf.float64), tf.int32), tf.constant(ROWS), tf.constant(BOOLS)
    return {
        "cast": x,
        "min": tf.reduce_min(x),
        "max": tf.reduce_max(x),
        "int_mean": tf.reduce_mean(rows),
        "float_mean": tf.reduce_mean(tf.cast(rows, tf.float32)),
        "column_means": tf.reduce_mean(tf.cast(rows, tf.float32), axis=0),
        "row_sums": tf.reduce_sum(rows, axis=1),
        "kept_sums": tf.reduce_sum(rows, axis=1, keepdims=True),
        "product": tf.reduce_prod(rows),
        "all": tf.reduce_all(bools),
        "any": tf.reduce_any(bools),
        "argmax_columns": tf.argmax(tf.constant(TEST, tf.int64), axis=0),
        "argmax_rows": tf.argmax(tf.constant(TEST, tf.int64), axis=1),
    }


@tf.function
def as_matrices():
    """Returns matrix products, by name."""
    ll, ww = tf.reshape(tf.range(24), [3, 2, 4]), tf.reshape(tf.range(20), [4, 5])
    tensordot = tf.tensordot(ll, ww, axes=(-1, 0))
    flat = tf.reshape(ll, [-1, 4]) @ ww
    return {
        "matmul": tf.matmul(tf.ones([3, 2]), tf.fill([2, 3], THREE)),
        "tensordot": tensordot,
        "tensordot_shape": tf.shape(tensordot),
        "flat_shape": tf.shape(flat),
        "broadcast_matmul": tf.matmul(ll, ww),
        "broadcast_at": ll @ ww,
    }


@tf.function
def multiply_matrices(a, b):
    """Returns the matrix product.

    Inner sizes that differ raise ValueError while tracing, and InvalidArgumentError outside of a function.
    """
    return tf.matmul(a, b)


def run_function():
    """Three functions replace three sub-graphs."""
    results = {**element_by_element(), **along_an_axis(), **as_matrices()}
    trace = {f"forward/{key}": value.numpy() for key, value in results.items()}
    trace["forward/inner_mismatch_is_error"] = error_of(multiply_matrices, tf.ones([3, 2]), tf.ones([3, 2]))
    return {key: np.array(value) for key, value in trace.items()}
