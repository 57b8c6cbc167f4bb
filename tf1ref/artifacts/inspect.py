"""Tells what an old file is and holds, only by parsing: without a session, an import of a graph, or foreign code."""

import os
from dataclasses import dataclass, field

from tf1ref.artifacts.formats import recognise, streams, tensors
from tf1ref.artifacts.graph import graphs, held, summaries
from tf1ref.artifacts.graph.shapes import Shapes, dtype_name, elements, shape_of
from tf1ref.data.formats import protos
from tf1ref.errors import InputError, nearest

SMALL = 64  # the most elements of a constant that is shown


@dataclass
class Report:
    """The report on a file. `files`: {name: bytes}. `graphs`: summaries.Graphs. `records`: a streams.Stream.

    variables: the indexes.Saved of a checkpoint, which have values. A graph's own variables are in its Graph.
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
    """One node. `inputs`: [(reference, op)]. `readers`: [(node, op)]. `attributes`: {name: text}."""

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

    Raises InputError when it does not exist, is damaged or incomplete, or is not one of messages.KINDS.
    """
    found = recognise.recognise(path, lean=True)
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
    """Returns the Node `name` of the first graph in `path` that has it. Functions are searched, too.

    Raises InputError when there is no graph or no such node. The message has the nearest names.
    """
    found = recognise.recognise(path, lean=True)
    if not found.graphs:
        raise InputError(f"{found.path}: {found.kind} without a graph: nodes are in the graph, PREFIX.meta or a .pb")
    wanted = name.partition(":")[0].lstrip("^")
    for message in found.graphs:
        graph_def = message.graph_def if isinstance(message, protos.MetaGraphDef) else message
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
        attributes={key: _text(one.attr[key]) for key in sorted(one.attr) if key != held.HELD},
    )


def _text(value):
    """Returns one attribute as short text."""
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
    """Returns the type and the shape of a constant, and the values of a small one.

    A large one may claim any size, so its values are not made.
    """
    shape, dtype = shape_of(proto.tensor_shape), dtype_name(proto.dtype)
    count = elements(shape)
    words = f"{dtype} {shape}"
    if count is None or count > SMALL or len(proto.tensor_content) > 16 * SMALL:
        return words
    try:
        array = tensors.of(proto)
    except (TypeError, ValueError, OverflowError):
        return f"{words}, whose values are damaged"
    return f"{words} {array.tolist()}"


def _problems(found, report):
    """Returns a line for each contradiction between the files."""
    if not found.kind.startswith("SavedModel"):
        return []
    folder = os.path.dirname(found.path)
    named = {asset for graph in report.graphs for asset in graph.assets}
    lacking = [a for a in sorted(named) if not os.path.isfile(os.path.join(folder, "assets", os.path.basename(a)))]
    problems = [f"assets/{name}: missing" for name in lacking]
    if not found.index and any(graph.variables for graph in report.graphs):
        problems.append("variables/variables.index: missing: the graph has variables, their values are not here")
    return problems
