"""read_data_sets on files written here, on the real files where they are, and against TF1's own algorithm."""

import gzip
import os
import struct
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tf1ref.data import digits, folders, mnist
from tf1ref.data.formats import mnist_files
from tf1ref.errors import InputError

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
KERAS = ("x_train", "y_train", "x_test", "y_test")


def pictures(count, seed):
    random = np.random.RandomState(seed)
    return random.randint(0, 256, (count, 28, 28)).astype(np.uint8), (np.arange(count) % 10).astype(np.uint8)


TRAIN, TEST = pictures(60, 0), pictures(20, 1)


def packed(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder of the mnist files, empty; nothing else is found."""
    monkeypatch.setenv("TF1REF_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "mnist").mkdir()
    return tmp_path / "mnist"


def write(home, names=NAMES, pack=packed):
    for name, array in zip(names, TRAIN + TEST):
        (home / name).write_bytes(pack(array))


@pytest.fixture
def small(home):
    write(home)
    return mnist.read_data_sets(validation_size=10, seed=7)


@pytest.mark.parametrize("form", ["plain", "gz", "dotted", "dotted gz", "npz"])
def test_every_spelling_gives_the_same_arrays(home, form, capsys):
    names = [name.replace("-idx", ".idx") if "dotted" in form else name for name in NAMES]
    if form == "npz":
        np.savez_compressed(home / "mnist.npz", **dict(zip(KERAS, TRAIN + TEST)))
    elif "gz" in form:
        write(home, [name + ".gz" for name in names], lambda array: gzip.compress(packed(array)))
    else:
        write(home, names)
    sets = mnist.read_data_sets(dtype=np.uint8, reshape=False, validation_size=10)
    assert np.array_equal(sets.validation.images, TRAIN[0][:10, ..., None])
    assert np.array_equal(sets.train.images, TRAIN[0][10:, ..., None])
    assert np.array_equal(sets.test.images, TEST[0][..., None])
    assert np.array_equal(sets.train.labels, TRAIN[1][10:]) and np.array_equal(sets.test.labels, TEST[1])
    assert [s.source for s in sets] == ["files"] * 3 and [s.num_examples for s in sets] == [50, 10, 20]
    assert capsys.readouterr().err == ""


def test_types_shapes_and_scale_are_tf1s(small, home):
    images = small.train.images
    assert images.shape == (50, 784) and images.dtype == np.float32
    flat = TRAIN[0][10:].reshape(-1, 784)
    assert np.array_equal(images, np.multiply(flat.astype(np.float32), 1.0 / 255.0))
    assert small.train.labels.shape == (50,) and small.train.labels.dtype == np.uint8
    hot = mnist.read_data_sets(one_hot=True, validation_size=10)
    assert hot.train.labels.dtype == np.float64 and hot.train.labels.shape == (50, 10)
    assert hot.train.labels[3].tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    like_tensorflow = SimpleNamespace(as_numpy_dtype=np.uint8)  # what tf.uint8 answers
    assert mnist.read_data_sets(dtype=like_tensorflow, validation_size=10).test.images.dtype == np.uint8
    with pytest.raises(TypeError, match="float64"):
        mnist.read_data_sets(dtype=np.float64, validation_size=10)


class Tf1DataSet:
    """next_batch as contrib.learn had it: numpy's global generator, and the arrays themselves permuted."""

    def __init__(self, images, labels, seed):
        np.random.seed(seed)
        self.arrays, self.at, self.epochs = (images, labels), 0, 0

    def shuffle(self):
        order = np.arange(len(self.arrays[0]))
        np.random.shuffle(order)
        self.arrays = tuple(array[order] for array in self.arrays)

    def next_batch(self, size, shuffle):
        start, count = self.at, len(self.arrays[0])
        if self.epochs == 0 and start == 0 and shuffle:
            self.shuffle()
        if start + size <= count:
            self.at += size
            return tuple(array[start : self.at] for array in self.arrays)
        self.epochs += 1
        rest = tuple(array[start:] for array in self.arrays)
        if shuffle:
            self.shuffle()
        self.at = size - (count - start)
        return tuple(np.concatenate([a, b[: self.at]]) for a, b in zip(rest, self.arrays))


@pytest.mark.parametrize("size", [1, 7, 25, 50])
@pytest.mark.parametrize("shuffle", [True, False])
def test_batches_are_tf1s_number_for_number(small, size, shuffle):
    theirs = Tf1DataSet(small.train.images, small.train.labels, 7)
    for _ in range(160 // size + 2):
        expected, got = theirs.next_batch(size, shuffle), small.train.next_batch(size, shuffle=shuffle)
        assert np.array_equal(got[0], expected[0]) and np.array_equal(got[1], expected[1])
        assert got[0].dtype == np.float32 and small.train.epochs_completed == theirs.epochs
    assert theirs.epochs >= 2


def test_an_epoch_shows_every_example_once_and_the_next_in_another_order(small):
    epochs = [np.concatenate([small.train.next_batch(10)[0] for _ in range(5)]) for _ in range(2)]
    for epoch in epochs:
        assert sorted(map(bytes, epoch)) == sorted(map(bytes, small.train.images))
    assert not np.array_equal(*epochs)


def test_a_batch_larger_than_the_set_runs_through_several_epochs(small):
    labels = small.validation.next_batch(25)[1]
    assert np.bincount(labels[:20], minlength=10).tolist() == [2] * 10 and len(labels) == 25
    assert small.validation.epochs_completed == 2


def test_numpys_global_generator_is_left_alone_and_seeds_differ(small):
    np.random.seed(3)
    expected = np.random.RandomState(3).rand()
    first = small.train.next_batch(50)[1]
    assert np.random.rand() == expected
    other = mnist.read_data_sets(validation_size=10, seed=8).train.next_batch(50)[1]
    assert not np.array_equal(first, other)


def test_nobody_can_spoil_the_shared_arrays(small, home):
    images, labels = small.train.next_batch(5)
    images[:], labels[:] = 0, 0
    small.train.labels[:] = 3
    for dtype in (np.uint8, np.float32):
        with pytest.raises(ValueError, match="read-only"):
            mnist.read_data_sets(dtype=dtype, validation_size=10).train.images[:] = 0
    again = mnist.read_data_sets(validation_size=10).train
    assert np.array_equal(again.labels, TRAIN[1][10:]) and again.images.max() == 1
    assert mnist_files.read(str(home)) is mnist_files.read(str(home))


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.train.next_batch(0),
        lambda s: s.train.next_batch(-1),
        lambda s: s.train.next_batch(5, True),
        lambda s: mnist.read_data_sets(validation_size=0).validation.next_batch(1),
    ],
)
def test_batches_that_make_no_sense_are_refused(small, call):
    with pytest.raises(InputError, match="next_batch"):
        call(small)


