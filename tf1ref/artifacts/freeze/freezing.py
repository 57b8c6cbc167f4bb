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
from tf1ref.artifacts.graph import answers, constants, graphs, parts, repairs
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
    part = parts.Part(message, outputs, where, options.trust)
    notes += part.notes
    given = _cut(part, inputs) if inputs else {}
    needed = {n.name for n in part.graph_def.node if n.op != "Placeholder"}  # one may stand where a batch norm was
    notes += freeze_training.check(whole, outputs, where, needed)
    graph = part.imported()
    return part.graph_def, graph, outputs, given, notes + [note for note in part.notes if note not in notes]


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


def _cut(part, inputs):
    """Cuts `part` at `inputs`, names or {name: array}; returns {name: array} of those that have values."""
    names = graphs.tensor_names(inputs, part.graph_def, f"{part.where}: what the outputs need")
    given = dict(zip(names, inputs.values())) if isinstance(inputs, dict) else {}
    there = part.ops()
    placeholders = part.cut([n for n in names if not there[graphs.tensor(n)[0]].startswith("Placeholder")])
    return {placeholders.get(name, name): value for name, value in given.items()}


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
