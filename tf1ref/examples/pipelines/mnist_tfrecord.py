"""MNIST as TFRecords: written, read one by one, and read fast

Source: S3 3385-3447
TF1: the plain way takes a record, parses it and runs once for each example. The fast ways move many at a time:
    reader.read_up_to, batch(enqueue_many=True), parse_example on the whole batch; and several readers, each with its
    own file in batch_join.
Now: TFRecordDataset, batch, and parse_example on the batch; interleave reads several files at once.
Errata: S3 stores "pixels", the length of a picture, in every record and prints it; decode_raw already knows it. S3
    reads one-hot labels and takes their argmax again. It never stops or joins its threads. tostring() is tobytes() now.
    One reader keeps the order of the file, to the bit. Two readers enqueue in the order in which their threads get to
    it, and interleave has an order of its own. So one epoch is compared, sorted.
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

from tf1ref.catalog.figures import exactly
from tf1ref.data import mnist, queues

STEPS = 10
BATCH_SIZE = 100
READ = 1000  # the most records in one read_up_to
CAPACITY = 4000
SHARDS = 2
SHARD_SIZE = 2500

EXPECTED = {
    "steps/pixel": exactly([784] * 10),
    "final/as_written": exactly([True, True]),
    "final/one_epoch": exactly(5000),
}


def read_data():
    """Returns the training pictures, uint8 (n, 784), and their labels, one-hot."""
    train = mnist.read_data_sets(dtype=np.uint8, one_hot=True).train
    return train.images, train.labels


def path_of(folder, shard=None):
    """Returns the source's file name, or that of one shard."""
    return os.path.join(folder, "output.tfrecords" + (f"-{shard:05d}-of-{SHARDS:05d}" if shard is not None else ""))


def as_trace(plain, batches, shuffled, data):
    """Returns the trace of plain rows, batches in order, and a sorted epoch from two readers.

    The epoch is sorted by label and pixels.
    """
    images, labels = data
    steps = {f"steps/{name}": np.array([row[name] for row in plain]) for name in ("image", "label", "pixel")}
    batch_images = np.concatenate([batch["image"] for batch in batches])
    batch_labels = np.concatenate([batch["label"] for batch in batches])
    same = np.arange(len(batch_labels)) % len(labels)
    as_written = [
        np.array_equal(batch_images, images[same]) and np.array_equal(batch_labels, labels[same].argmax(1)),
        np.array_equal(steps["steps/image"], images[: len(plain)]),
    ]
    every = np.concatenate([np.column_stack([batch["label"], batch["image"]]) for batch in shuffled]).astype(np.uint8)
    return {
        **steps,
        "batch/label": batch_labels,
        "batch/image": batch_images,
        "final/sorted": every[np.lexsort(every.T[::-1])],
        "final/one_epoch": np.array(len(every)),
        "final/as_written": np.array(as_written),
    }


def _int64_feature(value):
    """Returns a feature of one integer."""
    return v1.train.Feature(int64_list=v1.train.Int64List(value=[value]))


def _bytes_feature(value):
    """Returns a feature of one string of bytes."""
    return v1.train.Feature(bytes_list=v1.train.BytesList(value=[value]))


def write_records(path, images, labels):
    """Writes a record for each picture: its length, label and bytes."""
    pixels = images.shape[1]
    writer = v1.python_io.TFRecordWriter(path)
    for index in range(len(images)):
        feature = {
            "pixels": _int64_feature(pixels),
            "label": _int64_feature(np.argmax(labels[index])),
            "image_raw": _bytes_feature(images[index].tobytes()),
        }
        writer.write(v1.train.Example(features=v1.train.Features(feature=feature)).SerializeToString())
    writer.close()


def features():
    """Returns the features of a record."""
    return {
        "image_raw": v1.FixedLenFeature([], v1.string),
        "pixels": v1.FixedLenFeature([], v1.int64),
        "label": v1.FixedLenFeature([], v1.int64),
    }


def decoded(parsed):
    """Returns tensors of one record, or of a batch of them."""
    return {
        "image": v1.decode_raw(parsed["image_raw"], v1.uint8),  # () -> (784,), or (n,) -> (n, 784)
        "label": v1.cast(parsed["label"], v1.int32),
        "pixel": v1.cast(parsed["pixels"], v1.int32),
    }


def build_graph(path="output.tfrecords"):
    """Adds the reader and one decoded record for each run to the default graph: the plain way."""
    reader = v1.TFRecordReader()
    filename_queue = v1.train.string_input_producer([path])
    _, serialized_example = reader.read(filename_queue)
    return decoded(v1.parse_single_example(serialized_example, features=features()))


