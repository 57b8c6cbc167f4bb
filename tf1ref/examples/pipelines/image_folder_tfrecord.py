"""Class folders to TFRecords, and shuffled batches of pictures

Source: S2 232-232
TF1: create_record writes (label, img_raw) for each picture. Method 1: reader, decode_raw, reshape; shuffle_batch.
    Method 2: TFRecordDataset, repeat, shuffle, batch, a one-shot iterator, and parse_example on the batch.
Now: method 2 without a session.
Errata: S2's read_and_decode and get_batch read in a session of their own while the graph is built, so that every batch
    holds the same pictures again. The reading belongs in the graph. S2 numbers the classes by os.listdir, which has
    another order on every machine. It does not make RGB of gray pictures, whose bytes then do not fill the shape.
    Image.ANTIALIAS is LANCZOS now. A queue with capacity=3, min_after_dequeue=2 and batches of 2 never fills: the
    capacity must be at least min_after_dequeue plus the batch.
    The order of a RandomShuffleQueue depends on how full it is, and so on the timing of threads. So one epoch of method
    1 is compared, sorted by label and pixels. Of method 2 every batch is compared.
See: https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from PIL import Image

from tf1ref.catalog.figures import at_least, exactly
from tf1ref.data import queues
from tf1ref.data.formats import class_folders

SEED = 1
SIZE = (100, 100)
BATCH_SIZE = 5
MIN_AFTER_DEQUEUE = 20
CAPACITY = 40
SHUFFLE_BUFFER = 1024
BATCHES = 4  # batches of method 2, which has no end

EXPECTED = {
    "forward/classes": exactly([b"daisy", b"dandelion", b"roses", b"sunflowers", b"tulips"]),
    "final/label_counts": at_least(1),
    "final/as_written": exactly(True),
}


def read_pictures(scratch):
    """Returns the class names, and (pixels as uint8 [height, width, 3], label) of every picture, in sorted order."""
    pictures = class_folders.flowers(scratch)
    rows = []
    for path, label in zip(pictures.paths, pictures.labels):
        with Image.open(path) as image:
            resized = image.convert("RGB").resize((SIZE[1], SIZE[0]), Image.Resampling.LANCZOS)
        rows.append((np.asarray(resized), label))
    return pictures.classes, rows


def as_trace(classes, rows, plain, batches, method2):
    """Returns the trace: pictures in file order, and a shuffled epoch, sorted, which must equal what was written."""
    images, labels = zip(*plain)
    shuffled = list(zip(np.concatenate([b[1] for b in batches]), np.concatenate([b[0] for b in batches])))
    shuffled = sorted((int(label), image.tobytes()) for label, image in shuffled)
    written = sorted((label, image.tobytes()) for image, label in rows)
    return {
        "forward/classes": np.array(classes, dtype=bytes),
        "forward/image": np.array(images),
        "forward/label": np.array(labels),
        "final/batch_shape": np.array(batches[0][0].shape),
        "final/labels": np.array([label for label, _ in shuffled]),
        "final/label_counts": np.bincount([label for label, _ in shuffled], minlength=len(classes)),
        "final/pixels": np.frombuffer(b"".join(image for _, image in shuffled), np.uint8),
        "final/as_written": np.array(shuffled == written),
        "steps/method2/image": np.array([image for image, _ in method2]),
        "steps/method2/label": np.array([label for _, label in method2]),
    }


def create_record(outpath, rows):
    """Writes a record for each picture: its label, and its pixels as raw bytes."""
    writer = v1.python_io.TFRecordWriter(outpath)
    for image, label in rows:
        feature = {
            "label": v1.train.Feature(int64_list=v1.train.Int64List(value=[label])),
            "img_raw": v1.train.Feature(bytes_list=v1.train.BytesList(value=[image.tobytes()])),
        }
        writer.write(v1.train.Example(features=v1.train.Features(feature=feature)).SerializeToString())
    writer.close()


def build_graph(filename="tst.tfrecord"):
    """Adds one epoch's reader and the decoded picture and label to the default graph: S2's read_and_decode."""
    filename_queue = v1.train.string_input_producer([filename], num_epochs=1)
    _, serialized_example = v1.TFRecordReader().read(filename_queue)
    features = v1.parse_single_example(
        serialized_example,
        features={"label": v1.FixedLenFeature([], v1.int64), "img_raw": v1.FixedLenFeature([], v1.string)},
    )
    img = v1.reshape(v1.decode_raw(features["img_raw"], v1.uint8), [*SIZE, 3])  # () -> (h * w * 3,) -> (h, w, 3)
    return {"image": img, "label": v1.cast(features["label"], v1.int32)}


def get_train_batch(graph):
    """Adds S2's get_train_batch. The last batch holds what is left."""
    return v1.train.shuffle_batch(  # (h, w, 3) -> (n, h, w, 3)
        [graph["image"], graph["label"]],
        batch_size=BATCH_SIZE,
        capacity=CAPACITY,
        min_after_dequeue=MIN_AFTER_DEQUEUE,
        seed=SEED,
        allow_smaller_final_batch=True,
    )


