"""Repairs old graphs: removes what today's importer refuses and the answers do not need. Each repair adds a note.

`repaired` loads every graph that is to be run. It never changes what is asked for: an op that this TensorFlow does not
know stays when the outputs need it.
"""

import re

import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.python.framework import ops

from tf1ref.artifacts.graph import graphs, registry
from tf1ref.artifacts.graph.graphs import all_nodes, listed, tensor
from tf1ref.artifacts.graph.shapes import shape_of

CONSUMER = tf.version.GRAPH_DEF_VERSION
GRADIENT = "_gradient_op_type"
# From this graph version on, a placeholder has its shape (tensorflow/core/ops/array_ops.cc).
SHAPED = 24

# {op that takes a ref: the op for a value}. Assign(ref, value) is its value.
PLAIN = {"Assign": "Identity", "AssignAdd": "Add", "AssignSub": "Sub"}
PLAIN.update((f"Ref{op}", op) for op in ("Identity", "Enter", "Exit", "NextIteration", "Switch", "Merge"))


def repaired(message, outputs=None, where=""):
    """Returns the Graph of what `outputs` need (or of everything), ready for the import, with a note for each repair.

    message: a GraphDef or MetaGraphDef, which is not changed. Devices, colocation and recorded shapes are always left
    out.
    Raises InputError when a needed node reads a missing one.
    """
    meta = message if isinstance(message, v1.MetaGraphDef) else None
    whole = meta.graph_def if meta else message
    notes = _version(meta.meta_info_def.tensorflow_version) if meta else []
    pruned = graphs.Graph(whole, where).pruned(outputs or [n.name for n in whole.node])
    notes += _left_out(whole, pruned) + _devices(pruned) + _colocation(pruned)
    graph_def = graphs.bare(pruned)
    notes += _versions(graph_def) + _placeholders(graph_def, pruned) + _assignments(graph_def)
    notes += _gradients(graph_def, whole)
    return graphs.Graph(graph_def, where, notes)


def version_string(text):
    """Returns `text` in a form that v1.train.import_meta_graph reads: "0.12.head" becomes "0.12"."""
    if graphs.VERSION.match(text) or not text:
        return text
    return ".".join(re.match(r"[\d.]*", text)[0].strip(".").split(".")) or "0"


def _version(text):
    if version_string(text) == text:
        return []
    return [f"version string {text!r}, which v1.train.import_meta_graph refuses: read as {version_string(text)}"]


def _versions(graph_def):
    versions, notes = graph_def.versions, []
    if versions.min_consumer > CONSUMER:
        notes = [f"min_consumer {versions.min_consumer}, made for a later TensorFlow than this ({CONSUMER}): ignored"]
        versions.min_consumer = 0
    if CONSUMER in versions.bad_consumers:
        notes.append(f"bad_consumers names this TensorFlow ({CONSUMER}): ignored")
        del versions.bad_consumers[:]
    return notes


def _placeholders(graph_def, pruned):
    """Gives inputs their recorded shapes. Before graph version 24 the attribute had none."""
    old, found = graph_def.versions.producer < SHAPED, []
    for node, before in zip(graph_def.node, pruned.node):
        if node.op == "Placeholder" and "_output_shapes" in before.attr:
            shape, recorded = node.attr["shape"].shape, before.attr["_output_shapes"].list.shape[:1]
            unknown = shape.unknown_rank or not shape.dim and (old or not node.attr["shape"].HasField("shape"))
            if unknown and recorded and recorded[0].dim:
                node.attr["shape"].shape.CopyFrom(recorded[0])
                found.append(node.name)
    return [f"inputs whose shapes only _output_shapes says, taken from there: {listed({'of': found})}"] if found else []


def _left_out(whole, pruned):
    """Lists the unknown ops and missing gradient functions that were left out, because the outputs do not need them."""
    library = {f.signature.name for f in whole.library.function}
    kept = {n.name for n in pruned.node}
    gone = registry.unknown([n for n in whole.node if n.name not in kept], library)
    return [f"unknown ops that the outputs do not need, left out: {listed(gone)}"] if gone else []


