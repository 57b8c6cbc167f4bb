"""tf1ref port: graphs become TensorFlow 2 code that answers the same, to the bit."""

import ast
import re

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import cli
from tf1ref.port import port


def dense(x, units, scope):
    with v1.variable_scope(scope):
        w = v1.get_variable("kernel", [x.shape[1], units], initializer=v1.random_normal_initializer(seed=1))
        b = v1.get_variable("bias", [units], initializer=v1.random_normal_initializer(seed=2))
        return tf.nn.relu(tf.matmul(x, w) + b)


def mlp():
    x = v1.placeholder(tf.float32, [None, 6], name="x")
    hidden = dense(dense(dense(x, 5, "layer1"), 5, "layer2"), 5, "layer3")
    tf.nn.softmax(dense(hidden, 4, "head"), name="y")
    return ["y"]


@pytest.mark.slow
def test_mlp_in_a_process_of_its_own(frozen, tmp_path, monkeypatch, capsys, formatted, loaded):
    """The command ends with the proof; with one weight changed, the proof fails."""
    frozen(mlp)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["port", "graph.pb", "-o", "out"]) == 0
    said = capsys.readouterr().out
    assert "12 elements on 2 sets of inputs, 0 differ" in said and "proven" in said
    text = (tmp_path / "out/model.py").read_text()
    assert "tf1ref" not in text and set(re.findall(r"^(?:import|from) (\w+)", text, re.M)) == {
        "numpy", "pathlib", "tensorflow"
    }  # fmt: skip
    formatted(tmp_path / "out")
    path = tmp_path / "out/weights.npz"
    arrays = dict(np.load(path))
    arrays["head/bias"][1] = 1.001 * arrays["head/bias"][1] + 0.001
    np.savez(path, **arrays)
    elements, wrong, first = loaded(tmp_path / "out", "test_model").compare()
    assert elements == 12 and wrong and first == "y"


def test_mlp_is_what_its_formula_says(frozen, tmp_path, quick, loaded):
    """The layers are computed again by numpy, from the weights that lie beside the code."""
    report = port(frozen(mlp), tmp_path / "out")
    assert (report.weights, report.raw_ops, report.outputs) == (8, 0, {"y": "y:0"})
    w = np.load(tmp_path / "out/weights.npz")
    model = loaded(tmp_path / "out", "model").Model()
    x = np.random.default_rng(1).standard_normal((7, 6)).astype(np.float32)
    value = x
    for scope in ("layer1", "layer2", "layer3", "head"):
        value = np.maximum(value @ w[f"{scope}/kernel"] + w[f"{scope}/bias"], 0)
    value = np.exp(value - value.max(axis=1, keepdims=True))
    np.testing.assert_allclose(model(x), value / value.sum(axis=1, keepdims=True), rtol=1e-5)
    assert sorted(v.name for v in model.variables) == sorted(f"{name}:0" for name in w.files)


def test_scopes_of_one_structure_are_one_class(frozen, tmp_path, quick):
    report = port(frozen(mlp), tmp_path / "out")
    tree = ast.parse((tmp_path / "out/model.py").read_text())
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert len(classes) == report.classes == 2 and classes[-1] == "Model"


@pytest.mark.slow
def test_layers_in_a_row_are_a_loop(frozen, tmp_path, quick, formatted):
    """Pairs of two kinds after a first layer that looks like one of them: a list for each kind, by number."""

    def build():
        x = v1.placeholder(tf.float32, [2, 6, 6, 3], name="x")
        for i in range(7):
            for scope in [f"conv_{i}"] if not i else [f"depthwise_{i}", f"conv_{i}"]:
                with v1.variable_scope(scope):
                    if scope[0] == "d":
                        w = v1.get_variable("w", [3, 3, 3, 1], initializer=v1.random_normal_initializer(seed=4))
                        x = tf.nn.elu(tf.nn.depthwise_conv2d(x, w, [1, 1 + (i == 3), 1 + (i == 3), 1], "SAME"))
                    else:
                        w = v1.get_variable("w", [1, 1, 3, 3], initializer=v1.random_normal_initializer(seed=5))
                        x = tf.tanh(tf.nn.conv2d(x, w, 1, "SAME"))
        tf.identity(x, name="y")
        return ["y"]

    report = port(frozen(build), tmp_path / "out")
    text = (tmp_path / "out/model.py").read_text()
    assert report.weights == 13 and report.classes == 3
    assert 'f"depthwise_{i}/", strides=strides)' in text and "zip(range(1, 7), [1, 1, 2, 1, 1, 1])" in text
    assert "for depthwise, conv in zip(self.depthwise, self.conv):" in text
    formatted(tmp_path / "out")


