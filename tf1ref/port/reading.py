"""A graph that answers, as plain nodes with known constants, without chains of identities and dead nodes."""

import contextlib

import numpy as np
import tensorflow as tf

from tf1ref.artifacts.formats.weights import READ
from tf1ref.artifacts.graph import constants, graphs, layouts
from tf1ref.errors import InputError
from tf1ref.port.flow import arrays, channels, counters, folding, parts, shapes
from tf1ref.port.flow.library import Library
from tf1ref.port.nodes import Node, Program

# These pass their first input on: names, debugging aids, and checks that change no value.
PASSES = ("Identity", "Snapshot", "CheckNumerics", "Print", "PreventGradient", "DebugGradientIdentity", "EnsureShape")
WHOLE = {
    "Range": lambda node, v: np.arange(*v),
    "ConcatV2": lambda node, v: np.concatenate(v[:-1], v[-1]),
    "Pack": lambda node, v: np.stack(v, node.attrs["axis"].i),
    "ExpandDims": lambda node, v: np.expand_dims(*v),
    "Cast": lambda node, v: v[0].astype(node.dtypes[0].as_numpy_dtype),
    "Add": lambda node, v: np.add(*v),
    "AddV2": lambda node, v: np.add(*v),
    "Sub": lambda node, v: np.subtract(*v),
    "Maximum": lambda node, v: np.maximum(*v),
    "Minimum": lambda node, v: np.minimum(*v),
    "StridedSlice": lambda node, v: _sliced(node, *v),
    "Prod": lambda node, v: np.prod(v[0], tuple(np.ravel(v[1])), keepdims=node.attrs["keep_dims"].b),
    "Equal": lambda node, v: v[0] == v[1],
    "Fill": lambda node, v: v[1],
}
# Of these only what has one element is computed, of any type: tf.losses asks whether a weight is 0.
SCALARS = ("Equal", "Fill")


def program(ready, short, known=None):
    """Returns the Program of a models.Ready. `short(array)`: returns True for constants that are written out.

    known: {op name: shapes of its outputs} that were recorded.
    """
    frozen, moved = layouts.channels_last(constants.frozen(ready, ready.values))
    graph = ready.but(frozen).imported()
    were = _variables(frozen) | set(ready.values)

    def read(op, prefix=""):
        node = of_op(op, ready.where, prefix)
        if node.value is not None and (node.name in were or not short(node.value)):
            node.weight = node.name
        return node

    nodes = {op.name: read(op) for op in graph.get_operations()}
    for name, found in (shapes.known(ready.but(frozen), graph) if known is None else known).items():
        if name in nodes:
            nodes[name].shapes = found
    inputs = {key: graphs.tensor(name) for key, name in ready.inputs.items()}
    fed = set(inputs.values())

    library = Library(frozen, graph, read, lambda nodes: _clean(nodes, fed), ready.where)
    nodes, called = library.expanded(nodes)
    aliases = _clean(nodes, fed)
    if layouts.first(ready.graph_def):
        nodes = channels.last(nodes)
        aliases.update(_clean(nodes, fed))
    ends = ((key, graphs.tensor(moved.get(name, name))) for key, name in ready.outputs.items())
    outputs = {key: called.get(s, s) for key, s in ends}
    outputs = {key: aliases.get(source, source) for key, source in outputs.items()}
    nodes.update(library.weights)
    trained = {n.name for n in nodes.values() if n.weight and (n.name in were or n.value.dtype.kind == "f")}
    nodes, now = folding.folded(nodes, outputs.values(), ready.where)
    found = Program(nodes, inputs, {key: now(source) for key, source in outputs.items()}, trained)
    found.prune()
    counters.merged(found)
    return found


def _clean(nodes, fed):
    """Leaves chains of identities out of {name: Node}; returns {source: what it is}."""
    fold(nodes)
    aliases = {}
    for node in nodes.values():
        node.inputs = [aliases.get(source, source) for source in node.inputs]
        for part in node.parts:
            parts.replace(part, aliases)
        passed = _passed(nodes, node)
        if passed and (node.name, 0) not in fed:
            aliases[node.name, 0] = passed
    arrays.plain(nodes)
    return aliases


def _sliced(node, array, begin, end, step):
    """Returns the element or the part of a vector of which a StridedSlice asks. Raises ValueError for other slices."""
    first, last, one, *other = (
        node.attrs[f"{name}_mask"].i for name in ("begin", "end", "shrink_axis", "ellipsis", "new_axis")
    )
    if any(other) or array.ndim != 1 or not len(begin) == len(end) == len(step) == 1:
        raise ValueError(node.name)
    return array[begin[0]] if one else array[None if first else begin[0] : None if last else end[0] : step[0]]


