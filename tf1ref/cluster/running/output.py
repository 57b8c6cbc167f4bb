"""Writes for a reader that may not read: a pager, a terminal after Ctrl-S, a stuck connection.

A thread writes, and the job continues. What the reader does not take is left out, and a line says how much that was.
"""

import collections
import os
import threading
import time
from typing import TextIO

# More bytes than this do not wait for the reader: the oldest lines are left out.
WAITING_BYTES = 4 << 20
# At the end the reader has this much time to take anything at all.
IDLE_SECONDS = 2.0
# A pipe takes this much at once or nothing (PIPE_BUF). So after each piece the thread is known to be alive.
PIECE = 4096


class Output:
    """Text for one stream. A stream that is gone ends the writing, not the job."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        try:
            self._descriptor: int | None = stream.fileno()
            stream.flush()
        except (OSError, ValueError, AttributeError):
            self._descriptor = None  # This is an object such as a StringIO, which never blocks.
        self._changed = threading.Condition()
        self._waiting: collections.deque[bytes] = collections.deque()
        self._size = self._left_out = 0
        self._moved = time.monotonic()  # when the reader took something last
        self._gone = self._writing = False
        if self._descriptor is not None:
            threading.Thread(target=self._write_all, daemon=True).start()

    def write(self, lines: list[str]) -> None:
        """Takes `lines`. It returns at once."""
        if self._gone or not lines:
            return
        text = "\n".join(lines) + "\n"
        if self._descriptor is None:
            self._write_here(text)
            return
        data = text.encode(getattr(self._stream, "encoding", None) or "utf-8", "backslashreplace")
        with self._changed:
            self._waiting.append(data)
            self._size += len(data)
            while self._size > WAITING_BYTES and len(self._waiting) > 1:
                oldest = self._waiting.popleft()
                self._size -= len(oldest)
                self._left_out += oldest.count(b"\n")
            self._changed.notify_all()

    def _next(self) -> bytes:
        """Waits for what is to be written next, and returns it. The line on what was left out comes first."""
        with self._changed:
            while not self._waiting:
                self._changed.wait()
            if self._left_out:
                count, self._left_out = self._left_out, 0
                self._writing = True
                return b"... %d lines left out here, which nobody read in time; the logs have them\n" % count
            data = self._waiting.popleft()
            self._size -= len(data)
            self._writing = True
            return data

    def _write_here(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._gone = True

    def _write_all(self) -> None:
        while not self._gone:
            data = self._next()
            try:
                for start in range(0, len(data), PIECE):
                    _write_piece(self._descriptor or 0, data[start : start + PIECE])
                    self._moved = time.monotonic()
            except OSError:
                self._gone = True
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def finish(self) -> None:
        """Waits until the reader has everything, or has taken nothing for IDLE_SECONDS."""
        self._moved = time.monotonic()
        with self._changed:
            while (self._waiting or self._writing) and not self._gone and time.monotonic() - self._moved < IDLE_SECONDS:
                self._changed.wait(0.05)


def _write_piece(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
