"""Files of records: TFRecords and TensorBoard's events. Read in pieces; how far a file unpacks is bounded.

`tf1ref.data.records` reads one to its end and finds what is left after damage; here it is counted and described.
"""

import os
import struct
import zlib
from dataclasses import dataclass, field

import tensorflow.compat.v1 as v1
from google.protobuf.message import DecodeError

from tf1ref.data.formats import records
from tf1ref.errors import InputError

PIECE = 1 << 16
MOST_BYTES = 1 << 30  # unpacked: a megabyte of gzip may hold a gigabyte of zeros
MOST_PARSED = 16 << 20  # bytes of one record that is looked into
MOST_LOOKED = 256 << 20  # bytes from which on records are counted only
MOST_RECORDS = 1_000_000  # that are counted
MOST_NAMES = 1000  # of features or tags
CHECKED = 1 << 16  # bytes: a longer record's checksum costs too much
VERSION = b"brain.Event:"


@dataclass
class Stream:
    """A file of records. `counted`: whether to its end; `compression`: NONE, GZIP or ZLIB.

    `features`: {name: {"type", "lengths", "records"}} of tf.train.Examples; `tags`: {tag: {"kind", "steps",
    "last_step"}} of events; `version`: of an event file, else "". `shortest`, `longest`: bytes of a record.
    """

    compression: str
    records: int = 0
    counted: bool = True
    shortest: int = 0
    longest: int = 0
    examples: int = 0
    features: dict = field(default_factory=dict)
    version: str = ""
    tags: dict = field(default_factory=dict)
    problem: str = ""


def compression(start):
    """Returns NONE, GZIP or ZLIB when bytes start a file of records, "" when they do not."""
    if _is_head(start):
        return "NONE"
    for name, magic in (("GZIP", b"\x1f\x8b"), ("ZLIB", b"\x78")):
        if start.startswith(magic):
            try:
                return name if _is_head(zlib.decompressobj(47).decompress(start, records.HEAD.size)) else ""
            except zlib.error:
                return ""
    return ""


def read(path, packed):
    """Returns the Stream that the file `path` of the compression `packed` holds. Raises InputError for damage.

    An event file whose last record is cut short is what a writer that was killed leaves: a problem, no error.
    """
    stream = Stream(packed)
    with open(path, "rb") as file:
        source = _Plain(file) if packed == "NONE" else _Unpacking(file)
        try:
            for data, length in _records(source):
                _add(stream, data, length)
                if stream.records >= MOST_RECORDS or (packed != "NONE" and source.place > MOST_BYTES):
                    stream.counted = False
                    break
        except _Damaged as e:
            if not (stream.version and e.cut):
                raise InputError(f"{path}: record {stream.records}: {e}: see what is left with `tf1ref data`") from e
            stream.problem = f"record {stream.records}: {e}, as a writer that was killed leaves it"
    return stream


class _Damaged(Exception):
    cut = False


class _Cut(_Damaged):
    cut = True


class _Plain:
    """An uncompressed file."""

    def __init__(self, file):
        self.file, self.place, self.size = file, 0, os.fstat(file.fileno()).st_size

    def read(self, count):
        """The next `count` bytes, fewer at the end."""
        data = self.file.read(min(count, self.size - self.place))
        self.place += len(data)
        return data

    def skip(self, count):
        """Passes over `count` bytes; returns how many there were."""
        count = min(count, self.size - self.place)
        self.place = self.file.seek(self.place + count)
        return count


