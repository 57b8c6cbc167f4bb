"""Shapes without running or importing anything: recorded ones, and what follows from them for the usual layers.

TensorFlow's own inference needs an import of the graph, which evaluates constants of a foreign file.
A shape is a list of ints and None (unknown size), or None when the rank is unknown, too.
"""

import math
import re
import struct

from tf1ref.artifacts.graph.graphs import tensor
from tf1ref.data.formats import protos

MOST_DIMENSIONS = 254  # tensorflow/core/framework/tensor_shape.h
SMALL = 64  # the most elements of a constant that is read as a shape

# Ops whose output has the shape of their first input.
SAME = re.compile(
    r"Identity|StopGradient|Relu|Relu6|Elu|Selu|LeakyRelu|Sigmoid|Tanh|Softplus|Softmax|LogSoftmax|BiasAdd"
    r"|Abs|Neg|Exp|Log|Sqrt|Rsqrt|Square|Floor|Round|Cast|ReadVariableOp|CheckNumerics|LRN|Sign"
    r"|FusedBatchNorm|FusedBatchNormV2|FusedBatchNormV3|BatchNormWithGlobalNormalization"
    r"|FakeQuantWithMinMaxVars|FakeQuantWithMinMaxArgs|PlaceholderWithDefault|PreventGradient|Reciprocal"
    r"|Enter|Exit|RefIdentity|Snapshot|Erf|ClipByValue|ZerosLike|OnesLike"
)
BROADCAST = re.compile(r"Add|AddV2|Sub|Mul|RealDiv|Div|Maximum|Minimum|SquaredDifference|Pow|FloorDiv")
RECORDED = ("Placeholder", "PlaceholderV2", "Variable", "VariableV2", "VarHandleOp")
NO_VALUE = protos.AttrValue()
# TensorFlow's words for a DataType, where they are not its own in small letters.
TYPES = {"float": "float32", "double": "float64", "half": "float16"}
# Bytes of one element, where the number at the end of the name does not say its bits.
WIDTHS = {"bool": 1, "string": 0, "resource": 1, "variant": 1, "complex64": 8, "complex128": 16}


def shape_of(proto):
    """Returns the shape in a TensorShapeProto. Sizes below 0 are unknown.

    With more than MOST_DIMENSIONS, all is unknown.
    """
    unknown = proto.unknown_rank or len(proto.dim) > MOST_DIMENSIONS
    return None if unknown else [d.size if d.size >= 0 else None for d in proto.dim]


def text(shape):
    """Returns a shape as people read it, with TF1's mark for an unknown size. `shape`: sizes, or None.

    >>> text([None, 28, 28]), text([]), text(None)
    ('[?, 28, 28]', '[]', 'any')
    """
    return "any" if shape is None else f"[{', '.join('?' if n is None else str(n) for n in shape)}]"


def elements(shape):
    """Returns the number of elements of a shape, or None when it is unknown or more than TensorFlow counts.

    >>> elements([2, 3]), elements([None, 3])
    (6, None)
    """
    count = None if shape is None or None in shape else math.prod(shape)
    return count if count is None or count < 2**63 else None


def dtype_name(number):
    """Returns a name such as "float32" for a DataType number, or words for an unknown number.

    >>> dtype_name(1)
    'float32'
    """
    try:
        name, ref, _ = protos.DataType.Name(number).removeprefix("DT_").lower().partition("_ref")
    except ValueError:
        name = ref = ""
    return TYPES.get(name, name) + ref if name not in ("", "invalid") else f"unknown type {number}"


