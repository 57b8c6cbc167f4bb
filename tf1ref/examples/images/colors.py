"""Brightness, contrast, hue, saturation, standardization: fixed and random

Source: S3 3174-3210, S0 1920-1940
TF1: random_contrast and its like draw one number a run and call the fixed op with it.
Now: the same names in tf.image, a number a call; with op seeds both draw the same numbers.
Errata: S3 leaves values outside 0 ... 1; brightness -0.5 makes half of them negative. S0 clips them. Here they are
    clipped for the display only. S3's contrast -5 is a negative, five times as strong. Its saturation -5 is the same as
    0, gray, since the product is clipped to 0 ... 1. S0 calls contrast 0.5 an increase; it halves the distance to the
    mean. per_image_standardization does not divide by a deviation below 1 / sqrt(number of values).
See: https://www.tensorflow.org/tutorials/images/data_augmentation
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import about, at_most
from tf1ref.examples.images import _pictures

SEED = 1
DRAWS = 8
STRIDE = 4  # the random ops run on every 4th pixel of every 4th row
BRIGHTNESS = -0.5
CONTRAST = -5.0
HALF = 0.5  # S0's contrast and saturation
HUE = 0.1
SATURATION = -5.0
MAX_BRIGHTNESS = 0.5
MAX_HUE = 0.5
LOWER, UPPER = 0.0, 5.0
CHANCE = ("brightness", "contrast", "hue", "saturation")

EXPECTED = {
    "forward/mean_brightness_change": about(-0.5, 1e-5),
    "forward/most_colour_without_saturation": at_most(1e-6),
    "forward/standardized_mean": about(0.0, 1e-4),
    "forward/standardized_stddev": about(1.0, 1e-4),
}


def build_graph():
    """Adds the fixed ops and the random ones to the default graph."""
    jpeg = v1.placeholder(v1.string, [], name="jpeg")
    image = v1.image.convert_image_dtype(v1.image.decode_jpeg(jpeg, channels=3), v1.float32)
    small = image[::STRIDE, ::STRIDE]
    darker = v1.clip_by_value(v1.image.adjust_brightness(image, BRIGHTNESS), 0.0, 1.0)
    flatter = v1.clip_by_value(v1.image.adjust_contrast(darker, HALF), 0.0, 1.0)
    return {
        "jpeg": jpeg,
        "forward": {
            "image": image,
            "brightness": v1.image.adjust_brightness(image, BRIGHTNESS),
            "contrast": v1.image.adjust_contrast(image, CONTRAST),
            "hue": v1.image.adjust_hue(image, HUE),
            "saturation": v1.image.adjust_saturation(image, SATURATION),
            "standardized": v1.image.per_image_standardization(image),
            "clipped": v1.clip_by_value(v1.image.adjust_saturation(flatter, HALF), 0.0, 1.0),
        },
        "random": {
            "brightness": v1.image.random_brightness(small, MAX_BRIGHTNESS, seed=1),
            "contrast": v1.image.random_contrast(small, LOWER, UPPER, seed=2),
            "hue": v1.image.random_hue(small, MAX_HUE, seed=3),
            "saturation": v1.image.random_saturation(small, LOWER, UPPER, seed=4),
        },
    }


def as_trace(forward, draws):
    """Returns the results, what the figures promise of them, and the random ones a row a draw."""
    trace = {f"forward/{name}": value for name, value in forward.items()}
    change = forward["brightness"] - forward["image"]
    trace["forward/mean_brightness_change"] = change.mean(dtype=np.float64)
    trace["forward/most_colour_without_saturation"] = np.ptp(forward["saturation"], axis=2).max()
    trace["forward/standardized_mean"] = forward["standardized"].mean(dtype=np.float64)
    trace["forward/standardized_stddev"] = forward["standardized"].std(dtype=np.float64)
    return {**trace, **{f"steps/{name}": np.array([draw[name] for draw in draws]) for name in CHANCE}}


def run_graph():
    """Every run of the session draws four numbers."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        feed = {graph["jpeg"]: _pictures.jpeg()}
        return as_trace(sess.run(graph["forward"], feed), [sess.run(graph["random"], feed) for _ in range(DRAWS)])


@tf.function
def colors(jpeg):
    """Returns the fixed ops."""
    image = tf.image.convert_image_dtype(tf.io.decode_jpeg(jpeg, channels=3), tf.float32)
    darker = tf.clip_by_value(tf.image.adjust_brightness(image, BRIGHTNESS), 0.0, 1.0)
    flatter = tf.clip_by_value(tf.image.adjust_contrast(darker, HALF), 0.0, 1.0)
    return {
        "image": image,
        "brightness": tf.image.adjust_brightness(image, BRIGHTNESS),
        "contrast": tf.image.adjust_contrast(image, CONTRAST),
        "hue": tf.image.adjust_hue(image, HUE),
        "saturation": tf.image.adjust_saturation(image, SATURATION),
        "standardized": tf.image.per_image_standardization(image),
        "clipped": tf.clip_by_value(tf.image.adjust_saturation(flatter, HALF), 0.0, 1.0),
    }


@tf.function
def random_colors(small):
    """Returns the results of the random ops."""
    return {
        "brightness": tf.image.random_brightness(small, MAX_BRIGHTNESS, seed=1),
        "contrast": tf.image.random_contrast(small, LOWER, UPPER, seed=2),
        "hue": tf.image.random_hue(small, MAX_HUE, seed=3),
        "saturation": tf.image.random_saturation(small, LOWER, UPPER, seed=4),
    }


def run_function():
    """Every call of the function draws four numbers."""
    tf.random.set_seed(SEED)
    forward = {name: value.numpy() for name, value in colors(tf.constant(_pictures.jpeg())).items()}
    small = tf.constant(forward["image"][::STRIDE, ::STRIDE])
    draws = [random_colors(small) for _ in range(DRAWS)]
    return as_trace(forward, [{name: value.numpy() for name, value in draw.items()} for draw in draws])


def plot(trace):
    """The fixed ops, and the first three draws of the random ones."""
    pictures = {k.removeprefix("forward/"): v for k, v in trace.items() if k.startswith("forward/") and v.ndim == 3}
    pictures.update({f"random {name} {i}": trace[f"steps/{name}"][i] for i in range(3) for name in CHANCE})
    return _pictures.sheet(pictures, "colors")
