"""A frozen graph as bytes, one weight at a time.

Building one GraphDef and serializing it would hold the weights twice more. Here each weight is streamed instead.
"""

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.core.framework.tensor_pb2 import TensorProto

from tf1ref.artifacts.graph import held
from tf1ref.artifacts.graph.constants import constant
from tf1ref.artifacts.graph.graphs import copy
from tf1ref.artifacts.graph.shapes import elements, shape_of, width
from tf1ref.errors import InputError

# A variable of this many bytes or more is not copied into a message.
LARGE = 1 << 20
MOST_BYTES = 2**31 - 1  # the most bytes in one protocol buffer
# These tags are a field's number and "bytes follow": GraphDef.node, NodeDef.attr, its value, its tensor, the numbers.
NODE, ATTR, VALUE, TENSOR, CONTENT = (number << 3 | 2 for number in (1, 5, 2, 8, 4))


def check_size(where, variables):
    """Raises InputError when the weights of `variables`, NodeDefs, are more than one protocol buffer holds."""
    total = sum(
        (elements(shape_of(v.attr["shape"].shape)) or 0) * (width(v.attr["dtype"].type) or 0) for v in variables
    )
    if total > MOST_BYTES:
        raise InputError(
            f"{where}: {total:,} bytes of weights, more than the 2 GB one file holds: "
            "convert it to a saved_model or a checkpoint, or freeze a part of it, by --outputs"
        )


def pieces(graph, values):
    """Yields the bytes of a graphs.Graph that `without_values` returned, with `values`, those of `frozen(...)`.

    Neither a message of all weights nor a copy of one is made. Writing a file of 100 MB needs about that much memory.
    Raises InputError above the 2 GB that one protocol buffer holds.
    """
    graph_def, total = graph.graph_def, 0
    rest = v1.GraphDef(versions=graph_def.versions)
    if graph_def.HasField("library"):
        rest.library.CopyFrom(graph_def.library)
    for node in graph_def.node:
        lacks = node.name in values and "value" not in node.attr
        array = np.asarray(values[node.name]) if lacks else held.array(node) if held.is_held(node) else None
        if array is not None:
            node = copy(node)
            for name in ("value", held.HELD):
                node.attr.pop(name, None)
        if array is not None and array.nbytes >= LARGE and array.dtype.name in held.TYPES:
            found = _node_pieces(node, array)
        else:
            if array is not None:
                constant(node, node.name, array, node.attr["dtype"].type)
            found = [_field(NODE, node.SerializeToString(deterministic=True))]
        total += sum(len(piece) for piece in found)
        if total > MOST_BYTES:
            raise InputError(f"{graph.where}: more than the 2 GB one file holds: freeze a part of it, by --outputs")
        yield from found
    yield rest.SerializeToString(deterministic=True)


def _node_pieces(node, array):
    """Yields the Const `node`, with `array` as its value, as a GraphDef's field (tensorflow/core/framework)."""
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data  # bfloat16 has no buffer of its own
    proto = TensorProto(dtype=node.attr["dtype"].type, tensor_shape=tf.TensorShape(array.shape).as_proto())
    head = proto.SerializeToString(deterministic=True) + bytes([CONTENT]) + _varint(len(data))
    for field, before in ((TENSOR, b""), (VALUE, b"\x0a\x05value"), (ATTR, b"")):
        head = before + bytes([field]) + _varint(len(head) + len(data)) + head
    own = node.SerializeToString(deterministic=True)
    return [bytes([NODE]) + _varint(len(own) + len(head) + len(data)) + own + head, data]


def _field(tag, data):
    return bytes([tag]) + _varint(len(data)) + data


def _varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
