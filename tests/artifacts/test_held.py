"""Large constants stay in their file: what is read is as protobuf reads it, and TensorFlow alone answers the same."""

import weakref

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts import models
from tf1ref.artifacts.convert import convert
from tf1ref.artifacts.formats import messages
from tf1ref.artifacts.freeze import freeze
from tf1ref.artifacts.graph import answers, graphs, held
from tf1ref.artifacts.verify import verify
from tf1ref.errors import InputError

SIDE = 600  # a square matrix of so many float32 is larger than held.LARGE
W = np.random.default_rng(1).standard_normal((SIDE, SIDE)).astype(np.float32)
V = W.T[::-1].copy()
X = np.ones((2, SIDE), np.float32)


def product():
    """x [?, SIDE] -> y [?, SIDE] = x W V + b, where W and V are large."""
    x = v1.placeholder(tf.float32, [None, SIDE], name="x")
    w, v = (v1.identity(v1.constant(a, name=n), name=f"{n}/read") for n, a in (("w", W), ("v", V)))
    v1.add(v1.matmul(v1.matmul(x, w), v), v1.constant(W[0], name="b"), name="y")


@pytest.fixture
def path(graph):
    """A .pb of `product`."""
    return graph("m", product)


def read(path):
    """The message of a .pb whose large constants are held."""
    return messages.read(path, path.read_bytes()[:64], lean=True)[1]


def test_a_large_constant_stays_in_the_file_and_comes_back_to_the_byte(path):
    whole, lean = v1.GraphDef.FromString(path.read_bytes()), read(path)
    assert [n.name for n in lean.node if held.is_held(n)] == ["w", "v"]
    assert lean.ByteSize() < W.nbytes / 100
    np.testing.assert_array_equal(held.array(next(n for n in lean.node if n.name == "w")), W)
    assert held.filled(lean) == whole and [n.name for n in lean.node if held.is_held(n)] == ["w", "v"]


def test_answers_are_those_of_tensorflow_alone(path, answer, tmp_path):
    expected = answer(path, "y:0", {"x:0": X})
    artifact = models.load(path)
    ready = models.ready(artifact, artifact.outputs, artifact.inputs)
    np.testing.assert_array_equal(ready.model().answers({"x:0": X})["y:0"], expected)
    assert list(ready.inputs) == ["x"]
    freeze(path, ["y"], tmp_path / "again.pb")
    np.testing.assert_array_equal(answer(tmp_path / "again.pb", "y:0", {"x:0": X}), expected)
    assert verify(path, tmp_path / "again.pb").equal


def test_a_session_that_has_answered_holds_no_array(graph):
    """The next one may be as large. A variable takes over the memory of an array that begins at a multiple of 64."""
    path = graph("v", lambda: v1.identity(v1.get_variable("w", [SIDE]), name="y"))
    room = np.ones(SIDE * 4 + 64, np.uint8)
    start = -room.ctypes.data % 64
    array = room[start : start + SIDE * 4].view(np.float32)
    model = answers.Model(graphs.Graph(v1.GraphDef.FromString(path.read_bytes()), "v"), ["y:0"], {"w": array})
    np.testing.assert_array_equal(model.answers({})["y:0"], array)
    held_by = weakref.ref(array)
    model.assigned.clear()
    del array
    assert held_by() is None


def test_another_weight_is_noticed(path, graph):
    other = W.copy()
    other[-1, -1] = np.nextafter(other[-1, -1], np.float32(9))
    path.with_name("other.pb").write_bytes(path.read_bytes().replace(W.tobytes(), other.tobytes()))
    assert not verify(path, path.with_name("other.pb")).equal


@pytest.mark.slow
def test_it_becomes_a_variable_of_a_saved_model_and_of_a_checkpoint(path, answer, tmp_path):
    expected = answer(path, "y:0", {"x:0": X})
    assert convert(path, tmp_path / "saved", "saved_model").compared
    assert (tmp_path / "saved" / "saved_model.pb").stat().st_size < W.nbytes / 10
    found = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"](x=tf.constant(X))
    np.testing.assert_array_equal(found["y"], expected)
    assert convert(path, tmp_path / "checkpoint", "checkpoint").compared
    np.testing.assert_array_equal(tf.train.load_variable(str(tmp_path / "checkpoint"), "w"), W)
    convert(path, tmp_path / "w.npz")
    with np.load(tmp_path / "w.npz") as found:
        np.testing.assert_array_equal(found["w"], W)


def test_a_file_cannot_name_another_file(path, tmp_path):
    (tmp_path / "secret").write_bytes(b"\0" * W.nbytes)
    message = v1.GraphDef.FromString(path.read_bytes())
    node = next(n for n in message.node if n.name == "w")
    node.attr["value"].tensor.tensor_content = b""
    for mark in (b"", held.MARK):
        node.attr[held.HELD].s = mark + b"0:" + bytes(tmp_path / "secret")
        path.write_bytes(message.SerializeToString())
        # The mark is of this process: a file that has it was made by a test.
        assert held.is_held(next(n for n in read(path).node if n.name == "w")) == bool(mark)


def broken():
    """Yields (what, bytes of a GraphDef) that TensorFlow would not write."""
    with v1.Graph().as_default() as graph:
        product()
    whole = graph.as_graph_def()
    node = next(n for n in whole.node if n.name == "w")
    content = node.attr["value"].tensor.tensor_content
    node.attr["value"].tensor.tensor_content = content[:-4]
    yield "short", whole.SerializeToString()
    node.attr["value"].tensor.tensor_content = content
    node.attr["value"].tensor.float_val.append(1.0)
    yield "two values", whole.SerializeToString()
    del node.attr["value"].tensor.float_val[:]
    node.input.append("^b")
    yield "a control input", whole.SerializeToString()
    del node.input[:]
    node.attr["dtype"].type = tf.int32.as_datatype_enum
    yield "two types", whole.SerializeToString()
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    # A field that comes twice: the last one counts, or the two are merged.
    twice = v1.NodeDef(name="w", op="Const")
    twice.attr["value"].tensor.tensor_content = content
    yield "twice", whole.SerializeToString() + v1.GraphDef(node=[node]).SerializeToString()
    parts = [v1.NodeDef(name="v", op="Const").SerializeToString()] + [node.SerializeToString()] * 2
    yield "a value twice", v1.GraphDef(node=[v1.NodeDef.FromString(b"".join(parts))]).SerializeToString()
    joined = b"".join(parts)
    head = v1.GraphDef(node=[v1.NodeDef(name="n" * 2**20)]).SerializeToString()[: 5 - len(joined)]
    yield "cut off", head + joined


@pytest.mark.parametrize("what, data", list(broken()), ids=lambda value: value if isinstance(value, str) else "")
def test_what_tensorflow_would_not_write_is_left_to_protobuf(what, data, tmp_path):
    def outcome(lean):
        try:
            return held.filled(messages.read(tmp_path / "m.pb", data[:64], lean)[1])
        except InputError as e:
            return str(e)

    (tmp_path / "m.pb").write_bytes(data)
    assert outcome(lean=True) == outcome(lean=False)


def test_a_file_that_became_shorter_is_an_error(path):
    lean = read(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="m.pb: changed while it was read"):
        held.filled(lean)
