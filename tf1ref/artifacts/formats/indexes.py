"""What a checkpoint holds, read from its index: names, shapes, types, files. No value is read.

V2 (tensorflow/core/protobuf/tensor_bundle.proto): PREFIX.index says where in PREFIX.data-* each tensor lies.
V1 (tensorflow/core/util/saved_tensor_slice.proto): each file, PREFIX or PREFIX-*-of-*, is both index and values.
"""

import contextlib
import glob
import mmap
import os
import re
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from tf1ref.artifacts.formats import sstable
from tf1ref.artifacts.formats.sstable import Damaged
from tf1ref.artifacts.graph.shapes import dtype_name, elements, shape_of, width
from tf1ref.data.formats.protos import BundleEntryProto, BundleHeaderProto, DataType, SavedTensorSlices
from tf1ref.errors import InputError

OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"  # the key of the tree of objects in a TF2 checkpoint
PART = re.compile(r"\.(meta|index|data-\d{5}-of-\d{5})$")
SHARD = re.compile(r"-\d{5}-of-(\d{5})$")


@dataclass
class Saved:
    """One tensor of a checkpoint. `shards`: the files that hold it.

    `slices`: the number of pieces, 1 when it is whole.
    """

    name: str
    shape: list
    dtype: str
    parameters: int
    bytes: int
    shards: list = field(default_factory=list)
    slices: int = 1


@dataclass
class Index:
    """A checkpoint. `version`: 1 or 2. `files`: its own files, without the meta graph.

    `objects`: TF2's Checkpoint made it.
    """

    prefix: str
    version: int
    files: list
    tensors: list
    objects: bool


@contextlib.contextmanager
def mapped(path):
    """Returns the content of a file, mapped into memory. Raises InputError when it is missing, empty or unreadable."""
    if not os.path.isfile(path):
        raise InputError(f"{path}: {'not a regular file' if os.path.exists(path) else 'missing'}: give another")
    try:
        with open(path, "rb") as f:
            if not os.fstat(f.fileno()).st_size:
                raise InputError(f"{path}: empty (0 bytes): it was never written, or its copy failed")
            with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as content:
                yield content
    except OSError as e:
        raise InputError(f"{path}: cannot be read: {e.strerror or e}") from e


def version(path):
    """Returns 2 for the index of a V2 checkpoint, 1 for a file of a V1 one, 0 for anything else. Raises InputError."""
    with mapped(path) as content:
        if not sstable.is_table(content):
            return 0
        with _damage(path):
            first = next(iter(sstable.entries(content, only_first=True)), (b"", b""))
    # In V1, field 1 is the list of tensors, a message. In V2 it is the number of shards.
    return {0x0A: 1, 0x08: 2}.get(first[1][0], 0) if first[0] == b"" and first[1] else 0


def read(prefix):
    """Returns the Index of the checkpoint `prefix`.

    Raises InputError for a file that is missing, cut short or damaged.
    """
    if os.path.isfile(prefix + ".index"):
        return _v2(prefix)
    return _v1(prefix)


def _v2(prefix):
    path = prefix + ".index"
    with mapped(path) as content, _damage(path):
        found = list(sstable.entries(content))
        if not found or found[0][0] != b"":
            raise Damaged("no header")
        header = BundleHeaderProto.FromString(found[0][1])
        entries = [(key, BundleEntryProto.FromString(value)) for key, value in found[1:]]
    sizes = _sizes(prefix, header.num_shards)
    names = [os.path.basename(_shard(prefix, i, header.num_shards)) for i in range(len(sizes))]
    tensors, pieces = {}, {}
    for key, entry in entries:
        # This is one piece of a tensor. Its key is an ordered code of the tensor's name and the place of the piece.
        if key[:1] == b"\0":
            pieces.setdefault(key[1:].partition(b"\0\1")[0], []).append(entry)
        else:
            tensors[key] = entry
        with _damage(path):
            _check_entry(_text(key), entry, sizes, names)
    saved = [_saved_v2(key, entry, pieces.get(key, ()), names) for key, entry in tensors.items()]
    kept = [s for s in saved if s.name != OBJECTS]
    return Index(prefix, 2, [path, *(_shard(prefix, i, len(sizes)) for i in range(len(sizes)))], kept, kept != saved)


