"""Pooling: the largest or the mean of each window, and of a whole picture

Source: S3 2211-2242, S4 3630-3684, S0 1191-1236
TF1: ksize and strides have four numbers, the first and the last of which are 1.
Now: two numbers do; a global average is a mean over height and width.
Errata: S3 says that the window moves along the depth as well; each channel has windows of its own. S4 says that a pool
    leaves a quarter of a picture's size. This is true of 2 x 2 with a stride of 2. None of them says that a mean or a
    maximum leaves out the zeros of SAME.
See: Dumoulin and Visin, A Guide to Convolution Arithmetic for Deep Learning, arXiv:1603.07285
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

SEED = 1
DEVIATION = 0.1
BIAS = 0.1
FILTERS = 16
# One channel of 4 x 4, whose pools are easy to see. The first window is below zero.
PICTURE = ((-4, -3, 1, 2), (-2, -1, 3, 4), (5, 9, 0, 0), (6, 8, 0, 1))

EXPECTED = {
    "forward/layer_shape": exactly([1, 4, 4, 16]),
    "forward/pool_shape": exactly([1, 2, 2, 16]),
    "forward/max": exactly([[-1, 4], [9, 1]]),
    "forward/average": exactly([[-2.5, 2.5], [7.0, 0.25]]),
    # 3 x 3 with a stride of 2: windows of nine, six, six and four numbers; SAME pads below and on the right.
    "forward/average_same": exactly([[0.888889, 1.666667], [4.666667, 0.25]]),
    "forward/max_same": exactly([[9, 4], [9, 1]]),
    "forward/max_valid": exactly([[9]]),
    "forward/global_average": exactly([1.8125]),
    # A maximum sends its gradient to one number of four, a mean a quarter of it to each.
    "gradient/max": exactly([[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1]]),
    "gradient/average": exactly(np.full((4, 4), 0.25)),
}


def picture():
    """Returns PICTURE as float32 (1, 4, 4, 1)."""
    return np.array(PICTURE, np.float32)[None, :, :, None]


def features():
    """Returns S3's input, float32 (1, 4, 4, 3), as consecutive numbers."""
    return np.arange(48, dtype=np.float32).reshape(1, 4, 4, 3)


def max_pool(x, size, stride, padding):
    """Adds a max pool of size x size."""
    return v1.nn.max_pool(x, ksize=[1, size, size, 1], strides=[1, stride, stride, 1], padding=padding)


def average_pool(x, size, stride, padding):
    """Adds an average pool of size x size."""
    return v1.nn.avg_pool(x, ksize=[1, size, size, 1], strides=[1, stride, stride, 1], padding=padding)


def build_graph():
    """Adds S3's convolution with its pool, and the pools of the picture."""
    x = v1.placeholder(v1.float32, [1, None, None, 3], name="input")
    start = v1.truncated_normal_initializer(stddev=DEVIATION, seed=SEED)
    weights = v1.get_variable("weights", [5, 5, 3, FILTERS], initializer=start)
    biases = v1.get_variable("biases", [FILTERS], initializer=v1.constant_initializer(BIAS))
    conv = v1.nn.conv2d(x, weights, strides=[1, 1, 1, 1], padding="SAME")
    layer = v1.nn.relu(v1.nn.bias_add(conv, biases))
    pool = max_pool(layer, 3, 2, "SAME")
    small = v1.placeholder(v1.float32, [1, 4, 4, 1], name="picture")
    largest, average = max_pool(small, 2, 2, "VALID"), average_pool(small, 2, 2, "VALID")
    flat = {
        "forward/max": largest,
        "forward/average": average,
        "forward/average_same": average_pool(small, 3, 2, "SAME"),
        "forward/max_same": max_pool(small, 3, 2, "SAME"),
        "forward/max_valid": max_pool(small, 3, 2, "VALID"),
        "gradient/max": v1.gradients(largest, small)[0],
        "gradient/average": v1.gradients(average, small)[0],
    }
    results = {key: value[0, :, :, 0] for key, value in flat.items()}
    results |= {"forward/layer_shape": v1.shape(layer), "forward/pool_shape": v1.shape(pool)}
    results |= {"forward/pool": pool, "forward/global_average": v1.reduce_mean(small, [1, 2])[0]}
    results["forward/global_of_layer"] = v1.reduce_mean(layer, [1, 2])
    return {"x": x, "picture": small, "y": pool, "results": results}


def run_graph():
    """One run fetches all of it."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        return sess.run(graph["results"], {graph["x"]: features(), graph["picture"]: picture()})


class Layer(tf.Module):
    """S3's convolution; its variables are named as in the graph."""

    def __init__(self):
        super().__init__()
        start = tf.random.truncated_normal([5, 5, 3, FILTERS], stddev=DEVIATION, seed=SEED)
        self.weights = tf.Variable(start, name="weights")
        self.biases = tf.Variable(tf.fill([FILTERS], BIAS), name="biases")

    @tf.function
    def __call__(self, x):
        """Turns (n, h, w, 3) into (n, h, w, 16)."""
        return tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, self.weights, 1, "SAME"), self.biases))


@tf.function
def pools_of_the_picture(small):
    """Returns the pools and the gradients of two of them, by name. small: float32 (1, 4, 4, 1)."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(small)
        largest, average = tf.nn.max_pool2d(small, 2, 2, "VALID"), tf.nn.avg_pool2d(small, 2, 2, "VALID")
    return {
        "forward/max": largest,
        "forward/average": average,
        "forward/average_same": tf.nn.avg_pool2d(small, 3, 2, "SAME"),
        "forward/max_same": tf.nn.max_pool2d(small, 3, 2, "SAME"),
        "forward/max_valid": tf.nn.max_pool2d(small, 3, 2, "VALID"),
        "gradient/max": tape.gradient(largest, small),
        "gradient/average": tape.gradient(average, small),
    }


def run_function():
    """The same kernels."""
    tf.random.set_seed(SEED)
    small, layer = tf.constant(picture()), Layer()(tf.constant(features()))
    trace = {key: value[0, :, :, 0].numpy() for key, value in pools_of_the_picture(small).items()}
    pool = tf.nn.max_pool2d(layer, 3, 2, "SAME")
    trace |= {"forward/layer_shape": tf.shape(layer).numpy(), "forward/pool_shape": tf.shape(pool).numpy()}
    trace |= {"forward/pool": pool.numpy(), "forward/global_average": tf.reduce_mean(small, [1, 2])[0].numpy()}
    return trace | {"forward/global_of_layer": tf.reduce_mean(layer, [1, 2]).numpy()}