def _devices(graph_def):
    pinned = {}
    for node in all_nodes(graph_def):
        if node.device and not _is_here(node.device):
            pinned.setdefault(node.device, []).append(node.name)
    return [f"device pins that do not exist here, left out: {listed(pinned)}"] if pinned else []


def _is_here(device):
    try:
        spec = tf.DeviceSpec.from_string(device)
    except ValueError:
        return False
    kind = spec.device_type or "CPU"
    there = len(tf.config.list_physical_devices(kind))
    return spec.job in (None, "localhost") and not spec.replica and not spec.task and (spec.device_index or 0) < there


def _colocation(graph_def):
    gone = {}
    for nodes in [graph_def.node, *(f.node_def for f in graph_def.library.function)]:
        names = {n.name for n in nodes}
        for node in nodes:
            for place in node.attr["_class"].list.s if "_class" in node.attr else ():
                name = place.decode(errors="replace").removeprefix("loc:@")
                if name not in names:
                    gone.setdefault(name, []).append(node.name)
    return [f"colocation with nodes that are not there, left out: {listed(gone)}"] if gone else []


def _assignments(graph_def):
    """Changes ops that take a ref to plain ones when freezing turned the variable into a constant."""
    takers = [n for n in graph_def.node if n.op in PLAIN and n.input]
    read = {tensor(n.input[0])[0] for n in takers}
    refs = {n.name for n in graph_def.node if n.name in read and n.op not in PLAIN and _gives_ref(n.op)}
    # An op that passes a ref on gives one, too.
    while takers:
        passing = {n.name for n in takers if tensor(n.input[0])[0] in refs} - refs
        if not passing:
            break
        refs |= passing
    changed = {}
    for node in takers:
        if tensor(node.input[0])[0] in refs:
            continue
        changed.setdefault(node.op, []).append(node.name)
        if node.op == "Assign":
            del node.input[0]
        node.op = PLAIN[node.op]
        for name in ("use_locking", "validate_shape"):
            node.attr.pop(name, None)
    return [f"left over by freezing, made plain: {listed(changed)}"] if changed else []


def _gives_ref(op):
    definition = registry.definition(op)
    return definition is None or any(output.is_ref for output in definition.output_arg)


def _gradients(graph_def, whole):
    """Leaves out missing gradient functions.

    Nothing is differentiated here, and otherwise TensorFlow's own are used.
    """
    library = {f.signature.name for f in whole.library.function}
    kept = {f.signature.name for f in graph_def.library.function}
    lacking = {}
    for pair in whole.library.gradient:
        if pair.gradient_func not in library:
            lacking.setdefault(pair.gradient_func, []).append(pair.function_name)
        elif {pair.gradient_func, pair.function_name} <= kept:
            graph_def.library.gradient.add().CopyFrom(pair)
    for node in all_nodes(graph_def):
        name = node.attr[GRADIENT].s.decode(errors="replace") if GRADIENT in node.attr else ""
        if name and not _registered(name):
            lacking.setdefault(name, []).append(node.name)
            node.attr.pop(GRADIENT)
    return [f"gradient functions that are not there, left out: {listed(lacking)}"] if lacking else []


def _registered(name):
    try:
        ops.gradient_registry.lookup(name)
    except LookupError:
        return False
    return True


def stale(message, graph):
    """Returns a line about the shapes in `message` that differ from those inferred in the Graph `graph`.

    graph: the repaired one, without recorded shapes.
    """
    tensors, found = {op.name: op.outputs for op in graph.get_operations()}, []
    for node in getattr(message, "graph_def", message).node:
        if "_output_shapes" in node.attr and node.name in tensors:
            shapes = zip(tensors[node.name], node.attr["_output_shapes"].list.shape)
            if any(not t.shape.is_compatible_with(shape_of(shape)) for t, shape in shapes):
                found.append(node.name)
    return [f"_output_shapes that TensorFlow infers otherwise, left out: {listed({'of': found})}"] if found else []
