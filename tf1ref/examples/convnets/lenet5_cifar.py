"""LeNet-5 on CIFAR-10, with the sigmoids of its time

Source: S4 3940-4089
TF1: two loops over tables of layers in a function; the scopes c1 ... f3 keep the layers' variables apart.
Now: the same two loops, once to make the layers and once to call them.
Errata: S4 gives the sigmoid as LeNet's usual activation. LeNet of 1998 had tanh, average pools with weights of their
    own, and pictures of 32 x 32 with one channel. For softmax, epochs and short runs see cbapd. S4's start, which has
    no seed, leads to .4695. SEED leads to .4598 after all 7815 steps on the real files (2026-11-30).
See: LeCun et al., Gradient-Based Learning Applied to Document Recognition, doi:10.1109/5.726791
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

SEED = 1
STEPS = 7815
EPOCHS = 5
BATCH_SIZE = 32
SHORT_BATCH_SIZE = 4  # batch size in a run of less than an epoch
KERNEL_SIZE = 5
FILTERS = (6, 16)
UNITS = (120, 84)

PLAN = _fit.Plan(BATCH_SIZE, SHORT_BATCH_SIZE, STEPS // EPOCHS, "LeNet5", SEED)
# Sides: 32, 28, 14, 10, 5. A convolution takes 4 off, and a pool halves.
POOLED = 5 * 5 * FILTERS[-1]

EXPECTED = {
    "parameters/total": exactly(62006),
    "parameters/trainable": exactly(62006),
    "parameters/not_trainable": exactly(0),
    "final/validation_accuracy": at_least(0.42, real="cifar10"),
}


def inference(x, training):
    """Adds the network: float32 (n, 32, 32, 3) from 0 to 1, to logits (n, 10). `training` changes nothing here."""
    for i, filters in enumerate(FILTERS, 1):
        x = _fit_graph.conv2d(x, filters, KERNEL_SIZE, seed=i, activation=v1.sigmoid, name=f"c{i}")
        x = layers.max_pooling2d(x, 2, 2, name=f"p{i}")
    x = layers.flatten(x)  # (n, h, w, c) -> (n, h * w * c)
    for i, units in enumerate(UNITS, 1):
        x = _fit_graph.dense(x, units, seed=10 + i, activation=v1.sigmoid, name=f"f{i}")
    return _fit_graph.dense(x, _fit.CLASSES, seed=20, name="f3")


def build_graph():
    """Adds the network as it answers."""
    return _fit_graph.build_inference(inference)


def run_graph(steps=STEPS, out=None):
    """A session trains; the best weights lie in `out`."""
    return _fit_graph.run(inference, PLAN, steps, out)


class LeNet5(_fit_function.Network):
    """The network, its variables named as in the graph."""

    def __init__(self):
        super().__init__()
        self.convolutions, self.dense = [], []
        depth = 3
        for i, filters in enumerate(FILTERS, 1):
            self.convolutions.append(self.add(Conv2D(filters, KERNEL_SIZE, seed=i, name=f"c{i}"), depth))
            depth = filters
        depth = POOLED
        for i, units in enumerate(UNITS, 1):
            self.dense.append(self.add(Dense(units, "sigmoid", seed=10 + i, name=f"f{i}"), depth))
            depth = units
        self.f3 = self.add(Dense(_fit.CLASSES, seed=20, name="f3"), depth)

    def logits(self, x, training):
        """Turns (n, 32, 32, 3) into (n, 10); `training` changes nothing here."""
        for convolution in self.convolutions:
            x = tf.nn.max_pool(tf.sigmoid(convolution(x)), 2, 2, padding="VALID")
        x = tf.reshape(x, [-1, POOLED])  # (n, h, w, c) -> (n, h * w * c)
        for dense in self.dense:
            x = dense(x)
        return self.f3(x)


def run_function(steps=STEPS, out=None):
    """The same steps; the checkpoint is the graph's, name for name."""
    return _fit_function.run(LeNet5, PLAN, steps, out)


def plot(trace):
    """Returns a figure of accuracy and loss by epoch."""
    return _fit.plot(trace, "LeNet-5")
