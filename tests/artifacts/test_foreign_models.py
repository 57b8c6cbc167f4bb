"""Kinds of models that others made and that were once refused or left uncompared: a small file of each."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts import CheckFailed, sources
from tf1ref.artifacts.convert import convert
from tf1ref.artifacts.freeze import freeze
from tf1ref.artifacts.graph import answers, layouts
from tf1ref.artifacts.inspect import inspect
from tf1ref.artifacts.verify import verify

W = np.array([[1, 2], [3, 4]], np.float32)
RANDOM = np.random.default_rng(7)


def picture():
    """All ops of a network for a GPU: convolutions both ways, pools, a batch norm, with pads, strides and dilations."""
    x = v1.placeholder(tf.float32, [None, 3, 9, 9], name="x")
    y = tf.nn.conv2d(x, weights(3, 3, 3, 4), [1, 1, 2, 1], [[0, 0], [0, 0], [1, 2], [0, 1]], "NCHW", [1, 1, 1, 2])
    y = tf.nn.bias_add(y, weights(4), "NCHW")
    y, mean, _ = v1.nn.fused_batch_norm(y, weights(4), weights(4), data_format="NCHW", is_training=True, name="norm")
    y = tf.nn.max_pool2d(y, [2, 1], [1, 2], "SAME", "NCHW")
    y = tf.nn.avg_pool2d(y, 2, 1, "VALID", "NCHW")
    y = v1.nn.conv2d_transpose(y, weights(3, 3, 2, 4), [2, 2, 8, 4], [1, 1, 2, 2], "SAME", "NCHW")
    tf.identity(y + mean[0], name="y")


def weights(*shape):
    return tf.constant(RANDOM.standard_normal(shape).astype(np.float32))


def test_channels_first_are_asked_channels_last(graph, tmp_path):
    """Against numpy: the same convolution by hand, channels first."""

    def small():
        x = v1.placeholder(tf.float32, [1, 2, 3, 4], name="x")
        tf.nn.conv2d(x, tf.constant(w), 1, "VALID", "NCHW", name="y")

    w = RANDOM.standard_normal((2, 2, 2, 3)).astype(np.float32)
    x = RANDOM.standard_normal((1, 2, 3, 4)).astype(np.float32)
    wanted = np.zeros((1, 3, 2, 3))
    for row in range(2):
        for column in range(3):
            wanted[0, :, row, column] = np.einsum("chw,hwco->o", x[0, :, row : row + 2, column : column + 2], w)
    model = answers.Model(sources.find(graph("small", small)).graph, ["y:0"])
    np.testing.assert_allclose(model.answers({"x:0": x})["y:0"], wanted, rtol=1e-5)
    path = graph("picture", picture)
    report = convert(path, tmp_path / "p.pb")
    assert report.compared == 1, report.not_compared  # the transposed convolution takes a batch of two
    (note,) = [n for n in report.notes if "channels last" in n]
    assert "AvgPool, Conv2D, Conv2DBackpropInput, FusedBatchNormV3, MaxPool" in note
    written = v1.GraphDef.FromString((tmp_path / "p.pb").read_bytes())
    assert layouts.first(written), "what is written keeps its layout"
    assert verify(path, tmp_path / "p.pb").equal and freeze(path, ["y"], tmp_path / "f.pb").compared
    assert verify(path, tmp_path / "p.pb", intermediate=True).equal


@pytest.mark.slow
def test_many_variables_take_one_run(saved, tmp_path, monkeypatch):
    def build():
        h = v1.placeholder(tf.float32, [None, 2], name="x")
        for i in range(60):
            h = h * v1.get_variable(f"w{i}", initializer=np.full(2, 1 + i / 100, np.float32))
        tf.identity(h, name="y")

    prefix, runs = saved(build), []
    run = v1.Session.run
    monkeypatch.setattr(v1.Session, "run", lambda *a, **k: runs.append(a) or run(*a, **k))
    convert(prefix, tmp_path / "sm", "saved_model", outputs=["y"], verify=False)
    assert len(runs) < 10
    monkeypatch.setattr(answers, "TOGETHER", 20)
    assert verify(prefix, tmp_path / "sm", outputs=["y"]).equal, "in several runs"


def test_inputs_of_old_meta_graphs_keep_their_shapes(saved, tmp_path):
    def build():
        x = v1.placeholder(tf.float32, [None, 7], name="x")
        tf.nn.softmax(tf.matmul(x, v1.get_variable("w", [7, 3])), name="y")

    prefix = saved(build, resource=False)
    path = tmp_path / "model.meta"
    meta = v1.MetaGraphDef.FromString(path.read_bytes())
    meta.graph_def.versions.producer = 21
    for node in meta.graph_def.node:
        if node.op == "Placeholder":
            node.attr["_output_shapes"].list.shape.add().CopyFrom(node.attr["shape"].shape)
            node.attr["shape"].shape.Clear()
    path.write_bytes(meta.SerializeToString())
    report = freeze(prefix, ["y"], tmp_path / "y.pb")
    assert report.inputs == {"x:0": [None, 7]} and report.compared == 2
    assert any("only _output_shapes says" in note for note in report.notes)
    assert convert(prefix, tmp_path / "sm", "saved_model", outputs=["y"]).compared == 2


def test_inputs_that_say_no_shape_are_asked_as_their_readers_need_it(graph, tmp_path):
    def unknown(name):
        return v1.placeholder(tf.float32, name=name)

    built = {
        "matrix": lambda: tf.matmul(tf.nn.relu(unknown("x")), weights(7, 2), name="y"),
        "turned": lambda: tf.matmul(weights(2, 7), unknown("x"), transpose_b=True, name="y"),
        "picture": lambda: tf.nn.conv2d(unknown("x") * 2.0, weights(5, 5, 3, 2), 1, "VALID", name="y"),
        "volume": lambda: tf.nn.conv3d(unknown("x"), weights(2, 2, 2, 3, 2), [1] * 5, "SAME", name="y"),
        "pool": lambda: tf.nn.max_pool2d(unknown("x"), 3, 2, "VALID", name="y"),
        "mean": lambda: tf.reduce_mean(unknown("x"), [1, 2], name="y"),
        "bias": lambda: tf.nn.bias_add(unknown("x"), weights(6), name="y"),
    }
    for name, build in built.items():
        report = convert(graph(name, build), tmp_path / f"{name}.out.pb")
        assert report.compared, (name, report.not_compared)


def test_outputs_are_guessed_alike_and_computable(saved, graph, tmp_path):
    def loop():
        x = v1.placeholder(tf.float32, [], name="x")
        v1.while_loop(lambda i, a: i < 5, lambda i, a: (i + 1, a * 2.0), [0, x])

    v1.disable_control_flow_v2()
    try:
        ended = graph("ended", loop)
    finally:
        v1.enable_control_flow_v2()
    assert list(freeze(ended, [], tmp_path / "l.pb").outputs) == ["while/Exit_1:0"]
    assert [o.name for o in inspect(ended).graphs[0].outputs][0] == "while/Exit_1"

    def trained():
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        kept = v1.get_variable("kept", [2, 2])
        lost = v1.get_variable("lost", [2, 2])
        tf.nn.softmax(tf.matmul(x, kept), name="usable")
        tf.nn.softmax(tf.matmul(x, lost), name="unusable")
        v1.is_variable_initialized(kept)

    prefix = saved(trained, saver=lambda: v1.train.Saver([v for v in v1.global_variables() if v.op.name == "kept"]))
    assert list(freeze(prefix, [], tmp_path / "f.pb").outputs) == ["usable:0"]
    assert convert(prefix, tmp_path / "c.pb").outputs == {"usable": "usable:0"}
    report = verify(prefix, tmp_path / "c.pb")
    assert report.equal and [row.name for row in report.rows] == ["usable:0"]
    report = verify(prefix, prefix)
    assert report.equal and report.notes[-1].startswith("no outputs named, taken: usable:0")


def test_what_is_written_loads_as_promised(saved, graph, tmp_path):
    def build():
        tf.matmul(v1.placeholder(tf.float32, [None, 2], name="x"), v1.get_variable("w", initializer=W), name="y")

    prefix = saved(build, resource=False)
    convert(prefix, tmp_path / "ref", "saved_model", outputs=["w", "y"])
    found = tf.saved_model.load(str(tmp_path / "ref")).signatures["serving_default"](x=tf.constant([[1.0, 2.0]]))
    assert found["w"].numpy().tolist() == W.tolist() and found["y"].numpy().tolist() == [[7.0, 10.0]]

    def old():
        x = v1.placeholder(tf.float32, [1, 1, 1, 2], name="x")
        tf.add(x, x, name="y")

    path = graph("old", old)
    graph_def = v1.GraphDef.FromString(path.read_bytes())
    graph_def.versions.producer = 8
    node = next(n for n in graph_def.node if n.name == "y")
    node.op, node.input[:] = "BatchNormWithGlobalNormalization", ["x", *["c"] * 4]
    node.attr["scale_after_normalization"].b = True
    node.attr["variance_epsilon"].f = 0.001
    constant = graph_def.node.add(name="c", op="Const")
    constant.attr["dtype"].type = tf.float32.as_datatype_enum
    constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([1.0, 2.0]))
    path.write_bytes(graph_def.SerializeToString())
    assert convert(path, tmp_path / "old.out.pb").compared
    with pytest.raises(
        CheckFailed, match="old.pb: what was written does not load: .*removed in version 9.*: convert to pb"
    ):
        convert(path, tmp_path / "old", "saved_model")
    assert not (tmp_path / "old").exists()


@pytest.mark.slow
def test_a_prefix_without_a_name(saved, tmp_path):
    """TF 1.1's Saver.save("folder/") wrote .meta, .index and .data-*, which no listing of the folder shows."""

    def build():
        tf.matmul(v1.placeholder(tf.float32, [None, 2], name="x"), v1.get_variable("w", initializer=W), name="y")

    folder = tmp_path / "hidden"
    saved(build, folder=folder)
    for path in folder.glob("model.*"):
        path.rename(folder / path.name.removeprefix("model"))
    (folder / "checkpoint").write_text('model_checkpoint_path: "hidden/"')
    for source in (f"{folder}/", folder, folder / ".meta", folder / ".index"):
        assert [v.name for v in inspect(source).variables] == ["w"]
        assert freeze(source, ["y"], tmp_path / "f.pb", force=True).compared == 2
    (folder / "checkpoint").unlink()
    assert convert(folder, tmp_path / "sm", "saved_model", outputs=["y"]).compared == 2
    assert verify(folder, tmp_path / "sm", outputs=["y"]).equal
    convert(folder, tmp_path / "w.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "w.npz")["w"], W)
