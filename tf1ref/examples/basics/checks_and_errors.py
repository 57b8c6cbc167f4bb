"""Checks and errors: comparisons, assertions, prints, and what raises what

Source: S2 317-360
TF1: a check is an op: it runs only when somebody depends on it (control_dependencies) or fetches it.
Now: checks and prints inside tf.function run at their line. The error classes are the same objects.
    v1.Print, an identity that writes to standard error on its way, has become tf.print, which returns nothing.
Errata: none found: the source lists only headings, without programs.
See: https://www.tensorflow.org/api_docs/python/tf/debugging
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

P = (True, True, False, False)
Q = (True, False, True, False)
A = (1.0, 2.0, 3.0)
B = (3.0, 2.0, 1.0)
SPECIAL = (1.0, float("inf"), float("nan"))
LIMIT = 2.0
GOOD = 1.5
BAD = 3.0
# numpy_function turns Python's errors into TensorFlow's.
PYTHON_ERRORS = (ValueError, NotImplementedError, MemoryError, StopIteration, KeyError)

EXPECTED = {
    "forward/and": exactly([True, False, False, False]),
    "forward/xor": exactly([False, True, True, False]),
    "forward/less_equal": exactly([True, True, False]),
    "forward/is_nan": exactly([False, False, True]),
    "errors/assert": exactly("InvalidArgumentError 3"),
    "errors/check_numerics": exactly("InvalidArgumentError 3"),
    "errors/no_file": exactly("NotFoundError 5"),
    "errors/copy_over": exactly("AlreadyExistsError 6"),
    "errors/uninitialized": exactly("FailedPreconditionError 9"),
    "errors/dequeue_closed": exactly("OutOfRangeError 11"),
    "errors/enqueue_closed": exactly("CancelledError 1"),
    "errors/damaged_record": exactly("DataLossError 15"),
    "errors/python": exactly(
        ["InvalidArgumentError 3", "UnimplementedError 12", "ResourceExhaustedError 8"]
        + ["OutOfRangeError 11", "UnknownError 2"]
    ),
}


def error_of(call, *arguments):
    """Returns the class and the code of the error that `call` raises ("NotFoundError 5"), or "" when it returns."""
    try:
        call(*arguments)
    except Exception as e:
        return f"{type(e).__name__} {getattr(e, 'error_code', '')}".strip()
    return ""


def raiser(error):
    """Returns a function that raises `error`."""

    def fail():
        raise error("on purpose")

    return fail


def damaged_record(out):
    """Writes a file that no TFRecord reader accepts: its length has a wrong checksum. Returns its path."""
    path = Path(out, "damaged.tfrecord")
    path.write_bytes(100 * b"x")
    return str(path)


def build_graph():
    """Adds logic, comparisons and a guarded square root to the default graph."""
    p, q, a, b, special = (v1.constant(values) for values in (P, Q, A, B, SPECIAL))
    x = v1.placeholder(v1.float32, [], name="x")
    with v1.control_dependencies([v1.Assert(x < LIMIT, ["x is too large:", x])]):
        guarded = v1.sqrt(x, name="guarded")
    checks = {
        "and": v1.logical_and(p, q),
        "or": v1.logical_or(p, q),
        "xor": v1.logical_xor(p, q),
        "not": v1.logical_not(p),
        "equal": v1.equal(a, b),
        "not_equal": v1.not_equal(a, b),
        "less": v1.less(a, b),
        "less_equal": v1.less_equal(a, b),
        "greater": v1.greater(a, b),
        "greater_equal": v1.greater_equal(a, b),
        "is_finite": v1.is_finite(special),
        "is_inf": v1.is_inf(special),
        "is_nan": v1.is_nan(special),
    }
    return {
        "checks": checks,
        "x": x,
        "guarded": guarded,
        "margin": LIMIT - x,
        "log": v1.check_numerics(v1.log(x), "log of x"),
    }


def failing(out):
    """Adds, by name, one op for each class of error to the default graph. An op fails only when it runs."""
    queue = v1.FIFOQueue(1, v1.float32)
    with v1.control_dependencies([queue.close()]):
        dequeue, enqueue = queue.dequeue(), queue.enqueue(1.0)
    records = v1.data.make_one_shot_iterator(v1.data.TFRecordDataset(damaged_record(out)))
    return {
        "errors/no_file": v1.read_file("/no/such/file"),
        "errors/uninitialized": v1.Variable(1.0).read_value(),
        "errors/dequeue_closed": dequeue,
        "errors/enqueue_closed": enqueue,
        "errors/damaged_record": records.get_next(),
    }


def run_graph():
    """Shows errors. Those of shapes and types come while the graph is built; the others come from Session.run.

    They are subclasses of tf.errors.OpError, and `e.op` names the node. A run that takes too long raises
    DeadlineExceededError.
    """
    with tempfile.TemporaryDirectory() as out, v1.Graph().as_default(), v1.Session() as sess:
        g, printed = build_graph(), Path(out, "printed.txt")
        trace = {f"forward/{key}": value for key, value in sess.run(g["checks"]).items()}
        trace["forward/guarded"], trace["forward/margin"] = sess.run([g["guarded"], g["margin"]], {g["x"]: GOOD})
        # The assertion does not stop ops that do not depend on it.
        trace["forward/log"] = sess.run(g["log"], {g["x"]: BAD})
        show = v1.print("x =", g["x"], output_stream=f"file://{printed}")
        with v1.control_dependencies([show]):
            sess.run(v1.identity(g["x"]), {g["x"]: GOOD})
        trace["forward/printed"] = printed.read_bytes()
        trace["errors/assert"] = error_of(sess.run, g["guarded"], {g["x"]: BAD})
        trace["errors/check_numerics"] = error_of(sess.run, g["log"], {g["x"]: -BAD})
        trace["errors/static_assert"] = error_of(v1.assert_equal, v1.constant(A), v1.constant(B))
        trace["errors/copy_over"] = error_of(v1.gfile.Copy, str(printed), str(printed))
        for key, op in failing(out).items():
            trace[key] = error_of(sess.run, op)
        python = [v1.numpy_function(raiser(error), [], v1.float32) for error in PYTHON_ERRORS]
        trace["errors/python"] = [error_of(sess.run, op) for op in python]
        empty = v1.FIFOQueue(1, v1.float32).dequeue()
        in_time = v1.RunOptions(timeout_in_ms=100)
        # Only a session has a time limit. The function half has nothing like it.
        assert error_of(lambda: sess.run(empty, options=in_time)) == "DeadlineExceededError 4"
    return {key: np.array(value) for key, value in trace.items()}


@tf.function
def checks():
    """Returns logic and comparisons, by name; the operators &, |, ^, ~, <, == work as well."""
    p, q, a, b, special = (tf.constant(values) for values in (P, Q, A, B, SPECIAL))
    return {
        "and": tf.logical_and(p, q),
        "or": tf.logical_or(p, q),
        "xor": tf.math.logical_xor(p, q),
        "not": tf.logical_not(p),
        "equal": tf.equal(a, b),
        "not_equal": tf.not_equal(a, b),
        "less": tf.less(a, b),
        "less_equal": tf.less_equal(a, b),
        "greater": tf.greater(a, b),
        "greater_equal": tf.greater_equal(a, b),
        "is_finite": tf.math.is_finite(special),
        "is_inf": tf.math.is_inf(special),
        "is_nan": tf.math.is_nan(special),
    }


@tf.function
def guarded(x):
    """Returns the square root of a scalar below LIMIT, and how far below LIMIT it is.

    Above LIMIT it raises InvalidArgumentError. Nothing needs to depend on the check.
    """
    tf.debugging.Assert(x < LIMIT, ["x is too large:", x])
    return tf.sqrt(x), LIMIT - x


@tf.function
def log(x):
    """Returns the logarithm of a scalar. Raises InvalidArgumentError when it is infinite or NaN."""
    return tf.debugging.check_numerics(tf.math.log(x), "log of x")


@tf.function
def show(x, path):
    """Appends x to the file `path` (a string) whenever it runs. Python's print would do so once, while tracing."""
    tf.print("x =", x, output_stream=f"file://{path}")