def _passed(nodes, node):
    """Returns the input that a Node gives on as it is, or None."""
    if node.op in PASSES or node.op == "PlaceholderWithDefault":
        return node.inputs[0]
    if node.op == "Transpose":
        return channels.inverse(nodes, node)
    read = [nodes.get(name) for name, _ in node.inputs]
    values = [None if n is None or n.weight else n.value for n in read]
    if node.op in ("Select", "SelectV2") and values[0] is not None and not values[0].ndim:
        chosen = node.inputs[1 if values[0] else 2]
        shapes = nodes[chosen[0]].shapes[chosen[1]], node.shapes[0]
        return chosen if shapes[0].is_fully_defined() and shapes[0] == shapes[1] else None
    if node.op == "Minimum" and node.dtypes[0].is_integer:  # min(x, max(x, y)) bounds the loop of dynamic_rnn
        for x, other in (node.inputs, node.inputs[::-1]):
            most = nodes.get(other[0])
            if most and most.op == "Maximum" and x in most.inputs:
                return x
    if node.op == "Mul":
        ones = [v is not None and not v.ndim and v.dtype.kind == "f" and v == 1 for v in values]
        return node.inputs[0] if ones[1] else node.inputs[1] if ones[0] else None
    # tf.losses sums the sum of a batch once more, over no axis.
    return node.inputs[0] if node.op == "Sum" and values[1] is not None and not values[1].size else None


def fold(nodes):
    """Computes what {name: Node} makes of constant whole numbers, such as shapes, which a person would write out."""
    known = {node.name: node.value for node in nodes.values() if not node.weight}
    for node in nodes.values():
        size = _size(nodes, node)
        if size is not None:
            known[node.name] = _folded(node, size)
        values = [None if index else known.get(name) for name, index in node.inputs]
        if node.op not in WHOLE or not values or any(v is None for v in values):
            continue
        if node.op in SCALARS and any(v.ndim and v.size for v in values):
            continue
        if node.op not in SCALARS and any(v.dtype.kind != "i" for v in values):
            continue
        with contextlib.suppress(ValueError, IndexError, TypeError):
            known[node.name] = _folded(node, WHOLE[node.op](node, values))


def _folded(node, value):
    """Makes a Node a constant; returns its array. It stays in the branch that its inputs were in."""
    node.value, node.op = np.asarray(value, node.dtypes[0].as_numpy_dtype), "Const"
    node.control, node.inputs = [*node.control, *(name for name, _ in node.inputs)], []
    return node.value


def _size(nodes, node):
    """Returns the size that a Node takes from a shape, where it is always the same, or None."""
    shape = nodes.get(node.inputs[0][0]) if node.op == "StridedSlice" else None
    begin = [n and n.value for n in map(nodes.get, (name for name, _ in node.inputs[1:]))] if shape else [None]
    if shape is None or shape.op != "Shape" or any(b is None for b in begin):
        return None
    source, index = shape.inputs[0]
    found = nodes[source].shapes[index] if source in nodes else tf.TensorShape(None)
    with contextlib.suppress(ValueError, IndexError):
        size = None if found.rank is None else _sliced(node, np.array(found.as_list(), object), *begin)
        return None if None in np.ravel(size) else size
    return None


def of_op(op, where, prefix=""):
    """Returns the Node of an Operation, its names after `prefix`. Raises InputError for a constant that is damaged."""
    value = None
    if op.type == "Const":
        try:
            value = np.asarray(tf.make_ndarray(op.get_attr("value")))
        except (TypeError, ValueError) as e:
            raise InputError(f"{where}: damaged: the constant {op.name} cannot be read") from e
    return Node(
        prefix + op.name,
        op.type,
        [(prefix + t.op.name, t.value_index) for t in op.inputs],
        [prefix + o.name for o in op.control_inputs],
        {} if op.type == "Const" else dict(op.node_def.attr),
        [t.dtype.base_dtype for t in op.outputs],
        [t.shape for t in op.outputs],
        value,
    )


def _variables(graph_def):
    """Returns the names of constants that were variables before the freezing: a node named as a read reads them."""
    there = {n.name for n in graph_def.node if n.op == "Const"}
    reads = [n for n in graph_def.node if n.op == "Identity" and READ.fullmatch(n.name)]
    return {graphs.tensor(n.input[0])[0] for n in reads} & there
