"""Whatever cannot be frozen: one line, the target as it was, nothing beside it."""

import os
import re

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.freeze import freeze
from tf1ref.errors import InputError

DATA = "model.data-00000-of-00001"


def model():
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    w = v1.get_variable("w", initializer=np.ones((4, 3), np.float32))
    logits = tf.matmul(x, w, name="logits")
    tf.nn.softmax(logits, name="probabilities")
    v1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(logits, name="loss"))
    tf.identity(v1.assign_add(w, w), name="double")


@pytest.fixture
def refuses(tmp_path):
    """Freezes into a new folder; checks the one line, and that the folder stays empty."""
    made = tmp_path / "made"
    made.mkdir()

    def check(message, source=tmp_path, outputs=("logits",), target=made / "f.pb", **options):
        before = {p: p.read_bytes() for p in made.iterdir()}
        with pytest.raises(InputError, match=message) as error:
            freeze(source, list(outputs), target, **options)
        assert "\n" not in str(error.value) and len(str(error.value)) < 600
        assert {p: p.read_bytes() for p in made.iterdir()} == before

    return check


def test_a_source_that_is_not_there(saved, refuses, tmp_path):
    refuses("no such file or checkpoint: give PREFIX", source=tmp_path / "nowhere")
    refuses("holds no checkpoint", source=tmp_path)
    saved(model, global_step=1000)
    refuses("no such file or checkpoint; nearest: model-1000: give PREFIX", source=tmp_path / "model")
    (tmp_path / "notes.txt").write_text("no checkpoint")
    refuses("is not a checkpoint", source=tmp_path / "notes.txt")


@pytest.mark.parametrize("part", ["model.meta", "model.index", DATA])
def test_a_missing_file_is_named(saved, refuses, tmp_path, part):
    saved(model)
    os.remove(tmp_path / part)
    refuses(re.escape(part.replace("00000-of-00001", "*")) + ": missing", source=tmp_path / "model")


def test_several_checkpoints_without_a_state_file(saved, refuses, tmp_path):
    saved(model, name="a"), saved(model, name="b")
    os.remove(tmp_path / "checkpoint")
    refuses(r"several checkpoints and no state file: give one of a.meta, b.meta")


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"\xff" * 400])
def test_a_damaged_meta_graph(saved, refuses, tmp_path, damage):
    saved(model)
    path = tmp_path / "model.meta"
    path.write_bytes(damage(path.read_bytes()))
    refuses("model.meta: ")


@pytest.mark.parametrize("part", ["model.index", DATA])
@pytest.mark.parametrize("damage", [lambda b: b[:30], lambda b: b"", lambda b: bytes(255 - c for c in b)])
def test_damaged_values(saved, refuses, tmp_path, part, damage):
    saved(model)
    path = tmp_path / part
    path.write_bytes(damage(path.read_bytes()))
    refuses("model: (damaged or incomplete|cannot be read as a checkpoint|holds no value)")


def test_outputs_that_are_not_there(saved, refuses):
    saved(model)
    refuses("holds no 'logit'; nearest: logits", outputs=["logit"])
    refuses("holds no 'Logits:0'; nearest: logits", outputs=["Logits:0"])
    refuses("holds no 'gradients/lossy'; nearest: gradients/", outputs=["gradients/lossy"])
    refuses(r"logits \(MatMul\) has 1 outputs, no logits:1", outputs=["logits:1"])
    refuses(r"init \(NoOp\) has 0 outputs", outputs=["init"])
    refuses("'a:b' is no name of a node", outputs=["a:b"])
    refuses("name the outputs; likely: probabilities, .*loss$", outputs=[])
    refuses("what the outputs need: holds no 'loss'", inputs=["loss"])


def test_a_write_to_a_variable(saved, refuses):
    saved(model)
    refuses("which writes to a variable", outputs=["double"])


