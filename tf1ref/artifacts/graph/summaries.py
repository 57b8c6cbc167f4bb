"""What a graph says about itself: ops, inputs, outputs, variables, signatures, and warnings.

Everything is read from the message. Nothing is imported, so ops and shapes that TensorFlow refuses are shown, too.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from tf1ref.artifacts.graph import effects, graphs, registry
from tf1ref.artifacts.graph.definitions import BATCH_NORM
from tf1ref.artifacts.graph.graphs import TRAINING, all_nodes, guessed_outputs, tensor
from tf1ref.artifacts.graph.shapes import Shapes, attr, dtype_name, dtype_of, elements, shape_of
from tf1ref.data.formats import protos

SAVER = re.compile(r"(.*/)?save(_\d+)?/")
SAVERS = re.compile(r"Save\w*|Restore\w*|MergeV2Checkpoints|ShardedFilename")  # the ops that a Saver adds
PLACEHOLDERS = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")
MOMENTS = re.compile(r"(.*/)?moments(_\d+)?/variance")
SHADOW = re.compile(r"(.*)/ExponentialMovingAverage(_\d+)?$")
ASSETS = "saved_model_assets"
MOST_OUTPUTS = 8
# A foreign file may have millions of these, and so many are shown.
MOST_SHOWN = 1000


@dataclass
class Tensor:
    """A tensor by name. `shape`: sizes, with None for unknown ones, or None when the rank is unknown."""

    name: str
    op: str
    dtype: str
    shape: list


@dataclass
class Graph:
    """One graph of a file. `ops`: {op: number of nodes}. `unknown_ops`, `outside`, `state`: {op: [node names]}.

    verdicts: {op: (decision, reason)} of ops that do more than compute, including a Saver's: registry.Verdict.
    constants: the number of numbers in its Consts. signatures: {name: {"method", "inputs", "outputs"}}.
    training_batch_norms: names of those that normalize with the batch's mean. collections: {name: first names}.
    """

    tags: list
    tensorflow: str
    producer: int
    min_consumer: int
    nodes: int
    functions: int
    ops: dict
    constants: int
    inputs: list
    outputs: list
    variables: list = field(default_factory=list)
    collections: dict = field(default_factory=dict)
    signatures: dict = field(default_factory=dict)
    assets: list = field(default_factory=list)
    unknown_ops: dict = field(default_factory=dict)
    outside: dict = field(default_factory=dict)
    state: dict = field(default_factory=dict)
    verdicts: dict = field(default_factory=dict)
    missing_inputs: list = field(default_factory=list)
    shadows: list = field(default_factory=list)
    training_batch_norms: list = field(default_factory=list)
    trained: list = field(default_factory=list)


def summary(message):
    """Returns the Graph that a GraphDef or MetaGraphDef describes."""
    meta = message if isinstance(message, protos.MetaGraphDef) else None
    graph_def = meta.graph_def if meta else message
    nodes = {node.name: node for node in graph_def.node}
    every = all_nodes(graph_def)
    shapes = Shapes(nodes)
    info = meta.meta_info_def if meta else None
    graph = Graph(
        tags=list(info.tags) if meta else [],
        tensorflow=info.tensorflow_version if meta else "",
        producer=graph_def.versions.producer or graph_def.version,
        min_consumer=graph_def.versions.min_consumer,
        nodes=len(graph_def.node),
        functions=len(graph_def.library.function),
        ops=dict(Counter(node.op for node in every).most_common()),
        constants=sum(_weights(node) for node in every),
        inputs=_inputs(graph_def, shapes),
        outputs=[_tensor(nodes[name], shapes) for name in guessed_outputs(graph_def)[:MOST_OUTPUTS] if name in nodes],
        variables=[_tensor(node, shapes) for node in graphs.variables(graph_def)],
    )
    _look_out(graph, graph_def, every, nodes)
    if meta:
        _describe(graph, meta)
    graph.shadows = _shadows({v.name for v in graph.variables})
    return graph


def _inputs(graph_def, shapes):
    nodes = [n for n in graph_def.node if n.op in PLACEHOLDERS and not TRAINING.match(n.name)]
    # A placeholder with a default (keep_prob) is an input, too, but the name of a file is not.
    nodes = [n for n in nodes if n.op != "PlaceholderWithDefault" or dtype_of(n) != "string"]
    return [_tensor(n, shapes) for n in nodes[:MOST_SHOWN]]


def _tensor(node, shapes):
    return Tensor(node.name, node.op, dtype_of(node), shapes.of(node.name))


def _weights(node):
    """Returns how many numbers a Const holds. A scalar does not count as a weight."""
    if node.op != "Const":
        return 0
    value = attr(node, "value").tensor
    count = elements(shape_of(value.tensor_shape)) or 0
    return count if count > 1 and dtype_name(value.dtype) != "string" else 0


def _look_out(graph, graph_def, every, nodes):
    functions = {f.signature.name for f in graph_def.library.function}
    graph.unknown_ops = registry.unknown(every, functions)
    own = [n for n in every if not (SAVERS.fullmatch(n.op) and SAVER.match(n.name))]
    graph.outside, graph.state = effects.outside(own), effects.state(own)
    graph.verdicts = effects.verdicts(every)
    missing = {tensor(i)[0] for n in graph_def.node for i in n.input} - nodes.keys()
    graph.missing_inputs = sorted(missing)[:MOST_SHOWN]
    graph.training_batch_norms = [n.name for n in every if _normalises_itself(n)][:MOST_SHOWN]


def _normalises_itself(node):
    if BATCH_NORM.fullmatch(node.op):
        # The default is to train.
        return attr(node, "is_training").b or "is_training" not in node.attr
    return node.op == "Mean" and bool(MOMENTS.fullmatch(node.name)) and not TRAINING.match(node.name)


def _shadows(names):
    """Returns the names that are moving averages of another one of `names`."""
    return sorted(n for n in names if SHADOW.match(n) and SHADOW.match(n)[1] in names)


def shadows(names):
    """Returns those of a checkpoint's `names` that are moving averages of another one of them."""
    return _shadows(set(names))


