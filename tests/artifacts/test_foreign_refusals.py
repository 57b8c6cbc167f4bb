"""What cannot be used of others' models and files, and the line that says so in every verb."""

import zipfile

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.core.framework.function_pb2 import FunctionDef

from tf1ref.artifacts.convert import convert
from tf1ref.artifacts.freeze import freeze
from tf1ref.artifacts.inspect import inspect
from tf1ref.artifacts.verify import verify
from tf1ref.errors import InputError


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


def calling(name, called, times=1):
    """A FunctionDef x -> called(... called(x)) of a float."""
    function = FunctionDef()
    function.signature.name = name
    function.signature.input_arg.add(name="x", type=tf.float32.as_datatype_enum)
    function.signature.output_arg.add(name="y", type=tf.float32.as_datatype_enum)
    last = "x"
    for i in range(times):
        node = function.node_def.add(name=f"call{i}", op="PartitionedCall", input=[last])
        for attribute in ("Tin", "Tout"):
            node.attr[attribute].list.type.append(tf.float32.as_datatype_enum)
        node.attr["f"].func.name = called
        last = f"call{i}:output:0"
    function.ret["y"] = last
    return function


@pytest.mark.parametrize(
    ("functions", "says"),
    [
        ([calling("f", "f")], "the function f calls itself"),
        ([calling("f", "g"), calling("g", "h"), calling("h", "f")], "calls itself"),
        (
            [calling("f", "f1", 2), *(calling(f"f{i}", f"f{i + 1}", 2) for i in range(1, 40)), calling("f40", "g", 0)],
            "the function f17 is more than 10,000,000 nodes with all that it calls",
        ),
    ],
)
def test_functions_without_an_end_are_refused(functions, says, refused, graph):
    """TensorFlow follows them until its stack, or the memory, is at its end."""
    path = graph("functions", lambda: tf.identity(v1.placeholder(tf.float32, [], name="x"), name="y"))
    graph_def = v1.GraphDef.FromString(path.read_bytes())
    graph_def.library.function.extend(functions)
    (node,) = [n for n in graph_def.node if n.name == "y"]
    node.op = "f"
    node.attr.clear()
    path.write_bytes(graph_def.SerializeToString())
    for words in (
        ["freeze", path, "-o", "f.pb"],
        ["freeze", path, "-o", "f.pb", "--inputs", "x"],
        ["convert", path, "sm", "--to", "saved_model"],
        ["verify", path, path],
    ):
        assert says in refused(*words, "--outputs", "y")
    assert inspect(path).graphs
