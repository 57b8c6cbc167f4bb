"""Where data sets are looked for, and the one line that says a stand-in is used."""

import os
import re
from pathlib import Path

import pytest

from tf1ref.data import folders
from tf1ref.errors import InputError


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """$TF1REF_DATA and the cache in a fresh folder; nothing was said yet."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("TF1REF_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folders.stand_in.cache_clear()


def test_the_named_folder_comes_before_the_cache(tmp_path):
    assert folders.folder("mnist") is None
    (tmp_path / "cache/tf1ref/mnist").mkdir(parents=True)
    assert folders.folder("mnist") == tmp_path / "cache/tf1ref/mnist"
    (tmp_path / "data/mnist").mkdir()
    assert folders.folder("mnist") == tmp_path / "data/mnist"


def test_without_variables_the_cache_is_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("TF1REF_DATA")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folders.root() is None
    assert folders.cache() == tmp_path / ".cache/tf1ref"
    (tmp_path / ".cache/tf1ref/dots").mkdir(parents=True)
    assert folders.folder("dots") == tmp_path / ".cache/tf1ref/dots"


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_variable_that_names_no_folder_is_an_error(tmp_path, monkeypatch, kind):
    if kind == "file":
        (tmp_path / kind).write_text("")
    monkeypatch.setenv("TF1REF_DATA", str(tmp_path / kind))
    with pytest.raises(InputError, match="TF1REF_DATA") as error:
        folders.folder("mnist")
    assert str(tmp_path / kind) in str(error.value) and "\n" not in str(error.value)


def test_a_file_in_place_of_a_data_sets_folder_is_an_error(tmp_path):
    (tmp_path / "data/mnist").write_text("not a folder")
    with pytest.raises(InputError, match="Not a directory"):
        folders.folder("mnist")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_locked_folder_is_an_error(tmp_path):
    (tmp_path / "data/mnist").mkdir(mode=0)
    with pytest.raises(InputError, match="Permission denied"):
        folders.folder("mnist")


def test_a_stand_in_is_announced_once_a_data_set(capsys):
    for _ in range(3):
        folders.stand_in("mnist", "digits stand in")
    folders.stand_in("dots", "points stand in")
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(":")[0] for line in err.splitlines()] == ["mnist", "dots"]
    assert "cache/tf1ref/mnist: digits stand in" in err


@pytest.fixture
def named(tmp_path):
    """A folder that is named with --data, and forgotten afterwards."""
    (tmp_path / "named").mkdir()
    folders.use(tmp_path / "named")
    yield tmp_path / "named"
    folders.use(None)


def test_a_named_folder_is_the_only_place(named, tmp_path):
    (tmp_path / "data/dots").mkdir()
    (tmp_path / "data/dots/dot.csv").write_text("")
    with pytest.raises(InputError, match=r"no dots there: looked for dot\.csv in it and in .*named/dots"):
        folders.folder("dots")
    (named / "dot.csv").write_text("")
    assert folders.folder("dots") == named
    (named / "dots").mkdir()
    assert folders.folder("dots") == named, "an empty folder of the name does not hide the files"
    (named / "dots/dot.csv").write_text("")
    assert folders.folder("dots") == named / "dots"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mnist", "train-images.idx3-ubyte"),
        ("mnist", "mnist.npz"),
        ("cifar10", "cifar-10-batches-py/data_batch_3"),
        ("ptb", "simple-examples/data/ptb.train.txt"),
        ("flower_photos", "roses/1.jpg"),
    ],
)
def test_each_layout_of_a_data_set_is_known_in_the_folder_itself(named, name, file):
    (named / file).parent.mkdir(parents=True, exist_ok=True)
    (named / file).write_text("")
    assert folders.folder(name) == named


def test_the_table_has_every_data_set_that_a_loader_asks_for():
    root = Path(folders.__file__).parents[1]
    asked = {n for path in root.rglob("*.py") for n in re.findall(r'folders\.folder\("(\w+)"\)', path.read_text())}
    assert asked == set(folders.FILES)
