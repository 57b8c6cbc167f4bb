"""InceptionNet of ten layers on CIFAR-10: four branches, joined in depth

Source: S4 4619-4929
TF1: a branch is a row of convolutions; concat joins the four along the channels, and global averages replace the
    dense layers.
Now: a block is an object with four lists of layers.
Errata: S4's ConvBNRelu passes training=False in training, too. So batch norm never sees a batch: its averages stay 0
    and 1, and it only scales and shifts. S4 takes this to mean averages over the whole training set. S4's printed
    figures come from that network. NORMALIZE_BY_BATCH is that flag. S4 gives dense layers 90 % of VGG's
    parameters. This is true of the paper's network; in S4's own they have 3.5 %. For softmax, epochs and short runs see
    cbapd. S4's start, which has no seed, leads to .4645. SEED leads to .4525 after all 245 steps on the real files
    (2026-11-30).
See: Szegedy et al., Going Deeper with Convolutions, arXiv:1409.4842
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import at_least, exactly
from tf1ref.examples.convnets import _fit, _fit_function, _fit_graph
from tf1ref.legacy import layers
from tf1ref.modules.layers import Conv2D, Dense
from tf1ref.modules.layers_norm import BatchNormalization

SEED = 1
STEPS = 245
EPOCHS = 5
BATCH_SIZE = 1024
SHORT_BATCH_SIZE = 4  # batch size in a run of less than an epoch
INITIAL_CHANNELS = 16
# The channels of each of a block's branches, and the block's stride.
BLOCKS = ((16, 2), (16, 1), (32, 2), (32, 1))
# Four branches: whether a max pool of 3 x 3 comes first, then the sizes of the kernels. The first kernel has the
# stride.
BRANCHES = ((False, (1,)), (False, (1, 3)), (False, (1, 5)), (True, (1,)))
NORMALIZE_BY_BATCH = False

PLAN = _fit.Plan(BATCH_SIZE, SHORT_BATCH_SIZE, STEPS // EPOCHS, "Inception10", SEED)

EXPECTED = {
    "parameters/total": exactly(121418),
    "parameters/trainable": exactly(120234),
    "parameters/not_trainable": exactly(1184),
    "final/validation_accuracy": at_least(0.4, real="cifar10"),  # S4 prints .4645, from its own random start
}


def conv_bn_relu(x, channels, size, strides, training, seed, scope):
    """Adds a convolution, batch norm and the activation."""
    x = _fit_graph.conv2d(x, channels, size, seed, f"{scope}/conv", strides=strides, padding="same")
    x = layers.batch_normalization(x, training=training and NORMALIZE_BY_BATCH, name=f"{scope}/bn")
    return v1.nn.relu(x)


def inception_block(x, channels, strides, training, number):
    """Adds a block: (n, h, w, c) to (n, h / strides, w / strides, 4 * channels)."""
    outputs = []
    for i, (pooled, sizes) in enumerate(BRANCHES, 1):
        branch = layers.max_pooling2d(x, 3, 1, padding="same", name=f"block{number}/p{i}_1") if pooled else x
        for j, size in enumerate(sizes, 1):
            step, scope = strides if j == 1 else 1, f"block{number}/c{i}_{j}"
            branch = conv_bn_relu(branch, channels, size, step, training, 100 * number + 10 * i + j, scope)
        outputs.append(branch)
    return v1.concat(outputs, axis=3)


def inference(x, training):
    """Adds the network: float32 (n, 32, 32, 3) from 0 to 1, to logits (n, 10)."""
    x = conv_bn_relu(x, INITIAL_CHANNELS, 3, 1, training, 1, "c1")
    for number, (channels, strides) in enumerate(BLOCKS, 1):
        x = inception_block(x, channels, strides, training, number)
    x = v1.reduce_mean(x, [1, 2], name="p1")
    return _fit_graph.dense(x, _fit.CLASSES, seed=2, name="f1")


def build_graph():
    """Adds the network as it answers."""
    return _fit_graph.build_inference(inference)


def run_graph(steps=STEPS, out=None):
    """A session trains; the best weights lie in `out`."""
    return _fit_graph.run(inference, PLAN, steps, out)


class Inception10(_fit_function.Network):
    """The network, its variables named as in the graph."""

    def __init__(self):
        super().__init__()
        self.c1 = self.conv_bn_relu(3, INITIAL_CHANNELS, 3, 1, 1, "c1")
        self.blocks, depth = [], INITIAL_CHANNELS
        for number, (channels, strides) in enumerate(BLOCKS, 1):
            self.blocks.append(self.block(depth, channels, strides, number))
            depth = len(BRANCHES) * channels
        self.f1 = self.add(Dense(_fit.CLASSES, seed=2, name="f1"), depth)

    def conv_bn_relu(self, depth, channels, size, strides, seed, scope):
        """Makes a convolution and its batch norm; returns the pair."""
        options = {"strides": strides, "padding": "same", "seed": seed, "name": f"{scope}/conv"}
        convolution = self.add(Conv2D(channels, size, **options), depth)
        return convolution, self.add(BatchNormalization(name=f"{scope}/bn"), channels)

    def block(self, depth, channels, strides, number):
        """Makes a block; returns its branches: (whether a pool comes first, pairs of layers)."""
        branches = []
        for i, (pooled, sizes) in enumerate(BRANCHES, 1):
            pairs = []
            for j, size in enumerate(sizes, 1):
                step, inputs = (strides, depth) if j == 1 else (1, channels)
                seed, scope = 100 * number + 10 * i + j, f"block{number}/c{i}_{j}"
                pairs.append(self.conv_bn_relu(inputs, channels, size, step, seed, scope))
            branches.append((pooled, pairs))
        return branches

    @staticmethod
    def through(x, pairs, training, scope):
        """Calls pairs of layers one after the other."""
        # The scopes matter: a graph's optimizer sorts by name what it sums, which here are the gradients of four
        # branches.
        with tf.name_scope(scope):
            for convolution, norm in pairs:
                x = tf.nn.relu(norm(convolution(x), training and NORMALIZE_BY_BATCH))
        return x

    def logits(self, x, training):
        """Turns (n, 32, 32, 3) into (n, 10)."""
        x = self.through(x, [self.c1], training, "c1")
        for number, branches in enumerate(self.blocks, 1):
            outputs = []
            for i, (pooled, pairs) in enumerate(branches, 1):
                with tf.name_scope(f"block{number}/p{i}"):
                    branch = tf.nn.max_pool(x, 3, 1, padding="SAME") if pooled else x
                outputs.append(self.through(branch, pairs, training, f"block{number}/c{i}"))
            x = tf.concat(outputs, axis=3)
        return self.f1(tf.reduce_mean(x, [1, 2]))


def run_function(steps=STEPS, out=None):
    """The same steps; the checkpoint is the graph's, name for name."""
    return _fit_function.run(Inception10, PLAN, steps, out)


def plot(trace):
    """Returns a figure of accuracy and loss by epoch."""
    return _fit.plot(trace, "InceptionNet")
