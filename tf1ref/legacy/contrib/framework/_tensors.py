"""tf.contrib.framework's small functions of tensors: asserted shapes, ranks, sums, graphs, names."""

import numpy as np
import tensorflow.compat.v1 as v1
from tensorflow.python.framework import ops
from tensorflow.python.ops import confusion_matrix


def with_same_shape(expected_tensor, tensor):
    """Returns `tensor`, asserted to have the shape of `expected_tensor`."""
    with v1.name_scope(f"{tensor.op.name}/"):
        shape = expected_tensor.get_shape()
        return with_shape(shape.as_list() if shape.is_fully_defined() else v1.shape(expected_tensor), tensor)


def with_shape(expected_shape, tensor):
    """Returns `tensor` with that shape. It is checked now where it is known, else by an assertion when the op runs.

    expected_shape: a list, a TensorShape (an unknown size fits any), or a tensor of int32.
    Raises ValueError when the shapes do not fit, for a SparseTensor, and for an expected shape of another kind.
    """
    if isinstance(tensor, v1.SparseTensor):
        raise ValueError("SparseTensor not supported.")
    tensor = v1.convert_to_tensor(tensor)
    expected = _checked_shape(expected_shape, tensor)
    actual, dynamic = tensor.get_shape(), v1.is_tensor(expected)
    is_scalar = not dynamic and v1.TensorShape(expected).ndims == 0
    if actual.is_fully_defined() and not dynamic:
        if actual.is_compatible_with(expected):
            return tensor
        if not (is_scalar and actual.is_compatible_with([1])):
            raise ValueError(f"Invalid shape for tensor {tensor.name}, expected {expected_shape}, got {actual}.")
    with v1.name_scope(f"{tensor.op.name}/"):
        if is_scalar:
            return v1.reshape(tensor, [])
        with v1.control_dependencies([_assertion(expected, tensor)]):
            result = v1.identity(tensor)
        if not dynamic:
            result.set_shape(expected)
        return result


def _checked_shape(expected, tensor):
    where = f"for shape {expected} expected of tensor {tensor.name}"
    if v1.is_tensor(expected):
        if expected.dtype.base_dtype != v1.int32:
            raise ValueError(f"Invalid dtype {expected.dtype} {where}.")
    elif not isinstance(expected, v1.TensorShape):
        kept = np.asarray(expected) if len(expected) else np.asarray([], np.int32)
        if kept.ndim > 1:
            raise ValueError(f"Invalid rank {kept.ndim} {where}.")
        of_list = not isinstance(expected, np.ndarray) and kept.dtype == np.int64
        if kept.dtype != np.int32 and not of_list:
            raise ValueError(f"Invalid dtype {kept.dtype} {where}.")
        return kept.astype(np.int32)
    return expected


def _assertion(expected, tensor):
    with v1.name_scope("assert_shape"):
        if isinstance(expected, v1.TensorShape):
            expected = [-1 if size is None else size for size in expected.as_list()]
        actual = v1.shape(tensor, name="actual")
        same_rank = v1.equal(v1.size(expected), v1.rank(tensor))
        # Sizes can only be compared when the ranks are equal.
        same = v1.cond(
            same_rank,
            lambda: v1.reduce_all(v1.logical_or(v1.equal(expected, -1), v1.equal(expected, actual))),
            lambda: v1.constant(False),
        )
        return v1.Assert(same, [f"Wrong shape for {tensor.name} [expected] [actual].", expected, actual])


def assert_scalar_int(tensor, name=None):
    """Returns the tensor. Raises ValueError when it is not a scalar of an integer type."""
    with v1.name_scope(name, "assert_scalar_int", [tensor]) as scope:
        tensor = v1.convert_to_tensor(tensor)
        if not tensor.dtype.base_dtype.is_integer:
            raise ValueError(f"Expected integer type for {tensor.name}, received type: {tensor.dtype}.")
        return v1.assert_scalar(tensor, name=scope)


def reduce_sum_n(tensors, name=None):
    """Returns the sum of all elements of all tensors, a scalar. Raises ValueError for an empty list."""
    if not tensors:
        raise ValueError("No tensors provided.")
    with v1.name_scope(name, "reduce_sum_n", tensors) as scope:
        sums = [v1.reduce_sum(tensor, name=f"{tensor.op.name}/sum") for tensor in tensors]
        return sums[0] if len(sums) == 1 else v1.add_n(sums, name=scope)


def remove_squeezable_dimensions(predictions, labels, name=None):
    """Returns (predictions, labels). When one has one more axis than the other, its last axis of size 1 is removed."""
    labels, predictions = confusion_matrix.remove_squeezable_dimensions(labels, predictions, name=name)
    return predictions, labels


def convert_to_tensor_or_sparse_tensor(value, dtype=None, name=None):
    """Returns a Tensor or a SparseTensor from a value of either. Raises RuntimeError for another dtype."""
    if dtype is not None:
        dtype = v1.as_dtype(dtype)
    if isinstance(value, v1.SparseTensorValue):
        value = v1.SparseTensor.from_value(value)
    if isinstance(value, v1.SparseTensor):
        if dtype and not dtype.is_compatible_with(value.dtype):
            raise RuntimeError(f"Sparse dtype: requested = {dtype.name}, actual = {value.dtype.name}")
        return value
    return v1.convert_to_tensor(value, dtype=dtype, name=name)


def get_name_scope():
    """Returns the current name scope without its closing slash."""
    return v1.get_default_graph().get_name_scope()


def get_graph_from_inputs(op_input_list, graph=None):
    """Returns the graph of the inputs, else `graph`, else the default graph. Raises ValueError for several graphs."""
    found = graph
    for value in op_input_list:
        of = getattr(value, "graph", None)
        if of is not None and found is not None and of is not found:
            raise ValueError(f"{value} is not from the passed-in graph. All inputs must be from the same graph.")
        found = found or of
    return found or ops.get_default_graph()
