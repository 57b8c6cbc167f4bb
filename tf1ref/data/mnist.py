"""MNIST as TF1's tutorials met it: `read_data_sets` and data sets that hand out shuffled batches.

TF1's contract is contrib/learn/python/learn/datasets/mnist.py: the first 5000 training pictures are the
validation set, and with a seed the training batches are TF1's own. Two things differ. A data set has its own random
state; TF1 reseeds NumPy's global one. A data set shuffles an index; TF1 copies 172 MB of pictures in every epoch. So
`images` and `labels` stay in file order here.
"""

import collections
import functools

import numpy as np

from tf1ref.data import digits, folders
from tf1ref.data.formats import mnist_files
from tf1ref.data.formats.idx import read_idx, write_idx
from tf1ref.errors import InputError

__all__ = ["DataSet", "Datasets", "read_data_sets", "read_idx", "write_idx"]  # the last two: the format

Datasets = collections.namedtuple("Datasets", "train validation test")


class DataSet:
    """Pictures and labels, and the batches cut from them.

    `pixels`: uint8 (n, 28, 28). `labels`: (n,) uint8, or (n, 10) float64 with one_hot. `source`: "files" or
    "generated". `images` and the pictures of a batch are (n, 784), or (n, 28, 28, 1) without `reshape`. They are
    float32 from 0 to 1, or uint8 from 0 to 255. Raises TypeError for another dtype, as TF1 did.
    """

    def __init__(self, pixels, labels, source, dtype=np.float32, reshape=True, seed=None):
        self._dtype = np.dtype(getattr(dtype, "as_numpy_dtype", dtype))  # tf.uint8 is as good as np.uint8
        if self._dtype not in (np.uint8, np.float32):
            raise TypeError(f"Invalid image dtype {self._dtype}, expected uint8 or float32")
        self._pixels = pixels.reshape((-1, 784) if reshape else (-1, 28, 28, 1))
        self.labels = labels
        self.source = source
        self.num_examples = len(labels)
        self.epochs_completed = 0
        self._random = np.random.RandomState(seed)
        self._order = np.arange(self.num_examples)
        self._next = 0

    @functools.cached_property
    def images(self):
        """All pictures in file order; read-only, since the batches are cut from the bytes behind them."""
        images = self._scaled(self._pixels[:])
        images.flags.writeable = False
        return images

    def next_batch(self, batch_size, fake_data=False, shuffle=True):
        """Returns the next `batch_size` pictures and labels, as new arrays.

        The pictures are shuffled before the first batch and after every epoch. A batch that reaches past the end of an
        epoch takes the rest of it and goes on in the next. `fake_data` keeps its place in TF1's signature, because
        tutorials pass it by position. Raises InputError when it is true, for a batch size below 1, and when the data
        set is empty.
        """
        if fake_data:
            raise InputError("next_batch: no fake_data here: leave it out, generated digits stand in")
        if batch_size < 1 or not self.num_examples:
            raise InputError(
                f"next_batch: {batch_size} examples asked for, {self.num_examples} here: ask "
                "for 1 or more, and give a validation set in use a validation_size above 0"
            )
        if shuffle and self.epochs_completed == 0 and self._next == 0:
            self._shuffle()
        parts = []
        while self._next + batch_size > self.num_examples:
            parts.append(self._order[self._next :])
            batch_size -= len(parts[-1])
            self.epochs_completed += 1
            self._next = 0
            if shuffle:
                self._shuffle()
        parts.append(self._order[self._next : self._next + batch_size])
        self._next += batch_size
        picked = np.concatenate(parts)
        return self._scaled(self._pixels[picked]), self.labels[picked]

    def _shuffle(self):
        # TF1 permutes the pictures it has already permuted; a fresh permutation would not give its batches.
        permutation = np.arange(self.num_examples)
        self._random.shuffle(permutation)
        self._order = self._order[permutation]

    def _scaled(self, pixels):
        if self._dtype == np.uint8:
            return pixels
        return np.multiply(pixels, np.float32(1.0 / 255.0), dtype=np.float32)


def read_data_sets(one_hot=False, dtype=np.float32, reshape=True, validation_size=5000, seed=None, where=None):
    """Returns MNIST as Datasets(train, validation, test): 55,000, 5000 and 10,000 examples of the official files.

    Reads the folder `where`, else folder("mnist") of $TF1REF_DATA or the cache. Without files there, as many generated
    digits stand in, and one line on standard error says so. `dtype`, `reshape`: see DataSet. `seed` fixes the batches
    of all three. Raises InputError for files that are not MNIST, and for a `validation_size` that is negative or leaves
    nothing to train on.
    """
    path = where or folders.folder("mnist")
    arrays = mnist_files.read(str(path)) if path else None
    source = "files" if arrays else "generated"
    if not arrays:
        folders.stand_in("mnist", "generated digits stand in (accuracy is not MNIST's)")
        arrays = digits.load()
    images, labels, test_images, test_labels = arrays
    if not 0 <= validation_size < len(images):
        raise InputError(
            f"validation_size is {validation_size}, there are {len(images)} training pictures: "
            f"choose from 0 to {len(images) - 1}"
        )

    def data_set(images, labels):
        labels = np.eye(10)[labels] if one_hot else labels.copy()
        return DataSet(images, labels, source, dtype, reshape, seed)

    return Datasets(
        data_set(images[validation_size:], labels[validation_size:]),
        data_set(images[:validation_size], labels[:validation_size]),
        data_set(test_images, test_labels),
    )
