"""Convolution: what conv2d computes, its sizes, parameters and field of view

Source: S3 2115-2210, S0 1158-1236, S4 3335-3560
TF1: placeholders may leave height and width open; the size that comes out is then known only when the op runs.
Now: the same kernels, called with arrays. Neither turns the kernel around: what is called convolution is correlation.
Errata: S4 says that two kernels of 3 x 3 draw out the same features as one of 5 x 5. They see as far. Without an
    activation between them they are one kernel of 5 x 5, but 18 numbers make only some of those kernels (composed).
    S4's general cost lacks parentheses: it means (x - (n - 1))^2. S4 calls its sizes "padding". S3's
    scipy.signal.convolve2d gives the same numbers as its ndimage.convolve only because that one pads with zeros.
See: Dumoulin and Visin, A Guide to Convolution Arithmetic for Deep Learning, arXiv:1603.07285
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import at_most, exactly

SEED = 1
DEVIATION = 0.1
BIAS = 0.1
# S3's example for scipy: (3, 4) values and a kernel.
VALUES = ((0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11))
KERNEL = ((1, 1, 1), (1, 1, 0), (1, 0, 0))
# S4's sum under a picture: -1 + 0 + 2 - 5 + 0 + 2 - 3 + 0 + 5, and a bias of 1.
WINDOW = ((1, 0, 2), (5, 4, 2), (3, 4, 5))
EDGES = ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1))
# Input side, kernel side, stride: S4's 5 x 5, S0's stride of 2, and sizes that do not come out even.
SIZES = ((5, 3, 1), (5, 5, 1), (5, 3, 2), (28, 5, 2), (32, 3, 3), (7, 2, 2))
# Height, width, input channels and filters of S3's layer and of S4's three kernels.
LAYERS = ((2, 2, 3, 5), (3, 3, 1, 1), (3, 3, 3, 1), (5, 5, 3, 1))
SIDE = 11  # side of the input of two kernels of 3 x 3, or one of 5 x 5

EXPECTED = {
    "forward/scipy": exactly([[10, 18, 23, 16], [27, 40, 46, 28], [22, 25, 28, 11]]),
    "forward/correlation": exactly([[19, 25], [37, 43]]),
    "forward/two_channels": exactly([[56, 72], [104, 120]]),
    "forward/window": exactly(1.0),
    "forward/layer_shape": exactly([1, 4, 4, 16]),
    "forward/strided_shape": exactly([1, 2, 2, 16]),
    "forward/gap_to_patches": at_most(1e-5),
    "forward/gap_to_dense": at_most(1e-5),
    "parameters": exactly([65, 10, 28, 76]),
    "sizes/same": exactly([5, 5, 3, 14, 11, 4]),
    "sizes/valid": exactly([3, 1, 2, 12, 10, 3]),
    "sizes/formula_same": exactly([5, 5, 3, 14, 11, 4]),
    "sizes/formula_valid": exactly([3, 1, 2, 12, 10, 3]),
    "field/two_of_3": exactly([5, 5]),
    "field/one_of_5": exactly([5, 5]),
    "field/gap_to_composed": at_most(1e-5),
    "field/parameters": exactly([18, 25]),
    "field/multiplications": exactly([9 * 81 + 9 * 49, 25 * 49]),
}


def ramp(start, side, channels):
    """Returns (1, side, side, channels): each channel counts up from one more than the channel before."""
    count = np.arange(side * side, dtype=np.float32).reshape(1, side, side, 1) + start
    return np.concatenate([count + channel for channel in range(channels)], axis=3)


def picture(rows):
    """Returns rows of numbers as float32 (1, height, width, 1)."""
    return np.array(rows, np.float32)[None, :, :, None]


def kernel(rows):
    """Returns rows of numbers as a kernel: float32 (height, width, 1, 1)."""
    return np.array(rows, np.float32)[:, :, None, None]


def inputs():
    """Returns the arrays that both halves are fed."""
    random = np.random.RandomState(SEED)
    return {
        "values": picture(VALUES),
        # A convolution is a correlation with the kernel turned by 180 degrees.
        "turned": kernel(KERNEL)[::-1, ::-1],
        "layer": np.arange(48, dtype=np.float32).reshape(1, 4, 4, 3),
        "field": random.randn(1, SIDE, SIDE, 1).astype(np.float32),
        "small": random.randn(2, 3, 3, 1, 1).astype(np.float32),
        "large": random.randn(5, 5, 1, 1).astype(np.float32),
    }


def formula(side, size, stride, padding):
    """Returns the side of the output by S0's formula. Both divisions are rounded up."""
    return -(-(side if padding == "SAME" else side - size + 1) // stride)


def composed(small):
    """Returns the kernel of 5 x 5 that equals two of 3 x 3, (2, 3, 3, 1, 1), one after the other, in numpy."""
    result = np.zeros((5, 5, 1, 1), np.float32)
    for i, j in np.ndindex(3, 3):
        result[i : i + 3, j : j + 3] += small[0, i, j] * small[1]
    return result


def finish(results, arrays):
    """Adds what numpy computes from the results: gaps, the side of the field, S4's costs, S0's sizes."""
    trace = {key: value for key, value in results.items() if not key.startswith("raw/")}
    for padding in ("SAME", "VALID"):
        trace[f"sizes/formula_{padding.lower()}"] = np.array([formula(*row, padding) for row in SIZES])
    trace["forward/gap_to_patches"] = np.abs(results["forward/layer"] - results["raw/patches"]).max()
    trace["forward/gap_to_dense"] = np.abs(results["raw/one_by_one"] - results["raw/dense"]).max()
    trace["field/gap_to_composed"] = np.abs(results["raw/two_of_3"] - results["raw/composed"]).max()
    for name in ("two_of_3", "one_of_5"):
        seen = np.argwhere(results[f"gradient/{name}"][0, :, :, 0])
        trace[f"field/{name}"] = seen.max(axis=0) - seen.min(axis=0) + 1
    once, twice, large = SIDE - 2, SIDE - 4, SIDE - 4
    trace["field/parameters"] = np.array([arrays["small"].size, arrays["large"].size])
    trace["field/multiplications"] = np.array([9 * once**2 + 9 * twice**2, 25 * large**2])
    return trace


def add_layer(x, shape, scope, strides=1, padding="SAME"):
    """Adds S3's layer: convolution, one bias for each filter, relu.

    Returns the values before the biases, and the output.
    """
    with v1.variable_scope(scope):
        start = v1.truncated_normal_initializer(stddev=DEVIATION, seed=SEED)
        weights = v1.get_variable("weights", shape, initializer=start)
        biases = v1.get_variable("biases", shape[-1:], initializer=v1.constant_initializer(BIAS))
    conv = v1.nn.conv2d(x, weights, strides=[1, strides, strides, 1], padding=padding)
    return conv, v1.nn.relu(v1.nn.bias_add(conv, biases))


def add_counts():
    """Adds a layer for each row of LAYERS; returns the number of parameters of each."""
    counts = []
    for i, shape in enumerate(LAYERS):
        add_layer(v1.zeros([1, 8, 8, shape[2]]), shape, f"counted{i}")
        variables = v1.get_collection(v1.GraphKeys.TRAINABLE_VARIABLES, f"counted{i}/")
        counts.append(v1.add_n([v1.size(variable) for variable in variables]))
    return v1.stack(counts)


def add_sizes(padding):
    """Adds a convolution for each row of SIZES; returns the side of each output."""

    def side(size, kernel_side, stride):
        x, weights = v1.zeros([1, size, size, 1]), v1.zeros([kernel_side, kernel_side, 1, 1])
        return v1.shape(v1.nn.conv2d(x, weights, [1, stride, stride, 1], padding))[1]

    return v1.stack([side(*row) for row in SIZES])


def add_field(x, small, large):
    """Adds two kernels of 3 x 3 and one of 5 x 5, and what the middle of each result depends on in the input."""

    def conv(x, weights):
        return v1.nn.conv2d(x, weights, [1, 1, 1, 1], "VALID")

    two, one, middle = conv(conv(x, small[0]), small[1]), conv(x, large), (SIDE - 4) // 2
    return {
        "raw/two_of_3": two,
        "raw/composed": conv(x, composed(small)),
        "gradient/two_of_3": v1.gradients(two[0, middle, middle, 0], x)[0],
        "gradient/one_of_5": v1.gradients(one[0, middle, middle, 0], x)[0],
    }


def build_graph():
    """Adds all of it. There are placeholders for S3's values and for a layer of unknown height and width."""
    arrays = inputs()
    values = v1.placeholder(v1.float32, [1, None, None, 1], name="values")
    x = v1.placeholder(v1.float32, [1, None, None, 3], name="input")
    conv, layer = add_layer(x, [5, 5, 3, 16], "layer")
    strided = add_layer(x, [5, 5, 3, 16], "strided", strides=2)[1]
    weights = v1.get_collection(v1.GraphKeys.TRAINABLE_VARIABLES, "layer/")[0]
    # This computes what conv2d does, one step after the other: patches, a matrix of the kernel, one product.
    patches = v1.image.extract_patches(x, [1, 5, 5, 1], [1, 1, 1, 1], [1, 1, 1, 1], "SAME")
    dense = v1.reshape(x, [-1, 3]) @ v1.reshape(weights[0, 0], [3, 16])

    def valid(x, weights):
        return v1.nn.conv2d(x, weights, [1, 1, 1, 1], "VALID")[0, :, :, 0]

    results = {
        "forward/scipy": v1.nn.conv2d(values, arrays["turned"], [1, 1, 1, 1], "SAME")[0, :, :, 0],
        "forward/correlation": valid(ramp(0, 3, 1), ramp(0, 2, 1).reshape(2, 2, 1, 1)),
        "forward/two_channels": valid(ramp(0, 3, 2), ramp(0, 2, 2).reshape(2, 2, 2, 1)),
        "forward/window": valid(picture(WINDOW), kernel(EDGES))[0, 0] + 1,
        "forward/layer": conv,
        "forward/layer_shape": v1.shape(layer),
        "forward/strided_shape": v1.shape(strided),
        "forward/relu": layer,
        "raw/patches": v1.tensordot(patches, v1.reshape(weights, [75, 16]), 1),
        "raw/one_by_one": v1.reshape(v1.nn.conv2d(x, weights[:1, :1], [1, 1, 1, 1], "SAME"), [-1, 16]),
        "raw/dense": dense,
        "parameters": add_counts(),
        **{f"sizes/{padding.lower()}": add_sizes(padding) for padding in ("SAME", "VALID")},
        **add_field(v1.constant(arrays["field"]), arrays["small"], arrays["large"]),
    }
    return {"values": values, "x": x, "y": layer, "results": results}


def run_graph():
    """One run fetches all results."""
    arrays = inputs()
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        feed = {graph["values"]: arrays["values"], graph["x"]: arrays["layer"]}
        return finish(sess.run(graph["results"], feed), arrays)


class Layer(tf.Module):
    """S3's layer: its variables are a kernel and one bias a filter."""

    def __init__(self, shape, scope="layer"):
        super().__init__()
        # This is a function of its own. When code runs eagerly, a second draw with this seed would continue the
        # sequence.
        start = tf.function(lambda: tf.random.truncated_normal(shape, stddev=DEVIATION, seed=SEED))()
        self.weights = tf.Variable(start, name=f"{scope}/weights")
        self.biases = tf.Variable(tf.fill(shape[-1:], BIAS), name=f"{scope}/biases")

    def conv(self, x, strides=1, padding="SAME"):
        """Convolves (n, height, width, channels). Returns the values before the biases."""
        return tf.nn.conv2d(x, self.weights, strides, padding)

    @tf.function
    def __call__(self, x, strides=1, padding="SAME"):
        """Turns (n, height, width, channels) into (n, ..., filters)."""
        return tf.nn.relu(tf.nn.bias_add(self.conv(x, strides, padding), self.biases))


def side(size, kernel_side, stride, padding):
    """Returns the side of conv2d's output for zeros."""
    x, weights = tf.zeros([1, size, size, 1]), tf.zeros([kernel_side, kernel_side, 1, 1])
    return tf.nn.conv2d(x, weights, stride, padding).shape[1]


def field(x, small, large):
    """Returns what add_field adds. A tape watches the input."""
    middle = (SIDE - 4) // 2
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        two = tf.nn.conv2d(tf.nn.conv2d(x, small[0], 1, "VALID"), small[1], 1, "VALID")
        one = tf.nn.conv2d(x, large, 1, "VALID")
        ends = two[0, middle, middle, 0], one[0, middle, middle, 0]
    return {
        "raw/two_of_3": two,
        "raw/composed": tf.nn.conv2d(x, composed(small), 1, "VALID"),
        "gradient/two_of_3": tape.gradient(ends[0], x),
        "gradient/one_of_5": tape.gradient(ends[1], x),
    }


def run_function():
    """The same kernels, called one by one."""
    tf.random.set_seed(SEED)
    arrays, layer, counted = inputs(), Layer([5, 5, 3, 16]), [Layer(shape) for shape in LAYERS]
    x = tf.constant(arrays["layer"])
    patches = tf.image.extract_patches(x, [1, 5, 5, 1], [1, 1, 1, 1], [1, 1, 1, 1], "SAME")

    def valid(x, weights):
        return tf.nn.conv2d(x, weights, 1, "VALID")[0, :, :, 0]

    results = {
        "forward/scipy": tf.nn.conv2d(arrays["values"], arrays["turned"], 1, "SAME")[0, :, :, 0],
        "forward/correlation": valid(ramp(0, 3, 1), ramp(0, 2, 1).reshape(2, 2, 1, 1)),
        "forward/two_channels": valid(ramp(0, 3, 2), ramp(0, 2, 2).reshape(2, 2, 2, 1)),
        "forward/window": valid(picture(WINDOW), kernel(EDGES))[0, 0] + 1,
        "forward/layer": layer.conv(x),
        "forward/layer_shape": tf.shape(layer(x)),
        "forward/strided_shape": tf.shape(layer(x, 2)),
        "forward/relu": layer(x),
        "raw/patches": tf.tensordot(patches, tf.reshape(layer.weights, [75, 16]), 1),
        "raw/one_by_one": tf.reshape(tf.nn.conv2d(x, layer.weights[:1, :1], 1, "SAME"), [-1, 16]),
        "raw/dense": tf.reshape(x, [-1, 3]) @ tf.reshape(layer.weights[0, 0], [3, 16]),
        "parameters": tf.stack([sum(tf.size(variable) for variable in each.variables) for each in counted]),
        **field(tf.constant(arrays["field"]), arrays["small"], arrays["large"]),
    }
    for padding in ("SAME", "VALID"):
        results[f"sizes/{padding.lower()}"] = tf.constant([side(*row, padding) for row in SIZES])
    return finish({key: value.numpy() for key, value in results.items()}, arrays)
