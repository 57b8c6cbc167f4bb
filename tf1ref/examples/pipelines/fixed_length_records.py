"""Binary records of a fixed length: FixedLengthRecordReader

Source: S1 780-797
TF1: the reader cuts its files into records of record_bytes; the key it returns is "file:number". decode_raw makes
    numbers of the bytes. CIFAR-10's layout: one byte is the label, then the picture, a plane a colour.
Now: FixedLengthRecordDataset; the same decode_raw, slices and transpose inside map.
Errata: S1's links lead nowhere ("inputs()" is printed as "()"). S1 does not say what happens to bytes that are left
    over at the end of a file. The reader ignores them silently. The data set raises InvalidArgumentError, unless
    footer_bytes announces them.
See: https://www.tensorflow.org/api_docs/python/tf/data/FixedLengthRecordDataset
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

SEED = 1
STEPS = 20
HEIGHT = 32
WIDTH = 32
DEPTH = 3
LABEL_BYTES = 1
FILES = 2
RECORDS = 5  # records in a file
LEFT_OVER = 100  # superfluous bytes in a third file

IMAGE_BYTES = HEIGHT * WIDTH * DEPTH
RECORD_BYTES = LABEL_BYTES + IMAGE_BYTES

EXPECTED = {
    "forward/record_bytes": exactly(3073),
    "forward/records_of_odd_file": exactly(1),
    "final/as_written": exactly(True),
}


def write_files(folder):
    """Writes FILES files of random records, and one with a record and bytes left over.

    Returns the paths, the path of the odd one, and all records as uint8 [n, RECORD_BYTES].
    """
    rows = np.random.RandomState(SEED).randint(0, 256, (FILES * RECORDS, RECORD_BYTES)).astype(np.uint8)
    rows[:, 0] %= 10
    paths = [os.path.join(folder, f"data_batch_{i + 1}.bin") for i in range(FILES)]
    for path, part in zip(paths, np.split(rows, FILES)):
        part.tofile(path)
    odd = os.path.join(folder, "odd.bin")
    rows.ravel()[: RECORD_BYTES + LEFT_OVER].tofile(odd)
    return paths, odd, rows


def as_written(labels, images, rows):
    """Returns True when labels and images [n, height, width, depth] are those of the rows, repeated."""
    again = np.resize(np.arange(len(rows)), len(labels))
    planes = np.array(images).transpose(0, 3, 1, 2).reshape(len(labels), -1)
    return np.array_equal(labels, rows[again, 0]) and np.array_equal(planes, rows[again, 1:])


def build_graph(paths=("data_batch_1.bin",), num_epochs=None):
    """Adds the reader and the decoded record to the default graph, as cifar10_input.py does."""
    filename_queue = v1.train.string_input_producer(paths, shuffle=False, num_epochs=num_epochs)
    reader = v1.FixedLengthRecordReader(record_bytes=RECORD_BYTES)
    key, value = reader.read(filename_queue)
    record_bytes = v1.decode_raw(value, v1.uint8)  # () -> (3073,)
    label = v1.cast(v1.strided_slice(record_bytes, [0], [LABEL_BYTES]), v1.int32)
    depth_major = v1.reshape(  # (3072,) -> (3, 32, 32)
        v1.strided_slice(record_bytes, [LABEL_BYTES], [LABEL_BYTES + IMAGE_BYTES]), [DEPTH, HEIGHT, WIDTH]
    )
    # (3, 32, 32) -> (32, 32, 3)
    return {"key": key, "record": record_bytes, "label": label[0], "uint8image": v1.transpose(depth_major, [1, 2, 0])}


def read_odd(path):
    """Returns how many records come from a file with bytes left over before the end, and how it ends."""
    count = 0
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph([path], num_epochs=1)
        sess.run(v1.local_variables_initializer())
        coord = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(sess=sess, coord=coord)
        try:
            while True:
                sess.run(graph["label"])
                count += 1
        except v1.errors.OutOfRangeError:
            coord.request_stop()
        coord.join(threads)
    return count


def run_graph(steps=STEPS):
    """Reads record by record. The queue of names starts again from the first file."""
    trace = {"steps/key": [], "steps/label": [], "steps/uint8image": []}
    with tempfile.TemporaryDirectory() as folder, v1.Graph().as_default(), v1.Session() as sess:
        paths, odd, rows = write_files(folder)
        graph = build_graph(paths)
        coord = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(sess=sess, coord=coord)
        for _ in range(steps):
            key, record, label, image = sess.run(list(graph.values()))
            trace["steps/key"].append(os.path.basename(key))
            trace["steps/label"].append(label)
            trace["steps/uint8image"].append(image)
        coord.request_stop()
        coord.join(threads)
        trace["forward/record_bytes"] = record.size
        trace["final/as_written"] = as_written(trace["steps/label"], trace["steps/uint8image"], rows)
        trace["forward/records_of_odd_file"] = read_odd(odd)
    return {key: np.array(value) for key, value in trace.items()}


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def decode(value):
    """Returns a record's label (int32 scalar) and picture (uint8 [height, width, depth])."""
    record_bytes = tf.io.decode_raw(value, tf.uint8)  # () -> (3073,)
    depth_major = tf.reshape(record_bytes[LABEL_BYTES:], [DEPTH, HEIGHT, WIDTH])  # (3072,) -> (3, 32, 32)
    return tf.cast(record_bytes[0], tf.int32), tf.transpose(depth_major, [1, 2, 0])  # (3, 32, 32) -> (32, 32, 3)


def read_odd_file(path):
    """Returns how many records come from a file with bytes left over, once the data set knows of them."""
    try:
        return len(list(tf.data.FixedLengthRecordDataset(path, RECORD_BYTES)))
    except tf.errors.InvalidArgumentError:
        return len(list(tf.data.FixedLengthRecordDataset(path, RECORD_BYTES, footer_bytes=LEFT_OVER)))


def run_function(steps=STEPS):
    """A data set of files becomes one of (key, record), which flat_map keeps in order."""
    trace = {"steps/key": [], "steps/label": [], "steps/uint8image": []}
    with tempfile.TemporaryDirectory() as folder:
        paths, odd, rows = write_files(folder)

        def keyed(path):
            records = tf.data.FixedLengthRecordDataset(path, RECORD_BYTES)
            return records.enumerate().map(lambda i, value: (path + ":" + tf.strings.as_string(i), value))

        names = tf.data.Dataset.from_tensor_slices(paths).repeat()
        for key, value in names.flat_map(keyed).take(steps).as_numpy_iterator():
            label, image = decode(value)
            trace["steps/key"].append(os.path.basename(key))
            trace["steps/label"].append(label.numpy())
            trace["steps/uint8image"].append(image.numpy())
        trace["forward/record_bytes"] = len(value)
        trace["final/as_written"] = as_written(trace["steps/label"], trace["steps/uint8image"], rows)
        trace["forward/records_of_odd_file"] = read_odd_file(odd)
    return {key: np.array(value) for key, value in trace.items()}
