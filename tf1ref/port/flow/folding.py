"""Turns each loop and each condition of version 1 into one Node that holds functions."""

import re

from tf1ref.errors import InputError
from tf1ref.port.flow import parts
from tf1ref.port.flow.frames import FLOW, Places, kind
from tf1ref.port.nodes import COND, LOOP, Node, Part

CONTEXT = re.compile(r"/while_context$")


def folded(nodes, outputs, where=""):
    """Returns ({name: Node}, a function from a source of `nodes` to the new one), one Node for a loop or condition.

    outputs: the sources that are needed; the rest is left out. Raises InputError, with the name of an op, for a loop or
    condition without the form that TensorFlow's own functions give it.
    """
    fold = _Fold(nodes, outputs, where)
    for frame in sorted(fold.places.parent, key=fold.places.depth, reverse=True):
        fold.conditions(frame)
        if frame:
            fold.loop(frame)
    return fold.result(outputs), fold.source


class _Fold:
    def __init__(self, nodes, outputs, where):
        self.where, self.places = where, Places(dict(nodes), where)
        self.nodes = self._needed(nodes, list(outputs))
        self.now = {}

    def _needed(self, nodes, outputs):
        """Returns what `outputs` need. Where the branches are constants, only control inputs lead to a predicate."""
        found, before = parts.needed(nodes, outputs), 0
        while len(found) > before:
            before = len(found)
            merges = [n for n in found.values() if kind(n) == "Merge" and not self.places.is_loop_variable(n)]
            found = parts.needed(nodes, outputs + [self._decided(merge)[0] for merge in merges])
        return found

    def result(self, outputs):
        """Returns what `outputs` need at the end. No op of a loop or condition is among it."""
        for node in self.nodes.values():
            self._settle(node)
        sources = [self.source(s) for s in outputs]
        found = parts.ordered(parts.needed(self.nodes, sources), self.where)
        read = [*sources, *(s for node in parts.everything(found).values() for s in node.inputs)]
        # Nothing stands for the second output of a Merge, which says which branch was taken.
        taken = [self.places.nodes[name] for name, index in read if index and name in self.places.nodes]
        for node in [*(n for n in taken if kind(n) == "Merge"), *found.values()]:
            if kind(node) in FLOW:
                raise self._odd(node)
        return found

    def source(self, source):
        """Returns the present source for `source`."""
        while source in self.now:
            source = self.now[source]
        return source

    def _settle(self, node):
        """Gives `node`, and all nodes inside, the final sources, and lists what functions take from outside."""
        node.inputs = [self.source(s) for s in node.inputs]
        for part in node.parts:
            part.results = [self.source(s) for s in part.results]
            for inner in part.nodes.values():
                self._settle(inner)
        if node.parts:
            own = node.inputs[: node.own]
            node.inputs = own + parts.captured(node.parts, self.places.nodes)

    def _odd(self, node):
        return InputError(
            f"{self.where}: the outputs need {node.name} ({node.op}), a loop or branch of version 1 that is not as "
            "tf.while_loop or tf.cond write it: name --outputs before it"
        )

    def _rewire(self):
        for node in self.nodes.values():
            node.inputs = [self.source(s) for s in node.inputs]

    def _at(self, frame):
        return [n for n in self.nodes.values() if self.places.frame[n.name] == frame]

    def loop(self, frame):
        """Turns the loop `frame` into one Node."""
        here = self._at(frame)
        by_kind = {name: [n for n in here if kind(n) == name] for name in FLOW}
        merges, conditions = by_kind["Merge"], by_kind["LoopCond"]
        if not merges:
            return
        ends = [{kind(self.nodes[name]): self.nodes[name] for name, _ in merge.inputs} for merge in merges]
        for merge, found in zip(merges, ends):
            if found.keys() != {"Enter", "NextIteration"} or len(conditions) != 1:
                raise self._odd(merge)
        self.now.update(((n.name, 0), n.inputs[0]) for n in by_kind["Enter"])
        for switch in by_kind["Switch"]:
            if switch.inputs[1][0] == conditions[0].name:
                self.now[switch.name, 1] = switch.inputs[0]
        exits = {(n.name, 0): self.nodes[n.inputs[0][0]].inputs[0] for n in by_kind["Exit"]}
        self._rewire()
        inner = {n.name: n for n in here if kind(n) not in FLOW}
        results = [[conditions[0].inputs[0]], [end["NextIteration"].inputs[0] for end in ends]]
        node = Node(parts.free(CONTEXT.sub("", frame), self.places.nodes), LOOP, own=len(merges))
        node.attrs = {"parallel_iterations": ends[0]["Enter"].attrs["parallel_iterations"].i}
        node.parts = [self._part(inner, merges, [self.source(s) for s in found]) for found in results]
        node.inputs = [self.source(end["Enter"].inputs[0]) for end in ends]
        gone = {n.name for n in here} - {n.name for n in by_kind["Exit"]}
        branches = [self.places.branch[n.name] for n in by_kind["Exit"]]
        self._put(node, merges, self.places.parent[frame], branches[0] if branches else {}, gone)
        variables = [(merge.name, 0) for merge in merges]
        self.now.update((source, (node.name, variables.index(merge))) for source, merge in exits.items())

    def _part(self, inner, parameters, results):
        found = parts.ordered(parts.needed(inner, results), self.where)
        return Part(found, [Node(m.name, "Parameter", dtypes=m.dtypes, shapes=m.shapes) for m in parameters], results)

    def _put(self, node, merges, frame, branch, gone):
        node.dtypes, node.shapes = [m.dtypes[0] for m in merges], [m.shapes[0] for m in merges]
        node.inputs += parts.captured(node.parts, self.places.nodes)
        self.nodes[node.name] = self.places.nodes[node.name] = node
        self.places.frame[node.name], self.places.branch[node.name] = frame, branch
        for name in gone:
            self.nodes.pop(name)

    def conditions(self, frame):
        """Turns each condition in `frame` into a Node, which stands for all its Merge ops."""
        groups = {}
        for merge in self._at(frame):
            if kind(merge) == "Merge" and not self.places.is_loop_variable(merge):
                predicate, order = self._decided(merge)
                scope = merge.name.rpartition("/")[0]
                groups.setdefault((predicate, scope), []).append((merge, order))
        for (predicate, scope), found in groups.items():
            self._condition(predicate, scope, found, frame)

    def _decided(self, merge):
        """Returns (the predicate that decides between a Merge's inputs, [the input for false, the input for true])."""
        a, b = (self.places.branch_of(s) for s in merge.inputs) if len(merge.inputs) == 2 else ({}, {})
        differ = [p for p in {**a, **b} if a.get(p) != b.get(p)]
        if len(differ) != 1:
            raise self._odd(merge)
        (p,) = differ
        first = a[p] if p in a else 1 - b[p]
        return p, merge.inputs if first == 0 else merge.inputs[::-1]

    def _condition(self, predicate, scope, found, frame):
        here, branch = self._at(frame), self.places.branch
        merges = [merge for merge, _ in found]
        around = branch[merges[0].name]
        for node in here:
            decides = kind(node) == "Switch" and node.inputs[1] in (predicate, self.source(predicate))
            if decides and branch[node.name].items() <= around.items():
                self.now[node.name, 0] = self.now[node.name, 1] = node.inputs[0]
        self._rewire()
        node = Node(parts.free(scope or merges[0].name + "_cond", self.places.nodes), COND, own=1)
        for side in (1, 0):
            inner = {n.name: n for n in here if branch[n.name].get(predicate) == side}
            inner = {name: n for name, n in inner.items() if kind(n) not in FLOW and not n.weight}
            node.parts.append(self._part(inner, [], [self.source(order[side]) for _, order in found]))
        node.inputs = [self.source(predicate)]
        self._put(node, merges, frame, around, {m.name for m in merges})
        self.now.update(((merge.name, 0), (node.name, i)) for i, merge in enumerate(merges))
