"""Converts any artifact into any kind that can hold it, and proves that the result is the same."""

import functools
import os
from dataclasses import dataclass, field
from typing import Any

from tf1ref import files
from tf1ref.artifacts import CheckFailed, Program, guesses, models, sources
from tf1ref.artifacts.convert import files as convert_files
from tf1ref.artifacts.convert import models as convert_models
from tf1ref.artifacts.convert import weights as convert_weights
from tf1ref.artifacts.formats import weights
from tf1ref.artifacts.freeze import bytes as freeze_bytes
from tf1ref.artifacts.freeze import training as freeze_training
from tf1ref.artifacts.graph import constants, memory
from tf1ref.artifacts.verify import pairs as verify_pairs
from tf1ref.artifacts.verify import verifying
from tf1ref.errors import InputError

FILES = {
    "pb": convert_models.pb,
    "pbtxt": convert_models.pbtxt,
    "events": convert_models.events,
    "onnx": convert_models.onnx,
}
FOLDERS = {"saved_model": convert_models.saved_model, "checkpoint": convert_models.checkpoint}
WEIGHTS = {"npz": weights.write_npz, "text": weights.write_text}
KINDS = ("checkpoint", "pb", "saved_model", "objects", "npz", "text", "pbtxt", "events", "onnx")
ENDINGS = {".pb": "pb", ".pbtxt": "pbtxt", ".npz": "npz", ".txt": "text", ".onnx": "onnx"}
# TensorBoard opens only files with this in their names.
TAG = "tfevents"


@dataclass
class Options:
    """How to convert. convert() describes each option."""

    outputs: tuple = ()
    inputs: tuple = ()
    maps: dict = field(default_factory=dict)
    like: str = ""
    partial: bool = False
    feeds: str = ""
    signature: str = ""
    tags: tuple | None = None
    force: bool = False
    trust: bool = False
    verify: bool = True


@dataclass
class Report:
    """What convert() wrote.

    names: what became of each name of the weights. inputs, outputs: {key: tensor}.
    compared: the number of sets of inputs (1 for weights) on which the result is the same to the bit.
    not_compared: the reason when there was no comparison, or "". notes: what was guessed or repaired.
    """

    path: str
    kind: str
    source: str
    source_kind: str
    bytes: int
    compared: int
    not_compared: str
    inputs: dict = field(default_factory=dict)
    outputs: dict = field(default_factory=dict)
    names: convert_weights.Account | None = None
    notes: list = field(default_factory=list)


def convert(
    source: str | os.PathLike[str] | Program,
    destination: str | os.PathLike[str],
    to: str = "",
    **options: Any,
) -> Report:
    """Writes the artifact `source` to `destination` as the kind `to`. Returns a Report.

    to: one of KINDS; "" (the default) means the kind that destination's ending says. The `options` are:
    outputs, inputs: names of tensors; artifacts without a signature need them.
    maps: {old: new} names of weights. like: a checkpoint of objects, whose tree and names the new one gets.
    partial: keeps the values of `like` for names that nothing matches. feeds: an .npz of inputs for the comparison.
    signature, tags: those of a SavedModel. force: replaces `destination`. trust: runs ops that do more than compute.
    verify: compares the result with `source` (default: True).
    Raises InputError for what cannot be used, and CheckFailed when the result is not the same. In both cases
    `destination` is then as it was before.
    """
    chosen = Options(**options)
    kind = kind_of(destination, to)
    path = convert_files.target(destination, kind, chosen.force)
    if kind == "onnx":
        convert_models.needs_tf2onnx()
    artifact = models.load(source, chosen.signature, chosen.tags)
    if artifact.kind != "saved_model":
        sources.check_options(artifact.path, chosen.signature, chosen.tags)
    if kind in WEIGHTS or kind == "objects" or (kind == "checkpoint" and (chosen.maps or artifact.message is None)):
        return _convert_weights(artifact, path, kind, chosen)
    if artifact.message is None:
        raise InputError(f"{artifact.path}: weights without a graph: a {kind} needs one; convert to npz, text, objects")
    if chosen.maps or chosen.like:
        raise InputError(f"--map and --like are for weights: npz, text, checkpoint, objects, not {kind}")
    with memory.uncollected():
        return _convert_model(artifact, path, kind, chosen)


def kind_of(destination: str | os.PathLike[str], to: str = "") -> str:
    """Returns the kind that `to` or destination's ending names. Raises InputError when neither names one."""
    name = os.path.basename(os.path.normpath(destination))
    kind = to or ENDINGS.get(os.path.splitext(name)[1]) or (TAG in name and "events")
    if kind not in KINDS:
        reason = f"no kind {to!r}" if to else "its name does not say of which kind it is to be"
        raise InputError(f"{destination}: {reason}: --to {', '.join(KINDS)}")
    if kind == "events" and TAG not in name:
        raise InputError(f"{destination}: TensorBoard opens files with {TAG} in their names only: add it")
    return kind


