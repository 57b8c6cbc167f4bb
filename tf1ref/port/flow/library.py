"""Loops, branches and calls that name functions of the graph's library, as Nodes that hold those functions.

This is how control flow of version 2 is written: While, If and PartitionedCall, in place of frames and switches.
"""

from tensorflow.python.framework import function_def_to_graph

from tf1ref.artifacts.graph.constants import LOOPS
from tf1ref.errors import InputError
from tf1ref.port.flow import parts
from tf1ref.port.nodes import COND, LOOP, Node, Part

BRANCHES = ("If", "StatelessIf")
OTHERS = ("Case", "StatelessCase", "For", "Map", "SymbolicGradient", "RemoteCall")
CALLS = ("PartitionedCall", "StatefulPartitionedCall")


class Library:
    """The functions of a graph. `graph`: it, imported; `of_op(op, prefix)`: the Node of an Operation.

    `clean(nodes)`: leaves chains of identities out and returns {source: what it is}. `weights`: {name: Node} of the
    large constants in functions, which are kept beside the code.
    """

    def __init__(self, graph_def, graph, of_op, clean, where):
        self.functions = {f.signature.name: f for f in graph_def.library.function}
        self.graph, self.of_op, self.clean, self.where = graph, of_op, clean, where
        self.every, self.weights = {}, {}

    def expanded(self, nodes):
        """Returns ({name: Node}, {source: what it is now}) without calls. Raises InputError for one not known here."""
        found, now = {}, {}
        for node in nodes.values():
            node.inputs = [now.get(source, source) for source in node.inputs]
            self.every[node.name] = node
            if node.op in LOOPS:
                self._loop(node, now)
            elif node.op in BRANCHES:
                self._branch(node)
            elif node.op in CALLS or node.op in self.functions:
                name = node.attrs["f"].func.name if node.op in CALLS else node.op
                part = self._part(node, name, node.inputs)
                found.update(part.nodes)
                parts.replace(part, dict(zip(_sources(part), node.inputs)))
                now.update(((node.name, i), source) for i, source in enumerate(part.results))
                continue
            elif node.op in OTHERS:
                raise InputError(f"{self.where}: the outputs need {node.name} ({node.op}), which is not ported yet")
            found[node.name] = node
        return found, now

    def _loop(self, node, now):
        starts, names = list(node.inputs), [node.attrs[name].func.name for name in ("cond", "body")]
        test, body = (self._part(node, name, starts) for name in names)
        same = [source == result for source, result in zip(_sources(body), body.results)]
        for part in (test, body):
            parts.replace(part, {s: start for s, start, kept in zip(_sources(part), starts, same) if kept})
            part.parameters = [p for p, kept in zip(part.parameters, same) if not kept]
        body.results = [result for result, kept in zip(body.results, same) if not kept]
        at = 0
        for i, kept in enumerate(same):
            now[node.name, i] = starts[i] if kept else (node.name, at)
            at += not kept
        node.attrs = {"parallel_iterations": node.attrs["parallel_iterations"].i}
        node.op, node.own, node.parts = LOOP, at, [test, body]
        node.dtypes, node.shapes = (
            [x for x, kept in zip(found, same) if not kept] for found in (node.dtypes, node.shapes)
        )
        node.inputs = [start for start, kept in zip(starts, same) if not kept] + parts.captured(node.parts, self.every)

    def _branch(self, node):
        predicate, *given = node.inputs
        if self.every[predicate[0]].dtypes[predicate[1]].name != "bool":
            raise InputError(f"{self.where}: {node.name} ({node.op}) branches on a number: not ported yet")
        node.parts = [self._part(node, node.attrs[f"{name}_branch"].func.name, given) for name in ("then", "else")]
        for part in node.parts:
            parts.replace(part, dict(zip(_sources(part), given)))
            part.parameters = []
        node.op, node.own = COND, 1
        node.inputs = [predicate, *parts.captured(node.parts, self.every)]

    def _part(self, node, name, given):
        """The function `name` as a Part, with a parameter for each of its arguments."""
        shapes = [self.every[source].shapes[index] for source, index in given]
        with self.graph.as_default():
            graph = function_def_to_graph.function_def_to_graph(self.functions[name], shapes)
        prefix = f"{node.name}/{name}/"
        nodes = {prefix + op.name: self.of_op(op, prefix) for op in graph.get_operations()}
        arguments = [nodes.pop(prefix + t.op.name) for t in graph.inputs]
        self.every.update((n.name, n) for n in arguments)
        self.weights.update((n.name, n) for n in nodes.values() if n.weight)
        nodes, now = self.expanded(nodes)
        results = [now.get(s, s) for s in [(prefix + t.op.name, t.value_index) for t in graph.outputs]]
        now = self.clean(nodes)
        results = [now.get(s, s) for s in results]
        parameters = [Node(n.name, "Parameter", dtypes=n.dtypes, shapes=n.shapes) for n in arguments]
        kept = {name: n for name, n in parts.needed(nodes, results).items() if not n.weight}
        return Part(kept, parameters, results)


def _sources(part):
    return [(parameter.name, 0) for parameter in part.parameters]
