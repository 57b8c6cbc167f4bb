"""What freeze takes: SavedModels of both kinds, graphs without variables, examples, old checkpoints in pieces."""

import pathlib
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf import text_format

from tf1ref.artifacts import Program
from tf1ref.artifacts import sources as freeze_sources
from tf1ref.artifacts.freeze import bytes as freeze_bytes
from tf1ref.artifacts.freeze import freeze
from tf1ref.artifacts.graph import constants, held
from tf1ref.artifacts.graph.graphs import Graph, bare
from tf1ref.catalog.programs import source_named
from tf1ref.errors import InputError

W = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
X = np.array([[1.0, -2.0, 3.0, 0.5]], np.float32)


def model():
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    y = tf.matmul(x, v1.get_variable("w", initializer=W), name="y")
    return x, y, tf.nn.softmax(y, name="p")


@pytest.fixture
def saved_model(tmp_path):
    """Writes a SavedModel of two signatures under each of `tags`; returns its folder."""

    def save(*tags):
        folder = tmp_path / "sm"
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
        predict = v1.saved_model.signature_def_utils.predict_signature_def
        with v1.Graph().as_default(), v1.Session() as sess:
            x, y, p = model()
            sess.run(v1.global_variables_initializer())
            signatures = {"serving_default": predict({"x": x}, {"y": y}), "likely": predict({"x": x}, {"p": p, "y": y})}
            builder.add_meta_graph_and_variables(sess, tags[0], signatures)
            for more in tags[1:]:
                builder.add_meta_graph(more, signatures)
        builder.save()
        return folder

    return save


def test_a_saved_model(saved_model, tmp_path, answer):
    folder = saved_model(["serve"])
    report = freeze(folder, [], tmp_path / "f.pb")
    assert list(report.outputs) == ["y:0"] and list(report.inputs) == ["x:0"] and report.compared
    assert report.notes == [
        "signature serving_default; there are likely too: --signature",
        "no outputs named, taken: y:0, the signature's",
    ]
    np.testing.assert_allclose(answer(tmp_path / "f.pb", "y:0", {"x:0": X}), X @ W, rtol=1e-6)
    report = freeze(folder / "saved_model.pb", [], tmp_path / "l.pb", signature="likely")
    assert list(report.outputs) == ["p:0", "y:0"]
    assert list(freeze(folder, ["p"], tmp_path / "p.pb").outputs) == ["p:0"]
    with pytest.raises(InputError, match="holds no signature 'likly'; nearest: likely: there are likely, serving_def"):
        freeze(folder, [], tmp_path / "x.pb", signature="likly")
    shutil.rmtree(folder / "variables")
    with pytest.raises(InputError, match="the outputs need the variables w, which have no values here"):
        freeze(folder, [], tmp_path / "x.pb")


def test_a_saved_model_of_several_graphs(saved_model, tmp_path):
    folder = saved_model(["train"], ["gpu", "serve"])
    with pytest.raises(InputError, match="holds 2 graphs: choose one by --tags: gpu,serve; train"):
        freeze(folder, [], tmp_path / "f.pb")
    with pytest.raises(InputError, match="no graph with the tags serve: there are gpu,serve; train"):
        freeze(folder, [], tmp_path / "f.pb", tags=("serve",))
    assert freeze(folder, [], tmp_path / "f.pb", tags=("serve", "gpu")).compared


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """A SavedModel that TensorFlow 2 wrote: two variables of one name, a function in a function."""
    module = tf.Module()
    module.w, module.b = tf.Variable(W, name="v"), tf.Variable([1.0, 2.0, 3.0], name="v")
    inner = tf.function(lambda x: tf.matmul(x, module.w))
    outer = lambda x: {"scores": tf.cond(tf.size(x) > 0, lambda: inner(x) + module.b, lambda: inner(x))}  # noqa: E731
    module.f = tf.function(outer, input_signature=[tf.TensorSpec([None, 4], name="x")])
    folder = tmp_path_factory.mktemp("tf2") / "sm"
    tf.saved_model.save(module, str(folder), signatures=module.f)
    return folder


def test_what_tensorflow_2_saved(objects, tmp_path, answer):
    report = freeze(objects, [], tmp_path / "f.pb")
    assert len(report.variables) == 2 and report.compared
    (x,), (y,) = report.inputs, report.outputs
    np.testing.assert_allclose(answer(tmp_path / "f.pb", y, {x: X}), X @ W + [1, 2, 3], rtol=1e-6)


