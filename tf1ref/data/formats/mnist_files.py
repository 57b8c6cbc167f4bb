"""The MNIST files on disk: the four official idx files, plain or .gz, or Keras' mnist.npz."""

import functools
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from tf1ref.data import folders
from tf1ref.data.formats.idx import read_idx
from tf1ref.errors import InputError

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
NPZ = ("x_train", "y_train", "x_test", "y_test")
KERAS = "use the mnist.npz of Keras"
FETCH = "fetch the four files with `tf1ref data fetch mnist`"


@functools.lru_cache(maxsize=2)  # an entry takes 55 MB; the next read_data_sets of the process then costs nothing
def read(folder):
    """Returns (train images, train labels, test images, test labels) of `folder`, or None when it holds no MNIST file.

    Images are uint8 (n, 28, 28), labels uint8 (n,). They are read-only and kept in memory by the folder's path. The idx
    files come first, then mnist.npz. Raises InputError when files are missing or damaged, and for files that are not
    MNIST.
    """
    found = [_find(Path(folder), name) for name in IDX]
    archive = Path(folder) / "mnist.npz"
    if all(found):
        names, arrays = found, [_idx(path, axes) for path, axes in zip(found, (3, 1, 3, 1))]
    elif os.path.lexists(archive):
        names, arrays = [f"{archive}[{name}]" for name in NPZ], _npz(archive)
    elif any(found):
        missing = ", ".join(name for name, path in zip(IDX, found) if not path)
        raise InputError(f"{folder}: lacks {missing} (.gz or plain): {FETCH}")
    else:
        return None
    _check(names[:2], *arrays[:2])
    _check(names[2:], *arrays[2:])
    for array in arrays:
        array.flags.writeable = False
    return tuple(arrays)


def _find(folder, name):
    """Returns the file of that official name, or None. Some unpackers write a dot before idx."""
    dotted = name.replace("-idx", ".idx")
    spellings = (name, name + ".gz", dotted, dotted + ".gz")
    return next((folder / spelling for spelling in spellings if os.path.lexists(folder / spelling)), None)


def _idx(path, axes):
    array = read_idx(path)
    if array.ndim != axes or array.dtype != np.uint8:
        raise InputError(
            f"{path}: magic number of {array.ndim} axes of {array.dtype}, expected "
            f"{2048 + axes} ({axes} axes of uint8): {FETCH}"
        )
    return array


def _npz(path):
    """Returns the four arrays of Keras' layout; np.load without pickle, so that no code in the file can run."""
    try:
        with open(path, "rb") as file:
            if file.read(2) != b"PK":  # np.load would take anything else for a pickle or a single array
                raise ValueError("not a zip file")
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in NPZ if name not in archive]
            if missing:
                raise InputError(f"{path}: no array {', '.join(missing)}, expected {', '.join(NPZ)}: {KERAS}")
            return [archive[name] for name in NPZ]
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: no .npz of plain arrays, or damaged ({error}): {KERAS}") from error
    except OSError as error:
        raise folders.unreadable(path, error) from error


def _check(names, images, labels):
    """Raises InputError unless these are pictures of 28 x 28 bytes and as many labels from 0 to 9."""
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28) or not len(images):
        raise InputError(f"{names[0]}: {_kind(images)}, expected n x 28 x 28 uint8: {FETCH}")
    if labels.dtype != np.uint8 or labels.ndim != 1:
        raise InputError(f"{names[1]}: {_kind(labels)}, expected n uint8: {FETCH}")
    if len(images) != len(labels):
        raise InputError(f"{names[1]}: {len(labels)} labels for {len(images)} pictures: {FETCH}")
    if labels.max() > 9:
        raise InputError(f"{names[1]}: label {labels.max()} at {labels.argmax()}, expected 0 to 9: {FETCH}")


def _kind(array):
    return f"{' x '.join(map(str, array.shape)) or 'one number'} {array.dtype}"
