"""The part of a graph that some outputs need. It is repaired, cut at its inputs, and checked before any import."""

from collections.abc import Iterable

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import calls, definitions, effects, graphs, lookups, registry, repairs
from tf1ref.artifacts.graph import tables as graph_tables
from tf1ref.artifacts.graph.graphs import tensor
from tf1ref.artifacts.graph.shapes import Shapes, dtype_of
from tf1ref.errors import InputError


class Part(graphs.Graph):
    """The part of `message` (a GraphDef or MetaGraphDef, which is not changed) that the tensors `outputs` need.

    graph_def: the part, with TensorFlow's own repairs. where: the file, for messages. notes: the repairs, one line
    each.
    trust: runs it although it does more than compute. tables: names of the tables that became constants.
    With the option that keeps tables, starts is {table: op that fills it}, and files is {name of the Const of a path:
    asset}. Raises InputError when a needed node reads a missing one.
    """

    def __init__(self, message, outputs: Iterable[str], where: str, trust: bool = False, tables: bool = False):
        self.message, self.outputs, self.trust = message, list(outputs), trust
        self.starts: dict[str, str] = {}
        self.files: dict[str, str] = {}
        found = graph_tables.find(repairs.repaired(message, self.outputs, where), message)
        self.tables = list(found.entries)
        if tables:
            repaired, self.files = graph_tables.kept(found)
            self.starts = {name: start.name for name, start in found.starts.items()}
        else:
            repaired = graph_tables.inlined(found)
        super().__init__(repaired.graph_def, where, repaired.notes)
        self.graph_def = self.needed(self.outputs)
        calls.check(self)

    def needed(self, names: Iterable[str]) -> v1.GraphDef:
        """Returns what the tensors `names` need, including the ops that fill tables among it."""
        there = {node.name for node in self.pruned(names).node} if self.starts else set()
        self.starts = {table: start for table, start in self.starts.items() if table in there}
        needed = self.pruned([*names, *self.starts.values()])
        self.files = {node.name: self.files[node.name] for node in needed.node if node.name in self.files}
        return needed

    def ops(self) -> dict[str, str]:
        """Returns {node name: op} of the graph, without its functions."""
        return {node.name: node.op for node in self.graph_def.node}

    def cut(self, names: list[str], kept: bool = True) -> dict[str, str]:
        """Puts placeholders in place of the tensors `names`. Returns {old name: new one}.

        kept: includes tensors that the outputs do not need. Nothing that may do more than compute is imported.
        """
        if not names:
            return {}
        self.graph_def, placeholders = graphs.cut(self.graph_def, names, self._types(names))
        wanted = [*self.outputs, *(placeholders.values() if kept else ())]
        self.graph_def = self.needed(wanted)
        return placeholders

    def imported(self) -> v1.Graph:
        """Returns the part as a new Graph.

        Before anything is imported, it raises InputError for ops that TensorFlow does not know, whose state no file
        holds, or that are not trusted, and for constants that are too large. Afterwards it does so for missing outputs.
        """
        unknown = registry.unknown(graphs.all_nodes(self.graph_def), self._functions())
        if unknown:
            raise InputError(
                f"{self.where}: the outputs need ops that this TensorFlow does not know: {graphs.listed(unknown)}: "
                "name tensors after them as --inputs, or outputs before them"
            )
        effects.check(self.but(self._without_tables()), self.trust)
        effects.check_constants(self)
        graph = super().imported()
        for name in self.outputs:
            self.output(graph, name)
        self.notes += [note for note in repairs.stale(self.message, graph) if note not in self.notes]
        return graph

    def _without_tables(self):
        """Returns the part without the tables that are kept. They were read, and their files are assets."""
        nodes = [n for n in self.graph_def.node if not (n.name in self.starts or n.name in self.starts.values())]
        asked = [n for n in nodes if not (n.input and n.op in (*lookups.FINDS, *lookups.SIZES) and self.starts)]
        return v1.GraphDef(node=asked, library=self.graph_def.library, versions=self.graph_def.versions)

    def _functions(self):
        return {f.signature.name: f for f in self.graph_def.library.function}

    def _types(self, names):
        """Returns {tensor name: (dtype, shape)}, which TensorFlow infers behind what may not be imported."""
        before = self.pruned(names)
        stopped = self._stopped(before)
        saved = {node.name: node for node in getattr(self.message, "graph_def", self.message).node}
        nodes = {node.name: (node, saved.get(node.name, node)) for node in before.node}
        found = {
            name: self._declared(*nodes[tensor(name)[0]], *tensor(name)) for name in names if tensor(name)[0] in stopped
        }
        read = {tensor(i) for node in before.node for i in node.input if i[0] != "^"}
        ends = {f"{node}:{index}": (node, index) for node, index in read if node in stopped}
        left = [name for name in names if name not in found]
        if not left:
            return found
        declared = {name: self._declared(*nodes[end[0]], *end) for name, end in ends.items()}
        behind, placeholders = graphs.cut(before, list(ends), declared)
        # A node that only runs after a stopped op need not wait for it here.
        for node in behind.node:
            node.input[:] = [i for i in node.input if not (i[0] == "^" and i[1:] in stopped)]
        behind = self.but(self.but(behind).pruned(left))
        effects.check_constants(behind)
        graph = behind.imported()
        tensors = [self.output(graph, name) for name in left]
        return {**found, **{t.name: (t.dtype.base_dtype, t.shape) for t in tensors}}

    def _stopped(self, graph_def):
        """Returns the names of the nodes that may not be imported, also inside the functions that they call."""
        library = {f.signature.name: f for f in graph_def.library.function}

        def stops(node):
            if not registry.has(node.op) and node.op not in library:
                return True
            decision = effects.decision(node)
            return decision == effects.PYTHON or (decision == effects.OUTSIDE and not self.trust)

        bad = {name for name, function in library.items() if any(map(stops, function.node_def))}
        return {n.name for n in graph_def.node if stops(n) or (bad and bad & graphs.called([n], library))}

    def _declared(self, node, original, name, index):
        """Returns (dtype, shape) of a tensor from its op's definition and from what was recorded.

        node: the NodeDef of the part. original: the one that was saved.
        """
        declared = dict(enumerate(definitions.outputs(node, self._functions()))).get(index)
        dtype = declared.dtype if declared and declared.dtype else tf.as_dtype(dtype_of(node) or "float32").base_dtype
        return dtype, tf.TensorShape(Shapes({name: original}).of(name, index))