def test_graphs_without_variables(saved, tmp_path, answer):
    freeze(saved(model), ["p"], tmp_path / "p.pb")
    graph_def = v1.GraphDef.FromString((tmp_path / "p.pb").read_bytes())
    (tmp_path / "p.pbtxt").write_text(text_format.MessageToString(graph_def))
    (tmp_path / "meta.dat").write_bytes(v1.MetaGraphDef(graph_def=graph_def).SerializeToString())
    for name in ("p.pb", "p.pbtxt", "meta.dat"):
        report = freeze(tmp_path / name, [], tmp_path / "again.pb", force=True)
        assert (tmp_path / "again.pb").read_bytes() == (tmp_path / "p.pb").read_bytes(), name
        assert report.notes == ["no outputs named, taken: p:0"]
    shutil.copy(tmp_path / "model.meta", tmp_path / "alone.dat")
    with pytest.raises(InputError, match="need the variables w, which have no values here: freeze the checkpoint"):
        freeze(tmp_path / "alone.dat", ["p"], tmp_path / "x.pb")
    (tmp_path / "v1").mkdir()
    tf.raw_ops.Save(filename=str(tmp_path / "v1" / "old"), tensor_names=["a"], data=[tf.ones([3])])
    with pytest.raises(InputError, match="old: V1 checkpoint without a graph"):
        freeze(tmp_path / "v1" / "old", [], tmp_path / "x.pb")


def test_guesses_are_named(saved, tmp_path):
    def trained():
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        labels = v1.placeholder(tf.int64, [None], name="labels")
        logits = tf.matmul(x, v1.get_variable("w", initializer=W), name="logits")
        tf.nn.softmax(logits, name="p")
        right = tf.equal(tf.argmax(logits, 1, name="found"), labels)
        tf.reduce_mean(tf.cast(right, tf.float32), name="accuracy")
        tf.argmax(v1.placeholder(tf.float32, [None, 3], name="one_hot"), 1, name="last")  # needs no variable

    (note,) = freeze(saved(trained), [], tmp_path / "f.pb").notes
    assert note.startswith("no outputs named, taken: found:0; others: p, ") and "accuracy" in note


@pytest.mark.parametrize(("version", "sharded"), [(1, False), (1, True), (2, True)])
def test_old_checkpoints(tmp_path, answer, version, sharded):
    with v1.Graph().as_default(), v1.Session(config=v1.ConfigProto(allow_soft_placement=True)) as sess:
        with v1.device("/cpu:1"):
            v1.get_variable("u", initializer=2.0)
        with v1.device("/cpu:0"):
            model()
        sess.run(v1.global_variables_initializer())
        saver = v1.train.Saver(write_version=version, sharded=sharded)
        saver.save(sess, str(tmp_path / "m"))
    report = freeze(tmp_path / "m", ["y"], tmp_path / "y.pb")
    assert report.compared
    np.testing.assert_allclose(answer(tmp_path / "y.pb", "y:0", {"x:0": X}), X @ W, rtol=1e-6)


@pytest.mark.parametrize("name", ["a*b", "a?b", "a[1]"])
def test_names_that_are_patterns(saved, tmp_path, name):
    """TensorFlow would look for what they match, and find nothing or another model."""
    prefix = saved(model, name="axb")
    for path in tmp_path.glob("axb.*"):
        shutil.copy(path, path.with_name(name + path.suffix))
    with pytest.raises(InputError, match=r"for a pattern: rename the file or folder"):
        freeze(tmp_path / name, ["y"], tmp_path / "y.pb")
    freeze(prefix, ["y"], tmp_path / "y[1].pb")


def test_an_example_with_its_first_and_with_trained_weights(tmp_path, answer):
    name = "regression.quadratic"
    program = source_named(name)
    report = freeze(program, [], tmp_path / "first.pb")
    assert f"the weights are those {name} starts from, with its seed: --checkpoint gives trained ones" in report.notes
    freeze(program, [], tmp_path / "same.pb")
    assert (tmp_path / "first.pb").read_bytes() == (tmp_path / "same.pb").read_bytes()
    source = freeze_sources.find(program)
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.import_graph_def(source.graph_def, name="")
        variables = constants.variables(source.graph_def)
        values = {k: np.ones_like(v) for k, v in source.read(variables).items()}
        names = sorted(values)
        prefix = str(tmp_path / "ones")
        save = tf.raw_ops.SaveV2(
            prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=[values[n] for n in names]
        )
        sess.run(save)
    freeze(program, [], tmp_path / "ones.pb", checkpoint=prefix)
    frozen = {n.name: n for n in v1.GraphDef.FromString((tmp_path / "ones.pb").read_bytes()).node}
    for name in report.variables:
        assert set(tf.make_ndarray(frozen[name].attr["value"].tensor).ravel()) == {1.0}


