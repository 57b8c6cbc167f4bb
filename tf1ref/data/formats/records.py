"""TFRecord files without TensorFlow: which record is damaged, how, and what can still be read.

The format (tensorflow/core/lib/io/record_writer.h): a record is its length as uint64, the masked CRC-32C of these
8 bytes, the bytes, and their masked CRC-32C, all little-endian. A compressed file is one such stream in gzip or zlib.
TensorFlow's own readers say at which offset they gave up; here the number of the record is counted, from 0.
"""

import contextlib
import functools
import glob
import mmap
import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tf1ref import files
from tf1ref.data import folders
from tf1ref.data.formats import windows
from tf1ref.errors import InputError

COMPRESSIONS = ("NONE", "ZLIB", "GZIP")
HEAD = struct.Struct("<QI")
CRC = struct.Struct("<I")
POLYNOMIAL = 0x82F63B78  # Castagnoli, bits reversed (RFC 3720, 12.1)
BLOCK = 1024  # bytes whose CRC is one lookup in a table of 1 MB, which a processor's cache still holds
CHUNK = 1 << 20  # bytes looked up at once: 8 MB of indices


class Record(NamedTuple):
    """One record of `length` bytes. `offset` is the place of its length.

    data: the bytes, or None where the record is damaged or lies past the Bounds. problem: how it is damaged. cut:
    whether the file ends inside it.
    """

    number: int
    offset: int
    data: bytes | None
    problem: str
    length: int = 0
    cut: bool = False


class Bounds(NamedTuple):
    """How much `scan` reads of a file that may be large, in bytes.

    data: records up to this size are returned. looked: records behind this place of the file are not returned. checked:
    the checksum is computed for records up to this size.
    """

    data: float = float("inf")
    looked: float = float("inf")
    checked: float = float("inf")


def crc32c(data):
    """Returns the CRC-32C of bytes, an int. Where google-crc32c is installed with its C code, that computes it.

    A CRC is linear: each byte has its own share, which depends only on the byte and its distance from the end.
    tables()[k] holds the shares of a byte with k bytes after it. NumPy looks up the shares of a block at once.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    if library := _library():
        return library(bytes(data))
    table = tables()
    if len(data) < 64:
        crc, first = 0xFFFFFFFF, _first_table()
        for byte in data:
            crc = first[(crc ^ byte) & 0xFF] ^ (crc >> 8)
        return crc ^ 0xFFFFFFFF
    padded = np.zeros(-(-len(data) // BLOCK) * BLOCK, np.uint8)  # zeros in front have no share
    start = len(padded) - len(data)
    padded[start:] = np.frombuffer(data, np.uint8)
    padded[start : start + 4] ^= 0xFF  # the register starts with ones
    rows = np.arange(BLOCK - 1, -1, -1) * 256
    flat, crc = table.ravel(), 0
    for place in range(0, len(padded), CHUNK):
        shares = flat[rows + padded[place : place + CHUNK].reshape(-1, BLOCK)]
        for share in np.bitwise_xor.reduce(shares, axis=1).tolist():
            # What came before moves on by one block: its four bytes are like four more in front of it.
            moved = [int(table[BLOCK - 1 - i, crc >> 8 * i & 0xFF]) for i in range(4)]
            crc = moved[0] ^ moved[1] ^ moved[2] ^ moved[3] ^ share
    return crc ^ 0xFFFFFFFF


@functools.cache
def _library():
    """Returns google_crc32c.value, or None where the package or its C code is missing."""
    with contextlib.suppress(ImportError), warnings.catch_warnings():
        # The import warns where there is only the package's Python code, which is slower than NumPy.
        warnings.simplefilter("ignore")
        import google_crc32c

        if google_crc32c.implementation == "c":
            return google_crc32c.value
    return None


@functools.cache
def tables():
    """Returns the shares of a byte in a CRC: uint32 (BLOCK, 256), by the number of bytes behind it and its value."""
    first = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        first = np.where(first & 1, first >> 1 ^ np.uint32(POLYNOMIAL), first >> 1).astype(np.uint32)
    rows = [first]
    for _ in range(BLOCK - 1):
        rows.append(first[rows[-1] & 0xFF] ^ rows[-1] >> 8)
    return np.stack(rows)


@functools.cache
def _first_table():
    return tables()[0].tolist()


def masked_crc(data):
    """Returns the CRC as TFRecord files hold it: rotated and shifted, since a CRC of data with CRCs in it is weak."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def compression_of(path):
    """Returns "NONE", "ZLIB" or "GZIP" by the first bytes, or "" for other bytes.

    Raises InputError when the file cannot be read or is empty.
    """
    with _opened(path) as content:
        return _compression(content)


def scan(path, compression=None, bounds=Bounds()):  # noqa: B008 - a NamedTuple does not change
    """Yields a Record for each record of a file, damaged ones too. Memory: one record and a piece of the file.

    After a length that is damaged, reading goes on at the next place where a length and its checksum agree.
    compression: one of COMPRESSIONS, by default told by the first bytes. Raises InputError when the file cannot be
    read, is empty, is no TFRecord file or has another compression than the one given.
    """
    with _opened(path) as content:
        found = _compression(content)
        if compression not in (None, "", *COMPRESSIONS):
            raise InputError(f"{path}: compression {compression!r}: choose one of {', '.join(COMPRESSIONS)}")
        if compression and found and compression != found:
            raise InputError(f"{path}: its compression is {found}, not {compression}: read it with {found}")
        found = found or compression or "NONE"
        window = windows.Mapped(content) if found == "NONE" else windows.Unpacked(content)
        if found == "NONE" and not _head(window, 0) and _resync(window, 1) is None:
            starts = bytes(content[:8]).hex(" ")
            raise InputError(f"{path}: record 0: no TFRecord file: {starts} is no length with its checksum")
        yield from _records(window, found.lower(), bounds)


