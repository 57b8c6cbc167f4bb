"""Replaces calls of functions by the functions' nodes. It goes by name, and nothing is imported."""

from collections.abc import Callable, Mapping

import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import definitions, graphs
from tf1ref.artifacts.graph.graphs import tensor
from tf1ref.errors import InputError

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# The most nodes, those of all calls included: forty functions that each call the next one twice make 10^12.
MOST = 10**7


def check(graph: graphs.Graph) -> None:
    """Raises InputError for functions that call themselves, which ends TensorFlow's process, or grow too large."""
    library = {f.signature.name: f for f in graph.graph_def.library.function}
    sizes: dict[str, int] = {}
    open_: dict[str, None] = {}
    stack = [(name, False) for name in library]
    # A foreign library may be deeper than Python's stack.
    while stack:
        name, done = stack.pop()
        if name in sizes:
            continue
        called = [n for node in library[name].node_def for n in graphs.functions(node) if n in library]
        if done:
            open_.popitem()
            sizes[name] = len(library[name].node_def) + sum(sizes[n] for n in called)
        elif name in open_:
            raise InputError(f"{graph.where}: damaged: the function {name} calls itself")
        else:
            open_[name] = None
            stack += [(name, True), *((n, False) for n in called if n not in sizes)]
    large = next((name for name, size in sizes.items() if size > MOST), None)
    if large:
        raise InputError(f"{graph.where}: the function {large} is more than {MOST:,} nodes with all that it calls")


def inlined(graph: graphs.Graph, wanted: Callable[[Mapping[str, v1.NodeDef], v1.NodeDef], bool]) -> graphs.Graph:
    """Returns `graph` in which bodies of functions replace calls, and the calls inside those.

    wanted: a function of {name: NodeDef} of the graph and a NodeDef that calls; it returns whether to replace the call.
    A call keeps its name, as an IdentityN of the function's results. Raises InputError as check() does.
    """
    check(graph)
    library = {f.signature.name: f for f in graph.graph_def.library.function}
    nodes = {n.name: n for n in graph.graph_def.node}
    todo = list(nodes.values())
    changed = False
    while todo:
        node = todo.pop()
        name = _function(node)
        if name not in library or not wanted(nodes, node):
            continue
        made = _body(node, library[name], library, nodes)
        changed = True
        nodes.update({n.name: n for n in made})
        todo += made
    if not changed:
        return graph
    result = v1.GraphDef(versions=graph.graph_def.versions, library=graph.graph_def.library)
    result.node.extend(nodes.values())
    return graph.but(result)


def _function(node):
    """Returns the name of the function that a NodeDef calls, or "" when it is not a call."""
    return node.attr["f"].func.name if node.op in CALLS and "f" in node.attr else node.op


def _body(node, function, library, there):
    """Returns the nodes of `function` for the call `node`, the last one under its name.

    `there`: names that are taken.
    """
    data = [i for i in node.input if i[0] != "^"]
    controls = [i for i in node.input if i[0] == "^"]
    given = dict(zip((a.name for a in function.signature.input_arg), data))
    names = {n.name: graphs.free(f"{node.name}/{n.name}", there) for n in function.node_def}
    places = {n.name: [o.name for o in definitions.outputs(n, library)] for n in function.node_def}
    values = node.attr["f"].func.attr if node.op in CALLS else node.attr

    def outside(reference):
        if reference[0] == "^":
            return f"^{names[reference[1:]]}"
        if reference in given:
            return given[reference]
        name, output, index = reference.split(":")
        found = [p for p in (f"{output}_{index}", output) if p in places[name]]
        place = places[name].index(found[0]) if found else tensor(reference)[1]
        return f"{names[name]}:{place}"

    made = []
    for inner in function.node_def:
        one = graphs.copy(inner)
        one.name, one.input[:] = names[inner.name], [*map(outside, inner.input), *controls]
        for value in one.attr.values():
            if value.placeholder in values:
                value.CopyFrom(values[value.placeholder])
        made.append(one)
    returned = [outside(function.ret[a.name]) for a in function.signature.output_arg]
    last = v1.NodeDef(name=node.name, op="IdentityN" if returned else "NoOp", input=returned)
    types = [o.dtype.as_datatype_enum for o in definitions.outputs(node, library) if o.dtype]
    if returned:
        last.attr["T"].list.type.extend(types)
    last.input.extend(f"^{names[n]}" for n in dict.fromkeys(function.control_ret.values()))
    return [*made, last]
