"""Writes folders beside their target and exchanges the two.

A target is therefore either the old folder or the new one.
"""

import contextlib
import ctypes
import os
import re
import shutil
from pathlib import Path

import tensorflow as tf

from tf1ref import files
from tf1ref.errors import InputError, one_line

# What a folder of each kind holds. Any other folder is never replaced.
OWN = {
    "saved_model": re.compile(r"saved_model\.pb(txt)?|variables|assets(\.extra)?|fingerprint\.pb|keras_metadata\.pb"),
    "checkpoint": re.compile(r"checkpoint|.+\.(index|meta|data-\d{5}-of-\d{5})"),
}
OWN["objects"] = OWN["checkpoint"]
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # arguments of Linux' renameat2


def target(path, kind, force=False):
    """Returns `path` as a Path to which a file can be written, or a folder for a `kind` in OWN.

    Raises InputError as files.target does, and for a folder that holds anything else.
    """
    path = Path(os.path.normpath(path))
    if kind not in OWN or not os.path.isdir(path):
        if kind in OWN and files.exists(path):
            raise InputError(f"{path}: is a file: a {kind} is a folder; choose another name")
        return files.target(path, force)
    if not force and any(path.iterdir()):
        raise InputError(f"{path}: exists already: choose another name or overwrite it with --force")
    others = sorted(p.name for p in path.iterdir() if not OWN[kind].fullmatch(p.name))
    if others:
        raise InputError(f"{path}: is a folder with other things in it, such as {others[0]}: choose another name")
    files.target(path / "saved_model.pb", force=True)
    return files.target(path.parent / f".{path.name}.{os.getpid()}.part") and path


@contextlib.contextmanager
def replacing(path):
    """Yields a name beside `path` for a folder. When the body ends without an error, the folder replaces `path`.

    After an error the folder is removed and `path` is as it was. Raises InputError when writing fails.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        try:
            _to_disk(beside)
            _put(beside, path)
        except OSError as e:
            raise InputError(f"{path}: cannot be written: {e.strerror or e}") from e
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@contextlib.contextmanager
def writing(path):
    """Turns what TensorFlow's writers raise inside the block into an InputError."""
    try:
        yield
    except OSError as e:
        raise InputError(f"{path}: cannot be written: {e.strerror or e}") from e
    except (tf.errors.OpError, ValueError) as e:
        raise InputError(f"{path}: cannot be written: {one_line(e)}") from e


def size(path):
    """Returns the number of bytes of a file, or of all files in a folder."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(d, name)) for d, _, names in os.walk(path) for name in names)


def _to_disk(folder):
    for where, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(where, name), "rb") as f:
                os.fsync(f.fileno())


def _put(beside, path):
    """Moves `beside` to `path`. The old `path` moves to `beside`, in one step where the file system can do that."""
    if not path.exists():
        os.rename(beside, path)
    elif ctypes.CDLL(None).renameat2(AT_FDCWD, bytes(beside), AT_FDCWD, bytes(path), RENAME_EXCHANGE):
        old = path.with_name(f".{path.name}.{os.getpid()}.old")
        os.rename(path, old)
        os.rename(beside, path)
        shutil.rmtree(old, ignore_errors=True)
