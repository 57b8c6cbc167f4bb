"""Sessions: who runs a graph, who is the default, and with which settings

Source: S1 17-80, S2 93-98, 108-110, S3 529-567
TF1: a Session owns threads, devices and values; as a default session it lets tensors evaluate themselves.
Now: no session: the process has one context; tf.config sets it up, and a result has .numpy() at once.
Errata: S1's second matrix is [[2, 2]], and no [1, 2] matrix can be multiplied by it. Its comment says 2 by 1, which is
    [[2], [2]].
    S3's `with tf.Session() as sess:` ends in a full-width colon and does not parse.
    S3 puts sess.as_default() into `with tf.Session()`, which has made the session the default already.
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

X = (1.0, 2.0)
Y = (3.0, 3.0)
ROW = ((3.0, 3.0),)
COLUMN = ((2.0,), (2.0,))
FIVE = 5.0
TWO = 2.0
THREE = 3.0
THREADS = 1
TIMEOUT_MS = 20000

EXPECTED = {
    "forward/result": exactly([2.0, 4.0]),
    "forward/default_session": exactly([2.0, 4.0]),
    "forward/interactive": exactly([-2.0, -1.0]),
    "forward/product": exactly([[12.0]]),
    "forward/configured": exactly([8.0, 10.0, 1.5, -1.0]),
    "forward/no_session_is_error": exactly(True),
}


def build_graph():
    """Adds a sum, a difference, a matrix product and four operations on one variable to the default graph."""
    x, a = v1.Variable(X, name="x"), v1.constant(Y, name="a")
    first, b, c = v1.Variable(FIVE, name="five"), v1.constant(TWO), v1.constant(THREE)
    return {
        "x": x,
        "result": v1.constant(X) + v1.constant(X),
        "sub": v1.subtract(x, a, name="sub"),
        "product": v1.matmul(v1.constant(ROW), v1.constant(COLUMN), name="product"),
        "four": [v1.add(first, c), v1.multiply(first, b), v1.divide(c, b), v1.subtract(b, c)],
    }


def config():
    """Returns the settings that the source names. Other settings keep their defaults.

    allow_soft_placement runs an op on the CPU when no GPU can take it. log_device_placement prints one line for each op
    on standard error. The thread counts are those inside an op and between ops. The time-out bounds every run, which
    then raises DeadlineExceededError. gpu_options matter only with a GPU. By default TensorFlow takes all its memory.
    allow_growth takes memory when it is needed; per_process_gpu_memory_fraction limits it to a share.
    """
    return v1.ConfigProto(
        allow_soft_placement=True,
        log_device_placement=False,
        intra_op_parallelism_threads=THREADS,
        inter_op_parallelism_threads=THREADS,
        operation_timeout_in_ms=TIMEOUT_MS,
        gpu_options=v1.GPUOptions(allow_growth=True, per_process_gpu_memory_fraction=0.5),
    )


def run_graph():
    """eval() asks the default session and raises ValueError without one. A closed session raises RuntimeError."""
    trace = {}
    with v1.Graph().as_default():
        g = build_graph()
        trace["forward/no_session_is_error"] = raises(g["result"].eval, ValueError)
        sess = v1.Session()
        trace["forward/result"] = sess.run(g["result"])
        with sess.as_default():
            # Unlike `with sess:`, this leaves the session open.
            trace["forward/default_session"] = g["result"].eval()
        trace["forward/explicit_session"] = g["product"].eval(session=sess)
        sess.close()
        assert raises(lambda: sess.run(g["result"]), RuntimeError)
        with v1.Session() as sess:
            trace["forward/product"] = sess.run([g["product"]])[0]
        # An InteractiveSession is the default one from its creation to close(), without `with`.
        sess = v1.InteractiveSession()
        g["x"].initializer.run()
        trace["forward/interactive"] = g["sub"].eval()
        sess.close()
        with v1.Session(config=config()) as sess:
            # In another session, x and five have no value yet.
            sess.run(v1.global_variables_initializer())
            trace["forward/configured"] = sess.run(g["four"])
    return {key: np.array(value) for key, value in trace.items()}


class Program(tf.Module):
    """Variables live in objects; every function call finds the same values."""

    def __init__(self):
        super().__init__()
        self.x = tf.Variable(X, name="x")
        self.five = tf.Variable(FIVE, name="five")

    @tf.function
    def result(self):
        """Returns the sum of X and itself."""
        return tf.constant(X) + tf.constant(X)

    @tf.function
    def sub(self):
        """Returns x - Y."""
        return tf.subtract(self.x, tf.constant(Y))

    @tf.function
    def product(self):
        """Returns the [1, 1] product of ROW and COLUMN."""
        return tf.matmul(tf.constant(ROW), tf.constant(COLUMN))

    @tf.function
    def four(self):
        """Returns sum, product, quotient and difference: four scalars."""
        b, c = tf.constant(TWO), tf.constant(THREE)
        return tf.add(self.five, c), tf.multiply(self.five, b), tf.divide(c, b), tf.subtract(b, c)

    @tf.function
    def value_while_tracing(self):
        """Asks for a value where there are only symbols: .numpy() raises AttributeError here."""
        return (self.x + 1.0).numpy()


def run_function():
    """The settings belong to the process, and a single call cannot have a time-out.

    They are tf.config.set_soft_device_placement, tf.debugging.set_log_device_placement, tf.config.threading.*,
    tf.config.experimental.set_memory_growth and, for a share of a GPU, tf.config.set_logical_device_configuration. The
    last three must come before the first op.
    """
    program = Program()
    trace = {"forward/no_session_is_error": raises(program.value_while_tracing, AttributeError)}
    trace["forward/result"] = program.result().numpy()
    # Outside of a function the same line runs at once, which is what a default session and eval() were for.
    trace["forward/default_session"] = (tf.constant(X) + tf.constant(X)).numpy()
    trace["forward/explicit_session"] = tf.matmul(tf.constant(ROW), tf.constant(COLUMN)).numpy()
    trace["forward/product"] = program.product().numpy()
    trace["forward/interactive"] = program.sub().numpy()
    trace["forward/configured"] = [value.numpy() for value in program.four()]
    return {key: np.array(value) for key, value in trace.items()}
