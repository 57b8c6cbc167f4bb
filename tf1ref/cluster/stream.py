"""The logs of all tasks as one stream of prefixed lines."""

import os

from tf1ref.errors import InputError

# A task may write faster than a terminal shows: past this many bytes behind, the stream leaves out the
# middle.
BEHIND = 4 << 20
PIECE = 1 << 20
# A line that does not end is shown in pieces of this size.
LONGEST = 1 << 16
COLOURS = ("36", "32", "33", "35", "34", "96", "92", "93", "95", "94")  # ANSI foreground colours, no red


class Stream:
    """Writes "[worker 0] line" to `out`; in colour, one a task, when that is a terminal."""

    def __init__(self, out):
        self._out = out
        self._colour = out.isatty() and "NO_COLOR" not in os.environ
        self._colours = {}

    def write(self, name, lines):
        """Writes `lines`. A terminal that is gone ends the stream, not the job: the logs have everything."""
        if self._out is None or not lines:
            return
        prefix = f"[{name}]"
        if self._colour:
            colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            prefix = f"\033[{colour}m{prefix}\033[0m"
        try:
            print(*(f"{prefix} {line}" for line in lines), sep="\n", file=self._out, flush=True)
        except (OSError, ValueError):
            self._out = None


class Tail:
    """Follows one growing log file from where it ends now."""

    def __init__(self, path):
        try:
            self._file = open(path, "ab+")  # noqa: SIM115 - open as long as the job runs
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; give --log-dir another folder") from None
        self._file.seek(0, os.SEEK_END)
        self.start = self._file.tell()
        self._partial = b""

    def lines(self, last=False):
        """Returns the new complete lines; with `last`, the unfinished one too."""
        size = os.fstat(self._file.fileno()).st_size
        left_out = size - self._file.tell() - BEHIND
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

    def last_lines(self, count):
        """Returns the last `count` lines the task has written in this run."""
        size = os.fstat(self._file.fileno()).st_size
        self._file.seek(max(self.start, size - LONGEST))
        return [_shown(line) for line in self._file.read().rstrip(b"\n").split(b"\n")[-count:] if line]

    def close(self):
        """Closes the file."""
        self._file.close()


def _shown(line):
    # A progress bar rewrites its line with carriage returns: its last state is the line.
    return line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]
