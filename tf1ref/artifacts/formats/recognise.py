"""Tells what a file or folder is by its content. Names and endings are not trusted.

Only a V2 checkpoint's data files have no mark of their own. Their name leads to the index that describes them.
"""

import glob
import os
from dataclasses import dataclass, field

from google.protobuf import text_format

from tf1ref.artifacts.formats import indexes, messages, streams
from tf1ref.artifacts.formats.indexes import PART
from tf1ref.data.formats import protos
from tf1ref.errors import InputError, nearest

MODELS = ("saved_model.pb", "saved_model.pbtxt")
STATE = "checkpoint"  # this file names a folder's latest checkpoint


@dataclass
class Found:
    """What is at `path`. `kind`: in words. `files`: all files of it. `graphs`: its GraphDefs or MetaGraphDefs.

    index: that of a checkpoint or of a SavedModel's variables. compression: that of a file of records, else "".
    """

    path: str
    kind: str
    files: list
    graphs: list = field(default_factory=list)
    index: indexes.Index | None = None
    compression: str = ""


def recognise(path, lean=False):
    """Returns what is at `path`. lean: leaves the values of large constants in their file (graph/held.py).

    Raises InputError when nothing is there, or something that is damaged or not in KINDS.
    """
    path = os.fspath(path)
    if os.path.isdir(path):
        return _folder(path, lean)
    if PART.search(path) and not path.endswith(".meta"):
        return _checkpoint(PART.sub("", path))
    if not os.path.exists(path):
        return _prefix(path)
    if os.path.basename(path) == STATE and _state(path):
        return _folder(os.path.dirname(path) or ".", lean)
    with indexes.mapped(path) as content:
        start = content[:4096]
    version = indexes.version(path)
    if version:
        return _table(path, version)
    compression = streams.compression(start)
    if compression:
        return Found(path, "records", [path], compression=compression)
    kind, message = messages.read(path, start, lean)
    if kind.startswith("SavedModel"):
        return _saved_model(path, kind, message)
    prefix = path.removesuffix(".meta")
    if prefix != path and _has_values(prefix):
        return _checkpoint(prefix, message)
    return Found(path, kind, [path], [message])


def _folder(path, lean):
    models = [os.path.join(path, name) for name in MODELS if os.path.isfile(os.path.join(path, name))]
    if models:
        return recognise(models[0], lean)
    versions = sorted(p for name in MODELS for p in glob.glob(os.path.join(glob.escape(path), "*", name)))
    if len(versions) == 1:
        return recognise(versions[0], lean)
    if versions:
        names = ", ".join(os.path.basename(os.path.dirname(p)) for p in versions[:8])
        raise InputError(f"{path}: holds {len(versions)} SavedModels: name one of its folders: {names}")
    return _checkpoint(latest(path))


def latest(folder):
    """Returns the prefix of a folder's latest checkpoint, which its state file names, or of the only one.

    Raises InputError when the folder holds no checkpoint, or several and no state file.
    """
    state = _state(os.path.join(folder, STATE))
    prefixes = [state] if state else _prefixes(folder)
    if len(prefixes) == 1:
        return prefixes[0]
    if prefixes:
        names = ", ".join(sorted(os.path.basename(prefix) or ".index" for prefix in prefixes)[:8])
        raise InputError(f"{folder}: holds several checkpoints and no state file: name one of {names}")
    raise InputError(f"{folder}: a folder without a SavedModel or a checkpoint: name a file in it")


def _prefixes(folder):
    # What Saver.save("folder/") wrote has a prefix without a name, and files such as .meta.
    parts = (p for ending in ("*.meta", "*.index", ".meta", ".index") for p in glob.glob(ending, root_dir=folder))
    return sorted({os.path.join(folder, PART.sub("", p)) for p in parts})


def _state(path):
    """Returns the prefix of the latest checkpoint that the state file `path` names, moved or not.

    Returns "" for a file that is not a state file.
    """
    if not os.path.isfile(path) or os.path.getsize(path) > messages.MOST_TEXT:
        return ""
    try:
        with open(path, "rb") as file:
            state = text_format.Parse(file.read(), protos.CheckpointState())
    except (text_format.ParseError, OSError, ValueError, RecursionError):
        return ""
    named = state.model_checkpoint_path
    if named and not os.path.isabs(named):
        named = os.path.join(os.path.dirname(path), named)
    moved = os.path.join(os.path.dirname(path), os.path.basename(named))
    return named if not named or _has_values(named) or not _has_values(moved) else moved


def _has_values(prefix):
    return os.path.isfile(prefix + ".index") or os.path.isfile(prefix) or bool(_shards(prefix))


def _shards(prefix):
    return [p for p in glob.glob(glob.escape(prefix) + "-*-of-*") if indexes.SHARD.search(p)]


def _prefix(path):
    if _has_values(path):
        return _checkpoint(path)
    if os.path.isfile(path + ".meta"):
        raise InputError(f"{path}.index: missing: {path}.meta alone holds the graph and no values; name it to see that")
    folder = os.path.dirname(path) or "."
    there = os.listdir(folder) if os.path.isdir(folder) else []
    raise InputError(f"{path}: no such file, folder or checkpoint{nearest(os.path.basename(path), sorted(there))}")


def _table(path, version):
    if version == 1:
        return _checkpoint(indexes.SHARD.sub("", path))
    if not path.endswith(".index"):
        raise InputError(f"{path}: the index of a V2 checkpoint under another name: call it PREFIX.index again")
    return _checkpoint(PART.sub("", path))


def _checkpoint(prefix, meta=None):
    index = indexes.read(prefix)
    found = Found(prefix, f"V{index.version} checkpoint", list(index.files), index=index)
    path = prefix + ".meta"
    if meta is None and os.path.isfile(path):
        with indexes.mapped(path) as content:
            start = content[:4096]
        kind, meta = messages.read(path, start)
        if kind.startswith("SavedModel"):
            raise InputError(f"{path}: a SavedModel, where a checkpoint has its meta graph: give it another name")
    if meta is not None:
        found.kind += " with its graph"
        found.graphs = [meta]
        found.files = [path, *found.files]
    return found


def _saved_model(path, kind, message):
    """Returns a SavedModel with the values and the assets beside it."""
    folder = os.path.dirname(path)
    variables = os.path.join(folder, "variables", "variables")
    index = indexes.read(variables) if os.path.isfile(variables + ".index") else None
    assets = sorted(p for p in glob.glob(os.path.join(glob.escape(folder), "assets", "*")) if os.path.isfile(p))
    return Found(path, kind, [path, *(index.files if index else ()), *assets], list(message.meta_graphs), index)
