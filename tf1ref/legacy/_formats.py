"""Arguments that convolutions and pools share, and the way between the two data formats."""

import contextlib

import tensorflow.compat.v1 as v1


def sizes(value, rank, what):
    """Returns `rank` positive integers of one number or of a sequence. Raises ValueError otherwise."""
    values = tuple(value) if hasattr(value, "__len__") else (value,) * rank
    if len(values) != rank or not all(_is_size(v) for v in values):
        raise ValueError(f"The `{what}` argument must be a positive integer or {rank} of them. Received: {value}")
    return tuple(int(v) for v in values)


def _is_size(value):
    with contextlib.suppress(TypeError, ValueError):
        return int(value) == value and value > 0
    return False


def padding_of(value):
    if str(value).lower() not in ("valid", "same"):
        raise ValueError(f'The `padding` argument must be one of "valid", "same". Received: {value}')
    return value.lower()


def data_format_of(value):
    if str(value).lower() not in ("channels_last", "channels_first"):
        raise ValueError(
            f'The `data_format` argument must be one of "channels_first", "channels_last". Received: {value}'
        )
    return value.lower()


def windows(length, size, stride, padding):
    """Returns how many windows of `size` fit a length, "valid" inside of it or "same" with zeros around it."""
    return -(-length // stride) if padding == "same" else -(-(length - size + 1) // stride)


def to_last(inputs, data_format):
    """channels_first is computed in channels_last: TensorFlow's CPU kernels have no other."""
    rank = inputs.get_shape().ndims
    return v1.transpose(inputs, [0, *range(2, rank), 1]) if data_format == "channels_first" else inputs


def from_last(outputs, data_format):
    rank = outputs.get_shape().ndims
    return v1.transpose(outputs, [0, rank - 1, *range(1, rank - 1)]) if data_format == "channels_first" else outputs
