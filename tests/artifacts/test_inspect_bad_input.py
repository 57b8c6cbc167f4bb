"""Whatever is wrong with a file: a report, or one line. Never another exception, a hang or gigabytes."""

import os
import struct

import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.formats import sstable
from tf1ref.data.formats import records

DATA = "model.data-00000-of-00001"


def _written(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["model.meta", "model.index", "graph.pb", "graph.pbtxt", "records", "old"])
def test_a_half_is_never_taken_for_the_whole(originals, tmp_path, name, judged):
    for other in ("model.meta", "model.index", DATA):
        (tmp_path / other).write_bytes(originals[other])
    for share in range(1, 8):
        cut = originals[name][: len(originals[name]) * share // 8]
        line = judged(_written(tmp_path / name, cut))
        if not line:  # binary protocol buffers may be cut between two nodes: then what reads the rest tells
            assert name in ("graph.pb", "graph.pbtxt", "model.meta", "records"), share


def test_what_is_no_model_at_all(tmp_path, judged):
    wrong = {
        "empty": b"",
        "text.txt": b"These are notes about a model.\n",
        "zeros": bytes(1000),
        "ones": b"\xff" * 1000,
        "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(50),
        "archive.zip": b"PK\x03\x04" + bytes(50),
        "numbers.npy": b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'}",
        "page.html": b"<html><body>not found</body></html>",
        "data.json": b'{"node": 3}',
        "module.py": b"import os\nos.abort()\n",
        "pickle.pkl": b"cos\nsystem\n(S'touch /tmp/owned'\ntR.",
        "utf16.pbtxt": "node { }".encode("utf-16"),
    }
    for name, data in wrong.items():
        assert judged(_written(tmp_path / name, data)), name
    assert "0 bytes" in judged(tmp_path / "empty")


def test_paths_that_are_nothing_to_read(tmp_path, judged):
    (tmp_path / "model.pb").write_bytes(b"x")
    assert "nearest: model.pb" in judged(tmp_path / "modell.pb")
    assert "a folder without" in judged(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in judged(tmp_path / "pipe")
    os.symlink(tmp_path / "nowhere", tmp_path / "dangling")
    assert judged(tmp_path / "dangling")


def test_parts_of_checkpoints(originals, tmp_path, judged):
    for name in ("model.meta", "model.index"):
        (tmp_path / name).write_bytes(originals[name])
    assert "model.data-*: missing: an index without its data" in judged(tmp_path / "model")
    assert "missing" in judged(tmp_path / "model.index") and "missing" in judged(tmp_path)
    os.remove(tmp_path / "model.index")
    assert "model.index: missing" in judged(tmp_path / "model")
    (tmp_path / DATA).write_bytes(originals[DATA])
    assert judged(tmp_path / DATA)
    for name in ("a", "b"):
        for part in ("meta", "index"):
            (tmp_path / f"{name}.{part}").write_bytes(originals[f"model.{part}"])
    assert "several checkpoints and no state file: name one of a, b" in judged(tmp_path)
    # The prefix of this one has no name.
    (tmp_path / ".index").write_bytes(originals["model.index"])
    assert "name one of .index, a, b" in judged(tmp_path)


def test_a_missing_shard(tmp_path, judged):
    with v1.Graph().as_default(), v1.Session(config=v1.ConfigProto(device_count={"CPU": 2})) as sess:
        for number in range(2):
            with v1.device(f"/cpu:{number}"):
                v1.get_variable(f"v{number}", [4], initializer=v1.zeros_initializer())
        sess.run(v1.global_variables_initializer())
        for version in (1, 2):
            saver = v1.train.Saver(sharded=True, write_version=version)
            saver.save(sess, str(tmp_path / f"s{version}"), write_meta_graph=False)
    for version, names in ((1, "s1-0000{}-of-00002"), (2, "s2.data-0000{}-of-00002")):
        assert not judged(tmp_path / f"s{version}")
        os.remove(tmp_path / names.format(1))
        line = judged(tmp_path / f"s{version}")
        assert f"{names.format(1)}: missing: the checkpoint is in 2" in line and "1 are there" in line


def test_fields_that_claim_to_be_huge(tmp_path, judged):
    """Lengths beyond the file, in every format that has lengths."""
    length = b"\xff\xff\xff\xff\x07"
    huge = {
        "graph": b"\x0a" + length + b"x" * 10,
        "record": (head := struct.pack("<Q", 2**62)) + struct.pack("<I", records.masked_crc(head)) + b"x",
        "table": b"x" * 10 + b"\x00\x00" + (b"\xff" * 8 + b"\x7f") * 2 + bytes(20) + sstable.MAGIC,
        "many": b"\x0a\x00" * 500_000,
    }
    for name, data in huge.items():
        assert judged(_written(tmp_path / name, data)), name


def test_circles_and_depths(tmp_path, judged):
    circle = 'node { name: "a" op: "Neg" input: "b" } node { name: "b" op: "Neg" input: "a:0" }'
    line = judged(_written(tmp_path / "c.pbtxt", circle.encode()))
    assert "read each other in a circle (a <- b <- a)" in line
    assert "in a circle" in judged(_written(tmp_path / "self.pbtxt", b'node { name: "a" op: "Neg" input: "^a" }'))
    deep = 'node { name: "a" op: "Neg" attr { key: "f" value { ' + 'func { attr { key: "f" value { ' * 5000
    assert "more levels" in judged(_written(tmp_path / "d.pbtxt", (deep + "} " * 15002).encode()))
    packed = b""
    for _ in range(3000):
        inner = b"\x0a\x01f\x12" + _length(b"\x52" + _length(b"\x12" + _length(packed)))
        packed = inner
        if len(packed) > 20_000:
            break
    binary = b"\x0a" + _length(b"\x0a\x01a\x12\x03Neg\x2a" + _length(packed))
    assert judged(_written(tmp_path / "d.pb", binary))


def _length(data):
    size, out = len(data), b""
    while size > 127:
        out, size = out + bytes([size & 127 | 128]), size >> 7
    return out + bytes([size]) + data


def test_a_loop_is_no_circle(tmp_path, judged):
    with v1.Graph().as_default() as graph:
        v1.while_loop(lambda i: i < 3, lambda i: i + 1, [tf.constant(0)], name="loop")
    nodes = {n.op for n in graph.as_graph_def().node}
    (tmp_path / "g.pb").write_bytes(graph.as_graph_def().SerializeToString())
    assert nodes and not judged(tmp_path / "g.pb")
    ring = 'node { name: "m" op: "Merge" input: "e" input: "n" } node { name: "n" op: "NextIteration" input: "m" }'
    assert not judged(_written(tmp_path / "ring.pbtxt", (ring + 'node { name: "e" op: "Enter" }').encode()))


@pytest.mark.slow
def test_a_long_chain_takes_no_stack(tmp_path, judged):
    graph_def = v1.GraphDef()
    for i in range(3_000, 0, -1):  # from the end; Python itself goes 1,000 deep
        graph_def.node.add(name=f"n{i}", op="Identity", input=[f"n{i - 1}"])
    graph_def.node.add(name="n0", op="Placeholder")
    assert not judged(_written(tmp_path / "g.pb", graph_def.SerializeToString()))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('node { name: "a" op: "Neg" } node { name: "a" op: "Neg" }', "two nodes are called 'a'"),
        ('node { name: "a" op: "Neg" input: "" }', "node 'a' reads ''"),
        ('node { name: "a" op: "Neg" input: "b:c" }', "reads 'b:c', which is no name"),
        ('node { name: "a" op: "Neg" } node { name: "b" }', "node 1 has no op"),
        ('node { name: "a" op: "Neg" } node { op: "Neg" }', "node 1 has no name"),
        ('node { name: "a" op: "Neg" colour: 3 }', 'no field named "colour"'),
        ('node { name: "a" op: "Neg', "damaged"),
        ("node { name: 3 }", "damaged"),
        ("#" * 50_000 + "\nnode {", "damaged"),
        ("# " * 2_000, "not recognised"),
    ],
)
def test_texts(tmp_path, text, says, judged):
    assert says in judged(_written(tmp_path / "g.pbtxt", text.encode()))
