"""What was executed, and when: RunMetadata, the profiler, a timeline

Source: S2 149-150, 156-157
TF1: RunOptions asks one Session.run for a full trace; RunMetadata holds every op, its times and its device. The
    FileWriter puts it beside the graph, and Timeline turns it into JSON for a browser's trace viewer.
Now: tf.profiler records all that happens between start and stop, and writes an XSpace file. The same JSON is made from
    that by hand. The functions tf.summary.trace_on and trace_export keep the graph of a function, without times.
Errata: S2 has the RunMetadata in comments, and without options=. When neither a trace level nor graphs are asked for,
    run returns it empty.
    Times never agree, so the trace holds what was executed and how often. RunMetadata lists VarHandleOp (a function
    gets the handle), Const, _Arg and _Retval, the inputs of each op and allocated memory. This profile does not. A
    function is in trace_export only where it ran first: here at step 0. After a first trace the process goes on
    collecting. So what ran for the first time before trace_on is in the next export, too.
    Neither Timeline nor the XSpace message is public API: both are imported from inside TensorFlow.
See: https://www.tensorflow.org/guide/profiler
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import glob
import json
import os
import re
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.python.client import timeline
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from tf1ref.catalog.figures import exactly

STEPS = 4
X_START = 9.0
INCREMENT = 1.0
# The types of op that both halves execute.
SHOWN = ("AssignAddVariableOp", "Mul", "ReadVariableOp")

EXPECTED = {
    "steps/x_y": exactly([[0.0], [11.0], [24.0], [39.0]]),
    "tags": exactly([b"step0", b"step1", b"step2", b"step3"]),
    "executed/times": exactly([4, 4, 4]),
}


def as_trace(products, executed, graph, tags):
    """Returns the trace of one half: the products, then the (type, name) of those ops that are in SHOWN, sorted.

    executed: every op that ran, as often as it ran. graph: the ops of the recorded graph. tags: those of the recorded
    runs.
    """
    names, times = np.unique([name for kind, name in executed if kind in SHOWN], return_counts=True)
    return {
        "steps/x_y": np.array(products),
        "executed/names": names.astype(bytes),
        "executed/times": times,
        "graph": np.array(sorted({f"{name} {kind}" for kind, name in graph if kind in SHOWN}), dtype=bytes),
        "tags": np.array(tags, dtype=bytes),
    }


def build_graph():
    """Adds x, its update and the product that waits for it to the default graph."""
    with v1.name_scope("y_mult_x"):
        x = v1.get_variable("input_x", [1], initializer=v1.constant_initializer(X_START))
        y = v1.placeholder(v1.float32, [], name="y")
        with v1.control_dependencies([v1.assign_add(x, [INCREMENT])]):
            x_y = v1.multiply(x, y, name="x_y")
    return {"x": x, "y": y, "x_y": x_y}


def read_run_metadata(folder):
    """Reads an event file: the (type, name) of every op that ran, those of the graphs that ran, and the tags.

    The graphs that ran are the pruned parts of the whole one (event.graph_def), one part for each device.
    """
    executed, graph, tags = [], [], []
    for record in v1.python_io.tf_record_iterator(*glob.glob(f"{folder}/*tfevents*")):
        event = v1.Event.FromString(record)
        if event.HasField("tagged_run_metadata"):
            tags.append(event.tagged_run_metadata.tag)
            metadata = v1.RunMetadata.FromString(event.tagged_run_metadata.run_metadata)
            graph += [(node.op, node.name) for part in metadata.partition_graphs for node in part.node]
            for device in metadata.step_stats.dev_stats:
                # The label reads "name = type(inputs)".
                labels = [re.match(r"\S+ = (\w+)\(", node.timeline_label) for node in device.node_stats]
                executed += [(label[1], node.node_name) for label, node in zip(labels, device.node_stats) if label]
    return executed, graph, tags


def run_graph(steps=STEPS, out=None):
    """Every run is traced. `out`: a folder for the event file and the last run's timeline.json, or None."""
    products = []
    with tempfile.TemporaryDirectory() as folder:
        folder = os.fspath(out or folder)
        with v1.Graph().as_default(), v1.Session() as sess:
            graph = build_graph()
            sess.run(v1.global_variables_initializer())
            writer = v1.summary.FileWriter(folder, sess.graph)
            options = v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE, output_partition_graphs=True)
            for i in range(steps):
                metadata = v1.RunMetadata()
                products.append(sess.run(graph["x_y"], {graph["y"]: float(i)}, options, metadata))
                writer.add_run_metadata(metadata, f"step{i}", i)
            writer.close()
        with open(os.path.join(folder, "timeline.json"), "w") as file:
            file.write(timeline.Timeline(metadata.step_stats).generate_chrome_trace_format())
        return as_trace(products, *read_run_metadata(folder))


