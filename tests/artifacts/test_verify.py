"""verify: equal artifacts of different kinds are found equal, and any one bit that differs is named."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import cli
from tf1ref.artifacts import CheckFailed
from tf1ref.artifacts.verify import Row, compare, verify
from tf1ref.errors import InputError

W = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
B = np.array([0.5, -0.5, 0.25], np.float32)
X = np.array([[1.0, -2.0, 3.0, 0.5], [0.0, 1.0, -1.0, 2.0]], np.float32)


def layer(w, b):
    """x [batch, 4] -> hidden -> y [batch, 3]."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    hidden = tf.matmul(x, w, name="hidden")
    tf.add(hidden, b, name="y")


def variables():
    layer(v1.get_variable("w", initializer=W), v1.get_variable("b", initializer=B))


@pytest.fixture
def constants(graph):
    """Writes the layer with constants; returns the path."""

    def write(name="layer", w=W, b=B):
        return graph(name, lambda: layer(tf.constant(w, name="w"), tf.constant(b, name="b")))

    return write


def test_a_checkpoint_and_constants_answer_the_same(saved, constants):
    report = verify(saved(variables), constants())
    assert (report.equal, report.compared, report.first, report.matched) == (True, 2, "", {"x:0": "x:0"})
    (row,) = report.rows
    assert (row.name, row.other, row.elements, row.differing) == ("y:0", "y:0", 2 * 3 + 1 * 3, 0)


def test_one_bit_is_found_and_ulps_allow_it(constants):
    other = constants("other", b=np.nextafter(B, np.float32(9)))
    report = verify(constants(), other)
    assert not report.equal and report.first.startswith("y:0: ")
    assert " elements differ, the first at [0, " in report.first and " in A, " in report.first
    assert report.rows[0].max_ulp >= 1
    assert verify(constants(), other, ulps=report.rows[0].max_ulp).equal
    assert not verify(constants(), other, ulps=report.rows[0].max_ulp - 1).equal


def test_intermediate_names_the_first_tensor_that_differs(constants):
    w = W.copy()
    w[2, 1] = 7
    report = verify(constants(), constants("other", w=w), intermediate=True)
    assert report.first == f"w:0: 1 of 12 elements differ, the first at [2, 1]: {W[2, 1]} in A, 7.0 in B"
    assert [(r.name, bool(r.first)) for r in report.rows] == [
        ("w:0", True),
        ("b:0", False),
        ("hidden:0", True),
        ("y:0", True),
    ]


def test_intermediate_passes_by_loops_and_branches_not_taken(graph):
    def loop(step):
        with v1.control_dependencies([]):
            x = v1.placeholder(tf.float32, [], name="x")
        graph_of_v1 = tf.compat.v1.control_flow_v2_enabled()
        v1.disable_control_flow_v2()
        try:
            total = v1.while_loop(lambda i: i < 3.0, lambda i: i + step, [x * 0.0])
            branch = v1.cond(x > 0.0, lambda: v1.cond(x > 9.0, lambda: x, lambda: -x), lambda: x * 2.0)
        finally:
            if graph_of_v1:
                v1.enable_control_flow_v2()
        after = tf.add(total, 1.0, name="after")
        tf.add(after, branch, name="y")

    same = verify(graph("a", lambda: loop(1.0)), graph("b", lambda: loop(1.0)), intermediate=True)
    assert same.equal and {"after:0", "y:0"} <= {r.name for r in same.rows}
    assert not any(r.name.startswith(("while/Identity", "cond/cond/")) for r in same.rows)
    other = verify(graph("a", lambda: loop(1.0)), graph("b", lambda: loop(2.0)), intermediate=True)
    assert other.first.startswith("while/Exit:0: 1 of 1 elements differ")


def test_the_seed_makes_other_inputs(graph, constants):
    def clipped(low):
        x = v1.placeholder(tf.float32, [5], name="x")
        tf.maximum(x, low, name="y")

    low, lower = (np.random.default_rng(seed).standard_normal(5).astype(np.float32).min() for seed in (0, 1))
    assert lower < low
    a, b = graph("a", lambda: clipped(-99.0)), graph("b", lambda: clipped(low))
    assert verify(a, b, seed=0).equal and not verify(a, b, seed=1).equal


