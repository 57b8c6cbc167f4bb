"""Each repair on a file that today's importer refuses: named when used, and not otherwise."""

import os
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf import text_format

from tf1ref.artifacts.freeze import freeze
from tf1ref.artifacts.graph import graphs, repairs
from tf1ref.errors import InputError


def built(build):
    with v1.Graph().as_default() as graph:
        build()
    return graph.as_graph_def()


def neg():
    tf.negative(v1.placeholder(tf.float32, [2], name="x"), name="y")


def plain():
    x = v1.placeholder(tf.float32, [2], name="x")
    tf.add(x, tf.constant([1.0, 2.0], name="c"), name="y")


def node(graph_def, name):
    return next(n for n in graph_def.node if n.name == name)


def done(graph):
    """(GraphDef, notes) of a graphs.Graph."""
    return graph.graph_def, graph.notes


@pytest.fixture
def asks():
    """Runs `y` of a GraphDef on x = [3, 4]; raises what TensorFlow raises."""

    def run(graph_def):
        with v1.Graph().as_default(), v1.Session() as sess:
            v1.import_graph_def(graph_def, name="")
            return sess.run("y:0", {"x:0": [3.0, 4.0]}).tolist()

    return run


def later(graph_def):
    graph_def.versions.min_consumer = repairs.CONSUMER + 1


def bad_consumer(graph_def):
    graph_def.versions.bad_consumers.append(repairs.CONSUMER)


def stale_shapes(graph_def):
    shapes = node(graph_def, "y").attr["_output_shapes"].list
    shapes.shape.add().dim.add(size=7)


def colocated(graph_def):
    node(graph_def, "y").attr["_class"].list.s.append(b"loc:@pruned_away")


def no_such_gpu(graph_def):
    node(graph_def, "y").device = "/job:ps/task:3/device:GPU:7"


def function_without_gradient(graph_def):
    graph_def.library.gradient.add(function_name="f", gradient_func="f_grad")


def unregistered_gradient(graph_def):
    node(graph_def, "y").attr["_gradient_op_type"].s = b"CustomGradient-139823"


def unknown_branch(graph_def):
    graph_def.node.add(name="strange", op="FooBar", input=["y"])


DAMAGE = {
    later: "min_consumer .* made for a later TensorFlow",
    bad_consumer: "bad_consumers names this TensorFlow",
    stale_shapes: r"_output_shapes that TensorFlow infers otherwise, left out: of \(y\)",
    colocated: r"colocation with nodes that are not there, left out: pruned_away \(y\)",
    no_such_gpu: r"device pins that do not exist here, left out: /job:ps/task:3/device:GPU:7 \(y\)",
    function_without_gradient: r"gradient functions that are not there, left out: f_grad \(f\)",
    unregistered_gradient: r"gradient functions that are not there, left out: CustomGradient-139823 \(y\)",
    unknown_branch: r"unknown ops that the outputs do not need, left out: FooBar \(strange\)",
}
RUNS_ANYWAY = (unregistered_gradient, function_without_gradient)  # they show when someone differentiates


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_repair_is_needed_works_and_is_named(damage, asks):
    graph_def = built(plain)
    graph_def.versions.producer = repairs.CONSUMER
    damage(graph_def)
    before = graph_def.SerializeToString(deterministic=True)
    if damage not in RUNS_ANYWAY:
        with pytest.raises((ValueError, tf.errors.OpError)):
            asks(graph_def)
    repaired, notes = done(repairs.repaired(graph_def, ["y"], "here"))
    notes += repairs.stale(graph_def, graphs.Graph(repaired).imported())
    assert asks(repaired) == [4.0, 6.0]
    (note,) = notes
    assert re.search(DAMAGE[damage], note), note
    assert graph_def.SerializeToString(deterministic=True) == before, "what is repaired is a copy"
    assert done(repairs.repaired(repaired, ["y"], "here")) == (repaired, [])


def test_a_whole_graph_is_not_changed_by_a_repair_it_does_not_need():
    graph_def = built(plain)
    repaired, notes = done(repairs.repaired(graph_def))
    assert notes == [] and repaired == graph_def


def test_a_gradient_that_is_registered_stays():
    graph_def = built(plain)
    node(graph_def, "y").attr["_gradient_op_type"].s = b"Add"
    repaired, notes = done(repairs.repaired(graph_def))
    assert notes == [] and node(repaired, "y").attr["_gradient_op_type"].s == b"Add"


