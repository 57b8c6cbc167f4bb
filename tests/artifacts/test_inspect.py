"""What inspect says of files that these tests write, against what they wrote."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf import text_format

from tf1ref.artifacts.graph import summaries
from tf1ref.artifacts.inspect import inspect, node
from tf1ref.errors import InputError

DATA = "model.data-00000-of-00001"


def built(build):
    with v1.Graph().as_default() as graph:
        build()
    return graph.as_graph_def()


def test_a_checkpoint_with_its_graph(saved, tmp_path, network):
    prefix = saved(network)
    report = inspect(prefix)
    (graph,) = report.graphs
    assert report.kind == "V2 checkpoint with its graph" and report.problems == []
    assert report.files == {n: os.path.getsize(tmp_path / n) for n in ("model.meta", "model.index", DATA)}
    with v1.Graph().as_default() as other:
        network()
        variables = {v.op.name: v for v in v1.global_variables()}
        trained = [v.op.name for v in v1.trainable_variables()]
    assert {v.name: v.shape for v in report.variables} == {n: v.shape.as_list() for n, v in variables.items()}
    assert {v.name: v.dtype for v in report.variables} == {n: v.dtype.name for n, v in variables.items()}
    assert {v.name: v.shape for v in graph.variables} == {v.name: v.shape for v in report.variables}
    assert graph.trained == trained and graph.tensorflow == tf.version.VERSION
    assert graph.producer == tf.version.GRAPH_DEF_VERSION and not graph.unknown_ops and not graph.missing_inputs
    assert [(t.name, t.dtype, t.shape) for t in graph.inputs] == [("x", "float32", [None, 8, 8, 3])]
    assert [(t.name, t.op, t.shape) for t in graph.outputs][0] == ("y", "Softmax", [None, 5])
    assert graph.training_batch_norms == ["norm"] and graph.shadows == ["dense/w/ExponentialMovingAverage"]
    assert not graph.outside and not graph.state, "the Saver's own ops are no danger"
    assert graph.collections["trainable_variables"]["count"] == 3
    assert graph.nodes > len(other.as_graph_def().node)  # the Saver and the initializer


def test_shapes_agree_with_tensorflows_inference(network):
    """Shapes are worked out without importing the graph; where one is given, TensorFlow infers the same."""
    graph_def = built(network)
    from tf1ref.artifacts.graph.shapes import Shapes

    shapes, told = Shapes({n.name: n for n in graph_def.node}), 0
    with v1.Graph().as_default() as graph:
        v1.import_graph_def(graph_def, name="")
        for one in graph_def.node:
            if one.name.startswith("gradients/") or one.op in ("VarHandleOp", "NoOp"):
                continue
            outputs, found = graph.get_operation_by_name(one.name).outputs, shapes.of(one.name)
            if outputs and found is not None and outputs[0].shape.rank is not None:
                told += 1
                assert found == outputs[0].shape.as_list(), one.name
    assert told > 25


@pytest.mark.parametrize("name", ["model", "model.meta", "model.index", DATA, "checkpoint", ""])
def test_any_file_of_a_checkpoint_will_do(saved, tmp_path, name, network):
    saved(network)
    expected = inspect(tmp_path / "model")
    assert inspect(tmp_path / name) == expected


def test_a_moved_folder_and_a_meta_graph_alone(saved, tmp_path, network):
    saved(network, folder=tmp_path)
    shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}_moved")
    moved = inspect(tmp_path.parent / f"{tmp_path.name}_moved")
    assert moved.kind.startswith("V2") and len(moved.variables) > 3
    shutil.copy(tmp_path / "model.meta", tmp_path / "alone.meta")
    alone = inspect(tmp_path / "alone.meta")
    assert alone.kind == "MetaGraphDef" and not alone.variables and alone.graphs == moved.graphs


def test_graphs_are_told_by_content(tmp_path, network):
    graph_def = built(network)
    meta = v1.MetaGraphDef(graph_def=graph_def)
    for name, message in (("a", graph_def), ("b", meta)):
        (tmp_path / f"{name}.dat").write_bytes(message.SerializeToString())
        (tmp_path / f"{name}.bin").write_text("# by hand\n" + text_format.MessageToString(message))
    reports = [inspect(tmp_path / n) for n in ("a.dat", "a.bin", "b.dat", "b.bin")]
    kinds = ["GraphDef", "GraphDef as text", "MetaGraphDef", "MetaGraphDef as text"]
    assert [r.kind for r in reports] == kinds
    assert all(r.graphs == reports[0].graphs for r in reports)


def test_what_to_look_out_for(tmp_path, network):
    def odd():
        v1.py_func(lambda: np.float32(1), [], tf.float32, name="python")
        v1.read_file("/etc/hostname", name="peek")
        v1.FIFOQueue(4, [tf.float32], name="fifo")
        v1.get_variable("w", initializer=1.0)
        v1.read_file("x", name="save/disguised")

    graph_def = built(odd)
    graph_def.node.add(name="strange", op="NoSuchOp", input=["absent:1", "^peek"])
    graph_def.library.function.add().signature.name = "mine"
    graph_def.node.add(name="call", op="mine")
    graph_def.versions.min_consumer = 10**6
    (tmp_path / "g.pb").write_bytes(graph_def.SerializeToString())
    (graph,) = inspect(tmp_path / "g.pb").graphs
    assert graph.unknown_ops == {"NoSuchOp": ["strange"]} and graph.missing_inputs == ["absent"]
    assert graph.outside == {"PyFunc": ["python"], "ReadFile": ["peek", "save/disguised"]}
    assert graph.state == {"FIFOQueueV2": ["fifo"]}
    warned = {what: names for what, names, _ in summaries.warnings(graph, [])}
    assert warned["made for a later TensorFlow"][0].startswith("min_consumer 1000000")
    assert warned["ops unknown here"] == ["NoSuchOp x 1 (strange)"]
    assert warned["do more than compute"] == [
        "ReadFile x 2 (peek): reads a file",
        "PyFunc x 1 (python): calls a Python function of the program that built it",
    ]
    assert graph.verdicts["FIFOQueueV2"] == ("state", "a queue") and "Identity" not in graph.verdicts


@pytest.mark.parametrize(("version", "refused"), [("1.3.0", False), ("1.1.0-rc2", False), ("0.12.head", True)])
def test_version_strings_are_judged_as_the_importer_does(saved, tmp_path, version, refused):
    prefix = saved(lambda: v1.get_variable("w", initializer=1.0))
    meta = v1.MetaGraphDef.FromString((tmp_path / "model.meta").read_bytes())
    meta.meta_info_def.tensorflow_version = version
    (tmp_path / "model.meta").write_bytes(meta.SerializeToString())
    report = inspect(prefix)
    warned = [what for what, *_ in summaries.warnings(report.graphs[0], ["w"])]
    assert warned == ["version string"] * refused
    with v1.Graph().as_default():
        if refused:
            with pytest.raises(Exception, match="0.12.head"):
                v1.train.import_meta_graph(prefix + ".meta")
        else:
            v1.train.import_meta_graph(prefix + ".meta")


def test_a_variable_without_a_value_is_named(saved):
    def two():
        v1.get_variable("w", initializer=1.0)
        v1.get_variable("late", initializer=1.0)
        v1.get_local_variable("count", initializer=1.0)

    prefix = saved(two, saver=lambda: v1.train.Saver([v1.global_variables()[0]]))
    report = inspect(prefix)
    found = [(what, names) for what, names, _ in summaries.warnings(report.graphs[0], ["w"])]
    assert found == [("no saved value of this name", ["late"])]


def test_what_is_left_out_has_its_default(tmp_path, network):
    """Writers leave out attributes that are the default: a batch norm without is_training trains."""
    graph_def = built(network)
    for one in graph_def.node:
        one.attr.pop("is_training", None)
        one.attr.pop("_output_shapes", None)
        if one.op == "Placeholder":
            one.attr["shape"].shape.CopyFrom(tf.TensorShape(None).as_proto())
    (tmp_path / "g.pb").write_bytes(graph_def.SerializeToString())
    (graph,) = inspect(tmp_path / "g.pb").graphs
    assert "norm" in graph.training_batch_norms and graph.inputs[0].shape is None


def test_a_saved_model_with_signatures_assets_and_two_graphs(tmp_path, shown):
    folder = str(tmp_path / "sm")
    (tmp_path / "words.txt").write_text("a\nb\n")
    builder = v1.saved_model.builder.SavedModelBuilder(folder)
    with v1.Graph().as_default(), v1.Session() as sess:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        y = tf.matmul(x, v1.get_variable("w", initializer=np.ones((2, 3), np.float32)), name="y")
        asset = tf.constant(str(tmp_path / "words.txt"))
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
        sess.run(v1.global_variables_initializer())
        signature = v1.saved_model.signature_def_utils.predict_signature_def({"input": x}, {"scores": y})
        assets = v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS)
        builder.add_meta_graph_and_variables(sess, ["serve"], {"serving_default": signature}, assets)
        builder.add_meta_graph(["train", "gpu"])
    builder.save()
    report = inspect(folder)
    assert report.kind == "SavedModel" and [g.tags for g in report.graphs] == [["serve"], ["train", "gpu"]]
    assert report == inspect(tmp_path / "sm" / "saved_model.pb")
    signature = report.graphs[0].signatures["serving_default"]
    assert signature["method"] == "tensorflow/serving/predict"
    assert signature["inputs"]["input"].name == "x:0" and signature["outputs"]["scores"].shape == [None, 3]
    assert report.graphs[0].assets == ["words.txt"] and not report.problems
    assert [(v.name, v.shape) for v in report.variables] == [("w", [2, 3])]
    printed = shown(folder, "--signatures")
    assert "serving_default" in printed and "[?, 3]" in printed
    os.remove(tmp_path / "sm" / "assets" / "words.txt")
    assert inspect(folder).problems == ["assets/words.txt: missing"]
    shutil.rmtree(tmp_path / "sm" / "variables")
    assert "variables.index: missing" in inspect(folder).problems[1]


def test_a_tf2_saved_model(tmp_path):
    module = tf.Module()
    module.w = tf.Variable([[1.0], [2.0]], name="w")
    module.f = tf.function(lambda x: tf.matmul(x, module.w), input_signature=[tf.TensorSpec([None, 2])])
    tf.saved_model.save(module, str(tmp_path / "sm"), signatures=module.f)
    report = inspect(tmp_path / "sm")
    assert report.objects and report.graphs[0].functions and "serving_default" in report.graphs[0].signatures
    assert report.graphs[0].ops["MatMul"] >= 1, "ops of functions count"


def test_one_node(saved, network):
    prefix = saved(network)
    found = node(prefix, "y:0")
    assert (found.op, found.shape, found.function) == ("Softmax", [None, 5], "")
    assert [op for _, op in found.inputs] == ["MatMul"] and "Mean" in [op for _, op in found.readers]
    assert node(prefix, "Reshape/shape").attributes["value"] == "int32 [2] [-1, 36]"
    with pytest.raises(InputError, match="holds no node 'dense/ww'; nearest: dense/w"):
        node(prefix, "dense/ww")


def test_a_constant_that_claims_more_than_it_has(tmp_path):
    graph_def = v1.GraphDef()
    one = graph_def.node.add(name="c", op="Const")
    one.attr["dtype"].type = tf.float32.as_datatype_enum
    one.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([1.0]))
    for _ in range(200):
        one.attr["value"].tensor.tensor_shape.dim.add(size=2**62)
    (tmp_path / "g.pb").write_bytes(graph_def.SerializeToString())
    assert inspect(tmp_path / "g.pb").graphs[0].constants == 0
    assert node(tmp_path / "g.pb", "c").attributes["value"].startswith("float32 [1, 46116860")
