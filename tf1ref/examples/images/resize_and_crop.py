"""Four ways to resize, and every way to crop and pad

Source: S3 3090-3145
TF1: resize_images(image, size, method) measures from the corners of the pixels: a pixel's place is index * scale.
Now: tf.image.resize measures from their middles (half_pixel_centers), which shifts every picture by a fraction of a
    pixel. The raw ops give TF1's numbers with half_pixel_centers=False, and TF2's, in a graph, with True.
Errata: S3 calls central_crop's 0.5 a share of the size. It is a share of each side, so a quarter of the picture is
    left.
    S3 knows only "bilinear" as crop_and_resize's method. There is "nearest", too.
See: https://www.tensorflow.org/api_docs/python/tf/image/resize
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly
from tf1ref.examples.images import _pictures

SIZE = (300, 300)
SMALLER, LARGER = 200, 1000
CENTRAL_FRACTION = 0.5
CROP = (100, 150, 100, 200)  # offset_height, offset_width, target_height, target_width
PAD = (50, 100, 500, 800)
BOX = (0.2, 0.5, 0.5, 1.0)  # y1, x1, y2, x2 as shares of the height and the width
CROP_SIZE = (160, 160)
RAMP = ((0.0, 1.0),)  # a picture of two pixels, doubled: each of the three rules gives four numbers
METHODS = ("bilinear", "nearest", "bicubic", "area")

EXPECTED = {
    "forward/bilinear_shape": exactly([300, 300, 3]),
    "forward/ramp": exactly([0.0, 0.5, 1.0, 1.0]),
    "forward/ramp_align_corners": exactly([0.0, 1 / 3, 2 / 3, 1.0]),
    "forward/ramp_half_pixel_centers": exactly([0.0, 0.25, 0.75, 1.0]),
}


def build_graph():
    """Adds every op of the chapter on one decoded picture to the default graph."""
    jpeg = v1.placeholder(v1.string, [], name="jpeg")
    image = v1.image.convert_image_dtype(v1.image.decode_jpeg(jpeg, channels=3), v1.float32)
    batch = v1.expand_dims(image, 0)  # (h, w, 3) -> (1, h, w, 3)
    ramp = v1.constant(RAMP, shape=[1, 1, 2, 1])
    endpoints = {name: v1.image.resize_images(image, SIZE, method=i) for i, name in enumerate(METHODS)}
    endpoints["bilinear_shape"] = v1.shape(endpoints["bilinear"])
    centers = v1.raw_ops.ResizeBilinear(images=batch, size=SIZE, half_pixel_centers=True)
    ramps = {
        "ramp": v1.image.resize_images(ramp, [1, 4]),
        "ramp_align_corners": v1.image.resize_images(ramp, [1, 4], align_corners=True),
        "ramp_half_pixel_centers": v1.raw_ops.ResizeBilinear(images=ramp, size=[1, 4], half_pixel_centers=True),
    }
    return {
        "jpeg": jpeg,
        **endpoints,
        "half_pixel_centers": centers[0],
        "cropped": v1.image.resize_image_with_crop_or_pad(image, SMALLER, SMALLER),
        "padded": v1.image.resize_image_with_crop_or_pad(image, LARGER, LARGER),
        "central": v1.image.central_crop(image, CENTRAL_FRACTION),
        "box_cropped": v1.image.crop_to_bounding_box(image, *CROP),
        "box_padded": v1.image.pad_to_bounding_box(image, *PAD),
        "crop_and_resize": v1.image.crop_and_resize(batch, [BOX], [0], CROP_SIZE)[0],
        "crop_and_resize_nearest": v1.image.crop_and_resize(batch, [BOX], [0], CROP_SIZE, method="nearest")[0],
        **{name: v1.reshape(value, [-1]) for name, value in ramps.items()},  # (1, 1, 4, 1) -> (4,)
    }


def run_graph():
    """One run decodes once and computes everything."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        results = sess.run(graph, {graph.pop("jpeg"): _pictures.jpeg()})
    return {f"forward/{name}": value for name, value in results.items()}


def resize_images(image, size, method):
    """Computes tf.compat.v1.image.resize_images(image, size, method) on one picture, by the kernels that it calls."""
    batch = tf.expand_dims(image, 0)  # (h, w, 3) -> (1, h, w, 3)
    if method == 0:
        return tf.raw_ops.ResizeBilinear(images=batch, size=size, half_pixel_centers=False)[0]
    if method == 1:
        return tf.raw_ops.ResizeNearestNeighbor(images=batch, size=size, half_pixel_centers=False)[0]
    if method == 2:
        return tf.raw_ops.ResizeBicubic(images=batch, size=size, half_pixel_centers=False)[0]
    return tf.raw_ops.ResizeArea(images=batch, size=size)[0]


@tf.function
def resize_and_crop(jpeg):
    """Runs the same ops on one decoded picture. Ops that did not change have lost the word image in their names."""
    image = tf.image.convert_image_dtype(tf.io.decode_jpeg(jpeg, channels=3), tf.float32)
    batch = tf.expand_dims(image, 0)  # (h, w, 3) -> (1, h, w, 3)
    ramp = tf.constant(RAMP, shape=[1, 1, 2, 1])
    results = {name: resize_images(image, SIZE, i) for i, name in enumerate(METHODS)}
    results["bilinear_shape"] = tf.shape(results["bilinear"])
    ramps = {
        "ramp": resize_images(ramp[0], [1, 4], 0),
        "ramp_align_corners": tf.raw_ops.ResizeBilinear(images=ramp, size=[1, 4], align_corners=True),
        "ramp_half_pixel_centers": tf.image.resize(ramp, [1, 4]),
    }
    return {
        **results,
        "half_pixel_centers": tf.image.resize(image, SIZE),
        "cropped": tf.image.resize_with_crop_or_pad(image, SMALLER, SMALLER),
        "padded": tf.image.resize_with_crop_or_pad(image, LARGER, LARGER),
        "central": tf.image.central_crop(image, CENTRAL_FRACTION),
        "box_cropped": tf.image.crop_to_bounding_box(image, *CROP),
        "box_padded": tf.image.pad_to_bounding_box(image, *PAD),
        "crop_and_resize": tf.image.crop_and_resize(batch, [BOX], [0], CROP_SIZE)[0],
        "crop_and_resize_nearest": tf.image.crop_and_resize(batch, [BOX], [0], CROP_SIZE, method="nearest")[0],
        **{name: tf.reshape(value, [-1]) for name, value in ramps.items()},  # -> (4,)
    }


def run_function():
    """One call does what one run did."""
    results = resize_and_crop(tf.constant(_pictures.jpeg()))
    return {f"forward/{name}": value.numpy() for name, value in results.items()}


def plot(trace):
    """Every result, and how far TF1's resizing is from TF2's, ten times as bright."""
    pictures = {k.removeprefix("forward/"): v for k, v in trace.items() if v.ndim == 3}
    pictures["bilinear - half_pixel_centers, x 10"] = 10 * np.abs(pictures["bilinear"] - pictures["half_pixel_centers"])
    return _pictures.sheet(pictures, "resize and crop")
