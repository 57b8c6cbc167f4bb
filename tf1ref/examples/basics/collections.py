"""Collections: lists that the graph keeps, by key

Source: S3 511-528
TF1: variables, losses, summaries and queue runners are found again through the graph's collections.
Now: an object finds its own variables; any other list is a Python list that the object holds.
Errata: none found.
"""

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

W1 = 1.0
W2 = 2.0
RATE = 0.5
DECAY = 0.9

EXPECTED = {
    "names/global": exactly(["layer1/w", "layer2/w", "step"]),
    "names/trainable": exactly(["layer1/w", "layer2/w"]),
    "names/layer1": exactly(["layer1/w"]),
    "names/moving_average": exactly(["layer1/w", "layer2/w"]),
    "forward/total": exactly(2.5),
    "forward/losses": exactly(2),
}


def build_graph():
    """Adds two layers to the default graph; each puts its penalty into the collection `losses`."""
    for name, value in (("layer1", W1), ("layer2", W2)):
        with v1.variable_scope(name):
            w = v1.get_variable("w", initializer=value)
            v1.add_to_collection("losses", RATE * w * w)
            v1.summary.scalar("penalty", w)  # adds itself to SUMMARIES
    v1.get_variable("step", initializer=0, trainable=False)
    averages = v1.train.ExponentialMovingAverage(DECAY)
    with v1.variable_scope("shadows"):
        average = averages.apply(v1.trainable_variables())  # adds them to MOVING_AVERAGE_VARIABLES
    queue = v1.FIFOQueue(1, v1.int32)
    v1.train.add_queue_runner(v1.train.QueueRunner(queue, [queue.enqueue(1)]))
    v1.add_to_collections(["first", "second"], v1.constant(1))
    w = v1.get_collection(v1.GraphKeys.TRAINABLE_VARIABLES)[0]
    return {
        "total": v1.add_n(v1.get_collection("losses")),
        "move": w.assign(w + W2),
        "average": average,
        "averaged": averages.average(w),
    }


def names(variables):
    """The sorted names of variables, without ":0" and without shadows: those are a helper's."""
    found = sorted(variable.name.partition(":")[0] for variable in variables)
    return [name for name in found if "ExponentialMovingAverage" not in name]


def run_graph():
    """get_collection returns a copy: to change the collection itself, use get_collection_ref."""
    keys = v1.GraphKeys
    with v1.Graph().as_default() as graph, v1.Session() as sess:
        g = build_graph()
        sess.run(v1.global_variables_initializer())
        trace = {
            "names/global": names(v1.get_collection(keys.GLOBAL_VARIABLES)),
            "names/trainable": names(v1.get_collection(keys.TRAINABLE_VARIABLES)),
            # scope is a regular expression for the beginning of the name.
            "names/layer1": names(v1.get_collection(keys.TRAINABLE_VARIABLES, scope="layer1/")),
            "names/moving_average": names(v1.get_collection(keys.MOVING_AVERAGE_VARIABLES)),
            "forward/total": sess.run(g["total"]),
            "forward/averaged": [sess.run(g[key]) for key in ("move", "average", "averaged")][-1],
            "forward/losses": len(v1.get_collection("losses")),
            "forward/summaries": len(v1.get_collection(keys.SUMMARIES)),
            "forward/queue_runners": len(v1.get_collection(keys.QUEUE_RUNNERS)),
            "forward/in_both": v1.get_collection("first") == v1.get_collection("second"),
            "forward/unknown": len(v1.get_collection("no such key")),
        }
        v1.get_collection("losses").clear()
        trace["forward/losses_after_clearing_the_copy"] = len(graph.get_collection("losses"))
        v1.get_collection_ref("losses").clear()
        trace["forward/losses_after_clearing"] = len(graph.get_collection("losses"))
    return {key: np.array(value) for key, value in trace.items()}


class Layer(tf.Module):
    """A weight and its penalty; with tf.name_scope its variable is called NAME/w."""

    def __init__(self, name, value):
        super().__init__(name=name)
        with tf.name_scope(name):
            self.w = tf.Variable(value, name="w")

    def loss(self):
        """RATE * w * w, a scalar."""
        return RATE * self.w * self.w


class Model(tf.Module):
    """`variables` and `trainable_variables` look through the attributes; no key, no graph."""

    def __init__(self):
        super().__init__()
        self.layers = [Layer("layer1", W1), Layer("layer2", W2)]
        self.step = tf.Variable(0, trainable=False, name="step")
        self.averaged = [layer.w for layer in self.layers]
        self.averages = tf.train.ExponentialMovingAverage(DECAY)
        self.averages.apply(self.averaged)
        self.runners = [lambda: tf.constant(1)]
        shared = tf.constant(1)
        self.lists = {"losses": [layer.loss for layer in self.layers], "first": [shared], "second": [shared]}

    @tf.function
    def total(self):
        """The sum of all penalties, a scalar: the list is gone through while tracing."""
        return tf.add_n([loss() for loss in self.lists["losses"]])

    @tf.function
    def move_and_average(self):
        """Adds W2 to the first weight; returns its moving average after that, a scalar."""
        w = self.averaged[0]
        w.assign(w + W2)
        self.averages.apply(self.averaged)
        return self.averages.average(w).read_value()


def run_function():
    """A list is not a copy: whoever clears it has cleared it."""
    model = Model()
    trace = {
        "names/global": names(model.variables),
        "names/trainable": names(model.trainable_variables),
        "names/layer1": names(model.layers[0].trainable_variables),
        "names/moving_average": names(model.averaged),
        "forward/total": model.total().numpy(),
        "forward/averaged": model.move_and_average().numpy(),
        "forward/losses": len(model.lists["losses"]),
        "forward/summaries": len(model.layers),
        "forward/queue_runners": len(model.runners),
        "forward/in_both": model.lists["first"][0] is model.lists["second"][0],
        "forward/unknown": len(model.lists.get("no such key", [])),
    }
    list(model.lists["losses"]).clear()
    trace["forward/losses_after_clearing_the_copy"] = len(model.lists["losses"])
    model.lists["losses"].clear()
    trace["forward/losses_after_clearing"] = len(model.lists["losses"])
    return {key: np.array(value) for key, value in trace.items()}