def _describe(graph, meta):
    """Adds what only a MetaGraphDef has: collections, signatures, assets."""
    for name, collection in sorted(meta.collection_def.items())[:MOST_SHOWN]:
        kind = collection.WhichOneof("kind")
        values = getattr(collection, kind).value if kind else ()
        graph.collections[name] = {
            "kind": (kind or "empty").removesuffix("_list"),
            "count": len(values),
            "names": [_collected(value) for value in values[:MOST_SHOWN]],
        }
    trainable = graph.collections.get("trainable_variables", {"names": ()})["names"]
    graph.trained = [name.partition(":")[0] for name in trainable]
    for name, signature in sorted(meta.signature_def.items())[:MOST_SHOWN]:
        graph.signatures[name] = {
            "method": signature.method_name,
            "inputs": {key: _signed(info) for key, info in sorted(signature.inputs.items())},
            "outputs": {key: _signed(info) for key, info in sorted(signature.outputs.items())},
        }
    graph.assets = _assets(meta)


def _assets(meta):
    """Returns the names of the files in assets/. TF2 writes a field of the message, TF1 a collection."""
    names = [asset.filename for asset in meta.asset_file_def[:MOST_SHOWN]]
    values = meta.collection_def[ASSETS].any_list.value if ASSETS in meta.collection_def else ()
    for packed in values[:MOST_SHOWN]:
        try:
            names.append(protos.AssetFileDef.FromString(packed.value).filename)
        except DecodeError:
            continue
    return sorted(set(filter(None, names)))


def _collected(value):
    """Returns a name for one value of a collection: a variable's, a node's, a number, or the type of a message."""
    if not isinstance(value, bytes):
        return str(getattr(value, "type_url", value))[:200]
    try:
        name = protos.VariableDef.FromString(value).variable_name
    except DecodeError:
        name = ""
    return name or f"{len(value)} bytes"


def _signed(info):
    encoding = info.WhichOneof("encoding") or "name"
    name = info.name if encoding == "name" else f"({encoding.replace('_', ' ')})"
    return Tensor(name, "", dtype_name(info.dtype) if info.dtype else "", shape_of(info.tensor_shape))


def warnings(graph, names):
    """Yields (what, names, advice) for what would surprise a user of `graph`. `names`: those of saved tensors."""
    versions = (graph.producer, graph.min_consumer, registry.graph_version())
    if graph.min_consumer > versions[2] > 0:
        yield "made for a later TensorFlow", [f"min_consumer {graph.min_consumer}, this one is {versions[2]}"], ""
    if graph.tensorflow and not graphs.VERSION.match(graph.tensorflow):
        yield "version string", [graph.tensorflow], "v1.train.import_meta_graph refuses it"
    if graph.unknown_ops:
        yield "ops unknown here", _listed(graph.unknown_ops), "cut them off: freeze with --inputs after them"
    if graph.missing_inputs:
        yield "reads what is not there", graph.missing_inputs, "part of a graph, or damaged"
    if graph.outside:
        yield "do more than compute", _listed(graph.outside, graph.verdicts), "runs with --trust only"
    if graph.state:
        yield "queues, iterators, tables", _listed(graph.state), "state that no frozen graph holds"
    if graph.training_batch_norms:
        yield (
            "batch norm in training mode",
            graph.training_batch_norms,
            "normalises with the batch's own mean: answers depend on what else is in the batch",
        )
    # Local variables are never saved.
    globals_ = graph.collections.get("variables", {"names": ()})["names"]
    held = {v.name for v in graph.variables} & {name.partition(":")[0] for name in globals_}
    lacking = sorted(held - set(names)) if names else []
    if lacking:
        yield "no saved value of this name", lacking, "never saved, or saved under another name"
    unused = graph.shadows or shadows(names)
    if unused:
        yield "moving averages", unused, "evaluate with these, not with the variables' own values"


def _listed(found, verdicts=None):
    why = {op: f": {reason}" for op, (_, reason) in (verdicts or {}).items()}
    return [f"{op} x {len(names)} ({names[0]}){why.get(op, '')}" for op, names in found.items()]
