"""Large constants that stay in their file: a message says where the bytes of a value lie, and does not hold them.

A graph is copied several times before it runs, and TensorFlow copies it again. A node takes along where its bytes are.
"""

import os

import ml_dtypes  # noqa: F401  (numpy learns bfloat16 from it)
import numpy as np
from google.protobuf.message import DecodeError

from tf1ref.artifacts.graph import graphs, memory
from tf1ref.artifacts.graph.shapes import attr, dtype_name, elements, shape_of, width
from tf1ref.data.formats import protos
from tf1ref.errors import InputError

LARGE = 1 << 20  # the bytes of a value from which on it stays in the file
HELD = "_held"  # the attribute of a node that says where: MARK, offset:path
# A file may hold such an attribute, too. It cannot know this process' mark, and no node of it reads another file.
MARK = os.urandom(16)
TYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8")
# The numbers of the fields from a message to its nodes (tensorflow/core/framework, tensorflow/core/protobuf).
WAYS = {"GraphDef": (1,), "MetaGraphDef": (2, 1), "SavedModel": (2, 2, 1)}
NODE_ATTR, KEY, VALUE, TENSOR = 5, 1, 2, 8
DTYPE, SHAPE, VERSION, CONTENT = 1, 2, 3, 4  # in a TensorProto
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types


def lean(content, kind: str, path: str) -> bytes:
    """Returns the bytes of a message without the values of its large constants, which keep their places in `path`.

    content: the bytes of the file `path`, such as a mapping. kind: one of WAYS. What is not as TensorFlow writes it
    stays as it is, for the parser to judge.
    """
    try:
        return _lean(content, 0, len(content), WAYS[kind], path)
    except (ValueError, IndexError, DecodeError):
        return bytes(content)


def is_held(node: protos.NodeDef) -> bool:
    """Returns True for a constant whose value is in its file."""
    return HELD in node.attr and node.attr[HELD].s.startswith(MARK)


def array(node: protos.NodeDef) -> np.ndarray:
    """Returns the value of a constant that is held. Raises InputError when its file changed."""
    offset, _, path = node.attr[HELD].s[len(MARK) :].partition(b":")
    proto = node.attr["value"].tensor
    shape = shape_of(proto.tensor_shape)
    try:
        found = memory.aligned(shape, np.dtype(dtype_name(proto.dtype)))
        with open(path, "rb") as f:
            f.seek(int(offset))
            if f.readinto(found.reshape(-1).view(np.uint8).data) < found.nbytes:
                raise ValueError("cut off")
        return found
    except (OSError, ValueError) as e:
        raise InputError(f"{os.fsdecode(path)}: changed while it was read: try again") from e


def fill(node: protos.NodeDef) -> None:
    """Puts the value into a constant that is held, in place."""
    content = array(node).tobytes()
    node.attr["value"].tensor.tensor_content = content
    del node.attr[HELD]


def filled(graph_def: protos.GraphDef) -> protos.GraphDef:
    """Returns `graph_def` with the values in its constants. The result is a copy when one of them is held."""
    if not any(map(is_held, graph_def.node)):
        return graph_def
    result = protos.GraphDef()
    result.CopyFrom(graph_def)
    for node in filter(is_held, result.node):
        fill(node)
    return result


def variables(graph_def: protos.GraphDef) -> dict[str, protos.NodeDef]:
    """Returns {name of a variable in importable(graph_def): the constant that is held}."""
    there = {node.name for node in graph_def.node}
    return {graphs.free(f"{node.name}/variable", there): node for node in graph_def.node if is_held(node)}


def importable(graph_def: protos.GraphDef) -> protos.GraphDef:
    """Returns `graph_def` with the read of a variable, which has no value yet, in place of each constant held."""
    names = {node.name: name for name, node in variables(graph_def).items()}
    if not names:
        return graph_def
    result = protos.GraphDef(versions=graph_def.versions, library=graph_def.library)
    for node in graph_def.node:
        if node.name not in names:
            result.node.add().CopyFrom(node)
            continue
        handle = result.node.add(name=names[node.name], op="VarHandleOp", device=node.device)
        # Without it all variables would be one.
        handle.attr["shared_name"].s = handle.name.encode()
        handle.attr["shape"].shape.CopyFrom(node.attr["value"].tensor.tensor_shape)
        read = result.node.add(name=node.name, op="ReadVariableOp", device=node.device, input=[handle.name])
        for one in (handle, read):
            one.attr["dtype"].type = node.attr["dtype"].type
    return result


