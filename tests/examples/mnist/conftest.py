"""Examples run on a few pictures, once for all tests of a file."""

import numpy as np
import pytest

from tests.examples.mnist.squares import STEPS, TEST, TRAIN
from tf1ref import catalog
from tf1ref.data import mnist


@pytest.fixture(scope="module")
def few_pictures(tmp_path_factory):
    """A data folder with TRAIN pictures after the 5000 of the validation set, and TEST to test on: bright squares.

    The digit says where the square is, so that a few steps show learning.
    """
    folder, random = tmp_path_factory.mktemp("data"), np.random.RandomState(1)
    (folder / "mnist").mkdir()
    for name, count in (("train", 5000 + TRAIN), ("t10k", TEST)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        pixels = random.randint(0, 40, (count, 28, 28)).astype(np.uint8)
        for pixel, label in zip(pixels, labels):
            row, column = 4 + 12 * (label // 5), 1 + 5 * (label % 5)
            pixel[row : row + 8, column : column + 5] += 210
        mnist.write_idx(folder / "mnist" / f"{name}-images-idx3-ubyte.gz", pixels)
        mnist.write_idx(folder / "mnist" / f"{name}-labels-idx1-ubyte.gz", labels)
    return folder


@pytest.fixture(scope="module")
def ran(few_pictures, tmp_path_factory):
    """Returns a function that runs one half of an example on them, once: its module, trace and folder."""
    done = {}

    def run(name, half, **changes):
        key = name, half, *sorted(changes.items())
        if key not in done:
            module, folder = catalog.load(name, changes), tmp_path_factory.mktemp("out")
            out = {"out": folder} if name != "mnist.lenet5_relu6" else {}
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("TF1REF_DATA", str(few_pictures))
                done[key] = module, getattr(module, f"run_{half}")(steps=STEPS, **out), folder
        return done[key]

    return run


@pytest.fixture
def data(few_pictures):
    return mnist.read_data_sets(one_hot=True, reshape=False, seed=1, where=few_pictures / "mnist")


@pytest.fixture
def bytes_(few_pictures):
    """The same as uint8."""
    where = few_pictures / "mnist"
    return mnist.read_data_sets(one_hot=True, dtype=np.uint8, reshape=False, seed=1, where=where)
