"""Where the real files lie: $TF1REF_DATA, else the user's cache folder, a folder a data set."""

import functools
import os
import sys
from pathlib import Path

from tf1ref.errors import InputError


def cache():
    """Where fetched data sets are kept: $XDG_CACHE_HOME/tf1ref, else ~/.cache/tf1ref. It may not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "tf1ref"


def root():
    """$TF1REF_DATA as a Path, or None when it is unset or empty; InputError when it is no readable folder."""
    value = os.environ.get("TF1REF_DATA")
    return _readable(Path(value), "set TF1REF_DATA to a folder of data sets, or unset it") if value else None


def folder(name):
    """The folder of data set `name`, or None when neither $TF1REF_DATA nor the cache has one.

    Raises InputError when $TF1REF_DATA, or the folder found, is not a folder that can be read.
    """
    for parent in (root(), cache()):
        path = parent and parent / name
        if path and os.path.lexists(path):
            return _readable(path, f"put the {name} files into a folder of that name, or move this away")
    return None


def _readable(path, remedy):
    try:
        os.listdir(path)
    except OSError as error:
        raise InputError(f"{path}: not a folder that can be read ({error.strerror}): {remedy}") from error
    return path


def unreadable(path, error):
    """The InputError for a file the system would not read, from its OSError."""
    return InputError(f"{path}: cannot be read ({error.strerror or error}): check path and permissions")


# Data sets that generated ones have stood in for in this process.
stood_in = set()


@functools.cache  # the memory of what was said: once a process a data set
def stand_in(name, what):
    """Says on standard error, in one line, that `what` is used because data set `name` has no files."""
    stood_in.add(name)
    print(f"{name}: no files in $TF1REF_DATA or {cache() / name}: {what}", file=sys.stderr)
