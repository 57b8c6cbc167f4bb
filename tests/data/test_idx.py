"""The idx format against bytes packed by hand."""

import gzip
import struct

import numpy as np
import pytest

from tf1ref.data.formats.idx import read_idx, write_idx
from tf1ref.errors import InputError

SMALL = struct.pack(">HBB2I", 0, 8, 2, 2, 3) + bytes(range(6))


@pytest.mark.parametrize("name", ["small-idx2-ubyte", "small-idx2-ubyte.gz", "packed-without-suffix"])
def test_reads_what_was_packed_by_hand(tmp_path, name):
    (tmp_path / name).write_bytes(SMALL if name.endswith("ubyte") else gzip.compress(SMALL, mtime=0))
    array = read_idx(tmp_path / name)
    assert array.dtype == np.uint8 and array.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("code, letter", [(8, "B"), (9, "b"), (11, "h"), (12, "i"), (13, "f"), (14, "d")])
def test_every_type_is_big_endian_in_the_file_and_native_in_memory(tmp_path, code, letter):
    content = struct.pack(">HBBI", 0, code, 1, 3) + struct.pack(f">3{letter}", 1, 2, 100)
    (tmp_path / "a").write_bytes(content)
    array = read_idx(tmp_path / "a")
    assert array.dtype == np.dtype(letter) and array.dtype.isnative and array.tolist() == [1, 2, 100]
    write_idx(tmp_path / "b", array)
    assert (tmp_path / "b").read_bytes() == content


def test_writing_replaces_the_file_and_leaves_no_other_and_no_clock_in_it(tmp_path):
    (tmp_path / "a.gz").write_bytes(b"old")
    write_idx(tmp_path / "a.gz", np.arange(6, dtype=np.uint8).reshape(2, 3))
    content = (tmp_path / "a.gz").read_bytes()
    assert gzip.decompress(content) == SMALL
    assert content[4:8] == bytes(4)  # RFC 1952: the time of writing
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]


@pytest.mark.parametrize(
    "content, says",
    [
        (SMALL[:-1], "17 bytes, expected 18 for 2 x 3"),
        (SMALL + b"!", "19 bytes, expected 18"),
        (SMALL[:7], "inside the header: 7 bytes, expected 12"),
        (b"", "starts with nothing"),
        (b"\x89PNG\r\n\x1a\n", "starts with 89 50 4e 47"),
        (b"\0\0\x07\1\0\0\0\0", "starts with 00 00 07 01"),
        (struct.pack(">HBB3I", 0, 8, 3, *[0xFFFFFFFF] * 3), "expected 79228162458924105385300197391"),
        (gzip.compress(SMALL, mtime=0)[:-9], "damaged gzip"),
        (gzip.compress(SMALL, mtime=0)[:-8] + bytes(8), "damaged gzip"),
        (gzip.compress(SMALL, mtime=0)[:10] + b"\xff" * 20, "damaged gzip"),
    ],
)
def test_damage_is_one_line_naming_the_file(tmp_path, content, says):
    path = tmp_path / "damaged"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_idx(path)
    assert str(error.value).startswith(f"{path}: ") and says in str(error.value)
    assert "fetch the file again" in str(error.value) and "\n" not in str(error.value)


def test_no_file_a_folder_and_a_type_idx_lacks(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_idx(tmp_path / "none")
    with pytest.raises(InputError, match="Is a directory"):
        read_idx(tmp_path)
    with pytest.raises(InputError, match="int64"):
        write_idx(tmp_path / "a", np.arange(3))
    with pytest.raises(InputError, match="cannot be written"):
        write_idx(tmp_path / "none/a", np.zeros(1, np.uint8))
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_idx(tmp_path / "folder", np.zeros(1, np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