def test_given_inputs_are_used(graph, tmp_path):
    def limited(most):
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        name = v1.placeholder(tf.string, [], name="name")
        tf.strings.join([tf.strings.as_string(tf.minimum(tf.reduce_max(x), most)), name], name="y")

    a, b = graph("a", lambda: limited(2.5)), graph("b", lambda: limited(2.75))
    np.savez(tmp_path / "small.npz", x=X / 2)
    np.savez(tmp_path / "large.npz", **{"x:0": X, "name": np.array("n")})
    assert verify(a, b, feeds=tmp_path / "small.npz").equal
    report = verify(a, b, feeds=tmp_path / "large.npz")
    assert report.first == "y:0: 1 of 1 elements differ, the first at []: b'2.500000n' in A, b'2.750000n' in B"


def test_a_saved_model_of_tf2_matches_by_its_only_output(constants, tmp_path):
    class Layer(tf.Module):
        def __init__(self):
            super().__init__()
            self.w, self.b = tf.Variable(W), tf.Variable(B)

        @tf.function(input_signature=[tf.TensorSpec([None, 4], name="picture")])
        def __call__(self, picture):
            return {"scores": picture @ self.w + self.b}

    module = Layer()
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.__call__)
    report = verify(tmp_path / "model", constants())
    assert report.equal and report.compared == 2
    assert report.matched == {"serving_default_picture:0": "x:0"}
    assert not verify(constants(w=W * 2), tmp_path / "model").equal


def test_weights_are_compared_by_name(saved, tmp_path):
    prefix = saved(variables)
    np.savez(tmp_path / "same.npz", w=W, b=B)
    assert verify(prefix, tmp_path / "same.npz").equal
    np.savez(tmp_path / "other.npz", w=W, b=B + 1)
    report = verify(prefix, tmp_path / "other.npz")
    assert report.what == "weights" and report.first.startswith(
        "b: 3 of 3 elements differ, the first at [0]: 0.5 in A, 1"
    )
    np.savez(tmp_path / "renamed.npz", w=W, bb=B)
    report = verify(prefix, tmp_path / "renamed.npz")
    assert report.first == f"b: only in {prefix}.meta; nearest: bb" and not report.equal
    assert [r.first for r in report.rows if r.other == "bb"] == [f"only in {tmp_path / 'renamed.npz'}; nearest: b"]


def test_compare_looks_at_bits():
    def first(a, b, ulps=0):
        row = Row("y", "y")
        compare(row, a, b, ulps)
        return row.first

    nan, zero = np.array([np.nan, 1.0]), np.array([0.0])
    payload = np.frombuffer((np.array([np.nan]).view(np.int64) + 1).tobytes())
    assert first(nan, nan.copy()) == "" and first(np.array([np.nan]), payload)
    assert first(zero, -zero).startswith("1 of 1") and first(zero, -zero, ulps=1) == ""
    assert first(np.array([1]), np.array([2]), ulps=5).startswith("1 of 1")  # ULPs are of floats
    assert first(zero, zero.astype(np.float32)) == "float64[1] in A, float32[1] in B"
    assert first(np.array([b"a"], object), np.array([b"a"])) == ""
    assert first(np.array([b"a"], object), np.array([b"b"])).startswith("1 of 1")
    assert first(np.array([1 + 0j]), np.array([complex(1, -0.0)])).startswith("1 of 1")


@pytest.fixture
def refuses():
    def check(message, *arguments, error=InputError, **options):
        with pytest.raises(error, match=message) as raised:
            verify(*arguments, **options)
        assert "\n" not in str(raised.value) and len(str(raised.value)) < 700

    return check


