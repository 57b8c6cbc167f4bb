"""Freezes a model and its weights into one .pb of constants, and proves that it answers the same."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import files
from tf1ref.artifacts import CheckFailed, Program, guesses
from tf1ref.artifacts import sources as freeze_sources
from tf1ref.artifacts.formats import messages
from tf1ref.artifacts.freeze import bytes as freeze_bytes
from tf1ref.artifacts.freeze import folding as freeze_folding
from tf1ref.artifacts.freeze import training as freeze_training
from tf1ref.artifacts.graph import answers, constants, graphs, layouts, parts
from tf1ref.errors import InputError, one_line


@dataclass
class Report:
    """What freeze() wrote.

    variables: names of those that became constants. inputs, outputs: {tensor name: shape}, None where unknown.
    compared: the number of sets of inputs on which the file answered as the session did. The answers are equal to the
    bit, or close when batch norms were folded. not_compared: the reason when there was no comparison, or "".
    folded: the number of folded batch norms. notes: what was guessed, repaired, or may surprise.
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
    """How to freeze. freeze() describes each option."""

    trust: bool = False
    ema: bool = False
    strip_training: bool = False
    fold: bool = False
    verify: bool = True
    signature: str = ""
    tags: tuple | None = None
    checkpoint: str = ""


def freeze(
    source: str | os.PathLike[str] | Program,
    outputs: Iterable[str] | str,
    destination: str | os.PathLike[str],
    inputs: Sequence[str] | Mapping[str, np.ndarray] | None = None,
    force: bool = False,
    **options: Any,
) -> Report:
    """Writes the part of a model that `outputs` need, with constants for variables. Returns a Report.

    source: a checkpoint (prefix, one of its files, or its folder), a SavedModel, a GraphDef, or an example by name.
    outputs: names of nodes or tensors; without any they are guessed.
    inputs: names of tensors that become placeholders, such as those of a queue; or {name: array}, to compare on.
    The options: trust: runs ops that do more than compute. ema: takes moving averages in place of their variables.
    strip_training: switches training off, so that batch norms use their averages. fold: folds batch norms.
    verify: compares the file with the session. signature, tags: those of a SavedModel. checkpoint: an example's
    weights.
    The same source gives the same bytes. Raises InputError for what cannot be used, and CheckFailed when the file
    answers differently from the session. `destination` is then as it was before.
    """
    chosen = Options(**options)
    target = files.target(destination, force)
    found = freeze_sources.find(source, chosen.signature, chosen.tags, chosen.checkpoint)
    model = _model(found, outputs, inputs, chosen)
    variables = constants.variables(model.part.graph_def)
    freeze_bytes.check_size(found.where, variables)
    values = found.read(variables, chosen.ema)
    model.notes.extend(_averages(values, chosen.ema, found.where))
    frozen = _frozen(model.part, values, chosen.fold)
    compared, reason = 0, "it was asked not to"
    with files.replacing(target, frozen.data) as written:
        size = os.path.getsize(written)
        if chosen.verify:
            near = freeze_folding.difference if frozen.folded else answers.difference
            compared, reason = check(model.part, values, written, model.part.outputs, model.feed, near)
    return _report(target, model, variables, frozen, size, compared, reason)


class _Model(NamedTuple):
    """What is frozen: a Part, the same as TensorFlow's Graph, {tensor: array} to feed, and notes."""

    part: parts.Part
    graph: v1.Graph
    feed: dict
    notes: list


class _Frozen(NamedTuple):
    """A frozen graph: the part that is in memory, its bytes in pieces, and the number of folded batch norms."""

    skeleton: v1.GraphDef
    data: Iterable[bytes]
    folded: int


def _frozen(part, values, fold):
    """Returns the _Frozen of a Part with `values` {variable: array}."""
    if not fold:
        skeleton = constants.without_values(part, values)
        return _Frozen(skeleton, freeze_bytes.pieces(part.but(skeleton), values), 0)
    whole, folded = freeze_folding.folded(part.but(constants.frozen(part, values)), part.outputs)
    return _Frozen(whole, freeze_bytes.pieces(part.but(whole), {}), folded)


def _report(target, model, variables, frozen, size, compared, reason):
    return Report(
        path=str(target),
        nodes=len(frozen.skeleton.node),
        bytes=size,
        variables=[v.name for v in variables],
        inputs={t.name: _shape(t) for t in answers.placeholders(model.graph)},
        outputs={name: _shape(model.graph.get_tensor_by_name(name)) for name in model.part.outputs},
        compared=compared,
        not_compared=reason,
        folded=frozen.folded,
        notes=model.notes,
    )


