"""What inspect prints, and what it says of files of records."""

import json
import sys
import zlib

import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.inspect import inspect
from tf1ref.data.formats import records


@pytest.mark.parametrize("compression", records.COMPRESSIONS)
def test_records(tmp_path, compression, shown):
    def example(number):
        return tf.train.Example(
            features=tf.train.Features(
                feature={
                    "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[number])),
                    "points": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5] * (number + 1))),
                }
            )
        ).SerializeToString()

    written = [example(n) for n in range(5)]
    records.write(tmp_path / "r", written, compression)
    report = inspect(tmp_path / "r")
    found = report.records
    assert (report.kind, found.compression, found.records, found.examples) == ("TFRecord file", compression, 5, 5)
    assert (found.shortest, found.longest) == (len(written[0]), len(written[4])) and found.counted
    assert found.features["points"] == {"type": "float", "lengths": [1, 5], "records": 5}
    assert "1 to 5" in shown(tmp_path / "r")


def test_records_that_would_fill_the_memory(tmp_path, monkeypatch):
    from tf1ref.artifacts.formats import streams

    monkeypatch.setattr(streams, "MOST_BYTES", 1 << 20)
    whole = b"".join(records.framed(bytes(1 << 16)) for _ in range(64))
    (tmp_path / "bomb").write_bytes(zlib.compress(whole))
    found = inspect(tmp_path / "bomb").records
    assert not found.counted and found.records == 16


def test_an_event_file(tmp_path):
    with v1.Graph().as_default(), v1.Session() as sess:
        loss = v1.placeholder(tf.float32, [])
        summary = v1.summary.scalar("loss", loss)
        with v1.summary.FileWriter(str(tmp_path), sess.graph) as writer:
            for step in range(3):
                writer.add_summary(sess.run(summary, {loss: step}), step * 10)
    (path,) = tmp_path.iterdir()
    report = inspect(path)
    assert report.kind == "event file" and report.records.version == "brain.Event:2"
    assert report.records.tags["loss"] == {"kind": "simple_value", "steps": 3, "last_step": 20}
    assert report.records.tags["(graph def)"]["steps"] == 1
    path.write_bytes(path.read_bytes()[:-3])
    cut = inspect(path)
    assert "cut short" in cut.problems[0] and cut.records.tags["loss"]["steps"] == 2


@pytest.mark.parametrize("words", [(), ("--ops",), ("--variables",), ("--signatures",), ("--node", "y")])
def test_the_output_fits_a_terminal_and_json_is_whole(saved, shown, words, network):
    prefix = saved(network)
    for line in shown(prefix, *words).splitlines():
        assert len(line.rstrip()) <= 100, line
    found = json.loads(shown(prefix, *words, "--json"))
    if words[:1] == ("--node",):
        assert found["op"] == "Softmax"
    else:
        warned = [what for what, *_ in found["graphs"][0]["warnings"]]
        assert warned == ["batch norm in training mode", "moving averages"]


def test_what_is_shown_of_a_checkpoint(saved, shown, network):
    printed = shown(saved(network))
    assert "V2 checkpoint with its graph" in printed and f"TensorFlow {tf.version.VERSION}" in printed
    assert "! batch norm in training mode: norm" in printed
    assert "and 6 slots of an optimizer: --variables" in printed and "dense/w/Adam" not in printed
    assert "dense/w/Adam_1" in shown("--variables", saved(network))


def test_names_cannot_move_the_cursor(tmp_path, shown):
    graph_def = v1.GraphDef()
    graph_def.node.add(name="red\x1b[31m", op="NoOp")
    graph_def.node.add(name="reads", op="Identity", input=["red\x1b[31m", "gone\x1b[2J"])
    (tmp_path / "g.pb").write_bytes(graph_def.SerializeToString())
    assert "\x1b" not in shown(tmp_path / "g.pb") + shown(tmp_path / "g.pb", "--node", "reads")


def test_inspect_imports_no_module_of_the_users(tmp_path, monkeypatch):
    """A module beside the file, named like something a graph may ask for, is never imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "user_ops.py").write_text("raise SystemExit('imported')\n")
    graph_def = v1.GraphDef()
    graph_def.node.add(name="user_ops", op="user_ops.Mine")
    (tmp_path / "g.pb").write_bytes(graph_def.SerializeToString())
    assert inspect(tmp_path / "g.pb").graphs[0].unknown_ops == {"user_ops.Mine": ["user_ops"]}
    assert "user_ops" not in sys.modules
