"""Convolution, batch norm, activation, pool, dropout: a CIFAR-10 baseline

Source: S4 3712-3935
TF1: tf.layers, where `training` is a Python bool. The network is built twice over the same variables, to train and to
    test. The training step must wait for UPDATE_OPS, or batch norm's averages keep their initial values.
Now: a layer is an object that is called with `training`; a call while training moves the averages by itself.
Errata: S4 gives the loss the softmax's output, from which Keras takes the logits back. Here the loss gets the logits.
    S4's "wedithts.tet" is weights.txt; the checkpoint holds what is in it. An epoch has S4's 1563 steps, however many
    pictures there are. A run of less than one epoch takes SHORT_BATCH_SIZE pictures a step. Keras' labels are (50000,
    1) and (10000, 1); here they are (50000,) and (10000,).
See: Ioffe and Szegedy, Batch Normalization, arXiv:1502.03167
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import at_least, exactly
from tf1ref.data import cifar10
from tf1ref.examples.convnets import _fit, _fit_function, _fit_graph
from tf1ref.legacy import layers
from tf1ref.modules.layers import Conv2D, Dense, Dropout
from tf1ref.modules.layers_norm import BatchNormalization

SEED = 1
STEPS = 7815
EPOCHS = 5
BATCH_SIZE = 32
SHORT_BATCH_SIZE = 4  # batch size in a run of less than an epoch
FILTERS = 6
KERNEL_SIZE = 5
UNITS = 128
DROPOUT = 0.2
ARRAYS = ("x_train", "y_train", "x_test", "y_test")

PLAN = _fit.Plan(BATCH_SIZE, SHORT_BATCH_SIZE, STEPS // EPOCHS, "Baseline", SEED)
POOLED = 16 * 16 * FILTERS

EXPECTED = {
    "forward/x_train/shape": exactly((50000, 32, 32, 3), real="cifar10"),
    "forward/y_train/shape": exactly((50000,), real="cifar10"),
    "forward/x_test/shape": exactly((10000, 32, 32, 3), real="cifar10"),
    "forward/y_test/shape": exactly((10000,), real="cifar10"),
    "parameters/total": exactly(198506),
    "parameters/trainable": exactly(198494),
    "parameters/not_trainable": exactly(12),
    "final/validation_accuracy": at_least(0.5),  # S4 prints .5762; one file of the five gives .54
}


def inference(x, training):
    """Adds the network: float32 (n, 32, 32, 3) from 0 to 1, to logits (n, 10)."""
    x = _fit_graph.conv2d(x, FILTERS, KERNEL_SIZE, seed=1, padding="same", name="c1")
    x = layers.batch_normalization(x, training=training, name="b1")
    x = v1.nn.relu(x, name="a1")
    x = layers.max_pooling2d(x, 2, 2, padding="same", name="p1")
    x = layers.dropout(x, DROPOUT, training=training, seed=2, name="d1")
    x = layers.flatten(x)  # (n, 16, 16, 6) -> (n, 1536)
    x = _fit_graph.dense(x, UNITS, seed=3, activation=v1.nn.relu, name="f1")
    x = layers.dropout(x, DROPOUT, training=training, seed=4, name="d2")
    return _fit_graph.dense(x, _fit.CLASSES, seed=5, name="f2")


def build_graph():
    """Adds the network as it answers: no dropout, batch norm by its averages."""
    return _fit_graph.build_inference(inference)


def shapes_in_graph():
    """The shapes of the four arrays, which a graph learns when they are fed."""
    with v1.Graph().as_default(), v1.Session() as sess:
        fed = {v1.placeholder(array.dtype, name=name): array for name, array in zip(ARRAYS, cifar10.load())}
        return sess.run({f"forward/{x.op.name}/shape": v1.shape(x) for x in fed}, fed)


def run_graph(steps=STEPS, out=None):
    """A session trains; the best weights lie in `out`."""
    return shapes_in_graph() | _fit_graph.run(inference, PLAN, steps, out)


class Baseline(_fit_function.Network):
    """The network, its variables named as in the graph."""

    def __init__(self):
        super().__init__()
        self.c1 = self.add(Conv2D(FILTERS, KERNEL_SIZE, padding="same", seed=1, name="c1"), 3)
        self.b1 = self.add(BatchNormalization(name="b1"), FILTERS)
        self.d1 = Dropout(DROPOUT, seed=2, name="d1")
        self.f1 = self.add(Dense(UNITS, "relu", seed=3, name="f1"), POOLED)
        self.d2 = Dropout(DROPOUT, seed=4, name="d2")
        self.f2 = self.add(Dense(_fit.CLASSES, seed=5, name="f2"), UNITS)

    def logits(self, x, training):
        """Turns (n, 32, 32, 3) into (n, 10). `training` switches dropout on, and batch norm to the batch's moments."""
        x = tf.nn.relu(self.b1(self.c1(x), training))
        x = self.d1(tf.nn.max_pool(x, 2, 2, padding="SAME"), training)
        x = self.f1(tf.reshape(x, [-1, POOLED]))  # (n, 16, 16, 6) -> (n, 1536) -> (n, 128)
        return self.f2(self.d2(x, training))


def run_function(steps=STEPS, out=None):
    """The same steps; the checkpoint is the graph's, name for name."""
    shapes = {f"forward/{name}/shape": tf.shape(array).numpy() for name, array in zip(ARRAYS, cifar10.load())}
    return shapes | _fit_function.run(Baseline, PLAN, steps, out)


def plot(trace):
    """Returns a figure of accuracy and loss by epoch."""
    return _fit.plot(trace, "CBAPD")
