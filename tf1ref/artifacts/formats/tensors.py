"""The values of a constant, without TensorFlow: what tf.make_ndarray returns of a TensorProto."""

import math

import ml_dtypes  # noqa: F401  (numpy learns bfloat16 and its like from it)
import numpy as np

from tf1ref.artifacts.graph.shapes import dtype_name, shape_of

# The field that holds the values of a type, where it is not the type's own (tensorflow/core/framework/tensor.proto).
FIELDS = {"float32": "float_val", "float64": "double_val", "int64": "int64_val", "bool": "bool_val"}
FIELDS |= {"uint32": "uint32_val", "uint64": "uint64_val", "string": "string_val"}
FIELDS |= {"complex64": "scomplex_val", "complex128": "dcomplex_val"}
BITS = ("float16", "bfloat16")  # kept as the bits of a number, in half_val
BYTES = ("float8", "float4")  # kept as bytes, in float8_val


def of(proto) -> np.ndarray:
    """Returns the array of a TensorProto, of its type and shape; strings as bytes in an array of objects.

    Values that are left out at the end are as the last one. Raises ValueError for a type without values, such as a
    resource, and where the values do not fit the shape.
    """
    name = dtype_name(proto.dtype)
    shape = shape_of(proto.tensor_shape)
    if shape is None or None in shape:
        raise ValueError("a shape that is not known")
    dtype = _dtype(name)
    if proto.tensor_content:
        return np.frombuffer(proto.tensor_content, dtype).reshape(shape)
    field = "float8_val" if name.startswith(BYTES) else "half_val" if name in BITS else FIELDS.get(name, "int_val")
    listed = list(getattr(proto, field))
    count = math.prod(shape)
    if name.startswith("complex"):
        listed = [complex(*pair) for pair in zip(listed[::2], listed[1::2])]
    listed = (listed or [b"" if name == "string" else 0])[: max(count, 0)]
    array = np.empty(count, dtype)
    bits = np.uint16 if field == "half_val" else np.uint8 if field == "float8_val" else None
    array[: len(listed)] = np.array(listed, bits).view(dtype) if bits else listed
    array[len(listed) :] = listed[-1:] and array[len(listed) - 1]
    return array.reshape(shape)


def _dtype(name):
    if name == "string":
        return np.dtype(object)
    try:
        return np.dtype(name.removeprefix("q"))
    except TypeError as e:
        raise ValueError(f"no values of {name}") from e
