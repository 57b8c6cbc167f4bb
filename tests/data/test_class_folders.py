"""Class folders and lists of pictures, with what people really have in them."""

import os
from pathlib import Path

import pytest

from tf1ref.data import folders
from tf1ref.data.formats import class_folders
from tf1ref.errors import InputError

REAL = Path(os.environ.get("TF1REF_DATA") or ".") / "flower_photos"


def fill(root, **classes):
    for name, files in classes.items():
        (root / name).mkdir()
        for file in files:
            (root / name / file).write_bytes(b"picture")
    return root


def write_list(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def refusal(function, path, **options):
    with pytest.raises(InputError) as error:
        function(path, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_classes_and_files_are_sorted_whatever_the_system_lists(tmp_path):
    fill(tmp_path, roses=["b.jpg", "a.PNG"], daisy=["2.jpeg", "10.gif"])
    (tmp_path / "roses" / "notes.txt").write_text("no picture")
    (tmp_path / "roses" / ".hidden.jpg").write_bytes(b"")
    (tmp_path / "LICENSE.txt").write_text("no class")
    (tmp_path / ".cache").mkdir()
    found = class_folders.read(tmp_path)
    assert found.classes == ["daisy", "roses"] and found.skipped == []
    names = [path.relative_to(tmp_path).as_posix() for path in found.paths]
    assert names == ["daisy/10.gif", "daisy/2.jpeg", "roses/a.PNG", "roses/b.jpg"]
    assert found.labels == [0, 0, 1, 1]


def test_a_class_without_pictures(tmp_path):
    fill(tmp_path, daisy=["a.jpg"], empty=[], roses=["a.jpg"])
    assert refusal(class_folders.read, tmp_path).startswith(f"{tmp_path}/empty: no picture in it (.jpg .jpeg")
    found = class_folders.read(tmp_path, skip_bad=True)
    assert found.classes == ["daisy", "roses"] and found.labels == [0, 1]
    assert [where for where, _ in found.skipped] == [f"{tmp_path}/empty"]


def test_a_file_of_no_bytes(tmp_path):
    fill(tmp_path, daisy=["a.jpg", "b.jpg"], roses=["a.jpg"])
    (tmp_path / "daisy" / "b.jpg").write_bytes(b"")
    assert refusal(class_folders.read, tmp_path).startswith(f"{tmp_path}/daisy/b.jpg: 0 bytes, no picture:")
    found = class_folders.read(tmp_path, skip_bad=True)
    assert len(found.paths) == 2 and found.skipped == [(f"{tmp_path}/daisy/b.jpg", "0 bytes, no picture")]


def test_a_link_to_nowhere(tmp_path):
    fill(tmp_path, daisy=["a.jpg"], roses=["a.jpg"])
    (tmp_path / "daisy" / "b.jpg").symlink_to(tmp_path / "nowhere")
    assert "b.jpg: cannot be read (No such file" in refusal(class_folders.read, tmp_path)
    assert len(class_folders.read(tmp_path, skip_bad=True).skipped) == 1


@pytest.mark.parametrize("skip_bad", [False, True])
@pytest.mark.parametrize(
    ("classes", "says"),
    [({"daisy": ["a.jpg"]}, "only one class, daisy: it takes two or more"), ({}, "no picture and no class")],
)
def test_fewer_than_two_classes(tmp_path, classes, says, skip_bad):
    assert says in refusal(class_folders.read, fill(tmp_path, **classes), skip_bad=skip_bad)


def test_no_folder(tmp_path):
    assert "missing: not a folder that can be read" in refusal(class_folders.read, tmp_path / "missing")
    (tmp_path / "file").touch()
    assert "file: not a folder that can be read" in refusal(class_folders.read, tmp_path / "file")


def test_a_list_takes_tabs_commas_and_spaces_and_files_with_spaces(tmp_path):
    fill(tmp_path, daisy=["a b.jpg", "c.jpg"], roses=["d.jpg"])
    text = "# name label\n\ndaisy/a b.jpg daisy\ndaisy/c.jpg\tdaisy\nroses/d.jpg, roses\n"
    found = class_folders.read_list(write_list(tmp_path / "list.txt", text))
    assert [path.name for path in found.paths] == ["a b.jpg", "c.jpg", "d.jpg"]
    assert found.labels == [0, 0, 1] and found.classes == ["daisy", "roses"]


def test_labels_that_are_numbers_keep_the_order_of_numbers(tmp_path):
    fill(tmp_path, x=["a.jpg", "b.jpg", "c.jpg"])
    found = class_folders.read_list(write_list(tmp_path / "l.csv", "x/a.jpg,10\nx/b.jpg,9\nx/c.jpg,10\n"))
    assert found.classes == ["9", "10"] and found.labels == [1, 0, 1]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("daisy/none.jpg daisy", "line 3: label daisy without a file: there is no "),
        ("daisy/a.jpg", "line 3: 'daisy/a.jpg' is not a file and a label"),
        ("daisy/a.jpg,", "line 3: 'daisy/a.jpg,' is not a file and a label"),
        (",daisy", "line 3: ',daisy' is not a file and a label"),
        ("daisy/zero.jpg daisy", "line 3: zero.jpg has 0 bytes"),
        ("notes.txt daisy", "line 3: notes.txt is no picture by its suffix"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path, line, says):
    fill(tmp_path, daisy=["a.jpg"], roses=["a.jpg"])
    (tmp_path / "daisy" / "zero.jpg").write_bytes(b"")
    path = write_list(tmp_path / "list.txt", f"daisy/a.jpg daisy\nroses/a.jpg roses\n{line}\n")
    assert refusal(class_folders.read_list, path).startswith(f"{path}: {says}")
    found = class_folders.read_list(path, skip_bad=True)
    assert found.labels == [0, 1] and len(found.skipped) == 1
    assert found.skipped[0][0] == f"{path}: line 3"


def test_a_list_of_one_class_or_none_or_of_no_text(tmp_path):
    fill(tmp_path, daisy=["a.jpg"])
    one = write_list(tmp_path / "one.txt", "daisy/a.jpg daisy\n")
    assert "one.txt: only one class, daisy" in refusal(class_folders.read_list, one)
    assert "no class" in refusal(class_folders.read_list, write_list(tmp_path / "none.txt", "# nothing\n"))
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    assert "it is no UTF-8 text" in refusal(class_folders.read_list, tmp_path / "binary.txt")
    assert "cannot be read" in refusal(class_folders.read_list, tmp_path / "missing.txt")


def test_a_list_that_is_written_reads_back(tmp_path):
    found = class_folders.read(fill(tmp_path, daisy=["a b,c.jpg"], roses=["d.jpg"]))
    class_folders.write_list(tmp_path / "list.txt", found)
    assert class_folders.read_list(tmp_path / "list.txt") == found
    with pytest.raises(InputError, match="exists already"):
        class_folders.write_list(tmp_path / "list.txt", found)


def test_generated_flowers_stand_in_and_say_so(tmp_path, monkeypatch, capfd):
    from PIL import Image

    monkeypatch.setenv("TF1REF_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folders.stand_in.cache_clear()
    found = class_folders.flowers(tmp_path / "scratch", count=3)
    assert capfd.readouterr().err.count("generated flowers stand in") == 1
    assert found.classes == ["daisy", "dandelion", "roses", "sunflowers", "tulips"]
    assert found.labels == [label for label in range(5) for _ in range(3)]
    sizes = {Image.open(path).size for path in found.paths}
    assert sizes == {(48, 48)} and len({path.read_bytes() for path in found.paths}) == 15


@pytest.mark.skipif(not REAL.is_dir(), reason="no flower_photos in $TF1REF_DATA")
def test_the_real_flowers(tmp_path):
    found = class_folders.flowers(tmp_path)
    assert [found.labels.count(label) for label in range(5)] == [120] * 5
    assert found.classes == list(class_folders.STAND_IN) and not list(tmp_path.iterdir())
