"""slim.utils: collections of outputs by name, and flags that may be tensors."""

from tf1ref.legacy._conditions import constant_value, smart_cond
from tf1ref.legacy.contrib.layers._parts import (
    append_tensor_alias,
    collect_named_outputs,
    convert_collection_to_dict,
    get_variable_collections,
)

__all__ = [
    "append_tensor_alias", "collect_named_outputs", "constant_value", "convert_collection_to_dict",
    "get_variable_collections", "last_dimension", "smart_cond", "two_element_tuple",
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
