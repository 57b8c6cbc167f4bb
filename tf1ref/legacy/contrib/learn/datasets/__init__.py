"""tf.contrib.learn.datasets: iris and MNIST as contrib returned them, and readers of csv. Nothing is downloaded."""

import collections
import csv

import numpy as np

from tf1ref.data import iris
from tf1ref.errors import InputError
from tf1ref.legacy.examples.tutorials.mnist import input_data as mnist

Dataset = collections.namedtuple("Dataset", ["data", "target"])
Datasets = mnist.Datasets


def load_iris(data_path=None):
    """Returns Dataset(data float64 [150, 4], target int64 [150]). data_path: a csv with a header of the same form."""
    if data_path:
        return load_csv_with_header(data_path, target_dtype=np.int64, features_dtype=np.float64)
    data, target = iris.load()
    return Dataset(np.asarray(data, np.float64), np.asarray(target, np.int64))


def load_mnist(train_dir="MNIST-data"):
    """Returns Datasets(train, validation, test) with labels [n]."""
    return mnist.read_data_sets(train_dir)


def load_dataset(name, size="small", test_with_fake_data=False):
    """Returns the data set of that name: "iris" or "mnist". Raises ValueError for another name."""
    del size, test_with_fake_data
    known = {"iris": load_iris, "mnist": load_mnist}
    if name not in known:
        raise ValueError(f"Name of dataset is not found: {name}; there are {', '.join(known)}")
    return known[name]()


def load_csv_with_header(filename, target_dtype, features_dtype, target_column=-1):
    """Reads a csv whose first line begins with the numbers of rows and of columns. Returns a Dataset.

    Raises InputError, with file and line, for rows that are missing or do not hold such numbers.
    """
    rows = _rows(filename)
    try:
        samples, features = int(rows[0][0]), int(rows[0][1])
    except (IndexError, ValueError) as e:
        raise InputError(f"{filename}:1: expected the numbers of rows and of columns first") from e
    if len(rows) - 1 < samples:
        raise InputError(f"{filename}: {len(rows) - 1} rows, its first line promises {samples}")
    found = _parsed(filename, rows[1 : samples + 1], 2, target_dtype, features_dtype, target_column)
    if found.data.shape[1] != features:
        raise InputError(f"{filename}: {found.data.shape[1]} columns of features, its first line promises {features}")
    return found


def load_csv_without_header(filename, target_dtype, features_dtype, target_column=-1):
    """Reads a csv that holds only numbers. Returns a Dataset. Raises InputError with file and line."""
    return _parsed(filename, _rows(filename), 1, target_dtype, features_dtype, target_column)


def _rows(filename):
    try:
        with open(filename, newline="") as file:
            return [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise InputError(f"{filename}: cannot be read: {e}") from e


def _parsed(filename, rows, first, target_dtype, features_dtype, target_column):
    data, target = [], []
    for number, row in enumerate(rows, first):
        row = list(row)
        try:
            target.append(np.asarray(row.pop(target_column), dtype=target_dtype))
            data.append(np.asarray(row, dtype=features_dtype))
        except (ValueError, IndexError) as e:
            raise InputError(f"{filename}:{number}: {e}") from e
        if len(data[-1]) != len(data[0]):
            raise InputError(f"{filename}:{number}: {len(data[-1])} features, the first row has {len(data[0])}")
    return Dataset(np.array(data), np.array(target, dtype=target_dtype))
