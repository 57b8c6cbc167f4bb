"""convert: every kind into every other that can hold it; TensorFlow alone reads what was written."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.python.util import deprecation

from tf1ref import cli
from tf1ref.artifacts import CheckFailed
from tf1ref.artifacts.convert import convert
from tf1ref.artifacts.convert import models as convert_models
from tf1ref.artifacts.freeze import bytes as freeze_bytes
from tf1ref.artifacts.graph import graphs
from tf1ref.artifacts.verify import verify

W = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
B = np.array([0.5, -0.5, 0.25], np.float32)
X = np.array([[1.0, -2.0, 3.0, 0.5], [0.0, 1.0, -1.0, 2.0]], np.float32)
Y = np.maximum(X @ W + B, 0)
MODELS = {"pb": "m.pb", "pbtxt": "m.pbtxt", "saved_model": "m", "checkpoint": "c", "events": "e.tfevents"}


def dense():
    """x [batch, 4] -> y [batch, 3], half in a loop, with what training adds."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    with v1.variable_scope("layer"):
        w, b = v1.get_variable("w", initializer=W), v1.get_variable("b", initializer=B)
    hidden = v1.while_loop(lambda i, h: i < 1, lambda i, h: (i + 1, h + x @ w), [0, x @ w * 0.0])[1]
    y = tf.nn.relu(hidden + b, name="y")
    v1.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_mean(tf.square(y)), v1.train.create_global_step())


@pytest.fixture(scope="module", params=["resource", "ref"])
def prefix(request, tmp_path_factory):
    """The checkpoint of a model, with variables of either sort."""
    with v1.Graph().as_default(), v1.variable_scope("", use_resource=request.param == "resource"), v1.Session() as sess:
        dense()
        sess.run(v1.global_variables_initializer())
        return v1.train.Saver().save(sess, str(tmp_path_factory.mktemp(request.param) / "model"), global_step=7)


@pytest.mark.slow
def test_every_kind_of_model_into_every_other(prefix, tmp_path):
    first = {}
    for kind, name in MODELS.items():
        report = convert(prefix, tmp_path / name, kind, outputs=["y"])
        assert (report.kind, report.compared, report.not_compared) == (kind, 2, "")
        first[kind] = tmp_path / name
    # What writes takes the same from each of them: so each is read for a SavedModel, and for the kind after its own.
    for kind, other in zip(MODELS, [*list(MODELS)[1:], "pb"]):
        for target in {other, "saved_model"}:
            path = tmp_path / f"{kind}-{MODELS[target]}"
            assert convert(first[kind], path, target, outputs=["y"]).compared == 2
    assert verify(prefix, tmp_path / "pbtxt-m", outputs=["y"]).equal
    convert(first["pb"], tmp_path / "again.pb", outputs=["y"])
    assert (tmp_path / "events-m.pb").read_bytes() == (tmp_path / "again.pb").read_bytes()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
def test_what_was_written_answers_in_tensorflow_alone(prefix, tmp_path, answer):
    """The mobile network of test_convert_real.py is asked in a process that never imports tf1ref, too."""
    report = convert(prefix, tmp_path / "model", "saved_model", outputs=["y"])
    assert (report.inputs, report.outputs) == ({"x": "x:0"}, {"y": "y:0"})
    signature = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    np.testing.assert_allclose(signature(x=tf.constant(X))["y"], Y, rtol=1e-6)
    convert(prefix, tmp_path / "y.pb", outputs=["y"])
    np.testing.assert_allclose(answer(tmp_path / "y.pb", "y:0", {"x:0": X}), Y, rtol=1e-6)


@pytest.mark.slow
def test_a_checkpoint_out_of_constants_can_be_trained(prefix, tmp_path):
    convert(prefix, tmp_path / "m", "saved_model", outputs=["y"])
    convert(prefix, tmp_path / "m.pb", outputs=["y"])
    for source, trained in (("m", ["layer/w", "layer/b"]), ("m.pb", [])):
        convert(tmp_path / source, tmp_path / f"{source}.ckpt", "checkpoint")
        latest = tf.train.latest_checkpoint(str(tmp_path / f"{source}.ckpt"))
        with v1.Graph().as_default(), v1.Session() as sess:
            v1.train.import_meta_graph(latest + ".meta").restore(sess, latest)
            names = {v.op.name: v for v in v1.global_variables()}
            assert sorted(names) == ["layer/b", "layer/w"]
            assert sorted(v.op.name for v in v1.trainable_variables()) == sorted(trained)
            np.testing.assert_allclose(sess.run("y:0", {"x:0": X}), Y, rtol=1e-6)
            loss = tf.reduce_sum(sess.graph.get_tensor_by_name("y:0"))
            step = v1.train.GradientDescentOptimizer(1.0).minimize(loss, var_list=[names["layer/b"]])
            sess.run(step, {"x:0": X})
            np.testing.assert_allclose(sess.run(names["layer/b"]), B - (Y > 0).sum(0), rtol=1e-6)


def test_an_event_file_shows_the_graph_in_tensorboard(prefix, tmp_path):
    convert(prefix, tmp_path / "graph.tfevents", outputs=["y"])
    convert(prefix, tmp_path / "m.pb", outputs=["y"])
    version, event = v1.train.summary_iterator(str(tmp_path / "graph.tfevents"))
    assert version.file_version == "brain.Event:2" and event.graph_def == (tmp_path / "m.pb").read_bytes()