def test_what_cannot_be_matched_is_said(saved, graph, constants, refuses):
    prefix = saved(variables)
    assert verify(prefix, prefix).notes == ["no outputs named, taken: y:0"]
    refuses("holds no 'z'", prefix, constants(), outputs=["z"])
    two = graph("two", lambda: [layer(tf.constant(W), B), v1.placeholder(tf.float32, name="q") + 1])
    refuses("has no output 'add', .*two.pb has: --outputs; it has y", two, constants())
    fed_more = graph("more", lambda: v1.placeholder(tf.float32, [4], name="x") + v1.placeholder(tf.float32, name="z"))
    refuses("only .*more.pb is fed z:0: name --outputs", fed_more, constants())
    wide = graph("wide", lambda: tf.identity(v1.placeholder(tf.float32, [None, 5], name="x"), name="y"))
    refuses(r"input x:0 is float32 \[\?, 4\] in", constants(), wide, error=CheckFailed)


def test_what_does_not_answer_is_said(graph, refuses, tmp_path):
    def strict(size):
        x = v1.placeholder(tf.float32, name="x")
        tf.identity(tf.ensure_shape(x, [size, 4]), name="y")

    three, two = graph("three", lambda: strict(3)), graph("two", lambda: strict(2))
    refuses("three.pb: not compared: no answer on made inputs: .*give inputs with --feeds", three, three)
    np.savez(tmp_path / "x.npz", x=np.ones((3, 4), np.float32))
    assert verify(three, three, feeds=tmp_path / "x.npz").compared == 1
    refuses("two.pb: does not answer where .*three.pb does", three, two, feeds=tmp_path / "x.npz", error=CheckFailed)
    refuses("two.pb: no answer on these inputs", two, three, feeds=tmp_path / "x.npz")
    empty = graph("empty", lambda: tf.negative(tf.zeros([0, 4]), name="y"))
    refuses("not compared: the answers on made inputs are empty or not numbers", empty, empty)


def test_feeds_that_cannot_be_used(constants, refuses, tmp_path):
    def feeds(message, name="f.npz", **arrays):
        np.savez(tmp_path / "f.npz", **arrays)
        refuses(message, constants(), constants(), feeds=tmp_path / name)

    feeds("--feeds: 'xx' is no input; nearest: x; there are x", xx=X)
    feeds(r"--feeds: x has the shape \[3\], the input takes \[\?, 4\]", x=np.ones(3, np.float32))
    feeds("--feeds: x is int64, the input takes float32", x=np.ones((1, 4), np.int64))
    feeds("cannot be read as an npz without pickled objects", x=np.array([{}], object))
    feeds("no such file", name="nowhere.npz")
    (tmp_path / "text.npz").write_text("x")
    feeds("is no .npz", name="text.npz")


def test_files_that_cannot_be_used(saved, constants, refuses, tmp_path):
    good, prefix = constants(), saved(variables)
    refuses("no such file", tmp_path / "nowhere", good)
    (tmp_path / "half.pb").write_bytes(good.read_bytes()[:-20])
    refuses("half.pb: ", good, tmp_path / "half.pb")
    (tmp_path / "empty.pb").write_bytes(b"")
    refuses("empty", good, tmp_path / "empty.pb")
    alone = tmp_path / "alone.pb"
    alone.write_bytes(v1.MetaGraphDef.FromString((tmp_path / "model.meta").read_bytes()).graph_def.SerializeToString())
    refuses(r"alone.pb: has variables \(.*\) and no values", good, alone, outputs=["y"])
    packed = tmp_path / "w.npz"
    np.savez(packed, w=W)
    packed.write_bytes(packed.read_bytes()[:-30])
    refuses("w.npz: cannot be read as an npz", prefix, packed)


def test_the_command(saved, constants, tmp_path, capsys):
    a, b = saved(variables), str(constants("other", b=B * 2))
    assert cli.main(["verify", a, str(constants())]) == 0
    assert "equal: 1 tensor, 9 elements on 2 sets of inputs, 0 differing" in capsys.readouterr().out
    assert cli.main(["verify", a, b, "--outputs", "y", "--intermediate", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["first"].startswith("b: ") or report["first"].startswith("y:0: ")
    assert not report["equal"] and {row["name"] for row in report["rows"]} >= {"hidden:0", "y:0"}
    assert cli.main(["verify", a, str(tmp_path / "nowhere")]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and len(shown.err.strip().split("\n")) == 1 and "no such file" in shown.err
    assert cli.main(["verify", a, b, "--ulps", "-1"]) == 2