def test_targets_that_cannot_be(saved, refuses, tmp_path):
    saved(model)
    target = tmp_path / "made" / "there.pb"
    target.write_bytes(b"old")
    refuses("exists already: choose another name or overwrite it with --force", target=target)
    refuses("is a folder", target=tmp_path / "made", force=True)
    refuses("there is no folder .*nowhere: make it first", target=tmp_path / "nowhere" / "f.pb")
    refuses("there is no folder", target=target / "f.pb")
    refuses("cannot be written", target="/proc/self/f.pb")


def test_variables_that_were_not_saved_are_named(saved, refuses, tmp_path):
    with v1.Graph().as_default():
        model()
        for name in ("late", "later"):
            v1.get_variable(name, initializer=1.0)
        tf.add_n([v1.global_variables()[-1], v1.global_variables()[-2], 1.0], name="sum")
        meta = v1.train.Saver().export_meta_graph()
    saved(model)
    (tmp_path / "model.meta").write_bytes(meta.SerializeToString())
    refuses("model: holds no value for late, later, which the outputs need", outputs=["sum"])
    freeze(tmp_path, ["logits"], tmp_path / "f.pb")  # what is not needed may lack


def test_shapes_that_do_not_belong_together(saved, refuses, tmp_path):
    saved(model)
    with v1.Graph().as_default():
        v1.get_variable("w", initializer=np.ones((5, 3), np.float32))
        meta = v1.train.Saver().export_meta_graph()
    (tmp_path / "model.meta").write_bytes(meta.SerializeToString())
    refuses(r"w is \[4, 3\], \[5, 3\] in the graph: these files do not belong together", outputs=["w"])


def test_files_and_python_need_trust(saved, refuses, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("42")

    def reads():
        w = v1.get_variable("w", initializer=1.0)
        number = v1.strings.to_number(v1.read_file(str(secret), name="peek"))
        tf.add(w, number, name="y")
        tf.add(w, v1.py_func(lambda: np.float32(1), [], tf.float32, name="python"), name="z")
        inside = tf.function(lambda: tf.raw_ops.ReadFile(filename=str(secret)))
        tf.identity(inside(), name="hidden")

    saved(reads)
    refuses(r"touch files, the network or Python: ReadFile \(peek\): say --trust", outputs=["y"])
    refuses(r"PyFunc \(python\)", outputs=["z"])
    refuses(r"ReadFile \(", outputs=["hidden"])
    assert freeze(tmp_path, ["w"], tmp_path / "w.pb").compared == 1
    assert freeze(tmp_path, ["y"], tmp_path / "y.pb", trust=True).compared == 1
    secret.unlink()
    refuses("the graph does not run here: .*secret", outputs=["y"], trust=True)


def test_queues_and_tables_need_inputs(saved, refuses):
    def stateful():
        w = v1.get_variable("w", initializer=1.0)
        tf.add(w, v1.FIFOQueue(4, [tf.float32], [[]], name="fifo").dequeue(name="next"), name="y")
        iterator = v1.data.make_one_shot_iterator(tf.data.Dataset.from_tensors(1.0))
        tf.add(w, iterator.get_next(), name="z")

    saved(stateful)
    refuses(r"fifo.*whose state no frozen graph holds: name the tensors after it as --inputs", outputs=["y"])
    refuses(r"IteratorGetNext", outputs=["z"])


def test_ops_this_tensorflow_does_not_know(saved, refuses, tmp_path):
    saved(model)
    meta = v1.MetaGraphDef.FromString((tmp_path / "model.meta").read_bytes())
    meta.graph_def.node.add(name="strange", op="FooBar", input=["w"])
    (tmp_path / "model.meta").write_bytes(meta.SerializeToString())
    refuses("cannot import the graph: .*FooBar", outputs=["strange"])
    freeze(tmp_path, ["logits"], tmp_path / "f.pb")  # a branch that is not needed does no harm
    meta.graph_def.node.add(name="loose", op="Identity", input=["nobody"])
    (tmp_path / "model.meta").write_bytes(meta.SerializeToString())
    refuses("damaged: a node reads 'nobody'", outputs=["loose"])
