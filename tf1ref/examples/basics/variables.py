"""Variables: values that outlive a run

Source: S1 86-112, S3 581-679, 1237-1246, S2 111-118, S4 499-510, 797-822
TF1: a variable is a node; its value lives in the session and must be initialized there before it is read.
Now: a variable is an object that has a value from its first line on. The method initialized_value() is gone from
    today's (resource) variables: `initialized_value` below is what it did. Initializers were objects;
    uniform_unit_scaling_initializer has no successor, `unit_scaling_limit` is its formula.
Errata: S3 writes tf.ones_initialize; the list ends in tf.ones_initializer. S2 prints a Variable where it means its
    value. S3's [0.3, 0.6, 0.9] begins with 0, for W * 1 + b.
See: https://www.tensorflow.org/guide/variable
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly
from tf1ref.examples.basics._errors import raises

SEED = 1
STEPS = 3
SHAPE = (3, 4)
W_START = 0.3
B_START = -0.3
W_FIXED = -1.0
B_FIXED = 1.0
INPUTS = (1.0, 2.0, 3.0, 4.0)

EXPECTED = {
    "initial/counter": exactly(0),
    "steps/counter": exactly([1, 2, 3]),
    "forward/initialized_value": exactly([2.0, 3.0]),
    "forward/twice": exactly([4.0, 6.0]),
    "forward/linear_model": exactly([0.0, 0.3, 0.6, 0.90000004]),
    "forward/fixed_model": exactly([0.0, -1.0, -2.0, -3.0]),
    "forward/four_less_one": exactly(3),
    "forward/global_names": exactly(["b", "counter", "doubled", "pair", "W", "x4"]),
    "forward/local_names": exactly(["scratch"]),
    "forward/uninitialized_is_error": exactly(True),
}


def unit_scaling_limit(shape):
    """Returns the range of uniform_unit_scaling_initializer: sqrt(3 / inputs), so that x * w keeps the scale of x."""
    return float(np.sqrt(3.0 / np.prod(shape[:-1])))


def initialized_value(variable):
    """Returns the value of `variable`, or its initial value when it has none. An initializer can call this."""
    return v1.cond(v1.is_variable_initialized(variable), variable.read_value, lambda: variable.initial_value)


def build_graph():
    """Adds a counter, a linear model, and a local variable to the default graph."""
    state = v1.Variable(0, name="counter")
    update = v1.assign(state, v1.add(state, v1.constant(1)))
    pair = v1.Variable([2.0, 3.0], name="pair")
    doubled = v1.Variable(initialized_value(pair) * 2.0, name="doubled")
    W = v1.Variable([W_START], dtype=v1.float32, name="W")
    b = v1.Variable([B_START], dtype=v1.float32, name="b")
    x = v1.placeholder(v1.float32, name="x")
    four = v1.Variable(4, name="x4")
    scratch = v1.Variable(0.0, collections=[v1.GraphKeys.LOCAL_VARIABLES], trainable=False, name="scratch")
    return {
        "state": state,
        "update": update,
        "pair": initialized_value(pair),
        "doubled": doubled,
        "x": x,
        "linear_model": W * x + b,
        "fix": [v1.assign(W, [W_FIXED]), v1.assign(b, [B_FIXED])],
        "less_one": v1.assign_sub(four, 1),
        "add_scratch": v1.assign_add(scratch, 2.5),
    }


def initialized_graph():
    """Returns one variable for each initializer of S3's list, with the values that get_variable draws."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        initializers = {
            "constant": v1.constant_initializer(W_START),
            "random_normal": v1.random_normal_initializer(stddev=2.0, seed=1),
            "truncated_normal": v1.truncated_normal_initializer(stddev=2.0, seed=2),
            "random_uniform": v1.random_uniform_initializer(-1.0, 1.0, seed=3),
            "uniform_unit_scaling": v1.uniform_unit_scaling_initializer(seed=4),
            "zeros": v1.zeros_initializer(),
            "ones": v1.ones_initializer(),
        }
        made = {name: v1.get_variable(name, SHAPE, initializer=start) for name, start in initializers.items()}
        sess.run(v1.global_variables_initializer())
        return {f"initial/{name}": value for name, value in sess.run(made).items()}


