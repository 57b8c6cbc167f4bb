"""What an old file is and holds, by parsing alone: no session, no import of a graph, no code of anyone's."""

import os
from dataclasses import dataclass, field

import tensorflow.compat.v1 as v1

from tf1ref.artifacts.formats import recognise, streams
from tf1ref.artifacts.graph import graphs, summaries
from tf1ref.artifacts.graph.shapes import Shapes, dtype_name, elements, shape_of
from tf1ref.errors import InputError, nearest

SMALL = 64  # elements of a constant that are shown


@dataclass
class Report:
    """`files`: {name: bytes}; `graphs`: summaries.Graphs; `variables`: indexes.Saved; `records`: a streams.Stream.

    `variables` are those with values, from a checkpoint; a graph's own are in its Graph.
    """

    path: str
    kind: str
    files: dict
    graphs: list = field(default_factory=list)
    variables: list = field(default_factory=list)
    objects: bool = False
    records: streams.Stream | None = None
    problems: list = field(default_factory=list)


@dataclass
class Node:
    """One node. `inputs`: [(reference, op)]; `readers`: [(node, op)]; `attributes`: {name: text}."""

    name: str
    op: str
    function: str
    device: str
    shape: list
    inputs: list
    readers: list
    attributes: dict


def inspect(path: str | os.PathLike[str]) -> Report:
    """Returns the Report on a file, a folder or a checkpoint's prefix.

    Raises InputError when there is none, or it is damaged, incomplete or none of the kinds of messages.KINDS.
    """
    found = recognise.recognise(path)
    report = Report(found.path, found.kind, {os.path.basename(f): os.path.getsize(f) for f in found.files})
    if found.compression:
        report.records = streams.read(found.path, found.compression)
        report.kind = "event file" if report.records.version else "TFRecord file"
        report.problems += [report.records.problem] if report.records.problem else []
        return report
    report.graphs = [summaries.summary(message) for message in found.graphs]
    if found.index:
        report.variables, report.objects = found.index.tensors, found.index.objects
    report.problems += _problems(found, report)
    return report


def node(path: str | os.PathLike[str], name: str) -> Node:
    """Returns the Node `name` of the first graph in `path` that has it, in its functions too.

    Raises InputError when there is no graph or no such node; the nearest names are offered.
    """
    found = recognise.recognise(path)
    if not found.graphs:
        raise InputError(f"{found.path}: {found.kind} without a graph: nodes are in the graph, PREFIX.meta or a .pb")
    wanted = name.partition(":")[0].lstrip("^")
    for message in found.graphs:
        graph_def = message.graph_def if isinstance(message, v1.MetaGraphDef) else message
        bodies = [("", graph_def.node), *((f.signature.name, f.node_def) for f in graph_def.library.function)]
        for function, nodes in bodies:
            for one in nodes:
                if one.name == wanted:
                    return _node(one, function, nodes)
    names = sorted({n.name for m in found.graphs for n in getattr(m, "graph_def", m).node})
    visible = [n for n in names if not graphs.TRAINING.match(n)]
    raise InputError(f"{found.path}: holds no node {wanted!r}{nearest(wanted, visible) or nearest(wanted, names)}")


def _node(one, function, nodes):
    by_name = {n.name: n for n in nodes}

    def op(reference):
        source = by_name.get(reference.lstrip("^").partition(":")[0])
        return source.op if source is not None else "argument" if function else "not there"

    readers = [n for n in nodes if any(i.lstrip("^").partition(":")[0] == one.name for i in n.input)]
    return Node(
        name=one.name,
        op=one.op,
        function=function,
        device=one.device,
        shape=None if function else Shapes(by_name).of(one.name),
        inputs=[(i, op(i)) for i in one.input],
        readers=[(n.name, n.op) for n in readers],
        attributes={key: _text(one.attr[key]) for key in sorted(one.attr)},
    )


def _text(value):
    """One attribute as short text."""
    kind = value.WhichOneof("value")
    if kind == "tensor":
        return _constant(value.tensor)
    if kind == "type":
        return dtype_name(value.type)
    if kind == "shape":
        return str(shape_of(value.shape) if not value.shape.unknown_rank else "any")
    if kind == "list":
        items = next((list(getattr(value.list, f.name)) for f, _ in value.list.ListFields()), [])
        first = next((f.name for f, _ in value.list.ListFields()), "")
        words = {"type": dtype_name, "shape": shape_of}.get(first, lambda item: getattr(item, "name", item))
        return str([words(item) for item in items[:SMALL]])
    if kind == "func":
        return value.func.name
    return str(getattr(value, kind)) if kind else ""


def _constant(proto):
    """Type, shape and, of a small one, its values. A large one may claim any size and is not made."""
    shape, dtype = shape_of(proto.tensor_shape), dtype_name(proto.dtype)
    count = elements(shape)
    words = f"{dtype} {shape}"
    if count is None or count > SMALL or len(proto.tensor_content) > 16 * SMALL:
        return words
    try:
        values = v1.make_ndarray(proto)
    except (TypeError, ValueError):
        return f"{words}, whose values are damaged"
    return f"{words} {values.tolist()}"


def _problems(found, report):
    """What does not fit together, a line each."""
    if not found.kind.startswith("SavedModel"):
        return []
    folder = os.path.dirname(found.path)
    named = {asset for graph in report.graphs for asset in graph.assets}
    lacking = [a for a in sorted(named) if not os.path.isfile(os.path.join(folder, "assets", os.path.basename(a)))]
    problems = [f"assets/{name}: missing" for name in lacking]
    if not found.index and any(graph.variables for graph in report.graphs):
        problems.append("variables/variables.index: missing: the graph has variables, their values are not here")
    return problems
