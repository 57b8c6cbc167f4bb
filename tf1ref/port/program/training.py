"""What a recorded training step is made of: its loss, the gradients of which variables, and what is done with them."""

import re
from dataclasses import dataclass, field

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import constants, graphs, repairs
from tf1ref.errors import InputError
from tf1ref.port.flow.frames import FLOW
from tf1ref.port.nodes import Node

GRADIENTS = re.compile(r"(?:.*/)?gradients(?:_\d+)?/")
FIRST_READER = re.compile(r"((?:.*/)?)gradients(?:_\d+)?/(.+)_grad/[^/]+$")
WRITES = re.compile(
    r"(Resource)?(Sparse)?Apply\w+|(Resource)?Scatter\w+|Assign(Add|Sub)?|Assign(Add|Sub)?VariableOp|CountUpTo"
)
FED = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")


@dataclass
class Step:
    """One step of training. `loss`: a tensor name; `trained`: variables in the order of the program.

    `gradients`: {(node, index): (variable, part)}, the tensors of the backward pass that something else reads; `part`:
    "" or, for rows of a table, ".values" or ".indices". `forward`: {tensor name: None}, what the step needs of the
    model, the loss first. `updates`: the Nodes between, and the writes, in their order. `inputs`: placeholders.
    """

    graph_def: object
    loss: str
    trained: list
    gradients: dict
    forward: dict
    updates: list
    inputs: list
    fetched: dict = field(default_factory=dict)


def step(recording):
    """Returns the Step that a recording's training runs all do.

    Raises InputError for a program that trains otherwise than this knows: it names the op, and its line.
    """
    first = recording.steps[0]
    meta = v1.MetaGraphDef.FromString(recording.graphs[first.graph])
    wanted = [*(n.partition(":")[0] for n in first.fetches), *first.targets]
    starts = _starts(graphs.Graph(meta.graph_def, recording.path).pruned(wanted), meta.graph_def)
    repaired = repairs.repaired(meta.graph_def, [*wanted, *starts], recording.path)
    graph = _shaped(repaired.imported(), meta.graph_def)
    ops = {op.name: op for op in graph.get_operations()}
    where = Where(recording, first.graph)
    flow = next((op for op in ops.values() if op.type.removeprefix("Ref") in FLOW), None)
    if flow is not None:
        raise where.refused(flow, "a loop or branch of version 1 is not ported yet")
    backward = {name for name in ops if GRADIENTS.match(name)}
    edge = {
        (t.op.name, t.value_index): None
        for op in ops.values()
        if op.name not in backward
        for t in op.inputs
        if t.op.name in backward
    }
    loss, known = _loss(graph, ops, edge, first, recording.trainable, where)
    known = {source: known[source] for source in edge}
    forward, updates = _split(ops, backward, first, loss, where)
    trained = [name for name in recording.trainable if name in {variable for variable, _ in known.values()}]
    return Step(repaired.graph_def, loss, trained, known, forward, updates, _inputs(ops, first, where))


def _shaped(graph, recorded):
    """Returns `graph` with the shapes that the program knew: gradients are built by them."""
    shapes = {node.name: node.attr["_output_shapes"].list.shape for node in recorded.node}
    for op in graph.get_operations():
        for tensor, shape in zip(op.outputs, shapes.get(op.name, ())):
            tensor.set_shape(tf.TensorShape(shape))
    return graph


class Where:
    """Says where in the program an op was made."""

    def __init__(self, recording, graph):
        self.recording, self.lines = recording, recording.lines[graph]

    def refused(self, op, reason):
        """Returns the InputError that names `op` (its name and type) and its line."""
        line = self.lines.get(op.name)
        at = f"{line[0]}:{line[1]}: " if line else ""
        return InputError(f"{at}{op.name} ({op.type}): {reason}")


def _loss(graph, ops, edge, first, trainable, where):
    """Returns (the loss' name, {source: (variable, part)}): the tensor whose gradients are those of the program.

    It is found by what it gives: the gradients of a candidate are built again and compared in structure.
    """
    if not edge:
        raise InputError(f"{where.recording.program}: no run computes gradients: port its model from a checkpoint")
    variables = {name: graph.get_tensor_by_name(f"{name}:0") for name in trainable if name in ops}
    for candidate in _candidates(ops, first, graph.as_graph_def()):
        loss = graph.get_tensor_by_name(candidate)
        if not loss.dtype.is_floating:
            continue
        with graph.as_default():
            found = v1.gradients(loss, list(variables.values()), name="again/gradients")
        known = {}
        digests = _Digests()
        for name, gradient in zip(variables, found):
            parts = {"": gradient}
            if isinstance(gradient, tf.IndexedSlices):
                parts = {".values": gradient.values, ".indices": gradient.indices}
            for part, tensor in parts.items():
                if tensor is not None:
                    known.setdefault(digests.of(tensor), (name, part))
        reached = {source: known.get(digests.of(ops[source[0]].outputs[source[1]])) for source in edge}
        if all(reached.values()):
            return candidate, reached
    name = next(iter(edge))[0]
    raise where.refused(ops[name], "is no gradient of a loss that was found: this way of training is not ported yet")


def _candidates(ops, first, graph_def):
    """Names of tensors that may be the loss: what the backward pass starts from, then what each step fetches."""
    found = dict.fromkeys(f"{name}:0" for name in _starts(graph_def, graph_def))
    found.update(dict.fromkeys(first.fetches))
    return [name for name in found if name.partition(":")[0] in ops and not GRADIENTS.match(name)]


