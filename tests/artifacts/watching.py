"""What the kernel sees of a folder: names that were opened, listed or made in it, by whatever code."""

import ctypes
import os
import struct

OPENED, MADE = 0x20, 0x100  # of Linux' inotify: IN_OPEN, IN_CREATE
HEAD = 16  # bytes of an event before its name


class Watch:
    """Watches a folder with inotify, which sees C++ as well as Python."""

    def __init__(self, folder):
        libc = ctypes.CDLL(None)
        self.file = libc.inotify_init1(os.O_NONBLOCK)
        assert self.file >= 0 and libc.inotify_add_watch(self.file, os.fsencode(folder), OPENED | MADE) >= 0

    def seen(self):
        """Returns the names since it was last asked, "" for the folder itself."""
        try:
            data, names = os.read(self.file, 1 << 16), []
        except BlockingIOError:
            return []
        while data:
            length = struct.unpack_from("iIII", data)[3]
            names.append(data[HEAD : HEAD + length].rstrip(b"\0").decode())
            data = data[HEAD + length :]
        return names

    def close(self):
        """Ends the watch."""
        os.close(self.file)
