"""Sharded records in batches: batch, shuffle_batch, shuffle_batch_join

Source: S3 3555-3704
TF1: match_filenames_once keeps a pattern's files in a local variable. The function batch makes a queue and a runner
    that enqueues one example after the other. The queue of shuffle_batch takes them out at random. There is one thread
    for each reader in shuffle_batch_join.
Now: list_files, TFRecordDataset, batch; shuffle before batch; interleave over files.
Errata: match_filenames_once gives a resource variable now. string_input_producer would take its truth value, which it
    does not have, so the program passes read_value(), its tensor. S3 prints the batches [0 1] [0 0] and on, but its
    program reads others. Its graph holds the shuffle_batch, too. start_queue_runners starts both, and they take the
    records of one reader away from each other. Alone, batch gives (0 0) (0 1), (1 0) (1 1), (0 0) (0 1), the order of
    the files. Here each pipeline has a graph of its own. With min_after_dequeue=1000 the queue waits until the four
    records have come 250 times. With num_epochs it is closed before, and all records come out. The order of a
    RandomShuffleQueue depends on how full it is, and so on the timing of threads. Dataset.shuffle has random numbers of
    its own. So whole epochs are compared, sorted.
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

SEED = 1
STEPS = 6
NUM_SHARDS = 2
INSTANCES_PER_SHARD = 2
BATCH_SIZE = 2
MIN_AFTER_DEQUEUE = 1000
NUM_EPOCHS = 3

EXPECTED = {
    "forward/files": exactly([b"data.tfrecords-00000-of-00002", b"data.tfrecords-00001-of-00002"]),
    "steps/feature": exactly([[0, 0], [0, 1], [1, 0], [1, 1], [0, 0], [0, 1]]),
    "batch/example": exactly([[0, 0], [1, 1], [0, 0]]),
    "batch/label": exactly([[0, 1], [0, 1], [0, 1]]),
    "final/shuffle_batch": exactly([[0, 0]] * 3 + [[0, 1]] * 3 + [[1, 0]] * 3 + [[1, 1]] * 3),
    "final/shuffle_batch_join": exactly([[0, 0]] * 3 + [[0, 1]] * 3 + [[1, 0]] * 3 + [[1, 1]] * 3),
}


def path_of(folder, shard):
    """Returns the source's name of a shard."""
    return os.path.join(folder, f"data.tfrecords-{shard:05d}-of-{NUM_SHARDS:05d}")


def as_trace(files, features, batches, shuffled, joined):
    """Returns the trace: file names, single examples, batches in order, and two shuffled runs, sorted."""
    examples, labels = zip(*batches)
    trace = {
        "forward/files": np.array([os.path.basename(name) for name in files]),
        "steps/feature": np.array(features),
        "batch/example": np.array(examples),
        "batch/label": np.array(labels),
    }
    for name, rows in (("shuffle_batch", shuffled), ("shuffle_batch_join", joined)):
        pairs = np.concatenate([np.column_stack(row) for row in rows])
        trace[f"final/{name}"] = pairs[np.lexsort(pairs.T[::-1])]
    return trace


def _int64_feature(value):
    """Returns a feature of one integer."""
    return v1.train.Feature(int64_list=v1.train.Int64List(value=[value]))


def write_shards(folder):
    """Writes the shards. i is the number of the file, j that of the record in it."""
    for i in range(NUM_SHARDS):
        writer = v1.python_io.TFRecordWriter(path_of(folder, i))
        for j in range(INSTANCES_PER_SHARD):
            features = v1.train.Features(feature={"i": _int64_feature(i), "j": _int64_feature(j)})
            writer.write(v1.train.Example(features=features).SerializeToString())
        writer.close()


def build_graph(pattern="data.tfrecords-*", num_epochs=None, readers=1):
    """Adds the files to the default graph and, for each reader, the example [i, j] that it reads."""
    files = v1.train.match_filenames_once(pattern)
    filename_queue = v1.train.string_input_producer(files.read_value(), shuffle=False, num_epochs=num_epochs)
    examples = []
    for _ in range(readers):
        _, serialized_example = v1.TFRecordReader().read(filename_queue)
        spec = {"i": v1.FixedLenFeature([], v1.int64), "j": v1.FixedLenFeature([], v1.int64)}
        features = v1.parse_single_example(serialized_example, features=spec)
        examples.append([features["i"], features["j"]])
    return {"files": files, "examples": examples}