def _starts(graph_def, whole):
    """Names of the ops of `whole` whose gradients are what reads the ones that the backward pass starts with."""
    there, found = {node.name for node in whole.node}, {}
    for node in graph_def.node:
        reader = FIRST_READER.match(node.name)
        if reader and any("grad_ys_" in name for name in node.input):
            found.update(dict.fromkeys(n for n in (reader[1] + reader[2], reader[2]) if n in there))
    return list(found)


class _Digests:
    """What a tensor of a backward pass computes, whatever its ops are called. Forward ops are known by their names."""

    def __init__(self):
        self.found = {}

    def of(self, tensor):
        """Returns a value that is the same for tensors that are computed the same way."""
        tensor = _source(tensor)
        stack = [tensor.op]
        while stack:
            op = stack[-1]
            inputs = [_source(t) for t in op.inputs] if GRADIENTS.match(op.name) else []
            needed = [t.op for t in inputs if t.op.name not in self.found]
            if needed:
                stack += needed
                continue
            self.found[op.name] = self._digest(op, inputs)
            stack.pop()
        return self.found[tensor.op.name], tensor.value_index

    def _digest(self, op, inputs):
        if not GRADIENTS.match(op.name):
            return hash(op.name)
        attrs = tuple(
            (name, value.SerializeToString(deterministic=True))
            for name, value in sorted(op.node_def.attr.items())
            if name[0] != "_"
        )
        return hash((op.type, attrs, tuple((self.found[t.op.name], t.value_index) for t in inputs)))


def _source(tensor):
    """The tensor behind the identities of a backward pass, which group gradients and compute nothing."""
    while tensor.op.type == "Identity" and GRADIENTS.match(tensor.op.name):
        tensor = tensor.op.inputs[0]
    return tensor


def _split(ops, backward, first, loss, where):
    """Returns ({tensors of the forward pass that are needed}, [Nodes of the updates, in order])."""
    before = _ancestors([graphs.tensor(loss)[0]], ops, control=False)
    fed = {op.name for op in ops.values() if op.type in FED or {"seed", "seed2"} <= set(op.node_def.attr)}
    model = before | {name for name in _descendants(fed, ops) if name not in backward}
    late = _descendants(backward | {name for name, op in ops.items() if WRITES.fullmatch(op.type)}, ops)
    model -= late
    wanted = [name for name, op in ops.items() if name not in model and name not in backward]
    forward = {loss: None}
    fetched = [n for n in first.fetches if n.partition(":")[0] in model]
    forward.update(dict.fromkeys(n for n in fetched if ops[n.partition(":")[0]].outputs[0].dtype != tf.string))
    nodes = {}
    for name in wanted:
        op = ops[name]
        nodes[name] = _node(op)
        for t in op.inputs:
            if t.op.name in model and t.op.type not in constants.VARIABLES and not _is_read(t.op):
                if t.op.type == "Const":
                    nodes.setdefault(t.op.name, _node(t.op))
                else:
                    forward[t.name] = None
    return forward, _ordered(nodes, ops, where)


def _ancestors(names, ops, control=True):
    found, stack = set(), list(names)
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            stack += [t.op.name for t in ops[name].inputs]
            stack += [o.name for o in ops[name].control_inputs] if control else []
    return found


def _descendants(names, ops):
    """Names of the ops that `names` lead to by data, and they themselves; in the order of the graph."""
    found = set(names)
    for name, op in ops.items():
        if any(t.op.name in found for t in op.inputs):
            found.add(name)
    return found


def _is_read(op):
    return op.type in ("Identity", "ReadVariableOp") and op.inputs[0].op.type in constants.VARIABLES


def _ordered(nodes, ops, where):
    """The nodes so that reads come before writes where nothing says otherwise, each after what it depends on."""
    needs = {
        name: {t.op.name for t in ops[name].inputs if t.op.name in nodes}
        | {o for c in ops[name].control_inputs for o in _through(c, nodes, ops)}
        for name in nodes
    }
    waiting, done, found = list(nodes), set(), []
    while waiting:
        free = [name for name in waiting if needs[name] <= done]
        if not free:
            raise where.refused(ops[waiting[0]], "is in a loop of updates: not ported yet")
        name = next((n for n in free if not WRITES.fullmatch(ops[n].type)), free[0])
        waiting.remove(name)
        done.add(name)
        found.append(nodes[name])
    return found


def _through(op, nodes, ops):
    """What a control dependency on `op` waits for among `nodes`."""
    return {name for name in _ancestors([op.name], ops) if name in nodes}


def _inputs(ops, first, where):
    found = []
    for name in first.feeds:
        op = ops.get(name.partition(":")[0])
        if op is None:
            continue  # fed, and not needed
        if op.type not in FED:
            raise where.refused(op, "is fed, and no placeholder: not ported yet")
        found.append(name)
    return found


def _node(op):
    value = tf.make_ndarray(op.get_attr("value")) if op.type == "Const" else None
    return Node(
        op.name,
        op.type,
        [(t.op.name, t.value_index) for t in op.inputs],
        [o.name for o in op.control_inputs],
        {} if op.type == "Const" else dict(op.node_def.attr),
        [t.dtype.base_dtype for t in op.outputs],
        [t.shape for t in op.outputs],
        value,
    )


def every(step, path):
    """Returns {name: Node} of the whole graph of a Step."""
    return {op.name: _node(op) for op in graphs.Graph(step.graph_def, path).imported().get_operations()}
