"""The table of ops: every op is decided on, by a script and a review, and those that compute are run at random."""

import os
import pathlib
import shutil
import subprocess

import pytest
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import effects, registry
from tf1ref.artifacts.graph.graphs import Graph
from tf1ref.errors import InputError

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "op_table.py"
RUN = pathlib.Path(__file__).with_name("run_ops.py")
SEED = 20240307


@pytest.fixture
def op_table(loaded):
    return loaded("op_table", SCRIPT)


def test_every_op_of_this_tensorflow_is_decided(op_table):
    ops = op_table.registry()
    assert len(ops) > 1800
    undecided = [op.name for op in ops if op.name not in registry.table()]
    assert not undecided, "run scripts/op_table.py"
    by_itself = {op for op, verdict in registry.table().items() if verdict.reason.startswith("nothing in it")}
    assert not [op.name for op in ops if op.name in by_itself and op_table.needs_review(op)]
    names = {op.name for op in ops}
    assert {"DecodeJxl"} <= names or {"TfLiteSubgraphExecute"} <= names, "2.21 or 2.16"


def test_the_script_lists_what_nobody_decided(op_table, tmp_path, monkeypatch, capsys):
    text = op_table.TABLE.read_text()
    assert op_table.written(*op_table.groups(text)) == text
    table = tmp_path / "ops.txt"
    table.write_text(text.replace(" WriteFile", "").replace(" Softmax ", " "))
    monkeypatch.setattr(op_table, "TABLE", table)
    monkeypatch.setattr("sys.argv", ["op_table.py"])
    assert op_table.main() == 1
    assert capsys.readouterr().out == "WriteFile: stateful, input filename, input contents\n"
    assert table.read_text() == text.replace(" WriteFile", ""), "Softmax is decided by itself"


def test_an_op_of_a_later_tensorflow_needs_trust(monkeypatch):
    node = v1.NodeDef(name="n", op="Softmax")
    assert effects.decision(node) == "computes"
    table = {op: verdict for op, verdict in registry.table().items() if op != "Softmax"}
    monkeypatch.setattr(registry, "table", lambda: table)
    assert effects.outside([node]) == {"Softmax": ["n"]}
    with pytest.raises(InputError, match=r"Softmax \(n\) is an op that nobody has looked at: say --trust"):
        effects.check(Graph(v1.GraphDef(node=[node]), "here"), trust=False)
    effects.check(Graph(v1.GraphDef(node=[node]), "here"), trust=True)


def test_an_attribute_that_a_caller_says_is_not_believed():
    node = v1.NodeDef(name="n", op="FixedUnigramCandidateSampler")
    assert effects.decision(node) == "computes", "the default names no file"
    node.attr["vocab_file"].s = b""
    assert effects.decision(node) == "computes"
    node.attr["vocab_file"].placeholder = "path"
    assert effects.decision(node) == "outside"
    node.attr["vocab_file"].i = 3
    assert effects.decision(node) == "outside"
    printed = v1.NodeDef(name="n", op="PrintV2")
    assert effects.decision(printed) == "computes"
    printed.attr["output_stream"].s = b"file:///tmp/x"
    assert effects.decision(printed) == "outside"


@pytest.mark.slow
def test_no_op_that_is_said_to_compute_touches_a_path_it_is_given(watched, tmp_path, started_python):
    folder, _ = watched
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    outside = {"ReadFile", "WriteFile", "Skipgram", "DecodeProtoV2"}
    command = [started_python, RUN, folder, str(SEED), other, *sorted(outside)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    words = [line.split() for line in done.stdout.splitlines() if line.startswith(("ran ", "touched "))]
    ran, touched = ({op for what, op in words if what == wanted} for wanted in ("ran", "touched"))
    assert len(ran - outside) > 30
    assert touched == outside, "those that read and write are seen, no other is"
    assert os.listdir(folder) == ["secret.txt"]
