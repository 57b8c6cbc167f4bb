"""tf.contrib.data: data sets as in 1.2 and 1.3, and the functions that are in tf.data.experimental today."""

import tensorflow.compat.v1 as v1
from tensorflow.python.data.util import nest

Dataset = v1.data.Dataset
FixedLengthRecordDataset = v1.data.FixedLengthRecordDataset
Iterator = v1.data.Iterator
TFRecordDataset = v1.data.TFRecordDataset
TextLineDataset = v1.data.TextLineDataset

AUTOTUNE = v1.data.experimental.AUTOTUNE
Counter = v1.data.experimental.Counter
CsvDataset = v1.data.experimental.CsvDataset
Optional = v1.data.experimental.Optional
Reducer = v1.data.experimental.Reducer
RandomDataset = v1.data.experimental.RandomDataset
SqlDataset = v1.data.experimental.SqlDataset
bucket_by_sequence_length = v1.data.experimental.bucket_by_sequence_length
choose_from_datasets = v1.data.experimental.choose_from_datasets
copy_to_device = v1.data.experimental.copy_to_device
dense_to_sparse_batch = v1.data.experimental.dense_to_sparse_batch
enumerate_dataset = v1.data.experimental.enumerate_dataset
get_next_as_optional = v1.data.experimental.get_next_as_optional
get_single_element = v1.data.experimental.get_single_element
group_by_window = v1.data.experimental.group_by_window
group_by_reducer = v1.data.experimental.group_by_reducer
ignore_errors = v1.data.experimental.ignore_errors
make_csv_dataset = v1.data.experimental.make_csv_dataset
make_saveable_from_iterator = v1.data.experimental.make_saveable_from_iterator
map_and_batch = v1.data.experimental.map_and_batch
parallel_interleave = v1.data.experimental.parallel_interleave
parse_example_dataset = v1.data.experimental.parse_example_dataset
prefetch_to_device = v1.data.experimental.prefetch_to_device
read_batch_features = v1.data.experimental.make_batched_features_dataset
rejection_resample = v1.data.experimental.rejection_resample
sample_from_datasets = v1.data.experimental.sample_from_datasets
scan = v1.data.experimental.scan
shuffle_and_repeat = v1.data.experimental.shuffle_and_repeat
unbatch = v1.data.experimental.unbatch
unique = v1.data.experimental.unique


def batch_and_drop_remainder(batch_size):
    """A transformation for dataset.apply: batches of exactly batch_size. The remainder at the end is dropped."""
    return lambda dataset: dataset.batch(batch_size, drop_remainder=True)


def padded_batch_and_drop_remainder(batch_size, padded_shapes, padding_values=None):
    """A transformation for dataset.apply: batches of exactly batch_size, padded to padded_shapes."""
    return lambda dataset: dataset.padded_batch(batch_size, padded_shapes, padding_values, drop_remainder=True)


def assert_element_shape(expected_shapes):
    """A transformation for dataset.apply: the elements have `expected_shapes`, one TensorShape for each tensor.

    Raises ValueError when the known shapes differ, and InvalidArgumentError when an element is of another shape.
    """

    def checked(*elements):
        element = elements[0] if len(elements) == 1 else elements
        pairs = zip(nest.flatten(element), nest.flatten(expected_shapes), strict=True)
        # An unknown shape says nothing, and ensure_shape takes none.
        found = [t if v1.TensorShape(shape).rank is None else v1.ensure_shape(t, shape) for t, shape in pairs]
        return nest.pack_sequence_as(element, found)

    return lambda dataset: dataset.map(checked)


def sliding_window_batch(window_size, stride=None, window_shift=None, window_stride=1):
    """A transformation for dataset.apply: batches of window_size elements, each window_shift elements further on.

    stride: the older name of window_shift (default: 1). window_stride: how far apart the elements of a window are. A
    remainder at the end is dropped. Raises ValueError for both names.
    """
    if stride is not None and window_shift is not None:
        raise ValueError("Cannot specify both `stride` and `window_shift`")
    shift = next(each for each in (window_shift, stride, 1) if each is not None)

    def batch(*windows):
        window = windows[0] if len(windows) == 1 else windows
        return v1.data.Dataset.zip(nest.map_structure(lambda each: each.batch(window_size), window))

    return lambda dataset: dataset.window(window_size, shift, window_stride, drop_remainder=True).flat_map(batch)


def reduce_dataset(dataset, reducer):
    """Returns what a Reducer makes of all elements. Raises TypeError for anything but a data set."""
    if not isinstance(dataset, v1.data.Dataset):
        raise TypeError("`dataset` must be a `tf.data.Dataset` object.")
    return dataset.reduce(reducer.init_func(v1.constant(0, v1.int64)), reducer.reduce_func)
