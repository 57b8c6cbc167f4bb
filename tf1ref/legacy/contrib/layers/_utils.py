"""slim.utils: collections of outputs by name, and flags that may be tensors."""

from tf1ref.legacy._conditions import constant_value, smart_cond
from tf1ref.legacy.contrib.layers._parts import (
    append_tensor_alias,
    collect_named_outputs,
    convert_collection_to_dict,
    get_tensor_aliases,
    get_variable_collections,
)

__all__ = [
    "append_tensor_alias", "collect_named_outputs", "constant_value", "convert_collection_to_dict",
    "gather_tensors_aliases", "get_tensor_aliases", "get_variable_collections", "last_dimension", "n_positive_integers",
    "smart_cond", "static_cond", "two_element_tuple",
]  # fmt: skip


def last_dimension(shape, min_rank=1):
    """Returns the last size of a TensorShape. Raises ValueError when it is unknown or the rank is too small."""
    sizes = shape.as_list()
    if len(sizes) < min_rank or sizes[-1] is None:
        raise ValueError(f"rank of at least {min_rank} and a known last dimension are needed, not {shape}")
    return sizes[-1]


def two_element_tuple(int_or_tuple):
    """Returns a pair: an integer is repeated, a pair is kept."""
    if isinstance(int_or_tuple, int):
        return int_or_tuple, int_or_tuple
    if len(int_or_tuple) != 2:
        raise ValueError(f"Must be a list with 2 elements: {int_or_tuple}")
    return tuple(int(n) for n in int_or_tuple)


def gather_tensors_aliases(tensors):
    """Returns the names that the tensors were given, in one list."""
    return [alias for tensor in tensors for alias in get_tensor_aliases(tensor)]


def static_cond(pred, fn1, fn2):
    """Returns fn1() or fn2(), by a bool that is known now."""
    return smart_cond(bool(pred), fn1, fn2)


def n_positive_integers(n, value):
    """Returns n positive integers: an integer is repeated, a sequence of n of them is kept.

    Raises ValueError for anything else.
    """
    if not isinstance(n, int) or n < 1:
        raise ValueError("n must be a positive integer")
    values = (value,) * n if isinstance(value, int) else tuple(value)
    sizes = [getattr(each, "value", each) for each in values]
    if len(sizes) != n or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(f"Expected sequence of {n} positive integers, but received {value}")
    return tuple(sizes)