def build_batches(paths, readers=1, num_epochs=None):
    """Adds the fast way. Strings travel through the queue, READ at a time, and are parsed in batches."""
    filename_queue = v1.train.string_input_producer(paths, shuffle=False, num_epochs=num_epochs)
    serialized = [[v1.TFRecordReader().read_up_to(filename_queue, READ)[1]] for _ in range(readers)]
    if readers == 1:
        batch = v1.train.batch(serialized[0], BATCH_SIZE, capacity=CAPACITY, enqueue_many=True)
    else:
        batch = v1.train.batch_join(serialized, BATCH_SIZE, capacity=CAPACITY, enqueue_many=True)
    return decoded(v1.parse_example(batch, features=features()))


def read_plain(path, steps):
    """Runs the source's loop: it starts the threads, makes one run for each example, stops and joins them."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph(path)
        coord = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(sess=sess, coord=coord)
        rows = [sess.run(graph) for _ in range(steps)]
        coord.request_stop()
        coord.join(threads)
    return rows


def read_batches(graph, steps=None):
    """Runs for `steps` batches of the default graph, or to the end of its epochs."""
    batches = []
    with v1.Session() as sess:
        sess.run(v1.local_variables_initializer())
        with queues.running(sess) as runners:
            while len(batches) != steps:
                batches.append(runners.run(graph))
    return batches


def run_graph(steps=STEPS, out=None):
    """Writes the records, whole and in shards, and reads them the plain way and the two fast ones."""
    data = read_data()
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or scratch
        write_records(path_of(folder), *data)
        for shard in range(SHARDS):
            part = slice(shard * SHARD_SIZE, (shard + 1) * SHARD_SIZE)
            write_records(path_of(folder, shard), data[0][part], data[1][part])
        plain = read_plain(path_of(folder), steps)
        with v1.Graph().as_default():
            batches = read_batches(build_batches([path_of(folder)]), steps)
        with v1.Graph().as_default():
            shards = [path_of(folder, shard) for shard in range(SHARDS)]
            epoch = read_batches(build_batches(shards, readers=SHARDS, num_epochs=1))
    return as_trace(plain, batches, epoch, data)


def write_file(path, images, labels):
    """Writes the same records."""
    with tf.io.TFRecordWriter(path) as writer:
        for image, label in zip(images, labels):
            feature = {
                "pixels": tf.train.Feature(int64_list=tf.train.Int64List(value=[len(image)])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[np.argmax(label)])),
                "image_raw": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


@tf.function
def parse(serialized):
    """Returns pictures, labels and lengths of a record (a scalar) or of a batch of them."""
    spec = {
        "image_raw": tf.io.FixedLenFeature([], tf.string),
        "pixels": tf.io.FixedLenFeature([], tf.int64),
        "label": tf.io.FixedLenFeature([], tf.int64),
    }
    parsed = tf.io.parse_example(serialized, spec)
    return {
        "image": tf.io.decode_raw(parsed["image_raw"], tf.uint8),  # () -> (784,), or (n,) -> (n, 784)
        "label": tf.cast(parsed["label"], tf.int32),
        "pixel": tf.cast(parsed["pixels"], tf.int32),
    }


def data_set(paths, readers=1):
    """Returns batches of serialized records, parsed together; several readers take a record each in turn."""
    records = tf.data.Dataset.from_tensor_slices(paths).interleave(
        tf.data.TFRecordDataset, cycle_length=readers, num_parallel_calls=readers, deterministic=readers == 1
    )
    return records.batch(BATCH_SIZE).map(parse).prefetch(2)


def run_function(steps=STEPS, out=None):
    """The same files as data sets."""
    data = read_data()
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or scratch
        write_file(path_of(folder), *data)
        for shard in range(SHARDS):
            part = slice(shard * SHARD_SIZE, (shard + 1) * SHARD_SIZE)
            write_file(path_of(folder, shard), data[0][part], data[1][part])
        plain = list(tf.data.TFRecordDataset(path_of(folder)).map(parse).take(steps).as_numpy_iterator())
        batches = list(data_set([path_of(folder)]).take(steps).as_numpy_iterator())
        shards = [path_of(folder, shard) for shard in range(SHARDS)]
        epoch = list(data_set(shards, readers=SHARDS).as_numpy_iterator())
    return as_trace(plain, batches, epoch, data)
