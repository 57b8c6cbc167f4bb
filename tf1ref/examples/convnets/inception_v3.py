"""Inception-v3 whole: 96 convolutions in a table, with the auxiliary head

Source: S3 2755-2803, S0 1259-1271
TF1: slim's layers read the table row by row; arg_scope gives every convolution its batch norm. The names are those
    of the released checkpoint.
Now: the same table makes the variables; a call goes over it again.
Errata: S3 counts 46 layers and 96 convolutions, and does not say which. 94 of them lead to the logits, and two to the
    auxiliary logits. The two convolutions of 1 x 1 that give the logits themselves are not counted. In S0's list one of
    the kernels is 5 x 5 in every block. Here most of these are two of 3 x 3, or 1 x 7 and 7 x 1. The network here is
    not trained, so dropout and the averages' decay are left out.
See: Szegedy et al., Rethinking the Inception Architecture, arXiv:1512.00567
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import zlib
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly
from tf1ref.legacy.contrib import slim
from tf1ref.modules.layers_norm import BatchNormalization

SEED = 1
BATCH = 1
SIDE = 299
CLASSES = 1001  # a thousand classes, and one for the background
EPSILON = 0.001
ROOT = "InceptionV3"

EXPECTED = {
    "convolutions": exactly(96),
    "modules": exactly(11),
    "shape/Mixed_5d": exactly([BATCH, 35, 35, 288]),
    "shape/Mixed_6e": exactly([BATCH, 17, 17, 768]),
    "shape/Mixed_7c": exactly([BATCH, 8, 8, 2048]),
    "parameters/to_Mixed_7c": exactly(21802784),
}


class Row(NamedTuple):
    """One layer. A row without filters is a pool."""

    scope: str
    filters: int | None
    size: tuple
    stride: int = 1
    padding: str = "SAME"

    @property
    def largest(self):
        """Returns whether a pool takes the largest number instead of the mean."""
        return self.scope.startswith("Max")


def chain(*words):
    """Returns rows of convolutions from words like "0b_1x7 192": a scope that ends with the kernel, and the filters."""
    rows = []
    for word in words:
        scope, filters = word.split()
        height, width = scope.rpartition("_")[2].split("x")
        rows.append(Row(f"Conv2d_{scope}", int(filters), (int(height), int(width))))
    return tuple(rows)


def fork(*words):
    """Returns convolutions side by side, all on one input."""
    return (chain(*words),)


def pooled(filters):
    """Returns the path that begins with a pool."""
    return Row("AvgPool_0a_3x3", None, (3, 3)), *chain(f"0b_1x1 {filters}")


def halving(scope, filters=None):
    """Returns a layer of 3 x 3 that halves the sides."""
    return (Row(scope, filters, (3, 3), 2, "VALID"),)


def module_35(filters, second=("Conv2d_0a_1x1", "Conv2d_0b_5x5")):
    """Returns the paths of a module of 35 x 35."""
    five = Row(second[0], 48, (1, 1)), Row(second[1], 64, (5, 5))
    return chain("0a_1x1 64"), five, chain("0a_1x1 64", "0b_3x3 96", "0c_3x3 96"), pooled(filters)


def module_17(filters):
    """Returns the paths of a module of 17 x 17: 7 x 7 as 1 x 7 and 7 x 1."""
    n = filters
    once = chain(f"0a_1x1 {n}", f"0b_1x7 {n}", "0c_7x1 192")
    twice = chain(f"0a_1x1 {n}", f"0b_7x1 {n}", f"0c_1x7 {n}", f"0d_7x1 {n}", "0e_1x7 192")
    return chain("0a_1x1 192"), once, twice, pooled(192)


def module_8(last):
    """Returns the paths of a module of 8 x 8; two of them end in a fork."""
    once = chain("0a_1x1 384") + fork("0b_1x3 384", f"{last} 384")
    twice = chain("0a_1x1 448", "0b_3x3 384") + fork("0c_1x3 384", "0d_3x1 384")
    return chain("0a_1x1 320"), once, twice, pooled(192)


STEM = (
    *halving("Conv2d_1a_3x3", 32), Row("Conv2d_2a_3x3", 32, (3, 3), 1, "VALID"), *chain("2b_3x3 64"),
    *halving("MaxPool_3a_3x3"), *chain("3b_1x1 80"), Row("Conv2d_4a_3x3", 192, (3, 3), 1, "VALID"),
    *halving("MaxPool_5a_3x3"),
)  # fmt: skip
MODULES = {
    "Mixed_5b": module_35(32),
    "Mixed_5c": module_35(64, ("Conv2d_0b_1x1", "Conv_1_0c_5x5")),  # the checkpoint's own names
    "Mixed_5d": module_35(64),
    "Mixed_6a": (
        halving("Conv2d_1a_1x1", 384), chain("0a_1x1 64", "0b_3x3 96") + halving("Conv2d_1a_1x1", 96),
        halving("MaxPool_1a_3x3"),
    ),
    "Mixed_6b": module_17(128),
    "Mixed_6c": module_17(160),
    "Mixed_6d": module_17(160),
    "Mixed_6e": module_17(192),
    "Mixed_7a": (
        chain("0a_1x1 192") + halving("Conv2d_1a_3x3", 320),
        chain("0a_1x1 192", "0b_1x7 192", "0c_7x1 192") + halving("Conv2d_1a_3x3", 192), halving("MaxPool_1a_3x3"),
    ),
    "Mixed_7b": module_8("0b_3x1"),
    "Mixed_7c": module_8("0c_3x1"),
}  # fmt: skip
HEAD_AT = "Mixed_6e"
HEAD = (
    Row("AvgPool_1a_5x5", None, (5, 5), 3, "VALID"), *chain("1b_1x1 128"),
    Row("Conv2d_2a_5x5", 768, (5, 5), 1, "VALID"),
)  # fmt: skip


def seed_of(scope):
    """Returns a layer's seed: its name's checksum."""
    return zlib.crc32(scope.encode()) & 0x7FFFFFFF


def images():
    """Returns float32 (1, 299, 299, 3) from -1 to 1."""
    return np.random.RandomState(SEED).uniform(-1, 1, (BATCH, SIDE, SIDE, 3)).astype(np.float32)


def finish(results, variables):
    """Returns the trace: what the modules give, and the counts."""
    trace = {f"initial/{name}": value for name, value in variables.items()}
    trace |= {f"forward/{name}": value for name, value in results.items()}
    trace |= {f"shape/{name}": np.array(value.shape) for name, value in results.items()}
    normalised = [name for name in variables if name.endswith("BatchNorm/beta")]
    body = [value.size for name, value in variables.items() if name.split("/")[1] not in ("AuxLogits", "Logits")]
    trace["convolutions"], trace["modules"] = np.array(len(normalised)), np.array(len(MODULES))
    return trace | {"parameters/to_Mixed_7c": np.array(sum(body))}


def add_row(net, row, path):
    """Adds one layer of the table, or a fork."""
    if isinstance(row, tuple) and not isinstance(row, Row):
        return v1.concat([add_row(net, each, path) for each in row], 3)
    if row.filters is None:
        pool = slim.max_pool2d if row.largest else slim.avg_pool2d
        return pool(net, row.size, stride=row.stride, padding=row.padding, scope=row.scope)
    start = slim.variance_scaling_initializer(seed=seed_of(f"{path}/{row.scope}"))
    options = {"stride": row.stride, "padding": row.padding, "weights_initializer": start, "scope": row.scope}
    return slim.conv2d(net, row.filters, row.size, **options)


def add_path(net, rows, path):
    """Adds the rows one after the other."""
    for row in rows:
        net = add_row(net, row, path)
    return net


def add_logits(net, name):
    """Adds the convolution of 1 x 1 that gives the logits: (n, 1, 1, c) to (n, 1001)."""
    scope = v1.get_variable_scope().name
    start = slim.variance_scaling_initializer(seed=seed_of(f"{scope}/{name}"))
    options = {"activation_fn": None, "normalizer_fn": None, "weights_initializer": start, "scope": name}
    return v1.squeeze(slim.conv2d(net, CLASSES, 1, **options), [1, 2])  # (n, 1, 1, c) -> (n, classes)


def build_graph():
    """Adds the network as it answers; returns its endpoints by name."""
    x = v1.placeholder(v1.float32, [None, SIDE, SIDE, 3], name="input")
    batch_norm = {"is_training": False, "epsilon": EPSILON}
    ends = {}
    with (
        v1.variable_scope(ROOT),
        slim.arg_scope([slim.conv2d], normalizer_fn=slim.batch_norm, normalizer_params=batch_norm),
    ):
        net = add_path(x, STEM, ROOT)
        for name, branches in MODULES.items():
            with v1.variable_scope(name):
                outputs = []
                for i, rows in enumerate(branches):
                    with v1.variable_scope(f"Branch_{i}"):
                        outputs.append(add_path(net, rows, f"{ROOT}/{name}/Branch_{i}"))
                ends[name] = net = v1.concat(outputs, 3)
        with v1.variable_scope("AuxLogits"):
            head = add_path(ends[HEAD_AT], HEAD, f"{ROOT}/AuxLogits")
            ends["AuxLogits"] = add_logits(head, "Conv2d_2b_1x1")
        with v1.variable_scope("Logits"):
            net = slim.avg_pool2d(net, [8, 8], padding="VALID", scope="AvgPool_1a_8x8")
            ends["Logits"] = add_logits(net, "Conv2d_1c_1x1")
    ends["Predictions"] = v1.nn.softmax(ends["Logits"], name="Predictions")
    return {"x": x, "y": ends["Predictions"], "ends": ends}


def run_graph():
    """One run."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        results = sess.run(graph["ends"], {graph["x"]: images()})
        return finish(results, sess.run({v.op.name: v for v in v1.global_variables()}))


