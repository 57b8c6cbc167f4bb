"""tensorflow.examples.tutorials.mnist.input_data, the module of the tutorials' read_data_sets(train_dir).

Nothing is downloaded. The files are looked for in `train_dir`, then in the folder of tf1ref's data sets. If they are in
neither, generated digits stand in, and a message says so.
"""

import numpy as np
import tensorflow.compat.v1 as v1

from tf1ref.data import mnist
from tf1ref.data.formats import mnist_files
from tf1ref.data.formats.idx import read_idx

Datasets = mnist.Datasets


class DataSet(mnist.DataSet):
    """Pictures [n, rows, columns, 1] uint8 and their labels, with TF1's constructor; see tf1ref.data.mnist.DataSet."""

    def __init__(self, images, labels, fake_data=False, one_hot=False, dtype=v1.float32, reshape=True, seed=None):
        # The labels arrive in their final form.
        del fake_data, one_hot
        if len(images) != len(labels):
            raise ValueError(f"images.shape: {images.shape} labels.shape: {labels.shape}")
        super().__init__(np.asarray(images), labels, "given", dtype, reshape, _numpy_seed(seed))


def read_data_sets(
    train_dir,
    fake_data=False,
    one_hot=False,
    dtype=v1.float32,
    reshape=True,
    validation_size=5000,
    seed=None,
    source_url=None,
):
    """Returns MNIST as Datasets(train, validation, test); see tf1ref.data.mnist.read_data_sets.

    train_dir: a folder with the four official files. When it has none of them, $TF1REF_DATA is searched.
    fake_data: 10,000 pictures of ones with label 0, as in TF1's own self test. Raises InputError for damaged files.
    """
    # Nothing is downloaded.
    del source_url
    if fake_data:
        return Datasets(*(_fake(one_hot, dtype, seed) for _ in range(3)))
    here = train_dir and mnist_files.read(str(train_dir))
    return mnist.read_data_sets(
        one_hot=one_hot,
        dtype=dtype,
        reshape=reshape,
        validation_size=validation_size,
        seed=_numpy_seed(seed),
        where=train_dir if here else None,
    )


def _numpy_seed(seed):
    """Returns the seed for NumPy: the op seed, or the graph's.

    `set_random_seed` therefore fixes the batches, as in TF1.
    """
    graph_seed, op_seed = v1.get_seed(seed)
    return graph_seed if seed is None else op_seed


def _fake(one_hot, dtype, seed):
    labels = np.eye(10)[np.zeros(10000, int)] if one_hot else np.zeros(10000, np.uint8)
    return DataSet(np.full([10000, 28, 28, 1], 255, np.uint8), labels, dtype=dtype, seed=seed)


def extract_images(f):
    """Returns the pictures of an open idx.gz file as uint8 [n, rows, columns, 1]. Raises InputError."""
    return read_idx(f.name)[..., np.newaxis]


def extract_labels(f, one_hot=False, num_classes=10):
    """Returns the labels of an open idx.gz file: uint8 [n], or float64 [n, num_classes] with one_hot."""
    labels = read_idx(f.name)
    return dense_to_one_hot(labels, num_classes) if one_hot else labels


def dense_to_one_hot(labels_dense, num_classes):
    """Turns integers [n] into one-hot rows, float64 [n, num_classes].

    >>> print(dense_to_one_hot(np.array([0, 2]), 3))
    [[1. 0. 0.]
     [0. 0. 1.]]
    """
    return np.eye(num_classes)[np.asarray(labels_dense)]
