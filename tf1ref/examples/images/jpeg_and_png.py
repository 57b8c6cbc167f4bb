"""JPEG and PNG: decoding, encoding and number types

Source: S3 3041-3089, S0 1878-1900
TF1: a file is read in Python (gfile) and decoded by an op; the decoded shape is unknown while the graph is built.
Now: tf.io.read_file, tf.io.decode_jpeg, tf.io.encode_png ...: the same kernels under tf.io, the bytes at once.
Errata: S3 asks is_jpeg and then decodes as JPEG in both branches. Here the other branch has decode_png. (It reads JPEG,
    too: the ops go by the bytes, not by their names.) The result of decode_image has no static shape or rank, so it
    cannot be resized. expand_animations=False excludes animations and gives it three axes.
    S0's range "[0, 1)" includes 1. S0 and S3 save a picture again as JPEG, which loses something; PNG does not.
See: https://www.tensorflow.org/api_docs/python/tf/io/decode_image
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import at_most, exactly
from tf1ref.examples.images import _pictures

QUALITY = 30
RATIO = 2

EXPECTED = {
    "forward/shape": exactly([400, 600, 3]),
    "forward/png_again_differs": exactly(0),
    "forward/as_uint8_differs": exactly(0),
    "forward/jpeg_again_differs": at_most(3.0),  # the mean difference of 255: lossy, but invisible
    "forward/is_jpeg": exactly([True, False]),
}


def build_graph():
    """Adds decoders and encoders of two files' bytes to the default graph."""
    jpeg = v1.placeholder(v1.string, [], name="jpeg")
    png = v1.placeholder(v1.string, [], name="png")
    img_data = v1.image.decode_jpeg(jpeg, channels=3)
    encoded = v1.image.encode_jpeg(img_data)
    again = v1.image.decode_jpeg(encoded)
    as_float = v1.image.convert_image_dtype(img_data, dtype=v1.float32)

    def imread(contents):
        return v1.cond(
            v1.image.is_jpeg(contents),
            lambda: v1.image.decode_jpeg(contents, channels=3),
            lambda: v1.image.decode_png(contents, channels=3),
        )

    endpoints = {
        "decoded": img_data,
        "shape": v1.shape(img_data),
        "encoded": encoded,
        "again": again,
        "coarse": v1.image.decode_jpeg(v1.image.encode_jpeg(img_data, quality=QUALITY)),
        "half": v1.image.decode_jpeg(jpeg, ratio=RATIO),
        "gray": v1.image.decode_jpeg(jpeg, channels=1),
        # The default is the fast method.
        "accurate": v1.image.decode_jpeg(jpeg, dct_method="INTEGER_ACCURATE"),
        "encoded_png": v1.image.encode_png(img_data),
        "png": v1.image.decode_png(png),
        "imread": imread(png),
        "image": v1.image.decode_image(jpeg, expand_animations=False),
        "is_jpeg": v1.stack([v1.image.is_jpeg(jpeg), v1.image.is_jpeg(png)]),  # two scalars -> (2,)
        "as_float": as_float,
        "as_uint8": v1.image.convert_image_dtype(as_float, v1.uint8, saturate=True),
        "as_uint16": v1.image.convert_image_dtype(img_data, v1.uint16),
        "brighter": v1.image.convert_image_dtype(as_float * 2, v1.uint8, saturate=True),
    }
    endpoints["png_again"] = v1.image.decode_png(endpoints["encoded_png"])
    return {"jpeg": jpeg, "png_file": png, **endpoints}


def as_trace(results, saved):
    """Returns the results under `forward/`, what lossless and lossy coding change, and the saved file's pixels."""
    trace = {f"forward/{name}": np.asarray(value) for name, value in results.items()}
    far = {name: np.abs(results[name].astype(int) - results["decoded"]) for name in ("again", "png_again", "as_uint8")}
    trace["forward/png_again_differs"] = far["png_again"].max()
    trace["forward/as_uint8_differs"] = far["as_uint8"].max()
    trace["forward/jpeg_again_differs"] = far["again"].mean()
    trace["final/saved"] = saved
    return trace


def run_graph(out=None):
    """FastGFile reads and writes files. The ops in between only have bytes. `out`: the folder of the files."""
    with tempfile.TemporaryDirectory() as scratch, v1.Graph().as_default(), v1.Session() as sess:
        path = os.path.join(out or scratch, "out.jpg")
        graph = build_graph()
        feed = {graph.pop("jpeg"): _pictures.jpeg(), graph.pop("png_file"): _pictures.png()}
        results = sess.run(graph, feed)
        with v1.gfile.GFile(path, "wb") as f:
            f.write(results["encoded"])
        saved = v1.image.decode_jpeg(v1.gfile.FastGFile(path, "rb").read())
        return as_trace(results, sess.run(saved))


@tf.function
def imread(contents):
    """Decodes a picture of either kind. The branch is an if of Python, which AutoGraph turns into a cond."""
    if tf.io.is_jpeg(contents):
        image = tf.io.decode_jpeg(contents, channels=3)
    else:
        image = tf.io.decode_png(contents, channels=3)
    return image


@tf.function
def codecs(jpeg, png):
    """Returns the same decoders and encoders."""
    img_data = tf.io.decode_jpeg(jpeg, channels=3)
    encoded, encoded_png = tf.io.encode_jpeg(img_data), tf.io.encode_png(img_data)
    as_float = tf.image.convert_image_dtype(img_data, tf.float32)
    return {
        "decoded": img_data,
        "shape": tf.shape(img_data),
        "encoded": encoded,
        "again": tf.io.decode_jpeg(encoded),
        "coarse": tf.io.decode_jpeg(tf.io.encode_jpeg(img_data, quality=QUALITY)),
        "half": tf.io.decode_jpeg(jpeg, ratio=RATIO),
        "gray": tf.io.decode_jpeg(jpeg, channels=1),
        "accurate": tf.io.decode_jpeg(jpeg, dct_method="INTEGER_ACCURATE"),
        "encoded_png": encoded_png,
        "png": tf.io.decode_png(png),
        "imread": imread(png),
        "image": tf.io.decode_image(jpeg, expand_animations=False),
        "is_jpeg": tf.stack([tf.io.is_jpeg(jpeg), tf.io.is_jpeg(png)]),  # two scalars -> (2,)
        "as_float": as_float,
        "as_uint8": tf.image.convert_image_dtype(as_float, tf.uint8, saturate=True),
        "as_uint16": tf.image.convert_image_dtype(img_data, tf.uint16),
        "brighter": tf.image.convert_image_dtype(as_float * 2, tf.uint8, saturate=True),
        "png_again": tf.io.decode_png(encoded_png),
    }


def run_function(out=None):
    """tf.io.read_file and write_file are ops, too."""
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(out or scratch, "out.jpg")
        results = codecs(tf.constant(_pictures.jpeg()), tf.constant(_pictures.png()))
        tf.io.write_file(path, results["encoded"])
        saved = tf.io.decode_jpeg(tf.io.read_file(path))
        return as_trace({name: value.numpy() for name, value in results.items()}, saved.numpy())


def plot(trace):
    """Returns a figure of the picture after every way through the codecs."""
    names = ("decoded", "again", "coarse", "half", "gray", "as_float", "brighter")
    return _pictures.sheet({name: trace[f"forward/{name}"] for name in names}, "codecs")
