"""CIFAR-10 from files written here byte by byte, from the real files where they are, and generated."""

import io
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from tf1ref.data import cifar10, folders
from tf1ref.errors import InputError

COUNT = 7


def pictures(seed, count=COUNT):
    random = np.random.RandomState(seed)
    return random.randint(0, 256, (count, 32, 32, 3)).astype(np.uint8), (np.arange(count) * 3 % 10).astype(np.uint8)


def records(images, labels):
    """The binary layout, spelled out: label, then red, green and blue, row by row."""
    parts = []
    for image, label in zip(images, labels):
        parts.append(bytes([label]))
        for channel in range(3):
            for row in range(32):
                parts.append(bytes(image[row, :, channel].tolist()))
    return b"".join(parts)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder of the cifar10 files, empty; nothing else is found."""
    monkeypatch.setenv("TF1REF_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cifar10").mkdir()
    return tmp_path / "cifar10"


def python2_batch(images, labels):
    """A batch as Python 2 pickled the originals (protocol 2, byte strings), opcode by opcode."""
    out = [b"\x80\x02}("]  # PROTO 2, EMPTY_DICT, MARK

    def string(value):  # BINSTRING: what Python 3's pickle never writes
        out.append(b"T" + struct.pack("<i", len(value)) + value)

    string(b"data")
    planes = images.transpose(0, 3, 1, 2).tobytes()
    out.append(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85")
    string(b"b")
    out.append(b"\x87R(K\x01K" + bytes([len(images)]) + b"M" + struct.pack("<H", 3072) + b"\x86cnumpy\ndtype\n")
    string(b"u1")
    out.append(b"K\x00K\x01\x87R(K\x03")
    string(b"|")
    out.append(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89")
    string(planes)
    out.append(b"tb")
    string(b"labels")
    out.append(b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e")
    string(b"batch_label")
    string(b"training batch 1 of 5")
    return b"".join([*out, b"u."])


def python3_batch(images, labels, protocol):
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), 3072)
    return pickle.dumps({b"data": planes, b"labels": [int(label) for label in labels], b"filenames": [b"x"]}, protocol)


FORMS = {"python 2": python2_batch} | {
    f"protocol {p}": (lambda images, labels, p=p: python3_batch(images, labels, p)) for p in range(6)
}


def test_records_are_read_and_written_byte_for_byte(tmp_path):
    images, labels = pictures(0)
    path = tmp_path / "a.bin"
    path.write_bytes(records(images, labels))
    got_images, got_labels = cifar10.read_binary(path)
    assert np.array_equal(got_images, images) and np.array_equal(got_labels, labels)
    cifar10.write_binary(tmp_path / "b.bin", images, labels)
    assert (tmp_path / "b.bin").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("form", FORMS)
def test_pickled_batches_give_the_arrays_of_the_binary_ones(tmp_path, form):
    images, labels = pictures(1)
    path = tmp_path / "data_batch_1"
    path.write_bytes(FORMS[form](images, labels))
    got_images, got_labels = cifar10.read_pickled(path)
    assert np.array_equal(got_images, images) and got_images.dtype == np.uint8
    assert np.array_equal(got_labels, labels) and got_labels.dtype == np.uint8


@pytest.mark.parametrize("place", [".", "cifar-10-batches-bin", "cifar-10-batches-py"])
def test_files_are_found_where_the_archives_put_them(home, place, capsys):
    pickled = place.endswith("py")
    (home / place).mkdir(exist_ok=True)
    for i, name in enumerate(("data_batch_1", "data_batch_3", "test_batch")):
        content = python2_batch(*pictures(i)) if pickled else records(*pictures(i))
        (home / place / (name if pickled else f"{name}.bin")).write_bytes(content)
    train_images, train_labels, test_images, test_labels = cifar10.load()
    assert np.array_equal(train_images, np.concatenate([pictures(0)[0], pictures(1)[0]]))
    assert len(train_labels) == 2 * COUNT and np.array_equal(test_labels, pictures(2)[1])
    assert np.array_equal(test_images, pictures(2)[0])
    assert capsys.readouterr().err == ""


def test_binary_files_are_the_real_ones_as_they_lie(home, tmp_path):
    for i, name in enumerate(("data_batch_2.bin", "test_batch.bin")):
        (home / name).write_bytes(records(*pictures(i)))
    expected = [str(home / "data_batch_2.bin")], str(home / "test_batch.bin")
    assert cifar10.binary_files(tmp_path / "nothing-is-written") == expected


def test_pickled_batches_become_binary_files(home, tmp_path):
    for i, name in enumerate(("data_batch_1", "data_batch_2", "test_batch")):
        (home / name).write_bytes(python2_batch(*pictures(i)))
    (train,), test = cifar10.binary_files(tmp_path)
    assert Path(train).read_bytes() == records(*pictures(0)) + records(*pictures(1))
    assert Path(test).read_bytes() == records(*pictures(2))


IMAGES, LABELS = pictures(0)
BAD_RECORDS = {
    "cut short": (records(IMAGES, LABELS)[:-1], "21510 bytes, 6 records of 3073 and 3072 bytes more"),
    "empty": (b"", "0 bytes, 0 records"),
    "label 10": (records(IMAGES, [0, 1, 2, 10, 4, 5, 6]), r"record 3 \(from 0\): label 10, expected 0 to 9"),
}


@pytest.mark.parametrize("case", BAD_RECORDS)
@pytest.mark.parametrize("function", ["load", "binary_files"])
def test_bad_records_are_one_line_naming_file_and_record(home, tmp_path, case, function):
    content, says = BAD_RECORDS[case]
    (home / "data_batch_1.bin").write_bytes(records(IMAGES, LABELS))
    (home / "test_batch.bin").write_bytes(content)
    with pytest.raises(InputError, match=f"test_batch.bin: {says}") as error:
        cifar10.load() if function == "load" else cifar10.binary_files(tmp_path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(home):
    (home / "data_batch_1.bin").write_bytes(records(IMAGES, LABELS))
    with pytest.raises(InputError, match="lacks test_batch.bin"):
        cifar10.load()
    (home / "data_batch_1.bin").rename(home / "test_batch.bin")
    with pytest.raises(InputError, match="lacks data_batch_1.bin"):
        cifar10.load()
    (home / "data_batch_1.bin").mkdir()
    with pytest.raises(InputError, match="data_batch_1.bin: cannot be read .Is a directory"):
        cifar10.load()


class Call:
    """A pickle that would call `function` when it is read."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def test_a_pickle_that_calls_something_is_refused_and_calls_nothing(tmp_path):
    path, victim = tmp_path / "data_batch_1", tmp_path / "made-by-the-pickle"
    path.write_bytes(pickle.dumps({b"data": Call(os.mkdir, str(victim)), b"labels": []}))
    with pytest.raises(InputError, match=r"data_batch_1: refused: the pickle calls (posix|nt)\.mkdir") as error:
        cifar10.read_pickled(path)
    assert not victim.exists() and "\n" not in str(error.value)
    pickle.loads(path.read_bytes())  # the control: it is a pickle that does it
    assert victim.exists()


