"""TFRecord files with and without compression: NONE, ZLIB, GZIP

Source: S2 189-231
TF1: python_io.TFRecordWriter and TFRecordReader take TFRecordOptions; a reader reads one compression only, and the
    queue of file names feeds one reader. From TF 1.4 on: TFRecordDataset, and a one-shot iterator's get_next().
Now: tf.io.TFRecordWriter(options="ZLIB") and TFRecordDataset(compression_type="ZLIB"). Neither finds out by itself.
Errata: S2's text puts files of all three kinds into one queue, which no reader can read: the first file of another kind
    ends it with DataLossError. S2's program calls shape[0] width and shape[1] height; it is the other way round.
    `tf.float` is not a type (tf.float32 is), and `reader.read(filename)` should read the queue. The program declares
    the picture's shape (374 x 500), although decode_jpeg already knows it. It runs the iterators, then builds parsers
    around the bytes that came out, so that its graph grows with every record. Here map puts the parser into the
    dataset.
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
from tf1ref.examples.basics._errors import error_of
from tf1ref.examples.pipelines._pictures import picture

SEED = 1
FLOAT_NONE = 9.99
FLOAT_ZLIB = 8.88
FLOAT_GZIP = 6.66
HEIGHT = 374
WIDTH = 500

FLOATS = {"NONE": FLOAT_NONE, "ZLIB": FLOAT_ZLIB, "GZIP": FLOAT_GZIP}

EXPECTED = {
    "forward/queue/float_val": exactly([9.99, 8.88, 6.66]),
    "forward/queue/size": exactly([[500, 374], [500, 374], [500, 374]]),
    "forward/dataset/float_val": exactly([9.99, 8.88, 6.66]),
    "forward/dataset/size": exactly([[500, 374], [500, 374], [500, 374]]),
    "forward/wrong_compression_is_error": exactly("DataLossError"),
}


def path_of(folder, compression):
    """Returns the source's name of the file with this compression."""
    return os.path.join(folder, f"img_compress_{compression.lower()}.tfrecord")


def as_trace(ways, folder, error):
    """Returns the trace of {way of reading: three parsed records}.

    It includes the first two bytes of each file, which tell the compression.
    """
    starts, trace = [], {}
    for compression in FLOATS:
        with open(path_of(folder, compression), "rb") as f:
            starts.append(f.read(2) if compression != "NONE" else b"")
    for way, records in ways.items():
        trace[f"forward/{way}/float_val"] = np.array([record["float_val"] for record in records])
        trace[f"forward/{way}/size"] = np.array([[record["width"], record["height"]] for record in records])
        trace[f"forward/{way}/image"] = np.array([record["image"] for record in records])
    trace["forward/file_starts"] = np.array([start.hex() for start in starts])
    trace["forward/wrong_compression_is_error"] = np.array(error)
    return trace


def write_records(folder, image):
    """Writes one record into each file. Closing the writer writes what it still holds; otherwise gzip has no end."""
    kinds = v1.python_io.TFRecordCompressionType
    options = {"NONE": kinds.NONE, "ZLIB": kinds.ZLIB, "GZIP": kinds.GZIP}
    for compression, float_val in FLOATS.items():
        feature_internal = {
            "float_val": v1.train.Feature(float_list=v1.train.FloatList(value=[float_val])),
            "width": v1.train.Feature(int64_list=v1.train.Int64List(value=[WIDTH])),
            "height": v1.train.Feature(int64_list=v1.train.Int64List(value=[HEIGHT])),
            "image_raw": v1.train.Feature(bytes_list=v1.train.BytesList(value=[image])),
        }
        example = v1.train.Example(features=v1.train.Features(feature=feature_internal))
        option = v1.python_io.TFRecordOptions(options[compression])
        writer = v1.python_io.TFRecordWriter(path_of(folder, compression), options=option)
        writer.write(example.SerializeToString())
        writer.close()


def parsed(serialized_example):
    """Adds the features of a record, and its picture as uint8 [height, width, 3]."""
    features = v1.parse_single_example(
        serialized_example,
        features={
            "float_val": v1.FixedLenFeature([], v1.float32),
            "width": v1.FixedLenFeature([], v1.int64),
            "height": v1.FixedLenFeature([], v1.int64),
            "image_raw": v1.FixedLenFeature([], v1.string),
        },
    )
    return {**features, "image": v1.image.decode_jpeg(features["image_raw"], channels=3)}


