"""`tf1ref check` says of each TensorFlow name whether it runs, and is held against the TensorFlow that is installed."""

import ast
import importlib.metadata
import json
import re
import runpy
import subprocess
import sys

import pytest
import tensorflow as tf

from tf1ref import catalog
from tf1ref.compat import calls
from tf1ref.compat import check as checking
from tf1ref.compat.names import resolver
from tf1ref.compat.texts import python2
from tf1ref.errors import InputError


def found(tmp_path, text, name="program.py"):
    (tmp_path / name).write_text(text)
    return checking.check([str(tmp_path / name)])


def test_each_use_of_what_was_dropped_is_found(tmp_path):
    text = (
        "import tensorflow as tf\n"
        "import tensorflow.contrib.tensor_forest as forest\n"
        "from tensorflow.examples.tutorials.mnist import input_data as digits\n"
        "cells = tf.nn.rnn_cell\n"
        "a = cells.BasicLSTMCell(3)\n"
        "b = tf.layers.dense(a, 3)\n"
        "c = tf.reduce_sum(b, 0)\n"
        "d = tf.reduce_sum(b, keep_dims=True)\n"
        "e = tf.nn.dropout(b, 0.5)\n"
        "f = forest.python\n"
        "tf.not_there\n"
        "tf.concat(0, [b, b])\n"
        "tf.concat([b, b], 0)\n"
        "not_tensorflow.concat(0)\n"
    )
    _, uses, problems, *_ = found(tmp_path, text)
    verdicts = {(u.line, u.name): u.verdict for u in uses}
    assert not problems
    assert verdicts == {
        (2, "tf.contrib.tensor_forest"): "missing",
        (3, "tf.examples.tutorials.mnist.input_data"): "exec",
        (4, "tf.nn.rnn_cell"): "exec",
        (5, "tf.nn.rnn_cell.BasicLSTMCell"): "exec",
        (6, "tf.layers.dense"): "exec",
        (7, "tf.reduce_sum"): "runs",
        (8, "tf.reduce_sum"): "exec",
        (9, "tf.nn.dropout"): "exec",
        (10, "tf.contrib.tensor_forest.python"): "missing",
        (11, "tf.not_there"): "missing",
        (12, "tf.concat"): "exec",
        (13, "tf.concat"): "runs",
    }
    instead = {u.line: u.instead for u in uses}
    assert "rate=1 - keep_prob" in instead[9] and "keep_dims" in instead[8] and "scikit-learn" in instead[2]


@pytest.mark.slow
@pytest.mark.timeout(900)  # a minute on a quiet machine
def test_our_own_examples_miss_nothing():
    files, uses, problems, *_ = checking.check([str(catalog.FOLDER)])
    assert files > 40 and not problems
    assert [u for u in uses if u.verdict != "runs"] == []


V1 = sorted(n for n in dir(tf.compat.v1) if not n.startswith("_"))


def test_names_read_from_the_sources_are_those_of_the_imported_module():
    # The other way round, by import, for every public name of tf.compat.v1 and of its modules.
    paths = [
        *V1,
        *(f"{m}.{n}" for m in ("train", "nn", "image", "losses", "summary") for n in dir(getattr(tf.compat.v1, m))),
    ]
    paths = [p for p in paths if not p.split(".")[-1].startswith("_") and p not in ("keras", "layers", "nn.rnn_cell")]
    assert len(paths) > 900
    assert [p for p in paths if resolver.resolve(p) is None] == []
    runs = {p for p in paths if resolver.in_python(p, 1)}
    for path in paths:
        place, ok = tf, True
        for part in path.split("."):
            if not hasattr(place, part):
                ok = False
                break
            place = getattr(place, part)
        # tf.losses and tf.metrics are Keras' in TensorFlow 2: by name there, not TF1's.
        assert (path in runs) == (ok and path.split(".")[0] not in ("losses", "metrics", "initializers")), path