class _Persistent(pickle.Pickler):
    def persistent_id(self, value):
        return "elsewhere" if value == "here" else None


def _persistent():
    buffer = io.BytesIO()
    _Persistent(buffer).dump("here")
    return buffer.getvalue()


REFUSED = {
    "eval": (pickle.dumps(Call(eval, "1")), r"calls builtins\.eval"),
    "a codec that unpacks": (b"c_codecs\nencode\n(Vx\nVzlib\ntR.", "encodes by 'zlib'"),
    "a name with dots": (b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.", r"calls numpy\.ndarray\.__init__"),
    "fromfile": (pickle.dumps(Call(np.fromfile, "/etc/hostname")), "calls numpy"),
    "persistent": (_persistent(), "refers to something outside"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path, case):
    content, says = REFUSED[case]
    (tmp_path / "batch").write_bytes(content)
    with pytest.raises(InputError, match=f"batch: refused: the pickle {says}"):
        cifar10.read_pickled(tmp_path / "batch")


def batch(**changes):
    whole = {"data": np.zeros((2, 3072), np.uint8), "labels": [1, 2]} | changes
    return pickle.dumps({key.encode(): value for key, value in whole.items() if value is not None})


BAD_PICKLES = {
    "nothing": (b"", "no pickle, or damaged"),
    "text": (b"not a pickle at all", "no pickle, or damaged"),
    "cut": (batch()[:-100], "no pickle, or damaged"),
    "a list": (pickle.dumps([1]), "holds list"),
    "no data": (batch(data=None), "data is no array of uint8"),
    "floats": (batch(data=np.zeros((2, 3072))), "data is no array of uint8"),
    "another size": (batch(data=np.zeros((2, 784), np.uint8)), "data is no array of uint8"),
    "no picture": (batch(data=np.zeros((0, 3072), np.uint8), labels=[]), "data is no array of uint8"),
    "CIFAR-100": (batch(labels=None, fine_labels=[1, 2]), "labels is no list of 2 labels"),
    "too few labels": (batch(labels=[1]), "labels is no list of 2 labels"),
    "a word": (batch(labels=[1, "cat"]), "record 1: label is str"),
    "label 10": (batch(labels=[1, 10]), "record 1 .from 0.: label 10"),
    "label -1": (batch(labels=[-1, 1]), "record 0 .from 0.: label -1"),
    "label 2^70": (batch(labels=[1, 2**70]), "record 1 .from 0.: label 1180591620717411303424"),
    "objects": (batch(data=np.array([[1], [None]], object)), "data is no array of uint8"),
}


@pytest.mark.parametrize("case", BAD_PICKLES)
def test_bad_pickles_are_one_line_naming_the_file(tmp_path, case):
    content, says = BAD_PICKLES[case]
    (tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(InputError, match=f"data_batch_1: {says}") as error:
        cifar10.read_pickled(tmp_path / "data_batch_1")
    assert "\n" not in str(error.value)


def test_only_whole_pictures_are_written(tmp_path):
    with pytest.raises(InputError, match=r"give uint8 \(n, 32, 32, 3\)"):
        cifar10.write_binary(tmp_path / "a.bin", IMAGES.astype(np.float32), LABELS)
    with pytest.raises(InputError, match="for 6 labels"):
        cifar10.write_binary(tmp_path / "a.bin", IMAGES, LABELS[:6])
    with pytest.raises(InputError, match="record 0 .from 0.: label 11"):
        cifar10.write_binary(tmp_path / "a.bin", IMAGES, LABELS.astype(int) + 11)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_generated_pictures_stand_in_and_say_so(home, tmp_path, capsys):
    folders.stand_in.cache_clear()
    arrays = cifar10.load()
    (train,), test = cifar10.binary_files(tmp_path)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("cifar10: no files in $TF1REF_DATA or ") and "not CIFAR-10's" in line
    assert "cifar10" in folders.stood_in
    assert [a.shape for a in arrays] == [(10000, 32, 32, 3), (10000,), (2000, 32, 32, 3), (2000,)]
    assert all(a.dtype == np.uint8 for a in arrays)
    assert np.array_equal(cifar10.read_binary(train)[0], arrays[0])
    assert np.array_equal(cifar10.read_binary(test)[1], arrays[3])


def test_generated_pictures_are_the_same_everywhere_and_another_seed_gives_others():
    images, labels = cifar10.generate(200, seed=5)
    cifar10.generate.cache_clear()
    again = cifar10.generate(200, seed=5)
    assert np.array_equal(images, again[0]) and np.array_equal(labels, again[1])
    assert not np.array_equal(images, cifar10.generate(200, seed=6)[0])
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_generated_classes_differ_by_what_a_network_can_see():
    # The windows' mean colours alone, a linear model: above chance, since tiles are coloured, and far from all.
    images, labels = cifar10.generate(3000, seed=1)
    colours = images.reshape(3000, -1, 3).mean(1) / 128 - 1
    x = np.hstack([colours, np.ones((3000, 1))])
    weights = np.linalg.lstsq(x[:2000], np.eye(10)[labels[:2000]], rcond=None)[0]
    right = np.mean((x[2000:] @ weights).argmax(1) == labels[2000:])
    assert 0.13 < right < 0.6


REAL = os.environ.get("TF1REF_DATA") and Path(os.environ["TF1REF_DATA"], "cifar10")


@pytest.mark.skipif(not REAL or not (REAL / "test_batch.bin").exists(), reason="no real files")
def test_the_real_files():
    images, labels = cifar10.read_binary(REAL / "test_batch.bin")
    assert images.shape == (10000, 32, 32, 3) and np.bincount(labels).tolist() == [1000] * 10
    # Neighbouring pixels are alike in rows, columns and channels only if the layout is read right.
    pixels = images[:500].astype(int)
    for axis in (1, 2, 3):
        assert np.abs(np.diff(pixels, axis=axis)).mean() < 30
