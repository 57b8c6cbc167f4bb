"""slim: layers in one line, and defaults for many of them by arg_scope

Source: S3 2368-2455
TF1: slim.conv2d makes its variables, adds the biases and the relu; arg_scope gives many calls the same arguments.
Now: there is no slim; a function makes a layer, and functools.partial gives it other defaults.
Errata: S3 compares a layer of raw ops with slim's, but they are not the same layer: it pads SAME in one and VALID in
    the other. It calls the variable "weight"; slim calls it "weights". S3 rightly doubts arg_scope's form with a dict.
    The dict has to be a scope that `with ... as scope` gave. A dict of functions sets nothing and gives no error. S3's
    text puts slim.avg_pool2d under slim.max_pool2d. There is no lrn in slim: what S3 shows is tf.nn.lrn, with the same
    defaults.
See: https://github.com/google-research/tf-slim
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import functools

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly
from tf1ref.legacy.contrib import slim

SEED = 1
BATCH = 4
SIDE = 28
FILTERS = 32
CLASSES = 2
KEEP_PROB = 0.5
POOLED = 14 * 14 * FILTERS

EXPECTED = {
    "forward/gap": exactly(0.0),
    "shape/pool_in_scope": exactly([BATCH, 28, 28, FILTERS]),
    "shape/pool_by_default": exactly([BATCH, 13, 13, FILTERS]),
    "shape/average_in_scope": exactly([BATCH, 28, 28, FILTERS]),
    "shape/average_by_default": exactly([BATCH, 13, 13, FILTERS]),
    # relu is the default, so nothing is below zero; an inner scope can take it away, and S3's dict cannot.
    "negatives/in_scope": exactly(False),
    "negatives/in_inner_scope": exactly(True),
    "negatives/under_dict": exactly(False),
}


def images():
    """Returns float32 (4, 28, 28, 1)."""
    return np.random.RandomState(SEED).randn(BATCH, SIDE, SIDE, 1).astype(np.float32)


def raw(x):
    """Adds convolution, pool, dropout and a fully connected layer from raw ops; returns (n, 2)."""
    start = v1.glorot_uniform_initializer
    with v1.variable_scope("conv1"):
        weights = v1.get_variable("weights", [3, 3, 1, FILTERS], initializer=start(seed=1))
        biases = v1.get_variable("biases", [FILTERS], initializer=v1.zeros_initializer())
        conv = v1.nn.conv2d(x, weights, strides=[1, 1, 1, 1], padding="SAME")
        net = v1.nn.relu(v1.nn.bias_add(conv, biases))
    net = v1.nn.max_pool(net, ksize=[1, 3, 3, 1], strides=[1, 2, 2, 1], padding="SAME")
    net = v1.nn.dropout(net, rate=1 - KEEP_PROB, seed=2)
    with v1.variable_scope("fc"):
        weights = v1.get_variable("weights", [POOLED, CLASSES], initializer=start(seed=3))
        biases = v1.get_variable("biases", [CLASSES], initializer=v1.zeros_initializer())
        return v1.nn.bias_add(v1.matmul(v1.reshape(net, [-1, POOLED]), weights), biases)  # (n, h, w, c) -> (n, units)


def slim_network(x):
    """Adds the same from slim's layers."""
    start = slim.xavier_initializer
    with slim.arg_scope([slim.conv2d, slim.max_pool2d], padding="SAME"):
        net = slim.conv2d(x, FILTERS, 3, weights_initializer=start(seed=1), scope="conv1")
        net = slim.max_pool2d(net, 3, stride=2)
    net = slim.flatten(slim.dropout(net, KEEP_PROB, seed=2, scope="dropout"))  # (n, h, w, c) -> (n, h * w * c)
    return slim.fully_connected(net, CLASSES, activation_fn=None, weights_initializer=start(seed=3), scope="fc")


def defaults(x):
    """Adds S3's scopes: what a pool and a convolution do within and without them."""

    def conv(**options):
        # This reuses its own scope by name, with the same variables each time.
        start = slim.xavier_initializer(seed=1)
        return slim.conv2d(x, FILTERS, 3, weights_initializer=start, scope="default", reuse=v1.AUTO_REUSE, **options)

    with slim.arg_scope([slim.conv2d, slim.max_pool2d, slim.avg_pool2d], stride=1, padding="SAME"):
        in_scope = conv()
        pool_in_scope = slim.max_pool2d(in_scope, 3)
        average_in_scope = slim.avg_pool2d(in_scope, 3)
        with slim.arg_scope([slim.conv2d], activation_fn=None):
            in_inner_scope = conv()
    with slim.arg_scope({slim.conv2d: {"activation_fn": None}}):
        under_dict = conv()
    return {
        "forward/pool_in_scope": pool_in_scope,
        "forward/pool_by_default": slim.max_pool2d(in_scope, 3),
        "forward/average_in_scope": average_in_scope,
        "forward/average_by_default": slim.avg_pool2d(in_scope, 3),
        "forward/lrn": v1.nn.lrn(in_scope, depth_radius=5, bias=1, alpha=1, beta=0.5),
        "forward/in_scope": in_scope,
        "forward/in_inner_scope": in_inner_scope,
        "forward/under_dict": under_dict,
    }


