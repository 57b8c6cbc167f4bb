"""Dots: 300 points of a plane, red (1) inside a circle and blue (0) outside. Source: S4, lines 1743-2060."""

import csv

import numpy as np

from tf1ref.data import folders
from tf1ref.errors import InputError

COLUMNS = ("x1", "x2", "y_c")
FEWEST = 32  # one batch of the source's


def load():
    """Returns (x, y): float64 (n, 2) and (n, 1), n = 300. y is 1 where x1^2 + x2^2 < 2, else 0.

    They come from dot.csv in folder("dots"). Without it the points are generated, and one line on standard error says
    so. Raises InputError when the file cannot be read or does not hold numbers under x1, x2, y_c.
    """
    folder = folders.folder("dots")
    if folder and (folder / "dot.csv").exists():
        return read(folder / "dot.csv")
    folders.stand_in("dots", "300 generated points stand in")
    return generate()


def generate():
    """Returns (x, y) as load() gives them: RandomState(2), the numbers of the source's file before it was rounded.

    >>> x, y = generate()
    >>> x.shape, y.shape
    ((300, 2), (300, 1))
    """
    x = np.random.RandomState(2).randn(300, 2)
    return x, (np.square(x).sum(1, keepdims=True) < 2).astype(np.float64)


def read(path):
    """Returns (x, y), float64 (n, 2) and (n, 1), of a csv file with the columns x1, x2, y_c in any order.

    Raises InputError for a missing column, a field that is no finite number (both name the line), and fewer
    than 32 rows.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:  # -sig: spreadsheets put a mark before x1
            rows = np.array(list(_rows(path, csv.DictReader(file))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a csv text file ({error}): export it as UTF-8 csv") from error
    except OSError as error:
        raise folders.unreadable(path, error) from error
    if len(rows) < FEWEST:
        raise InputError(f"{path}: {len(rows)} rows, expected {FEWEST} or more: use the whole file")
    return rows[:, :2], rows[:, 2:]


def _rows(path, lines):
    missing = [name for name in COLUMNS if name not in (lines.fieldnames or ())]
    if missing:
        raise InputError(
            f"{path}: line 1: no column {', '.join(missing)}, expected {','.join(COLUMNS)}: add the header line"
        )
    for row in lines:
        yield [_number(path, lines.line_num, name, row[name]) for name in COLUMNS]


def _number(path, line, column, text):
    try:
        value = float(text)
        if np.isfinite(value):
            return value
    except (TypeError, ValueError):  # TypeError: None, where the row ends early
        pass
    raise InputError(f"{path}: line {line}: {column} is {text!r}, expected a number: correct the line")
