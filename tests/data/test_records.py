"""TFRecord files against TensorFlow's own reader and writer, and damage done by hand."""

import gzip
import os
import struct
import zlib

import pytest
import tensorflow as tf

from tf1ref.data.formats import records
from tf1ref.errors import InputError

SOME = [b"first", b"", b"third" * 400, bytes(range(256)) * 5]


def by_tensorflow(path, compression="NONE"):
    kind = "" if compression == "NONE" else compression
    return list(tf.data.TFRecordDataset(str(path), kind).as_numpy_iterator())


def problems(path, **options):
    return [(record.number, record.problem) for record in records.scan(path, **options) if record.problem]


def refusal(path, **options):
    with pytest.raises(InputError) as error:
        list(records.read(path, **options))
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def three(tmp_path):
    """A file of three records of 10, 20 and 30 bytes, and where each starts."""
    path = tmp_path / "three.tfrecord"
    records.write(path, [b"a" * 10, b"b" * 20, b"c" * 30])
    return path


STARTS = (0, 10 + 16, 10 + 20 + 32)


def damage(path, place, value=None):
    content = bytearray(path.read_bytes())
    content[place] = content[place] ^ 1 if value is None else value
    path.write_bytes(content)


def test_tensorflow_accepts_the_checksum_of_more_than_a_chunk(tmp_path):
    data = bytes(range(256)) * (records.CHUNK // 256) + b"and more"
    assert by_tensorflow(*records.write(tmp_path / "a", [data])) == [data]


@pytest.mark.parametrize("compression", records.COMPRESSIONS)
def test_tensorflow_reads_what_is_written(tmp_path, compression):
    (path,) = records.write(tmp_path / "a", SOME, compression)
    assert by_tensorflow(path, compression) == SOME
    assert records.compression_of(path) == compression


@pytest.mark.parametrize("compression", records.COMPRESSIONS)
def test_reads_what_tensorflow_writes(tmp_path, compression):
    path = tmp_path / "a"
    with tf.io.TFRecordWriter(str(path), "" if compression == "NONE" else compression) as writer:
        for record in SOME:
            writer.write(record)
    assert records.compression_of(path) == compression
    assert list(records.read(path)) == list(records.read(path, compression)) == SOME


def test_an_uncompressed_file_is_tensorflows_byte_for_byte(tmp_path):
    records.write(tmp_path / "a", SOME)
    with tf.io.TFRecordWriter(str(tmp_path / "b")) as writer:
        for record in SOME:
            writer.write(record)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_record_of_120_bytes_does_not_look_like_zlib(tmp_path):
    # Its length is the byte that zlib starts with.
    records.write(tmp_path / "a", [b"x" * 0x78])
    assert records.compression_of(tmp_path / "a") == "NONE"
    assert list(records.read(tmp_path / "a")) == [b"x" * 0x78]


def test_gzip_of_several_members_is_one_stream(tmp_path):
    parts = [records.framed(record) for record in SOME]
    (tmp_path / "a").write_bytes(gzip.compress(b"".join(parts[:2])) + gzip.compress(b"".join(parts[2:])))
    assert list(records.read(tmp_path / "a")) == SOME


def test_the_same_records_give_the_same_bytes(tmp_path):
    for name in "ab":
        records.write(tmp_path / name, SOME, "GZIP")
    content = (tmp_path / "a").read_bytes()
    assert content == (tmp_path / "b").read_bytes()
    assert content[4:8] == bytes(4)  # RFC 1952: the time of writing


def test_bad_checksum_names_the_record_and_only_it_is_skipped(three):
    damage(three, STARTS[1] + 12)
    assert refusal(three) == f"{three}: record 1: bad checksum of its 20 bytes: --skip-bad passes over it"
    assert list(records.read(three, skip_bad=True)) == [b"a" * 10, b"c" * 30]
    with pytest.raises(tf.errors.DataLossError):
        by_tensorflow(three)


@pytest.mark.parametrize("byte", range(12))
def test_bad_length_names_the_record_and_the_next_one_is_found_again(three, byte):
    damage(three, STARTS[1] + byte)
    assert "record 1: bad length: its checksum does not match; 36 bytes are passed over" in refusal(three)
    assert list(records.read(three, skip_bad=True)) == [b"a" * 10, b"c" * 30]


def test_bad_length_of_the_first_record(three):
    damage(three, 0)
    assert "record 0: bad length" in refusal(three)
    assert list(records.read(three, skip_bad=True)) == [b"b" * 20, b"c" * 30]


def test_bad_length_of_the_last_record(three):
    damage(three, STARTS[2])
    assert "record 2: bad length" in refusal(three)
    assert list(records.read(three, skip_bad=True)) == [b"a" * 10, b"b" * 20]


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (45, "45 bytes left, expected 46"),
        (42, "42 bytes left, expected 46"),
        (12, "12 bytes left, expected 46"),
        (11, "11 bytes left, a header has 12"),
        (1, "1 bytes left, a header has 12"),
    ],
)
def test_truncated_names_the_record(three, left, says):
    three.write_bytes(three.read_bytes()[: STARTS[2] + left])
    assert f"record 2: truncated: {says}: " in refusal(three)
    assert list(records.read(three, skip_bad=True)) == [b"a" * 10, b"b" * 20]


