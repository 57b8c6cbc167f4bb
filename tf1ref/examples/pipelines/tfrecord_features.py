"""Features of a record: FixedLenFeature, VarLenFeature and sparse results

Source: S3 3306-3384
TF1: a tf.train.Example is a dict of lists of bytes, floats or int64. parse_single_example reads one by a dict that
    says what to expect: FixedLenFeature gives a dense tensor, VarLenFeature a SparseTensor, SparseTensorValue once run.
    Reader and queue, or TFRecordDataset, map and a one-shot iterator: S3 has both.
Now: the same message and the same specs in tf.io; a RaggedFeature is the easier answer to lists of any length.
Errata: S3 defines parse_example_record and maps parse_test. The shapes that it prints ([1, 4]) are those after
    batch(1). A missing FixedLenFeature without a default, or a feature of another type, raises InvalidArgumentError.
    Both halves show it. Neither says which record it was (`tf1ref data verify` does).
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

# S3 draws these at random. They are what it printed.
VAL = (0.252722, -0.2585403, 1.2365634, 0.84592867)
LABELS = (1,)
NAME = b"aa"
SHORT_VAL = (7.5,)
DEFAULT = -1.0

EXPECTED = {
    "forward/val/values": exactly([0.252722, -0.2585403, 1.2365634, 0.84592867]),
    "forward/val/indices": exactly([[0, 0], [0, 1], [0, 2], [0, 3]]),
    "forward/val/dense_shape": exactly([1, 4]),
    "forward/labels/values": exactly([1]),
    "forward/labels/indices": exactly([[0, 0]]),
    "forward/name/values": exactly([b"aa"]),
    "forward/name/dense_shape": exactly([1, 1]),
}


def sparse_parts(name, value, trace):
    """Puts indices, values and dense_shape of a sparse value into the trace."""
    for part in ("indices", "values", "dense_shape"):
        trace[f"forward/{name}/{part}"] = np.asarray(getattr(value, part))


def write_records(path):
    """Writes the source's record, and a shorter one without a name, since the lengths of records may vary."""
    features = v1.train.Features(
        feature={
            "val": v1.train.Feature(float_list=v1.train.FloatList(value=VAL)),
            "labels": v1.train.Feature(int64_list=v1.train.Int64List(value=LABELS)),
            "name": v1.train.Feature(bytes_list=v1.train.BytesList(value=[NAME])),
        }
    )
    short = v1.train.Features(
        feature={
            "val": v1.train.Feature(float_list=v1.train.FloatList(value=SHORT_VAL)),
            "labels": v1.train.Feature(int64_list=v1.train.Int64List(value=LABELS)),
        }
    )
    writer = v1.python_io.TFRecordWriter(path)
    for each in (features, short):
        writer.write(v1.train.Example(features=each).SerializeToString())
    writer.close()


def parse_example_record(serialized):
    """Adds what S3 maps over the dataset. It makes SparseTensors, because a record may have any number of values."""
    features = {
        "val": v1.VarLenFeature(v1.float32),
        "labels": v1.VarLenFeature(v1.int64),
        "name": v1.VarLenFeature(v1.string),
    }
    return v1.parse_single_example(serialized, features)


def build_graph(path="foo.tfrecords"):
    """Adds the dataset with its iterator, and the reader with records that are parsed in several ways, to the graph."""
    dataset = v1.data.TFRecordDataset([path]).map(parse_example_record).batch(1)
    feature_dict = v1.data.make_one_shot_iterator(dataset).get_next()
    reader = v1.TFRecordReader()
    filename_queue = v1.train.string_input_producer([path], shuffle=False)
    _, serialized = reader.read_up_to(filename_queue, 2)
    variable = {
        "val": v1.VarLenFeature(v1.float32),
        "labels": v1.VarLenFeature(v1.int64),
        "name": v1.VarLenFeature(v1.string),
    }
    fixed = {
        "labels": v1.FixedLenFeature([], v1.int64),
        "name": v1.FixedLenFeature([], v1.string, default_value="nobody"),
        "val": v1.FixedLenSequenceFeature([], v1.float32, allow_missing=True, default_value=DEFAULT),
    }
    return {
        "feature_dict": feature_dict,
        "single": parse_example_record(serialized[0]),
        "both": v1.parse_example(serialized, variable),
        "fixed": v1.parse_example(serialized, fixed),
        "missing": v1.parse_example(serialized, {"name": v1.FixedLenFeature([], v1.string)}),
        "wrong_type": v1.parse_example(serialized, {"labels": v1.FixedLenFeature([], v1.float32)}),
    }