def test_examples_that_build_no_graph_alone(tmp_path):
    def failing():
        tf.matmul(tf.ones([2, 3]), tf.ones([2, 3]))

    def program(**functions):
        return Program("basics.hello", lambda: types.SimpleNamespace(**functions))

    with pytest.raises(InputError, match="basics.hello: builds no graph to freeze"):
        freeze(program(), [], tmp_path / "x.pb")
    with pytest.raises(InputError, match=r"basics.hello: its build_graph cannot be called alone \(ValueError: Dim"):
        freeze(program(build_graph=failing), [], tmp_path / "x.pb")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist.mlp_ema", "sequences.mnist_lstm", "convnets.lenet5_cifar"])
def test_examples_freeze(tmp_path, name):
    report = freeze(source_named(name), [], tmp_path / "f.pb", strip_training=True)
    assert report.variables and (report.compared or report.not_compared)


def test_the_bytes_are_those_of_the_whole_message(monkeypatch):
    """Weights are written one at a time, past the message; protocol buffers would write the same."""
    monkeypatch.setattr(freeze_bytes, "LARGE", 64)
    rng, arrays = np.random.default_rng(1), {}
    with v1.Graph().as_default() as graph:
        for i, kind in enumerate(held.TYPES * 2 + ("bool", "complex64")):
            arrays[f"v{i}"] = rng.integers(0, 2, (i + 80, 3, 5)[: 1 + i % 3] if i else ()).astype(kind)
            v1.get_variable(f"v{i}", initializer=arrays[f"v{i}"])
        arrays["words"] = np.array([b"a", b"bc"], object)
        v1.get_variable("words", initializer=tf.constant(["a", "bc"]))
        called = tf.function(lambda x: x * 2)
        tf.identity(called(v1.global_variables()[0].read_value()), name="y")
    names = ["y", *arrays]
    source = Graph(Graph(bare(graph.as_graph_def())).pruned(names), "here")
    whole = constants.frozen(source, arrays)
    written = b"".join(freeze_bytes.pieces(source.but(constants.without_values(source, arrays)), arrays))
    assert written == whole.SerializeToString(deterministic=True)
    assert len(whole.library.function) >= 1 and v1.GraphDef.FromString(written) == whole


@pytest.mark.parametrize("kind", constants.SHORT_FLOATS)
def test_a_short_float_takes_two_bytes_in_the_file(saved, tmp_path, kind):
    def build():
        rows = np.arange(-600, 600).reshape(3, 400) / 7
        w = v1.get_variable("w", initializer=tf.cast(rows, kind))
        b = v1.get_variable("b", initializer=tf.constant(0.1, kind))
        tf.add(w, b, name="y")

    freeze(saved(build), ["y"], tmp_path / "y.pb")
    assert 2400 < (tmp_path / "y.pb").stat().st_size < 3000  # 2,400 bytes of w
    frozen = v1.GraphDef.FromString((tmp_path / "y.pb").read_bytes())
    w = tf.make_ndarray(next(node for node in frozen.node if node.name == "w").attr["value"].tensor)
    with v1.Graph().as_default(), v1.Session() as sess:
        found = sess.run(*tf.import_graph_def(frozen, return_elements=["y:0"], name=""))
    expected = (np.arange(-600, 600).reshape(3, 400) / 7).astype(w.dtype)
    assert np.array_equal(w, expected) and np.array_equal(found, expected + np.array(0.1, w.dtype))


def test_more_than_one_file_holds(monkeypatch, saved, tmp_path):
    monkeypatch.setattr(freeze_bytes, "MOST_BYTES", 200)
    with pytest.raises(InputError, match="model.meta: more than the 2 GB one file holds"):
        freeze(saved(model), ["y"], tmp_path / "y.pb")
    assert not [p for p in pathlib.Path(tmp_path).iterdir() if p.name.startswith((".y", "y"))]