@pytest.mark.parametrize("size", [-1, 60, 5000])
def test_a_validation_set_must_leave_something_to_train_on(small, size):
    with pytest.raises(InputError, match=f"validation_size is {size}.* choose from 0 to 59"):
        mnist.read_data_sets(validation_size=size)


BAD = {
    "cut gzip": (0, gzip.compress(packed(TRAIN[0]))[:-100], "damaged gzip"),
    "cut idx": (2, packed(TEST[0])[:-1], "bytes, expected"),
    "labels as pictures": (0, packed(TRAIN[1]), "magic number of 1 axes of uint8, expected 2051"),
    "pictures as labels": (3, packed(TEST[0]), "magic number of 3 axes of uint8, expected 2049"),
    "a web page": (1, b"<!DOCTYPE html>", "starts with 3c 21 44 4f"),
    "32 x 32": (0, packed(np.zeros((60, 32, 32), np.uint8)), "60 x 32 x 32 uint8, expected n x 28 x 28"),
    "no picture": (2, packed(np.zeros((0, 28, 28), np.uint8)), "0 x 28 x 28"),
    "59 labels": (1, packed(TRAIN[1][:59]), "59 labels for 60 pictures"),
    "label 10": (3, packed(np.arange(20, dtype=np.uint8) // 2 + 1), "label 10 at 18, expected 0 to 9"),
}


@pytest.mark.parametrize("case", BAD)
def test_malformed_idx_files_are_one_line_naming_the_file(home, case):
    which, content, says = BAD[case]
    write(home)
    (home / NAMES[which]).write_bytes(content)
    with pytest.raises(InputError) as error:
        mnist.read_data_sets(validation_size=10)
    assert NAMES[which] in str(error.value) and says in str(error.value)
    assert "fetch" in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_and_a_folder_in_place_of_one(home):
    write(home)
    (home / NAMES[1]).unlink()
    with pytest.raises(InputError, match=f"lacks {NAMES[1]} .*tf1ref data fetch mnist"):
        mnist.read_data_sets(validation_size=10)
    (home / NAMES[1]).mkdir()
    with pytest.raises(InputError, match=f"{NAMES[1]}: cannot be read .Is a directory"):
        mnist.read_data_sets(validation_size=10)


def npz(path, **changes):
    arrays = dict(zip(KERAS, TRAIN + TEST)) | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"y_test": None}, "no array y_test"),
        ({"x_train": TRAIN[0].reshape(60, 784)}, r"mnist.npz\[x_train\]: 60 x 784 uint8, expected n x 28 x 28"),
        ({"y_train": TRAIN[1].astype(np.int64)}, r"\[y_train\]: 60 int64, expected n uint8"),
        ({"x_test": np.array([{"a": 1}])}, "no .npz of plain arrays"),
    ],
)
def test_malformed_archives(home, changes, says):
    npz(home / "mnist.npz", **changes)
    with pytest.raises(InputError, match=says) as error:
        mnist.read_data_sets(validation_size=10)
    assert "\n" not in str(error.value)