def run_all(fetch, steps=None):
    """Runs `fetch` for `steps` times, or to the end of the epochs.

    It runs both initializers, since epochs are local.
    """
    rows = []
    with v1.Session() as sess:
        sess.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
        with queues.running(sess) as runners:
            while len(rows) != steps:
                rows.append(runners.run(fetch))
    return rows


def run_graph(steps=STEPS):
    """Each pipeline has a graph of its own, so that none takes records from another."""
    capacity = MIN_AFTER_DEQUEUE + 3 * BATCH_SIZE
    with tempfile.TemporaryDirectory() as folder:
        write_shards(folder)
        pattern = os.path.join(folder, "data.tfrecords-*")
        with v1.Graph().as_default():
            graph = build_graph(pattern)
            rows = run_all([graph["files"], graph["examples"][0]], steps)
        with v1.Graph().as_default():
            example = build_graph(pattern)["examples"][0]
            batch = v1.train.batch(example, batch_size=BATCH_SIZE, capacity=1000 + 3 * BATCH_SIZE)  # () -> (n,)
            batches = run_all(batch, steps // BATCH_SIZE)
        with v1.Graph().as_default():
            example = build_graph(pattern, NUM_EPOCHS)["examples"][0]
            batch = v1.train.shuffle_batch(example, BATCH_SIZE, capacity, MIN_AFTER_DEQUEUE, seed=SEED)  # () -> (n,)
            shuffled = run_all(batch)
        with v1.Graph().as_default():
            examples = build_graph(pattern, NUM_EPOCHS, readers=NUM_SHARDS)["examples"]
            batch = v1.train.shuffle_batch_join(examples, BATCH_SIZE, capacity, MIN_AFTER_DEQUEUE, seed=SEED)
            joined = run_all(batch)
    return as_trace(rows[0][0], [row[1] for row in rows], batches, shuffled, joined)


def write_files(folder):
    """Writes the same shards."""
    for i in range(NUM_SHARDS):
        with tf.io.TFRecordWriter(path_of(folder, i)) as writer:
            for j in range(INSTANCES_PER_SHARD):
                numbers = {name: tf.train.Int64List(value=[value]) for name, value in (("i", i), ("j", j))}
                feature = {name: tf.train.Feature(int64_list=value) for name, value in numbers.items()}
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


@tf.function
def parse(serialized):
    """Returns the pair (i, j) of a record, int64 scalars."""
    spec = {"i": tf.io.FixedLenFeature([], tf.int64), "j": tf.io.FixedLenFeature([], tf.int64)}
    features = tf.io.parse_single_example(serialized, spec)
    return features["i"], features["j"]


def run_function(steps=STEPS):
    """Data sets are values. Two of them with the same files do not disturb each other."""
    with tempfile.TemporaryDirectory() as folder:
        write_files(folder)
        files = tf.data.Dataset.list_files(os.path.join(folder, "data.tfrecords-*"), shuffle=False)
        names = list(files.as_numpy_iterator())
        dataset = files.repeat().flat_map(tf.data.TFRecordDataset).map(parse)
        features = list(dataset.take(steps).as_numpy_iterator())
        batches = list(dataset.batch(BATCH_SIZE).take(steps // BATCH_SIZE).as_numpy_iterator())
        some = files.repeat(NUM_EPOCHS).flat_map(tf.data.TFRecordDataset).map(parse)
        shuffled = some.shuffle(MIN_AFTER_DEQUEUE, seed=SEED).batch(BATCH_SIZE).as_numpy_iterator()
        apart = files.repeat(NUM_EPOCHS).interleave(tf.data.TFRecordDataset, cycle_length=NUM_SHARDS).map(parse)
        joined = apart.shuffle(MIN_AFTER_DEQUEUE, seed=SEED).batch(BATCH_SIZE).as_numpy_iterator()
        return as_trace(names, features, batches, list(shuffled), list(joined))