def build_graph(path="img_compress_none.tfrecord", compression="NONE"):
    """Adds the queue of names, the reader and the parsed record to the default graph."""
    kind = getattr(v1.python_io.TFRecordCompressionType, compression)
    filename_queue = v1.train.string_input_producer([path])
    reader = v1.TFRecordReader(options=v1.python_io.TFRecordOptions(kind))
    _, serialized_example = reader.read(filename_queue)
    return parsed(serialized_example)


def read_record(path, compression):
    """Returns the first record of a file, a dict of arrays."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph(path, compression)
        coord = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(sess=sess, coord=coord)
        try:
            return sess.run(graph)
        finally:
            coord.request_stop()
            coord.join(threads)


def read_datasets(folder):
    """Returns the first record of each file. Three datasets are in one graph, and one run reads them."""
    with v1.Graph().as_default(), v1.Session() as sess:
        elements = []
        for compression in FLOATS:
            kind = "" if compression == "NONE" else compression
            dataset = v1.data.TFRecordDataset([path_of(folder, compression)], compression_type=kind).map(parsed)
            elements.append(v1.data.make_one_shot_iterator(dataset).get_next())
        return sess.run(elements)


def run_graph(out=None):
    """Writes the three files, and reads each with a reader and with a dataset. Then it uses the wrong reader."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or scratch
        write_records(folder, picture(HEIGHT, WIDTH, "JPEG", SEED))
        records = [read_record(path_of(folder, compression), compression) for compression in FLOATS]
        error = error_of(read_record, path_of(folder, "GZIP"), "NONE")
        return as_trace({"queue": records, "dataset": read_datasets(folder)}, folder, error)


def write_files(folder, image):
    """Writes the same records. The writer is a context that closes itself."""
    for compression, float_val in FLOATS.items():
        feature = {
            "float_val": tf.train.Feature(float_list=tf.train.FloatList(value=[float_val])),
            "width": tf.train.Feature(int64_list=tf.train.Int64List(value=[WIDTH])),
            "height": tf.train.Feature(int64_list=tf.train.Int64List(value=[HEIGHT])),
            "image_raw": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        }
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        options = "" if compression == "NONE" else compression
        with tf.io.TFRecordWriter(path_of(folder, compression), options) as writer:
            writer.write(example.SerializeToString())


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def parse(serialized):
    """Returns the record's features, and its picture as uint8 [height, width, 3]."""
    spec = {
        "float_val": tf.io.FixedLenFeature([], tf.float32),
        "width": tf.io.FixedLenFeature([], tf.int64),
        "height": tf.io.FixedLenFeature([], tf.int64),
        "image_raw": tf.io.FixedLenFeature([], tf.string),
    }
    features = tf.io.parse_single_example(serialized, spec)
    return {**features, "image": tf.io.decode_jpeg(features["image_raw"], channels=3)}


def dataset_of(folder, compression):
    """Returns the parsed records of one file. The compression is a word, "" for none."""
    kind = "" if compression == "NONE" else compression
    return tf.data.TFRecordDataset(path_of(folder, compression), kind).map(parse)


def first_record(dataset):
    """Returns the first record, a dict of arrays. Python asks for it."""
    return next(dataset.as_numpy_iterator())


@tf.function
def first_inside(dataset):
    """Returns the first record, a dict of tensors. The iterator is a part of the function's graph."""
    return next(iter(dataset))


def run_function(out=None):
    """There are only datasets, and no queue. A function takes a dataset as its argument."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or scratch
        write_files(folder, picture(HEIGHT, WIDTH, "JPEG", SEED))
        outside = [first_record(dataset_of(folder, compression)) for compression in FLOATS]
        inside = [first_inside(dataset_of(folder, compression)) for compression in FLOATS]
        gzip_as_none = tf.data.TFRecordDataset(path_of(folder, "GZIP")).map(parse)
        return as_trace({"queue": outside, "dataset": inside}, folder, error_of(first_record, gzip_as_none))