class InceptionV3(tf.Module):
    """The network. An eager call makes the variables, named as in the graph, when it comes to them."""

    def __init__(self):
        super().__init__()
        self.weights, self.norms, self.biases = {}, {}, {}
        self.ends(tf.zeros([1, SIDE, SIDE, 3]))

    def made(self, scope, size, depth, filters, biases=False):
        """Returns the weights of a convolution, and its norm or its biases. They are made at the first call."""
        if scope not in self.weights:
            deviation = float(np.sqrt(1.3 * 2.0 / (size[0] * size[1] * depth)))  # He's deviation, as slim scales it
            start = tf.random.truncated_normal([*size, depth, filters], stddev=deviation, seed=seed_of(scope))
            self.weights[scope] = tf.Variable(start, name=f"{scope}/weights")
            if biases:
                self.biases[scope] = tf.Variable(tf.zeros([filters]), name=f"{scope}/biases")
            else:
                norm = BatchNormalization(epsilon=EPSILON, scale=False, name=f"{scope}/BatchNorm")
                self.norms[scope] = norm.create(filters)
        return self.weights[scope], self.biases[scope] if biases else self.norms[scope]

    def row(self, x, row, path):
        """Computes one layer of the table, or a fork."""
        if isinstance(row, tuple) and not isinstance(row, Row):
            return tf.concat([self.row(x, each, path) for each in row], 3)
        if row.filters is None:
            pool = tf.nn.max_pool2d if row.largest else tf.nn.avg_pool2d
            return pool(x, row.size, row.stride, row.padding)
        weights, norm = self.made(f"{path}/{row.scope}", row.size, x.shape[-1], row.filters)
        return tf.nn.relu(norm(tf.nn.conv2d(x, weights, row.stride, row.padding)))

    def path(self, x, rows, path):
        """Computes the rows one after the other."""
        for row in rows:
            x = self.row(x, row, path)
        return x

    def logits(self, x, scope):
        """Turns (n, 1, 1, c) into (n, 1001)."""
        weights, biases = self.made(scope, (1, 1), x.shape[-1], CLASSES, biases=True)
        return tf.squeeze(tf.nn.bias_add(tf.nn.conv2d(x, weights, 1, "SAME"), biases), [1, 2])  # -> (n, classes)

    def ends(self, x):
        """Turns (n, 299, 299, 3) into the outputs of the modules and the heads, by name."""
        ends, net = {}, self.path(x, STEM, ROOT)
        for name, branches in MODULES.items():
            paths = enumerate(branches)
            ends[name] = net = tf.concat([self.path(net, rows, f"{ROOT}/{name}/Branch_{i}") for i, rows in paths], 3)
        head = self.path(ends[HEAD_AT], HEAD, f"{ROOT}/AuxLogits")
        ends["AuxLogits"] = self.logits(head, f"{ROOT}/AuxLogits/Conv2d_2b_1x1")
        ends["Logits"] = self.logits(tf.nn.avg_pool2d(net, 8, 2, "VALID"), f"{ROOT}/Logits/Conv2d_1c_1x1")
        return ends | {"Predictions": tf.nn.softmax(ends["Logits"])}


def run_function():
    """One call."""
    tf.random.set_seed(SEED)
    network = InceptionV3()
    results = tf.function(network.ends)(tf.constant(images()))
    variables = {v.name.partition(":")[0]: v.numpy() for v in network.variables}
    return finish({name: value.numpy() for name, value in results.items()}, variables)
