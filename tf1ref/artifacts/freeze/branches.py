"""Branches of a graph that a flag decides: what still runs when the flag is known, and the graph without the rest."""

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import graphs
from tf1ref.artifacts.graph.constants import BRANCHES
from tf1ref.artifacts.graph.graphs import tensor
from tf1ref.artifacts.graph.shapes import attr

SWITCHES, MERGES = ("Switch", "RefSwitch"), ("Merge", "RefMerge")
FOLLOWED = ("Identity", "Switch", "RefSwitch", "Enter")  # ops between a flag and what it decides
IFS = ("If", "StatelessIf")
# A flag and what it decides may be this many ops apart.
DEEP = 50


def live_nodes(graph_def, outputs, flags=None):
    """Returns the names of the nodes that run for `outputs` when `flags` {placeholder: bool} are fed."""
    nodes = {n.name: n for n in graph_def.node}
    dead = _dead(graph_def, nodes, flags or {})
    found, stack = set(), [tensor(t)[0] for t in outputs]
    while stack:
        name = stack.pop()
        if name in found or name not in nodes:
            continue
        found.add(name)
        node = nodes[name]
        stack += [tensor(i)[0] for i in node.input if node.op not in MERGES or not is_dead(i, dead)]
    return found


def reached(graph_def, live):
    """Returns the NodeDefs of the names `live` and of the functions that they call, each branch of an If too."""
    library = {f.signature.name: f for f in graph_def.library.function}
    nodes = [n for n in graph_def.node if n.name in live]
    return [*nodes, *(n for name in sorted(graphs.called(nodes, library)) for n in library[name].node_def)]


def inner_nodes(graph_def):
    """Yields (NodeDef, flag) for the branches of an If or Case. flag: a placeholder's name, or ""."""
    library = {f.signature.name: f for f in graph_def.library.function}
    nodes = {n.name: n for n in graph_def.node}
    for node in graphs.all_nodes(graph_def):
        if node.op in BRANCHES:
            flag = flag_of(nodes, node.input[0])
            for name in sorted(graphs.called([node], library)):
                yield from ((inner, flag) for inner in library[name].node_def)


def taken(graph_def):
    """Returns `graph_def` in which each branch that constants decide replaces the decision."""
    nodes = {n.name: n for n in graph_def.node}
    dead = _dead(graph_def, nodes, {})
    result = v1.GraphDef(versions=graph_def.versions, library=graph_def.library)
    decided = {n.name: _value(nodes, n.input[1], {}) for n in graph_def.node if n.op in SWITCHES and len(n.input) > 1}
    for old in graph_def.node:
        node = result.node.add()
        node.CopyFrom(old)
        if decided.get(node.name) is not None:
            _identity(node, old.input[0], [i for i in old.input if i[0] == "^"])
        elif node.op in MERGES:
            alive = [i for i in old.input if i[0] != "^" and not is_dead(i, dead)]
            if len(alive) == 1 and len(alive) < sum(i[0] != "^" for i in old.input):
                _identity(node, alive[0], [i for i in old.input if i[0] == "^"])
        elif node.op in IFS and _value(nodes, node.input[0], {}) is not None:
            _call(node, _value(nodes, node.input[0], {}))
    # A switch's output 1 becomes the one output of an identity.
    for node in result.node:
        node.input[:] = [
            tensor(i)[0] if i[0] != "^" and tensor(i)[1] == 1 and decided.get(tensor(i)[0]) else i for i in node.input
        ]
    return result


def _dead(graph_def, nodes, flags):
    """Returns what never runs: names of nodes, and the tensors (name, index) of a switch's other side."""
    readers, dead, stack = {}, set(), []
    for node in graph_def.node:
        for reference in node.input:
            readers.setdefault(tensor(reference)[0], []).append(node)
        if node.op in SWITCHES and len(node.input) > 1:
            value = _value(nodes, node.input[1], flags)
            if value is not None:
                stack.append((node.name, 0 if value else 1))
    while stack:
        gone = stack.pop()
        dead.add(gone)
        for node in readers.get(gone if isinstance(gone, str) else gone[0], ()):
            data = [is_dead(i, dead) for i in node.input if i[0] != "^"]
            controls = [tensor(i)[0] in dead for i in node.input if i[0] == "^"]
            if node.name not in dead and (any(controls) or (all(data) if node.op in MERGES else any(data))):
                dead.add(node.name)
                stack.append(node.name)
    return dead


def is_dead(reference, dead):
    """Returns True when the tensor `reference`, or its node, is among the `dead`."""
    return tensor(reference) in dead or tensor(reference)[0] in dead


def flag_of(nodes, reference):
    """Returns the name of the placeholder that decides the bool tensor `reference`, or ""."""
    for _ in range(DEEP):
        node = nodes.get(tensor(reference)[0])
        if node is None or node.op.startswith("Placeholder"):
            return node.name if node is not None else ""
        if node.op not in (*FOLLOWED, "LogicalNot") or not node.input:
            return ""
        reference = node.input[0]
    return ""


def _value(nodes, reference, flags):
    """Returns the bool that a tensor always has, or None."""
    negated = False
    for _ in range(DEEP):
        name, _ = tensor(reference)
        node = nodes.get(name)
        if node is None:
            return None
        if name in flags:
            return flags[name] != negated
        if node.op == "Const" and attr(node, "dtype").type == tf.bool.as_datatype_enum:
            value = attr(node, "value").tensor
            packed = bool(value.tensor_content[:1].strip(b"\0"))
            return (value.bool_val[0] if value.bool_val else packed) != negated
        if node.op == "LogicalNot":
            negated = not negated
        elif node.op not in FOLLOWED:
            return None
        if not node.input:
            return None
        reference = node.input[0]
    return None


def _identity(node, reference, controls):
    """Makes `node` an Identity of `reference`."""
    kind = node.attr["T"].type
    node.op = "Identity"
    node.input[:] = [reference, *controls]
    node.attr.clear()
    node.attr["T"].type = kind


def _call(node, value):
    """Turns an If into the call of the branch that runs."""
    branch = node.attr["then_branch" if value else "else_branch"].func
    kinds = {name: node.attr[name] for name in ("Tin", "Tout")}
    call = v1.NodeDef(name=node.name, input=node.input[1:], device=node.device)
    call.op = "PartitionedCall" if node.op == "StatelessIf" else "StatefulPartitionedCall"
    for name, kind in kinds.items():
        call.attr[name].CopyFrom(kind)
    call.attr["f"].func.CopyFrom(branch)
    node.CopyFrom(call)
