"""GraphDefs as messages: names, pruning, cutting, and their import."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tf1ref.artifacts.graph import definitions, memory
from tf1ref.data.formats import protos
from tf1ref.errors import InputError, nearest, one_line

if TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow.compat.v1 as v1

# v1.train.import_meta_graph can read such a version, and refuses others: 0.12.head.
VERSION = re.compile(r"\d+(\.\d+)*(-?(a|b|rc|dev)\.?\d*)*$")
VARIABLES = ("Variable", "VariableV2", "VarHandleOp")
MOST_NAMES = 4  # the most names of a list in a message

TRAINING = re.compile(r"(.*/)?(save|gradients|report_uninitialized_variables)(_\d+)?/|.*(Initializer|_grad)/")
NO_ANSWERS = re.compile(
    r"Const|NoOp|\w*Assign\w*|\w*Apply\w*|\w*Summary\w*|Placeholder\w*|Var\w+|IsVariableInitialized|ReadVariableOp"
    r"|\w*Queue\w*"
)
WRITES = re.compile(r"\w*(Assign|Apply)\w*")
INNER = re.compile(r"(^|/)(while|cond)(_\d+)?/")
EXITS = ("Exit", "RefExit")  # the other outputs of a loop are mostly counters
HEADS = re.compile(r"Softmax|Sigmoid|ArgMax|TopK(V2)?|CTC\w+Decoder")
LOSSES = re.compile(r"\w*CrossEntropyWithLogits|CTCLoss|ArgMax")

# In the body of a function an output has a name instead of a number. These are the second outputs of Switch and
# Merge.
SECOND_OUTPUTS = ("output_true", "value_index")


def tensor(reference):
    """Returns (node name, output index) of "a", "a:1", or a function body's "a:output:1".

    >>> tensor("a"), tensor("a:1"), tensor("a:output:1")
    (('a', 0), ('a', 1), ('a', 1))
    """
    name, *rest = reference.lstrip("^").split(":")
    if len(rest) == 2:
        return name, 1 if rest[0] in SECOND_OUTPUTS else int(rest[1])
    return name, int(rest[0]) if rest else 0


@dataclass
class Graph:
    """A graph with its file. `where`: the file, for messages. `notes`: what was done to the graph, one line each.

    >>> with v1.Graph().as_default() as graph:
    ...     _ = v1.add(v1.placeholder(v1.float32, name="x"), 1.0, name="y")
    >>> Graph(graph.as_graph_def(), "my.pb").tensors(["y"])
    ['y:0']
    """

    graph_def: protos.GraphDef
    where: str = ""
    notes: list[str] = field(default_factory=list)

    def but(self, graph_def: protos.GraphDef) -> "Graph":
        """Returns the Graph of another GraphDef that was made from this one."""
        return Graph(graph_def, self.where, self.notes)

    def tensors(self, names: Iterable[str] | str) -> list[str]:
        """Returns "node:index" for node or tensor `names`, each once, in the given order.

        Raises InputError for an empty list (with likely outputs) and for a name that does not exist (with the nearest
        ones).
        """
        nodes = {node.name: node for node in self.graph_def.node}
        names = [names] if isinstance(names, str) else [name.strip() for name in names or () if name.strip()]
        if not names:
            likely = ", ".join(likely_outputs(self.graph_def)) or "none found"
            raise InputError(f"{self.where}: name the outputs; likely: {likely}")
        return list(dict.fromkeys(self.tensor(name, nodes) for name in names))

    def tensor(self, name: str, nodes: dict[str, protos.NodeDef]) -> str:
        """Returns "node:index" for one name. `nodes`: {name: NodeDef} of the graph."""
        if not re.fullmatch(r"[^:^]+(:\d+)?", name):
            raise InputError(f"{self.where}: {name!r} is no name of a node or tensor: write y or y:0")
        if tensor(name)[0] not in nodes:
            body = [n for n in sorted(nodes) if not TRAINING.match(n)]
            first = sorted(nodes) if TRAINING.match(name) else body
            near = nearest(tensor(name)[0], first) or nearest(tensor(name)[0], sorted(nodes))
            raise InputError(f"{self.where}: holds no {name!r}{near}")
        return ":".join(map(str, tensor(name)))

    def answers(self, names: Iterable[str] | str) -> dict[str, str]:
        """Returns {key: tensor name} for node or tensor `names`. A node stands for all its outputs.

        Raises as tensors() does.
        """
        names = [names] if isinstance(names, str) else [name.strip() for name in names]
        nodes, found = {node.name: node for node in self.graph_def.node}, {}
        for name in names or self.tensors(names):
            whole = self.tensor(name, nodes)
            node = nodes[tensor(whole)[0]]
            ends = {} if ":" in name else definitions.answers(node, self.graph_def)
            found.update(ends if len(ends) > 1 else {name.removesuffix(":0"): whole})
        return found

    def pruned(self, tensors: Iterable[str]) -> protos.GraphDef:
        """Returns the part that the node or tensor names `tensors` need, in its order.

        Functions that something calls are kept, sorted by name. Raises InputError for a missing input.
        """
        nodes = {node.name: node for node in self.graph_def.node}
        wanted = before(nodes, tensors)
        missing = min(wanted - nodes.keys(), default=None)
        if missing is not None:
            raise InputError(f"{self.where}: damaged: a node reads {missing!r}, which is not in the graph")
        pruned = protos.GraphDef(versions=self.graph_def.versions)
        pruned.node.extend(node for node in self.graph_def.node if node.name in wanted)
        library = {f.signature.name: f for f in self.graph_def.library.function}
        functions = sorted(called(pruned.node, library))
        # An empty library would be two bytes without a meaning.
        if functions:
            pruned.library.function.extend(library[name] for name in functions)
        return pruned

    def imported(self) -> "v1.Graph":
        """Returns a new Graph of TensorFlow. Raises InputError when this TensorFlow refuses it.

        A constant whose value is held in its file is read from a variable without a value.
        """
        import tensorflow as tf
        import tensorflow.compat.v1 as v1

        # It needs shapes, which need names.
        from tf1ref.artifacts.graph import held

        with v1.Graph().as_default() as graph:
            try:
                with memory.bounded(), memory.uncollected():
                    v1.import_graph_def(held.importable(self.graph_def), name="")
            except (ValueError, TypeError, KeyError, tf.errors.OpError) as e:
                raise InputError(f"{self.where}: this TensorFlow cannot import the graph: {one_line(e)}") from e
        return graph

    def output(self, graph: "v1.Graph", name: str) -> "tf.Tensor":
        """Returns the tensor `name` of `graph`, which was imported.

        Raises InputError for an output that the op lacks.
        """
        node, index = tensor(name)
        operation = graph.get_operation_by_name(node)
        if index >= len(operation.outputs):
            raise InputError(f"{self.where}: {node} ({operation.type}) has {len(operation.outputs)} outputs, no {name}")
        return operation.outputs[index]


def likely_outputs(graph_def, most=8):
    """Returns names of nodes that are probably outputs: heads, inputs of a loss, inputs of training only.

    >>> with v1.Graph().as_default() as graph:
    ...     _ = v1.nn.softmax(v1.placeholder(v1.float32, [None, 3]), name="answer")
    >>> likely_outputs(graph.as_graph_def())
    ['answer']
    """
    body = [node for node in graph_def.node if not TRAINING.match(node.name) and not INNER.search(node.name)]
    nodes = {node.name: node for node in graph_def.node}
    read = {tensor(i)[0] for node in body for i in node.input if i[0] != "^"}
    held = {node.name for node in body if node.op.startswith("Var")}
    heads = [node.name for node in body if HEADS.fullmatch(node.op)]
    losses = [node for node in body if LOSSES.fullmatch(node.op) and node.input]
    logits = [nodes.get(tensor(node.input[0])[0], node) for node in losses]
    logits = [
        tensor(node.input[0])[0] if node.op == "Reshape" else node.name for node in logits if node.op != "Placeholder"
    ]
    ends = [node for node in body if node.name not in read and not {tensor(i)[0] for i in node.input} <= held]
    leaves = [node.name for node in answering(ends)]
    return list(dict.fromkeys([*heads[::-1], *logits[::-1], *leaves[::-1]]))[:most] or sorted(held)[:most]


def guessed_outputs(graph_def):
    """Returns names of nodes, the most likely outputs first.

    They are nodes that need variables. In a graph without variables, they are nodes that nothing reads.
    """
    variables = {node.name for node in graph_def.node if node.op.startswith("Var")}
    if variables:
        nodes = {node.name: node for node in graph_def.node}
        needed = {name: before(nodes, [name]) for name in likely_outputs(graph_def)}
        writes = {n.name for n in graph_def.node if WRITES.fullmatch(n.op)}
        return sorted(needed, key=lambda name: (bool(writes & needed[name]), variables.isdisjoint(needed[name])))
    read = {tensor(i)[0] for node in graph_def.node for i in node.input}
    ends = [n.name for n in answering(n for n in graph_def.node if n.name not in read)]
    return ends[::-1] or likely_outputs(graph_def)


def answering(nodes: Iterable[protos.NodeDef]) -> list[protos.NodeDef]:
    """Returns those of `nodes`, which nothing reads, that can be outputs.

    Ends of loops are outputs when there are no others, and so are constants when there is nothing else.
    """
    nodes = list(nodes)
    found = [n for n in nodes if not NO_ANSWERS.fullmatch(n.op)]
    return [n for n in found if n.op not in EXITS] or found or [n for n in nodes if n.op == "Const"]


def bare(graph_def):
    """Returns a copy without what holds only where it was made: devices, colocation, recorded shapes.

    A cluster's /job:ps does not exist here. A recorded shape is refused when TensorFlow infers another one today.
    """
    graph_def = copy(graph_def)
    for node in all_nodes(graph_def):
        node.device = ""
        for attribute in ("_class", "_output_shapes"):
            node.attr.pop(attribute, None)
    return graph_def


def before(nodes, tensors):
    """Returns the names of the nodes that `tensors` need, also of missing ones."""
    wanted, stack = set(), [tensor(t)[0] for t in tensors]
    while stack:
        name = stack.pop()
        if name not in wanted:
            wanted.add(name)
            stack += [tensor(i)[0] for i in nodes[name].input] if name in nodes else []
    return wanted


def cut(graph_def, tensors, types):
    """Returns `graph_def` with a Placeholder in place of each of `tensors`, and their names {old: new}.

    types: {tensor name: (DType, TensorShape)}. Output 0 of node a becomes "a", output 1 "a_1".
    """
    names, placeholders = {}, []
    there = {node.name for node in graph_def.node}
    for name in tensors:
        node, index = tensor(name)
        names[node, index] = node if index == 0 else free(f"{node}_{index}", there)
        dtype, shape = types[name]
        placeholder = protos.NodeDef(name=names[node, index], op="Placeholder")
        placeholder.attr["dtype"].type = dtype.as_datatype_enum
        placeholder.attr["shape"].shape.CopyFrom(shape.as_proto())
        placeholders.append(placeholder)
    taken = set(names.values())
    kept = copy(graph_def)
    del kept.node[:]
    kept.node.extend(placeholders)
    kept.node.extend(node for node in graph_def.node if node.name not in taken)
    for node in kept.node:
        node.input[:] = [i if i[0] == "^" else names.get(tensor(i), i) for i in node.input]
    return kept, {name: names[tensor(name)] + ":0" for name in tensors}


def free(name, taken):
    """Returns `name`, with underscores appended until it is not in `taken`.

    >>> free("a", {"a", "a_"})
    'a__'
    """
    while name in taken:
        name += "_"
    return name


def called(nodes, library):
    """Returns the names in `library` {name: FunctionDef} that `nodes` call, directly or not."""
    found, stack = set(), list(nodes)
    while stack:
        for name in functions(stack.pop()):
            if name in library and name not in found:
                found.add(name)
                stack += library[name].node_def
    return found


def all_nodes(graph_def):
    """Returns the NodeDefs of the graph and of its functions."""
    return [*graph_def.node, *(node for f in graph_def.library.function for node in f.node_def)]


def copy(message):
    """Returns a copy of a protocol message."""
    return type(message).FromString(message.SerializeToString())


def functions(node: protos.NodeDef) -> set[str]:
    """Returns the names of the functions that a NodeDef may call. Its op may be one."""
    found = [value.func.name for value in node.attr.values() if value.HasField("func")]
    found += [f.name for value in node.attr.values() for f in value.list.func]
    return {node.op, *found}


def variables(graph_def):
    """Returns the NodeDefs of the variables of `graph_def`, in its order."""
    return [node for node in graph_def.node if node.op in VARIABLES]


def listed(found):
    """Returns "what (name, name, ...), ..." from {what: [names]}, with a few names of each."""
    words = [f"{op} ({', '.join(n[:MOST_NAMES] + ['...'] * (len(n) > MOST_NAMES))})" for op, n in found.items()]
    return ", ".join(words[:MOST_NAMES]) + f" and {len(words) - MOST_NAMES} more" * (len(words) > MOST_NAMES)
