"""What signatures of others' models may say: several outputs of an op, tags, sparse and ragged tensors."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.convert import convert
from tf1ref.artifacts.freeze import freeze
from tf1ref.artifacts.verify import verify


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


def test_a_node_that_is_named_gives_all_its_outputs(graph, tmp_path, refused):
    def build():
        x = v1.placeholder(tf.float32, [None, 6], name="x")
        best = tf.nn.top_k(x, 2, name="best")
        tf.identity(best[0], name="after")
        v1.while_loop(lambda i, h: i < 2, lambda i, h: (i + 1, h * 2.0), [0, x], name="loop")

    path = graph("best", build)
    both = {"best/values": "best:0", "best/indices": "best:1"}
    assert convert(path, tmp_path / "a.pb", outputs=["best"]).outputs == both
    assert convert(path, tmp_path / "b.pb", outputs=["best", "after"]).outputs == {**both, "after": "after:0"}
    assert convert(path, tmp_path / "c.pb", outputs=["best:1"]).outputs == {"best:1": "best:1"}
    assert list(freeze(path, "best", tmp_path / "f.pb").outputs) == ["best:0", "best:1"]
    assert list(freeze(path, ["best:0"], tmp_path / "g.pb").outputs) == ["best:0"]
    assert [row.name for row in verify(path, tmp_path / "f.pb", outputs=["best"]).rows] == ["best:0", "best:1"]
    other = graph("other", lambda: tf.identity(v1.placeholder(tf.float32, [None, 6], name="x"), name="best"))
    line = refused("verify", path, other, "--outputs", "best")
    assert f"best:0, best:1 in {path} and best:0 in {other}: name tensors" in line


@pytest.mark.slow
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


@pytest.mark.parametrize("rank", [1, 2])
def test_a_ragged_signature_by_its_parts(tmp_path, rank, answer):
    builder = v1.saved_model.Builder(str(tmp_path / "ragged"))
    with v1.Graph().as_default(), v1.Session() as sess:
        x = v1.ragged.placeholder(tf.float32, rank, name="x")
        w = v1.get_variable("w", initializer=2.0)
        y = tf.ragged.map_flat_values(lambda values: values * w, x)
        sums = tf.reduce_sum(x, axis=rank)
        sess.run(v1.global_variables_initializer())
        info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def({"x": info(x)}, {"y": info(y), "sums": info(sums)})
        builder.add_meta_graph_and_variables(sess, ["serve"], {"serving_default": signature})
    builder.save()
    report = convert(tmp_path / "ragged", tmp_path / "r.pb")
    splits = ["row_splits"] if rank == 1 else ["row_splits_0", "row_splits_1"]
    assert sorted(report.inputs) == [f"x/{part}" for part in (*splits, "values")] and report.compared == 2
    assert {f"y/{part}" for part in (*splits, "values")} <= set(report.outputs)
    feed = {f"x/row_splits_{i}:0": row for i, row in enumerate(([0, 1, 3], [0, 2, 2, 5])[:rank])}
    values = np.arange(feed[f"x/row_splits_{rank - 1}:0"][-1], dtype=np.float32)
    key = "sums" if rank == 1 else "sums/values"
    found = answer(
        tmp_path / "r.pb", [report.outputs["y/values"], report.outputs[key]], {"x/flat_values:0": values, **feed}
    )
    np.testing.assert_array_equal(found[0], values * 2)
    bounds = feed[f"x/row_splits_{rank - 1}:0"]
    np.testing.assert_array_equal(found[1], [values[a:b].sum() for a, b in zip(bounds, bounds[1:])])
    assert freeze(tmp_path / "ragged", [], tmp_path / "f.pb").compared == 2
    assert verify(tmp_path / "ragged", tmp_path / "r.pb").equal


def test_a_ragged_signature_of_tensorflow_2(tmp_path):
    class Doubles(tf.Module):
        @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.float32)])
        def __call__(self, x):
            return {"y": x * 2.0}

    module = Doubles()
    tf.saved_model.save(module, str(tmp_path / "two"), module.__call__)
    report = convert(tmp_path / "two", tmp_path / "again", "saved_model")
    assert report.compared == 2 and set(report.outputs) == {"values", "row_splits"}
    found = tf.saved_model.load(str(tmp_path / "again")).signatures["serving_default"]
    reached = found(x=tf.constant([1.0, 2.0, 3.0]), x_1=tf.constant([0, 2, 3], tf.int64))
    assert reached["values"].numpy().tolist() == [2.0, 4.0, 6.0] and reached["row_splits"].numpy().tolist() == [0, 2, 3]


def test_options_of_saved_models_are_not_ignored_elsewhere(saved, graph, refused, tmp_path):
    def build():
        tf.matmul(v1.placeholder(tf.float32, [None, 2], name="x"), v1.get_variable("w", [2, 2]), name="y")

    alone = graph("alone", lambda: tf.identity(v1.placeholder(tf.float32, [2], name="x"), name="y"))
    for source in (saved(build), alone, "training.gradient_descent"):
        for option in (["--signature", "serving_default"], ["--tags", "serve"], ["--tags", ""]):
            verbs = ["freeze", source, "-o", "f.pb"], ["convert", source, "c.pb"], ["verify", source, source]
            for words in verbs:
                line = refused(*words, *option)
                assert f"{option[0]} is for a SavedModel, which this is not: leave it out" in line
    convert(alone, tmp_path / "sm", "saved_model")
    assert verify(alone, tmp_path / "sm", signature="serving_default", outputs=["y"]).equal
    assert not list(tmp_path.glob("?.pb"))


SPEC = {
    "a": tf.io.FixedLenFeature([2], tf.float32),
    "id": tf.io.FixedLenFeature([], tf.int64),
    "b": tf.io.VarLenFeature(tf.float32),
}
SPEC["many"] = tf.io.FixedLenSequenceFeature([1], tf.float32, allow_missing=True)


def old_parser(records):
    """ParseExample, as TensorFlow 1 wrote it; today's tf.io.parse_example makes a ParseExampleV2."""
    options = {"sparse_types": [tf.float32], "dense_shapes": [[2], []]}
    defaults = [tf.zeros([0]), tf.zeros([0], tf.int64)]
    parsed = tf.raw_ops.ParseExample(
        serialized=records, names=[], sparse_keys=["b"], dense_keys=["a", "id"], dense_defaults=defaults, **options
    )
    return {"a": parsed.dense_values[0], "b": parsed.sparse_values[0]}


@pytest.mark.parametrize(
    "parse",
    [lambda x: tf.io.parse_example(x, SPEC), lambda x: tf.io.parse_single_example(x[0], SPEC), old_parser],
    ids=["batch", "one", "old"],
)
def test_records_are_made_for_who_parses_them(parse, graph, tmp_path):
    """The input of a classic estimator's export: serialized tf.Examples."""

    def build():
        parsed = parse(v1.placeholder(tf.string, [None], name="records"))
        sizes = [tf.reduce_sum(parsed[key]) for key in ("a", "many") if key in parsed]
        values = parsed["b"].values if hasattr(parsed["b"], "values") else parsed["b"]
        tf.add_n([*sizes, tf.reduce_sum(values)], name="y")

    path = graph("parses", build)
    report = freeze(path, ["y"], tmp_path / "f.pb")
    assert report.compared == 2, report.not_compared
    assert verify(path, tmp_path / "f.pb", outputs=["y"]).compared == 2