class Model(tf.Module):
    """The accumulator as an object."""

    def __init__(self):
        super().__init__()
        self.x = tf.Variable([X_START], name="input_x")

    @tf.function
    def accumulate(self, y):
        """Adds to x; returns x times y (a scalar), of shape (1,)."""
        with tf.name_scope("y_mult_x"):
            self.x.assign_add([INCREMENT])
            return tf.multiply(self.x, y, name="x_y")


def read_exported_graph(folder):
    """Reads an event file: the (type, name) of the ops of all functions that trace_export saw, and the tags."""
    graph, tags = [], []
    for record in tf.data.TFRecordDataset(glob.glob(f"{folder}/*tfevents*")):
        for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value:
            tags.append(value.tag)
            metadata = tf.compat.v1.RunMetadata.FromString(tf.make_ndarray(value.tensor).item())
            for function in metadata.function_graphs:
                graph += [(node.op, node.name) for node in function.pre_optimization_graph.node]
    return graph, tags


def read_profile(folder):
    """Returns the events of the profile in `folder` as the trace viewer takes them: one dict each, times in us."""
    (file,) = glob.glob(f"{folder}/plugins/profile/*/*.xplane.pb")
    with open(file, "rb") as stream:
        planes = xplane_pb2.XSpace.FromString(stream.read()).planes
    events = []
    for pid, plane in enumerate(planes):
        for tid, line in enumerate(plane.lines):
            for event in line.events:
                start, length = line.timestamp_ns / 1e3 + event.offset_ps / 1e6, event.duration_ps / 1e6
                name = plane.event_metadata[event.metadata_id].name
                events.append({"name": name, "ph": "X", "pid": pid, "tid": tid, "ts": start, "dur": length})
    return events


def run_function(steps=STEPS, out=None):
    """One profile covers all steps. Its files lie where the graph half has them, and plugins/profile beside them."""
    products, model = [], Model()
    with tempfile.TemporaryDirectory() as folder:
        folder = os.fspath(out or folder)
        writer = tf.summary.create_file_writer(folder)
        levels = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
        # Without a writer in scope, this discards what an earlier trace in this process left.
        tf.summary.trace_on(graph=True)
        tf.summary.trace_export("before", 0)
        tf.profiler.experimental.start(folder, levels)
        with writer.as_default():
            for i in range(steps):
                tf.summary.trace_on(graph=True)
                products.append(model.accumulate(tf.constant(float(i))).numpy())
                tf.summary.trace_export(f"step{i}", i)
        tf.profiler.experimental.stop()
        writer.close()
        events = read_profile(folder)
        with open(os.path.join(folder, "timeline.json"), "w") as file:
            json.dump({"traceEvents": events}, file)
        # The event of an op is called "name:type". The others are the runtime's own.
        ops = [re.fullmatch(r"([^:]+):(\w+)", event["name"]) for event in events]
        return as_trace(products, [(op[2], op[1]) for op in ops if op], *read_exported_graph(folder))
