"""The chapter saving: what the traces cannot show - files, the fields S3 prints, and each half's errors."""

import glob

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf import text_format

from tf1ref.artifacts.inspect import inspect
from tf1ref.examples.saving import checkpoint_reader, going_on, meta_graph, pb_tools, resume, saver, saver_ema
from tf1ref.modules import checkpoints

HALVES = ("graph", "function")


def test_the_files_of_a_saver(tmp_path):
    saver.run_graph(out=tmp_path)
    once = ["checkpoint", "test_model.data-00000-of-00001", "test_model.index", "test_model.meta"]
    many = {f"test_model_many-{step}.{part}" for step in range(2, 7) for part in ("index", "data-00000-of-00001")}
    assert {p.name for p in tmp_path.iterdir()} == {*once, *many}


def test_a_graph_written_with_the_first_number_goes_with_it(tmp_path):
    """The erratum of S2: write_meta_graph=False from the second save on loses the graph after five more."""
    with v1.Graph().as_default(), v1.Session() as sess:
        saver.build_graph()
        sess.run(v1.global_variables_initializer())
        many = v1.train.Saver()
        for step in range(6):
            many.save(sess, str(tmp_path / "my-model"), global_step=step, write_meta_graph=step == 0)
            assert bool(glob.glob(str(tmp_path / "*.meta"))) == (step < 5)


def test_reading_alone_would_say_nothing_of_a_missing_key(tmp_path):
    """What `final/missing_key` has to see in the function half: no assertion, and OTHER stays."""
    saver.save_function(str(tmp_path / "m"), {})
    other = saver.Model(saver.OTHER, saver.OTHER)
    tf.train.Checkpoint(other_v1=other.first).read(str(tmp_path / "m"))
    assert other.first.numpy() == saver.OTHER
    assert saver.key_missing_function(str(tmp_path / "m"))


def test_the_fields_that_s3_prints(tmp_path):
    meta = meta_graph.export_graph(str(tmp_path / "test_meta.json"))
    ops = meta.meta_info_def.stripped_op_list.op
    assert ops[0].name == "AddV2" and [a.name for a in ops[0].input_arg] == ["x", "y"]
    nodes = {node.name: node for node in meta.graph_def.node}
    assert (meta.graph_def.node[1].name, meta.graph_def.node[1].op) == ("v1", "VariableV2")
    inputs = ["save/Const", "save/SaveV2/tensor_names", "save/SaveV2/shape_and_slices", "v1", "v2"]
    assert list(nodes["save/SaveV2"].input) == inputs
    assert nodes["save/restore_all"].op == "NoOp"
    assert list(nodes["save/restore_all"].input) == ["^save/Assign", "^save/Assign_1"]
    saver_def = meta.saver_def
    assert saver_def.filename_tensor_name == "save/Const:0"
    assert saver_def.save_tensor_name == "save/control_dependency:0"
    assert saver_def.restore_op_name == "save/restore_all"
    assert (saver_def.max_to_keep, saver_def.keep_checkpoint_every_n_hours) == (5, 10000.0)
    assert saver_def.version == v1.train.SaverDef.V2
    printed = [
        b"\n\004v1:0\022\tv1/Assign\032\tv1/read:02\007Const:0",
        b"\n\004v2:0\022\tv2/Assign\032\tv2/read:02\tConst_1:0",
    ]
    for name in ("trainable_variables", "variables"):
        values = meta.collection_def[name].bytes_list.value
        assert [v.removesuffix(b"8\001") for v in values] == printed  # `trainable`, which S3's year did not write
    text = (tmp_path / "test_meta.json").read_text()
    assert text_format.Parse(text, v1.MetaGraphDef()) == meta
    (graph,) = inspect(tmp_path / "test_meta.json").graphs
    assert [v.name for v in graph.variables] == ["v1", "v2"]


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_training_goes_on_in_an_imported_graph(half):
    trace = getattr(going_on, f"run_{half}")()
    assert trace["final/differing"] == 0 and trace["final/body_moved"] == 0
    assert np.mean(trace["steps/loss"][-5:]) < np.mean(trace["steps/loss"][:5])
    assert not np.array_equal(trace["initial/head"], trace["final/head"])


def test_an_import_without_restore_does_not_go_on(monkeypatch):
    # What `final/differing` has to see: the graph comes back, the values do not.
    straight = going_on.run_graph(steps=10)["steps/loss"]
    initialize = lambda self, sess, path: sess.run(v1.global_variables_initializer())  # noqa: E731
    monkeypatch.setattr(v1.train.Saver, "restore", initialize)
    trace = going_on.run_graph(steps=10)
    assert trace["final/differing"] > 0 and np.array_equal(trace["steps/loss"][:5], straight[:5])


@pytest.mark.parametrize("half", HALVES)
def test_a_third_program_goes_on_from_the_second(half, tmp_path):
    run = getattr(resume, f"run_{half}")
    run(steps=3, out=tmp_path)
    trace = run(steps=3, out=tmp_path)
    assert trace["initial/x"] == 7.0 and trace["final/second_run"] == 13.0
    assert trace["final/kept"].tolist() == [8, 9, 10, 11, 12]
    assert len(list(tmp_path.glob("*.index"))) == 5


def test_each_half_of_saver_ema_reads_the_others_file(tmp_path):
    for half, name in (("graph", "a"), ("function", "b")):
        (tmp_path / name).mkdir()
        getattr(saver_ema, f"run_{half}")(out=tmp_path / name)
    of_function, _ = saver_ema.restore_graph(
        str(tmp_path / "b" / saver_ema.NAME), lambda v, ema: ema.variables_to_restore([v])
    )
    model = saver_ema.Model()
    checkpoints.restore(str(tmp_path / "a" / saver_ema.NAME), {"v/ExponentialMovingAverage": model.v})
    assert of_function == model.v.numpy() == np.float32(0.099999905)


def test_inspect_tells_what_the_programs_left(tmp_path):
    for name, module in (("ema", saver_ema), ("reader", checkpoint_reader), ("pb", pb_tools)):
        (tmp_path / name).mkdir()
        module.run_graph(out=tmp_path / name)
    assert inspect(tmp_path / "ema").graphs[0].shadows == ["v/ExponentialMovingAverage"]
    assert {v.name: v.shape for v in inspect(tmp_path / "reader").variables} == {"v1": [1], "v2": [1]}
    frozen = inspect(tmp_path / "pb" / "model.pb").graphs[0]
    assert not frozen.variables and [t.name for t in frozen.outputs] == ["add"]
    (events,) = (tmp_path / "pb" / "pb").iterdir()
    assert inspect(events).records.tags["(graph def)"]["steps"] == 1
