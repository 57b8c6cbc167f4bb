"""Whole files in a row: string_input_producer and WholeFileReader

Source: S0 178-197
TF1: string_input_producer is a queue of names with its runner. reader.read takes a name out and returns name and
    content. A local variable counts num_epochs, and local_variables_initializer sets it. After the last epoch the queue
    is closed, and the next read raises OutOfRangeError: the end of the data.
Now: a data set of names, map(tf.io.read_file), repeat; its end is the end of the loop.
Errata: S0 ends on `except Exception`, which takes a missing file for the end as well. It starts the threads without a
    Coordinator, so that nobody stops or joins them. A missing file behind a batch queue looks like the end of the data,
    too: run raises OutOfRangeError, and only join raises NotFoundError, as `running` of tf1ref.data.queues does.
    string_input_producer shuffles each epoch by itself, and so does shuffle before repeat. Their random numbers differ,
    and so does the order. The contents of each epoch are compared, sorted.
See: https://www.tensorflow.org/guide/data
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
from tf1ref.data import queues
from tf1ref.examples.pipelines._pictures import picture

SEED = 1
NAMES = ("A.png", "B.png", "C.png")
NUM_EPOCHS = 2
SIDE = 16

EXPECTED = {
    "forward/names": exactly([b"A.png", b"B.png", b"C.png", b"A.png", b"B.png", b"C.png"]),
    "forward/end_is_error": exactly("OutOfRangeError"),
    "forward/missing_file_is_error": exactly("NotFoundError"),
}


def write_pictures(folder):
    """Writes the pictures; returns their paths."""
    paths = [os.path.join(folder, name) for name in NAMES]
    for seed, path in enumerate(paths):
        with open(path, "wb") as f:
            f.write(picture(SIDE, SIDE, "PNG", seed))
    return paths


def as_trace(plain, shuffled):
    """Returns the trace of (name, content, pixels) rows in file order, and of shuffled ones, sorted in each epoch."""
    names, data, pixels = zip(*plain)
    by_epoch = [sorted(shuffled[i : i + len(NAMES)]) for i in range(0, len(shuffled), len(NAMES))]
    return {
        "forward/names": np.array([os.path.basename(name) for name in names]),
        "forward/file_data": np.array([np.frombuffer(content, np.uint8).sum() for content in data]),
        "forward/pixels": np.array(pixels),
        "final/shuffled_by_epoch": np.array([[os.path.basename(name) for name in epoch] for epoch in by_epoch]),
    }


def build_graph(file_names=NAMES, shuffle=False):
    """Adds the queue of names, the reader and the decoded picture to the default graph."""
    file_name_queue = v1.train.string_input_producer(file_names, shuffle=shuffle, seed=SEED, num_epochs=NUM_EPOCHS)
    reader = v1.WholeFileReader()
    file_name, file_data = reader.read(file_name_queue)
    pixels = v1.image.decode_png(file_data, channels=3)
    pixels.set_shape([SIDE, SIDE, 3])
    return {"file_name": file_name, "file_data": file_data, "pixels": pixels}


def read_all(paths, shuffle, trace):
    """Reads to the end. Returns (name, content, pixels) rows in the order in which they came."""
    rows = []
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph(paths, shuffle)
        sess.run(v1.local_variables_initializer())
        coord = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(sess=sess, coord=coord)
        try:
            while True:
                rows.append(sess.run([graph["file_name"], graph["file_data"], graph["pixels"]]))
        except v1.errors.OutOfRangeError as e:
            trace["forward/end_is_error"] = np.array(type(e).__name__)
        coord.request_stop()
        coord.join(threads)
    return rows


def read_missing(path, trace):
    """Reads a missing file through a batch queue."""
    with v1.Graph().as_default(), v1.Session() as sess:
        batch = v1.train.batch([build_graph([path])["pixels"]], batch_size=2)  # (h, w, c) -> (2, h, w, c)
        sess.run(v1.local_variables_initializer())
        try:
            with queues.running(sess) as runners:
                runners.run(batch)
        except v1.errors.NotFoundError as e:
            trace["forward/missing_file_is_error"] = np.array(type(e).__name__)
            trace["forward/its_name_is_told"] = np.array(path in e.message)


def run_graph(out=None):
    """Reads the files in order, shuffled, and then one that is missing."""
    trace = {}
    with tempfile.TemporaryDirectory() as scratch:
        paths = write_pictures(out or scratch)
        trace.update(as_trace(read_all(paths, False, trace), [name for name, _, _ in read_all(paths, True, trace)]))
        read_missing(os.path.join(scratch, "missing.png"), trace)
    return trace


def read_file(name):
    """Returns the name of a file, its content, and its pixels as uint8 [height, width, 3]."""
    content = tf.io.read_file(name)
    return name, content, tf.io.decode_png(content, channels=3)


def run_function(out=None):
    """The same files as data sets. A missing file raises NotFoundError in the place of its element."""
    trace = {}
    with tempfile.TemporaryDirectory() as scratch:
        names = tf.data.Dataset.from_tensor_slices(write_pictures(out or scratch))
        plain = names.repeat(NUM_EPOCHS).map(read_file).as_numpy_iterator()
        shuffled = names.shuffle(len(NAMES), seed=SEED).repeat(NUM_EPOCHS).as_numpy_iterator()
        trace.update(as_trace(list(plain), list(shuffled)))
        iterator = iter(names.take(0))
        try:
            iterator.get_next()
        except tf.errors.OutOfRangeError as e:
            trace["forward/end_is_error"] = np.array(type(e).__name__)
        path = os.path.join(scratch, "missing.png")
        try:
            list(tf.data.Dataset.from_tensors(path).map(read_file).batch(2))
        except tf.errors.NotFoundError as e:
            trace["forward/missing_file_is_error"] = np.array(type(e).__name__)
            trace["forward/its_name_is_told"] = np.array(path in e.message)
    return trace