def read(path, compression=None, skip_bad=False):
    """Yields the bytes of each record. Raises InputError with file and record number at the first damaged one.

    skip_bad: damaged records are passed over instead; `scan` counts them.
    """
    for record in scan(path, compression):
        if not record.problem:
            yield record.data
        elif not skip_bad:
            raise InputError(f"{path}: record {record.number}: {record.problem}: --skip-bad passes over it")


def write(path, records, compression="NONE", shards=None, force=False):
    """Writes records (bytes) as a TFRecord file, or as files PATH-00000-of-00002 ..., whole or not at all.

    shards: how many files; consecutive records share one. The same records give the same bytes: no clock in them.
    Returns the paths. Memory: all records. Raises InputError when a file exists (without `force`) or cannot be
    written, or when shards of another number lie there: a pattern would match both.
    """
    if compression not in COMPRESSIONS:
        raise InputError(f"{path}: compression {compression!r}: choose one of {', '.join(COMPRESSIONS)}")
    records, count = list(records), shards or 1
    paths = [f"{path}-{i:05d}-of-{count:05d}" for i in range(count)] if shards else [os.fspath(path)]
    others = set(glob.glob(glob.escape(os.fspath(path)) + "-[0-9]*-of-[0-9]*")) - set(paths)
    if shards and others:
        raise InputError(f"{min(others)}: belongs to another set of shards: move it away first")
    edges = [len(records) * i // count for i in range(count + 1)]
    with contextlib.ExitStack() as every:  # all are written before the first one is renamed
        for name, start, end in zip(paths, edges, edges[1:]):
            target = files.target(name, force)
            every.enter_context(files.replacing(target, _packed(records[start:end], compression)))
    return [Path(name) for name in paths]


def framed(data):
    """Returns one record as it stands in an uncompressed file."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, CRC.pack(masked_crc(length)), data, CRC.pack(masked_crc(data))))


def _packed(records, compression):
    content = b"".join(framed(record) for record in records)
    if compression == "NONE":
        return content
    packer = zlib.compressobj(wbits=15 if compression == "ZLIB" else 31)
    return packer.compress(content) + packer.flush()


@contextlib.contextmanager
def _opened(path):
    """Returns the content of a file, mapped into memory."""
    if os.path.exists(path) and not os.path.isfile(path):  # opening a pipe would wait for its other end
        raise InputError(f"{path}: not a regular file: name one, or copy it into one")
    try:
        with open(path, "rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise InputError(f"{path}: 0 bytes, no record: write it again")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                yield content
    except OSError as error:
        raise folders.unreadable(path, error) from error


def _compression(content):
    if _head(windows.Mapped(content), 0):
        return "NONE"
    if content[:2] == b"\x1f\x8b":
        return "GZIP"
    # RFC 1950: deflate with a window of 32 KB, and the first two bytes are a multiple of 31.
    return "ZLIB" if content[:1] == b"\x78" and int.from_bytes(content[:2], "big") % 31 == 0 else ""


def length_in(head):
    """Returns the length in the 12 bytes of a record's head, in a tuple.

    Returns () when there are too few bytes, or when they do not agree.
    """
    if len(head) < HEAD.size:
        return ()
    length, crc = HEAD.unpack_from(head)
    return (length,) if crc == masked_crc(bytes(head[:8])) else ()


def _head(window, place):
    return length_in(window.at(place, HEAD.size))


def _resync(window, place):
    """The next place from `place` on where a record below 4 GB may start, or None. Its length has four zero bytes."""
    place = window.find(bytes(4), place + 4)
    while place >= 4:
        head = _head(window, place - 4)
        if head and window.has(head[0] + place - 4 + HEAD.size + CRC.size):
            return place - 4
        place = window.find(bytes(4), place + 1)
    return None


def _records(window, kind, bounds):
    """Yields the Records of a window on a file of the compression `kind`."""
    place = number = 0
    damaged = False  # whether a record has told of damage to the compression
    while window.has(place + 1):
        length, data, problem = _head(window, place), None, ""
        end = place + HEAD.size + (length[0] if length else 0) + CRC.size
        given = length and length[0] <= bounds.data and place < bounds.looked
        cut = not window.has(place + HEAD.size) or bool(length and not _reaches(window, end, given))
        if cut:
            want = f"expected {end - place:,}" if length else f"a header has {HEAD.size}"
            problem = _damage(window, kind) or f"truncated: {window.end - place:,} bytes left, {want}"
            end, damaged = window.end, bool(window.problem)
        elif not length:
            end = _resync(window, place + 1) or window.end
            problem = f"bad length: its checksum does not match; {end - place:,} bytes are passed over"
        elif given:
            data = window.at(place + HEAD.size, length[0])
            if length[0] <= bounds.checked and CRC.unpack(window.at(end - CRC.size, CRC.size))[0] != masked_crc(data):
                data, problem = None, f"bad checksum of its {length[0]:,} bytes"
        yield Record(number, place, data, problem, length[0] if length else 0, cut)
        place, number = end, number + 1
        window.drop(place)
        if damaged:
            return
    if window.problem:
        yield Record(number, place, None, _damage(window, kind), cut=True)


def _reaches(window, end, kept):
    """Returns whether the file has `end` bytes. A record that is not returned need not be kept in memory."""
    return window.has(end) if kept or not isinstance(window, windows.Unpacked) else window.passes(end)


def _damage(window, kind):
    return window.problem and f"damaged {kind} stream ({window.problem})"
