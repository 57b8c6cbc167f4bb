"""Examples a second that arrive in Python: plain queues, batched queues, tf.data, on the same TFRecords."""

import contextlib
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from bench import Contest

from tf1ref.data import cifar10, mnist, queues
from tf1ref.data.formats import records
from tf1ref.examples.convnets import _cifar10_input as tutorial
from tf1ref.examples.convnets.cifar10 import DISTORTION

SUBJECT = """\
MNIST-sized records: batches of 128 decoded pictures of 784 bytes with labels, from two files of 27,500 records.
CIFAR-10: batches of 128 pictures, cropped, flipped, brightened, standardized, through a shuffle queue."""
BATCH = 128
SHARDS = 2
READ = 512  # records a read_up_to
CAPACITY = 8 * READ
DISTORTED = 20_000  # examples a round
# The tutorial's queue holds 20,000 pictures, which fill before the clock starts; a smaller one shows the pipeline.
SMALL = DISTORTION._replace(min_queue=500)
# Examples a round: about a second each, so that what lies ready in queues and buffers does not count.
ROUND = {"one a run": 6_000, "plain queues": 30_000, "batched queues": 300_000, "tf.data": 300_000}


def contests():
    """Yields the Contest on MNIST-sized records."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        paths = [str(path) for path in write(folder / "mnist.tfrecord")]
        makers = {
            "one a run": lambda: one_a_run(paths),
            "plain queues": lambda: plain_queues(paths),
            "batched queues": lambda: batched_queues(paths),
        }
        ways = {name: queue_way(make, ROUND[name]) for name, make in makers.items()}
        ways["tf.data"] = lambda: data_rate(paths, ROUND["tf.data"])
        yield Contest("MNIST-sized records", "examples/s", "tf.data", ways)
        files = cifar10.binary_files(folder)[0]
        ways = {
            f"queues, {threads} thread{'s' * (threads > 1)}": queue_way(
                lambda n=threads: distorted(files, n), DISTORTED
            )
            for threads in (1, 2)
        }
        ways["batched queues"] = queue_way(lambda: distorted_in_batches(files, SMALL), DISTORTED)
        ways["tf.data"] = lambda: distorted_rate(files, DISTORTED)
        yield Contest("CIFAR-10 with distortion", "examples/s", "tf.data", ways)


def write(path):
    """Writes the training pictures as records in SHARDS files; returns their paths."""
    train = mnist.read_data_sets(dtype=np.uint8).train

    def example(image, label):
        feature = {
            "image_raw": v1.train.Feature(bytes_list=v1.train.BytesList(value=[image.tobytes()])),
            "label": v1.train.Feature(int64_list=v1.train.Int64List(value=[label])),
        }
        return v1.train.Example(features=v1.train.Features(feature=feature)).SerializeToString()

    return records.write(path, map(example, train.images, train.labels), shards=SHARDS)


def features():
    """What a record holds."""
    return {"image_raw": v1.FixedLenFeature([], v1.string), "label": v1.FixedLenFeature([], v1.int64)}


def decoded(parsed):
    """Picture and label of one record or of a batch."""
    image = v1.reshape(v1.decode_raw(parsed["image_raw"], v1.uint8), [*parsed["label"].shape, 784])
    return [image, v1.cast(parsed["label"], v1.int32)]


def plain_example(paths):
    """A reader, and the example it reads next."""
    names = v1.train.string_input_producer(paths, shuffle=False)
    _, serialized = v1.TFRecordReader().read(names)
    return decoded(v1.parse_single_example(serialized, features()))


def one_a_run(paths):
    """The tutorials' first form: no batch, a run an example."""
    return plain_example(paths)


def plain_queues(paths):
    """The tutorials' second form: parsed one by one, enqueued one by one."""
    return v1.train.batch(plain_example(paths), BATCH, capacity=1000 + 3 * BATCH)


def batched_queues(paths):
    """A reader a file, many records a read; strings go through the queue and are parsed a batch at a time."""
    names = v1.train.string_input_producer(paths, shuffle=False)
    read = [[v1.TFRecordReader().read_up_to(names, READ)[1]] for _ in paths]
    batch = v1.train.batch_join(read, BATCH, capacity=CAPACITY, enqueue_many=True)
    ready = v1.train.batch(decoded(v1.parse_example(batch, features())), 1, capacity=16, enqueue_many=False)
    return [part[0] for part in ready]


