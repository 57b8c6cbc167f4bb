"""Three ways of data into a graph: feeding, reading from files, preloading

Source: S2 180-187
TF1: a placeholder fed at every run; a reader at the start of the graph; a constant or a variable that holds all, cut
    into slices by a queue (slice_input_producer).
Now: an argument of the function; a data set of files; from_tensor_slices, or a variable and an index.
Errata: S2 names the three without a program. What it shows, tfds.load inside a session with batches of 5, comes from
    tensorflow_datasets, which is eager. A constant lies in the GraphDef once for each use, and a GraphDef has 2 GB at
    most. A variable with trainable=False and collections=[] is fed once, and stays out of optimizer and checkpoint.
See: https://www.tensorflow.org/guide/data
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
from tf1ref.data import iris, queues

STEPS = 30
BATCH_SIZE = 5
COLUMNS = 4

EXPECTED = {
    "final/the_same_elements": exactly([True, True, True]),
    "final/label_counts": exactly([50, 50, 50]),
}


def read_data():
    """Returns iris: float32 [150, 4] in cm, and the species as int32 [150]."""
    x, y = iris.load()
    return x.astype(np.float32), y.astype(np.int32)


def write_csv(folder, x, y):
    """Writes a line for each flower. Returns the path. %.9g restores every float32 exactly."""
    path = os.path.join(folder, "iris.csv")
    with open(path, "w") as f:
        for row, label in zip(x, y):
            f.write(",".join(f"{v:.9g}" for v in row) + f",{label}\n")
    return path


def batches_of(x, y, steps):
    """Yields batches in order, from the start again after the last: Python's side of feeding."""
    for step in range(steps):
        rows = (np.arange(BATCH_SIZE) + step * BATCH_SIZE) % len(y)
        yield x[rows], y[rows]


def as_trace(ways):
    """Returns the trace of {way: [(x, y) of each step]}, and whether each way delivers what feeding does."""
    trace = {}
    for way, steps in ways.items():
        trace[f"steps/{way}/x"] = np.array([x for x, _ in steps])
        trace[f"steps/{way}/y"] = np.array([y for _, y in steps])
    same = [
        all(np.array_equal(trace[f"steps/{way}/{part}"], trace[f"steps/feeding/{part}"]) for part in "xy")
        for way in ("file", "constant", "variable")
    ]
    trace["final/the_same_elements"] = np.array(same)
    trace["final/label_counts"] = np.bincount(trace["steps/file/y"].ravel(), minlength=3)
    return trace


def build_graph(path="iris.csv", x=((0.0,) * COLUMNS,), y=(0,)):
    """Adds the four ways to the default graph: "feeding", "file", "constant", "variable".

    Each is the (x, y) of a batch.
    """
    fed = v1.placeholder(v1.float32, [None, COLUMNS], "x"), v1.placeholder(v1.int32, [None], "y")
    filename_queue = v1.train.string_input_producer([path], shuffle=False)
    _, line = v1.TextLineReader().read(filename_queue)
    *columns, label = v1.decode_csv(line, record_defaults=[[0.0]] * COLUMNS + [[0]])
    read = v1.train.batch([v1.stack(columns), label], BATCH_SIZE)  # scalars -> (COLUMNS,) -> (n, COLUMNS)

    constants = v1.constant(x, v1.float32), v1.constant(y, v1.int32)
    constant = v1.train.batch(v1.train.slice_input_producer(constants, shuffle=False), BATCH_SIZE)

    initial = [v1.placeholder(v1.float32, np.shape(x)), v1.placeholder(v1.int32, np.shape(y))]
    held = [v1.Variable(each, trainable=False, collections=[]) for each in initial]
    variable = v1.train.batch(v1.train.slice_input_producer(held, shuffle=False), BATCH_SIZE)
    preload = [each.initializer for each in held]
    return {
        "feeding": [v1.identity(each) for each in fed],
        "fed": fed,
        "file": read,
        "constant": constant,
        "variable": variable,
        "initial": initial,
        "preload": preload,
    }


def run_graph(steps=STEPS):
    """Runs all four in one session. The variables take their values from one feed."""
    x, y = read_data()
    ways = {"feeding": [], "file": [], "constant": [], "variable": []}
    with tempfile.TemporaryDirectory() as folder, v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph(write_csv(folder, x, y), x, y)
        sess.run(graph["preload"], dict(zip(graph["initial"], (x, y))))
        with queues.running(sess) as runners:
            for batch in batches_of(x, y, steps):
                ways["feeding"].append(sess.run(graph["feeding"], dict(zip(graph["fed"], batch))))
                for way in ("file", "constant", "variable"):
                    ways[way].append(runners.run(graph[way]))
    return as_trace(ways)


@tf.function(input_signature=[tf.TensorSpec([None, COLUMNS]), tf.TensorSpec([None], tf.int32)])
def feeding(x, y):
    """Returns its arguments, in place of what a program does with them."""
    return tf.identity(x), tf.identity(y)


def reading(path):
    """Returns a data set of a CSV file's batches, repeated."""

    def parse(line):
        *columns, label = tf.io.decode_csv(line, record_defaults=[[0.0]] * COLUMNS + [[0]])
        return tf.stack(columns), label  # scalars -> (COLUMNS,)

    return tf.data.TextLineDataset(path).map(parse).repeat().batch(BATCH_SIZE)


class Preloaded(tf.Module):
    """All examples in variables, and batches gathered from them by the step's number."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = tf.Variable(x, trainable=False), tf.Variable(y, trainable=False)

    @tf.function
    def batch(self, step):
        """Returns batch number `step` (int32 scalar). After the last batch comes the first."""
        rows = (tf.range(BATCH_SIZE) + step * BATCH_SIZE) % tf.shape(self.y)[0]
        return tf.gather(self.x, rows), tf.gather(self.y, rows)


def run_function(steps=STEPS):
    """The four as functions and data sets."""
    x, y = read_data()
    ways = {"feeding": [[part.numpy() for part in feeding(*batch)] for batch in batches_of(x, y, steps)]}
    with tempfile.TemporaryDirectory() as folder:
        ways["file"] = list(reading(write_csv(folder, x, y)).take(steps).as_numpy_iterator())
    constant = tf.data.Dataset.from_tensor_slices((x, y)).repeat().batch(BATCH_SIZE)
    ways["constant"] = list(constant.take(steps).as_numpy_iterator())
    preloaded = Preloaded(x, y)
    ways["variable"] = [[part.numpy() for part in preloaded.batch(tf.constant(step))] for step in range(steps)]
    return as_trace(ways)
