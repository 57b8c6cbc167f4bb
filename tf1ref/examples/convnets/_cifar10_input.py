"""cifar10_input.py of the tutorial: distorted pictures for training, plain ones for evaluation.

TF1's shuffle_batch takes pictures out of its queue in an order that depends on how full the queue is. This depends on
the timing of threads, so with the tutorial's 16 threads no two runs are alike. Here one thread reads and distorts, and
a batch is taken only when the queue is full again. Then the seeds alone decide. tf.function code with the same queue
(tf.queue.RandomShuffleQueue is the same kernel) trains on the same batches. This costs nothing as long as one thread
adds 128 pictures within a training step. tf.data's own `shuffle` does the same work in another order.
"""

import time
from typing import NamedTuple

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.data.cifar10 import CHANNELS, RECORD, SIDE
from tf1ref.errors import InputError

# Waiting for a full queue ends after this many seconds without a new picture.
FILL_SECONDS = 300


class Distortion(NamedTuple):
    """The distortions of `distorted_inputs` and its batches.

    size: pixels of a crop. brightness: the largest change, of 0 to 255, in either direction.
    """

    size: int
    max_brightness: float
    contrast: tuple
    batch: int
    min_queue: int

    @property
    def capacity(self):
        """The number of pictures in a full shuffle queue."""
        return self.min_queue + 3 * self.batch


def read_cifar10(filename_queue):
    """Adds the reader of one record: image uint8 (32, 32, 3) and label int32 ()."""
    reader = v1.FixedLengthRecordReader(record_bytes=RECORD)
    _, value = reader.read(filename_queue)
    record = v1.decode_raw(value, v1.uint8)
    record.set_shape([RECORD])
    depth_major = v1.reshape(record[1:], [CHANNELS, SIDE, SIDE])  # (3072,) -> (3, 32, 32)
    return v1.transpose(depth_major, [1, 2, 0]), v1.cast(record[0], v1.int32)


def distorted_inputs(files, distortion, threads=1):
    """Adds files -> queue of names -> records -> distortion -> shuffle queue.

    Returns images, labels and the queue's size.
    threads: with more than one, each run has another order. images: float32 (batch, size, size, 3), standardized.
    labels: int32 (batch,).
    """
    size, lower_upper = distortion.size, distortion.contrast
    filename_queue = v1.train.string_input_producer(files, seed=11)
    image, label = read_cifar10(filename_queue)
    image = v1.random_crop(v1.cast(image, v1.float32), [size, size, CHANNELS], seed=12)
    image = v1.image.random_flip_left_right(image, seed=13)
    image = v1.image.random_brightness(image, max_delta=distortion.max_brightness, seed=14)
    image = v1.image.random_contrast(image, *lower_upper, seed=15)
    image = v1.image.per_image_standardization(image)
    images, labels = v1.train.shuffle_batch(
        [image, label],
        batch_size=distortion.batch,
        num_threads=threads,
        capacity=distortion.capacity,
        min_after_dequeue=distortion.min_queue,
        seed=16,
    )
    v1.summary.image("images", images)
    shuffle_queue = v1.get_collection(v1.GraphKeys.QUEUE_RUNNERS)[-1].queue
    return images, labels, shuffle_queue.size()


def inputs(files, batch, size):
    """Adds the evaluation's input: every record once, in file order, with its middle cropped and standardized.

    images: float32 (n, size, size, 3). labels: int32 (n,). n is `batch`, and smaller in the last batch.
    """
    filename_queue = v1.train.string_input_producer(files, num_epochs=1, shuffle=False)
    image, label = read_cifar10(filename_queue)
    image = v1.image.resize_image_with_crop_or_pad(v1.cast(image, v1.float32), size, size)
    image = v1.image.per_image_standardization(image)
    return v1.train.batch([image, label], batch, num_threads=1, capacity=4 * batch, allow_smaller_final_batch=True)


def wait_until_full(sess, size, capacity, coord):
    """Returns when the queue holds `capacity` pictures, or when its threads stopped. The next run then says why.

    Raises InputError when no picture arrives for FILL_SECONDS.
    """
    seen, since = -1, time.monotonic()
    while (now := sess.run(size)) < capacity and not coord.should_stop():
        if now > seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > FILL_SECONDS:
            raise InputError(f"the shuffle queue stays at {now} of {capacity} pictures: check the disk of the files")
        time.sleep(0.002)


def parse(record):
    """Turns one record into an image float32 (32, 32, 3), from 0 to 255, and a label int32 ()."""
    record = tf.io.decode_raw(record, tf.uint8)
    depth_major = tf.reshape(record[1:], [CHANNELS, SIDE, SIDE])  # (3072,) -> (3, 32, 32)
    return tf.cast(tf.transpose(depth_major, [1, 2, 0]), tf.float32), tf.cast(record[0], tf.int32)


def distorted(files, distortion):
    """Returns the endless dataset of distorted pictures and labels.

    The files are shuffled each time; within a file the order is kept.
    """

    def distort(record):
        image, label = parse(record)
        image = tf.image.random_crop(image, [distortion.size, distortion.size, CHANNELS], seed=12)
        image = tf.image.random_flip_left_right(image, seed=13)
        image = tf.image.random_brightness(image, max_delta=distortion.max_brightness, seed=14)
        image = tf.image.random_contrast(image, *distortion.contrast, seed=15)
        return tf.image.per_image_standardization(image), label

    names = tf.data.Dataset.from_tensors(files).repeat().map(lambda names: tf.random.shuffle(names, seed=11))
    records = names.flat_map(lambda names: tf.data.FixedLengthRecordDataset(names, RECORD))
    return records.map(distort)


class DistortedInputs:
    """A shuffle queue that is full before every batch."""

    def __init__(self, files, distortion):
        shapes = [[distortion.size, distortion.size, CHANNELS], []]
        self.batch = distortion.batch
        self.queue = tf.queue.RandomShuffleQueue(
            distortion.capacity, distortion.min_queue, [tf.float32, tf.int32], shapes, seed=16
        )
        self.examples = iter(distorted(files, distortion))
        self.fill(self.examples, tf.constant(distortion.capacity))

    @tf.function
    def fill(self, examples, count):
        """Moves `count` pictures into the queue, one after the other."""
        for _ in tf.range(count):
            self.queue.enqueue(next(examples))

    def next_batch(self):
        """Returns (images, labels) of one step; the queue is full again afterwards."""
        images, labels = self.queue.dequeue_many(self.batch)
        self.fill(self.examples, tf.constant(self.batch))
        return images, labels


def dataset(files, batch, size):
    """Returns the evaluation's batches: every record once, in file order, its middle cropped and standardized."""

    def crop(record):
        image, label = parse(record)
        image = tf.image.resize_with_crop_or_pad(image, size, size)
        return tf.image.per_image_standardization(image), label

    return tf.data.FixedLengthRecordDataset(files, RECORD).map(crop).batch(batch)
