"""Tensors: constants, fills and random numbers, their shapes and types

Source: S4 237-417, S3 435-463, 606-640
TF1: a tensor is a reference to the result of an op; print shows name, shape and type, never the value.
Now: a tensor holds its value, and print shows it; inside tf.function it is the reference of old again.
Errata: S4 declares int64 and prints int32. S3's error message names "d:0" where the program says b.
    S3 calls the mismatch of types a ValueError; today it is a TypeError. S3 writes tf.fload32 for tf.float32.
    S4 writes tf.int, tf.float, `tf.int 32` and `convert to_tensor`; the names are tf.int32, tf.float32 and
    tf.convert_to_tensor.
See: https://www.tensorflow.org/guide/tensor
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import at_most, exactly
from tf1ref.examples.basics._errors import error_of

SEED = 1
PAIR = (1, 5)
RANGE = 5
FILL = 9
A = (1.0, 2.0)
MEAN = 2.0
STDDEV = 2.0
HALF = 0.5
UNIT = 1.0
MINVAL = 0
MAXVAL = 1.0
ALPHA = 1.5
SHAPES = (3, [1.0, 2.0, 3.0], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[[1.0, 2.0, 3.0]], [[7.0, 8.0, 9.0]]])
TEXT = "Hello, world!"

EXPECTED = {
    "forward/pair": exactly([1, 5]),
    "dtype/pair": exactly("int64"),
    "forward/converted": exactly([0, 1, 2, 3, 4]),
    "dtype/converted": exactly("int64"),
    "forward/zeros": exactly([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
    "forward/ones": exactly([1.0, 1.0, 1.0, 1.0]),
    "forward/fill": exactly([[FILL, FILL], [FILL, FILL]]),
    "forward/nines": exactly([[9, 9, 9], [9, 9, 9]]),
    "dtype/nines": exactly("int32"),
    "forward/add": exactly([2.0, 4.0]),
    "dtype/add": exactly("float32"),
    "forward/ranks": exactly([0, 1, 2, 3]),
    "forward/last_shape": exactly([2, 1, 3]),
    "forward/add_name": exactly("add:0"),
    "forward/default_int": exactly("int32"),
    "forward/mismatch_is_error": exactly("TypeError"),
    "forward/truncated_deviations": at_most(2.0),
    "forward/uniform": at_most(1.0),
}


def build_graph():
    """Adds constants, fills and random numbers to the default graph. Random ops draw anew at every run."""
    a, b = v1.constant(A, name="a"), v1.constant(A, name="b")
    truncated = v1.truncated_normal([2, 50], mean=HALF, stddev=UNIT, seed=SEED + 1)
    return {
        "pair": v1.constant(PAIR, dtype=v1.int64),
        "converted": v1.convert_to_tensor(np.arange(RANGE), dtype=v1.int64),
        "zeros": v1.zeros([2, 3]),
        "ones": v1.ones(4),
        "fill": v1.fill([2, 2], FILL),
        "nines": v1.fill([2, 3], FILL),
        "bools": v1.constant([True, False]),
        "text": v1.constant(TEXT),
        "add": v1.add(a, b, name="add"),
        "normal": v1.random_normal([2, 3], mean=MEAN, stddev=STDDEV, seed=SEED),
        "truncated": truncated,
        "uniform": v1.random_uniform([2, 2], minval=MINVAL, maxval=MAXVAL, seed=SEED + 2),
        "gamma": v1.random_gamma([4], alpha=ALPHA, seed=SEED + 3),
        "truncated_deviations": v1.abs(truncated - HALF) / UNIT,
    }


def run_graph():
    """Shape, type and name are known before anything runs. A mismatch of types is found then, too."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        g = build_graph()
        # With one run, truncated and its deviations come from the same draw.
        values = sess.run(g)
        trace = {f"forward/{key}": value for key, value in values.items()}
        trace |= {f"dtype/{key}": tensor.dtype.name for key, tensor in g.items()}
        ranked = [v1.constant(value) for value in SHAPES]
        trace["forward/ranks"] = [tensor.shape.rank for tensor in ranked]
        trace["forward/run_time_ranks"] = sess.run([v1.rank(tensor) for tensor in ranked])
        trace["forward/last_shape"] = sess.run(v1.shape(ranked[-1]))
        trace["forward/add_name"] = g["add"].name
        trace["forward/default_int"] = v1.constant(PAIR).dtype.name
        trace["forward/mismatch_is_error"] = error_of(lambda: v1.constant(PAIR) + g["add"])
        trace["forward/cast_instead"] = sess.run(v1.constant(PAIR, dtype=v1.float32) + g["add"])
    return {key: np.array(value) for key, value in trace.items()}


def tensors():
    """Returns constants, fills and random numbers by name."""
    truncated = tf.random.truncated_normal([2, 50], mean=HALF, stddev=UNIT, seed=SEED + 1)
    return {
        "pair": tf.constant(PAIR, dtype=tf.int64),
        "converted": tf.convert_to_tensor(np.arange(RANGE), dtype=tf.int64),
        "zeros": tf.zeros([2, 3]),
        "ones": tf.ones(4),
        "fill": tf.fill([2, 2], FILL),
        "nines": tf.fill([2, 3], FILL),
        "bools": tf.constant([True, False]),
        "text": tf.constant(TEXT),
        "add": tf.add(tf.constant(A), tf.constant(A), name="add"),
        "normal": tf.random.normal([2, 3], mean=MEAN, stddev=STDDEV, seed=SEED),
        "truncated": truncated,
        "uniform": tf.random.uniform([2, 2], minval=MINVAL, maxval=MAXVAL, seed=SEED + 2),
        "gamma": tf.random.gamma([4], alpha=ALPHA, seed=SEED + 3),
        "truncated_deviations": tf.abs(truncated - HALF) / UNIT,
    }


@tf.function
def shapes():
    """Returns the ranks of SHAPES and the shape of its last element, computed at run time."""
    ranked = [tf.constant(value) for value in SHAPES]
    return [tf.rank(tensor) for tensor in ranked], tf.shape(ranked[-1])


@tf.function
def mixed_sum(dtype):
    """Returns PAIR in the given type plus float32 numbers.

    Types that differ raise TypeError while tracing. Outside of a function the kernel raises InvalidArgumentError.
    """
    return tf.constant(PAIR, dtype=dtype) + tf.add(tf.constant(A), tf.constant(A))


def run_function():
    """A random op in a traced function has a state. Each call draws anew; the first one draws what the graph does."""
    tf.random.set_seed(SEED)
    # A fresh tf.function has a fresh state, so the numbers do not depend on earlier calls in this process.
    program = tf.function(tensors)
    values = program()
    trace = {f"forward/{key}": value.numpy() for key, value in values.items()}
    trace |= {f"dtype/{key}": value.dtype.name for key, value in values.items()}
    trace["forward/ranks"] = [tf.constant(value).shape.rank for value in SHAPES]
    ranks, last_shape = shapes()
    trace["forward/run_time_ranks"] = [rank.numpy() for rank in ranks]
    trace["forward/last_shape"] = last_shape.numpy()
    graph = program.get_concrete_function().graph
    trace["forward/add_name"] = graph.get_operation_by_name("add").outputs[0].name
    trace["forward/default_int"] = tf.constant(PAIR).dtype.name
    trace["forward/mismatch_is_error"] = error_of(mixed_sum, tf.int32)
    trace["forward/cast_instead"] = mixed_sum(tf.float32).numpy()
    return {key: np.array(value) for key, value in trace.items()}
