"""Ports a model: any artifact that answers becomes a folder of code and weights, which is proven to be the same."""

import contextlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tf1ref import files
from tf1ref.artifacts import models
from tf1ref.artifacts.formats import weights
from tf1ref.artifacts.graph import graphs
from tf1ref.artifacts.verify import pairs
from tf1ref.errors import InputError
from tf1ref.port import literals, proof, reading, writing

FILES = (
    "model.py", "weights.npz", "test_model.py", "answers.npz", "train.py", "test_port.py", "recording.npz", "state.npz",
)  # fmt: skip

MOST = 26  # characters of a file's name in a docstring


@dataclass
class Report:
    """What port() wrote. `inputs`, `outputs`: {argument or key: tensor of the graph}. `lines`: those of model.py.

    compared: the number of elements that are the same to the bit. cases: the number of sets of inputs.
    not_compared: the reason when nothing was compared, or "". raw_ops: the number of calls without a public name.
    notes: what was guessed or repaired.
    """

    path: str
    source: str
    lines: int
    classes: int
    weights: int
    raw_ops: int
    inputs: dict
    outputs: dict
    cases: int = 0
    compared: int = 0
    not_compared: str = ""
    notes: list = field(default_factory=list)


def port(source, folder, outputs=(), inputs=(), feeds="", signature="", trust=False, force=False):
    """Writes the model `source` as TensorFlow 2 code into the new `folder`. Returns the Report.

    source: what models.load reads. outputs, inputs: names of tensors, which a model without a signature needs.
    feeds: an .npz of inputs for the proof. signature: that of a SavedModel.
    trust: runs the model although it touches files, the network or Python. force: replaces `folder`.
    Raises InputError for what cannot be used, and CheckFailed when the code answers differently. `folder` is then as it
    was before.
    """
    path = target(folder, force)
    artifact = models.load(source, signature)
    if artifact.message is None:
        raise InputError(f"{artifact.path}: weights without a graph: there is nothing to port; give the graph, too")
    wanted, notes = _outputs(artifact, list(outputs))
    fed = pairs.inputs(artifact, artifact, wanted, list(inputs))
    ready = models.ready(artifact, wanted, fed, trust)
    program = reading.program(ready, literals.short)
    words = writing.arguments(program)
    text, arrays = writing.model(program, f"{plain(artifact.path)}, ported from TensorFlow 1.")
    found, reason = proof.cases(ready, words, pairs.load_feeds(feeds) if feeds else {})
    report = Report(
        str(path),
        artifact.path,
        text.count("\n"),
        text.count("\nclass "),
        len(arrays),
        text.count("tf.raw_ops."),
        {words[key]: name for key, name in ready.inputs.items() if key in words},
        ready.outputs,
        len(found),
        not_compared=reason,
        notes=notes + ready.notes,
    )
    with written(path) as beside:
        (beside / "model.py").write_text(text)
        (beside / "test_model.py").write_text(proof.test_text(ready.outputs))
        (beside / "weights.npz").write_bytes(weights.npz_bytes(arrays))
        (beside / "answers.npz").write_bytes(weights.npz_bytes(proof.packed(found)))
        report.compared = proof.run(beside) if found else 0
    return report


def target(folder, force):
    """Returns `folder` as a Path that can be made.

    Raises InputError when it exists, unless it holds only a port and `force` is given.
    """
    path = Path(os.path.normpath(folder))
    if os.path.isdir(path):
        others = sorted(p.name for p in path.iterdir() if p.name not in (*FILES, "__pycache__"))
        if others:
            raise InputError(f"{path}: is a folder with other things in it, such as {others[0]}: choose another name")
        if any(path.iterdir()) and not force:
            raise InputError(f"{path}: exists already: choose another name or overwrite it with --force")
    elif files.exists(path):
        raise InputError(f"{path}: is a file: a port is a folder; choose another name")
    files.target(path.parent / f".{path.name}.{os.getpid()}.part")
    return path


@contextlib.contextmanager
def written(path):
    """Yields a new folder beside `path`. When the body ends without an error, it replaces `path`."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        beside.mkdir()
        yield beside
        if path.exists():
            os.rename(path, old)
        os.rename(beside, path)
    except OSError as e:
        raise InputError(f"{path}: cannot be written: {e.strerror or e}") from e
    finally:
        for left in (beside, old):
            shutil.rmtree(left, ignore_errors=True)


def _outputs(artifact, names):
    if names:
        return models.asked(artifact, names), []
    if artifact.outputs:
        return artifact.outputs, []
    likely = graphs.guessed_outputs(artifact.graph_def)
    if not likely:
        raise InputError(f"{artifact.path}: name the outputs with --outputs; none look likely")
    others = f"; likely, too: {', '.join(likely[1:4])}" if likely[1:] else ""
    return {likely[0]: f"{likely[0]}:0"}, [f"guessed the output {likely[0]}{others}: --outputs"]


def plain(path):
    """Returns the name of a file, or its start, as text that can stand in a line of a docstring."""
    name = os.path.basename(os.path.normpath(path))
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
    return name if len(name) <= MOST else f"{name[: MOST - 3]}..."