def test_what_is_no_archive(home):
    npz(home / "mnist.npz")
    whole = (home / "mnist.npz").read_bytes()
    np.save(home / "mnist.npy", TRAIN[0])
    flipped = bytearray(whole)
    flipped[1000] ^= 255
    for content in (b"", b"\x80\x04N.", whole[:500], bytes(flipped), (home / "mnist.npy").read_bytes()):
        (home / "mnist.npz").write_bytes(content)
        with pytest.raises(InputError, match="mnist.npz: no .npz of plain arrays, or damaged") as error:
            mnist.read_data_sets(validation_size=10)
        assert "\n" not in str(error.value)


@pytest.mark.slow
def test_without_files_generated_digits_stand_in_and_say_so(home, capsys):
    folders.stand_in.cache_clear()
    sets = mnist.read_data_sets(one_hot=True)
    mnist.read_data_sets()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mnist: no files in $TF1REF_DATA or ") and "accuracy is not MNIST's" in line
    assert [s.num_examples for s in sets] == [55_000, 5_000, 10_000]
    assert [s.source for s in sets] == ["generated"] * 3
    assert np.array_equal(sets.validation.labels.argmax(1), digits.load()[1][:5000])
    assert sets.train.next_batch(100)[0].shape == (100, 784)


@pytest.mark.slow
@pytest.mark.skipif(
    not os.path.isdir(os.path.join(os.environ.get("TF1REF_DATA") or "none", "mnist")), reason="no $TF1REF_DATA/mnist"
)
def test_the_real_files_have_the_figures_everybody_knows():
    sets = mnist.read_data_sets(one_hot=True)
    assert [s.num_examples for s in sets] == [55_000, 5_000, 10_000]
    assert sets.train.labels[0].tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 0, 0]  # as printed in S3, line 1487
    assert sets.validation.labels[:5].argmax(1).tolist() == [5, 0, 4, 1, 9]
    assert sets.test.labels[:5].argmax(1).tolist() == [7, 2, 1, 0, 4]
    assert sets.test.labels.sum(0).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    every = np.concatenate([sets.validation.images, sets.train.images])
    assert abs(every.mean(dtype=np.float64) - 0.1307) < 5e-5  # what everybody normalizes MNIST with
    assert abs(every[:10_000].std(dtype=np.float64) - 0.3081) < 2e-3


def test_the_data_room_does_not_import_tensorflow():
    code = (
        "import sys; from tf1ref.data import digits, dots, folders, iris, mnist; "
        "from tf1ref.data.formats import idx, mnist_files; "
        "print([m for m in sys.modules if m.split('.')[0] in ('tensorflow', 'keras', 'pandas')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
