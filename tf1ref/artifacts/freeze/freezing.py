"""Freezing: a model and its weights into one .pb of constants, which is proven to answer the same."""

import os
from dataclasses import dataclass, field

import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf.message import DecodeError

from tf1ref import files
from tf1ref.artifacts import CheckFailed
from tf1ref.artifacts import sources as freeze_sources
from tf1ref.artifacts.freeze import bytes as freeze_bytes
from tf1ref.artifacts.freeze import folding as freeze_folding
from tf1ref.artifacts.freeze import training as freeze_training
from tf1ref.artifacts.graph import answers, constants, effects, graphs, repairs
from tf1ref.artifacts.graph.shapes import Shapes, dtype_of
from tf1ref.errors import InputError, one_line

MOST_GUESSES = 8  # that are named


@dataclass
class Report:
    """What freeze() wrote.

    `variables`: names of those that became constants. `inputs`, `outputs`: {tensor name: shape}, None where
    unknown. `compared`: on how many sets of inputs the written file answered as the session, to the bit, or
    nearly so where batch norms were `folded`; `not_compared`: why that is none, or "". `notes`: what was guessed,
    repaired, or may surprise.
    """

    path: str
    nodes: int
    bytes: int
    variables: list
    inputs: dict
    outputs: dict
    compared: int
    not_compared: str
    folded: int = 0
    notes: list = field(default_factory=list)


@dataclass
class Options:
    """How to freeze; each is said at freeze()."""

    trust: bool = False
    ema: bool = False
    strip_training: bool = False
    fold: bool = False
    verify: bool = True
    signature: str = ""
    tags: tuple = ()
    checkpoint: str = ""


def freeze(source, outputs, destination, inputs=None, force=False, **options):
    """Writes the part of a model that `outputs` need, with constants for variables; returns a Report.

    `source`: a checkpoint (prefix, one of its files, or its folder), a SavedModel, a GraphDef, or an example by name.
    `outputs`: names of nodes or tensors; none: they are guessed. `inputs`: names of tensors that become
    placeholders, where a queue or an iterator was; or {name: array}, the values to compare on. Of the `options`:
    `trust`: run it although it touches files, the network or Python. `ema`: moving averages in the place of the
    variables they belong to. `strip_training`: flags off, batch norms use their averages. `fold`: batch norms
    into the weights before them. `verify`: compare what was written with the session. `signature`, `tags`: of a
    SavedModel. `checkpoint`: weights for an example. The same source gives the same bytes.
    Raises InputError for what cannot be used, CheckFailed when the file answers otherwise than the session;
    `destination` is then as it was before.
    """
    options = Options(**options)
    destination = files.target(destination, force)
    source = freeze_sources.find(source, options.signature, options.tags, options.checkpoint)
    graph_def, graph, outputs, feed, notes = _model(source, outputs, inputs, options)
    effects.check(graph_def, source.where, options.trust)
    variables = constants.variables(graph_def)
    values = source.read(variables, options.ema)
    notes += _averages(values, options.ema, source.where)
    skeleton, data, folded = _constants(graph_def, values, outputs, source.where, options.fold)
    compared, reason = 0, "it was asked not to"
    with files.replacing(destination, data) as written:
        size = os.path.getsize(written)
        if options.verify:
            near = freeze_folding.difference if folded else answers.difference
            compared, reason = check(graph_def, values, written, outputs, feed, source.where, near)
    return Report(
        path=str(destination),
        nodes=len(skeleton.node),
        bytes=size,
        variables=[v.name for v in variables],
        inputs={t.name: _shape(t) for t in answers.placeholders(graph)},
        outputs={name: _shape(graph.get_tensor_by_name(name)) for name in outputs},
        compared=compared,
        not_compared=reason,
        folded=folded,
        notes=notes,
    )


def _constants(graph_def, values, outputs, where, fold):
    """Returns the frozen GraphDef, as far as it is in memory, its bytes in pieces, and how many norms were folded."""
    if not fold:
        skeleton = constants.without_values(graph_def, values, where)
        return skeleton, freeze_bytes.pieces(skeleton, values, where), 0
    whole, folded = freeze_folding.folded(constants.frozen(graph_def, values, where), outputs, where)
    return whole, freeze_bytes.pieces(whole, {}, where), folded


def check(graph_def, values, written, outputs, feed=None, where="", difference=answers.difference):
    """Runs `graph_def` with `values` {variable: array} and the file `written`, on `feed` or on made inputs.

    `difference`: what tells two answers apart. Returns (how many sets of inputs were compared, why none was or "").
    Raises CheckFailed where an answer differs, InputError when the graph does not run at all.
    """
    source = answers.Model(graph_def, outputs, values, where)
    try:
        reread = answers.Model(v1.GraphDef.FromString(written.read_bytes()), outputs, where=where)
    except (InputError, DecodeError) as e:
        raise CheckFailed(f"what was written is no graph: {one_line(e)}") from e
    feed = feed or {}
    guessed = [t for t in source.inputs if t.name not in feed]
    compared, reason = 0, ""
    for made in answers.inputs(guessed):
        made.update(feed)
        try:
            expected = source.answers(made)
        except answers.Refused as e:
            if not guessed:
                raise InputError(f"{where}: the outputs cannot be computed: {e}") from e
            reason = f"no answer on made inputs: {e}"
            continue
        except tf.errors.OpError as e:
            raise InputError(f"{where}: the graph does not run here: {one_line(e)}") from e
        _compare(expected, reread, made, where, difference)
        if answers.tells_nothing(expected):
            reason = "the answers on made inputs are empty or not numbers"
        else:
            compared += 1
    return compared, "" if compared else reason