def test_outputs_that_are_guessed_are_named(prefix, tmp_path):
    report = convert(prefix, tmp_path / "m.pb")
    assert report.notes[0].startswith("no outputs named, taken: ")


def test_inputs_no_one_can_guess_are_said_or_given(saved, tmp_path):
    def strict():
        tf.identity(tf.ensure_shape(v1.placeholder(tf.float32, name="x"), [3, 4]), name="y")

    with v1.Graph().as_default() as graph:
        strict()
    (tmp_path / "g.pb").write_bytes(graph.as_graph_def().SerializeToString())
    report = convert(tmp_path / "g.pb", tmp_path / "a.pbtxt")
    assert report.compared == 0 and report.not_compared.startswith("no answer on made inputs")
    np.savez(tmp_path / "x.npz", x=np.ones((3, 4), np.float32))
    assert convert(tmp_path / "g.pb", tmp_path / "b", "saved_model", feeds=tmp_path / "x.npz").compared == 1
    assert convert(tmp_path / "g.pb", tmp_path / "c.pb", verify=False).not_compared == "it was asked not to"


def test_what_answers_otherwise_is_not_left_behind(prefix, tmp_path, monkeypatch):
    honest, other = freeze_bytes.pieces, np.nextafter(B, np.float32(9))
    monkeypatch.setattr(freeze_bytes, "pieces", lambda g, values: honest(g, {**values, "layer/b": other}))
    (tmp_path / "old.pb").write_bytes(b"old")
    for name, force in (("old.pb", True), ("new.pb", False)):
        with pytest.raises(CheckFailed, match=r"what was written answers otherwise: y:0: \d of 6 elements differ"):
            convert(prefix, tmp_path / name, outputs=["y"], force=force)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("old.pb", b"old")]


def test_each_graph_is_imported_once(tmp_path, monkeypatch):
    with v1.Graph().as_default() as graph:
        v1.tanh(v1.placeholder(tf.float32, [2], name="x"), name="y")
    (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    imported, found = graphs.Graph.imported, []
    monkeypatch.setattr(graphs.Graph, "imported", lambda self: found.append(self) or imported(self))
    assert convert(tmp_path / "m.pb", tmp_path / "m", "saved_model").compared == 1
    assert len(found) == 2, "that of the source and that of the result"


def test_deprecations_are_looked_for_again_after_a_model_that_does_not_load(prefix, tmp_path, monkeypatch):
    def refuse(folder):
        raise ValueError(f"looked for: {deprecation._PRINT_DEPRECATION_WARNINGS}")

    monkeypatch.setattr(tf.saved_model, "load", refuse)
    with pytest.raises(CheckFailed, match="does not load: looked for: False: convert to pb"):
        convert(prefix, tmp_path / "m", "saved_model", outputs=["y"])
    assert deprecation._PRINT_DEPRECATION_WARNINGS and not (tmp_path / "m").exists()


def test_names_with_slashes_become_arguments():
    ends = {"a/b/x": "a/b/x:0", "c/x": "c/x:0", "n/1st": "n/1st:0", "q:1": "q:1", "a/x-y": "a/x-y:0"}
    assert convert_models.keys(ends) == {
        "x": "a/b/x:0",
        "c_x": "c/x:0",
        "t_1st": "n/1st:0",
        "q": "q:1",
        "x_y": "a/x-y:0",
    }


def test_onnx_needs_tf2onnx(prefix, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(convert_models.importlib.util, "find_spec", lambda name: None)
    assert cli.main(["convert", prefix, str(tmp_path / "m.onnx"), "--outputs", "y"]) == 2
    assert capsys.readouterr().err.strip() == (
        "tf1ref: ONNX is written by tf2onnx, which is not installed: pip install tf2onnx"
    )
    assert not list(tmp_path.iterdir())


def test_the_command(prefix, tmp_path, capsys):
    assert cli.main(["convert", prefix, str(tmp_path / "m"), "--to", "saved_model", "--outputs", "y"]) == 0
    shown = capsys.readouterr().out
    assert "saved_model from checkpoint" in shown
    assert "verified: read back, it answers the same, to the bit, on 2 sets of inputs" in shown
    assert cli.main(["convert", str(tmp_path / "m"), str(tmp_path / "w.npz"), "--map", "layer/w=v", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["names"]["matched"] == {"layer/b": "layer/b", "layer/w": "v"} and report["compared"] == 1
    assert cli.main(["convert", str(tmp_path / "m"), str(tmp_path / "w.npz")]) == 2
    assert cli.main(["convert", str(tmp_path / "m"), str(tmp_path / "v.npz"), "--map", "layer/w"]) == 2
    lines = capsys.readouterr().err.strip().split("\n")
    assert "w.npz: exists already" in lines[0] and "'layer/w': write OLD=NEW" in lines[1] and len(lines) == 2


def test_batch_norms_that_train_are_named(saved, tmp_path):
    def trains():
        x = v1.placeholder(tf.float32, [2, 3, 3, 4], name="x")
        ones, zeros = tf.ones([4]), tf.zeros([4])
        tf.identity(v1.nn.fused_batch_norm(x, ones, zeros, is_training=True)[0], name="y")

    with v1.Graph().as_default() as graph:
        trains()
    (tmp_path / "g.pb").write_bytes(graph.as_graph_def().SerializeToString())
    report = convert(tmp_path / "g.pb", tmp_path / "m", "saved_model", outputs=["y"])
    assert report.compared == 1 and "depend on the batch" in report.notes[0]
