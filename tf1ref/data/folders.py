"""Where the real files of a data set are.

`use(DIR)` names a folder that must have them (`tf1ref run --data DIR`). Otherwise $TF1REF_DATA is looked at, then the
user's cache folder. Each has one folder for each data set.
"""

import functools
import os
import sys
from pathlib import Path

from tf1ref.errors import InputError

# What shows that a folder holds a data set: one file that fits one of these patterns.
FILES = {
    "mnist": ("train-images?idx3-ubyte*", "t10k-images?idx3-ubyte*", "mnist.npz"),
    "cifar10": ("data_batch_*", "cifar-10-batches-bin/data_batch_*", "cifar-10-batches-py/data_batch_*"),
    "ptb": ("ptb.train.txt", "simple-examples/data/ptb.train.txt"),
    "flower_photos": ("*/*.jpg", "*/*.jpeg", "*/*.png"),
    "dots": ("dot.csv",),
    "stock": ("SH600519.csv",),
}
# Data sets that this process has asked for, and those of them that generated data stood in for.
asked, stood_in = set(), set()
_named = None


def use(path):
    """Makes `path` the only place where data sets are looked for, in it and in its folders. None undoes this.

    A data set that is not there is then an error, and a generated one does not stand in. Raises InputError when `path`
    is not a folder that can be read.
    """
    global _named
    _named = None if path is None else _readable(Path(path), "name a folder of real data, or leave --data out")


def cache():
    """Returns where fetched data sets are kept: $XDG_CACHE_HOME/tf1ref, else ~/.cache/tf1ref. It may not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "tf1ref"


def root():
    """Returns $TF1REF_DATA as a Path, or None when it is unset or empty.

    Raises InputError when it is not a readable folder.
    """
    value = os.environ.get("TF1REF_DATA")
    return _readable(Path(value), "set TF1REF_DATA to a folder of data sets, or unset it") if value else None


def folder(name):
    """Returns the folder of data set `name`, or None when neither $TF1REF_DATA nor the cache has one.

    Raises InputError when $TF1REF_DATA, or the folder found, is not a folder that can be read, and when the folder that
    `use` named does not have the data set.
    """
    asked.add(name)
    if _named:
        return _in_named(name)
    for parent in (root(), cache()):
        path = parent and parent / name
        if path and os.path.lexists(path):
            return _readable(path, f"put the {name} files into a folder of that name, or move this away")
    return None


def _in_named(name):
    for path in (_named / name, _named):
        if path.is_dir() and any(file for pattern in FILES[name] for file in _readable(path, "").glob(pattern)):
            return path
    wanted = " or ".join(FILES[name])
    raise InputError(
        f"--data {_named}: no {name} there: looked for {wanted} in it and in {_named / name}: name the folder that has "
        "the files, or leave --data out"
    )


def _readable(path, remedy):
    try:
        os.listdir(path)
    except OSError as error:
        raise InputError(f"{path}: not a folder that can be read ({error.strerror}): {remedy}") from error
    return path


def unreadable(path, error):
    """Returns the InputError for a file that cannot be read, from the OSError that reading it raised."""
    return InputError(f"{path}: cannot be read ({error.strerror or error}): check path and permissions")


@functools.cache  # so that a process says it once for each data set
def stand_in(name, what):
    """Says on standard error, in one line, that `what` is used because data set `name` has no files."""
    stood_in.add(name)
    print(f"{name}: no files in $TF1REF_DATA or {cache() / name}: {what}", file=sys.stderr)
