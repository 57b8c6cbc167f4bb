"""Whatever cannot be frozen: one line, the target as it was, nothing beside it."""

import json
import os
import re
import subprocess

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.freeze import freeze
from tf1ref.catalog.programs import source_named
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
    refuses("a folder without a SavedModel or a checkpoint", source=tmp_path)
    saved(model, global_step=1000)
    refuses("no such file or checkpoint; nearest: model-1000: give PREFIX", source=tmp_path / "model")
    (tmp_path / "notes.txt").write_text("no checkpoint")
    refuses("notes.txt: not recognised", source=tmp_path / "notes.txt")
    refuses("no example 'mnist.lenet6'; nearest: mnist.lenet5", source=source_named("mnist.lenet6"))
    refuses("--checkpoint goes with an example", checkpoint="model")


@pytest.mark.parametrize("part", ["model.meta", "model.index", DATA])
def test_a_missing_file_is_named(saved, refuses, tmp_path, part):
    saved(model)
    os.remove(tmp_path / part)
    refuses(re.escape(part.replace("00000-of-00001", "*")) + ": missing", source=tmp_path / "model")


def test_several_checkpoints_without_a_state_file(saved, refuses, tmp_path):
    saved(model, name="a"), saved(model, name="b")
    os.remove(tmp_path / "checkpoint")
    refuses(r"several checkpoints and no state file: name one of a, b")


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
    for name in ("log*", "[l]ogits", "..", "a/../b"):
        refuses(f"holds no {name!r}".replace("*", r"\*").replace("[", r"\["), outputs=[name])
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
    refuses(r"do more than compute: ReadFile \(peek\) reads a file: say --trust", outputs=["y"])
    refuses(r"PyFunc \(python\), functions of the program that built it: .* --inputs", outputs=["z"], trust=True)
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
    refuses(r"fifo.*whose state no file holds: name the tensors after it as --inputs", outputs=["y"])
    refuses(r"IteratorGetNext", outputs=["z"])


def test_ops_this_tensorflow_does_not_know(saved, refuses, tmp_path):
    saved(model)
    meta = v1.MetaGraphDef.FromString((tmp_path / "model.meta").read_bytes())
    meta.graph_def.node.add(name="strange", op="FooBar", input=["w"])
    (tmp_path / "model.meta").write_bytes(meta.SerializeToString())
    refuses(r"ops that this TensorFlow does not know: FooBar \(strange\): .* --inputs", outputs=["strange"])
    freeze(tmp_path, ["logits"], tmp_path / "f.pb")  # a branch that is not needed does no harm
    meta.graph_def.node.add(name="loose", op="Identity", input=["nobody"])
    (tmp_path / "model.meta").write_bytes(meta.SerializeToString())
    refuses("damaged: a node reads 'nobody'", outputs=["loose"])


CIRCLES = 'node { name: "y" op: "Neg" input: "z" } node { name: "z" op: "Neg" input: "y" }'
DEEP = 'node { name: "y" op: "Neg" attr { key: "f" value { ' + 'func { attr { key: "f" value { ' * 5000 + "} " * 15002


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.pb", b"", "empty"),
        ("c.pbtxt", CIRCLES.encode(), r"in a circle \(y <- z <- y\)"),
        ("d.pbtxt", DEEP.encode(), "more levels"),
        ("picture.pb", b"\x89PNG\r\n\x1a\n" + bytes(50), "not recognised"),
        ("huge.pb", b"\x0a\xff\xff\xff\xff\x07" + b"x" * 10, "not recognised or damaged"),
        ("records", b"\x00" * 8 + b"\x29\x03\x98\x07" + b"\xd8\xea\x82\xa2", "without a graph"),
    ],
)
def test_files_that_are_no_model(refuses, tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    refuses(says, source=tmp_path / name, outputs=["y"])


def test_a_missing_shard_and_a_constant_of_any_size(saved, refuses, tmp_path):
    def several():
        for number in range(2):
            with v1.device(f"/cpu:{number}"):
                v1.get_variable(f"v{number}", [4], initializer=v1.zeros_initializer())

    prefix = saved(several, saver=lambda: v1.train.Saver(sharded=True))
    shards = sorted(tmp_path.glob("model.data-*"))
    if len(shards) == 2:
        shards[1].unlink()
        refuses("model: (damaged or incomplete|cannot be read)", source=prefix, outputs=["v1"])
    graph_def = v1.GraphDef()
    huge = graph_def.node.add(name="y", op="Const")
    huge.attr["dtype"].type = tf.float32.as_datatype_enum
    huge.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(1.0))
    huge.attr["value"].tensor.tensor_shape.dim.add(size=2**40)
    (tmp_path / "huge.pb").write_bytes(graph_def.SerializeToString())
    refuses("huge.pb: ", source=tmp_path / "huge.pb", outputs=["y"])


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KB; skips where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    except FileNotFoundError:
        pytest.skip("no mount here")
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=20)


def test_a_full_disk(saved, small_disk, tmp_path):
    def large():
        tf.identity(v1.get_variable("w", initializer=np.ones((500, 100), np.float32)), name="y")

    prefix, target = saved(large), small_disk / "f.pb"
    target.write_bytes(b"old")
    with pytest.raises(InputError, match=r"f.pb: cannot be written: No space left on device"):
        freeze(prefix, ["y"], target, force=True)
    assert target.read_bytes() == b"old" and os.listdir(small_disk) == ["f.pb"]
    for other in ("new.pb", "other.pb"):
        with pytest.raises(InputError, match="No space left"):
            freeze(prefix, ["y"], small_disk / other)
    freeze(prefix, ["y"], tmp_path / "f.pb")


@pytest.mark.slow  # two starts of TensorFlow
def test_the_command_says_one_line(saved, refused, tf1ref, tmp_path):
    saved(model)
    line = refused("freeze", "model", "-o", "f.pb", "--outputs", "logit")
    assert line.endswith("model.meta: holds no 'logit'; nearest: logits")
    done = tf1ref("freeze", "model", "-o", "f.pb", "--fold-batch-norms", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["compared"] == 2
    assert done.stderr == "note: no outputs named, taken: probabilities:0; others: loss, double\n"
