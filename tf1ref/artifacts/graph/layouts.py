"""Rewrites graphs of a GPU, with channels first, for a CPU: each op works channels last, between two transposes.

TensorFlow's own CPU kernels know only NHWC. oneDNN's know both, and are off where answers are compared to the bit. The
sums are the same, in the order of the kernel for NHWC, so both sides of a comparison are rewritten alike.
"""

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import graphs
from tf1ref.artifacts.graph.constants import constant
from tf1ref.artifacts.graph.graphs import tensor
from tf1ref.artifacts.graph.shapes import attr

LAST = {b"NCHW": b"NHWC", b"NCDHW": b"NDHWC"}
# {op: the inputs that are pictures}. The first output is a picture, too.
OPS = {
    **dict.fromkeys(
        ("Conv2D", "DepthwiseConv2dNative", "MaxPool", "AvgPool", "Conv3D", "MaxPool3D", "AvgPool3D"), (0,)
    ),
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), (0,)),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), (0,)),
    "Conv2DBackpropInput": (2,),
    "Conv3DBackpropInputV2": (2,),
}
SIZES = {"Conv2DBackpropInput": 0, "Conv3DBackpropInputV2": 0}  # {op: the input that is the size of a picture}
LISTS = ("strides", "dilations", "ksize")  # attributes with a number for each dimension
INNER = "/channels_last"  # what the name of a rewritten op ends with
NUMBER = tf.int32.as_datatype_enum


def first(graph_def: v1.GraphDef) -> list[v1.NodeDef]:
    """Returns the NodeDefs outside of functions that work channels first and can work channels last."""
    return [n for n in graph_def.node if n.op in OPS and attr(n, "data_format").s in LAST]


def note(graph_def: v1.GraphDef) -> list[str]:
    """Returns a line that describes what channels_last does to `graph_def`, or nothing when it does nothing."""
    found = first(graph_def)
    ops = ", ".join(sorted({n.op for n in found}))
    words = f"{len(found)} ops with channels first ({ops}) were asked with channels last, as a CPU's kernels are"
    return [words] if found else []


def channels_last(graph_def: v1.GraphDef) -> tuple[v1.GraphDef, dict[str, str]]:
    """Returns `graph_def` with channels last in each op of OPS, and {tensor: its new name} of its outputs."""
    there, names = {n.name for n in graph_def.node}, {}
    changed = {n.name for n in first(graph_def)}
    if not changed:
        return graph_def, {}
    result = v1.GraphDef(versions=graph_def.versions, library=graph_def.library)
    for node in graph_def.node:
        if node.name in changed:
            inner = graphs.free(node.name + INNER, there)
            there.add(inner)
            names[node.name] = inner
            result.node.extend(_turned(node, inner, there))
        else:
            result.node.append(node)
    moments = {}
    for node in result.node:
        for i, reference in enumerate(node.input):
            name, index = tensor(reference)
            # Only the first output is transposed.
            if reference[0] != "^" and index and name in names:
                node.input[i] = f"{names[name]}:{index}"
    for name, inner in names.items():
        moments.update({f"{name}:{i}": f"{inner}:{i}" for i in range(1, 6)})
    return result, moments


def _turned(node, inner, there):
    """Returns the NodeDefs that replace `node`: transposes, the node as `inner`, and a transpose with its old name."""
    rank = len(attr(node, "data_format").s)
    to_last, to_first = [0, *range(2, rank), 1], [0, rank - 1, *range(1, rank - 1)]
    kind, made = attr(node, "T").type or tf.float32.as_datatype_enum, []

    def add(suffix, value, beside):
        number = made.append(v1.NodeDef()) or made[-1]
        constant(number, graphs.free(f"{inner}/{suffix}", there), value, NUMBER)
        # In the frame of a loop a constant must wait for something there.
        number.input.append(f"^{tensor(beside)[0]}")
        return number.name

    turned = v1.NodeDef()
    turned.CopyFrom(node)
    turned.name = inner
    turned.attr["data_format"].s = LAST[node.attr["data_format"].s]
    for name in LISTS:
        if len(attr(node, name).list.i) == rank:
            turned.attr[name].list.i[:] = [node.attr[name].list.i[i] for i in to_last]
    pads = list(attr(node, "explicit_paddings").list.i)
    if len(pads) == 2 * rank:
        turned.attr["explicit_paddings"].list.i[:] = [pads[2 * i + side] for i in to_last for side in (0, 1)]
    for i in OPS[node.op]:
        order = add(f"in_{i}/order", to_last, node.input[i])
        turned.input[i] = _transpose(made, f"{inner}/in_{i}", node.input[i], order, kind)
    if node.op in SIZES:
        i = SIZES[node.op]
        order, axis = (add(f"size/{word}", v, node.input[i]) for word, v in (("order", to_last), ("axis", 0)))
        gathered = v1.NodeDef(name=f"{inner}/size", op="GatherV2", input=[node.input[i], order, axis])
        for name in ("Tparams", "Tindices", "Taxis"):
            gathered.attr[name].type = NUMBER
        made.append(gathered)
        turned.input[i] = gathered.name
    made.append(turned)
    _transpose(made, node.name, inner, add("out/order", to_first, inner), kind)
    return made


def _transpose(made, name, reference, order, kind):
    node = v1.NodeDef(name=name, op="Transpose", input=[reference, order])
    node.attr["T"].type, node.attr["Tperm"].type = kind, NUMBER
    made.append(node)
    return name