def build_graph():
    """Adds both networks, each in a scope of its own, and the defaults."""
    x = v1.placeholder(v1.float32, [None, SIDE, SIDE, 1], name="input_x")
    with v1.variable_scope("raw"):
        by_ops = raw(x)
    with v1.variable_scope("slim"):
        by_slim = slim_network(x)
    return {"x": x, "y": by_slim, "results": {"forward/raw": by_ops, "forward/slim": by_slim, **defaults(x)}}


def finish(results, variables):
    """Returns the trace: results and variables, and what numpy says of them."""
    trace = {f"initial/{name}": value for name, value in variables.items()} | results
    trace["forward/gap"] = np.abs(results["forward/raw"] - results["forward/slim"]).max()
    for name in ("pool_in_scope", "pool_by_default", "average_in_scope", "average_by_default"):
        trace[f"shape/{name}"] = np.array(results[f"forward/{name}"].shape)
    for name in ("in_scope", "in_inner_scope", "under_dict"):
        trace[f"negatives/{name}"] = np.array((results[f"forward/{name}"] < 0).any())
    return trace


def run_graph():
    """In one run, two dropouts with one seed drop the same elements."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        variables = {v.op.name: v for v in v1.global_variables()}
        return finish(sess.run(graph["results"], {graph["x"]: images()}), sess.run(variables))


class Layer(tf.Module):
    """A layer's weights (glorot uniform, as slim's xavier) and biases, named as in the graph."""

    def __init__(self, scope, shape, seed):
        super().__init__()
        fans = np.prod(shape[:-2]) * (shape[-2] + shape[-1])
        limit = float(np.sqrt(6.0 / fans))
        # This is a function of its own. When code runs eagerly, a second draw with this seed would continue the
        # sequence.
        start = tf.function(lambda: tf.random.uniform(shape, -limit, limit, seed=seed))()
        self.weights = tf.Variable(start, name=f"{scope}/weights")
        self.biases = tf.Variable(tf.zeros(shape[-1:]), name=f"{scope}/biases")

    def convolve(self, x, stride=1, padding="SAME", activation=tf.nn.relu):
        """Turns (n, h, w, channels) into (n, ..., filters)."""
        y = tf.nn.bias_add(tf.nn.conv2d(x, self.weights, stride, padding), self.biases)
        return activation(y) if activation else y

    def connect(self, x):
        """Turns (n, inputs) into (n, outputs)."""
        return tf.nn.bias_add(tf.matmul(x, self.weights), self.biases)


class Network(tf.Module):
    """The network, for raw ops and for slim. With functools.partial in place of arg_scope there is no difference."""

    def __init__(self, scope):
        super().__init__()
        self.conv1 = Layer(f"{scope}/conv1", [3, 3, 1, FILTERS], 1)
        self.fc = Layer(f"{scope}/fc", [POOLED, CLASSES], 3)

    @tf.function
    def __call__(self, x):
        """Turns (n, 28, 28, 1) into (n, 2)."""
        same_pool = functools.partial(tf.nn.max_pool2d, padding="SAME")
        net = same_pool(self.conv1.convolve(x), 3, 2)
        net = tf.nn.dropout(net, rate=1 - KEEP_PROB, seed=2)
        return self.fc.connect(tf.reshape(net, [-1, POOLED]))  # (n, h, w, c) -> (n, units)


def run_function():
    """The two networks and the defaults."""
    tf.random.set_seed(SEED)
    x, networks, layer = tf.constant(images()), [Network("raw"), Network("slim")], Layer("default", [3, 3, 1, 32], 1)
    in_scope = layer.convolve(x)
    results = {
        "forward/raw": networks[0](x),
        "forward/slim": networks[1](x),
        "forward/pool_in_scope": tf.nn.max_pool2d(in_scope, 3, 1, "SAME"),
        "forward/pool_by_default": tf.nn.max_pool2d(in_scope, 3, 2, "VALID"),
        "forward/average_in_scope": tf.nn.avg_pool2d(in_scope, 3, 1, "SAME"),
        "forward/average_by_default": tf.nn.avg_pool2d(in_scope, 3, 2, "VALID"),
        "forward/lrn": tf.nn.lrn(in_scope),
        "forward/in_scope": in_scope,
        "forward/in_inner_scope": layer.convolve(x, activation=None),
        "forward/under_dict": layer.convolve(x),
    }
    variables = {v.name.partition(":")[0]: v.numpy() for each in (*networks, layer) for v in each.variables}
    return finish({key: value.numpy() for key, value in results.items()}, variables)