@pytest.mark.parametrize(
    ("call", "version_2_takes_it"),
    [
        ("tf.argmax(a, axis=1)", True),
        ("tf.argmax(a, dimension=1)", False),
        ("tf.expand_dims(a, axis=1)", True),
        ("tf.expand_dims(a, dim=1)", False),
        ("tf.squeeze(a, squeeze_dims=[0])", False),
        ("tf.reduce_mean(a, axis=0, keepdims=True)", True),
        ("tf.nn.max_pool2d(a, ksize=1, strides=1, padding='SAME')", True),
    ],
)
def test_arguments_are_held_against_the_function(call, version_2_takes_it):
    node = ast.parse(call).body[0].value
    assert (calls.changed(ast.unparse(node.func)[3:], node) is None) == version_2_takes_it
    taken = {"a": tf.zeros([1, 1, 1, 1]), "tf": tf}
    if version_2_takes_it:
        eval(call, taken)
    else:
        with pytest.raises(TypeError, match="unexpected keyword"):
            eval(call, taken)


def test_notebooks_and_folders(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["import tensorflow as tf"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "import tensorflow as tf\n", "tf.placeholder"]},
        {"cell_type": "code", "source": "tf.zeros\n"},
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / "b.py").write_text("x = 1\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "c.py").write_text("print 'not mine'\n")
    files, uses, problems, *_ = checking.check([str(tmp_path)])
    assert files == 2
    assert [(u.file.rpartition("/")[2], u.line, u.name) for u in uses] == [
        ("a.ipynb[cell 2]", 3, "tf.placeholder"),
        ("a.ipynb[cell 3]", 1, "tf.zeros"),
    ]
    assert not problems


@pytest.fixture
def no_fissix(monkeypatch):
    """As if the extra python2 were not installed."""
    monkeypatch.setattr(python2, "can_translate", lambda: False)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("print 'a', b", "print(...)"),
        ("try: x\nexcept ValueError, e: pass", "except Error as e"),
        ("raise ValueError, 'a'", "raise Error(text)"),
        ("exec 'a'", "exec(...)"),
        ("a <> b", "!="),
        ("a = `b`", "repr"),
        ("a = 0777", "0o17"),
        ("a = ur'b'", "ur'"),
        ("a = 10L", "no L"),
        ("if a:\n        b\n\tc", "tabs and spaces"),
        ("a = = b", "invalid syntax"),
    ],
)
def test_python_2_is_said_so_where_nothing_translates_it(tmp_path, no_fissix, line, says):
    _, _, problems, *_ = found(tmp_path, line + "\n")
    assert len(problems) == 1 and says in problems[0].text


