"""Weights alone: npz, text, checkpoints of names and of objects; a new model's names."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.convert import convert
from tf1ref.artifacts.convert import weights as convert_weights
from tf1ref.artifacts.formats import weights
from tf1ref.errors import InputError

ODD = {
    "layer/w": np.array([[0.1, -0.0], [np.inf, 1e-45]], np.float32),
    "layer/nan": np.array([0x7FC00001, 0xFFC00000], np.uint32).view(np.float32),
    "layer/w/Momentum": np.full((2, 2), 1 / 3, np.float32),
    "double": np.array([1 / 3, 5e-324]),
    "half": np.array([1 / 3], np.float16),
    "v1.0/step": np.array(2**62, np.int64),
    "flags": np.array([True, False]),
    "complex": np.array([1 / 3 - 0.1j], np.complex64),
    "empty": np.zeros((0, 3), np.float32),
}


@pytest.fixture
def source(tmp_path):
    """An npz of what is hard to write."""
    np.savez(tmp_path / "source.npz", **ODD)
    return tmp_path / "source.npz"


def bits(arrays):
    return {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in arrays.items()}


@pytest.mark.parametrize("kind", ["npz", "text", "checkpoint", "objects"])
def test_every_kind_of_weights_there_and_back(source, tmp_path, kind):
    report = convert(source, tmp_path / "there", kind)
    assert (report.compared, report.names.unmatched, report.names.unused) == (1, [], [])
    assert report.names.matched == {name: name for name in sorted(ODD)} or set(report.names.matched) == set(ODD)
    for back in ("npz", "text", "checkpoint", "objects"):
        convert(tmp_path / "there", tmp_path / back, back)
        convert(tmp_path / back, tmp_path / "end.npz", force=True)
        with np.load(tmp_path / "end.npz", allow_pickle=False) as found:
            assert bits(dict(found)) == bits(ODD)
    convert(tmp_path / "there", tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "end.npz").read_bytes()


@pytest.mark.parametrize("kind", ["checkpoint", "objects"])
def test_many_weights_are_written_as_the_same_bytes(tmp_path, monkeypatch, kind):
    types = {name: np.ones([2, 3], tf.as_dtype(name).as_numpy_dtype) for name in ("bfloat16", "float8_e5m2", "int4")}
    with v1.Graph().as_default(), v1.Session() as sess:
        words = np.array([b"a\0", b""], object)
        for name, value in {**ODD, **types, "words": words}.items():
            v1.Variable(value, name=name)
        sess.run(v1.global_variables_initializer())
        source = v1.train.Saver().save(sess, str(tmp_path / "source"), write_meta_graph=False)
    written = []
    for most in (1000, 0):
        monkeypatch.setattr(convert_weights, "MOST_FED", most)
        convert(source, tmp_path / "to", kind, force=True)
        written.append({path.name: path.read_bytes() for path in (tmp_path / "to").iterdir()})
    assert written[0] == written[1] and len(written[0]) == 3
    with pytest.raises(InputError, match="TensorFlow has no datetime64"):
        convert_weights.checkpoint({"w": np.array(["2020-01-01"], "M8[D]")}, tmp_path / "dates")


@pytest.mark.parametrize("most", [1000, 0])
def test_what_cannot_be_written_is_said_without_tensorflows_own_words(tmp_path, monkeypatch, most):
    monkeypatch.setattr(convert_weights, "MOST_FED", most)
    monkeypatch.setattr(convert_weights, "NAME", "/dev/null/model.ckpt")  # no folder
    with pytest.raises(InputError, match="cannot be written: /dev/null.*Not a directory") as found:
        convert_weights.checkpoint({"w": np.ones(2)}, tmp_path / "to")
    assert "function_node" not in str(found.value) and "Op:" not in str(found.value) and "Hint" not in str(found.value)


def test_a_checkpoint_of_names_is_read_by_a_saver(source, tmp_path):
    convert(source, tmp_path / "c", "checkpoint", maps={"layer/w": "weights"})
    with v1.Graph().as_default(), v1.Session() as sess:
        w = v1.get_variable("weights", [2, 2])
        v1.train.Saver([w]).restore(sess, tf.train.latest_checkpoint(str(tmp_path / "c")))
        assert sess.run(w).tobytes() == ODD["layer/w"].tobytes()


def test_text_can_be_read(source, tmp_path):
    convert(source, tmp_path / "w.txt")
    lines = (tmp_path / "w.txt").read_text().split("\n")
    assert lines[0] == weights.HEADER
    at = lines.index("layer/w float32 [2, 2]")
    assert lines[at + 1].split() == ["0.1", "-0.0", "inf", "1e-45"]


class Model(tf.Module):
    """layer.kernel, layer.bias and steps; the names of its variables say nothing."""

    def __init__(self):
        super().__init__()
        self.layer = tf.Module()
        self.layer.kernel = tf.Variable(tf.zeros([4, 3]))
        self.layer.bias = tf.Variable(tf.zeros([3]), name="b")
        self.steps = tf.Variable(0, dtype=tf.int64)


@pytest.fixture
def old(tmp_path):
    arrays = {"w": np.arange(12, dtype=np.float32).reshape(4, 3), "b": np.ones(3, np.float32), "steps": np.int64(9)}
    np.savez(tmp_path / "old.npz", **arrays, unrelated=np.zeros(2))
    return tmp_path / "old.npz"


@pytest.fixture
def fresh(tmp_path):
    """A checkpoint of the new model as it starts."""
    return tf.train.Checkpoint(model=Model()).save(str(tmp_path / "fresh" / "ckpt"))


MAPS = {"w": "model/layer/kernel", "steps": "model/steps"}


def test_objects_for_a_new_model(old, fresh, tmp_path):
    report = convert(old, tmp_path / "new", "objects", maps=MAPS, like=fresh)
    assert report.names.matched == {"w": "model/layer/kernel", "b": "model/layer/bias", "steps": "model/steps"}
    assert (report.names.unmatched, report.names.unused, report.compared) == ([], ["unrelated"], 1)
    model = Model()
    latest = tf.train.latest_checkpoint(str(tmp_path / "new"))
    tf.train.Checkpoint(model=model).restore(latest).assert_consumed()
    np.testing.assert_array_equal(model.layer.kernel, np.arange(12).reshape(4, 3))
    np.testing.assert_array_equal(model.layer.bias, np.ones(3))
    assert model.steps.numpy() == 9


def test_objects_without_a_model_follow_the_slashes(old, tmp_path):
    convert(old, tmp_path / "new", "objects", maps={"w": "layer/kernel", "b": "layer/bias", "unrelated": "v1.x"})
    model = Model()
    status = tf.train.Checkpoint(layer=model.layer, steps=model.steps).restore(
        tf.train.latest_checkpoint(str(tmp_path / "new"))
    )
    status.assert_existing_objects_matched()
    np.testing.assert_array_equal(model.layer.kernel, np.arange(12).reshape(4, 3))


@pytest.fixture
def refuses(tmp_path):
    def check(message, source, to="objects", name="new", **options):
        before = sorted(p.name for p in tmp_path.iterdir())
        with pytest.raises(InputError, match=message) as error:
            convert(source, tmp_path / name, to, **options)
        assert "\n" not in str(error.value) and sorted(p.name for p in tmp_path.iterdir()) == before

    return check


def test_a_name_that_stays_unmatched_is_a_failure(old, fresh, tmp_path, refuses):
    refuses(
        r"nothing for 1 of 3 names of .*: model/layer/kernel; unused: unrelated, w: --map OLD=NEW, or --partial",
        old,
        maps={"steps": "model/steps"},
        like=fresh,
    )
    report = convert(old, tmp_path / "new", "objects", maps={"steps": "model/steps"}, like=fresh, partial=True)
    assert (report.names.unmatched, sorted(report.names.unused)) == (["model/layer/kernel"], ["unrelated", "w"])
    model = Model()
    tf.train.Checkpoint(model=model).restore(tf.train.latest_checkpoint(str(tmp_path / "new"))).assert_consumed()
    assert model.steps.numpy() == 9 and not model.layer.kernel.numpy().any()


def test_names_that_cannot_be_mapped(old, fresh, source, refuses, saved):
    refuses(r"holds no 'ww' to map; nearest: w", old, maps={"ww": "x"})
    refuses(r"holds no 'ww' to map; nearest: w", old, maps={"ww": "x"}, like=fresh)
    refuses(r"two variables would be called 'b'", old, "npz", maps={"w": "b"})
    refuses(r"--map w=model/layer/kernle: .* holds no 'model/layer/kernle'; nearest: model/layer/kernel", old,
            maps={**MAPS, "w": "model/layer/kernle"}, like=fresh)  # fmt: skip
    refuses(r"b is float32\[3\], model/layer/kernel is float32\[4, 3\] in the new model", old,
            maps={"b": "model/layer/kernel", "w": "model/layer/bias", "steps": "model/steps"}, like=fresh)  # fmt: skip
    names = saved(lambda: v1.get_variable("v", initializer=1.0))
    refuses("no checkpoint of objects", old, like=names)
    refuses("--like is for a checkpoint of objects, not npz", old, "npz", like=fresh)
    refuses("weights without a graph: a saved_model needs one", old, "saved_model")
    refuses("--map and --like are for weights", names, "pb", name="new.pb", maps={"v": "w"})


DAMAGED = [
    "x float32 [2]\n1.0\n",
    "x float32 [2]\n1.0 2.0 3.0\n",
    "x float32 [2]\n1.0 two\n",
    "x floot [1]\n1\n",
    "x int8 [1]\n300\n",
    "x object [1]\n1\n",
    "x float32 [99999999999999]\n1\n",
    "x float32 [1]\n0xzz\n",
]


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_text(tmp_path, refuses, text):
    (tmp_path / "w.txt").write_text(f"{weights.HEADER}\n{text}")
    refuses(r"w.txt: .*damaged", tmp_path / "w.txt", "npz")


def test_what_cannot_be_text_or_npz(tmp_path, refuses):
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.get_variable("s", initializer=b"word")
        sess.run(v1.global_variables_initializer())
        strings = v1.train.Saver().save(sess, str(tmp_path / "strings"))
    refuses("s: .* cannot be written as numbers: convert to npz", strings, "text")
    convert(strings, tmp_path / "s.npz")
    with np.load(tmp_path / "s.npz", allow_pickle=False) as found:
        assert found["s"] == b"word"


@pytest.mark.parametrize("kind", ["objects", "checkpoint"])
def test_types_that_tensorflow_does_not_have(tmp_path, refuses, kind):
    for array in (np.array(["2020-01-01"], "M8[D]"), np.zeros([2], [("re", np.float32)]), np.zeros(2, np.longdouble)):
        np.savez(tmp_path / "w.npz", w=array)
        refuses("^w: cannot be written: TensorFlow has no .*: convert to npz", tmp_path / "w.npz", kind)
