"""tf.estimator.inputs: turns arrays and data frames into input functions, which give one batch in each run."""

import numpy as np
import tensorflow.compat.v1 as v1


def numpy_input_fn(
    x, y=None, batch_size=128, num_epochs=1, shuffle=None, queue_capacity=1000, num_threads=1, seed=None
):
    """Returns an input_fn that gives ({name: [batch, ...]}, labels) from arrays of equal length.

    x: an array or {name: array}. y: an array, {name: array}, or None for features without labels.
    num_epochs: None repeats for ever (default: 1). A batch may contain the end of one epoch and the start of the next.
    shuffle: a bool, which is required. It shuffles within `queue_capacity` examples.
    Raises ValueError for arrays of different lengths and for a shuffle that is not a bool. Raises TypeError for other
    types of x.
    """
    # The order of an input that is not shuffled does not depend on it.
    del num_threads
    _check_shuffle(shuffle)
    if not isinstance(x, (dict, np.ndarray)):
        raise TypeError(f"x must be a dict or array; got {type(x).__name__}")
    if isinstance(x, dict) and not x:
        raise ValueError("x cannot be an empty dict")
    if isinstance(x, np.ndarray) and not x.size:
        raise ValueError("x cannot be an empty array")
    if isinstance(y, dict) and not y:
        raise ValueError("y cannot be empty dict, use None instead.")
    both = {*x} & {*y} if isinstance(x, dict) and isinstance(y, dict) else ()
    if both:
        raise ValueError(f"{len(both)} duplicate keys are found in both x and y: {both}")

    def input_fn():
        features = x if isinstance(x, dict) else {"__direct_np_input__": x}
        labels = {} if y is None else y if isinstance(y, dict) else {"__target__": y}
        lengths = {name: np.shape(value)[0] for name, value in [*features.items(), *labels.items()]}
        if len(set(lengths.values())) != 1:
            raise ValueError(
                f"Length of tensors in x and y is mismatched. All elements must have the same length: {lengths}"
            )
        found = _batches([*features.values(), *labels.values()], batch_size, num_epochs, shuffle, queue_capacity, seed)
        given = dict(zip(features, found))
        given = given if isinstance(x, dict) else given["__direct_np_input__"]
        if y is None:
            return given
        targets = dict(zip(labels, found[len(features) :]))
        return given, (targets if isinstance(y, dict) else targets["__target__"])

    return input_fn


def pandas_input_fn(
    x,
    y=None,
    batch_size=128,
    num_epochs=1,
    shuffle=None,
    queue_capacity=1000,
    num_threads=1,
    target_column="target",
    seed=None,
):
    """numpy_input_fn for a DataFrame, with one feature for each column.

    y: a Series, a DataFrame (labels by name) or None. queue_capacity: None is as many rows as there are. Raises
    ValueError when the indices of x and y differ, and TypeError for a target_column that is no text.
    """
    _check_shuffle(shuffle)
    if not isinstance(target_column, str):
        raise TypeError("target_column must be a string type")
    if y is not None and not np.array_equal(x.index, y.index):
        raise ValueError("Index for x and y are mismatched.")
    labels = None
    if y is not None:
        several = hasattr(y, "columns")
        # Columns of x may have the same names as those of y, but not the target's.
        if not several and target_column in x:
            raise ValueError(f"Cannot use name {target_column} for target column: DataFrame already has such a column")
        columns = {name: y[name] for name in y.columns} if several else {target_column: y}
        labels = {("y", name): column.values for name, column in columns.items()}
    inner = numpy_input_fn(
        {name: x[name].values for name in x.columns}, labels, batch_size, num_epochs, shuffle, queue_capacity,
        num_threads, seed,
    )  # fmt: skip

    def input_fn():
        if y is None:
            return inner()
        features, found = inner()
        found = {name: tensor for (_, name), tensor in found.items()}
        return features, (found if hasattr(y, "columns") else found[target_column])

    return input_fn


def _check_shuffle(shuffle):
    if not isinstance(shuffle, bool):
        raise ValueError(
            "shuffle must be provided and explicitly set as boolean (it is recommended to set it as True for training);"
            f" got {shuffle}"
        )


def _batches(arrays, batch_size, num_epochs, shuffle, capacity, seed):
    """Adds tensors of one batch. The arrays stay outside of the graph, since its file would hold them."""
    arrays = [np.asarray(a) for a in arrays]
    arrays = [a.astype(object) if a.dtype.kind in "US" else a for a in arrays]
    types = [v1.string if a.dtype == object else v1.as_dtype(a.dtype) for a in arrays]
    rows = v1.data.Dataset.range(len(arrays[0]))
    rows = rows.shuffle(len(arrays[0]) if capacity is None else capacity, seed=seed) if shuffle else rows
    rows = rows.repeat(num_epochs).batch(batch_size)

    def cut(indices):
        found = v1.numpy_function(lambda i: [_encoded(a[i]) for a in arrays], [indices], types)
        for tensor, array in zip(found, arrays):
            tensor.set_shape([None, *array.shape[1:]])
        return tuple(found)

    # A one-shot iterator needs no initializer. Programs that feed batches by hand run only that of the variables.
    return v1.data.make_one_shot_iterator(rows.map(cut).prefetch(1)).get_next()


def _encoded(values):
    return (
        np.array([str(v).encode() for v in values.ravel()], object).reshape(values.shape)
        if values.dtype == object
        else values
    )


def tensors_of(dataset):
    """Returns the tensors of the next element. A monitored session starts the iterator together with its tables."""
    iterator = v1.data.make_initializable_iterator(dataset)
    v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, iterator.initializer)
    return iterator.get_next()
