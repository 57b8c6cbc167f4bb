"""Sorted tables: the file format of a V1 checkpoint, and of the index of a V2 one.

The format is LevelDB's (tensorflow/core/lib/io/format.h, table_format.txt). It has blocks of entries whose keys share
prefixes, each block with its type and a masked CRC-32C. Then comes an index block of (last key, place) of the data
blocks. The last 48 bytes name the index block. Nothing is trusted: a place, length or size that cannot be is Damaged.
"""

import struct

from tf1ref.data.formats.records import masked_crc

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
FOOTER = 48
TRAILER = 5  # a block's type and checksum
PLAIN, SNAPPY = 0, 1


class Damaged(Exception):
    """A table's content is not valid. The message is one line."""


def is_table(content):
    """Returns True when bytes (or an mmap) end as a table does."""
    return len(content) >= FOOTER and content[-len(MAGIC) :] == MAGIC


def entries(content, only_first=False):
    """Yields each (key, value) of a table, both bytes, in order. only_first: yields those of the first block only.

    A V1 checkpoint has its list of tensors in the first block and their values in all, so the list is read without the
    values. This needs the memory of one block. Raises Damaged.
    """
    if not is_table(content):
        raise Damaged("cut short: its last bytes are not those of a table")
    footer = bytes(content[-FOOTER:])
    _, place = _handle(footer, 0)
    index, _ = _handle(footer, place)
    for _, handle in _block(_contents(content, index)):
        where, _ = _handle(handle, 0)
        yield from _block(_contents(content, where))
        if only_first:
            return


def check_places(content):
    """Raises Damaged when a block of the table would lie outside of the file."""
    footer = bytes(content[-FOOTER:])
    _, place = _handle(footer, 0)
    index, _ = _handle(footer, place)
    for _, handle in _block(_contents(content, index)):
        (offset, size), _ = _handle(handle, 0)
        if offset + size + TRAILER > len(content) - FOOTER:
            raise Damaged(f"cut short: a block ends at byte {offset + size:,} of {len(content):,}")


def _contents(content, where):
    """Returns the bytes of the block at `where` (offset, size), checked and unpacked."""
    offset, size = where
    if offset + size + TRAILER > len(content):
        raise Damaged(f"cut short: a block ends at byte {offset + size:,} of {len(content):,}")
    data, kind = content[offset : offset + size], content[offset + size]
    (crc,) = struct.unpack("<I", content[offset + size + 1 : offset + size + TRAILER])
    if crc != masked_crc(data + bytes([kind])):
        raise Damaged(f"the checksum of the {size:,} bytes at {offset:,} does not match")
    if kind == SNAPPY:
        return unsnappy(data)
    if kind != PLAIN:
        raise Damaged(f"a block of the unknown type {kind}")
    return data


def _block(data):
    if len(data) < 4:
        raise Damaged("a block without an end")
    (restarts,) = struct.unpack("<I", data[-4:])
    end = len(data) - 4 * (restarts + 1)
    if end < 0:
        raise Damaged("a block with more restarts than bytes")
    place, key = 0, b""
    while place < end:
        shared, place = varint(data, place)
        own, place = varint(data, place)
        length, place = varint(data, place)
        if shared > len(key) or place + own + length > end:
            raise Damaged("an entry longer than its block")
        key = key[:shared] + data[place : place + own]
        yield key, data[place + own : place + own + length]
        place += own + length


def _handle(data, place):
    offset, place = varint(data, place)
    size, place = varint(data, place)
    return (offset, size), place


def varint(data, place):
    """Returns the number at `place`, with seven bits in each byte, and the place after it. Raises Damaged.

    >>> varint(bytes([0xAC, 0x02]), 0)
    (300, 2)
    """
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise Damaged("a number without an end")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise Damaged("a number longer than 64 bits")


def unsnappy(data):
    """Unpacks bytes in Snappy's raw format (google/snappy, format_description.txt). Raises Damaged.

    The size that a stream claims reserves no memory. 2 bytes of it copy at most 64.

    >>> unsnappy(bytes([3, 2 << 2]) + b"abc")
    b'abc'
    """
    size, place = varint(data, 0)
    out = bytearray()
    while place < len(data):
        tag, place = data[place], place + 1
        kind = tag & 3
        if kind == 0:
            length, place = tag >> 2, place
            if length >= 60:
                extra = length - 59
                length, place = int.from_bytes(data[place : place + extra], "little"), place + extra
            out += data[place : place + length + 1]
            place += length + 1
        else:
            width = (0, 1, 2, 4)[kind]
            back = int.from_bytes(data[place : place + width], "little")
            length = (tag >> 2 & 7) + 4 if kind == 1 else (tag >> 2) + 1
            _repeat(out, back | (tag >> 5) << 8 if kind == 1 else back, length)
            place += width
        if len(out) > size:
            break
    if len(out) != size:
        raise Damaged("a Snappy stream of another length than it says")
    return bytes(out)


def _repeat(out, back, length):
    if not 0 < back <= len(out):
        raise Damaged("a Snappy stream that copies from before its start")
    piece = bytes(out[-back:])[:length]
    out += (piece * (length // len(piece) + 1))[:length]
