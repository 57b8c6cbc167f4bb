"""ResNet18 on CIFAR-10: residual blocks

Source: S4 4930-5163
TF1: a block is a function that adds two convolutions and a shortcut around them; L2 of the last kernel goes to the
    collection of regularization losses.
Now: a block is a tuple of layers; the penalty is returned by a method and added to the loss.
Errata: The comment beside S4's inner loop says "which convolution", but the loop counts blocks, and each has two
    convolutions. The eighteen layers do not include the three convolutions of 1 x 1 on the shortcuts. S4's
    regularizers.l2() is .01 times the sum of squares, twice what TF1's l2_regularizer(.01) gives. For softmax, epochs
    and short runs see cbapd. S4's start, which has no seed, leads to .8054. SEED leads to .8128 after all 7815 steps on
    the real files (2026-11-30).
See: He et al., Deep Residual Learning for Image Recognition, arXiv:1512.03385
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
STEPS = 7815
EPOCHS = 5
BATCH_SIZE = 32
SHORT_BATCH_SIZE = 4  # batch size in a run of less than an epoch
# Four groups of blocks: filters, blocks, and the stride of the first one.
GROUPS = ((64, 2, 1), (128, 2, 2), (256, 2, 2), (512, 2, 2))
L2 = 0.01

PLAN = _fit.Plan(BATCH_SIZE, SHORT_BATCH_SIZE, STEPS // EPOCHS, "ResNet18", SEED)
# (scope, filters, stride) of every block, in order. The seeds of a block start from 10 times its number.
BLOCKS = [
    (f"block{group}_{number}", filters, stride if number == 1 else 1)
    for group, (filters, count, stride) in enumerate(GROUPS, 1)
    for number in range(1, count + 1)
]

EXPECTED = {
    "parameters/total": exactly(11183562),
    "parameters/trainable": exactly(11173962),
    "parameters/not_trainable": exactly(9600),
    "final/validation_accuracy": at_least(0.72, real="cifar10"),  # S4 prints .8054, from its own random start
}


def conv_bn(x, filters, size, stride, training, seed, convolution, norm):
    """Adds a convolution and batch norm. The convolution has no bias, which batch norm would subtract again."""
    x = _fit_graph.conv2d(x, filters, size, seed, convolution, strides=stride, padding="same", use_bias=False)
    return layers.batch_normalization(x, training=training, name=norm)


def residual_block(x, filters, stride, training, seed, scope):
    """Adds relu(F(x) + x), or relu(F(x) + Wx) where the shape changes: to (n, h / stride, w / stride, filters)."""
    y = v1.nn.relu(conv_bn(x, filters, 3, stride, training, seed, f"{scope}/c1", f"{scope}/b1"))
    y = conv_bn(y, filters, 3, 1, training, seed + 1, f"{scope}/c2", f"{scope}/b2")
    if stride != 1:
        x = conv_bn(x, filters, 1, stride, training, seed + 2, f"{scope}/down_c1", f"{scope}/down_b1")
    return v1.nn.relu(y + x)


def inference(x, training):
    """Adds the network: float32 (n, 32, 32, 3) from 0 to 1, to logits (n, 10)."""
    x = v1.nn.relu(conv_bn(x, GROUPS[0][0], 3, 1, training, 1, "c1", "b1"))
    for number, (scope, filters, stride) in enumerate(BLOCKS, 1):
        x = residual_block(x, filters, stride, training, 10 * number, scope)
    x = v1.reduce_mean(x, [1, 2], name="p1")

    def penalty(kernel):
        return L2 * v1.reduce_sum(v1.square(kernel))

    return _fit_graph.dense(x, _fit.CLASSES, seed=2, name="f1", kernel_regularizer=penalty)


def build_graph():
    """Adds the network as it answers: batch norm by its averages."""
    return _fit_graph.build_inference(inference)


def run_graph(steps=STEPS, out=None):
    """A session trains; the best weights lie in `out`."""
    return _fit_graph.run(inference, PLAN, steps, out)


class ResNet18(_fit_function.Network):
    """The network, its variables named as in the graph."""

    def __init__(self):
        super().__init__()
        depth = GROUPS[0][0]
        self.first = self.conv_bn(3, depth, 3, 1, 1, "c1", "b1")
        self.blocks = []
        for number, (scope, filters, stride) in enumerate(BLOCKS, 1):
            self.blocks.append(self.block(depth, filters, stride, 10 * number, scope))
            depth = filters
        self.f1 = self.add(Dense(_fit.CLASSES, seed=2, name="f1"), depth)

    def conv_bn(self, depth, filters, size, stride, seed, convolution, norm):
        """Makes a convolution without bias and its batch norm; returns the pair."""
        options = {"strides": stride, "padding": "same", "use_bias": False, "seed": seed, "name": convolution}
        return self.add(Conv2D(filters, size, **options), depth), self.add(BatchNormalization(name=norm), filters)

    def block(self, depth, filters, stride, seed, scope):
        """Makes a block's pairs: two for F, and one for W or None."""
        c1 = self.conv_bn(depth, filters, 3, stride, seed, f"{scope}/c1", f"{scope}/b1")
        c2 = self.conv_bn(filters, filters, 3, 1, seed + 1, f"{scope}/c2", f"{scope}/b2")
        if stride == 1:
            return c1, c2, None
        return c1, c2, self.conv_bn(depth, filters, 1, stride, seed + 2, f"{scope}/down_c1", f"{scope}/down_b1")

    def penalties(self):
        """Returns the L2 penalty of the last kernel."""
        return [L2 * tf.reduce_sum(tf.square(self.f1.kernel))]

    def logits(self, x, training):
        """Turns (n, 32, 32, 3) into (n, 10). `training` switches batch norm to the batch's moments."""

        def through(x, pair):
            convolution, norm = pair
            return norm(convolution(x), training)

        x = tf.nn.relu(through(x, self.first))
        for c1, c2, down in self.blocks:
            y = through(tf.nn.relu(through(x, c1)), c2)
            x = tf.nn.relu(y + (through(x, down) if down else x))
        return self.f1(tf.reduce_mean(x, [1, 2]))


def run_function(steps=STEPS, out=None):
    """The same steps; the checkpoint is the graph's, name for name."""
    return _fit_function.run(ResNet18, PLAN, steps, out)


def plot(trace):
    """Returns a figure of accuracy and loss by epoch."""
    return _fit.plot(trace, "ResNet18")