def run_graph():
    """The iterator needs no runners. Behind the reader each run dequeues once: the file has two records."""
    trace = {}
    with tempfile.TemporaryDirectory() as folder, v1.Graph().as_default(), v1.Session() as sess:
        path = os.path.join(folder, "foo.tfrecords")
        write_records(path)
        graph = build_graph(path)
        for name, value in sess.run(graph["feature_dict"]).items():
            sparse_parts(name, value, trace)
        for name, value in sess.run(graph["feature_dict"]).items():
            sparse_parts(f"second/{name}", value, trace)
        coord = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(sess=sess, coord=coord)
        for name, value in sess.run(graph["single"]).items():
            sparse_parts(f"single/{name}", value, trace)
        for name, value in sess.run(graph["both"]).items():
            sparse_parts(f"both/{name}", value, trace)
        for name, value in sess.run(graph["fixed"]).items():
            trace[f"forward/fixed/{name}"] = value
        trace["forward/missing_is_error"] = np.array(error_of(sess.run, graph["missing"]))
        trace["forward/wrong_type_is_error"] = np.array(error_of(sess.run, graph["wrong_type"]))
        coord.request_stop()
        coord.join(threads)
    return trace


def write_file(path):
    """Writes the same two records."""
    features = {
        "val": tf.train.Feature(float_list=tf.train.FloatList(value=VAL)),
        "labels": tf.train.Feature(int64_list=tf.train.Int64List(value=LABELS)),
        "name": tf.train.Feature(bytes_list=tf.train.BytesList(value=[NAME])),
    }
    short = {
        "val": tf.train.Feature(float_list=tf.train.FloatList(value=SHORT_VAL)),
        "labels": tf.train.Feature(int64_list=tf.train.Int64List(value=LABELS)),
    }
    with tf.io.TFRecordWriter(path) as writer:
        for each in (features, short):
            writer.write(tf.train.Example(features=tf.train.Features(feature=each)).SerializeToString())


@tf.function
def parse_variable(serialized):
    """Returns SparseTensors of one record (a scalar) or of a batch."""
    features = {
        "val": tf.io.VarLenFeature(tf.float32),
        "labels": tf.io.VarLenFeature(tf.int64),
        "name": tf.io.VarLenFeature(tf.string),
    }
    return tf.io.parse_example(serialized, features)


@tf.function
def parse_fixed(serialized):
    """Returns dense tensors of a batch. The default stands for missing features and fills short ones."""
    features = {
        "labels": tf.io.FixedLenFeature([], tf.int64),
        "name": tf.io.FixedLenFeature([], tf.string, default_value="nobody"),
        "val": tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True, default_value=DEFAULT),
    }
    return tf.io.parse_example(serialized, features)


@tf.function
def parse_one(serialized, name, dtype):
    """Returns a batch of one feature, which every record must have."""
    return tf.io.parse_example(serialized, {name: tf.io.FixedLenFeature([], dtype)})


def run_function():
    """A data set may map either: records, or batches of them."""
    trace = {}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "foo.tfrecords")
        write_file(path)
        dataset = tf.data.TFRecordDataset([path])
        one_by_one = iter(dataset.map(parse_variable).batch(1))
        for name, value in next(one_by_one).items():
            sparse_parts(name, value, trace)
        for name, value in next(one_by_one).items():
            sparse_parts(f"second/{name}", value, trace)
        for name, value in next(iter(dataset.map(parse_variable))).items():
            sparse_parts(f"single/{name}", value, trace)
        for name, value in next(iter(dataset.batch(2).map(parse_variable))).items():
            sparse_parts(f"both/{name}", value, trace)
        both = next(iter(dataset.batch(2)))
        for name, value in parse_fixed(both).items():
            trace[f"forward/fixed/{name}"] = value.numpy()
        trace["forward/missing_is_error"] = np.array(error_of(parse_one, both, "name", tf.string))
        trace["forward/wrong_type_is_error"] = np.array(error_of(parse_one, both, "labels", tf.float32))
    return trace
