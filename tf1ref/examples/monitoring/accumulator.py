"""Summaries under control dependencies: they show the value after the update

Source: S2 143-143, 156-157
TF1: what is created inside control_dependencies waits for the update, summaries too. What is created outside may come
    before or after it.
Now: the order of the lines of a tf.function is the order of its effects, and a summary is an effect.
Errata: S2 announces a random start of x and writes 9.
    S2's summary `y` is stored as y_mult_x/y_1, because the placeholder is y already. Here it is x_y_value.
    S2 has lost its line breaks, so it does not show whether the summaries stand inside the block. They have to.
    When summaries depend on an update, merge_all repeats it. Fetched by itself, merge_all counts x once more.
See: https://www.tensorflow.org/tensorboard/get_started
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

STEPS = 4
X_START = 9.0
INCREMENT = 1.0

EXPECTED = {
    "steps/result": exactly([[0.0], [11.0], [24.0], [39.0]]),
    "steps/y_mult_x/x": exactly([10.0, 11.0, 12.0, 13.0]),
    "steps/y_mult_x/x_y_value": exactly([0.0, 11.0, 24.0, 39.0]),
    "final/input_x": exactly([14.0]),
}


def as_trace(events, steps):
    """Returns {steps/TAG: values} of [(tag, step, value)]. Asserts that each tag was written once at every step."""
    values = {}
    for tag, step, value in events:
        assert step == len(values.setdefault(tag, []))
        values[tag].append(value)
    assert all(len(rows) == steps for rows in values.values())
    return {f"steps/{tag}": np.array(rows) for tag, rows in values.items()}


def build_graph():
    """Adds x, its update, the product and both summaries to the default graph."""
    # get_variable ignores name scopes: the variable is input_x, but the ops and the tags are y_mult_x/...
    with v1.name_scope("y_mult_x"):
        x = v1.get_variable("input_x", [1], initializer=v1.constant_initializer(X_START))
        y = v1.placeholder(v1.float32, [], name="y")
        with v1.control_dependencies([v1.assign(x, v1.add(x, INCREMENT))]):
            x_y = v1.multiply(x, y, name="x_y")
            v1.summary.scalar("x", x[0])
            v1.summary.scalar("x_y_value", x_y[0])
    return {"x": x, "y": y, "x_y": x_y, "summary": v1.summary.merge_all()}


def read_graph_events(folder):
    """Returns [(tag, step, value)] of the event file in `folder`."""
    (file,) = (os.path.join(folder, name) for name in os.listdir(folder) if "tfevents" in name)
    events = [v1.Event.FromString(record) for record in v1.python_io.tf_record_iterator(file)]
    return [(v.tag, event.step, np.float32(v.simple_value)) for event in events for v in event.summary.value]


def run_graph(steps=STEPS, out=None):
    """Product and summaries come from one run. `out`: the event file's folder, or None for a temporary one."""
    with tempfile.TemporaryDirectory() as folder:
        folder = out or folder
        with v1.Graph().as_default(), v1.Session() as sess:
            graph = build_graph()
            sess.run(v1.global_variables_initializer())
            writer = v1.summary.FileWriter(folder, sess.graph)
            initial, results = sess.run(graph["x"]), []
            for i in range(steps):
                result, summary = sess.run([graph["x_y"], graph["summary"]], {graph["y"]: float(i)})
                results.append(result)
                writer.add_summary(summary, i)
            writer.close()
            # The bytes are not used, but the update happens.
            sess.run(graph["summary"], {graph["y"]: 0.0})
            final = sess.run(graph["x"])
        written = as_trace(read_graph_events(folder), steps)
    return {"initial/input_x": initial, "steps/result": np.array(results), **written, "final/input_x": final}


class Model(tf.Module):
    """x belongs to the object. The summaries go to the writer that was in scope when the function was traced."""

    def __init__(self):
        super().__init__()
        self.x = tf.Variable([X_START], name="input_x")

    @tf.function
    def accumulate(self, y, step, record):
        """Adds to x and multiplies it by y. Returns the product (1,). Writes both under `step` (int64) if `record`.

        The condition is a tensor. A record_if around the call would be read only once, while tracing.
        """
        with tf.name_scope("y_mult_x"):
            self.x.assign(tf.add(self.x, INCREMENT))
            x_y = tf.multiply(self.x, y, name="x_y")
            with tf.summary.record_if(record):
                tf.summary.scalar("x", self.x[0], step)
                tf.summary.scalar("x_y_value", x_y[0], step)
        return x_y


def read_function_events(folder):
    """Returns [(tag, step, value)] of the event file in `folder`."""
    (file,) = (os.path.join(folder, name) for name in os.listdir(folder) if "tfevents" in name)
    events = [tf.compat.v1.Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(file)]
    return [(v.tag, event.step, tf.make_ndarray(v.tensor)) for event in events for v in event.summary.value]


def run_function(steps=STEPS, out=None):
    """The last call writes nothing, but x still counts."""
    model = Model()
    initial, results = model.x.numpy(), []
    with tempfile.TemporaryDirectory() as folder:
        folder = os.fspath(out or folder)
        writer = tf.summary.create_file_writer(folder)
        with writer.as_default():
            for i in range(steps):
                inputs = tf.constant(float(i)), tf.constant(i, tf.int64), tf.constant(True)
                results.append(model.accumulate(*inputs).numpy())
            tf.summary.graph(model.accumulate.get_concrete_function(*inputs).graph)
            model.accumulate(tf.constant(0.0), tf.constant(steps, tf.int64), tf.constant(False))
        writer.close()
        written = as_trace(read_function_events(folder), steps)
    final = model.x.numpy()
    return {"initial/input_x": initial, "steps/result": np.array(results), **written, "final/input_x": final}
