"""Kinds of models that others made and that were once refused, cut or left uncompared: a small file of each."""

import zipfile

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
from tf1ref.errors import InputError

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


def test_every_output_of_a_last_op(graph, tmp_path):
    best = graph("best", lambda: tf.nn.top_k(v1.placeholder(tf.float32, [None, 6], name="x"), 2, name="best"))
    parts = graph("parts", lambda: tf.split(v1.placeholder(tf.float32, [None, 6], name="x"), 3, 1, name="parts"))
    report = convert(best, tmp_path / "best", "saved_model")
    assert report.outputs == {"values": "best:0", "indices": "best:1"} and report.compared == 2
    loaded = tf.saved_model.load(str(tmp_path / "best")).signatures["serving_default"]
    found = loaded(x=tf.constant([[3.0, 9.0, 1.0, 7.0, 0.0, 2.0]]))
    assert found["indices"].numpy().tolist() == [[1, 3]] and found["values"].numpy().tolist() == [[9.0, 7.0]]
    assert [row.other for row in verify(best, tmp_path / "best").rows] == ["best:0", "best:1"]
    assert list(convert(parts, tmp_path / "parts", "saved_model").outputs.values()) == [f"parts:{i}" for i in range(3)]
    assert list(freeze(best, [], tmp_path / "f.pb").outputs) == ["best:0", "best:1"]


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


def test_tags(tmp_path, saved, refused):
    builder = v1.saved_model.Builder(str(tmp_path / "hub"))
    with v1.Graph().as_default(), v1.Session() as sess:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        y = tf.matmul(x, v1.get_variable("w", [3, 2]), name="y")
        z = tf.negative(y, name="z")
        sess.run(v1.global_variables_initializer())
        info = v1.saved_model.build_tensor_info
        signatures = [{"default": v1.saved_model.build_signature_def({"x": info(x)}, {"o": info(t)})} for t in (y, z)]
        builder.add_meta_graph_and_variables(sess, [], signatures[0])
        builder.add_meta_graph(["train", "gpu"], signatures[1])
    builder.save()
    hub = tmp_path / "hub"
    report = convert(hub, tmp_path / "default.pb")
    assert report.outputs == {"o": "y:0"} and 'tags ""; there are graphs with other tags' in report.notes[0]
    assert convert(hub, tmp_path / "none.pb", tags=[]).outputs == {"o": "y:0"}
    assert convert(hub, tmp_path / "train.pb", tags=["train", "gpu"]).outputs == {"o": "z:0"}
    assert list(freeze(hub, [], tmp_path / "f.pb", tags=()).outputs) == ["y:0"]
    assert verify(hub, tmp_path / "none.pb", tags=[]).equal
    assert convert(hub, tmp_path / "again", "saved_model", tags=["gpu", "train"]).compared
    assert verify(hub, tmp_path / "again", tags=["train", "gpu"]).equal, "the second one has a graph of its own alone"
    for words in (["freeze", hub, "-o", "x.pb"], ["convert", hub, "x.pb"], ["verify", hub, tmp_path / "none.pb"]):
        assert 'no graph with the tags serve: there are ""; gpu,train' in refused(*words, "--tags", "serve")


def test_a_sparse_signature_by_its_parts(tmp_path):
    builder = v1.saved_model.Builder(str(tmp_path / "sparse"))
    with v1.Graph().as_default(), v1.Session() as sess:
        x = v1.sparse_placeholder(tf.float32, [None, 5], "sp")
        y = tf.sparse.sparse_dense_matmul(x, v1.get_variable("w", [5, 2]))
        sess.run(v1.global_variables_initializer())
        info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def({"sp": info(x)}, {"y": info(y)})
        builder.add_meta_graph_and_variables(sess, ["serve"], {"serving_default": signature})
    builder.save()
    report = convert(tmp_path / "sparse", tmp_path / "s.pb")
    assert sorted(report.inputs) == ["sp/dense_shape", "sp/indices", "sp/values"]
    assert report.compared == 2 and report.outputs == {"y": y.name}
    assert freeze(tmp_path / "sparse", [], tmp_path / "f.pb").compared == 2
    assert verify(tmp_path / "sparse", tmp_path / "s.pb").equal


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


def test_weights_are_not_asked_of_a_graph_without_values(saved, graph, refused, tmp_path):
    def build():
        tf.matmul(v1.placeholder(tf.float32, [None, 2], name="x"), v1.get_variable("w", [2, 2]), name="y")

    saved(build)
    (tmp_path / "alone.meta").write_bytes((tmp_path / "model.meta").read_bytes())
    for source in (tmp_path / "alone.meta", graph("variables", build)):
        for to in ("npz", "text", "checkpoint", "objects"):
            assert "has variables (w) and no values: give the checkpoint" in refused(
                "convert", source, "out", "--to", to
            )
        assert "has variables (w)" in refused("verify", source, source, "--outputs", "y")
    assert not (tmp_path / "out").exists()