class _Unpacking:
    """A file in gzip or zlib, unpacked a piece at a time."""

    def __init__(self, file):
        self.file, self.place, self.ready = file, 0, b""
        self.unpacker = zlib.decompressobj(47)

    def read(self, count):
        """The next `count` bytes, fewer at the end."""
        parts, wanted = [], count
        while wanted and self._more():
            part, self.ready = self.ready[:wanted], self.ready[wanted:]
            parts.append(part)
            wanted -= len(part)
        self.place += count - wanted
        return b"".join(parts)

    def skip(self, count):
        """Passes over `count` bytes; returns how many there were."""
        left = count
        while left and left <= MOST_BYTES:
            data = self.read(min(left, PIECE))
            if not data:
                break
            left -= len(data)
        return count - left

    def _more(self):
        while not self.ready:
            packed = self.unpacker.unconsumed_tail or self.unpacker.unused_data or self.file.read(PIECE)
            if not packed:
                return False
            if self.unpacker.eof:  # gzip may be several streams, one behind the other
                self.unpacker = zlib.decompressobj(47)
            try:
                self.ready = self.unpacker.decompress(packed, PIECE)
            except zlib.error as e:
                raise _Damaged(f"damaged compression ({e})") from e
        return True


def _records(source):
    """Yields (bytes or None where they are too many to look into, length) of each record. Raises _Damaged."""
    while head := source.read(records.HEAD.size):
        if len(head) < records.HEAD.size:
            raise _Cut(f"cut short: {len(head)} bytes of a header")
        if not _is_head(head):
            raise _Damaged("damaged: its length does not match its checksum")
        (length,) = struct.unpack_from("<Q", head)
        data = source.read(length) if length <= MOST_PARSED and source.place < MOST_LOOKED else None
        there = source.skip(length) if data is None else len(data)
        tail = source.read(records.CRC.size)
        if there < length or len(tail) < records.CRC.size:
            raise _Cut(f"cut short: {there:,} of its {length:,} bytes")
        if data is not None and length <= CHECKED and records.CRC.unpack(tail)[0] != records.masked_crc(data):
            raise _Damaged(f"damaged: the checksum of its {length:,} bytes does not match")
        yield data, length


def _is_head(start):
    if len(start) < records.HEAD.size:
        return False
    _, crc = records.HEAD.unpack_from(start)
    return crc == records.masked_crc(bytes(start[:8]))


def _add(stream, data, length):
    stream.shortest = min(length, stream.shortest) if stream.records else length
    stream.longest = max(length, stream.longest)
    stream.records += 1
    if data is None:
        return
    if stream.records == 1 and VERSION in data[:64]:
        stream.version = _parsed(v1.Event, data).file_version
    elif stream.version:
        _add_event(stream, _parsed(v1.Event, data))
    else:
        _add_example(stream, data)


def _parsed(message, data):
    try:
        return message.FromString(data)
    except DecodeError:
        return message()


def _add_event(stream, event):
    kind = event.WhichOneof("what")
    if kind == "summary":
        for value in event.summary.value:
            plugin = value.metadata.plugin_data.plugin_name
            _add_tag(stream, value.tag, plugin or value.WhichOneof("value"), event.step)
    elif kind == "tagged_run_metadata":
        _add_tag(stream, event.tagged_run_metadata.tag, "run metadata", event.step)
    elif kind and kind != "file_version":
        _add_tag(stream, f"({kind.replace('_', ' ')})", kind, event.step)


def _add_tag(stream, tag, kind, step):
    if tag in stream.tags or len(stream.tags) < MOST_NAMES:
        found = stream.tags.setdefault(tag, {"kind": kind or "", "steps": 0, "last_step": step})
        found["steps"] += 1
        found["last_step"] = max(step, found["last_step"])


def _add_example(stream, data):
    example = _parsed(v1.train.Example, data)
    if not example.features.feature:
        return
    stream.examples += 1
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind") or "empty"
        if name not in stream.features and len(stream.features) >= MOST_NAMES:
            continue
        found = stream.features.setdefault(name, {"type": kind.removesuffix("_list"), "lengths": [], "records": 0})
        found["records"] += 1
        length = len(getattr(feature, kind).value) if kind != "empty" else 0
        found["lengths"] = [min([length, *found["lengths"]]), max([length, *found["lengths"]])]
