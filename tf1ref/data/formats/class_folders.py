"""Pictures and labels as people keep them: a folder for each class, or a list of files with their labels.

Labels are counted from 0 in the order of the sorted class names. Unlike os.listdir this is the same on every machine.
"""

import os
from pathlib import Path
from typing import NamedTuple

from tf1ref import files
from tf1ref.data import folders
from tf1ref.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp")
STAND_IN = ("daisy", "dandelion", "roses", "sunflowers", "tulips")


class Pictures(NamedTuple):
    """Files and their labels, in order. classes[label] is the name; `skipped` holds (file, reason) pairs."""

    paths: list
    labels: list
    classes: list
    skipped: list


def read(folder, skip_bad=False):
    """Returns the Pictures of a folder of class folders, sorted by class and file name.

    Hidden files and files whose suffix is not in SUFFIXES do not count as pictures. Raises InputError when
    the folder cannot be read, has fewer than two classes, or holds a class without a picture or an empty file.
    skip_bad: such a class or file is left out and noted in `skipped`; two classes must remain.
    """
    folder = Path(folder)
    pictures = Pictures([], [], [], [])
    for directory in [path for path in _sorted(folder) if path.is_dir()]:
        found = [path for path in _sorted(directory) if path.suffix.lower() in SUFFIXES]
        good = [path for path in found if _usable(path, pictures.skipped, skip_bad)]
        if not good:
            _refuse(directory, f"no picture in it ({' '.join(SUFFIXES)})", pictures.skipped, skip_bad)
            continue
        pictures.paths.extend(good)
        pictures.labels.extend([len(pictures.classes)] * len(good))
        pictures.classes.append(directory.name)
    return _several(folder, pictures, "a folder for each class with its pictures in it")


def read_list(path, skip_bad=False):
    """Returns the Pictures of a list. A line is a picture: its file, then a space, tab or comma, then its label.

    The label is the last word, and the rest may hold spaces. Paths are relative to the list's folder. Empty lines and
    lines that start with # are skipped. Raises InputError with the line's number for a line without a file or a label,
    and for a file that is missing, empty or not a picture by its suffix. Raises it also for fewer than two classes.
    skip_bad: such a line is left out and noted in `skipped`.
    """
    path = Path(path)
    skipped, found = [], []
    for number, line in enumerate(_lines(path), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, label = _split(line)
        where = f"{path}: line {number}"
        file = path.parent / name
        if not name or not label:
            _refuse(where, f"{line!r} is not a file and a label", skipped, skip_bad)
        elif file.suffix.lower() not in SUFFIXES:
            _refuse(where, f"{name} is no picture by its suffix ({' '.join(SUFFIXES)})", skipped, skip_bad)
        elif not os.path.isfile(file):
            _refuse(where, f"label {label} without a file: there is no {file}", skipped, skip_bad)
        elif _usable(file, skipped, skip_bad, where):
            found.append((file, label))
    # Labels that are all numbers are in the order of the numbers: 10 comes after 9.
    numbers = all(label.isdecimal() for _, label in found)
    classes = sorted({label for _, label in found}, key=lambda label: (int(label), label) if numbers else label)
    place = {label: i for i, label in enumerate(classes)}
    pictures = Pictures([file for file, _ in found], [place[label] for _, label in found], classes, skipped)
    return _several(path, pictures, "lines such as `daisy/1.jpg daisy`")


def write_list(path, pictures, force=False):
    """Writes Pictures as a list for `read_list`. Paths are relative to the list's folder where they can be."""
    path = files.target(path, force)
    lines = []
    for file, label in zip(pictures.paths, pictures.labels):
        name = os.path.relpath(file, path.parent) if Path(file).is_relative_to(path.parent) else os.fspath(file)
        lines.append(f"{name}\t{pictures.classes[label]}\n")
    files.write(path, "".join(lines).encode())


def flowers(scratch, count=8, size=48):
    """Returns the Pictures of flower_photos. Without that data set, generated ones of the same classes stand in.

    The stand-in writes `count` pictures of each class, size x size, into the folder `scratch`/flower_photos, and one
    line says so. Each class has petals of its own colour and number, which are turned and shifted by chance.
    """
    folder = folders.folder("flower_photos")
    if folder is None:
        folders.stand_in("flower_photos", "generated flowers stand in (accuracy is not flower_photos')")
        folder = Path(scratch) / "flower_photos"
        if not folder.is_dir():
            _draw(folder, count, size)
    return read(folder)


def _draw(folder, count, size):
    import numpy as np
    from PIL import Image, ImageDraw

    random = np.random.RandomState(1)
    colours = ((250, 250, 245), (245, 210, 40), (200, 30, 60), (240, 170, 20), (190, 60, 180))
    for label, name in enumerate(STAND_IN):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            image = Image.new("RGB", (size, size), tuple(random.randint(20, 90, 3).tolist()))
            pen = ImageDraw.Draw(image)
            middle = size * random.uniform(0.4, 0.6, 2)
            petals, turn, far = 5 + 3 * label, random.uniform(0, 6.28), size * random.uniform(0.2, 0.26)
            for angle in turn + np.arange(petals) * (6.28318 / petals):
                x, y = middle + far * np.array([np.cos(angle), np.sin(angle)])
                wide = size * 0.1
                pen.ellipse((x - wide, y - wide, x + wide, y + wide), colours[label])
            x, y = middle
            wide = size * 0.13
            pen.ellipse((x - wide, y - wide, x + wide, y + wide), (120, 80, 20))
            image.save(folder / name / f"{i:03d}.jpg", quality=90)


def _sorted(folder):
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: not a folder that can be read ({error.strerror}): check the path") from error


def _lines(path):
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a list of files and labels: it is no UTF-8 text") from error
    except OSError as error:
        raise folders.unreadable(path, error) from error


def _split(line):
    """Returns (file, label) of a line. The separator is a comma or tab where the line has one, else the last space."""
    for separator in ("\t", ",", " "):
        if separator in line:
            name, _, label = line.rpartition(separator)
            return name.strip(), label.strip()
    return "", line


def _usable(path, skipped, skip_bad, where=None):
    try:
        size = path.stat().st_size
    except OSError as error:  # such as a link to nowhere
        _refuse(where or path, f"cannot be read ({error.strerror})", skipped, skip_bad)
        return False
    if not size:
        _refuse(where or path, f"{path.name} has 0 bytes" if where else "0 bytes, no picture", skipped, skip_bad)
    return size > 0


def _refuse(where, reason, skipped, skip_bad):
    if not skip_bad:
        raise InputError(f"{where}: {reason}: correct it, or pass over it with --skip-bad")
    skipped.append((str(where), reason))


def _several(where, pictures, wanted):
    if len(pictures.classes) < 2:
        one = f"only one class, {pictures.classes[0]}" if pictures.classes else "no picture and no class"
        raise InputError(f"{where}: {one}: it takes two or more, {wanted}")
    return pictures
