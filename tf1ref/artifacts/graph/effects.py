"""What each op may do. Some ops are known only to compute; for the others a reason is known.

This is an allow list, ops.txt beside this file, which decides about every op in TensorFlow's registry. An op that is
not in it needs --trust, for example one of a later TensorFlow or of a library that the process has loaded.
"""

from collections.abc import Iterable

from google.protobuf.message import DecodeError

from tf1ref.artifacts.graph import graphs, memory, registry
from tf1ref.artifacts.graph.registry import Verdict
from tf1ref.artifacts.graph.shapes import attr, elements, shape_of, width
from tf1ref.data.formats import protos
from tf1ref.errors import InputError

COMPUTES, OUTSIDE, STATE, PYTHON = registry.DECISIONS
UNDECIDED = Verdict(OUTSIDE, "is an op that nobody has looked at")
STRING = 24  # bytes of a string in a tensor, before its text (tsl/platform/ctstring_internal.h)
TABLE = "the table "  # a note of tables.py on why one stays begins so
MOST_SAID = 3  # ops, with their reasons, in one message
RUNS_STRING = "DatasetFromGraph"
# Graphs in each other as strings. TensorFlow runs each inside the one around it, and two thousand overflow its stack.
MOST_NESTED = 8


def verdict(node: protos.NodeDef) -> Verdict | None:
    """Returns the Verdict on a NodeDef, or None for an op that is not TensorFlow's, such as the call of a function."""
    found = registry.table().get(node.op) or (UNDECIDED if registry.has(node.op) else None)
    if found and found.harmless and _is_harmless(node, *found.harmless):
        return Verdict(COMPUTES, found.reason)
    return found


def check(graph: graphs.Graph, trust: bool) -> None:
    """Raises InputError for ops whose state or Python function no file holds and, without `trust`, for outside().

    With `trust` it raises InputError for graphs that lie in each other as strings, more than MOST_NESTED deep.
    Functions of the graph are checked, too. Nothing is imported, because shape inference runs ops.
    """
    found = _decided(graphs.all_nodes(graph.graph_def))
    if STATE in found:
        raise InputError(
            f"{graph.where}: the outputs need {graphs.listed(_names(found[STATE]))}, whose state no file holds: "
            f"name the tensors after it as --inputs{_read(graph.graph_def, found[STATE])}"
            + "".join(f"; {note}" for note in graph.notes if note.startswith(TABLE))
        )
    if PYTHON in found:
        raise InputError(
            f"{graph.where}: the outputs need {graphs.listed(_names(found[PYTHON]))}, functions of the program that "
            "built it: name the tensors after them as --inputs"
        )
    if OUTSIDE in found and not trust:
        why = dict(_reasons(found[OUTSIDE]))
        words = [f"{graphs.listed({op: names})} {why[op]}" for op, names in _names(found[OUTSIDE]).items()]
        more = f" and {len(words) - MOST_SAID} more" * (len(words) > MOST_SAID)
        raise InputError(
            f"{graph.where}: the outputs need ops that do more than compute: {', '.join(words[:MOST_SAID])}{more}: "
            "say --trust to run them"
        )
    if OUTSIDE in found and _nested(graph.graph_def) > MOST_NESTED:
        raise InputError(
            f"{graph.where}: a string constant holds a graph for {RUNS_STRING}, which holds another in a string, and "
            f"so on, more than {MOST_NESTED} deep: choose outputs that do without it"
        )


def check_constants(graph: graphs.Graph) -> None:
    """Raises InputError for constants that claim more memory than there is, or sizes that are not possible.

    A constant may have one value and a shape of 10^12, which is how zeros are stored.
    """
    most, total = memory.available(), 0
    for node in graphs.all_nodes(graph.graph_def):
        if node.op == "Const":
            size = _claimed(attr(node, "value").tensor)
            total += most + 1 if size is None else size
        if total > most:
            shape = shape_of(attr(node, "value").tensor.tensor_shape)
            raise InputError(
                f"{graph.where}: the constant {node.name} claims the shape {shape}, more than there is memory for: "
                "choose outputs that do without it"
            )


def decision(node: protos.NodeDef) -> str:
    """Returns the decision about a NodeDef's op. It is "computes" for a call, since the function's ops are checked."""
    found = verdict(node)
    return found.decision if found else COMPUTES


def outside(nodes: Iterable[protos.NodeDef]) -> dict[str, list[str]]:
    """Returns {op: [node names]} of the NodeDefs that need --trust. This is a filter and not a sandbox."""
    found = _decided(nodes)
    return _names(found.get(OUTSIDE, []) + found.get(PYTHON, []))


def state(nodes: Iterable[protos.NodeDef]) -> dict[str, list[str]]:
    """Returns {op: [node names]} of the NodeDefs that use a queue, an iterator or a table."""
    return _names(_decided(nodes).get(STATE, []))


def verdicts(nodes: Iterable[protos.NodeDef]) -> dict[str, tuple[str, str]]:
    """Returns {op: (decision, reason)} of the ops of the NodeDefs that do more than compute."""
    found = _decided(nodes)
    return {op: (decision, reason) for decision in found for op, reason in _reasons(found[decision])}


def _claimed(tensor) -> int | None:
    """Returns the number of bytes of a TensorProto, or None when its shape is unknown or too large to count."""
    count = elements(shape_of(tensor.tensor_shape))
    if count is None:
        return None
    if tensor.dtype == protos.DataType.DT_STRING:
        longest = max(map(len, tensor.string_val), default=0)
        return count * (STRING + longest)
    # A type that does not exist is reported by the reader of the tensor.
    return count * (width(tensor.dtype) or 0)


def _nested(graph_def) -> int:
    """Returns how many graphs lie in each other as string constants for RUNS_STRING, at most MOST_NESTED + 1."""
    depth, nodes = 0, graphs.all_nodes(graph_def)
    while depth <= MOST_NESTED and any(node.op == RUNS_STRING for node in nodes):
        texts = [text for node in nodes if node.op == "Const" for text in attr(node, "value").tensor.string_val]
        nodes = [node for text in texts for node in graphs.all_nodes(_parsed(text))]
        depth += 1
    return depth


def _parsed(text):
    """Returns the GraphDef that a string holds. It is empty when the string is something else."""
    try:
        return protos.GraphDef.FromString(text)
    except DecodeError:
        return protos.GraphDef()


def _read(graph_def, found):
    """Returns the tensors of the nodes `found` that other nodes read, ready to paste, or "" in a function."""
    names = {node.name for node, _ in found} & {node.name for node in graph_def.node}
    taken = [i for n in graph_def.node if n.name not in names for i in n.input if i[0] != "^"]
    read = dict.fromkeys(":".join(map(str, graphs.tensor(i))) for i in taken if graphs.tensor(i)[0] in names)
    return f" {','.join(read)}" if read else ""


def _is_harmless(node, attribute, values):
    """Returns True when `node` itself has one of `values`. In a function the caller may decide the attribute."""
    if attribute not in node.attr:
        return True  # its default is the first of them
    return node.attr[attribute].WhichOneof("value") == "s" and node.attr[attribute].s in values


def _decided(nodes):
    """Returns {decision: [(NodeDef, reason)]} of all that do more than compute."""
    found = {}
    for node in nodes:
        one = verdict(node)
        if one and one.decision != COMPUTES:
            found.setdefault(one.decision, []).append((node, one.reason))
    return found


def _names(found):
    names = {}
    for node, _ in found:
        names.setdefault(node.op, []).append(node.name)
    return names


def _reasons(found):
    return list(dict.fromkeys((node.op, reason) for node, reason in found))