def _lean(data, start, end, way, path):
    out, kept = [], start
    for field, wire, head, first, last in _fields(data, start, end):
        if field == way[0] and wire == BYTES and last - first >= LARGE:
            inner = _lean(data, first, last, way[1:], path) if way[1:] else _node(data, first, last, path)
            out += [data[kept:head], _message(field, inner)]
            kept = last
    return b"".join([*out, data[kept:end]])


def _node(data, first, last, path):
    """Returns the bytes of a NodeDef without its value, if that can stay in the file."""
    try:
        entry = _only(data, first, last, NODE_ATTR, lambda *span: _one(data, *span, KEY) == b"value")
        value = _only(data, *entry, VALUE)
        tensor = _only(data, *value, TENSOR)
        if [f for f, *_ in _fields(data, *value)] != [TENSOR]:
            return data[first:last]
        content = _only(data, *tensor, CONTENT)
        fields = [f for f, *_ in _fields(data, *tensor)]
        if len(set(fields)) < len(fields) or not {*fields} <= {DTYPE, SHAPE, VERSION, CONTENT}:
            return data[first:last]
    except LookupError:
        return data[first:last]
    node = protos.NodeDef.FromString(_without(data, first, last, entry))
    proto = protos.TensorProto.FromString(_without(data, *tensor, content))
    size = (elements(shape_of(proto.tensor_shape)) or 0) * (width(proto.dtype) or 0)
    plain = node.op == "Const" and not node.input and HELD not in node.attr
    typed = dtype_name(proto.dtype) in TYPES and attr(node, "dtype").type == proto.dtype
    if not (plain and typed and size == content[1] - content[0] >= LARGE):
        return data[first:last]
    node.attr["value"].tensor.CopyFrom(proto)
    node.attr[HELD].s = MARK + b"%d:" % content[0] + os.fsencode(os.path.abspath(path))
    return node.SerializeToString()


def _without(data, first, last, left_out):
    """Returns the bytes of the fields between `first` and `last`, without the one whose value is `left_out`."""
    found = [(head, begin, end) for _, _, head, begin, end in _fields(data, first, last)]
    return b"".join(data[head:end] for head, begin, end in found if (begin, end) != left_out)


def _only(data, first, last, wanted, fits=lambda *span: True):
    """Returns (start, end) of the one value of the field `wanted` that `fits`. Raises LookupError for none and more."""
    found = [(a, b) for f, w, _, a, b in _fields(data, first, last) if f == wanted and w == BYTES and fits(a, b)]
    if len(found) != 1:
        raise LookupError
    return found[0]


def _one(data, first, last, wanted):
    start, end = _only(data, first, last, wanted)
    return data[start:end]


def _fields(data, start, end):
    """Yields (number, wire type, start, start of the value, end) of each field. Raises ValueError for other bytes."""
    at = start
    while at < end:
        tag, first = _varint(data, at)
        field, wire = tag >> 3, tag & 7
        if wire == BYTES:
            size, first = _varint(data, first)
            last = first + size
        elif wire == VARINT:
            last = _varint(data, first)[1]
        elif wire in (FIXED64, FIXED32):
            last = first + (8 if wire == FIXED64 else 4)
        else:
            raise ValueError("a group, or no field")
        if last > end:
            raise ValueError("cut off")
        yield field, wire, at, first, last
        at = last


def _varint(data, at):
    """Returns (number, where it ends)."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
        if shift > 63:
            raise ValueError("no number")


def _message(field, data):
    head, number = bytearray([field << 3 | BYTES]), len(data)
    while number > 0x7F:
        head.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*head, number]) + data
