"""A terminal to write to, and what was written to it."""

import contextlib
import os
import pty

import pytest


@pytest.fixture
def terminal():
    """Returns (file descriptor of a new terminal, a function that closes it and returns what was written to it)."""
    master, slave = pty.openpty()

    def written():
        os.close(slave)
        parts = []
        with contextlib.suppress(OSError):  # Linux says EIO when the other end is closed and all is read
            while part := os.read(master, 65536):
                parts.append(part)
        os.close(master)
        return b"".join(parts).decode()

    return slave, written
