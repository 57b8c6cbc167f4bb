"""Shapes inside loops of version 1. An imported graph does not have them, because a loop is a circle."""

import tensorflow as tf

from tf1ref.artifacts.graph import graphs
from tf1ref.port.flow.frames import of

# The most rounds: a loop in a loop in a loop takes four.
MOST = 8


def known(graph, imported):
    """Returns {op name: shapes of its outputs} of a graphs.Graph and of `imported`, also inside its loops.

    A variable of a loop has the shape with which it starts, as far as each step keeps it.
    """
    loops = _variables(imported)
    shapes = dict.fromkeys(loops, tf.TensorShape(None))
    # First come the starts of the loops, from the outermost on, then what their steps keep of them.
    for number in (0, 1):
        for _ in range(MOST if loops else 0):
            found = {
                name: _both([imported.get_tensor_by_name(end).shape for end in ends[: number + 1]])
                for name, ends in loops.items()
            }
            if all(_same(found[name], shapes[name]) for name in loops):
                break
            shapes, imported = found, _cut(graph, imported, found)
    return {op.name: [t.shape for t in op.outputs] for op in imported.get_operations()}


def _cut(graph, imported, shapes):
    """Returns `graph`, imported, with the variables of its loops in the `shapes` {name: shape}."""
    types = {f"{name}:0": (imported.get_operation_by_name(name).outputs[0].dtype, shapes[name]) for name in shapes}
    return graph.but(graphs.cut(graph.graph_def, list(types), types)[0]).imported()


def _variables(graph):
    """Returns {name of a Merge: (the tensor with which it starts, the tensor of each step)}."""
    found = {}
    for op in graph.get_operations():
        ends = {of(t.op.type): t for t in op.inputs} if of(op.type) == "Merge" else {}
        if ends.keys() == {"Enter", "NextIteration"}:
            found[op.name] = ends["Enter"].op.inputs[0].name, ends["NextIteration"].op.inputs[0].name
    return found


def _both(shapes):
    """Returns the most precise shape that fits all of `shapes`."""
    first = shapes[0]
    if any(shape.rank is None or shape.rank != first.rank for shape in shapes):
        return tf.TensorShape(None)
    return tf.TensorShape([sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*(s.as_list() for s in shapes))])


def _same(one, other):
    return one.rank == other.rank and (one.rank is None or one.as_list() == other.as_list())
