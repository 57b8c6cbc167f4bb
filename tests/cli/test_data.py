"""`tf1ref data`: what files hold, and what is damaged in them, by file and record number."""

import argparse
import json

import pytest
import tensorflow as tf
from PIL import Image

from tf1ref.cli import data as data_tools
from tf1ref.data.formats import records
from tf1ref.errors import InputError


def example(**features):
    """A serialized tf.train.Example; the type is that of the first value."""
    made = {}
    for name, values in features.items():
        kind = type(values[0])
        if kind is int:
            made[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        elif kind is float:
            made[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
        else:
            made[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString()


@pytest.fixture
def data(capsys):
    """Runs one of the three verbs in this process; returns its standard output."""

    def run(*arguments):
        parser = argparse.ArgumentParser()
        data_tools.add_verbs(parser.add_subparsers())
        parsed = parser.parse_args(["data", *map(str, arguments)])
        parsed.verb(parsed)
        return capsys.readouterr().out

    return run


@pytest.fixture
def refuses(data, capsys):
    """Runs a verb and returns the one line it refuses the input with; `records` has printed what came before."""

    def run(*arguments):
        with pytest.raises(InputError) as error:
            data(*arguments)
        capsys.readouterr()
        assert "\n" not in str(error.value)
        return str(error.value)

    return run


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.tfrecord"
    rows = [example(label=[i], name=[b"n%d" % i], val=[0.5] * (i + 1)) for i in range(3)]
    records.write(path, rows, "GZIP")
    return path


@pytest.fixture
def pictures(tmp_path):
    for name in ("daisy", "roses"):
        (tmp_path / "flowers" / name).mkdir(parents=True)
        for i in range(2):
            Image.new("RGB", (4, 4), (i * 90, 0, 0)).save(tmp_path / "flowers" / name / f"{i}.png")
    return tmp_path / "flowers"


def test_ls_tells_compression_records_and_features(data, good):
    (found,) = json.loads(data("ls", "--json", good))
    assert (found["kind"], found["compression"], found["records"], found["bad"]) == ("TFRecord", "GZIP", 3, [])
    assert found["features"] == {
        "label": {"type": "int64", "records": 3, "fewest": 1, "most": 1},
        "name": {"type": "bytes", "records": 3, "fewest": 1, "most": 1},
        "val": {"type": "float", "records": 3, "fewest": 1, "most": 3},
    }
    shown = data("ls", good)
    assert "good.tfrecord: TFRecord, GZIP, 3 records" in shown and "1 - 3" in shown


def test_records_prints_a_line_a_record(data, good):
    lines = data("records", good).splitlines()
    assert len(lines) == 3
    assert lines[1].endswith("label: int64[1] 1; name: bytes[1] n1; val: float[2] 0.5, 0.5")
    rows = json.loads(data("records", "--json", good))
    assert [row["number"] for row in rows] == [0, 1, 2]
    assert rows[2]["features"]["val"] == {"type": "float", "count": 3, "values": [0.5, 0.5, 0.5]}


def test_long_or_unprintable_bytes_are_counted_not_printed(data, tmp_path):
    records.write(tmp_path / "a", [example(a=[b"\x1b[2J"], b=[b"x" * 100], c=[b"\xff"], d=[b"two words"])])
    (line,) = data("records", tmp_path / "a").splitlines()
    words = line.split("\t")[2]
    assert words == "a: bytes[1] 4 bytes; b: bytes[1] 100 bytes; c: bytes[1] 1 bytes; d: bytes[1] two words"


def test_what_is_no_example_is_said_to_be_none(data, tmp_path):
    records.write(tmp_path / "a", [b"\xff\xff\xff", example(label=[1])])
    (found,) = json.loads(data("verify", "--json", tmp_path / "a"))
    assert (found["records"], found["no_example"]) == (2, 1)
    assert "not a tf.train.Example" in data("records", tmp_path / "a").splitlines()[0]


def test_a_corrupt_record_is_named_and_skip_bad_counts_it(data, refuses, tmp_path):
    path = tmp_path / "a.tfrecord"
    rows = [example(label=[i]) for i in range(4)]
    records.write(path, rows)
    content = bytearray(path.read_bytes())
    content[2 * (len(rows[0]) + 16) + 12] ^= 1
    path.write_bytes(content)
    says = f"{path}: record 2: bad checksum of its {len(rows[0])} bytes: --skip-bad counts it and goes on"
    for verb in ("ls", "verify", "records"):
        assert refuses(verb, path) == says
    (found,) = json.loads(data("verify", "--skip-bad", "--json", path))
    assert found["records"] == 3
    assert [(bad["where"], bad["offset"]) for bad in found["bad"]] == [("record 2", 2 * (len(rows[0]) + 16))]
    assert "1 bad, passed over" in data("verify", "--skip-bad", path)
    assert "BAD: bad checksum" in data("records", "--skip-bad", path).splitlines()[2]


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ("label:int64,lable:int64", "record 0: no feature 'lable'; nearest: label"),
        ("image_raw:bytes", "record 0: no feature 'image_raw'; it has: label, name, val"),
        ("label:float", "record 0: feature 'label' is int64, expected float"),
    ],
)
def test_wrong_feature_names_and_types(data, refuses, good, features, says):
    assert says in refuses("verify", "--features", features, good)
    (found,) = json.loads(data("verify", "--features", features, "--skip-bad", "--json", good))
    assert found["records"] == 0 and len(found["bad"]) == 3


def test_right_features(data, good):
    assert "3 records" in data("verify", "--features", "label:int64,val:float,name:bytes", good)


@pytest.mark.parametrize("text", ["label", "label:int32", ":int64", "label:int64,"])
def test_bad_features_option(refuses, good, text):
    assert "write NAME:TYPE, the type one of bytes, float, int64" in refuses("verify", "--features", text, good)


def test_a_feature_that_changes_its_type(data, refuses, tmp_path):
    path = tmp_path / "a"
    records.write(path, [example(label=[1]), example(label=[b"one"]), example(other=[1])])
    assert f"{path}: record 1: feature 'label' is bytes, expected int64" in refuses("verify", path)
    (found,) = json.loads(data("verify", "--skip-bad", "--json", path))
    assert found["records"] == 2 and found["features"]["other"]["records"] == 1


def test_a_record_that_is_no_example_where_features_are_wanted(refuses, tmp_path):
    records.write(tmp_path / "a", [b"\xff\xff\xff"])
    assert "record 0: not a tf.train.Example" in refuses("verify", "--features", "label:int64", tmp_path / "a")


def test_tensorflow_refuses_the_same_record(tmp_path):
    # The independent judge of "wrong type": TensorFlow's own parser.
    with pytest.raises(tf.errors.InvalidArgumentError, match="Data types don't match"):
        tf.io.parse_single_example(example(label=[b"one"]), {"label": tf.io.FixedLenFeature([], tf.int64)})


def test_several_files_in_one_report(data, good, pictures):
    found = json.loads(data("verify", "--json", good, pictures))
    assert [each["kind"] for each in found] == ["TFRecord", "class folders"]


def test_zero_bytes_and_what_is_no_tfrecord_file(refuses, tmp_path):
    (tmp_path / "zero").touch()
    assert "zero: 0 bytes, no record" in refuses("ls", tmp_path / "zero")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    assert "picture.png: record 0: no TFRecord file" in refuses("verify", tmp_path / "picture.png")
    assert "missing: cannot be read" in refuses("ls", tmp_path / "missing")


def test_class_folders(data, pictures):
    (found,) = json.loads(data("ls", "--json", pictures))
    assert (found["kind"], found["records"], found["classes"]) == ("class folders", 4, {"daisy": 2, "roses": 2})
    assert data("records", pictures).splitlines()[2] == f"2\t{pictures}/roses/0.png\t1 roses"
    assert "4 pictures" in data("ls", pictures)


def test_a_picture_that_is_none_is_found_by_verify(data, refuses, pictures):
    whole = (pictures / "roses" / "0.png").read_bytes()
    (pictures / "daisy" / "0.png").write_bytes(b"no picture")
    (pictures / "roses" / "1.png").write_bytes(whole[:45])
    data("ls", pictures)  # looks at names alone
    assert "daisy/0.png: not a picture in a known format" in refuses("verify", pictures)
    (found,) = json.loads(data("verify", "--skip-bad", "--json", pictures))
    assert found["classes"] == {"daisy": 1, "roses": 1} and found["records"] == 2
    assert "damaged picture" in found["bad"][1]["reason"]


def test_lists_of_pictures(data, refuses, pictures):
    path = pictures / "list.txt"
    path.write_text("daisy/0.png daisy\nroses/0.png roses\nroses/9.png roses\n")
    assert f"{path}: line 3: label roses without a file" in refuses("ls", path)
    (found,) = json.loads(data("verify", "--skip-bad", "--json", path))
    assert (found["kind"], found["records"], len(found["bad"])) == ("list of pictures", 2, 1)
    assert "BAD: label roses without a file" in data("records", "--skip-bad", path).splitlines()[2]


def test_one_class_only_and_a_class_without_pictures(refuses, pictures):
    for picture in (pictures / "roses").iterdir():
        picture.unlink()
    assert "roses: no picture in it" in refuses("ls", pictures)
    (pictures / "roses").rmdir()
    assert "only one class, daisy" in refuses("ls", "--skip-bad", pictures)


def test_features_are_of_records_alone(refuses, pictures):
    assert "holds pictures, not records" in refuses("verify", "--features", "label:int64", pictures)


@pytest.mark.slow
def test_the_command_ends_with_2_and_one_line(refused, tf1ref, tmp_path, good):
    (tmp_path / "zero").touch()
    assert "zero: 0 bytes, no record" in refused("data", "verify", "zero")
    done = tf1ref("data", "verify", good)
    assert done.returncode == 0 and "3 records" in done.stdout and done.stderr == ""