def width(number):
    """Returns the bytes of one element of a DataType number: 0 for a string, None for an unknown number."""
    name = dtype_name(number).removesuffix("_ref")
    if name in WIDTHS:
        return WIDTHS[name]
    bits = re.match(r"[a-z]+(\d+)", name)
    return max(int(bits[1]) // 8, 1) if bits else None


def attr(node, name):
    """Returns an attribute of a NodeDef, or an empty value. `node.attr[name]` would add a missing one."""
    return node.attr.get(name, NO_VALUE)


def dtype_of(node):
    """Returns the name of the type of a NodeDef's output 0 according to its attributes, or ""."""
    for name in ("dtype", "DstT", "output_type", "out_type", "T"):
        if attr(node, name).type:
            return dtype_name(attr(node, name).type)
    return {"ArgMax": "int64", "Shape": "int32"}.get(node.op, "")


class Shapes:
    """The shapes of a graph's tensors. `nodes`: {name: NodeDef}. Each is found once, without recursion."""

    def __init__(self, nodes):
        self.nodes, self.known = nodes, {}
        self.rules = {
            "MatMul": self._matmul,
            "Reshape": self._reshape,
            "Squeeze": self._squeeze,
            **dict.fromkeys(("Conv2D", "DepthwiseConv2dNative"), self._conv),
            **dict.fromkeys(("MaxPool", "AvgPool"), self._pool),
            **dict.fromkeys(("ArgMax", "Mean", "Sum", "Max"), self._reduce),
        }

    def of(self, name, index=0):
        """Returns the shape of output `index` of the node `name`, or None when it is unknown."""
        stack, entered = [(name, index)], set()
        while stack:
            key = stack[-1]
            node = self.nodes.get(key[0])
            if key in self.known or node is None:
                self.known.setdefault(stack.pop())
                continue
            needed = []
            # A loop comes back here, and what it depends on stays unknown.
            if key not in entered:
                entered.add(key)
                needed = [t for t in self._needed(node, key[1]) if t not in self.known and t not in entered]
                stack += needed
            if not needed:
                self.known[stack.pop()] = self._shape(node, key[1])
        return self.known[name, index]

    def _needed(self, node, index):
        """Returns the tensors on whose shapes that of output `index` of `node` depends."""
        if index or self._recorded(node, index) or not self._rule(node.op):
            return []
        return _data(node)[: 1 if node.op in ("Reshape", "Mean", "Sum", "Max", "ArgMax") else 2]

    def _shape(self, node, index):
        recorded = self._recorded(node, index)
        if recorded is not None or index:
            return recorded
        rule, data = self._rule(node.op), _data(node)
        if not rule or not data:
            return None
        return rule(node, [self.known.get(t) for t in data])

    def _recorded(self, node, index):
        shapes = attr(node, "_output_shapes").list.shape
        # The recorded shape of a resource variable is that of its handle, a scalar.
        if index < len(shapes) and not shapes[index].unknown_rank and node.op != "VarHandleOp":
            return shape_of(shapes[index])
        if node.op == "Const" and "value" in node.attr:
            return shape_of(node.attr["value"].tensor.tensor_shape)
        if node.op in RECORDED and "shape" in node.attr:
            return shape_of(node.attr["shape"].shape)
        return None

    def _rule(self, op):
        if SAME.fullmatch(op):
            return lambda node, shapes: shapes[0]
        return self._broadcast if BROADCAST.fullmatch(op) else self.rules.get(op)

    def _broadcast(self, node, shapes):
        if len(shapes) < 2 or None in shapes[:2]:
            return None
        a, b = sorted(shapes[:2], key=len)
        a = [1] * (len(b) - len(a)) + a
        return [y if x == 1 else x if y == 1 else (y if x is None else x) for x, y in zip(a, b)]

    def _matmul(self, node, shapes):
        a, b = [*shapes, None][:2]
        rows = a[1 if attr(node, "transpose_a").b else 0] if a and len(a) == 2 else None
        columns = b[0 if attr(node, "transpose_b").b else 1] if b and len(b) == 2 else None
        return [rows, columns]

    def _reshape(self, node, shapes):
        wanted = self._numbers(node, 1)
        if wanted is None:
            return None
        before = elements(shapes[0])
        known = math.prod(n for n in wanted if n >= 0)
        if before is not None and known and wanted.count(-1) == 1 and before % known == 0:
            return [before // known if n == -1 else n for n in wanted]
        return [n if n >= 0 else None for n in wanted]

    def _squeeze(self, node, shapes):
        shape = shapes[0]
        if shape is None:
            return None
        axes = [i + len(shape) if i < 0 else i for i in attr(node, "squeeze_dims").list.i]
        if not axes and None in shape:
            return None
        return [n for i, n in enumerate(shape) if (i not in axes if axes else n != 1)]

    def _conv(self, node, shapes):
        shape, kernel = [*shapes, None][:2]
        if not kernel or len(kernel) != 4:
            return None
        channels = kernel[3]
        if node.op != "Conv2D":
            channels = None if None in kernel[2:] else kernel[2] * kernel[3]
        return _window(node, shape, kernel[:2], channels)

    def _pool(self, node, shapes):
        sizes = list(attr(node, "ksize").list.i)
        if len(sizes) != 4 or not shapes[0] or len(shapes[0]) != 4:
            return None
        first = _channels(node) == 1
        return _window(node, shapes[0], sizes[2:] if first else sizes[1:3], shapes[0][_channels(node)])

    def _reduce(self, node, shapes):
        shape, axes = shapes[0], self._numbers(node, 1)
        if shape is None or axes is None:
            return None
        axes = {a + len(shape) if a < 0 else a for a in axes}
        if attr(node, "keep_dims").b:
            return [1 if i in axes else n for i, n in enumerate(shape)]
        return [n for i, n in enumerate(shape) if i not in axes]

    def _numbers(self, node, index):
        """Returns the integers of a small constant that is input `index` of `node`, or None for another input."""
        data = _data(node)
        constant = self.nodes.get(data[index][0]) if index < len(data) else None
        if constant is None or constant.op != "Const":
            return None
        value = attr(constant, "value").tensor
        count = elements(shape_of(value.tensor_shape))
        listed, letter = {"int32": (value.int_val, "i"), "int64": (value.int64_val, "q")}.get(
            dtype_name(value.dtype), (None, "")
        )
        if listed is None or count is None or count > SMALL:
            return None
        if value.tensor_content:
            whole = struct.calcsize(f"<{count}{letter}") == len(value.tensor_content)
            return list(struct.unpack(f"<{count}{letter}", value.tensor_content)) if whole else None
        listed = list(listed)[:count] or [0]
        return (listed + listed[-1:] * count)[:count]


def _window(node, shape, sizes, channels):
    """Returns the shape after a sliding window, by tf.nn.convolution's formulas.

    SAME gives ceil(n / stride), VALID how often the window fits.
    """
    strides, dilations = list(attr(node, "strides").list.i), list(attr(node, "dilations").list.i) or [1] * 4
    if not shape or not len(shape) == len(strides) == len(dilations) == 4:
        return None
    result, last = list(shape), _channels(node)
    result[last] = channels
    for axis, size in zip((2, 3) if last == 1 else (1, 2), sizes):
        padding = attr(node, "padding").s
        if shape[axis] is None or size is None or strides[axis] < 1 or padding not in (b"SAME", b"VALID"):
            result[axis] = None
        else:
            over = 0 if padding == b"SAME" else (size - 1) * dilations[axis]
            result[axis] = max(-(-(shape[axis] - over) // strides[axis]), 0)
    return result


def _channels(node):
    return 1 if attr(node, "data_format").s == b"NCHW" else 3


def _data(node):
    return [tensor(i) for i in node.input if i[0] != "^"]
