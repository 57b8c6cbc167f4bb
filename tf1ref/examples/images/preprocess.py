"""The whole preprocessing of a training picture: crop, resize, recolour

Source: S3 3254-3304
TF1: Python chooses method and order at random while the graph is built, so every run resizes alike.
Now: the same for tf.function: a Python value is fixed when it is traced, and each combination is traced once.
Errata: S3 samples the box twice and does not use the first one. It draws method and order from numpy's global
    generator, without a seed. Its loop adds a preprocessor to the graph for every picture that it shows. Here nine are
    built, each with seeds of its own, and then they run. Its decode_jpeg does not say how many channels there are, so a
    gray file would have one.
See: https://www.tensorflow.org/tutorials/images/data_augmentation
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import at_least, at_most, exactly
from tf1ref.examples.images import _pictures
from tf1ref.examples.images.resize_and_crop import resize_images

SEED = 1
PICTURES = 9
SIZE = (299, 299)
BOXES = (((0.05, 0.05, 0.9, 0.7), (0.35, 0.47, 0.5, 0.56)),)
MAX_BRIGHTNESS = 32 / 255
LOWER = 0.5
UPPER = 1.5
MAX_HUE = 0.2

EXPECTED = {
    "forward/shapes": exactly([[299, 299, 3]] * 9),
    "final/least": at_least(0.0),
    "final/greatest": at_most(1.0),
}


def choices():
    """Returns (method of resizing, order of the colours) of every picture, by chance."""
    random = np.random.RandomState(SEED)
    return [(random.randint(4), random.randint(2)) for _ in range(PICTURES)]


def distort_color(image, color_ordering, seed):
    """Adds the four random colour ops in one of two orders, then clips; values from 0 to 1."""

    def brightness(image):
        return v1.image.random_brightness(image, max_delta=MAX_BRIGHTNESS, seed=seed + 1)

    def saturation(image):
        return v1.image.random_saturation(image, lower=LOWER, upper=UPPER, seed=seed + 2)

    def hue(image):
        return v1.image.random_hue(image, max_delta=MAX_HUE, seed=seed + 3)

    def contrast(image):
        return v1.image.random_contrast(image, lower=LOWER, upper=UPPER, seed=seed + 4)

    if color_ordering == 0:
        image = contrast(hue(saturation(brightness(image))))
    else:
        image = hue(contrast(brightness(saturation(image))))
    return v1.clip_by_value(image, 0.0, 1.0)


def preprocess_for_train(image, size, bbox, method, color_ordering, seed):
    """Adds the preprocessor, which turns a picture of any size into float32 (*size, 3).

    bbox: (1, n, 4), or None for the whole picture.
    """
    if bbox is None:
        bbox = v1.constant([0.0, 0.0, 1.0, 1.0], shape=[1, 1, 4])
    if image.dtype != v1.float32:
        image = v1.image.convert_image_dtype(image, dtype=v1.float32)
    begin, extent, _ = v1.image.sample_distorted_bounding_box(
        v1.shape(image), bounding_boxes=bbox, seed=SEED, seed2=seed, min_object_covered=0.1
    )
    distorted_image = v1.slice(image, begin, extent)
    # slice loses the channels, too.
    distorted_image.set_shape([None, None, 3])
    distorted_image = v1.image.resize_images(distorted_image, size, method=method)
    distorted_image = v1.image.random_flip_left_right(distorted_image, seed=seed + 5)
    return distort_color(distorted_image, color_ordering, seed)


def build_graph():
    """Adds nine preprocessors of one picture to the default graph."""
    jpeg = v1.placeholder(v1.string, [], name="jpeg")
    img_data = v1.image.decode_jpeg(jpeg, channels=3)
    boxes = v1.constant(BOXES)
    each = enumerate(choices())
    return {
        "jpeg": jpeg,
        "pictures": [preprocess_for_train(img_data, SIZE, boxes, *choice, seed=10 * i + 1) for i, choice in each],
    }


def as_trace(first, second):
    """Returns the pictures of two runs, and their extremes."""
    pictures = np.array([*first, *second])
    return {
        "forward/shapes": np.array([picture.shape for picture in first]),
        "forward/choices": np.array(choices()),
        "steps/pictures": pictures,
        "final/least": pictures.min(),
        "final/greatest": pictures.max(),
    }


def run_graph():
    """Two runs of one graph have different crops and colours, but the same resizing."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        feed = {graph["jpeg"]: _pictures.jpeg()}
        return as_trace(*(sess.run(graph["pictures"], feed) for _ in range(2)))


class Colors:
    """The four random colour ops of one preprocessor."""

    def __init__(self, seed):
        self.seed = seed

    def brightness(self, image):
        """Changes the brightness by up to 32 levels of 255."""
        return tf.image.random_brightness(image, max_delta=MAX_BRIGHTNESS, seed=self.seed + 1)

    def saturation(self, image):
        """Makes the picture half to one and a half times as colourful."""
        return tf.image.random_saturation(image, lower=LOWER, upper=UPPER, seed=self.seed + 2)

    def hue(self, image):
        """Turns the hue by up to a fifth of the colour wheel."""
        return tf.image.random_hue(image, max_delta=MAX_HUE, seed=self.seed + 3)

    def contrast(self, image):
        """Changes the distances to the mean by a factor of 0.5 to 1.5."""
        return tf.image.random_contrast(image, lower=LOWER, upper=UPPER, seed=self.seed + 4)

    def distort(self, image, color_ordering):
        """Returns all four in one of two orders, then clipped."""
        if color_ordering == 0:
            image = self.contrast(self.hue(self.saturation(self.brightness(image))))
        else:
            image = self.hue(self.contrast(self.brightness(self.saturation(image))))
        return tf.clip_by_value(image, 0.0, 1.0)


def preprocess(image, bbox, method, color_ordering, seed):
    """Turns a picture of any size into float32 (*SIZE, 3)."""
    image = tf.image.convert_image_dtype(image, tf.float32)
    begin, extent, _ = tf.image.sample_distorted_bounding_box(
        tf.shape(image), bounding_boxes=bbox, seed=seed, min_object_covered=0.1
    )
    distorted_image = tf.ensure_shape(tf.slice(image, begin, extent), [None, None, 3])
    distorted_image = tf.cast(resize_images(distorted_image, SIZE, method), tf.float32)
    distorted_image = tf.image.random_flip_left_right(distorted_image, seed=seed + 5)
    return Colors(seed).distort(distorted_image, color_ordering)


@tf.function
def preprocess_all(jpeg):
    """Runs nine preprocessors on one picture. The loop is Python's, so each one has its own ops."""
    img_data = tf.io.decode_jpeg(jpeg, channels=3)
    each = enumerate(choices())
    return [preprocess(img_data, tf.constant(BOXES), *choice, seed=10 * i + 1) for i, choice in each]


def run_function():
    """Two calls of one traced function have different crops and colours, but the same resizing."""
    tf.random.set_seed(SEED)
    jpeg = tf.constant(_pictures.jpeg())
    return as_trace(*([picture.numpy() for picture in preprocess_all(jpeg)] for _ in range(2)))


def plot(trace):
    """Returns a figure of the eighteen pictures."""
    names = [f"method {method}, order {order}" for method, order in trace["forward/choices"]] * 2
    pictures = {f"{i}: {name}": picture for i, (name, picture) in enumerate(zip(names, trace["steps/pictures"]))}
    return _pictures.sheet(pictures, "preprocess", columns=6)
