"""Flips: up-down, left-right, transposed, and by chance

Source: S3 3146-3173
TF1: a random flip draws anew in every run of the session, from its op's own generator.
Now: the generator belongs to the op in the traced function, and every call draws anew.
Errata: S3 exchanges the captions of random_flip_left_right and random_flip_up_down. transpose_image is called transpose
    now. It flips along the main diagonal, which changes 400 x 600 to 600 x 400.
See: https://www.tensorflow.org/tutorials/images/data_augmentation
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import about, exactly
from tf1ref.examples.images import _pictures

SEED = 1
DRAWS = 100
STRIDE = 8  # the random flips are shown on every 8th pixel of every 8th row

EXPECTED = {
    "forward/twice_is_the_picture": exactly(True),
    "final/share_left_right": about(0.5, 0.15),  # three deviations of 100 tosses of a coin
    "final/share_up_down": about(0.5, 0.15),
}


def build_graph():
    """Adds the three flips and the two random ones to the default graph."""
    jpeg = v1.placeholder(v1.string, [], name="jpeg")
    image = v1.image.decode_jpeg(jpeg, channels=3)
    small = image[::STRIDE, ::STRIDE]
    up_down, left_right = v1.image.flip_up_down(image), v1.image.flip_left_right(image)
    transposed = v1.image.transpose_image(image)
    twice = [v1.image.flip_up_down(up_down), v1.image.flip_left_right(left_right), v1.image.transpose_image(transposed)]
    return {
        "jpeg": jpeg,
        "forward": {
            "small": small,
            "up_down": up_down,
            "left_right": left_right,
            "transposed": transposed,
            "twice_is_the_picture": v1.reduce_all(v1.equal(v1.stack(twice), image)),  # (3, h, w, 3) -> ()
        },
        "random": {
            "left_right": v1.image.random_flip_left_right(small, seed=1),
            "up_down": v1.image.random_flip_up_down(small, seed=2),
        },
    }


def as_trace(forward, draws):
    """Returns the results, the random ones as one row for each draw, and the share of draws that flipped."""
    trace = {f"forward/{name}": np.asarray(value) for name, value in forward.items()}
    for name in draws[0]:
        trace[f"steps/{name}"] = np.array([draw[name] for draw in draws])
        same = np.all(trace[f"steps/{name}"] == trace["forward/small"], axis=(1, 2, 3))
        trace[f"final/share_{name}"] = 1 - same.mean()
    return trace


def run_graph():
    """Every run of the session draws."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        feed = {graph["jpeg"]: _pictures.jpeg()}
        return as_trace(sess.run(graph["forward"], feed), [sess.run(graph["random"], feed) for _ in range(DRAWS)])


@tf.function
def flips(jpeg):
    """Returns the three flips."""
    image = tf.io.decode_jpeg(jpeg, channels=3)
    up_down, left_right, transposed = (
        flip(image) for flip in (tf.image.flip_up_down, tf.image.flip_left_right, tf.image.transpose)
    )
    twice = [tf.image.flip_up_down(up_down), tf.image.flip_left_right(left_right), tf.image.transpose(transposed)]
    return {
        "small": image[::STRIDE, ::STRIDE],
        "up_down": up_down,
        "left_right": left_right,
        "transposed": transposed,
        "twice_is_the_picture": tf.reduce_all(tf.equal(tf.stack(twice), image)),  # (3, h, w, 3) -> ()
    }


@tf.function
def random_flips(small):
    """Returns the results of the two random flips."""
    return {
        "left_right": tf.image.random_flip_left_right(small, seed=1),
        "up_down": tf.image.random_flip_up_down(small, seed=2),
    }


def run_function():
    """Every call of the function draws."""
    tf.random.set_seed(SEED)
    forward = flips(tf.constant(_pictures.jpeg()))
    draws = [random_flips(forward["small"]) for _ in range(DRAWS)]
    return as_trace(forward, [{name: value.numpy() for name, value in draw.items()} for draw in draws])


def plot(trace):
    """Returns a figure of the flips, and the first random ones."""
    pictures = {name: trace[f"forward/{name}"] for name in ("small", "up_down", "left_right", "transposed")}
    for name in ("left_right", "up_down"):
        pictures.update({f"random {name} {i}": trace[f"steps/{name}"][i] for i in range(4)})
    return _pictures.sheet(pictures, "flips")
