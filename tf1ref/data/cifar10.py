"""CIFAR-10: colour pictures of 32 x 32 in ten classes, from binary files, pickled batches, or generated.

The binary layout is the one of the data set's home page: a record is a label byte, then 1024 bytes each of red,
green and blue, row by row.
"""

import functools
from pathlib import Path

import numpy as np

from tf1ref import files
from tf1ref.data import folders
from tf1ref.data.formats import cifar10_pickles
from tf1ref.errors import InputError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
CHANNELS = 3
PIXELS = SIDE * SIDE * CHANNELS
RECORD = 1 + PIXELS  # bytes
FETCH = "fetch the files with `tf1ref data fetch cifar10`"

# The stand-in: one training file's pictures, and fewer for the test.
TRAIN_EXAMPLES, TEST_EXAMPLES = 10_000, 2000
TILE = 8  # pixels of one colour in a class's pattern
GRID = 6  # tiles along each side of a pattern; a picture is a window of 4 x 4 of them
STRENGTH = (0.15, 0.6)  # how strong a pattern is in its pictures, from 0 to 1
NOISE = 60  # grey levels at most, both ways
BETWEEN = 0.4  # share of pictures that are partly of another class's pattern ...
NEAREST = 0.6  # ... at most this much


def load():
    """Returns (train images, train labels, test images, test labels): uint8 (n, 32, 32, 3) and uint8 (n,).

    The files are in folder("cifar10"). The .bin files come first, there or in its cifar-10-batches-bin. Otherwise the
    pickled batches are read, there or in its cifar-10-batches-py: those of data_batch_1 to 5 that exist, and
    test_batch. Without any file 10,000 and 2000 generated pictures stand in, and one line on standard error says so.
    Raises InputError for files that cannot be used.
    """
    binary, pickled = _found()
    if not (binary or pickled):
        folders.stand_in("cifar10", "generated pictures stand in (precision is not CIFAR-10's)")
        return (*generate(TRAIN_EXAMPLES, seed=1), *generate(TEST_EXAMPLES, seed=2))
    read = read_binary if binary else read_pickled
    *training, test = (read(path) for path in binary or pickled)
    return (*(np.concatenate(arrays) for arrays in zip(*training)), *test)


def binary_files(scratch):
    """Returns (training files, test file) in the binary layout, for readers of records. Paths are text.

    Real binary files stay where they are, and every record is checked. Pickled or generated pictures are first written
    into the folder `scratch`. Raises InputError for files that cannot be used.
    """
    binary = _found()[0]
    if binary:
        for path in binary:
            read_binary(path)
        return [str(path) for path in binary[:-1]], str(binary[-1])
    train_images, train_labels, test_images, test_labels = load()
    train, test = Path(scratch, "data_batch_1.bin"), Path(scratch, "test_batch.bin")
    write_binary(train, train_images, train_labels)
    write_binary(test, test_images, test_labels)
    return [str(train)], str(test)


def read_binary(path):
    """Returns (images, labels) of a .bin file: uint8 (n, 32, 32, 3) and uint8 (n,).

    Raises InputError when the file cannot be read, is empty or cut short, or has a label above 9.
    """
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise folders.unreadable(path, error) from error
    if not content.size or content.size % RECORD:
        whole, rest = divmod(content.size, RECORD)
        raise InputError(
            f"{path}: {content.size} bytes, {whole} records of {RECORD} and {rest} bytes more, expected whole "
            f"records: {FETCH}"
        )
    records = content.reshape(-1, RECORD)
    _check_labels(path, records[:, 0])
    return _images(records[:, 1:]), records[:, 0]


def read_pickled(path):
    """Returns (images, labels) of a python batch, as of a .bin file. What the pickle would call is not called.

    Raises InputError when the file cannot be read, is not a batch, calls anything, or has a label above 9.
    """
    data, labels = cifar10_pickles.read(path, PIXELS)
    _check_labels(path, labels)
    return _images(data), labels.astype(np.uint8)


def write_binary(path, images, labels):
    """Writes uint8 (n, 32, 32, 3) and n labels from 0 to 9 as records. When this fails, the file is as it was.

    Raises InputError for other shapes, types or labels, and when writing fails.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8 or images.shape != (len(labels), SIDE, SIDE, CHANNELS):
        raise InputError(f"{path}: {images.dtype} {images.shape} for {len(labels)} labels: give uint8 (n, 32, 32, 3)")
    _check_labels(path, labels)
    planes = images.transpose(0, 3, 1, 2).reshape(len(labels), PIXELS)
    files.write(path, np.hstack([labels[:, None].astype(np.uint8), planes]).tobytes())


@functools.lru_cache(maxsize=2)
def generate(count, seed):
    """Returns `count` generated (images, labels), read-only: uint8 (count, 32, 32, 3) and uint8 (count,)."""
    random = np.random.Generator(np.random.PCG64(seed))
    patterns = np.random.Generator(np.random.PCG64(0)).integers(-127, 128, (10, GRID, GRID, CHANNELS))
    patterns = patterns.repeat(TILE, 1).repeat(TILE, 2).astype(np.float32)
    labels = random.integers(0, 10, count, dtype=np.uint8)
    images = np.empty((count, SIDE, SIDE, CHANNELS), np.uint8)
    for start in range(0, count, 1000):
        images[start : start + 1000] = _pictures(random, patterns, labels[start : start + 1000])
    images.flags.writeable = labels.flags.writeable = False  # shared by every caller
    return images, labels


def _pictures(random, patterns, labels):
    n = len(labels)
    down, right = random.integers(0, GRID * TILE - SIDE + 1, (2, n, 1))
    rows, columns = down + np.arange(SIDE), right + np.arange(SIDE)
    mirrored = random.random((n, 1)) < 0.5
    columns = np.where(mirrored, columns[:, ::-1], columns)
    other = (labels + random.integers(1, 10, n)) % 10
    own, foreign = (patterns[c[:, None, None], rows[:, :, None], columns[:, None, :]] for c in (labels, other))
    share = np.where(random.random(n) < BETWEEN, NEAREST * random.random(n), 0)[:, None, None, None]
    low, high = STRENGTH
    strength = (low + (high - low) * random.random(n))[:, None, None, None]
    noise = random.integers(-NOISE, NOISE + 1, own.shape)
    return np.clip(128 + strength * (own + share * (foreign - own)) + noise, 0, 255).astype(np.uint8)


def _images(planes):
    return planes.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)


def _check_labels(path, labels):
    wrong = np.flatnonzero((labels < 0) | (labels > 9))
    if wrong.size:
        raise InputError(f"{path}: record {wrong[0]} (from 0): label {labels[wrong[0]]}, expected 0 to 9: {FETCH}")


def _found():
    """Returns (binary files, pickled files), with the test file last.

    Either list is empty when its files are missing.
    """
    folder = folders.folder("cifar10")
    if not folder:
        return [], []
    binary = _batches(folder, "cifar-10-batches-bin", ".bin")
    return binary, [] if binary else _batches(folder, "cifar-10-batches-py", "")


def _batches(folder, inner, suffix):
    for place in (folder, folder / inner):
        training = [place / f"data_batch_{i}{suffix}" for i in range(1, 6)]
        training = [path for path in training if path.exists()]
        test = place / f"test_batch{suffix}"
        if training and test.exists():
            return [*training, test]
        if training or test.exists():
            lacks = test.name if training else f"data_batch_1{suffix}"
            raise InputError(f"{place}: lacks {lacks}: {FETCH}")
    return []