def distorted(files, threads):
    """The tutorial's input: every thread reads, distorts and enqueues picture by picture."""
    images, labels, _ = tutorial.distorted_inputs(files, SMALL, threads)
    return [images, labels]


def distorted_in_batches(files, small):
    """The same distribution of pictures; a thread reads, distorts and enqueues a batch of them at a time."""
    names = v1.train.string_input_producer(files)
    _, values = v1.FixedLengthRecordReader(record_bytes=cifar10.RECORD).read_up_to(names, small.batch)
    record = v1.reshape(v1.decode_raw(values, v1.uint8), [-1, cifar10.RECORD])
    count, side, channels = v1.shape(record)[0], cifar10.SIDE, cifar10.CHANNELS
    image = v1.transpose(v1.reshape(record[:, 1:], [-1, channels, side, side]), [0, 2, 3, 1])
    for axis in (1, 2):
        start = v1.random_uniform([count, 1], 0, side - small.size + 1, v1.int32)
        image = v1.gather(image, start + v1.range(small.size), axis=axis, batch_dims=1)
    image = v1.cast(image, v1.float32)
    image = v1.where(v1.random_uniform([count]) < 0.5, image, v1.reverse(image, [2]))
    each = [count, 1, 1, 1]
    image += v1.random_uniform(each, -small.max_brightness, small.max_brightness)
    mean = v1.reduce_mean(image, [1, 2], keepdims=True)
    image = (image - mean) * v1.random_uniform(each, *small.contrast) + mean
    mean, variance = v1.nn.moments(image, [1, 2, 3], keepdims=True)
    image = (image - mean) / v1.maximum(v1.sqrt(variance), (small.size**2 * channels) ** -0.5)
    image.set_shape([None, small.size, small.size, channels])
    return v1.train.shuffle_batch(
        [image, v1.cast(record[:, 0], v1.int32)], small.batch, small.capacity, small.min_queue, 2, enqueue_many=True
    )


def distorted_rate(files, examples):
    """The tutorial's input as a data set: distorted in parallel, shuffled in a buffer of the same size."""
    pictures = tutorial.distorted(files, SMALL).shuffle(SMALL.capacity)
    iterator = pictures.batch(BATCH, drop_remainder=True).prefetch(tf.data.AUTOTUNE).as_numpy_iterator()
    next(iterator)
    began = time.perf_counter()
    for _ in range(examples // BATCH):
        next(iterator)
    return examples // BATCH * BATCH / (time.perf_counter() - began)


def queue_way(make, examples):
    """A function that runs the pipeline for `examples` examples in a session of its own; returns their rate."""

    def rate():
        with v1.Graph().as_default(), v1.Session() as sess:
            fetch = make()
            with queues.running(sess) as runners:
                call = sess.make_callable(fetch)
                batch = call()[1].size
                began = time.perf_counter()
                for _ in range(examples // batch):
                    call()
                seconds = time.perf_counter() - began
                assert not runners.coord.should_stop()
        return examples // batch * batch / seconds

    return rate


def data_rate(paths, examples):
    """Runs the data set for `examples` examples; returns their rate."""

    def parse(serialized):
        spec = {"image_raw": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}
        parsed = tf.io.parse_example(serialized, spec)
        return tf.io.decode_raw(parsed["image_raw"], tf.uint8), tf.cast(parsed["label"], tf.int32)

    files = tf.data.Dataset.from_tensor_slices(paths).repeat()
    serialized = files.interleave(tf.data.TFRecordDataset, SHARDS, num_parallel_calls=SHARDS, deterministic=False)
    batches = serialized.batch(BATCH, drop_remainder=True).map(parse, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    iterator = batches.as_numpy_iterator()
    image, _ = next(iterator)
    assert image.shape == (BATCH, 784)
    began = time.perf_counter()
    for _ in range(examples // BATCH):
        next(iterator)
    return examples // BATCH * BATCH / (time.perf_counter() - began)
