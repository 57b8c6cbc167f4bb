"""What convert writes, loaded by TensorFlow alone in one fresh process: in a session, and by tf.saved_model.load.

convert itself loads what it wrote in its own process: loading gives functions names of their own, so that what the
process has seen before is in nobody's way, and a second start of TensorFlow costs five seconds.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.convert import convert

X = np.array([[1.0, -2.0, 3.0, 0.5], [0.0, 1.0, -1.0, 2.0]], np.float32)
LOADS = """
import json, sys
import numpy as np
import tensorflow as tf
v1 = tf.compat.v1
found = {}
for folder in sys.argv[1:]:
    feeds = dict(np.load(folder + ".npz", allow_pickle=True))
    with v1.Graph().as_default(), v1.Session() as sess:
        signature = v1.saved_model.load(sess, ["serve"], folder).signature_def["serving_default"]
        names = {key: info.name for key, info in signature.outputs.items()}
        one = sess.run(names, {signature.inputs[key].name: value for key, value in feeds.items()})
    loaded = tf.saved_model.load(folder)
    two = loaded.signatures["serving_default"](**{key: tf.constant(value) for key, value in feeds.items()})
    for key, value in one.items():
        assert np.array_equal(value, two[key].numpy()), (folder, key)
    text = {key: np.asarray(value).astype(str).tolist() for key, value in one.items()}
    found[folder] = text
assert not [name for name in sys.modules if name.startswith("tf1ref")]
print(json.dumps(found))
"""


def loop(resource):
    """A loop over a variable, in a function of its own; twice, the functions have the same names."""

    def build():
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        with v1.variable_scope("", use_resource=resource):
            w = v1.get_variable("w", initializer=np.eye(4, dtype=np.float32) * 2)
        y = v1.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, h @ w), [0, x])[1]
        tf.identity(y, name="y")

    return build


def twins():
    """Nodes whose names differ in case alone, which nothing but an import can make."""
    graph_def = v1.GraphDef()
    for name, inputs in (("x", ()), ("X", ()), ("Y", "xX"), ("y", "YX")):
        node = graph_def.node.add(name=name, op="Add" if inputs else "Placeholder", input=inputs)
        node.attr["T" if inputs else "dtype"].type = tf.float32.as_datatype_enum
        if not inputs:
            node.attr["shape"].shape.CopyFrom(tf.TensorShape([None, 4]).as_proto())
    v1.import_graph_def(graph_def, name="")


def words(folder):
    """A TensorFlow 2 module with a table that is read from a file."""
    (folder / "words.txt").write_text("cat\ndog\n")
    lines = tf.lookup.TextFileIndex
    columns = tf.string, lines.WHOLE_LINE, tf.int64, lines.LINE_NUMBER

    class Words(tf.Module):
        def __init__(self):
            super().__init__()
            file = tf.lookup.TextFileInitializer(str(folder / "words.txt"), *columns)
            self.table = tf.lookup.StaticHashTable(file, -1)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="x")])
        def __call__(self, x):
            return {"y": self.table.lookup(x)}

    tf.saved_model.save(Words(), str(folder / "words"))
    return folder / "words"


@pytest.mark.slow  # a start of TensorFlow
def test_a_fresh_process_loads_all_that_is_written(saved, graph, tmp_path):
    sources = {f"loop{i}": (saved(loop(bool(i)), name=f"loop{i}"), ["y"], X, X * 8) for i in (0, 1)}
    convert(sources["loop1"][0], tmp_path / "frozen.pb", outputs=["y"])
    sources["frozen"] = tmp_path / "frozen.pb", ["y"], X, X * 8
    best = graph("best", lambda: tf.nn.top_k(v1.placeholder(tf.float32, [None, 4], name="x"), 1, name="best"))
    sources["best"] = best, ["best:1"], X, np.array([[2], [3]])
    sources["case"] = graph("case", twins), ["y"], X, X * 3
    sources["table"] = words(tmp_path), [], np.array([b"dog", b"owl"], object), np.array([1, -1])
    wanted = {}
    for name, (source, outputs, feed, answer) in sources.items():
        report = convert(source, tmp_path / f"{name}.sm", "saved_model", outputs=outputs)
        assert report.compared == 2
        np.savez(tmp_path / f"{name}.sm.npz", **dict.fromkeys(report.inputs, feed))
        wanted[str(tmp_path / f"{name}.sm")] = dict.fromkeys(report.outputs, answer.astype(str).tolist())
    command = [sys.executable, "-c", LOADS, *wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == wanted
