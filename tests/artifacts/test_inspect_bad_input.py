"""Whatever is wrong with a file: a report, or one line. Never another exception, a hang or gigabytes."""

import os
import random
import resource
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf import text_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tf1ref.artifacts import sstable
from tf1ref.artifacts.inspect import inspect, node
from tf1ref.data import records
from tf1ref.errors import InputError

DATA = "model.data-00000-of-00001"
MOST_GROWTH = 300_000  # KB of resident memory that the whole corpus may add


def judged(path):
    """Inspects; returns "" for a report, the line for bad input. Anything else is the test's failure."""
    try:
        report = inspect(path)
    except InputError as e:
        assert "\n" not in str(e) and len(str(e)) < 700, str(e)[:900]
        assert os.path.basename(str(path)).split(".")[0] in str(e), "names the file"
        return str(e)
    for graph in report.graphs:
        for one in graph.outputs[:1]:
            node(path, one.name)
    return ""


def network():
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    w = v1.get_variable("w", initializer=np.ones((4, 3), np.float32))
    tf.nn.softmax(tf.matmul(x, w), name="y")


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """{file name: bytes} of one whole file of each kind, and the folder they lie in."""
    folder = tmp_path_factory.mktemp("originals")
    with v1.Graph().as_default() as graph, v1.Session() as sess:
        network()
        sess.run(v1.global_variables_initializer())
        v1.train.Saver().save(sess, str(folder / "model"))
        v1.saved_model.simple_save(
            sess, str(folder / "sm"), {"x": graph.get_tensor_by_name("x:0")}, {"y": graph.get_tensor_by_name("y:0")}
        )
    graph_def = graph.as_graph_def()
    tf.raw_ops.Save(filename=str(folder / "old"), tensor_names=["a", "b"], data=[tf.ones([3]), tf.zeros([2, 2])])
    example = tf.train.Example(features=tf.train.Features(feature={"f": tf.train.Feature()}))
    event = v1.Event(file_version="brain.Event:2").SerializeToString()
    kinds = {name: (folder / name).read_bytes() for name in ("model.meta", "model.index", DATA, "old")}
    kinds["saved_model.pb"] = (folder / "sm" / "saved_model.pb").read_bytes()
    kinds["graph.pb"] = graph_def.SerializeToString()
    kinds["graph.pbtxt"] = text_format.MessageToString(graph_def).encode()
    kinds["meta.pbtxt"] = text_format.MessageToString(v1.MetaGraphDef.FromString(kinds["model.meta"])).encode()
    kinds["records"] = b"".join(records.framed(example.SerializeToString()) for _ in range(3))
    kinds["zipped"] = zlib.compress(kinds["records"])
    kinds["events"] = b"".join(map(records.framed, (event, v1.Event(graph_def=b"g", step=3).SerializeToString())))
    return kinds


