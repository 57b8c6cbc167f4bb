"""The log of one task: its new lines as they come, its last ones, and its size."""

import contextlib
import os
import pathlib
import shutil

from tf1ref.errors import InputError

# A task may write faster than a terminal shows. When it is this many bytes ahead, the middle is left out.
BEHIND = 4 << 20
PIECE = 1 << 20
# A line that does not end is shown in pieces of this size.
LONGEST = 1 << 16
MEGABYTE = 1 << 20


class Tail:
    """Follows one growing log file from where it ends now."""

    def __init__(self, path: pathlib.Path):
        try:
            self._file = open(path, "ab+")  # noqa: SIM115 - open as long as the job runs
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; give --log-dir another folder") from None
        self._path = path
        self._file.seek(0, os.SEEK_END)
        self.start = self._file.tell()
        self._partial = b""

    @property
    def size(self) -> int:
        """Returns the number of bytes in the file now."""
        return os.fstat(self._file.fileno()).st_size

    def lines(self, last: bool = False) -> list[str]:
        """Returns the new complete lines. With `last` the unfinished line is among them."""
        left_out = self.size - self._file.tell() - BEHIND
        if left_out > 0:
            self._file.seek(left_out, os.SEEK_CUR)
            note = b"... %d bytes left out here; the log has them" % left_out
            self._partial = b""
        data = self._partial + self._file.read(-1 if last else PIECE)
        *lines, self._partial = data.split(b"\n")
        if self._partial and (last or len(self._partial) > LONGEST):
            lines.append(self._partial)
            self._partial = b""
        return [_shown(line) for line in ([note] if left_out > 0 else []) + lines]

    def last_lines(self, count: int) -> list[str]:
        """Returns the last `count` lines the task has written in this run."""
        self._file.seek(max(self.start, self.size - LONGEST))
        return [_shown(line) for line in self._file.read().rstrip(b"\n").split(b"\n")[-count:] if line]

    def rotate(self, megabytes: float) -> bool:
        """Moves what the log holds to LOG.1 where it is larger than `megabytes`. Returns True when it did.

        The task continues to write to the same file, which is emptied. What it writes between the copy and the emptying
        is lost. When the disk is full, the log stays as it is.
        """
        if self.size <= megabytes * MEGABYTE:
            return False
        with contextlib.suppress(OSError):
            shutil.copyfile(self._path, f"{self._path}.1")
            os.truncate(self._path, 0)
            self._file.seek(0)
            self.start = 0
            return True
        return False

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _shown(line: bytes) -> str:
    # A progress bar rewrites its line with carriage returns. Its last state counts as the line.
    return line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]
