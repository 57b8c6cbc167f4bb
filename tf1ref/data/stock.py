"""Stock: the daily opening prices of one share (SH600519, 2426 trading days). Source: S4, lines 5868-6480."""

import csv

import numpy as np

from tf1ref.data import folders
from tf1ref.errors import InputError

FILE = "SH600519.csv"
DAYS = 2426
COLUMN = "open"
FEWEST = 300 + 60 + 1  # the source tests on 300 days, and takes 60 prices for one answer


def load():
    """Returns opening prices in file order, oldest first, float64 (n,). The source's file has n = 2426.

    They come from SH600519.csv in folder("stock"). Without it the prices are generated, and one line on standard error
    says so. Raises InputError when the file cannot be read or does not hold numbers under "open".
    """
    folder = folders.folder("stock")
    if folder and (folder / FILE).exists():
        return read(folder / FILE)
    folders.stand_in("stock", f"{DAYS} generated prices stand in (errors are not the share's)")
    return generate()


def generate():
    """Returns prices as load() does: a random walk from 88.7 to 1250, as the share's, with 2 % a day."""
    walk = np.cumsum(np.random.RandomState(5).randn(DAYS - 1) * 0.02)
    days = np.arange(DAYS) / (DAYS - 1)
    bridge = np.concatenate([[0], walk]) - days * walk[-1]
    return np.round(88.7 * np.exp(bridge + days * np.log(1250 / 88.7)), 3)


def read(path):
    """Returns prices, float64 (n,), of a csv file with a column "open". Other columns are passed over.

    Raises InputError for a missing column, a price that is not a positive number (both name the line), and for fewer
    than 361 rows.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:  # -sig: spreadsheets put a mark first
            prices = list(_prices(path, csv.DictReader(file)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a csv text file ({error}): export it as UTF-8 csv") from error
    except OSError as error:
        raise folders.unreadable(path, error) from error
    if len(prices) < FEWEST:
        raise InputError(f"{path}: {len(prices)} rows, expected {FEWEST} or more: use the whole file")
    return np.array(prices)


def _prices(path, lines):
    if COLUMN not in (lines.fieldnames or ()):
        raise InputError(f"{path}: line 1: no column {COLUMN}, expected date,open,close,...: add the header line")
    for row in lines:
        yield _price(path, lines.line_num, row[COLUMN])


def _price(path, line, text):
    try:
        value = float(text)
        if np.isfinite(value) and value > 0:
            return value
    except (TypeError, ValueError):  # TypeError: None, where the row ends early
        pass
    raise InputError(f"{path}: line {line}: {COLUMN} is {text!r}, expected a positive number: correct the line")