def check(graph, values, written, outputs, feed=None, difference=answers.difference):
    """Runs a graphs.Graph with `values` {variable: array} and the file `written`, on `feed` or on made inputs.

    difference: a function that compares two answers. Returns (number of sets of inputs compared, reason for none or
    "").
    Raises CheckFailed when an answer differs, and InputError when the graph does not run at all.
    """
    source = answers.Model(graph, outputs, values)
    try:
        _, found = messages.read(written, written.open("rb").read(64), lean=True)
        reread = answers.Model(graph.but(found), outputs)
    except InputError as e:
        raise CheckFailed(f"what was written is no graph: {one_line(e)}") from e
    feed = feed or {}
    guessed = answers.fed([t for t in source.inputs if t.name not in feed])
    compared, reason = [], ""
    for made in answers.inputs(guessed, enough=compared.__len__):
        made.update(feed)
        try:
            expected = source.answers(made)
        except answers.Refused as e:
            if not guessed:
                raise InputError(f"{graph.where}: the outputs cannot be computed: {e}") from e
            reason = f"no answer on made inputs: {e}"
            continue
        except tf.errors.OpError as e:
            raise InputError(f"{graph.where}: the graph does not run here: {one_line(e)}") from e
        _compare(expected, reread, made, difference)
        if answers.tells_nothing(expected):
            reason = "the answers on made inputs are empty or not numbers"
        else:
            compared.append(made)
    return len(compared), "" if compared else reason


def _compare(expected, reread, feed, difference):
    try:
        found = difference(expected, reread.answers(feed))
    except (answers.Refused, tf.errors.OpError) as e:
        raise CheckFailed(f"{reread.where}: the frozen graph does not run, the session does: {one_line(e)}") from e
    if found:
        raise CheckFailed(f"{reread.where}: the frozen graph answers otherwise: {found}")


def _model(source, outputs, inputs, options):
    """Returns the _Model of a Source: pruned, with placeholders at `inputs`."""
    outputs, inputs, guessed = _ends(source, outputs, inputs)
    notes, whole, message = source.notes + guessed, source.graph, source.message
    if options.strip_training:
        whole = freeze_training.stripped(whole, outputs)
        message, notes = _with_graph(message, whole.graph_def), notes + whole.notes
    part = parts.Part(message, outputs, source.where, options.trust)
    notes += part.notes
    given = _cut(part, inputs) if inputs else {}
    # A placeholder may replace a batch norm.
    needed = {n.name for n in part.graph_def.node if n.op != "Placeholder"}
    notes += freeze_training.check(whole, outputs, needed)
    graph = part.imported()
    notes += layouts.note(part.graph_def)
    return _Model(part, graph, given, notes + [note for note in part.notes if note not in notes])


def _ends(source, outputs, inputs):
    """Returns the names of output tensors, the inputs, and a note when they were guessed."""
    if isinstance(outputs, str):
        outputs = [outputs]
    named = [source.endpoints.get(name, name) for name in outputs or ()]
    if named or not source.outputs:
        guess = None if named else guesses.guess(source.graph, source.read)
        names = list(guess.outputs.values()) if guess else list(source.graph.answers(named).values())
        return names, inputs, [guess.note] if guess else []
    names = source.graph.tensors(source.outputs)
    notes = [f"no outputs named, taken: {', '.join(names)}, the signature's"]
    if inputs is None:
        needed = {n.name for n in source.graph.pruned(names).node}
        inputs = [name for name in source.inputs if graphs.tensor(name)[0] in needed]
    return names, inputs, notes


def _with_graph(message, graph_def):
    if not isinstance(message, v1.MetaGraphDef):
        return graph_def
    return v1.MetaGraphDef(meta_info_def=message.meta_info_def, graph_def=graph_def)


def _cut(part, inputs):
    """Cuts `part` at `inputs`, names or {name: array}. Returns {name: array} of those that have values."""
    names = graphs.Graph(part.graph_def, f"{part.where}: what the outputs need").tensors(inputs)
    given = dict(zip(names, inputs.values())) if isinstance(inputs, dict) else {}
    there = part.ops()
    placeholders = part.cut([n for n in names if not there[graphs.tensor(n)[0]].startswith("Placeholder")])
    return {placeholders.get(name, name): value for name, value in given.items()}


def _averages(values, ema, where):
    """Returns which moving averages there are and are not used. Raises InputError when `ema` finds none."""
    names = list(values.averaged)
    if ema and not names:
        raise InputError(
            f"{where}: holds no moving averages (NAME/ExponentialMovingAverage) of what is frozen: no --ema"
        )
    if not names:
        return []
    listed = graphs.listed({"moving averages": names})
    return [f"{listed} take the place of the values" if ema else f"{listed} are not used: --ema takes them"]


def _shape(tensor):
    return tensor.shape.as_list() if tensor.shape.rank is not None else None
