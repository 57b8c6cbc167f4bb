"""Checks of what heads are given: arguments, and shapes as far as they are known, or while the graph runs."""

import inspect
from collections.abc import Callable
from typing import Any

import tensorflow.compat.v1 as v1

LOSS_ARGUMENTS = ("labels", "logits", "features", "loss_reduction")


def reduction(how: str) -> str:
    """Returns `how`. Raises ValueError unless it is one of v1.losses.Reduction that gives one number."""
    if how not in v1.losses.Reduction.all() or how == v1.losses.Reduction.NONE:
        raise ValueError(f"Invalid loss_reduction: {how}")
    return how


def loss_arguments(loss_fn: Callable) -> list[str]:
    """Returns the names that a loss_fn takes. Raises ValueError without labels or logits, and for unknown names."""
    names = tuple(inspect.signature(loss_fn).parameters)
    for name in LOSS_ARGUMENTS[:2]:
        if name not in names:
            raise ValueError(f"loss_fn must contain argument: {name}. Given arguments: {names}")
    if other := [name for name in names if name not in LOSS_ARGUMENTS]:
        raise ValueError(f"loss_fn has unexpected args: {other}")
    return list(names)


def logits(tensor: Any, size: int) -> v1.Tensor:
    """Returns float32 logits [D0, ..., DN, size]. Raises ValueError for another size; InvalidArgumentError in a run."""
    tensor = v1.cast(tensor, v1.float32)
    message = "logits shape must be [D0, D1, ... DN, logits_dimension]"
    if tensor.shape.rank is not None:
        if tensor.shape[-1] not in (None, size):
            raise ValueError(f"{message}, got {tensor.shape}.")
        if tensor.shape[-1] == size:
            return tensor
    shape = v1.shape(tensor)
    checked = _if(v1.equal(shape[-1], size), tensor, [f"{message}: ", size, "logits_shape: ", shape])
    if checked.shape.rank is not None:
        # Whoever asks again, such as create_loss after create_estimator_spec, adds no check.
        checked.set_shape([*checked.shape[:-1], size])
    return checked


def labels(tensor: Any, like: v1.Tensor, size: int) -> v1.Tensor:
    """Returns labels as [D0, ..., DN, size] of logits [D0, ..., DN, logits_dimension]; a last 1 may be missing.

    Raises ValueError for missing or sparse labels and another last size, InvalidArgumentError in a run.
    """
    if tensor is None:
        raise ValueError("You must provide a labels Tensor. Given: None. Does your input_fn return labels?")
    if isinstance(tensor, v1.SparseTensor):
        raise ValueError("SparseTensor labels are not supported.")
    tensor = v1.convert_to_tensor(tensor)
    if _lacks_last(tensor, like):
        tensor = v1.expand_dims(tensor, -1)
    if tensor.shape.rank is not None and tensor.shape[-1] not in (None, size):
        raise ValueError(
            f"Mismatched label shape: labels shape must be [D0, D1, ... DN, {size}], got {tensor.shape}. Labels of "
            "several values need the head's label_dimension"
        )
    expected = v1.concat([v1.shape(like)[:-1], [size]], 0)
    return _shaped(tensor, expected, ["expected_labels_shape: ", expected, "labels_shape: ", v1.shape(tensor)])


def weights(tensor: Any, like: v1.Tensor, each: bool = False) -> v1.Tensor:
    """Returns weights as [D0, ..., DN, 1] of logits [D0, ..., DN, logits_dimension]; a last 1 may be missing.

    each: takes one for each logit, too. Raises InvalidArgumentError in a run for another shape.
    """
    shape, given = v1.shape(like), v1.shape(tensor)
    if _lacks_last(tensor, like):
        tensor = v1.expand_dims(tensor, -1)
    if each and tensor.shape.rank is not None and like.shape.rank == tensor.shape.rank and tensor.shape[-1] != 1:
        expected = shape
    else:
        expected = v1.concat([shape[:-1], [1]], 0)
    return _shaped(tensor, expected, ["logits_shape: ", shape, "weights_shape: ", given])


def losses(tensor: Any, like: v1.Tensor, size: int) -> v1.Tensor:
    """Returns what a loss_fn gave. Raises InvalidArgumentError in a run unless it is [D0, ..., DN, size]."""
    shape, expected = v1.shape(tensor), v1.concat([v1.shape(like)[:-1], [size]], 0)
    message = f"loss_fn must return Tensor of shape [D0, D1, ... DN, {size}]. "
    return _if(_equal(shape, expected), tensor, [message, "logits_shape: ", v1.shape(like), "loss_shape: ", shape])


def _lacks_last(tensor, like):
    ranks = tensor.shape.rank, like.shape.rank
    return None not in ranks and ranks[0] == ranks[1] - 1


def _shaped(tensor, expected, data):
    if tensor.shape.rank is not None:
        return _if(_equal(v1.shape(tensor), expected), tensor, data)
    # A tensor of unknown rank may lack the last 1.
    fits = v1.equal(v1.size(tensor), v1.reduce_prod(expected))
    return v1.reshape(_if(fits, tensor, data), expected)


def _equal(shape, expected):
    """Returns whether two shapes, of ranks that may differ, are equal."""
    if not shape.shape.is_compatible_with(expected.shape):
        return v1.constant(False)
    same = v1.equal(v1.size(shape), v1.size(expected))
    return v1.cond(same, lambda: v1.reduce_all(v1.equal(shape, expected)), lambda: v1.constant(False))


def _if(fits, tensor, data):
    # Not assert_equal: that would raise while the graph is made, where 1.15 made a graph that fails.
    with v1.control_dependencies([v1.Assert(fits, data)]):
        return v1.identity(tensor)