def run_graph(steps=STEPS):
    """global_variables_initializer leaves local variables alone. They have an initializer of their own."""
    trace = {}
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        unread = v1.errors.FailedPreconditionError
        trace["forward/uninitialized_is_error"] = raises(lambda: sess.run(graph["state"]), unread)
        trace["forward/initialized_value"] = sess.run(graph["pair"])
        sess.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
        trace["initial/counter"] = sess.run(graph["state"])
        trace["steps/counter"] = [sess.run(graph["update"]) for _ in range(steps)]
        trace["final/counter"] = sess.run(graph["state"])
        trace["forward/twice"] = sess.run(graph["doubled"])
        feed = {graph["x"]: INPUTS}
        trace["forward/linear_model"] = sess.run(graph["linear_model"], feed)
        sess.run(graph["fix"])
        trace["forward/fixed_model"] = sess.run(graph["linear_model"], feed)
        trace["forward/four_less_one"] = sess.run(graph["less_one"])
        trace["forward/scratch"] = sess.run(graph["add_scratch"])
        trace["forward/global_names"] = sorted((v.op.name for v in v1.global_variables()), key=str.lower)
        trace["forward/local_names"] = [v.op.name for v in v1.local_variables()]
    trace |= initialized_graph()
    return {key: np.array(value) for key, value in trace.items()}


class Model(tf.Module):
    """Variables are attributes. What TF1 calls "local" is a variable that nobody saves."""

    def __init__(self):
        super().__init__()
        self.state = tf.Variable(0, name="counter")
        self.pair = tf.Variable([2.0, 3.0], name="pair")
        self.doubled = tf.Variable(self.pair * 2.0, name="doubled")
        self.W = tf.Variable([W_START], dtype=tf.float32, name="W")
        self.b = tf.Variable([B_START], dtype=tf.float32, name="b")
        self.four = tf.Variable(4, name="x4")

    @tf.function
    def count(self):
        """Adds one and returns the new value. An assign inside a function happens at its line."""
        self.state.assign(self.state + 1)
        return self.state.read_value()

    @tf.function
    def linear_model(self, x):
        """Returns W * x + b for x of any shape."""
        return self.W * x + self.b

    @tf.function
    def fix(self):
        """Assigns the ideal weights."""
        self.W.assign([W_FIXED])
        self.b.assign([B_FIXED])


def uninitialized_raises():
    """Returns True when a function that creates a variable at every call fails.

    In TF2 this is the only way to have a variable without a value.
    """

    @tf.function
    def creates_one_each_call():
        return tf.Variable(0)

    return raises(creates_one_each_call, ValueError)


@tf.function
def initialized_function():
    """Returns the same values, drawn by functions. A variable takes them as its initial value."""
    limit = unit_scaling_limit(SHAPE)
    return {
        "constant": tf.fill(SHAPE, W_START),
        "random_normal": tf.random.normal(SHAPE, stddev=2.0, seed=1),
        "truncated_normal": tf.random.truncated_normal(SHAPE, stddev=2.0, seed=2),
        "random_uniform": tf.random.uniform(SHAPE, -1.0, 1.0, seed=3),
        "uniform_unit_scaling": tf.random.uniform(SHAPE, -limit, limit, seed=4),
        "zeros": tf.zeros(SHAPE),
        "ones": tf.ones(SHAPE),
    }


def run_function(steps=STEPS):
    """A variable is initialized when it is created. There is no session that could lack its value."""
    model = Model()
    scratch = tf.Variable(0.0, trainable=False, name="scratch")
    trace = {"forward/uninitialized_is_error": uninitialized_raises()}
    trace["forward/initialized_value"] = model.pair.numpy()
    trace["initial/counter"] = model.state.numpy()
    trace["steps/counter"] = [model.count().numpy() for _ in range(steps)]
    trace["final/counter"] = model.state.numpy()
    trace["forward/twice"] = model.doubled.numpy()
    trace["forward/linear_model"] = model.linear_model(tf.constant(INPUTS)).numpy()
    model.fix()
    trace["forward/fixed_model"] = model.linear_model(tf.constant(INPUTS)).numpy()
    trace["forward/four_less_one"] = model.four.assign_sub(1).numpy()
    trace["forward/scratch"] = scratch.assign_add(2.5).numpy()
    names = [v.name.partition(":")[0] for v in model.variables]
    trace["forward/global_names"] = sorted(names, key=str.lower)
    trace["forward/local_names"] = [scratch.name.partition(":")[0]]
    tf.random.set_seed(SEED)
    trace |= {f"initial/{name}": tf.Variable(value).numpy() for name, value in initialized_function().items()}
    return {key: np.array(value) for key, value in trace.items()}
