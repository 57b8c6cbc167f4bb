"""A variable whose shape grows: two more zeros at every step

Source: S2 147-147
TF1: validate_shape=False lets assign change the shape; the static shape is then unknown.
Now: shape=tf.TensorShape([None]) says at the beginning which sizes may change.
    Today's (resource) variables take validate_shape=False only together with such a shape, in both worlds.
Errata: S2 explains trainable=False as "not loaded into memory". It keeps the variable out of TRAINABLE_VARIABLES, and
    so away from optimizers.
    S2's accumulator gives the result of a run the variable's own name, and so loses the variable.
See: https://www.tensorflow.org/guide/variable
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly
from tf1ref.examples.basics._errors import error_of

STEPS = 5
MORE = (0.0, 0.0)

EXPECTED = {
    "steps/counter": exactly([1, 2, 3, 4, 5]),
    "steps/length": exactly([2, 4, 6, 8, 10]),
    "final/growing": exactly(10 * [0.0]),
    "forward/static_shape_is_known": exactly(False),
    "forward/other_shape_is_error": exactly("ValueError"),
}


def build_graph():
    """Adds an int8 counter and a growing vector to the default graph."""
    counter = v1.Variable(0, dtype=v1.int8, name="counter")
    growing = v1.Variable([], trainable=False, validate_shape=False, shape=v1.TensorShape([None]), name="growing")
    longer = v1.concat([growing, MORE], axis=0)
    return {
        "counter": v1.assign(counter, v1.add(counter, 1)),
        "growing": growing,
        "grow": v1.assign(growing, longer, validate_shape=False),
        "fixed": v1.Variable(MORE, name="fixed"),
        "longer": longer,
    }


def run_graph(steps=STEPS):
    """A variable that was made with a shape keeps it. An assign of another shape raises ValueError while building."""
    trace = {"steps/counter": [], "steps/length": []}
    with v1.Graph().as_default(), v1.Session() as sess:
        g = build_graph()
        sess.run(v1.global_variables_initializer())
        trace["initial/growing"] = sess.run(g["growing"])
        for _ in range(steps):
            trace["steps/counter"].append(sess.run(g["counter"]))
            trace["steps/length"].append(len(sess.run(g["grow"])))
        trace["final/growing"] = sess.run(g["growing"])
        trace["forward/static_shape_is_known"] = g["growing"].shape.is_fully_defined()
        trace["forward/trainable"] = [v.op.name for v in v1.trainable_variables()]
        trace["forward/other_shape_is_error"] = error_of(v1.assign, g["fixed"], v1.zeros([3]))
    return {key: np.array(value) for key, value in trace.items()}


class Model(tf.Module):
    """assign compares a new value with the shape that the variable was given."""

    def __init__(self):
        super().__init__()
        self.counter = tf.Variable(0, dtype=tf.int8, name="counter")
        # Without dtype an empty list would be float32, too, which is TensorFlow's default.
        self.growing = tf.Variable([], trainable=False, shape=tf.TensorShape([None]), name="growing")
        self.fixed = tf.Variable(MORE, name="fixed")

    @tf.function
    def count(self):
        """Adds one; returns the new value, an int8 scalar."""
        return self.counter.assign(tf.add(self.counter, 1))

    @tf.function
    def grow(self):
        """Appends MORE. The function is traced once, for all lengths."""
        self.growing.assign(tf.concat([self.growing, MORE], axis=0))
        return self.growing.read_value()

    @tf.function
    def change_shape(self):
        """Assigns three numbers to a variable of two, which raises ValueError while tracing."""
        self.fixed.assign(tf.zeros([3]))


def run_function(steps=STEPS):
    """One trace serves all lengths, because the trace does not know the variable's shape."""
    trace = {"steps/counter": [], "steps/length": []}
    model = Model()
    trace["initial/growing"] = model.growing.numpy()
    for _ in range(steps):
        trace["steps/counter"].append(model.count().numpy())
        trace["steps/length"].append(len(model.grow().numpy()))
    trace["final/growing"] = model.growing.numpy()
    trace["forward/static_shape_is_known"] = model.growing.shape.is_fully_defined()
    trace["forward/trainable"] = sorted(v.name.partition(":")[0] for v in model.trainable_variables)
    trace["forward/other_shape_is_error"] = error_of(model.change_shape)
    return {key: np.array(value) for key, value in trace.items()}
