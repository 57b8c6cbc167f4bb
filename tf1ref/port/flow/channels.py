"""Graphs with channels first, which a CPU runs channels last: moves transposes past ops until they meet their inverse.

artifacts/graph/layouts.py puts each convolution between two transposes. Only ops whose result in a place depends on the
numbers of that place, and which round in one way everywhere, are moved past. Exponentials are not: their vector kernels
and those for the rest of an array may differ in last bits.
"""

import copy

import numpy as np
import tensorflow as tf

from tf1ref.artifacts.graph.layouts import INNER, LAST
from tf1ref.port.flow import parts
from tf1ref.port.nodes import Node

SAME = ("Relu", "Relu6", "LeakyRelu", "Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum", "AddN")


def last(nodes):
    """Returns {name: Node}, in which ops that read pictures with channels first read them channels last."""
    found = {}
    for node in nodes.values():
        count = _pictures(node, nodes)
        turned = [_transpose(found, source) for source in node.inputs[:count]]
        orders = {tuple(found[name].value) for name in (t.inputs[1][0] for t in turned if t)}
        if count and all(turned) and len(orders) == 1 and _is_to_first(*orders):
            for made in _moved(node, turned, *orders, {**nodes, **found}):
                found[made.name] = made
        else:
            found[node.name] = node
    return found


def inverse(nodes, node):
    """Returns what a Transpose turns back to how it was, or None for any other Node."""
    inner = _transpose(nodes, (node.name, 0)) and _transpose(nodes, node.inputs[0])
    if not inner:
        return None
    first, second = (nodes[n.inputs[1][0]].value for n in (inner, node))
    return inner.inputs[0] if list(first[second]) == list(range(len(first))) else None


def _pictures(node, nodes):
    """Returns how many of the first inputs of a Node are pictures, or 0 when it cannot work channels last."""
    if node.op in SAME:
        return len(node.inputs)
    if node.op == "BiasAdd":
        return int(node.attrs["data_format"].s in LAST)
    known = node.op == "ConcatV2" and nodes[node.inputs[-1][0]].value is not None
    return len(node.inputs) - 1 if known else 0


def _transpose(nodes, source):
    """Returns the Node of a Transpose by a constant, which gives `source`, or None."""
    node = nodes.get(source[0])
    order = nodes.get(node.inputs[1][0]) if node and node.op == "Transpose" else None
    return node if order and order.value is not None and order.value.ndim == 1 and len(order.value) else None


def _is_to_first(order):
    return len(order) > 3 and order == (0, len(order) - 1, *range(1, len(order) - 1))


def _moved(node, turned, order, nodes):
    """Returns Nodes that do what `node` does: its op with channels last, and a Transpose of the name of `node`."""
    inner = copy.copy(node)
    inner.name = parts.free(node.name + INNER, nodes)
    inner.inputs, rest = [t.inputs[0] for t in turned], node.inputs[len(turned) :]
    inner.shapes = [_turned_shape(node.shapes[0], order)]
    made = [inner]
    if node.op == "BiasAdd":
        inner.attrs = {name: value for name, value in node.attrs.items() if name != "data_format"}
    if node.op == "ConcatV2":
        axis = copy.copy(nodes[rest[0][0]])
        axis.name = parts.free(f"{inner.name}/axis", nodes)
        axis.value = np.asarray(order[int(axis.value)], axis.value.dtype)
        made, rest = [axis, inner], [(axis.name, 0)]
    inner.inputs += rest
    outer = Node(node.name, "Transpose", [(inner.name, 0), turned[0].inputs[1]], [], turned[0].attrs)
    outer.dtypes, outer.shapes = node.dtypes, node.shapes
    return [*made, outer]


def _turned_shape(shape, order):
    if shape.rank != len(order):
        return tf.TensorShape([None] * len(order))
    return tf.TensorShape([shape[int(i)] for i in np.argsort(order)])