def test_strides_that_differ_are_an_argument(frozen, tmp_path, quick, formatted):
    def build():
        x = v1.placeholder(tf.float32, [2, 8, 8, 2], name="x")
        for scope, strides in (("conv1", 1), ("conv2", 2)):
            with v1.variable_scope(scope):
                w = v1.get_variable("w", [3, 3, 2, 2], initializer=v1.random_normal_initializer(seed=4))
                x = tf.nn.relu(tf.nn.conv2d(x, w, strides, "SAME"))
        tf.identity(x, name="y")
        return ["y"]

    port(frozen(build), tmp_path / "out")
    text = (tmp_path / "out/model.py").read_text()
    assert "def __init__(self, arrays, scope, strides):" in text
    assert re.search(r'scope="?.*conv2/", strides=2\)|"conv2/", strides=2\)', text)
    formatted(tmp_path / "out")


@pytest.mark.parametrize(
    ("build", "written"),
    [
        (lambda x: 1.0 - x * 2.5, "1.0 - x * 2.5"),
        (lambda x: (x - (x - 0.1)) / 3.0, "(x - (x - 0.1)) / 3.0"),
        (lambda x: x[:, 1:3], "x[:, 1:3]"),
        (lambda x: x[1, ::2], "x[1, ::2]"),
        (lambda x: tf.concat([x, -x], 1), "tf.concat([x, -x], 1)"),
        (lambda x: tf.reduce_mean(x, 1, keepdims=True), "tf.reduce_mean(x, axis=1, keepdims=True)"),
        (lambda x: tf.where(x > 0.0, x, tf.exp(x)), "tf.where(x > 0.0, x, tf.exp(x))"),
        (lambda x: tf.transpose(tf.reshape(x, [4, -1])), "tf.transpose(tf.reshape(x, [4, -1]), [1, 0])"),
        (lambda x: tf.raw_ops.Cumsum(x=x, axis=1, reverse=True), "tf.cumsum(x, 1, reverse=True)"),
        (lambda x: sum(tf.split(x, 2, axis=1)), "tf.split(x, 2, 1)"),
        (lambda x: tf.math.top_k(x, 2).indices, "tf.math.top_k(x, 2).indices"),
        (lambda x: tf.raw_ops.MatrixBandPart(input=x, num_lower=0, num_upper=-1), "tf.raw_ops.MatrixBandPart("),
        (lambda x: tf.pad(x, [[1, 0], [0, 2]]), "tf.pad(tensor=x, paddings=[[1, 0], [0, 2]])"),
        (lambda x: x + tf.constant(1e-5), "x + 1e-5"),
        (lambda x: tf.cast(x, tf.float64) * 0.1, "tf.cast(x, tf.float64) * 0.1"),
        (lambda x: tf.cast(x, tf.int32) // 2, "tf.cast(x, tf.int32) // 2"),
        (
            lambda x: tf.nn.conv3d(tf.reshape(x, [1, 3, 2, 2, 1]), tf.ones([2, 1, 1, 1, 2]), [1, 2, 1, 1, 1], "SAME"),
            "strides=[1, 2, 1, 1, 1],",
        ),
        (
            lambda x: tf.nn.max_pool3d(tf.reshape(x, [1, 3, 2, 2, 1]), [2, 1, 1], 1, "SAME"),
            'ksize=[2, 1, 1], strides=1, padding="SAME")',
        ),
    ],
)
def test_ops_as_one_writes_them(frozen, tmp_path, quick, formatted, build, written):
    def graph():
        x = v1.placeholder(tf.float32, [3, 4], name="x")
        tf.identity(build(x), name="y")
        return ["y"]

    report = port(frozen(graph), tmp_path / "out")
    assert report.compared > 0
    assert written in (tmp_path / "out/model.py").read_text()
    formatted(tmp_path / "out")


def test_random_ops_without_seed_are_proven_with_one(frozen, tmp_path, quick):
    def build():
        x = v1.placeholder(tf.float32, [3, 40], name="x")
        v1.nn.dropout(x, rate=0.5, name="dropout")
        tf.add(x, tf.raw_ops.RandomUniform(shape=[3, 40], dtype=tf.float32), name="y")
        return ["y"]

    v1.set_random_seed(None)
    report = port(frozen(build), tmp_path / "out")
    assert report.compared >= 120 and report.raw_ops == 1


def test_numbers_of_every_type_keep_their_bits(frozen, tmp_path, quick, loaded):
    values = {
        "a": np.float32(0.1), "b": np.float64(1 / 3), "c": np.float16(0.1), "d": np.int64(2**62), "e": np.uint8(255),
        "f": np.float32(-0.0), "g": np.float32(np.inf), "h": np.float32(1e-42), "i": np.bool_(True),
        "j": np.float64(5e-324), "k": np.float32(16777217), "l": np.complex64(1 - 2j),
    }  # fmt: skip

    def build():
        x = v1.placeholder(tf.float32, [], name="x")
        for name, value in values.items():
            with v1.control_dependencies([x]):
                tf.stack([tf.constant(value)], name=name)
        return list(values)

    port(frozen(build), tmp_path / "out", outputs=list(values))
    found = loaded(tmp_path / "out", "model").Model()()
    assert {k: v.numpy().tobytes() for k, v in found.items()} == {k: v.tobytes() for k, v in values.items()}


def test_each_kind_of_slice(frozen, tmp_path, quick, loaded):
    """Each bit of a StridedSlice has its sign in the brackets; numpy reads the same brackets."""
    texts = "0, :, 1:, 3", "..., 1", ":, None, 1", "1, ..., None, ::-2", "...", "-1:, 2:0:-1, ::2, 1:3", "None, ..., 2"

    def build():
        x = v1.placeholder(tf.float32, [3, 4, 5, 6], name="x")
        for i, text in enumerate(texts):
            tf.identity(eval(f"x[{text}]", {"x": x}), name=f"y{i}")
        tf.identity(x[()], name="whole")
        return [*(f"y{i}" for i in range(len(texts))), "whole"]

    report = port(frozen(build), tmp_path / "out")
    model = loaded(tmp_path / "out", "model").Model()
    x = np.random.default_rng(1).standard_normal((3, 4, 5, 6)).astype(np.float32)
    found = model(x)
    for i, text in enumerate(texts):
        np.testing.assert_array_equal(found[f"y{i}"], eval(f"x[{text}]", {"x": x}), text)
    np.testing.assert_array_equal(found["whole"], x)
    assert not report.raw_ops


def test_slices_that_differ_in_one_class(frozen, tmp_path, quick, loaded):
    """Two scopes of one structure take different parts: the numbers are arguments of their class."""

    def build():
        x = v1.placeholder(tf.float32, [2, 6], name="x")
        found = []
        for i in range(2):
            with v1.variable_scope(f"part{i}"):
                bias = v1.get_variable("bias", [3], initializer=v1.random_normal_initializer(seed=i))
                found.append(tf.nn.relu(x[i, i : i + 3] + bias))
        tf.stack(found, name="y")
        return ["y"]

    port(frozen(build), tmp_path / "out")
    biases = np.load(tmp_path / "out/weights.npz")
    x = np.random.default_rng(1).standard_normal((2, 6)).astype(np.float32)
    expected = [np.maximum(x[i, i : i + 3] + biases[f"part{i}/bias"], 0) for i in range(2)]
    np.testing.assert_array_equal(loaded(tmp_path / "out", "model").Model()(x), expected)


def test_an_answer_without_elements_is_compared(frozen, tmp_path, quick, loaded):
    """A row of none has a type and a shape; the other output proves the port."""

    def build():
        x = v1.placeholder(tf.float32, [2, 3], name="x")
        tf.identity(x[:, 3:] * 2.0, name="none")
        tf.identity(x * 2.0, name="y")
        return ["none", "y"]

    assert port(frozen(build), tmp_path / "out").compared == 7
    test = loaded(tmp_path / "out", "test_model")
    none = np.zeros([2, 0], np.float32)
    assert not test.differing(none, none) and test.differing(none, none.T)


def test_a_graph_without_inputs_has_one_answer(frozen, tmp_path, quick):
    """It proves the port also where it is empty or NaN: no other inputs would say more."""

    def build():
        w = v1.get_variable("w", initializer=np.zeros([0, 3], np.float32))
        return [tf.reduce_mean(w, 0, name="mean").op.name, tf.negative(w, name="none").op.name]

    report = port(frozen(build), tmp_path / "out", outputs=["mean", "none"])
    assert (report.compared, report.not_compared) == (4, "")


def test_inputs_answers_and_variables_of_types_that_numpy_lacks(frozen, tmp_path, quick, loaded):
    def build():
        x = v1.placeholder(tf.bfloat16, [2, 3], name="x")
        w = v1.get_variable("w", initializer=tf.constant([0.5, 3.0, -1.25], tf.bfloat16))
        y = tf.multiply(x, w, name="y")
        return [y.op.name, tf.reduce_sum(y * tf.constant(2, tf.bfloat16), name="sum").op.name]

    assert port(frozen(build), tmp_path / "out", outputs=["y", "sum"]).compared == 7
    found = loaded(tmp_path / "out", "model").Model()(tf.ones([2, 3], tf.bfloat16))
    assert found["y"].dtype == found["sum"].dtype == tf.bfloat16 and float(found["sum"]) == 9
    assert tf.cast(found["y"], tf.float32).numpy().tolist() == [[0.5, 3.0, -1.25]] * 2


def test_a_variable_of_a_long_name(frozen, tmp_path, quick):
    """Its call takes two lines, and needs its function none the less."""

    def build():
        with v1.variable_scope("a_scope_of_a_long_name/" * 4):
            w = v1.get_variable("w", [3], initializer=v1.random_normal_initializer(seed=1))
        return [tf.multiply(v1.placeholder(tf.float32, [2, 3], name="x"), w, name="y").op.name]

    assert port(frozen(build), tmp_path / "out").compared == 6