def _convert_model(artifact, path, kind, options):
    outputs, notes = _outputs(artifact, options.outputs)
    inputs = models.fed(artifact, options.inputs) if options.inputs else artifact.inputs
    ready = models.ready(artifact, outputs, inputs, options.trust)
    notes += _training(ready)
    made = ready
    if kind in FILES:
        freeze_bytes.check_size(ready.where, constants.variables(ready.graph_def))
    if kind == "saved_model" and ready.tables:
        made = models.ready(artifact, outputs, inputs, options.trust, tables=True)
    if kind in FOLDERS:
        with convert_files.replacing(path) as written:
            FOLDERS[kind](made, written, convert_models.trainable(artifact.message))
            if kind == "saved_model" and options.verify:
                convert_models.check_loads(written, ready.where)
            compared, reason = _check_model(ready, written, kind, options)
    else:
        with files.replacing(path, FILES[kind](ready)) as written:
            compared, reason = _check_model(ready, written, kind, options)
    return Report(
        str(path),
        kind,
        artifact.path,
        artifact.kind,
        convert_files.size(path),
        compared,
        reason,
        convert_models.keys(ready.inputs) if kind == "saved_model" else ready.inputs,
        convert_models.keys(ready.outputs) if kind == "saved_model" else ready.outputs,
        notes=notes + made.notes,
    )


def _outputs(artifact, names):
    if names:
        return models.asked(artifact, names), []
    if artifact.outputs:
        return artifact.outputs, []
    guess = guesses.guess(artifact.graph, artifact.values)
    return guess.outputs, [guess.note]


def _training(ready):
    """Returns a note on batch norms in training mode, whose answers depend on the batch."""
    try:
        needed = {node.name for node in ready.graph_def.node}
        return freeze_training.check(ready, list(ready.outputs.values()), needed)
    except InputError:
        return ["batch norms in training mode: answers depend on the batch; `freeze --strip-training` removes them"]


def _check_model(ready, written, kind, options):
    """Computes the answers of the written model and of the source, and compares them.

    Returns (the number of sets of inputs compared, the reason for none or "").
    """
    if not options.verify or kind == "onnx":
        return 0, "it was asked not to" if kind != "onnx" else "ONNX is answered by other programs, not to the bit"
    try:
        artifact = models.load(written)
        inputs, outputs = ready.inputs, ready.outputs
        if kind == "saved_model":
            inputs, outputs = ({k: s[k] for k in convert_models.keys(e)} for s, e in _signed(artifact, ready))
        again = models.ready(artifact, outputs, inputs, trust=True)
        feeds = verify_pairs.load_feeds(options.feeds) if options.feeds else {}
        report = verifying.report(ready, again, feeds)
    except verifying.NotCompared as e:
        return 0, e.reason
    except KeyError as e:
        raise CheckFailed(f"{ready.where}: the signature that was written lacks {e}") from e
    if not report.equal:
        raise CheckFailed(f"{ready.where}: what was written answers otherwise: {report.first}")
    return report.compared, ""


def _signed(artifact, ready):
    return (artifact.inputs, ready.inputs), (artifact.outputs, ready.outputs)


def _convert_weights(artifact, path, kind, options):
    arrays, where = artifact.weights(), artifact.path
    if not arrays:
        raise InputError(f"{where}: holds no weights")
    if options.like and kind != "objects":
        raise InputError(f"--like is for a checkpoint of objects, not {kind}: --to objects")
    if options.like:
        model = convert_weights.like(options.like)
        arrays, account = convert_weights.fitted(arrays, options.maps, model, where, options.partial)
        write, wanted = convert_weights.fit, weights.Lazy.of(arrays, {key: key for key in model.keys})
    else:
        arrays, account = convert_weights.renamed(arrays, options.maps, where)
        write, wanted = getattr(convert_weights, kind, None), arrays
    if kind in WEIGHTS:
        with files.replacing(path, functools.partial(WEIGHTS[kind], arrays)) as written:
            compared = options.verify and _check_weights(wanted, weights.read(written, kind), where)
    else:
        with convert_files.replacing(path) as written:
            write(arrays, written)
            prefix = os.path.join(written, convert_models.NAME)
            read = weights.raw if options.like else weights.saved
            compared = options.verify and _check_weights(wanted, read(prefix), where)
    reason = "" if compared else "it was asked not to"
    size = convert_files.size(path)
    return Report(
        str(path), kind, where, artifact.kind, size, int(compared), reason, names=account, notes=artifact.notes
    )


def _check_weights(wanted, found, where):
    for name, array in wanted.items():
        row = verifying.Row(name, name)
        if name not in found:
            raise CheckFailed(f"{where}: what was written lacks {name}")
        verifying.compare(row, array, found[name])
        if row.first:
            raise CheckFailed(f"{where}: what was written differs: {name}: {row.first}")
    return True
