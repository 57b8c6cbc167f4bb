"""Any artifact as a model: its graph, the values of its variables, its inputs and outputs by key."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf.message import DecodeError

from tf1ref.artifacts import Program, sources
from tf1ref.artifacts.formats import recognise, weights
from tf1ref.artifacts.graph import answers, constants, definitions, graphs, layouts, parts
from tf1ref.artifacts.graph.graphs import tensor
from tf1ref.errors import InputError, one_line


@dataclass
class Artifact:
    """What lies at `path`. `kind`: one of convert.KINDS, or "example". `message`: None for weights without a graph.

    inputs, outputs: {key: tensor name}, {} when it names none. values: a function that reads {node name: array} for
    NodeDefs of variables. weights: a function that reads {name: array} of everything.
    """

    path: str
    kind: str
    weights: Callable
    message: object = None
    values: Callable | None = None
    inputs: dict = field(default_factory=dict)
    outputs: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)

    @property
    def graph_def(self):
        """The GraphDef as it was saved."""
        return getattr(self.message, "graph_def", self.message)

    @property
    def graph(self):
        """The GraphDef as a graphs.Graph."""
        return graphs.Graph(self.graph_def, self.path)


@dataclass
class Ready(graphs.Graph):
    """A model that answers. `graph_def`: what the outputs need. `inputs` (fed), `outputs`: {key: tensor name}.

    values: {variable: array}. notes: the repairs. tables: names of those that became constants, or that are kept.
    starts: {table: op that fills it}. files: {name of the Const of a path: asset}.
    seen: the same as TensorFlow's Graph, whose ops stay as they are. Each import of 100,000 nodes takes seconds.
    """

    values: dict = field(default_factory=dict)
    inputs: dict = field(default_factory=dict)
    outputs: dict = field(default_factory=dict)
    tables: list = field(default_factory=list)
    starts: list = field(default_factory=list)
    files: dict = field(default_factory=dict)
    seen: v1.Graph | None = None

    def model(self, fetches=()):
        """Returns the answers.Model of the outputs, or of the tensors `fetches`."""
        return answers.Model(self, list(fetches or self.outputs.values()), self.values, self.seen)


def load(path, signature="", tags=None):
    """Returns the Artifact at `path`, whose content tells the kind, or of a Program.

    `signature`, `tags`: of a SavedModel.
    Raises InputError when it does not exist or is damaged.
    """
    if isinstance(path, Program):
        return _source(path, "example")
    path = os.fspath(path)
    kind = weights.kind(path)
    if kind:
        return Artifact(path, kind, functools.partial(weights.read, path, kind))
    found = recognise.recognise(path, lean=True)
    if found.compression:
        return _graph(path, "events", _event_graph(path))
    if found.index and not found.graphs:
        read = functools.partial(weights.saved, found.path)
        return Artifact(found.path, "objects" if found.index.objects else "checkpoint", read)
    if found.index or found.kind.startswith("SavedModel"):
        saved = "checkpoint" not in found.kind
        artifact = _source(path, "saved_model", signature, tags) if saved else _source(path, "checkpoint")
        artifact.weights = functools.partial(weights.saved, found.index.prefix) if found.index else dict
        return artifact
    return _graph(found.path, "pbtxt" if found.kind.endswith("as text") else "pb", found.graphs[0])


def ready(artifact, outputs, inputs, trust=False, tables=False):
    """Returns the Ready of an Artifact: what `outputs` need, with placeholders at those `inputs` that they need.

    outputs, inputs: {key: tensor name}. tables: keeps tables instead of making constants of them. Raises InputError for
    ops that are not trusted or whose state no artifact holds, and for variables without a value.
    """
    part = parts.Part(artifact.message, outputs.values(), artifact.path, trust, tables)
    inputs = _cut(part, inputs)
    graph = part.imported()
    keys = {name: key for key, name in inputs.items()}
    fed = dict.fromkeys([t.name for t in answers.placeholders(graph)] + list(keys))
    inputs = {keys.get(name, tensor(name)[0]): name for name in fed}
    values = artifact.values(constants.variables(part.graph_def))
    notes = artifact.notes + part.notes + layouts.note(part.graph_def)
    starts = list(part.starts.values())
    return Ready(part.graph_def, part.where, notes, values, inputs, outputs, part.tables, starts, part.files, graph)


def fed(artifact, names):
    """Returns {key: tensor name} for the inputs `names`: keys of the signature, nodes or tensors.

    Raises InputError when a name is neither.
    """
    graph, nodes = artifact.graph, {node.name: node for node in artifact.graph_def.node}
    return {n.removesuffix(":0"): artifact.inputs.get(n) or graph.tensor(n.strip(), nodes) for n in names}


def asked(artifact, names):
    """Returns {key: tensor name} for the outputs `names`: keys of the signature, tensors, or nodes with all outputs.

    Raises InputError when a name is neither.
    """
    names, found = list(names), {}
    if names and artifact.outputs.keys().isdisjoint(names):
        return artifact.graph.answers(names)
    for name in names:
        found.update({name: artifact.outputs[name]} if name in artifact.outputs else artifact.graph.answers([name]))
    return found


def leaves(graph_def):
    """Returns {node name: tensor name} of what nothing reads: the outputs of a graph that is made to answer."""
    ops = {node.name: node.op for node in graph_def.node}
    read = {tensor(i)[0] for node in graph_def.node for i in node.input}
    ends = graphs.answering([n for n in graph_def.node if n.name not in read])
    # A branch of v1 control flow begins with the flag, passed on, which often nothing reads.
    pivots = {n.name for n in ends if n.op == "Identity" and ops.get(tensor(n.input[0])[0]) == "Switch"}
    kept = [n for n in ends if n.name not in pivots and not graphs.TRAINING.match(n.name)]
    return {key: name for node in kept for key, name in definitions.answers(node, graph_def).items()}


def _source(path, kind, signature="", tags=None):
    source = sources.find(path, signature, tags)
    inputs, outputs = _keys(source)
    artifact = Artifact(source.where, kind, dict, source.message, source.read, inputs, outputs, source.notes)
    if kind == "example":
        variables = constants.variables(source.graph_def)
        artifact.weights = lambda: dict(source.read(variables))
    return artifact


def _keys(source):
    """Returns {key: tensor name} of a source's inputs and outputs, which are those of the chosen signature."""
    for _, signature in sorted(getattr(source.message, "signature_def", {}).items()):
        ends = [sources.ends(e) for e in (signature.inputs, signature.outputs)]
        if [list(e.values()) for e in ends] == [source.inputs, source.outputs]:
            return ends
    return [{tensor(name)[0]: name for name in names} for names in (source.inputs, source.outputs)]


