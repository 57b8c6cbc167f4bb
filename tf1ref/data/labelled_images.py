"""A folder of picture files, and a text with a line `name label` for each picture, as one pair of arrays."""

import hashlib
import io
import os
from pathlib import Path

import numpy as np

from tf1ref import files
from tf1ref.data import folders, pictures
from tf1ref.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


def read(folder, text, classes=10, side=28):
    """(pictures, labels) in the text's order: uint8 (n, side, side) in grey, and int64 (n,) from 0 to classes - 1.

    Names are relative to `folder`. Empty lines are skipped. Raises InputError, with file and line, for a line that is
    not `name label`, for a name that comes twice, and for a label without a file. Raises it also for a file without a
    label, and for a picture that cannot be read or has another size.
    """
    there = {path.relative_to(folder).as_posix() for path in _files(folder)}
    found, images, labels = {}, [], []
    for number, line in _lines(text):
        where = f"{text}: line {number}"
        name, label = _name_and_label(where, line, classes)
        if name in found:
            raise InputError(f"{where}: {name} has a label already, in line {found[name]}: keep one of them")
        if name not in there:
            raise InputError(f"{where}: there is no picture {name} in {folder}: add the file or remove the line")
        found[name] = number
        images.append(_image(where, Path(folder) / name, side))
        labels.append(label)
    unnamed = sorted(there - set(found))
    if unnamed:
        more = f" (and {len(unnamed) - 1} more)" if len(unnamed) > 1 else ""
        raise InputError(f"{Path(folder) / unnamed[0]}: has no line in {text}{more}: label it or move it away")
    if not images:
        raise InputError(f"{text}: labels no picture: write a line `name label` for each")
    return np.stack(images), np.array(labels, np.int64)


def load(folder, text, saved, classes=10, side=28):
    """Returns what `read` returns, and keeps it in `saved`_x.npy and `saved`_y.npy, which are read the next time.

    `saved`_made_of.txt holds a hash of what they were made of. They are made anew when a picture or the text has
    changed since. The source would go on with the old ones. Raises InputError where `read` does, and for a .npy file
    that does not hold such an array.
    """
    paths, mark = [Path(f"{saved}_{name}.npy") for name in "xy"], Path(f"{saved}_made_of.txt")
    made_of = _state(folder, text)
    if not all(path.exists() for path in [*paths, mark]) or mark.read_bytes() != made_of:
        for path, array in zip(paths, read(folder, text, classes, side)):
            content = io.BytesIO()
            np.save(content, array)
            files.write(path, content.getvalue())
        files.write(mark, made_of)
    x, y = (_array(path) for path in paths)
    if x.dtype != np.uint8 or x.shape[1:] != (side, side) or y.dtype != np.int64 or y.shape != x.shape[:1]:
        raise InputError(f"{paths[0]}: not pictures of {side} x {side} with labels: remove it to have it made anew")
    return x, y


def _files(folder):
    """Returns the picture files of a folder and of the folders in it."""
    if not os.path.isdir(folder):
        raise InputError(f"{folder}: no such folder: name the folder of the pictures")
    return [path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES and path.name[0] != "."]


def _lines(text):
    """Yields (line number, line) for the lines of a text that are not empty."""
    try:
        with open(text, encoding="utf-8-sig") as file:
            lines = file.read().splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{text}: not a UTF-8 text ({error.reason}): write a line `name label` a picture") from error
    except OSError as error:
        raise folders.unreadable(text, error) from error
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _name_and_label(where, line, classes):
    words = line.split()
    if len(words) != 2:
        raise InputError(f"{where}: {line[:60]!r} is not `name label`: write the two with a space between them")
    name, label = words
    if not (label.isascii() and label.isdigit() and len(label) < 10 and int(label) < classes):
        raise InputError(f"{where}: the label {label[:60]!r} is not a number from 0 to {classes - 1}: correct it")
    return name, int(label)


def _image(where, path, side):
    try:
        image = pictures.grey(path)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    if image.shape != (side, side):
        height, width = image.shape
        raise InputError(f"{where}: {path} is {width} x {height} pixels, expected {side} x {side}: resize it")
    return image


def _state(folder, text):
    """Returns a hash of where the pictures and the text are, how long they are, and when they last changed."""
    paths = [Path(text), *sorted(_files(folder))]
    if not paths[0].is_file():
        raise InputError(f"{text}: no such file: write a line `name label` a picture")
    stats = ((str(path.absolute()), os.stat(path)) for path in paths)
    lines = "".join(f"{name} {stat.st_size} {stat.st_mtime_ns}\n" for name, stat in stats)
    return hashlib.sha256(os.fsencode(lines)).hexdigest().encode()


def _array(path):
    try:
        return np.load(path, allow_pickle=False)
    except OSError as error:
        raise folders.unreadable(path, error) from error
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: not a .npy file: remove it to have it made anew") from error
