"""Bounding boxes drawn, and random crops that keep enough of them

Source: S3 3211-3253
TF1: sample_distorted_bounding_box takes both seeds itself (seed, seed2): without them set_random_seed has no effect.
Now: tf.image.sample_distorted_bounding_box takes one seed beside the global one: together they are seed2 and seed.
Errata: S3 evaluates begin, size and the box one after the other. These are three runs with three draws, so its printed
    numbers do not belong together (its begin of 140 / 300 is not the box's 0.2267). One run fetches all of them.
See: https://www.tensorflow.org/api_docs/python/tf/image/sample_distorted_bounding_box
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import at_least, exactly
from tf1ref.examples.images import _pictures

SEED = 1
DRAWS = 20
SIZE = (300, 300)
BOXES = (((0.05, 0.05, 0.9, 0.7), (0.35, 0.47, 0.5, 0.56)),)  # y1, x1, y2, x2 as shares of height and width
OBJECT = (0.05, 0.05, 0.9, 0.7)
MIN_OBJECT_COVERED = 0.1

EXPECTED = {
    "forward/shape": exactly([1, 300, 300, 3]),
    "final/least_covered": at_least(0.1),
    "final/begin_is_the_box": exactly(True),
}


def build_graph():
    """Adds the drawn boxes and the random crop to the default graph."""
    jpeg = v1.placeholder(v1.string, [], name="jpeg")
    image = v1.image.convert_image_dtype(v1.image.decode_jpeg(jpeg, channels=3), v1.float32)
    resized = v1.image.resize_images(image, SIZE, method=1)
    batched = v1.expand_dims(resized, 0)  # (h, w, 3) -> (1, h, w, 3)
    drawn = v1.image.draw_bounding_boxes(batched, v1.constant(BOXES))
    begin, size, box = v1.image.sample_distorted_bounding_box(
        v1.shape(resized),
        bounding_boxes=v1.constant(OBJECT, shape=[1, 1, 4]),
        seed=SEED,
        seed2=1,
        min_object_covered=MIN_OBJECT_COVERED,
    )
    return {
        "jpeg": jpeg,
        "forward": {"drawn": drawn[0], "shape": v1.shape(drawn)},
        "sample": {"begin": begin, "size": size, "box": box},
        "distorted": v1.slice(resized, begin, size),
        "with_box": v1.image.draw_bounding_boxes(batched, box)[0],
    }


def as_trace(forward, draws, distorted, with_box):
    """Returns the results, the draws as one row each, and the share of the object that the smallest crop covers."""
    trace = {f"forward/{name}": np.asarray(value) for name, value in forward.items()}
    trace.update({f"steps/{name}": np.array([draw[name] for draw in draws]) for name in draws[0]})
    boxes = trace["steps/box"].reshape(-1, 4).astype(np.float64)
    inside = np.minimum(boxes[:, 2:], OBJECT[2:]) - np.maximum(boxes[:, :2], OBJECT[:2])
    area = (OBJECT[2] - OBJECT[0]) * (OBJECT[3] - OBJECT[1])
    trace["final/least_covered"] = np.min(np.prod(np.maximum(inside, 0), axis=1)) / area
    begins = trace["steps/begin"][:, :2] / np.array(SIZE)
    trace["final/begin_is_the_box"] = np.allclose(begins, boxes[:, :2], atol=1e-6)
    return {**trace, "final/distorted": distorted, "final/with_box": with_box}


def run_graph():
    """The crop and its box come from one run. Another run would draw another crop."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        feed = {graph.pop("jpeg"): _pictures.jpeg()}
        forward = sess.run(graph.pop("forward"), feed)
        draws = [sess.run(graph, feed) for _ in range(DRAWS)]
    return as_trace(forward, [draw["sample"] for draw in draws], draws[-1]["distorted"], draws[-1]["with_box"])


@tf.function
def draw_boxes(jpeg):
    """Returns the picture, 300 x 300, and the one with two boxes."""
    image = tf.image.convert_image_dtype(tf.io.decode_jpeg(jpeg, channels=3), tf.float32)
    # tf.image.resize(method="nearest") would take other pixels than TF1: those nearest to the middles.
    batched = tf.raw_ops.ResizeNearestNeighbor(images=image[None], size=SIZE)  # (h, w, 3) -> (1, 300, 300, 3)
    return batched, tf.image.draw_bounding_boxes(batched, tf.constant(BOXES), colors=None)


@tf.function
def sample(batched):
    """Returns a random crop: begin, size and box, then the crop and the picture with the crop's box."""
    begin, size, box = tf.image.sample_distorted_bounding_box(
        tf.shape(batched)[1:],
        bounding_boxes=tf.constant(OBJECT, shape=[1, 1, 4]),
        seed=1,
        min_object_covered=MIN_OBJECT_COVERED,
    )
    with_box = tf.image.draw_bounding_boxes(batched, box, colors=None)[0]
    return {"begin": begin, "size": size, "box": box}, tf.slice(batched[0], begin, size), with_box


def run_function():
    """Every call draws once, and all of its results belong to that draw."""
    tf.random.set_seed(SEED)
    batched, drawn = draw_boxes(tf.constant(_pictures.jpeg()))
    draws = []
    for _ in range(DRAWS):
        values, distorted, with_box = sample(batched)
        draws.append({name: value.numpy() for name, value in values.items()})
    forward = {"drawn": drawn[0].numpy(), "shape": tf.shape(drawn).numpy()}
    return as_trace(forward, draws, distorted.numpy(), with_box.numpy())


def plot(trace):
    """Returns a figure of the two boxes, a random crop's box, and the crop."""
    names = ("forward/drawn", "final/with_box", "final/distorted")
    return _pictures.sheet({name.partition("/")[2]: trace[name] for name in names}, "boxes", columns=3)
