"""Arrays: choose, cut, join, turn and widen tensors

Source: S3 734-856, S4 748-770, 824-856, 1029-1200, 3172-3272
TF1: shapes are known when the node is made (get_shape) or only when it runs (tf.shape).
Now: the same functions; indexing with tf.newaxis and slices works on tensors as on numpy arrays.
Errata: S3's perm=[0, 1] turns nothing: it is the order that the axes have already.
    S4 leaves out what its program prints for where(a > b, b, a): [0, 1, 3, 1, 1].
    S4's mgrid[1:5:1, ...] has the rows 1, 2, 3 and 4; three are printed.
See: https://www.tensorflow.org/guide/tensor_slicing
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

TT = ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
LOW = 2.5
HIGH = 4.5
UP = (1, 2, 3, 4)
DOWN = (4, 3, 2, 1)
A = (1, 2, 3, 1, 1)
B = (0, 1, 3, 4, 5)
CUBE = (((1, 1, 1), (2, 2, 2)), ((3, 3, 3), (4, 4, 4)), ((5, 5, 5), (6, 6, 6)))
MATRIX = ((1, 2, 3), (4, 5, 6))
COMPLEX = ((1 + 1j, 2 + 2j, 3 + 3j), (4 + 4j, 5 + 5j, 6 + 6j))
PAIR = (((1, 2, 3), (4, 5, 6)), ((7, 8, 9), (10, 11, 12)))
LABELS = (1, 0, 2)
CLASSES = 3
FEATURE = ((1, 2, 3), (2, 4, 6))
CENTER = ((1, 1, 1), (0, 0, 0))
STEP = 0.5
SEED = 1

EXPECTED = {
    "forward/rand": exactly(0.417022004702574, 15),
    "forward/rand_2_3": exactly(
        [[7.20324493e-01, 1.14374817e-04, 3.02332573e-01], [1.46755891e-01, 9.23385948e-02, 1.86260211e-01]], 9
    ),
    "forward/clipped": exactly([[2.5, 2.5, 3.0], [4.0, 4.5, 4.5]]),
    "forward/greater": exactly([False, False, True, True]),
    "forward/where": exactly([4, 3, 3, 4]),
    "forward/larger": exactly([1, 2, 3, 4, 5]),
    "forward/a_greater": exactly([True, True, False, False, False]),
    "forward/b_greater": exactly([False, False, False, True, True]),
    "forward/expanded_0": exactly([1, 3, 4]),
    "forward/expanded_1": exactly([3, 1, 4]),
    "forward/expanded_last": exactly([3, 4, 1]),
    "forward/slice": exactly([[[3, 3, 3]]]),
    "forward/indexed": exactly([[[3, 3, 3]]]),
    "forward/slice_row": exactly([[[3, 3, 3], [4, 4, 4]]]),
    "forward/slice_column": exactly([[[3, 3, 3]], [[5, 5, 5]]]),
    "forward/transpose": exactly([[1, 4], [2, 5], [3, 6]]),
    "forward/perm_01": exactly([[1, 2, 3], [4, 5, 6]]),
    "forward/conjugate": exactly([[1 - 1j, 4 - 4j], [2 - 2j, 5 - 5j], [3 - 3j, 6 - 6j]]),
    "forward/perm_021": exactly([[[1, 4], [2, 5], [3, 6]], [[7, 10], [8, 11], [9, 12]]]),
    "forward/one_hot": exactly([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "forward/newaxis_last": exactly([[[1], [2], [3]], [[2], [4], [6]]]),
    "forward/newaxis_middle": exactly([[[1, 2, 3]], [[2, 4, 6]]]),
    "forward/newaxis_first": exactly([[[1, 1, 1], [0, 0, 0]]]),
    "forward/vstack": exactly([[1, 2, 3], [4, 5, 6]]),
    "forward/mgrid_x": exactly([[1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0]]),
    "forward/mgrid_y": exactly([[2.0, 2.5, 3.0, 3.5], [2.0, 2.5, 3.0, 3.5]]),
    "forward/grid": exactly(
        [[1.0, 2.0], [1.0, 2.5], [1.0, 3.0], [1.0, 3.5], [2.0, 2.0], [2.0, 2.5], [2.0, 3.0], [2.0, 3.5]]
    ),
}


def draws():
    """Returns numbers from numpy's RandomState as float64: first a scalar, then an array of (2, 3).

    rand() returns a Python float, which would become a float32 tensor. An array keeps its type.
    """
    random = np.random.RandomState(SEED)
    return {"rand": np.array(random.rand()), "rand_2_3": random.rand(2, 3)}


def choices():
    """Adds clipping, comparing and choosing to the default graph."""
    up, down, a, b = (v1.constant(values) for values in (UP, DOWN, A, B))
    return {
        "clipped": v1.clip_by_value(v1.constant(TT), LOW, HIGH),
        "greater": v1.greater(up, down),
        "equal": v1.equal(a, b),
        "where": v1.where(v1.greater(up, down), up, down),
        "larger": v1.where(v1.greater(a, b), a, b),
        "smaller": v1.where(v1.greater(a, b), b, a),
        "a_greater": v1.greater(a, b),
        "b_greater": v1.greater(b, a),
        # With a condition only, where returns the places at which it holds.
        "places": v1.where(v1.greater(up, down)),
    }


def shapes():
    """Adds widened, cut and turned tensors to the default graph."""
    tt, t, x = v1.reshape(v1.range(12), [3, 4]), v1.constant(CUBE), v1.constant(MATRIX)
    feature, center = v1.constant(FEATURE), v1.constant(CENTER)
    return {
        "expanded_0": v1.shape(v1.expand_dims(tt, 0)),
        "expanded_1": v1.shape(v1.expand_dims(tt, 1)),
        "expanded_last": v1.shape(v1.expand_dims(tt, -1)),
        "slice": v1.slice(t, [1, 0, 0], [1, 1, 3]),
        "indexed": t[1:2, 0:1, 0:3],
        "slice_row": v1.slice(t, [1, 0, 0], [1, 2, 3]),
        "slice_column": v1.slice(t, [1, 0, 0], [2, 1, 3]),
        "slice_to_end": v1.slice(tt, [1, 0], [2, tt.get_shape()[1] - 2]),
        "transpose": v1.transpose(x),
        "perm_01": v1.transpose(x, perm=[0, 1]),
        "conjugate": v1.transpose(v1.constant(COMPLEX), conjugate=True),
        "perm_021": v1.transpose(v1.constant(PAIR), perm=[0, 2, 1]),
        "newaxis_last": feature[:, :, v1.newaxis],
        "newaxis_middle": feature[:, v1.newaxis],
        "newaxis_first": center[v1.newaxis, :],
    }


def joins():
    """Adds joined and parted tensors, one-hot rows and a grid of points to the default graph."""
    first, second = v1.constant(MATRIX[0]), v1.constant(MATRIX[1])
    # This is np.mgrid[1:3, 2:4:STEP], whose ends are excluded.
    y, x = v1.meshgrid(v1.range(2.0, 4.0, STEP), v1.range(1.0, 3.0))
    left, right = v1.split(v1.constant(UP), 2)
    return {
        "one_hot": v1.one_hot(v1.constant(LABELS), depth=CLASSES),
        "vstack": v1.stack([first, second]),
        "concat": v1.concat([first, second], axis=0),
        "left": left,
        "right": right,
        "unstacked": v1.unstack(v1.constant(MATRIX))[1],
        "mgrid_x": x,
        "mgrid_y": y,
        "grid": v1.stack([v1.reshape(x, [-1]), v1.reshape(y, [-1])], axis=1),
    }


def build_graph():
    """Adds everything to the default graph, by name."""
    # These are drawn once, while the graph is built, so every run has the same numbers.
    drawn = {name: v1.convert_to_tensor(value) for name, value in draws().items()}
    return {**drawn, **choices(), **shapes(), **joins()}


def run_graph():
    """One run fetches the whole dict."""
    with v1.Graph().as_default(), v1.Session() as sess:
        trace = {f"forward/{key}": value for key, value in sess.run(build_graph()).items()}
    return {key: np.array(value) for key, value in trace.items()}


@tf.function
def chosen():
    """Returns clipped, compared and chosen values, by name."""
    up, down, a, b = tf.constant(UP), tf.constant(DOWN), tf.constant(A), tf.constant(B)
    return {
        "clipped": tf.clip_by_value(tf.constant(TT), LOW, HIGH),
        "greater": up > down,
        # TF1 compared the Python objects with ==; TF2 compares the elements.
        "equal": a == b,
        "where": tf.where(up > down, up, down),
        "larger": tf.where(a > b, a, b),
        "smaller": tf.where(a > b, b, a),
        "a_greater": a > b,
        "b_greater": b > a,
        "places": tf.where(up > down),
    }


@tf.function
def reshaped():
    """Returns widened, cut and turned tensors, by name."""
    tt, t, x = tf.reshape(tf.range(12), [3, 4]), tf.constant(CUBE), tf.constant(MATRIX)
    feature, center = tf.constant(FEATURE), tf.constant(CENTER)
    return {
        "expanded_0": tf.shape(tf.expand_dims(tt, 0)),
        "expanded_1": tf.shape(tf.expand_dims(tt, 1)),
        "expanded_last": tf.shape(tf.expand_dims(tt, -1)),
        "slice": tf.slice(t, [1, 0, 0], [1, 1, 3]),
        "indexed": t[1:2, 0:1, 0:3],
        "slice_row": tf.slice(t, [1, 0, 0], [1, 2, 3]),
        "slice_column": tf.slice(t, [1, 0, 0], [2, 1, 3]),
        "slice_to_end": tt[1:3, :-2],
        "transpose": tf.transpose(x),
        "perm_01": tf.transpose(x, perm=[0, 1]),
        "conjugate": tf.transpose(tf.constant(COMPLEX), conjugate=True),
        "perm_021": tf.transpose(tf.constant(PAIR), perm=[0, 2, 1]),
        "newaxis_last": feature[:, :, tf.newaxis],
        "newaxis_middle": feature[:, tf.newaxis],
        "newaxis_first": center[tf.newaxis, :],
    }


@tf.function
def joined():
    """Returns joined and parted tensors, one-hot rows and a grid of points, by name."""
    first, second = tf.constant(MATRIX[0]), tf.constant(MATRIX[1])
    x, y = tf.meshgrid(tf.range(1.0, 3.0), tf.range(2.0, 4.0, STEP), indexing="ij")
    left, right = tf.split(tf.constant(UP), 2)
    return {
        "one_hot": tf.one_hot(tf.constant(LABELS), depth=CLASSES),
        "vstack": tf.stack([first, second]),
        "concat": tf.concat([first, second], axis=0),
        "left": left,
        "right": right,
        "unstacked": tf.unstack(tf.constant(MATRIX))[1],
        "mgrid_x": x,
        "mgrid_y": y,
        "grid": tf.stack([tf.reshape(x, [-1]), tf.reshape(y, [-1])], axis=1),
    }


def run_function():
    """A function may return a dict, as session.run does."""
    drawn = {name: tf.convert_to_tensor(value) for name, value in draws().items()}
    results = {**drawn, **chosen(), **reshaped(), **joined()}
    return {f"forward/{key}": value.numpy() for key, value in results.items()}
