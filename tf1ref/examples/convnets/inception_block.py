"""One block of Inception-v3, Mixed_7c: four paths side by side

Source: S3 2755-2803
TF1: variable scopes name the paths as the released checkpoint does; arg_scope sets stride and padding of all layers.
Now: a table of the nine convolutions makes the variables under the same names; the call says how they are joined.
Errata: S3's placeholder is a picture of 28 x 28 x 1. The block follows Mixed_7b, whose output is 8 x 8 x 2048. The
    network that S3 names has batch norm in each convolution in place of the biases; S3's block has biases.
See: Szegedy et al., Rethinking the Inception Architecture, arXiv:1512.00567
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly
from tf1ref.legacy.contrib import slim

SEED = 1
BATCH = 2
SIDE = 8
DEPTH = 2048
# Scope, input channels, filters, kernel.
LAYERS = (
    ("Branch_0/Conv2d_0a_1x1", 2048, 320, (1, 1)),
    ("Branch_1/Conv2d_0a_1x1", 2048, 384, (1, 1)),
    ("Branch_1/Conv2d_0b_1x3", 384, 384, (1, 3)),
    ("Branch_1/Conv2d_0c_3x1", 384, 384, (3, 1)),
    ("Branch_2/Conv2d_0a_1x1", 2048, 448, (1, 1)),
    ("Branch_2/Conv2d_0b_3x3", 448, 384, (3, 3)),
    ("Branch_2/Conv2d_0c_1x3", 384, 384, (1, 3)),
    ("Branch_2/Conv2d_0d_3x1", 384, 384, (3, 1)),
    ("Branch_3/Conv2d_0b_1x1", 2048, 192, (1, 1)),
)
SEEDS = {scope: number for number, (scope, *_) in enumerate(LAYERS, 1)}

EXPECTED = {
    "forward/shape": exactly([BATCH, SIDE, SIDE, 2048]),
    "forward/depths": exactly([320, 768, 768, 192]),
    "parameters": exactly(6073536),  # nine kernels and a bias for each of their filters
}


def features():
    """Returns an array such as Mixed_7b could give: float32 (2, 8, 8, 2048), with nothing below zero."""
    return np.maximum(np.random.RandomState(SEED).randn(BATCH, SIDE, SIDE, DEPTH), 0).astype(np.float32)


def conv2d(net, filters, size, path, scope):
    """Adds slim's convolution, its weights started from a seed of its own."""
    start = slim.xavier_initializer(seed=SEEDS[f"{path}/{scope}"])
    return slim.conv2d(net, filters, size, weights_initializer=start, scope=scope)


def mixed_7c(net):
    """Adds the block. Returns the outputs of its four paths for (n, h, w, c)."""
    with slim.arg_scope([slim.conv2d, slim.max_pool2d, slim.avg_pool2d], stride=1, padding="SAME"):
        with v1.variable_scope("Branch_0"):
            branch_0 = conv2d(net, 320, 1, "Branch_0", "Conv2d_0a_1x1")
        with v1.variable_scope("Branch_1"):
            branch_1 = conv2d(net, 384, 1, "Branch_1", "Conv2d_0a_1x1")
            parts = (
                conv2d(branch_1, 384, [1, 3], "Branch_1", "Conv2d_0b_1x3"),
                conv2d(branch_1, 384, [3, 1], "Branch_1", "Conv2d_0c_3x1"),
            )
            branch_1 = v1.concat(parts, 3)
        with v1.variable_scope("Branch_2"):
            branch_2 = conv2d(net, 448, 1, "Branch_2", "Conv2d_0a_1x1")
            branch_2 = conv2d(branch_2, 384, 3, "Branch_2", "Conv2d_0b_3x3")
            parts = (
                conv2d(branch_2, 384, [1, 3], "Branch_2", "Conv2d_0c_1x3"),
                conv2d(branch_2, 384, [3, 1], "Branch_2", "Conv2d_0d_3x1"),
            )
            branch_2 = v1.concat(parts, 3)
        with v1.variable_scope("Branch_3"):
            branch_3 = slim.avg_pool2d(net, 3, scope="AvgPool_0a_3x3")
            branch_3 = conv2d(branch_3, 192, 1, "Branch_3", "Conv2d_0b_1x1")
    return branch_0, branch_1, branch_2, branch_3


