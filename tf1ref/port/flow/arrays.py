"""TensorArrays: their ops, which have a handle and a flow, become methods of one tf.TensorArray."""

import re

import numpy as np
import tensorflow as tf

from tf1ref.port import literals

OP = re.compile(r"TensorArray(Read|Write|Gather|Scatter|Size|Concat|Split)?(V2|V3)?")
NEW = "tf.TensorArray"
# The inputs of the method, by their places in the op. The first is the array, and the last may be all indices.
INPUTS = {
    "Read": (2, 1),
    "Write": (3, 1, 2),
    "Gather": (2, 1),
    "Scatter": (3, 1, 2),
    "Size": (1,),
    "Concat": (1,),
    "Split": (3, 1, 2),
}


def plain(nodes):
    """Lets each op of a TensorArray in {name: Node} take and return the array itself, instead of its flow."""
    made = [(node, OP.fullmatch(node.op)) for node in nodes.values()]
    for node, op in [(node, op) for node, op in made if op]:
        # These are the flow of a new array and the values of a concatenation.
        one = slice(1, 2) if op[1] is None else slice(0, 1)
        node.dtypes, node.shapes = node.dtypes[one], node.shapes[one]
        if op[1] is None:
            node.op = NEW
            continue
        node.inputs = [node.inputs[i] for i in INPUTS[op[1]]]
        method = op[1].lower()
        if op[1] in ("Gather", "Scatter") and _counts_up(nodes, node.inputs[1]):
            method = {"gather": "stack", "scatter": "unstack"}[method]
            del node.inputs[1]
        node.op = f"{NEW}.{method}"
    new = {(node.name, 1): (node.name, 0) for node in nodes.values() if node.op == NEW}
    for node in nodes.values():
        node.inputs = [new.get(source, source) for source in node.inputs]


def _counts_up(nodes, source):
    """Returns True for 0, 1, 2, ...: the method without indices then covers all elements."""
    node = nodes.get(source[0])
    if node is None:
        return False
    if node.value is not None:
        return node.value.tolist() == list(range(node.value.size))
    ends = [nodes[name].value if name in nodes else None for name, _ in node.inputs] if node.op == "Range" else []
    return len(ends) == 3 and all(end is not None and np.size(end) == 1 for end in ends[::2]) and [*ends[::2]] == [0, 1]


def expression(writer, node):
    """Returns (text, depth) of a Node whose op `plain` has changed."""
    if node.op == NEW:
        size = writer.written(node.inputs[0], "size")
        words = [literals.dtype(tf.as_dtype(node.attrs["dtype"].type)), size.text]
        words += ["dynamic_size=True"] * node.attrs["dynamic_size"].b
        shape = tf.TensorShape(node.attrs["element_shape"].shape) if "element_shape" in node.attrs else None
        words += [f"element_shape={literals.shape(shape)}"] if shape is not None and shape.rank is not None else []
        return f"{NEW}({', '.join(words)})", size.depth + 1
    first, *others = node.inputs
    array, rest = writer.value(first), [writer.written(source, "x") for source in others]
    depth = max([array.depth, *(word.depth for word in rest)])
    method = node.op.rpartition(".")[2]
    return f"{array.inside(9)}.{method}({', '.join(word.text for word in rest)})", depth + 1
