"""tensorflow.examples.tutorials.mnist.mnist: the network that fully_connected_feed trains.

The layers are 784 - hidden1 - hidden2 - 10 with ReLU. It has softmax cross entropy, gradient descent, and the
tutorial's names.
"""

import math

import tensorflow.compat.v1 as v1

NUM_CLASSES = 10
IMAGE_SIZE = 28
IMAGE_PIXELS = IMAGE_SIZE * IMAGE_SIZE


def _layer(scope, inputs, size):
    """Adds inputs * weights + biases in `scope`. The weights start with a standard deviation of 1 / sqrt(inputs)."""
    width = int(inputs.shape[1])
    with v1.name_scope(scope):
        start = v1.truncated_normal([width, size], stddev=1.0 / math.sqrt(float(width)))
        weights = v1.Variable(start, name="weights")
        biases = v1.Variable(v1.zeros([size]), name="biases")
        return v1.matmul(inputs, weights) + biases


def inference(images, hidden1_units, hidden2_units):
    """Adds the network, which turns images [n, 784] into logits [n, 10]."""
    hidden1 = v1.nn.relu(_layer("hidden1", images, hidden1_units))
    hidden2 = v1.nn.relu(_layer("hidden2", hidden1, hidden2_units))
    return _layer("softmax_linear", hidden2, NUM_CLASSES)


def loss(logits, labels):
    """Adds the mean cross entropy of logits [n, 10] and labels [n]."""
    return v1.losses.sparse_softmax_cross_entropy(labels=v1.to_int64(labels), logits=logits)


def training(loss, learning_rate):
    """Adds a scalar summary of the loss, a step counter, and a step of gradient descent. Returns the step."""
    v1.summary.scalar("loss", loss)
    global_step = v1.Variable(0, name="global_step", trainable=False)
    return v1.train.GradientDescentOptimizer(learning_rate).minimize(loss, global_step=global_step)


def evaluation(logits, labels):
    """Adds the number of rows of logits [n, 10] that are largest at their label."""
    return v1.reduce_sum(v1.cast(v1.nn.in_top_k(logits, labels, 1), v1.int32))