def test_exit_codes_and_bad_paths(tf1ref, tmp_path, refused):
    (tmp_path / "good.py").write_text("import tensorflow as tf\ntf.constant(1)\n")
    (tmp_path / "bad.py").write_text("import tensorflow as tf\ntf.nothing\n")
    assert tf1ref("check", tmp_path / "good.py").returncode == 0
    done = tf1ref("check", tmp_path / "bad.py", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["uses"][0]["name"] == "tf.nothing"
    (tmp_path / "notes.txt").write_text("a")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.ipynb").write_text("{}")
    for name, says in (
        ("notes.txt", "neither"),
        ("nowhere", "no such"),
        ("empty", "no .py"),
        ("broken.ipynb", "no notebook"),
    ):
        with pytest.raises(InputError, match=says):
            checking.check([str(tmp_path / name)])


def test_the_table_of_the_docs_is_what_the_code_says():
    root = catalog.FOLDER.parents[1]
    done = subprocess.run([sys.executable, root / "scripts" / "symbols.py"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (
        f"<!-- scripts/symbols.py -->\n{done.stdout}<!-- end -->"
        in (root / "docs" / "reference" / "symbols.md").read_text()
    )


def test_the_coverage_of_the_docs_is_what_the_code_says():
    root = catalog.FOLDER.parents[1]
    symbols = runpy.run_path(str(root / "scripts" / "symbols.py"))
    rows = {module: (int(given), int(total)) for module, given, total in symbols["coverage"]()}
    # tf.contrib.crf has 11 names in its documentation, and tf.contrib.checkpoint gives 5 of 15.
    assert rows["`tf.contrib.crf`"] == (11, 11) and rows["`tf.contrib.checkpoint`"] == (5, 15)
    assert rows["`tf.contrib.kfac`"][0] == 0 and all(given <= total for given, total in rows.values())
    modules = [counts for module, counts in rows.items() if module.startswith("`")]
    sums = [rows["all but contrib"], rows["all of contrib"]]
    assert [sum(column) for column in zip(*modules)] == [sum(column) for column in zip(*sums)]
    if importlib.metadata.version("tensorflow").startswith("2.21."):
        docs, readme = (root / "docs" / "reference" / "symbols.md").read_text(), (root / "README.md").read_text()
        assert all(f"| {module} | {given} | {total} |" in docs for module, (given, total) in rows.items())
        assert all(f"{given:,} of the {total:,} names" in readme for given, total in sums)


def verdicts(tmp_path, text):
    """Returns {name: (python, exec, alarms)} of a program."""
    return {u.name: (u.python, u.exec, u.alarms) for u in found(tmp_path, "import tensorflow as tf\n" + text).uses}


def test_what_a_program_sets_or_asks_for_is_no_alarm(tmp_path):
    text = (
        "tf.model = 3\nprint(tf.model.shape)\nsetattr(tf, 'other', 1)\ntf.other\n"
        "if hasattr(tf, 'asked'):\n    tf.asked\n"
        "try:\n    tf.tried\nexcept AttributeError:\n    pass\n"
        "try:\n    tf.alarm\nexcept ValueError:\n    pass\n"
        "if tf.__version__ > '2':\n    tf.versioned\nelse:\n    tf.elsewhere\n"
        "if 1:\n    tf.plain\n"
    )
    found = verdicts(tmp_path, text)
    assert not {"tf.model", "tf.model.shape", "tf.other"} & found.keys()
    alarms = {name for name, (_, _, alarms) in found.items() if alarms}
    assert alarms == {"tf.alarm", "tf.plain"} and {"tf.asked", "tf.tried", "tf.versioned"} < found.keys()


def test_tf_that_comes_through_another_file(tmp_path):
    (tmp_path / "helper.py").write_text("import tensorflow as tf\nimport tensorflow.contrib as _hidden\n")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("from helper import *\n")
    for line in ("from helper import *", "from helper import tf", "from pack import *"):
        text = f"{line}\ntf.contrib.tensor_forest\n"
        (tmp_path / "main.py").write_text(text)
        uses = checking.check([str(tmp_path / "main.py")]).uses
        assert [(u.name, u.alarms) for u in uses] == [("tf.contrib.tensor_forest", True)], line


PROGRAM = """import tensorflow as tf
x = tf.placeholder(tf.float32, [2]); y = tf.log(x)  # caf\u00e9
z = tf.reduce_sum(tf.mul(x, y), keep_dims=True) + tf.to_float(1)
w = tf.get_variable("w", initializer=tf.random_normal([2], seed=1) * 0)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    print(sess.run([z, w, tf.argmax(x, dimension=0)], {x: [1.0, 2.0]}))
"""


@pytest.mark.slow
def test_fix_writes_a_program_that_plain_python_runs(tf1ref, started_python, tmp_path, run):
    (tmp_path / "a.py").write_text(PROGRAM)
    before = run(PROGRAM).stdout
    shown = tf1ref("check", "--fix", "a.py")
    assert (
        shown.returncode == 0 and "+x = tf.compat.v1.placeholder(tf.float32, [2]); y = tf.math.log(x)" in shown.stdout
    )
    assert (tmp_path / "a.py").read_text() == PROGRAM
    done = tf1ref("check", "--fix", "--write", "a.py")
    assert done.returncode == 0, done.stderr
    plain = subprocess.run([started_python, "a.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    # exec prints numbers in lists as NumPy 1 did.
    assert re.sub(r"np\.\w+\((\d+)\)", r"\1", plain.stdout) == before and before, plain.stderr
    assert [u for u in checking.check([str(tmp_path / "a.py")]).uses if not u.python] == []


def test_fix_leaves_alone_what_it_cannot_write(tmp_path, monkeypatch):
    from tf1ref.compat import fix

    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("import tensorflow as tf\ntf.placeholder\n")
    (tmp_path / "c.py").write_text("import tensorflow as tf\ntf.layers.dense\n")
    changes = fix.fixed([str(tmp_path)])
    assert [change.file.name for change in changes] == ["a.py", "b.py"]  # what needs other code is the user's
    monkeypatch.setattr(fix.os, "access", lambda path, mode: not str(path).endswith("b.py"))
    with pytest.raises(InputError, match="b.py.*nothing was changed"):
        fix.write(changes)
    assert (tmp_path / "a.py").read_text().endswith("\ntf.placeholder\n")
