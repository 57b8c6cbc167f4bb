"""Arguments that convolutions and pools share, and the conversion between the two data formats."""

import contextlib

import tensorflow.compat.v1 as v1


def sizes(value, rank, what):
    """Returns `rank` positive integers from one number or from a sequence. Raises ValueError otherwise.

    >>> sizes(3, 2, "kernel_size"), sizes((3, 5), 2, "kernel_size")
    ((3, 3), (3, 5))
    """
    values = tuple(value) if hasattr(value, "__len__") else (value,) * rank
    if len(values) != rank or not all(_is_size(v) for v in values):
        raise ValueError(f"The `{what}` argument must be a positive integer or {rank} of them. Received: {value}")
    return tuple(int(v) for v in values)


def _is_size(value):
    with contextlib.suppress(TypeError, ValueError):
        return int(value) == value and value > 0
    return False


def padding_of(value):
    """Returns a padding in lower case: "valid" or "same". Raises ValueError for another one."""
    if str(value).lower() not in ("valid", "same"):
        raise ValueError(f'The `padding` argument must be one of "valid", "same". Received: {value}')
    return value.lower()


def data_format_of(value):
    """Returns a data format in lower case. Raises ValueError for an unknown one."""
    if str(value).lower() not in ("channels_last", "channels_first"):
        raise ValueError(
            f'The `data_format` argument must be one of "channels_first", "channels_last". Received: {value}'
        )
    return value.lower()


def windows(length, size, stride, padding):
    """Returns how many windows of `size` fit a length: inside it for "valid", or with zeros around it for "same".

    >>> windows(28, 5, 1, "valid"), windows(28, 5, 2, "same")
    (24, 14)
    """
    return -(-length // stride) if padding == "same" else -(-(length - size + 1) // stride)


def to_last(inputs, data_format):
    """Computes channels_first inputs as channels_last, the only format that TensorFlow's CPU kernels have."""
    rank = inputs.get_shape().ndims
    return v1.transpose(inputs, [0, *range(2, rank), 1]) if data_format == "channels_first" else inputs


def from_last(outputs, data_format):
    """Converts channels_last outputs to `data_format`."""
    rank = outputs.get_shape().ndims
    return v1.transpose(outputs, [0, rank - 1, *range(1, rank - 1)]) if data_format == "channels_first" else outputs