def damages(name, data):
    """Yields (what was done, bytes): truncations, flipped bits, foreign bytes put in, spans that are gone."""
    chance = random.Random(name)
    for share in (0, 1, 2, 3, 5, 9):
        yield f"cut {share}/10", data[: len(data) * share // 10]
    yield "a byte less", data[:-1]
    yield "its first bytes gone", data[7:]
    for number in range(12):
        flipped = bytearray(data)
        flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        yield f"bit {number}", bytes(flipped)
    for junk in (b"\xff" * 10, b"\x0a\xff\xff\xff\xff\x0f", b"\0" * 100, b"\x12\x80\x80\x80\x80\x80\x80\x80\x80\x7f"):
        place = chance.randrange(len(data))
        yield "bytes put in", data[:place] + junk + data[place:]
        yield "bytes replaced", data[:place] + junk + data[place + len(junk) :]


def test_a_corpus_of_damaged_files(originals, tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tried, refused = 0, 0
    for name, data in originals.items():
        for other in ("model.meta", "model.index", DATA):
            (tmp_path / other).write_bytes(originals[other])
        assert not judged(_written(tmp_path / name, data)), name
        for done, bad in damages(name, data):
            tried += 1
            line = judged(_written(tmp_path / name, bad))
            assert bad or "0 bytes" in line or name == DATA, f"{name}: {done}: {line}"
            refused += bool(line)
    assert tried >= 200 and refused > tried / 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_GROWTH


def _written(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["model.meta", "model.index", "graph.pb", "graph.pbtxt", "records", "old"])
def test_a_half_is_never_taken_for_the_whole(originals, tmp_path, name):
    for other in ("model.meta", "model.index", DATA):
        (tmp_path / other).write_bytes(originals[other])
    for share in range(1, 8):
        cut = originals[name][: len(originals[name]) * share // 8]
        line = judged(_written(tmp_path / name, cut))
        if not line:  # binary protocol buffers may be cut between two nodes: then what reads the rest tells
            assert name in ("graph.pb", "graph.pbtxt", "model.meta", "records"), share


def test_what_is_no_model_at_all(tmp_path):
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


def test_paths_that_are_nothing_to_read(tmp_path):
    (tmp_path / "model.pb").write_bytes(b"x")
    assert "nearest: model.pb" in judged(tmp_path / "modell.pb")
    assert "a folder without" in judged(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in judged(tmp_path / "pipe")
    os.symlink(tmp_path / "nowhere", tmp_path / "dangling")
    assert judged(tmp_path / "dangling")


def test_parts_of_checkpoints(originals, tmp_path):
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


def test_a_missing_shard(tmp_path):
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


def test_fields_that_claim_to_be_huge(tmp_path):
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


def test_circles_and_depths(tmp_path):
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


def test_a_loop_is_no_circle(tmp_path):
    with v1.Graph().as_default() as graph:
        v1.while_loop(lambda i: i < 3, lambda i: i + 1, [tf.constant(0)], name="loop")
    nodes = {n.op for n in graph.as_graph_def().node}
    (tmp_path / "g.pb").write_bytes(graph.as_graph_def().SerializeToString())
    assert nodes and not judged(tmp_path / "g.pb")
    ring = 'node { name: "m" op: "Merge" input: "e" input: "n" } node { name: "n" op: "NextIteration" input: "m" }'
    assert not judged(_written(tmp_path / "ring.pbtxt", (ring + 'node { name: "e" op: "Enter" }').encode()))


def test_a_long_chain_takes_no_stack(tmp_path):
    graph_def = v1.GraphDef()
    for i in range(30_000, 0, -1):  # from the end: what reads comes before what is read
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
def test_texts(tmp_path, text, says):
    assert says in judged(_written(tmp_path / "g.pbtxt", text.encode()))


ATTRIBUTES = st.sampled_from(["T", "dtype", "shape", "value", "_output_shapes", "is_training", "strides", "_class"])
NUMBERS = st.integers(-(2**63), 2**63 - 1)


@st.composite
def graph_defs(draw):
    """GraphDefs that parse, of known ops with attributes and inputs that need not fit them."""
    graph_def = v1.GraphDef()
    ops = [
        "Const",
        "Reshape",
        "Squeeze",
        "MatMul",
        "Conv2D",
        "MaxPool",
        "Mean",
        "Add",
        "FusedBatchNorm",
        "Placeholder",
        "VarHandleOp",
        "Softmax",
    ]
    for i in range(draw(st.integers(1, 6))):
        one = graph_def.node.add(name=f"n{i}", op=draw(st.sampled_from(ops)))
        one.input.extend(draw(st.lists(st.sampled_from([f"n{j}" for j in range(i)] + ["n9", "^n8"]), max_size=3)))
        for name in draw(st.lists(ATTRIBUTES, max_size=4)):
            kind = draw(st.integers(0, 5))
            value = one.attr[name]
            if kind == 0:
                value.type = draw(st.integers(0, 200))
            elif kind == 1:
                value.list.i.extend(draw(st.lists(NUMBERS, max_size=5)))
            elif kind == 2:
                value.list.shape.add().dim.add(size=draw(NUMBERS))
            elif kind == 3:
                for size in draw(st.lists(NUMBERS, max_size=5)):
                    value.shape.dim.add(size=size)
            elif kind == 4:
                value.tensor.dtype = draw(st.sampled_from([0, 1, 3, 7, 9]))
                for size in draw(st.lists(st.integers(-1, 5) | NUMBERS, max_size=3)):
                    value.tensor.tensor_shape.dim.add(size=size)
                value.tensor.tensor_content = draw(st.binary(max_size=40))
                value.tensor.int_val.extend(draw(st.lists(st.integers(-9, 9), max_size=4)))
            else:
                value.s = draw(st.binary(max_size=8))
    return graph_def


QUICK = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUICK
@given(graph_defs())
def test_graphs_with_attributes_that_do_not_fit(tmp_path, graph_def):
    path = _written(tmp_path / "g.pb", graph_def.SerializeToString())
    assert not judged(path)
    for one in graph_def.node:
        node(path, one.name)


@QUICK
@given(st.data())
def test_fuzzed_files(originals, tmp_path, data):
    """Pieces of real files, moved, repeated, overwritten and cut, under the names of others."""
    for other in ("model.meta", "model.index", DATA):
        (tmp_path / other).write_bytes(originals[other])
    content = bytearray(originals[data.draw(st.sampled_from(sorted(originals)))])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, max(len(content) - 1, 0)))
        end = start + data.draw(st.integers(0, 64))
        content[start:end] = data.draw(st.binary(max_size=24)) * data.draw(st.integers(1, 3))
    judged(_written(tmp_path / data.draw(st.sampled_from(sorted(originals))), bytes(content)))