def _saved_v2(key, entry, pieces, names):
    shape, dtype = shape_of(entry.shape), dtype_name(entry.dtype)
    count = 0 if dtype == "string" else elements(shape) or 0
    parts = pieces or [entry]
    shards = [names[i] for i in sorted({p.shard_id for p in parts}) if i < len(names)]
    return Saved(_text(key), shape, dtype, count, sum(p.size for p in parts), shards, len(entry.slices) or 1)


def _check_entry(name, entry, sizes, names):
    if entry.slices:
        # The pieces have entries of their own.
        return
    if not 0 <= entry.shard_id < len(sizes):
        raise Damaged(f"{name} lies in file {entry.shard_id} of {len(sizes)}")
    if min(entry.offset, entry.size) < 0 or entry.offset + entry.size > sizes[entry.shard_id]:
        raise Damaged(
            f"{name} ends at byte {entry.offset + entry.size:,} of {names[entry.shard_id]}, which has "
            f"{sizes[entry.shard_id]:,}: cut short, or of another checkpoint"
        )
    size = width(entry.dtype)
    if size is None:
        raise Damaged(f"{name} is of the unknown type {entry.dtype}")
    whole = (elements(shape_of(entry.shape)) or 0) * size
    if entry.dtype not in (DataType.DT_STRING, DataType.DT_VARIANT) and whole != entry.size:
        raise Damaged(f"{name} has {entry.size:,} bytes, its shape and type {whole:,}")


def _sizes(prefix, count):
    """Returns the sizes of the data files, by number. Raises InputError for the first one that is missing."""
    there = glob.glob(glob.escape(prefix) + ".data-*-of-*")
    if not there:
        raise InputError(f"{prefix}.data-*: missing: an index without its data says names and shapes only; copy both")
    sizes = []
    for number in range(count):
        path = _shard(prefix, number, count)
        if not os.path.isfile(path):
            raise InputError(f"{path}: missing: the checkpoint is in {count:,} data files, {len(there)} are there")
        sizes.append(os.path.getsize(path))
    return sizes


def _shard(prefix, number, count):
    return f"{prefix}.data-{number:05d}-of-{count:05d}"


def _v1(prefix):
    tensors, files = {}, _v1_files(prefix)
    for path in files:
        with mapped(path) as content, _damage(path):
            key, value = next(iter(sstable.entries(content, only_first=True)), (b"", b""))
            if key != b"" or value[:1] != b"\x0a":
                raise Damaged("no list of tensors")
            sstable.check_places(content)
            listed = SavedTensorSlices.FromString(value).meta.tensor
        for tensor in listed:
            shape, dtype = shape_of(tensor.shape), dtype_name(tensor.type)
            count = 0 if dtype == "string" else elements(shape) or 0
            saved = tensors.setdefault(
                tensor.name, Saved(tensor.name, shape, dtype, count, count * (width(tensor.type) or 0), slices=0)
            )
            saved.slices += max(len(tensor.slice), 1)
            saved.shards.append(os.path.basename(path))
    return Index(prefix, 1, files, sorted(tensors.values(), key=lambda s: s.name), False)


def _v1_files(prefix):
    if os.path.isfile(prefix):
        return [prefix]
    files = sorted(f for f in glob.glob(glob.escape(prefix) + "-*-of-*") if SHARD.search(f))
    if not files:
        raise InputError(f"{prefix}: no checkpoint: neither {prefix}.index nor {prefix}-00000-of-* is there")
    count = int(SHARD.search(files[0])[1])
    for number in range(count):
        path = f"{prefix}-{number:05d}-of-{count:05d}"
        if path not in files:
            raise InputError(f"{path}: missing: the checkpoint is in {count:,} files, {len(files)} are there")
    return files[:count]


@contextlib.contextmanager
def _damage(path):
    try:
        yield
    except (Damaged, DecodeError) as e:
        reason = str(e) if isinstance(e, Damaged) else "an entry that is no message"
        raise InputError(f"{path}: damaged: {reason}: save or copy it again") from e


def _text(key):
    return key.decode(errors="backslashreplace")
