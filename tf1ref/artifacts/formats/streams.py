"""What files of records hold: TFRecords and TensorBoard's events. The unpacked size is bounded.

`tf1ref.data.formats.records` reads them. This module counts and describes the records.
"""

import zlib
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from tf1ref.data.formats import protos, records
from tf1ref.errors import InputError

# The most bytes to unpack: a megabyte of gzip may hold a gigabyte of zeros.
MOST_BYTES = 1 << 30
# Records of more than 16 MB, and all after 256 MB, are counted but not parsed. A checksum of more than 64 KB would
# take too long.
BOUNDS = records.Bounds(data=16 << 20, looked=256 << 20, checked=1 << 16)
MOST_RECORDS = 1_000_000  # the most records to count
MOST_NAMES = 1000  # the most names of features or tags
VERSION = b"brain.Event:"


@dataclass
class Stream:
    """A file of records. `counted`: whether it was counted to its end. `compression`: NONE, GZIP or ZLIB.

    features: {name: {"type", "lengths", "records"}} of tf.train.Examples. tags: {tag: {"kind", "steps", "last_step"}}
    of events. version: that of an event file, else "". shortest, longest: bytes of a record.
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
    """Returns NONE, GZIP or ZLIB when bytes start a file of records, and "" otherwise."""
    if records.length_in(start):
        return "NONE"
    for name, magic in (("GZIP", b"\x1f\x8b"), ("ZLIB", b"\x78")):
        if start.startswith(magic):
            try:
                head = zlib.decompressobj(47).decompress(start, records.HEAD.size)
            except zlib.error:
                return ""
            return name if records.length_in(head) else ""
    return ""


def read(path, packed):
    """Returns the Stream of the file `path`, whose compression is `packed`. Raises InputError for damage.

    A writer that was killed leaves an event file whose last record is cut short. This is a problem, not an error.
    """
    stream = Stream(packed)
    for record in records.scan(path, packed, BOUNDS):
        if record.problem:
            problem = f"cut short: {record.problem}" if record.cut else f"damaged: {record.problem}"
            if not (stream.version and record.cut):
                raise InputError(f"{path}: record {stream.records}: {problem}: see what is left with `tf1ref data`")
            stream.problem = f"record {stream.records}: {problem}, as a writer that was killed leaves it"
            break
        _add(stream, record.data, record.length)
        if stream.records >= MOST_RECORDS or (packed != "NONE" and record.offset + record.length > MOST_BYTES):
            stream.counted = False
            break
    return stream


def _add(stream, data, length):
    stream.shortest = min(length, stream.shortest) if stream.records else length
    stream.longest = max(length, stream.longest)
    stream.records += 1
    if data is None:
        return
    if stream.records == 1 and VERSION in data[:64]:
        stream.version = _parsed(protos.Event, data).file_version
    elif stream.version:
        _add_event(stream, _parsed(protos.Event, data))
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
    example = _parsed(protos.Example, data)
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