def test_unknown_ops_are_named_by_every_verb_and_cut_off(graph, refused, tmp_path):
    def build():
        middle = tf.identity(v1.placeholder(tf.float32, [1, 4], name="x"), name="middle")
        tf.reduce_sum(tf.identity(middle, name="after"), 1, name="y")

    path = graph("unknown", build)
    graph_def = v1.GraphDef.FromString(path.read_bytes())
    node = next(n for n in graph_def.node if n.name == "middle")
    node.op = "TRTEngineOp"
    path.write_bytes(graph_def.SerializeToString())
    for words in (["freeze", path, "-o", "f.pb"], ["convert", path, "c.pb"], ["verify", path, path]):
        line = refused(*words, "--outputs", "y")
        assert "does not know: TRTEngineOp (middle): name tensors after them as --inputs" in line
    assert convert(path, tmp_path / "c.pb", outputs=["y"], inputs=["middle"]).compared
    assert verify(path, tmp_path / "c.pb", outputs=["y"], inputs=["middle"]).equal
    assert freeze(path, ["y"], tmp_path / "f.pb", inputs=["after"]).compared


def test_an_iterator_of_several_outputs_says_which_are_read(saved, tmp_path):
    def build():
        dataset = v1.data.Dataset.from_tensors((np.ones(2, np.float32), np.ones(3, np.float32), np.int32(1)))
        one, two, _ = v1.data.make_one_shot_iterator(dataset).get_next()
        tf.add(tf.reduce_sum(one), tf.reduce_sum(two), name="both")

    prefix = saved(lambda: (build(), v1.get_variable("w", [1])))
    with pytest.raises(InputError, match=r"as --inputs IteratorGetNext:0,IteratorGetNext:1$") as error:
        freeze(prefix, ["both"], tmp_path / "f.pb")
    names = str(error.value).rpartition("--inputs ")[2].split(",")
    assert freeze(prefix, ["both"], tmp_path / "f.pb", inputs=names).compared


