"""Collections: lists that the graph keeps, by key

Source: S3 511-528
TF1: variables, losses, summaries and queue runners are found again through the graph's collections.
Now: a tf.Module finds the variables and the modules in its attributes; nothing is registered anywhere.
Errata: none found.
See: https://www.tensorflow.org/api_docs/python/tf/compat/v1/GraphKeys
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
from tf1ref.modules.moving_average import ExponentialMovingAverage

W1 = 1.0
W2 = 2.0
RATE = 0.5
DECAY = 0.9
COUNT = 3

EXPECTED = {
    "names/global": exactly([b"layer1/w", b"layer2/w", b"step"]),
    "names/trainable": exactly([b"layer1/w", b"layer2/w"]),
    "names/layer1": exactly([b"layer1/w"]),
    "names/averaged": exactly([b"layer1/w", b"layer2/w"]),
    "forward/total": exactly(2.5),
    "forward/averaged": exactly(1.2),
    "forward/dequeued": exactly([0, 1, 2]),
    "summaries/tags": exactly([b"layer1/penalty", b"layer2/penalty"]),
    "summaries/values": exactly([0.5, 2.0]),
}


def sorted_names(names):
    """Returns names as bytes, sorted, without shadow variables, which only averages have."""
    found = sorted(name.partition(":")[0] for name in names)
    return np.array([name for name in found if "ExponentialMovingAverage" not in name], dtype=bytes)


def build_graph():
    """Adds two layers to the default graph; each puts its penalty into the collection `losses`."""
    for name, value in (("layer1", W1), ("layer2", W2)):
        with v1.variable_scope(name):
            w = v1.get_variable("w", initializer=value)
            penalty = RATE * w * w
            v1.add_to_collections(["losses", "regularization"], penalty)
            # This adds itself to SUMMARIES.
            v1.summary.scalar("penalty", penalty)
    v1.get_variable("step", initializer=0, trainable=False)
    first = v1.get_collection(v1.GraphKeys.TRAINABLE_VARIABLES)[0]
    averages = v1.train.ExponentialMovingAverage(DECAY)
    with v1.control_dependencies([first.assign_add(W2)]):
        # This adds them to MOVING_AVERAGE_VARIABLES.
        average = averages.apply(v1.trainable_variables())
    with v1.control_dependencies([average]):
        averaged = averages.average(first).read_value()
    # This merges the collection SUMMARIES, before the producer adds its own summary.
    summary = v1.summary.merge_all()
    # This adds its runner to QUEUE_RUNNERS.
    numbers = v1.train.range_input_producer(COUNT, shuffle=False)
    return {
        "total": v1.add_n(v1.get_collection("losses")),
        "averaged": averaged,
        "summary": summary,
        "number": numbers.dequeue(),
    }


def show_copies(graph):
    """get_collection returns a copy. get_collection_ref returns the collection itself, which can be changed."""
    graph.get_collection("losses").clear()
    assert len(graph.get_collection("losses")) == 2
    graph.get_collection_ref("losses").clear()
    assert graph.get_collection("losses") == [] == graph.get_collection("no such key")
    # These are the same tensors in a list of their own.
    assert len(graph.get_collection("regularization")) == 2


def run_graph():
    """What is in a collection can be fetched, listed, started or saved by code that never saw it made."""
    keys = v1.GraphKeys
    with v1.Graph().as_default() as graph, v1.Session() as sess:
        nodes = build_graph()
        sess.run(v1.global_variables_initializer())
        trace = {
            "names/global": sorted_names(v.name for v in v1.get_collection(keys.GLOBAL_VARIABLES)),
            "names/trainable": sorted_names(v.name for v in v1.get_collection(keys.TRAINABLE_VARIABLES)),
            # scope is a regular expression for the beginning of the name.
            "names/layer1": sorted_names(v.name for v in v1.get_collection(keys.TRAINABLE_VARIABLES, scope="layer1/")),
            "names/averaged": sorted_names(v.name for v in v1.get_collection(keys.MOVING_AVERAGE_VARIABLES)),
            "forward/total": sess.run(nodes["total"]),
        }
        values = sorted((v.tag, v.simple_value) for v in v1.Summary.FromString(sess.run(nodes["summary"])).value)
        trace["summaries/tags"] = np.array([tag for tag, _ in values], dtype=bytes)
        trace["summaries/values"] = np.float32([value for _, value in values])
        trace["forward/averaged"] = sess.run(nodes["averaged"])
        coord = v1.train.Coordinator()
        # This starts all runners of the collection QUEUE_RUNNERS.
        threads = v1.train.start_queue_runners(sess, coord)
        trace["forward/dequeued"] = np.array([sess.run(nodes["number"]) for _ in range(COUNT)])
        coord.request_stop()
        coord.join(threads)
        show_copies(graph)
    return trace


class Layer(tf.Module):
    """A weight and its penalty; with tf.name_scope its variable is called NAME/w."""

    def __init__(self, name, value):
        super().__init__(name=name)
        with tf.name_scope(name):
            self.w = tf.Variable(value, name="w")

    def penalty(self, step):
        """Returns RATE * w * w, a scalar, and writes it as a summary."""
        penalty = RATE * self.w * self.w
        with tf.name_scope(self.name):
            tf.summary.scalar("penalty", penalty, step)
        return penalty


class Model(tf.Module):
    """Finds by type what TF1 finds by key: `variables` and `submodules` search the attributes."""

    def __init__(self):
        super().__init__()
        self.layers = [Layer("layer1", W1), Layer("layer2", W2)]
        self.step = tf.Variable(0, trainable=False, name="step")
        self.averages = ExponentialMovingAverage(DECAY)
        self.averages.create(self.trainable_variables)

    @tf.function
    def total(self):
        """Returns the sum of the penalties of all layers, a scalar. A layer may be in any attribute."""
        penalties = [module.penalty(0) for module in self.submodules if isinstance(module, Layer)]
        return tf.add_n(penalties)

    @tf.function
    def move_and_average(self):
        """Adds W2 to the first weight; returns its moving average after that, a scalar."""
        first = self.layers[0].w
        first.assign_add(W2)
        self.averages.apply(self.trainable_variables)
        return self.averages.average(first).read_value()


def summaries_of(call):
    """Returns call(), and (tag, value) of every scalar that it writes to the writer in scope."""
    with tempfile.TemporaryDirectory() as folder:
        writer = tf.summary.create_file_writer(folder)
        with writer.as_default():
            result = call()
        writer.close()
        files = [os.path.join(folder, name) for name in os.listdir(folder)]
        events = [tf.compat.v1.Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(files)]
    values = [value for event in events for value in event.summary.value]
    return result, sorted((value.tag, tf.make_ndarray(value.tensor)) for value in values)


def run_function():
    """A Python list does what a collection did. Here even that is not needed."""
    model = Model()
    total, summaries = summaries_of(model.total)
    return {
        "names/global": sorted_names(v.name for v in model.variables),
        "names/trainable": sorted_names(v.name for v in model.trainable_variables),
        "names/layer1": sorted_names(v.name for v in model.layers[0].trainable_variables),
        "names/averaged": sorted_names(name.rpartition("/")[0] for name in model.averages.variables_by_name()),
        "forward/total": total.numpy(),
        "summaries/tags": np.array([tag for tag, _ in summaries], dtype=bytes),
        "summaries/values": np.float32([value for _, value in summaries]),
        "forward/averaged": model.move_and_average().numpy(),
        "forward/dequeued": np.array(list(tf.data.Dataset.range(COUNT, output_type=tf.int32).as_numpy_iterator())),
    }
