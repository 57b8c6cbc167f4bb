"""A graph that answers, as plain nodes: constants known, chains of identities gone, dead nodes left out."""

from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from tf1ref.artifacts.formats.weights import READ
from tf1ref.artifacts.graph import constants, graphs
from tf1ref.errors import InputError

# What passes its first input on: names, debugging aids, and checks that change no value.
PASSES = ("Identity", "Snapshot", "CheckNumerics", "Print", "PreventGradient", "DebugGradientIdentity", "EnsureShape")


# Loops and branches of version 1, by the ops that only they have.
FLOW = ("Enter", "Exit", "Merge", "Switch", "NextIteration", "LoopCond")


@dataclass
class Node:
    """One op. `inputs`: [(node name, output index)]; `dtypes`, `shapes`: one for each output.

    `value`: the array of a constant, else None. `weight`: its name where it is a variable, or a large constant.
    """

    name: str
    op: str
    inputs: list = field(default_factory=list)
    control: list = field(default_factory=list)
    attrs: dict = field(default_factory=dict)
    dtypes: list = field(default_factory=list)
    shapes: list = field(default_factory=list)
    value: object = None
    weight: str = ""


@dataclass
class Program:
    """What is written as code. `nodes`: {name: Node}, each after what it reads.

    `inputs`: {argument: (node name, index)}; `outputs`: {key: (node name, index)}. `trained`: weights that are
    variables.
    """

    nodes: dict
    inputs: dict
    outputs: dict
    trained: set = field(default_factory=set)

    def readers(self):
        """Returns {(node name, index): [nodes that read it]}."""
        found = {}
        for node in self.nodes.values():
            for source in node.inputs:
                found.setdefault(source, []).append(node)
        return found

    def prune(self):
        """Leaves out the nodes, and the inputs, that no output needs."""
        wanted, stack = set(), [name for name, _ in self.outputs.values()]
        while stack:
            name = stack.pop()
            if name not in wanted:
                wanted.add(name)
                stack += [source for source, _ in self.nodes[name].inputs]
        self.nodes = {name: node for name, node in self.nodes.items() if name in wanted}
        self.inputs = {key: source for key, source in self.inputs.items() if source[0] in wanted}


def program(ready, short):
    """Returns the Program of a models.Ready. `short(array)`: true for constants that are written out."""
    frozen = constants.frozen(ready, ready.values)
    graph = ready.but(frozen).imported()
    nodes = {op.name: _node(op, ready.where) for op in graph.get_operations()}
    were = _variables(frozen) | set(ready.values)
    inputs = {key: graphs.tensor(name) for key, name in ready.inputs.items()}
    fed = set(inputs.values())
    aliases = {}
    for node in nodes.values():
        node.inputs = [aliases.get(source, source) for source in node.inputs]
        if (node.op in PASSES or node.op == "PlaceholderWithDefault") and (node.name, 0) not in fed:
            aliases[node.name, 0] = node.inputs[0]
        if node.value is not None and (node.name in were or not short(node.value)):
            node.weight = node.name
    outputs = {key: graphs.tensor(name) for key, name in ready.outputs.items()}
    outputs = {key: aliases.get(source, source) for key, source in outputs.items()}
    trained = {n.name for n in nodes.values() if n.weight and (n.name in were or n.value.dtype.kind == "f")}
    found = Program(nodes, inputs, outputs, trained)
    found.prune()
    flow = next((n for n in found.nodes.values() if n.op.removeprefix("Ref") in FLOW), None)
    if flow:
        raise InputError(
            f"{ready.where}: the outputs need {flow.name} ({flow.op}), a loop or branch of version 1, which is not "
            "ported yet: name --outputs before it"
        )
    return found


def _node(op, where):
    value = None
    if op.type == "Const":
        try:
            value = np.asarray(tf.make_ndarray(op.get_attr("value")))
        except (TypeError, ValueError) as e:
            raise InputError(f"{where}: damaged: the constant {op.name} cannot be read") from e
    return Node(
        op.name,
        op.type,
        [(t.op.name, t.value_index) for t in op.inputs],
        [o.name for o in op.control_inputs],
        {} if op.type == "Const" else dict(op.node_def.attr),
        [t.dtype for t in op.outputs],
        [t.shape for t in op.outputs],
        value,
    )


def _variables(graph_def):
    """Names of the constants that were variables before the graph was frozen: something named as a read reads them."""
    there = {n.name for n in graph_def.node if n.op == "Const"}
    reads = [n for n in graph_def.node if n.op == "Identity" and READ.fullmatch(n.name)]
    return {graphs.tensor(n.input[0])[0] for n in reads} & there