def build_method2(filename):
    """Adds S2's second pipeline to the default graph: an endless order of full batches, read without queues."""
    dataset = v1.data.TFRecordDataset([filename]).repeat().shuffle(SHUFFLE_BUFFER, seed=SEED)
    serialized = v1.data.make_one_shot_iterator(dataset.batch(BATCH_SIZE, drop_remainder=True)).get_next()
    features = v1.parse_example(
        serialized,
        features={"label": v1.FixedLenFeature([], v1.int64), "img_raw": v1.FixedLenFeature([], v1.string)},
    )
    images = v1.reshape(v1.decode_raw(features["img_raw"], v1.uint8), [BATCH_SIZE, *SIZE, 3])  # -> (n, h, w, 3)
    return images, v1.cast(features["label"], v1.int32)


def read_all(fetch):
    """Runs `fetch` of the default graph to the end of the epoch."""
    rows = []
    with v1.Session() as sess:
        sess.run(v1.local_variables_initializer())
        with queues.running(sess) as runners:
            while True:
                rows.append(runners.run(fetch))
    return rows


def run_graph(out=None):
    """Reads the file three times: in order, shuffled in batches, and by the dataset."""
    with tempfile.TemporaryDirectory() as scratch:
        classes, rows = read_pictures(scratch)
        path = os.path.join(out or scratch, "tst.tfrecord")
        create_record(path, rows)
        with v1.Graph().as_default():
            graph = build_graph(path)
            plain = read_all([graph["image"], graph["label"]])
        with v1.Graph().as_default():
            batches = read_all(get_train_batch(build_graph(path)))
        with v1.Graph().as_default(), v1.Session() as sess:
            v1.set_random_seed(SEED)
            batch = build_method2(path)
            method2 = [sess.run(batch) for _ in range(BATCHES)]
    return as_trace(classes, rows, plain, batches, method2)


def write_records(outpath, rows):
    """Writes the same records."""
    with tf.io.TFRecordWriter(outpath) as writer:
        for image, label in rows:
            feature = {
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                "img_raw": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


@tf.function
def parse(serialized):
    """Returns pictures, uint8 [n, height, width, 3], and labels, int32 [n], of n serialized records."""
    spec = {"label": tf.io.FixedLenFeature([], tf.int64), "img_raw": tf.io.FixedLenFeature([], tf.string)}
    features = tf.io.parse_example(serialized, spec)
    images = tf.reshape(tf.io.decode_raw(features["img_raw"], tf.uint8), [-1, *SIZE, 3])  # (n,) -> (n, h, w, 3)
    return images, tf.cast(features["label"], tf.int32)


def run_function(out=None):
    """Shuffling records needs less memory than shuffling pictures. Both come before the batch."""
    with tempfile.TemporaryDirectory() as scratch:
        classes, rows = read_pictures(scratch)
        path = os.path.join(out or scratch, "tst.tfrecord")
        write_records(path, rows)
        records = tf.data.TFRecordDataset(path)
        plain = list(records.batch(BATCH_SIZE).map(parse).unbatch().as_numpy_iterator())
        shuffled = records.shuffle(MIN_AFTER_DEQUEUE, seed=SEED).batch(BATCH_SIZE).map(parse)
        batches = list(shuffled.as_numpy_iterator())
        tf.random.set_seed(SEED)
        endless = records.repeat().shuffle(SHUFFLE_BUFFER, seed=SEED).batch(BATCH_SIZE, drop_remainder=True).map(parse)
        method2 = list(endless.take(BATCHES).as_numpy_iterator())
    return as_trace(classes, rows, plain, batches, method2)


def plot(trace):
    """Returns a figure of fifteen pictures out of all, in the order in which they were written, with their classes."""
    from matplotlib.figure import Figure

    picked = np.linspace(0, len(trace["forward/label"]) - 1, 15).astype(int)
    figure = Figure(figsize=(8, 5.4), layout="constrained")
    for axis, i in zip(figure.subplots(3, 5).ravel(), picked):
        axis.imshow(trace["forward/image"][i])
        axis.set_title(trace["forward/classes"][trace["forward/label"][i]].decode(), fontsize=9)
        axis.axis("off")
    return figure
