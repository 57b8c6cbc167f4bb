"""tf.contrib.slim.parallel_reader: several readers fill one queue of records."""

import tensorflow.compat.v1 as v1

__all__ = ["get_data_files", "parallel_read", "single_pass_read"]


def parallel_read(
    data_sources,
    reader_class,
    num_epochs=None,
    num_readers=4,
    reader_kwargs=None,
    shuffle=True,
    dtypes=None,
    capacity=256,
    min_after_dequeue=128,
    seed=None,
    scope=None,
):
    """Returns (key, value), two scalar string tensors: the next record of files that several readers read.

    data_sources: a file, a pattern, or a list of them. reader_class: such as tf.TFRecordReader, with reader_kwargs.
    num_epochs: how often each file is read, by default without end. num_readers: only with shuffle.
    dtypes: [the key's, the value's], strings by default. capacity, min_after_dequeue: of the queue of records.
    Raises ValueError when there are no files.
    """
    files = get_data_files(data_sources)
    with v1.name_scope(scope, "parallel_read"):
        names = v1.train.string_input_producer(files, num_epochs, shuffle, seed, name="filenames")
        dtypes = dtypes or [v1.string, v1.string]
        queue = v1.FIFOQueue(capacity, dtypes, name="common_queue")
        if shuffle:
            queue = v1.RandomShuffleQueue(capacity, min_after_dequeue, dtypes, seed=seed, name="common_queue")
        readers = [reader_class(**(reader_kwargs or {})) for _ in range(num_readers if shuffle else 1)]
        # A reader blocks while it waits for a file, so each has a thread of its own.
        runner = v1.train.QueueRunner(queue, [queue.enqueue(reader.read(names)) for reader in readers])
        v1.train.add_queue_runner(runner)
        fraction = v1.cast(queue.size(), v1.float32) / capacity
        v1.summary.scalar(f"fraction_of_{capacity}_full", fraction)
        return queue.dequeue()


def single_pass_read(data_sources, reader_class, reader_kwargs=None, scope=None):
    """Returns (key, value) of the next record. One reader reads every file once, in order."""
    with v1.name_scope(scope, "single_pass_read"):
        names = v1.train.string_input_producer(get_data_files(data_sources), 1, shuffle=False, capacity=1)
        return reader_class(**(reader_kwargs or {})).read(names)


def get_data_files(data_sources):
    """Returns the files that a pattern, a name or a list of them means. Raises ValueError when there are none."""
    if isinstance(data_sources, (list, tuple)):
        found = [file for source in data_sources for file in get_data_files(source)]
    elif any(mark in data_sources for mark in "*?["):
        found = sorted(v1.gfile.Glob(data_sources))
    else:
        found = [data_sources]
    if not found:
        raise ValueError(f"No data files found in {data_sources}")
    return found