@tf.function
def static_assert():
    """Compares two constants. The mistake is found while tracing."""
    tf.debugging.assert_equal(tf.constant(A), tf.constant(B))


@tf.function
def unmade_variable():
    """Reads a resource that nobody made, which is as near as TF2 comes to a variable without its initializer."""
    handle = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], shared_name="made by nobody")
    return tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)


@tf.function
def python_error(fail):
    """Calls `fail`, a Python function, from the graph."""
    return tf.numpy_function(fail, [], tf.float32)


def failing_calls(out):
    """Returns, by name, one call for each class of error. A call fails only when it is made."""
    queue = tf.queue.FIFOQueue(1, [tf.float32])
    queue.close()
    records = tf.data.TFRecordDataset(damaged_record(out))

    @tf.function
    def read_file():
        return tf.io.read_file("/no/such/file")

    @tf.function
    def dequeue():
        return queue.dequeue()

    @tf.function
    def enqueue():
        queue.enqueue(1.0)

    @tf.function
    def count_records():
        return records.reduce(0, lambda count, _: count + 1)

    return {
        "errors/no_file": read_file,
        "errors/uninitialized": unmade_variable,
        "errors/dequeue_closed": dequeue,
        "errors/enqueue_closed": enqueue,
        "errors/damaged_record": count_records,
    }


def run_function():
    """The same kernels raise the same classes. What fails while the graph is built there fails while tracing here."""
    trace = {f"forward/{key}": value.numpy() for key, value in checks().items()}
    trace["forward/guarded"], trace["forward/margin"] = (result.numpy() for result in guarded(tf.constant(GOOD)))
    trace["forward/log"] = log(tf.constant(BAD)).numpy()
    trace["errors/assert"] = error_of(guarded, tf.constant(BAD))
    trace["errors/check_numerics"] = error_of(log, tf.constant(-BAD))
    trace["errors/static_assert"] = error_of(static_assert)
    with tempfile.TemporaryDirectory() as out:
        printed = Path(out, "printed.txt")
        show(tf.constant(GOOD), str(printed))
        trace["forward/printed"] = printed.read_bytes()
        trace["errors/copy_over"] = error_of(tf.io.gfile.copy, str(printed), str(printed))
        for key, call in failing_calls(out).items():
            trace[key] = error_of(call)
    trace["errors/python"] = [error_of(python_error, raiser(error)) for error in PYTHON_ERRORS]
    return {key: np.array(value) for key, value in trace.items()}