def test_what_does_not_run_here_is_bad_input(graph, refused, tmp_path):
    path = graph(
        "gpu",
        lambda: tf.raw_ops.CudnnRNN(
            input=v1.placeholder(tf.float32, [4, 2, 3], name="x"),
            input_h=tf.zeros([1, 2, 4]),
            input_c=tf.zeros([1, 2, 4]),
            params=tf.zeros([1000]),
            name="rnn",
            is_training=False,
        ),
    )
    for words in (
        ["freeze", path, "-o", "f.pb"],
        ["convert", path, "sm", "--to", "saved_model"],
        ["verify", path, path],
    ):
        assert "does not run here" in refused(*words, "--outputs", "rnn")
    with tf.io.TFRecordWriter(str(tmp_path / "raw.tfrecord")) as writer:
        writer.write(b"The Quick Brown Fox")
    for words in (["convert", "raw.tfrecord", "x.npz"], ["verify", "raw.tfrecord", "raw.tfrecord"]):
        assert "records that are no events" in refused(*words)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("model.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "Keras"),
        ("model.tflite", b"\x1c\x00\x00\x00TFL3" + bytes(100), "tf.lite.Interpreter"),
        ("model.pb", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git lfs pull"),
        ("graph.pb", b"\n<!DOCTYPE html>\n<html><body>Not found", "web page"),
        ("weights.pkl", b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c", "pickle"),
    ],
)
def test_files_of_others_are_named(name, content, says, refused, tmp_path):
    (tmp_path / name).write_bytes(content)
    for words in (
        ["freeze", name, "-o", "f.pb"],
        ["convert", name, "c.npz"],
        ["verify", name, name],
        ["inspect", name],
    ):
        assert says in refused(*words)


def test_zip_archives_of_others_are_named(refused, tmp_path):
    for name, held, says in (
        ("a.keras", ("config.json", "metadata.json", "model.weights.h5"), "Keras 3 model"),
        ("a.pt", ("archive/data.pkl", "archive/data/0"), "PyTorch"),
        ("a.zip", ("saved_model/saved_model.pb",), "unpack it"),
    ):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for one in held:
                archive.writestr(one, "x")
        for words in (["convert", name, "c.npz"], ["inspect", name], ["freeze", name, "-o", "f.pb"]):
            assert says in refused(*words)


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


@pytest.fixture
def classifier(tmp_path):
    """A SavedModel with a vocabulary in a file; returns its folder and a function that runs its own tables."""
    words = tmp_path / "words.txt"
    words.write_text("3\tcat\n4\tdog\n5\tbird\n")
    builder = v1.saved_model.Builder(str(tmp_path / "vocabulary"))
    with v1.Graph().as_default(), v1.Session() as sess:
        asset = tf.constant(str(words))
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
        handles = []
        for key, value, columns in ((tf.string, tf.int64, (1, -1)), (tf.int64, tf.string, (0, 1))):
            handle = tf.raw_ops.HashTableV2(key_dtype=key, value_dtype=value, shared_name=f"table_{key.name}")
            made = tf.raw_ops.InitializeTableFromTextFileV2(
                table_handle=handle, filename=asset, key_index=columns[0], value_index=columns[1], offset=3
            )
            handles.append((handle, made))
        names = v1.placeholder(tf.string, [None, None], name="names")
        find = tf.raw_ops.LookupTableFindV2
        ids = find(table_handle=handles[0][0], keys=names, default_value=tf.constant(-1, tf.int64))
        again = find(
            table_handle=handles[1][0], keys=ids + v1.get_variable("w", initializer=np.int64(0)), default_value="?"
        )
        start = tf.group(*(made for _, made in handles))
        sess.run([v1.global_variables_initializer(), start])
        feed = np.array([[b"dog", b"", b"bird"], [b"cow", b"cat", b"dog "]], object)
        own = sess.run([ids, again], {names: feed})
        signature = v1.saved_model.predict_signature_def({"names": names}, {"ids": ids, "again": again})
        builder.add_meta_graph_and_variables(
            sess, ["serve"], {"serving_default": signature}, assets_collection=[asset], main_op=start
        )
    builder.save()
    words.unlink()
    return tmp_path / "vocabulary", feed, own


def test_tables_of_an_asset_become_constants(classifier, tmp_path, answer):
    folder, feed, own = classifier
    report = freeze(folder, [], tmp_path / "f.pb")
    assert report.compared and "tables that became constants: " in report.notes[-1] and "3 entries" in report.notes[-1]
    reached = answer(tmp_path / "f.pb", list(report.outputs), {"names:0": feed})
    for wanted, found in zip(sorted(own, key=lambda a: a.dtype.kind), sorted(reached, key=lambda a: a.dtype.kind)):
        assert found.tolist() == wanted.tolist()
    assert own[0].tolist() == [[4, -1, 5], [-1, 3, -1]], "the table's own answer, in a session"
    report = convert(folder, tmp_path / "again", "saved_model")
    assert report.compared and verify(folder, tmp_path / "again").equal
    found = tf.saved_model.load(str(tmp_path / "again")).signatures["serving_default"](names=tf.constant(feed))
    assert found["ids"].numpy().tolist() == own[0].tolist()


def test_tables_that_cannot_become_constants_say_why(classifier, tmp_path, refused):
    folder, _, _ = classifier
    (held,) = (folder / "assets").iterdir()
    held.write_text("5\tcat\nx\tdog\n")
    assert "assets/words.txt is no table of its types" in refused("freeze", folder, "-o", "f.pb")
    held.write_text("5\tcat\n6\tcat\n")
    assert "two values for the key b'cat'" in refused("convert", folder, "f.pb")
    held.rename(tmp_path / "elsewhere")
    assert "cannot become constants: assets/words.txt: missing" in refused("verify", folder, folder)
    held.symlink_to(tmp_path / "elsewhere")
    assert "assets/words.txt: missing" in refused("freeze", folder, "-o", "f.pb")


def test_a_table_of_constants(saved, tmp_path, answer):
    def build():
        keys = tf.range(3, dtype=tf.int64) * 10
        handle = tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.float32)
        tf.raw_ops.InitializeTableV2(table_handle=handle, keys=keys, values=tf.constant([0.5, np.nan, -1.0]))
        x = v1.placeholder(tf.int64, [None], name="x")
        v1.get_variable("w", [1])
        find = tf.raw_ops.LookupTableFindV2
        tf.add(find(table_handle=handle, keys=x, default_value=9.0), 0.0, name="y")
        tf.identity(tf.raw_ops.LookupTableSizeV2(table_handle=handle), name="size")

    prefix = saved(build)
    assert freeze(prefix, ["y", "size"], tmp_path / "f.pb").compared
    y, size = answer(tmp_path / "f.pb", ["y:0", "size:0"], {"x:0": [20, 0, 10, 5, -1]})
    np.testing.assert_array_equal(y, np.array([-1.0, 0.5, np.nan, 9.0, 9.0], np.float32))
    assert size == 3