def test_a_file_that_ends_between_records_is_whole(three):
    three.write_bytes(three.read_bytes()[: STARTS[2]])
    assert list(records.read(three)) == [b"a" * 10, b"b" * 20]


def test_two_damaged_records_are_both_reported(three):
    damage(three, STARTS[0] + 12)
    damage(three, STARTS[2] + 12)
    assert [number for number, _ in problems(three)] == [0, 2]


def test_a_length_far_past_the_end_is_truncated_not_allocated(tmp_path):
    length = struct.pack("<Q", 1 << 60)
    content = length + struct.pack("<I", records.masked_crc(length)) + b"abc"
    (tmp_path / "a").write_bytes(content)
    assert "record 0: truncated: 15 bytes left, expected 1,152,921,504,606,846,992" in refusal(tmp_path / "a")


@pytest.mark.parametrize("compression", ["ZLIB", "GZIP"])
def test_a_compressed_file_that_is_cut_short(tmp_path, compression):
    many = [os.urandom(1000) for _ in range(5)]  # does not compress: the cut falls into the last record
    (path,) = records.write(tmp_path / "a", many, compression)
    path.write_bytes(path.read_bytes()[:-500])
    kind = compression.lower()
    assert f"record 4: damaged {kind} stream (it is cut short)" in refusal(path)
    assert list(records.read(path, skip_bad=True)) == many[:4]
    assert len(problems(path)) == 1


def test_a_compressed_file_with_a_wrong_checksum_at_its_end(tmp_path):
    (path,) = records.write(tmp_path / "a", SOME, "ZLIB")
    damage(path, -1)
    assert "record 4: damaged zlib stream (" in refusal(path)
    assert list(records.read(path, skip_bad=True)) == SOME


def test_damage_inside_the_compressed_stream(tmp_path):
    content = bytearray(b"".join(records.framed(record) for record in SOME))
    content[12] ^= 1
    (tmp_path / "a").write_bytes(zlib.compress(bytes(content)))
    assert "record 0: bad checksum of its 5 bytes" in refusal(tmp_path / "a")
    assert list(records.read(tmp_path / "a", skip_bad=True)) == SOME[1:]


@pytest.mark.parametrize("written", records.COMPRESSIONS)
@pytest.mark.parametrize("read", records.COMPRESSIONS)
def test_wrong_compression_is_said_with_the_right_one(tmp_path, written, read):
    (path,) = records.write(tmp_path / "a", SOME, written)
    if written == read:
        assert list(records.read(path, read)) == SOME
    else:
        assert f"its compression is {written}, not {read}: read it with {written}" in refusal(path, compression=read)


def test_unknown_compression(three):
    assert "choose one of NONE, ZLIB, GZIP" in refusal(three, compression="BZ2")
    with pytest.raises(InputError, match="choose one of NONE, ZLIB, GZIP"):
        records.write(three, [], "BZ2", force=True)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "0 bytes, no record"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(40)), "record 0: no TFRecord file: 89 50 4e 47 0d 0a 1a 0a"),
        (b"short", "record 0: no TFRecord file: 73 68 6f 72 74"),
        (bytes(100), "record 0: no TFRecord file"),
    ],
)
def test_what_is_no_tfrecord_file(tmp_path, content, says):
    (tmp_path / "a").write_bytes(content)
    assert says in refusal(tmp_path / "a")
    assert says in refusal(tmp_path / "a", skip_bad=True)


def test_what_cannot_be_read(tmp_path):
    assert "cannot be read" in refusal(tmp_path / "missing")
    assert "not a regular file" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")


def test_shards_hold_consecutive_records_under_the_sources_names(tmp_path):
    many = [b"%d" % i for i in range(7)]
    paths = records.write(tmp_path / "data.tfrecords", many, shards=3)
    assert [path.name for path in paths] == [f"data.tfrecords-{i:05d}-of-00003" for i in range(3)]
    read = [list(records.read(path)) if path.stat().st_size else [] for path in paths]
    assert sum(read, []) == many and max(map(len, read)) - min(map(len, read)) <= 1
    assert len(list(tmp_path.iterdir())) == 3


def test_a_shard_that_cannot_be_written_leaves_none(tmp_path):
    (tmp_path / "a-00001-of-00002").write_bytes(b"old")
    with pytest.raises(InputError, match="a-00001-of-00002: exists already"):
        records.write(tmp_path / "a", SOME, shards=2)
    assert [path.name for path in tmp_path.iterdir()] == ["a-00001-of-00002"]
    records.write(tmp_path / "a", SOME, shards=2, force=True)
    assert len(list(tmp_path.iterdir())) == 2


def test_shards_of_another_number_are_not_mixed(tmp_path):
    records.write(tmp_path / "a", SOME, shards=2)
    with pytest.raises(InputError, match="a-00000-of-00002: belongs to another set of shards"):
        records.write(tmp_path / "a", SOME, shards=3, force=True)


def test_a_file_is_not_overwritten_without_force(three):
    before = three.read_bytes()
    with pytest.raises(InputError, match="exists already"):
        records.write(three, SOME)
    assert three.read_bytes() == before
    records.write(three, SOME, force=True)
    assert by_tensorflow(three) == SOME
