"""The bytes of a file by their place, unpacked on the way: memory holds what was not let go, and a piece.

A window answers `has(end)`, `at(place, count)` and `find(pattern, place)`. `drop(place)` lets go of what stands before.
"""

import contextlib
import mmap
import zlib

PIECE = 1 << 14  # packed bytes that are unpacked at once


class Mapped:
    """An uncompressed file, mapped into memory. `problem` is always ""."""

    problem = ""

    def __init__(self, content: mmap.mmap | bytes) -> None:
        self._content = content

    @property
    def end(self) -> int:
        """How many bytes there are."""
        return len(self._content)

    def has(self, end: int) -> bool:
        """Returns whether there are `end` bytes."""
        return end <= len(self._content)

    def at(self, place: int, count: int) -> bytes:
        """Returns `count` bytes from `place` on, fewer at the end."""
        return self._content[place : place + count]

    def find(self, pattern: bytes, place: int) -> int:
        """Returns the first place of `pattern` from `place` on, or -1."""
        return self._content.find(pattern, place)

    def drop(self, place: int) -> None:
        """Does nothing: the system lets go of a mapped file by itself."""


class Unpacked:
    """A file in gzip or zlib. `problem`: what is wrong with its compression, "" as long as nothing is."""

    def __init__(self, content: mmap.mmap | bytes) -> None:
        self.problem = ""
        self._packed, self._next = content, 0
        self._unpacker = zlib.decompressobj(wbits=47)  # 32 + 15: tells gzip from zlib by itself
        self._start, self._held, self._over = 0, bytearray(), False

    @property
    def end(self) -> int:
        """The place behind the last byte that is unpacked: the end of the file after `has` has returned False."""
        return self._start + len(self._held)

    def has(self, end: int) -> bool:
        """Returns whether there are `end` bytes. It unpacks up to there."""
        while self.end < end and not self._over:
            self._unpack()
        return self.end >= end

    def passes(self, end: int) -> bool:
        """Returns what `has` returns, without keeping what stands before `end`."""
        while self.end < end and not self._over:
            self.drop(self.end)
            self._unpack()
        return self.end >= end

    def at(self, place: int, count: int) -> bytes:
        """Returns `count` bytes from `place` on, fewer at the end. `place` was not dropped."""
        self.has(place + count)
        return bytes(self._held[place - self._start : place - self._start + count])

    def find(self, pattern: bytes, place: int) -> int:
        """Returns the first place of `pattern` from `place` on, or -1."""
        while True:
            found = self._held.find(pattern, place - self._start)
            if found >= 0:
                return found + self._start
            place = max(place, self.end - len(pattern) + 1)
            if self._over:
                return -1
            self._unpack()

    def drop(self, place: int) -> None:
        """Lets go of the bytes before `place`."""
        del self._held[: max(place - self._start, 0)]
        self._start = max(place, self._start)

    def _unpack(self) -> None:
        piece = self._packed[self._next : self._next + PIECE]
        if not piece:
            self._over, self.problem = True, "it is cut short"
            return
        before = self._unpacker.copy()
        try:
            self._held += self._unpacker.decompress(piece)
        except zlib.error as error:
            self._held += _byte_by_byte(before, piece)
            self._over, self.problem = True, str(error)
            return
        self._next += len(piece)
        if self._unpacker.eof:  # gzip may be several streams, one behind the other
            self._next -= len(self._unpacker.unused_data)
            self._over = self._next >= len(self._packed)
            self._unpacker = zlib.decompressobj(wbits=47)


def _byte_by_byte(unpacker, piece: bytes) -> bytes:
    """Returns what zlib unpacks of a piece before it fails. A call that fails does not return it."""
    parts = []
    with contextlib.suppress(zlib.error):
        for i in range(len(piece)):
            parts.append(unpacker.decompress(piece[i : i + 1]))
    return b"".join(parts)
