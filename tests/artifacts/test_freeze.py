import json
import os
import shutil
from dataclasses import asdict

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts import CheckFailed
from tf1ref.artifacts.freeze import bytes as freeze_bytes
from tf1ref.artifacts.freeze import check, freeze
from tf1ref.artifacts.graph import answers
from tf1ref.artifacts.graph.graphs import Graph

W = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
B = np.array([0.5, -0.5, 0.25], np.float32)
X = np.array([[1.0, -2.0, 3.0, 0.5], [0.0, 1.0, -1.0, 2.0]], np.float32)


def dense():
    """x [batch, 4] -> y [batch, 3], with a loss, an optimizer and a second variable nobody needs."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    y = tf.add(x @ v1.get_variable("w", initializer=W), v1.get_variable("b", initializer=B), name="y")
    v1.get_variable("unused", initializer=1.0)
    v1.train.AdamOptimizer(0.1).minimize(tf.reduce_mean(tf.square(y)), v1.train.create_global_step())


@pytest.mark.parametrize("resource", [True, False], ids=["resource", "ref"])
def test_a_trained_model_becomes_one_file(saved, answer, tmp_path, resource):
    report = freeze(saved(dense, resource=resource), ["y"], tmp_path / "y.pb")
    np.testing.assert_allclose(answer(tmp_path / "y.pb", "y:0", {"x:0": X}), X @ W + B, rtol=1e-6)
    assert report.variables == ["w", "b"] and report.compared == 2 and report.not_compared == ""
    assert report.inputs == {"x:0": [None, 4]} and report.outputs == {"y:0": [None, 3]}
    assert report.bytes == os.path.getsize(tmp_path / "y.pb") == os.path.getsize(report.path)
    assert json.loads(json.dumps(asdict(report)))["nodes"] == report.nodes <= 8
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("source", ["model", "model.meta", "model.index", "model.data-00000-of-00001", ""])
def test_every_name_of_a_checkpoint_gives_the_same_bytes(saved, tmp_path, source):
    freeze(saved(dense), ["y"], tmp_path / "a.pb")
    freeze(tmp_path / source, ["y:0"], tmp_path / "b.pb")
    assert (tmp_path / "a.pb").read_bytes() == (tmp_path / "b.pb").read_bytes()


def test_a_folder_means_its_latest_checkpoint_wherever_it_was_moved(saved, tmp_path, answer):
    first, last = tmp_path / "first", tmp_path / "last"
    first.mkdir()
    saved(lambda: v1.get_variable("v", initializer=1.0), folder=first, global_step=1)
    prefix = saved(lambda: v1.get_variable("v", initializer=2.0), folder=first, global_step=2)
    assert prefix.endswith("model-2")
    state = first / "checkpoint"
    state.write_text(f'model_checkpoint_path: "{prefix}"\n')  # absolute, as a Saver elsewhere wrote it
    shutil.move(first, last)
    freeze(last, ["v"], tmp_path / "v.pb")
    assert answer(tmp_path / "v.pb", "v:0") == 2.0


def test_pins_of_a_cluster_are_gone(saved, tmp_path, answer):
    def pinned():
        with v1.device("/job:ps/task:3/device:GPU:7"):
            w = v1.get_variable("w", initializer=W)
        with v1.device("/job:worker"), v1.colocate_with(w):
            tf.reduce_sum(w, name="y")

    with v1.Graph().as_default(), v1.Session() as sess:
        pinned()
        saver = v1.train.Saver()
        meta = saver.export_meta_graph()
    with v1.Graph().as_default(), v1.Session() as sess:
        w = v1.get_variable("w", initializer=W)
        sess.run(w.initializer)
        v1.train.Saver().save(sess, str(tmp_path / "model"))
    (tmp_path / "model.meta").write_bytes(meta.SerializeToString())
    freeze(tmp_path, ["y"], tmp_path / "y.pb")
    nodes = v1.GraphDef.FromString((tmp_path / "y.pb").read_bytes()).node
    assert not [n for n in nodes if n.device or "_class" in n.attr]
    np.testing.assert_allclose(answer(tmp_path / "y.pb", "y:0"), W.sum(), atol=1e-6)


def test_dropout_without_a_seed_is_compared_too(saved, tmp_path, answer):
    def dropout():
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        rate = v1.placeholder_with_default(0.5, [], name="rate")
        tf.identity(v1.nn.dropout(x @ v1.get_variable("w", initializer=W), rate=rate), name="y")

    report = freeze(saved(dropout), ["y"], tmp_path / "y.pb")
    assert report.compared == 2
    np.testing.assert_allclose(answer(tmp_path / "y.pb", "y:0", {"x:0": X, "rate:0": 0.0}), X @ W, atol=1e-6)


def test_both_sides_of_a_flag_are_compared(saved, tmp_path):
    def flagged():
        flag = v1.placeholder(tf.bool, [], name="is_training")
        w, u = v1.get_variable("w", initializer=W), v1.get_variable("u", initializer=W * 2)
        tf.identity(v1.cond(flag, lambda: w * 1.0, lambda: u * 1.0), name="y")

    assert freeze(saved(flagged), ["y"], tmp_path / "y.pb").compared == 2


def test_moving_averages_are_read_under_the_names_of_the_saver(saved, tmp_path, answer):
    prefix = saved(lambda: v1.get_variable("average", initializer=5.0))
    with v1.Graph().as_default():
        v1.get_variable("v", initializer=1.0)
        meta = v1.train.Saver({"average": v1.global_variables()[0]}).export_meta_graph()
    (tmp_path / "model.meta").write_bytes(meta.SerializeToString())
    freeze(prefix, ["v"], tmp_path / "v.pb")
    assert answer(tmp_path / "v.pb", "v:0") == 5.0


def test_slices_and_a_graph_without_a_saver(saved, tmp_path, answer):
    def sliced():
        split = v1.fixed_size_partitioner(2)
        pieces = v1.get_variable("p", [4, 3], initializer=v1.constant_initializer(7.0), partitioner=split)
        tf.identity(tf.convert_to_tensor(pieces), name="y")

    freeze(saved(sliced, name="p"), ["y"], tmp_path / "y.pb")
    np.testing.assert_array_equal(answer(tmp_path / "y.pb", "y:0"), np.full([4, 3], 7, np.float32))
    saved(dense)
    meta = v1.MetaGraphDef.FromString((tmp_path / "model.meta").read_bytes())
    meta.ClearField("saver_def")
    (tmp_path / "model.meta").write_bytes(meta.SerializeToString())
    freeze(tmp_path / "model", ["w"], tmp_path / "w.pb")
    np.testing.assert_array_equal(answer(tmp_path / "w.pb", "w:0"), W)


def test_inputs_take_the_place_of_a_queue(saved, tmp_path, answer):
    def queued():
        queue = v1.FIFOQueue(4, [tf.float32, tf.int32], [[4], []])
        x, label = queue.dequeue(name="next")
        w = v1.get_variable("w", initializer=W[:, 0])
        tf.add(tf.reduce_sum(x * w), tf.cast(label, tf.float32), name="y")

    report = freeze(saved(queued), ["y"], tmp_path / "y.pb", inputs=["next:0", "next:1"])
    assert report.inputs == {"next:0": None, "next_1:0": None} and report.compared
    reached = answer(tmp_path / "y.pb", "y:0", {"next:0": X[0], "next_1:0": 3})
    np.testing.assert_allclose(reached, X[0] @ W[:, 0] + 3, rtol=1e-6)


def test_a_graph_that_reads_row_four_of_its_batch_gets_a_larger_one(saved, tmp_path):
    def rows():
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        tf.reduce_sum(tf.tile(x, [1, 1])[4] * v1.get_variable("w", initializer=W[:, 0]), name="y")

    report = freeze(saved(rows), ["y"], tmp_path / "y.pb")
    assert report.compared and report.not_compared == ""


def test_inputs_no_one_can_guess_are_said_or_given(saved, tmp_path):
    def strict():
        x = v1.placeholder(tf.float32, name="x")
        tf.matmul(tf.ensure_shape(x, [3, 4]), v1.get_variable("w", initializer=W), name="y")

    prefix = saved(strict)
    report = freeze(prefix, ["y"], tmp_path / "y.pb")
    assert report.compared == 0 and "no answer on made inputs" in report.not_compared
    given = freeze(prefix, ["y"], tmp_path / "z.pb", inputs={"x": np.ones((3, 4), np.float32)})
    assert given.compared == 1 and given.not_compared == ""
    assert (tmp_path / "y.pb").read_bytes() == (tmp_path / "z.pb").read_bytes()


def test_an_empty_answer_proves_nothing(saved, tmp_path):
    def empty():
        tf.zeros([0, 4]) @ v1.get_variable("w", initializer=W)
        tf.identity(tf.zeros([0, 4]) @ v1.global_variables()[0], name="y")

    report = freeze(saved(empty), ["y"], tmp_path / "y.pb")
    assert report.compared == 0 and "empty" in report.not_compared


def test_other_weights_are_found_and_named(saved, tmp_path, monkeypatch):
    prefix = saved(dense)
    (tmp_path / "old.pb").write_bytes(b"the old file")
    honest, other = freeze_bytes.pieces, np.nextafter(B, np.float32(9))
    monkeypatch.setattr(freeze_bytes, "pieces", lambda g, values: honest(g, {**values, "b": other}))
    message = r"model.meta: the frozen graph answers otherwise: y:0: \d of 6 elements differ, the first at \[0, "
    for name, force in (("new.pb", False), ("old.pb", True)):
        with pytest.raises(CheckFailed, match=message):
            freeze(prefix, ["y"], tmp_path / name, force=force)
    assert not (tmp_path / "new.pb").exists() and (tmp_path / "old.pb").read_bytes() == b"the old file"
    assert not list(tmp_path.glob(".*"))


def altered(path, node, change):
    """Writes what is in `path` with one node changed to a file beside it; returns that."""
    graph_def = v1.GraphDef.FromString(path.read_bytes())
    change(next(n for n in graph_def.node if n.name == node))
    other = path.with_suffix(".altered")
    other.write_bytes(graph_def.SerializeToString())
    return other


def test_what_check_finds(saved, tmp_path):
    path = tmp_path / "y.pb"
    freeze(saved(dense), ["y"], path)
    with v1.Graph().as_default() as graph:
        dense()
    source, values = Graph(Graph(graph.as_graph_def()).pruned(["y"]), "model"), {"w": W, "b": B}
    assert check(source, values, path, ["y:0"]) == (2, "")

    def transposed(node):
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(W.T))

    def other_op(node):
        node.op = "Sub"

    def other_shape(node):
        node.attr["shape"].shape.dim[0].size = 7

    with pytest.raises(CheckFailed, match="what was written is no graph: model: .*Dimensions must be equal"):
        check(source, values, altered(path, "w", transposed), ["y:0"])
    with pytest.raises(CheckFailed, match="answers otherwise: y:0: 6 of 6 elements differ"):
        check(source, values, altered(path, "y", other_op), ["y:0"])
    with pytest.raises(CheckFailed, match="does not run, the session does"):
        check(source, values, altered(path, "x", other_shape), ["y:0"])


def test_difference_compares_bits():
    nan, zero = np.array([np.nan, 1.0]), np.array([0.0])
    assert answers.difference({"y:0": nan}, {"y:0": nan.copy()}) == ""
    assert "y:0: 1 of 1 elements differ, the first" in answers.difference({"y:0": zero}, {"y:0": -zero})
    assert "float64[1] in the session, float64[2]" in answers.difference({"y:0": zero}, {"y:0": nan})
    a, b = np.array([b"a"], object), np.array([b"b"], object)
    assert answers.difference({"s": a}, {"s": b}).startswith("s: 1 of 1")
    assert answers.difference({"n": 3}, {"n": 3}) == ""