def _graph(path, kind, message):
    """Returns the Artifact of a graph without values. It is complete when it has no variables."""
    graph_def = getattr(message, "graph_def", message)
    variables = constants.variables(graph_def)

    def values(wanted):
        if wanted:
            names = ", ".join(n.name for n in wanted[:3]) + ", ..." * (len(wanted) > 3)
            raise InputError(f"{path}: has variables ({names}) and no values: give the checkpoint that holds them")
        return {}

    def read():
        return values(variables) or weights.constants(path, graph_def)

    return Artifact(path, kind, read, message, values, outputs={} if variables else leaves(graph_def))


def _event_graph(path):
    try:
        for event in v1.train.summary_iterator(path):
            if event.graph_def:
                return v1.GraphDef.FromString(event.graph_def)
    except (tf.errors.OpError, DecodeError) as e:
        raise InputError(f"{path}: damaged, or records that are no events: {one_line(e)}") from e
    raise InputError(f"{path}: records without a graph: only an event file that holds one can be used")


def _cut(part, inputs):
    """Cuts `part` at those of `inputs` that it contains and computes. Returns {key: tensor} of what is fed."""
    there = part.ops()
    inputs = {key: name for key, name in inputs.items() if tensor(name)[0] in there}
    deep = [name for name in inputs.values() if not there[tensor(name)[0]].startswith("Placeholder")]
    placeholders = part.cut(deep, kept=False)
    there = part.ops()
    inputs = {key: placeholders.get(name, name) for key, name in inputs.items()}
    return {key: name for key, name in inputs.items() if tensor(name)[0] in there}