def test_what_freezing_left_over(asks):
    """A moving average's update and a cond on a ref, as they are when variables alone were exchanged."""

    def trained():
        x = v1.placeholder(tf.float32, [2], name="x")
        w = v1.get_variable("w", initializer=np.array([10.0, 20.0], np.float32), use_resource=False)
        passed = tf.raw_ops.RefSwitch(data=w._ref(), pred=tf.constant(True)).output_true
        moved = v1.assign_sub(w, x, name="moved")
        tf.add(tf.identity(passed), moved, name="y")

    graph_def = built(trained)
    w = node(graph_def, "w")
    w.op = "Const"
    w.attr.clear()
    w.attr["dtype"].type = tf.float32.as_datatype_enum
    w.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([10.0, 20.0], tf.float32))
    with pytest.raises((ValueError, tf.errors.OpError), match="float_ref"):
        asks(graph_def)
    repaired, notes = done(repairs.repaired(graph_def, ["y"], "here"))
    assert asks(repaired) == [10 + 10 - 3.0, 20 + 20 - 4.0]
    (note,) = notes
    assert "left over by freezing, made plain: " in note and "AssignSub (moved)" in note and "RefSwitch" in note
    whole, notes = done(repairs.repaired(graph_def))
    assert node(whole, "w/Assign").op == "Identity" and list(node(whole, "w/Assign").input) == ["w/initial_value"]
    assert asks(whole) == [17.0, 36.0] and "Assign (w/Assign)" in notes[0]


def test_variables_keep_their_assignments():
    def ref():
        w = v1.get_variable("w", initializer=1.0, use_resource=False)
        passed = tf.raw_ops.RefSwitch(data=w._ref(), pred=tf.constant(True), name="passed").output_true
        tf.raw_ops.AssignSub(ref=passed, value=tf.constant(1.0), name="moved")

    repaired, notes = done(repairs.repaired(built(ref)))
    assert notes == [] and node(repaired, "w/Assign").op == "Assign"
    assert node(repaired, "passed").op == "RefSwitch" and node(repaired, "moved").op == "AssignSub"


@pytest.mark.parametrize(
    ("text", "read"),
    [("0.12.head", "0.12"), ("1.3.0", "1.3.0"), ("1.1.0-rc2", "1.1.0-rc2"), ("head", "0"), ("", ""), ("2.x", "2")],
)
def test_version_strings(saved, tmp_path, text, read):
    assert repairs.version_string(text) == read
    meta = v1.MetaGraphDef(graph_def=built(plain))
    meta.meta_info_def.tensorflow_version = text
    _, notes = done(repairs.repaired(meta))
    assert [repr(text) in n for n in notes] == [True] * (text != read)
    meta.meta_info_def.tensorflow_version = read
    with v1.Graph().as_default():
        v1.train.import_meta_graph(meta)


def test_an_unknown_op_on_the_way_stays(tmp_path):
    graph_def = built(neg)
    graph_def.node.add(name="strange", op="FooBar", input=["y"])
    after = graph_def.node.add(name="after", op="Identity", input=["strange"])
    after.attr["T"].type = tf.float32.as_datatype_enum
    tail = graph_def.node.add(name="tail", op="Neg", input=["after"])
    tail.attr["T"].type = tf.float32.as_datatype_enum
    (tmp_path / "g.pb").write_bytes(graph_def.SerializeToString())
    repaired, notes = done(repairs.repaired(graph_def, ["tail"]))
    assert node(repaired, "strange") and notes == []
    with pytest.raises(InputError, match=r"does not know: FooBar \(strange\)"):
        freeze(tmp_path / "g.pb", ["tail"], tmp_path / "f.pb")
    report = freeze(tmp_path / "g.pb", ["tail"], tmp_path / "f.pb", inputs=["after"])
    assert report.inputs == {"after:0": None} and report.compared


def test_a_repair_is_said_by_freeze(saved, tmp_path):
    prefix = saved(lambda: v1.get_variable("w", initializer=1.0))
    path = pathlib.Path(prefix + ".meta")
    meta = v1.MetaGraphDef.FromString(path.read_bytes())
    meta.meta_info_def.tensorflow_version = "0.12.head"
    no_such_gpu_of = node(meta.graph_def, "w")
    no_such_gpu_of.device = "/job:ps/task:0"
    path.write_bytes(meta.SerializeToString())
    notes = freeze(prefix, ["w"], tmp_path / "w.pb").notes
    assert [n.partition(" ")[0] for n in notes] == ["version", "device"]


@pytest.mark.parametrize("name", ["traffic_signs", "ctc", "seq2seq", "half_plus_two_v2"])
def test_whole_graphs_of_others_are_imported(real, name):
    (path,) = real(name).glob("*.meta")
    graph = repairs.repaired(v1.MetaGraphDef.FromString(path.read_bytes()), None, name)
    graph.imported()
    graph_def, notes = done(graph)
    assert [n for n in notes if "version string '0.12.head'" in n] == notes[:1] * (name == "half_plus_two_v2")
    assert os.path.isfile(path) and text_format.MessageToString(graph_def.versions)