def build_graph():
    """Adds the block on a placeholder of any height and width."""
    net = v1.placeholder(v1.float32, [None, None, None, DEPTH], name="Mixed_7b")
    with v1.variable_scope("Mixed_7c"):
        branches = mixed_7c(net)
    return {"x": net, "branches": branches, "y": v1.concat(branches, 3, name="Mixed_7c/concat")}


def finish(branches, output, variables):
    """Returns the trace: the variables as they start, the paths, their join, shapes and counts."""
    trace = {f"initial/{name}": value for name, value in variables.items()}
    trace |= {f"forward/Branch_{i}": branch for i, branch in enumerate(branches)} | {"forward/Mixed_7c": output}
    trace["forward/shape"] = np.array(output.shape)
    trace["forward/depths"] = np.array([branch.shape[-1] for branch in branches])
    trace["parameters"] = np.array(sum(value.size for value in variables.values()))
    return trace


def run_graph():
    """One run."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        branches, output = sess.run([graph["branches"], graph["y"]], {graph["x"]: features()})
        return finish(branches, output, sess.run({v.op.name: v for v in v1.global_variables()}))


class Mixed7c(tf.Module):
    """The nine pairs of weights and biases, named as in the graph."""

    def __init__(self):
        super().__init__()
        self.pairs = {}
        for scope, inputs, filters, (height, width) in LAYERS:
            # Glorot's limit, which slim calls Xavier's
            limit = float(np.sqrt(6.0 / (height * width * (inputs + filters))))
            start = tf.random.uniform([height, width, inputs, filters], -limit, limit, seed=SEEDS[scope])
            weights = tf.Variable(start, name=f"Mixed_7c/{scope}/weights")
            self.pairs[scope] = weights, tf.Variable(tf.zeros([filters]), name=f"Mixed_7c/{scope}/biases")

    def conv(self, x, scope):
        """Computes the convolution of that name, and relu."""
        weights, biases = self.pairs[scope]
        return tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, weights, 1, "SAME"), biases))

    @tf.function
    def __call__(self, x):
        """Turns (n, h, w, 2048) into the outputs of the four paths and their join (n, h, w, 2048)."""
        branch_0 = self.conv(x, "Branch_0/Conv2d_0a_1x1")
        branch_1 = self.conv(x, "Branch_1/Conv2d_0a_1x1")
        parts = self.conv(branch_1, "Branch_1/Conv2d_0b_1x3"), self.conv(branch_1, "Branch_1/Conv2d_0c_3x1")
        branch_1 = tf.concat(parts, 3)
        branch_2 = self.conv(x, "Branch_2/Conv2d_0a_1x1")
        branch_2 = self.conv(branch_2, "Branch_2/Conv2d_0b_3x3")
        parts = self.conv(branch_2, "Branch_2/Conv2d_0c_1x3"), self.conv(branch_2, "Branch_2/Conv2d_0d_3x1")
        branch_2 = tf.concat(parts, 3)
        branch_3 = tf.nn.avg_pool2d(x, 3, 1, "SAME")
        branch_3 = self.conv(branch_3, "Branch_3/Conv2d_0b_1x1")
        branches = branch_0, branch_1, branch_2, branch_3
        return branches, tf.concat(branches, 3)


def run_function():
    """One call."""
    tf.random.set_seed(SEED)
    block = Mixed7c()
    branches, output = block(tf.constant(features()))
    variables = {v.name.partition(":")[0]: v.numpy() for pair in block.pairs.values() for v in pair}
    return finish([branch.numpy() for branch in branches], output.numpy(), variables)