def _compare(expected, reread, feed, where, difference):
    try:
        found = difference(expected, reread.answers(feed))
    except (answers.Refused, tf.errors.OpError) as e:
        raise CheckFailed(f"{where}: the frozen graph does not run, the session does: {one_line(e)}") from e
    if found:
        raise CheckFailed(f"{where}: the frozen graph answers otherwise: {found}")


def _model(source, outputs, inputs, options):
    """Returns the pruned graph with placeholders at `inputs`, as GraphDef and Graph; outputs; what to feed; notes."""
    where, whole, notes = source.where, source.graph_def, list(source.notes)
    outputs, inputs, guessed = _ends(source, outputs, inputs)
    notes += guessed
    message = source.message
    if options.strip_training:
        whole, done = freeze_training.stripped(whole, outputs, where)
        message, notes = _with_graph(message, whole), notes + done
    graph_def, repaired = repairs.repaired(message, outputs, where)
    notes += repaired
    given = {}
    if inputs:
        graph_def, given = _cut(graph_def, outputs, inputs, where)
    needed = {n.name for n in graph_def.node if n.op != "Placeholder"}  # one may stand where a batch norm was
    notes += freeze_training.check(whole, outputs, where, needed)
    _check_known(graph_def, where)
    graph = graphs.imported(graph_def, where)
    for name in outputs:
        graphs.output(graph, name, where)
    return graph_def, graph, outputs, given, notes


def _ends(source, outputs, inputs):
    """Returns the names of output tensors, the inputs, and a note where they were guessed."""
    if isinstance(outputs, str):
        outputs = [outputs]
    named = [source.endpoints.get(name, name) for name in outputs or ()]
    if named or not source.outputs:
        guesses = [] if named else graphs.guessed_outputs(source.graph_def)
        names = graphs.tensor_names(named or guesses[:1], source.graph_def, source.where)
        others = f"; others: {', '.join(guesses[1:MOST_GUESSES])}" if guesses[1:] else ""
        return names, inputs, [] if named else [f"no outputs named, taken: {names[0]}{others}"]
    names = graphs.tensor_names(source.outputs, source.graph_def, source.where)
    notes = [f"no outputs named, taken: {', '.join(names)}, the signature's"]
    if inputs is None:
        needed = {n.name for n in graphs.prune(source.graph_def, names, source.where).node}
        inputs = [name for name in source.inputs if graphs.tensor(name)[0] in needed]
    return names, inputs, notes


def _with_graph(message, graph_def):
    if not isinstance(message, v1.MetaGraphDef):
        return graph_def
    return v1.MetaGraphDef(meta_info_def=message.meta_info_def, graph_def=graph_def)


def _cut(graph_def, outputs, inputs, where):
    """Returns the graph with placeholders at `inputs`, and {name: array} of those that have values."""
    names = graphs.tensor_names(inputs, graph_def, f"{where}: what the outputs need")
    given = dict(zip(names, inputs.values())) if isinstance(inputs, dict) else {}
    ops = {n.name: n.op for n in graph_def.node}
    names = [name for name in names if not ops[graphs.tensor(name)[0]].startswith("Placeholder")]
    if not names:
        return graph_def, given
    graph_def, placeholders = graphs.cut(graph_def, names, _types(graph_def, names, where))
    graph_def = graphs.prune(graph_def, [*outputs, *placeholders.values()], where)
    return graph_def, {placeholders.get(name, name): value for name, value in given.items()}


def _types(graph_def, names, where):
    """Returns {tensor name: (dtype, shape)}."""
    before = graphs.prune(graph_def, names, where)
    if _unknown(before):  # TensorFlow infers nothing where it does not know an op; the nodes themselves say a little
        nodes = {n.name: n for n in before.node}
        ends = {name: graphs.tensor(name) for name in names}
        inferred = Shapes(nodes)
        return {
            name: (tf.as_dtype(dtype_of(nodes[node]) or "float32"), tf.TensorShape(inferred.of(node, index)))
            for name, (node, index) in ends.items()
        }
    graph = graphs.imported(before, where)
    tensors = [graphs.output(graph, name, where) for name in names]
    return {t.name: (t.dtype.base_dtype, t.shape) for t in tensors}


def _unknown(graph_def):
    return repairs.unknown(graphs.all_nodes(graph_def), {f.signature.name for f in graph_def.library.function})


def _check_known(graph_def, where):
    unknown = _unknown(graph_def)
    if unknown:
        raise InputError(
            f"{where}: the outputs need ops that this TensorFlow does not know: {repairs.listed(unknown)}: "
            "name tensors after them as --inputs, or outputs before them"
        )


def _averages(values, ema, where):
    """Says which moving averages there are and are not used. Raises InputError when `ema` finds none."""
    names = list(values.averaged)
    if ema and not names:
        raise InputError(
            f"{where}: holds no moving averages (NAME/ExponentialMovingAverage) of what is frozen: no --ema"
        )
    if not names:
        return []
    listed = repairs.listed({"moving averages": names})
    return [f"{listed} take the place of the values" if ema else f"{listed} are not used: --ema takes them"]


def _shape(tensor):
    return tensor.shape.as_list() if tensor.shape.rank is not None else None
