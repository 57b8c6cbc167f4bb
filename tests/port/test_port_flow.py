"""Loops and branches of graphs become tf.while_loop and tf.cond, which answer the same, to the bit."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts import models
from tf1ref.errors import InputError
from tf1ref.port import port


@pytest.fixture
def version_1():
    """Graphs are built with the loops and branches of version 1: Enter, Switch, Merge."""
    v1.disable_control_flow_v2()
    yield
    v1.enable_control_flow_v2()


class Cell:
    """A recurrent cell as scripts write their own: tanh(concat(x, state) @ kernel + bias)."""

    state_size = output_size = 4

    def zero_state(self, count, dtype):
        return tf.zeros([count, 4], dtype)

    def __call__(self, x, state, scope=None):
        with v1.variable_scope("cell"):
            kernel = v1.get_variable("kernel", [x.shape[-1] + 4, 4], initializer=v1.random_normal_initializer(seed=1))
        state = tf.tanh(tf.concat([x, state], 1) @ kernel)
        return state, state


def counted(x, training):
    w = v1.get_variable("w", [3, 3], initializer=v1.random_normal_initializer(seed=1))
    return v1.while_loop(lambda i, v: i < 4, lambda i, v: (i + 1, tf.tanh(v @ w) + tf.cast(i, tf.float32)), [0, x])[1]


def branched(x, training):
    w = v1.get_variable("w", [3, 3], initializer=v1.random_normal_initializer(seed=1))
    return v1.cond(training, lambda: tf.nn.relu(x @ w) + 1.0, lambda: x * 2.0)


def nested(x, training):
    """A loop in a loop, a branch in a branch in a loop, a loop in a branch."""

    def step(i, v):
        _, u = v1.while_loop(lambda j, u: j < i, lambda j, u: (j + 1, tf.sin(u) + x), [0, v])
        inner = lambda: v1.cond(training, lambda: u + 3.0, lambda: tf.ones_like(u))  # noqa: E731
        return i + 1, v1.cond(tf.reduce_sum(u) > 1.0, lambda: u * 2.0, inner)

    y = v1.while_loop(lambda i, v: i < 4, step, [0, x])[1]
    halved = lambda: v1.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * 0.5), [0, y])[1]  # noqa: E731
    return v1.cond(training, halved, lambda: y)


def two_conditions(x, training):
    """The second reads what the first gives; both have one predicate, and one constant each."""
    a = v1.cond(training, lambda: (x + 1.0, tf.constant(2.0)), lambda: (x, tf.constant(3.0)))
    return v1.cond(training, lambda: a[0] * a[1], lambda: a[0] - a[1])


def growing(x, training):
    """A loop variable whose shape is not known."""
    shapes = [tf.TensorShape([]), tf.TensorShape([None, 3])]
    return v1.while_loop(
        lambda i, v: i < 3, lambda i, v: (i + 1, tf.concat([v, x], 0)), [0, x], shape_invariants=shapes
    )[1]


def written(x, training):
    """A TensorArray that is read, written to and gathered."""
    rows = tf.TensorArray(tf.float32, 2, clear_after_read=False).unstack(x)
    out = tf.TensorArray(tf.float32, 0, dynamic_size=True)
    _, out = v1.while_loop(lambda i, o: i < 6, lambda i, o: (i + 1, o.write(i, rows.read(i % 2) * 2.0)), [0, out])
    return out.gather([4, 1, 3]) + out.read(0)


def counted_twice(x, training):
    """Variables that count alike, one that counts by two, and one that starts at 1: all are read at the end."""

    def step(i, j, twice, later, v):
        return i + 1, j + 1, twice + 2, later + 1, tf.sin(v) + tf.cast(j + later, tf.float32)

    test = lambda i, j, twice, later, v: tf.logical_and(i < 4, j < 4)  # noqa: E731
    i, j, twice, later, v = v1.while_loop(test, step, [0, 0, 0, 1, x])
    return v * tf.cast(i + 10 * j + 100 * twice + 1000 * later, tf.float32)


def recurrent(x, training):
    """The loop of dynamic_rnn, which counts its turns and its time steps."""
    return v1.nn.dynamic_rnn(Cell(), x[tf.newaxis], dtype=tf.float32)[0]


def sized(x, training):
    """Sizes that are known, and one that depends on the values."""
    chosen = tf.boolean_mask(x, x[:, 0] > 0)
    return tf.concat([chosen, tf.ones([tf.shape(chosen)[0], tf.shape(x)[0]])], 1)


def constant(x, training):
    """Branches that read nothing: only control inputs lead from them to the predicates."""
    inner = lambda: v1.cond(tf.reduce_max(x) > 9.0, lambda: tf.constant(3.0), lambda: tf.constant(4.0))  # noqa: E731
    return v1.cond(tf.reduce_sum(x) > 0.0, lambda: tf.constant(2.0), inner) * x


def reshaped(x, training):
    """Patterns are sought in branches and loops, too, and what these read may be outside."""
    labels, outer = tf.nn.softmax(x), x * 2.0
    loss = lambda logits: tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits)  # noqa: E731
    rows = lambda: loss(tf.reshape(outer, [2, 3]))  # noqa: E731
    deep = lambda: loss(outer[tf.newaxis] * 3.0)[0]  # noqa: E731
    total = v1.while_loop(lambda i, t: i < 2, lambda i, t: (i + 1, t + tf.reshape(outer, [6])[:2]), [0, rows()])[1]
    return v1.cond(training, rows, deep) + total


def decided(x, training):
    """A predicate within a branch that is a constant, since sizes are."""

    def inner():
        return v1.cond(tf.equal(tf.shape(x)[0], 2), lambda: tf.constant([[3.0], [4.0]]), lambda: x[:, :1])

    return v1.cond(training, lambda: x[:, 1:2], inner) * x


def forgotten(x, training):
    """A loop whose variable is known better than its start: set_shape is in no graph."""
    start = tf.boolean_mask(x, x[:, 0] > -9.0)
    known = tf.identity(start)
    known.set_shape([2, 3])
    turn = lambda i, v: (i + 1, tf.reshape(tf.tanh(v), [2, 3]))  # noqa: E731
    a = v1.while_loop(lambda i, v: i < 2, turn, [0, known])[1]
    return v1.while_loop(lambda i, v: i < 2, lambda i, v: (i + 1, v + start), [0, known])[1] + a


CASES = {
    decided: ("tf.constant(True),", "lambda: tf.constant([[3.0], [4.0]]),"),
    forgotten: ("tf.while_loop(",),
    reshaped: ("(labels=softmax, logits=reshape_2)", "(labels=softmax, logits=mul_2)[0]", "tf.reshape(mul, [6])[:2]"),
    counted_twice: ("lambda i, *_: i < 4, body, [0, 0, 1, x]", "return i + 1, i_2 + 2, "),
    recurrent: ("lambda i, *_: i < 2, body, [0, ", "return i + 1, ", "tf.TensorArray(tf.float32, 2"),
    sized: ("tf.reshape(x, [2, 3])", "tf.ones([tf.shape(gather)[0], 2])"),
    counted: ("tf.while_loop(lambda i, *_: i < 4, body, [0, x])", "return i + 1, tf.tanh(tf.matmul("),
    branched: ("tf.cond(training, lambda: tf.nn.relu(tf.matmul(x, self.w)) + 1.0, lambda: x * 2.0)",),
    nested: ("lambda: tf.cond(training, lambda: ", "tf.sin("),
    two_conditions: ("tf.cond(training,",),
    constant: ("lambda: tf.constant(2.0),", "lambda: tf.cond(", "lambda: tf.constant(4.0),"),
    growing: ("shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, 3])]",),
    written: ("tf.TensorArray(tf.float32, 2", ".unstack(x)", ".gather([4, 1, 3])", "dynamic_size=True"),
}


def graph(build):
    def write():
        x = v1.placeholder(tf.float32, [2, 3], name="x")
        training = v1.placeholder(tf.bool, [], name="training")
        tf.identity(build(x, training), name="y")
        return ["y"]

    return write


@pytest.mark.slow
@pytest.mark.parametrize("build", CASES)
def test_version_1(build, version_1, frozen, tmp_path, quick, formatted):
    report = port(frozen(graph(build)), tmp_path / "out")
    assert report.compared > 0
    text = (tmp_path / "out/model.py").read_text()
    for words in CASES[build]:
        assert words in text, text
    formatted(tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize(
    "build", [forgotten, counted, branched, nested, two_conditions, growing, written, counted_twice]
)
def test_version_2(build, frozen, tmp_path, quick, formatted):
    """The same as While, If and calls of functions: read from a file, and no frames in it."""

    def write():
        x = v1.placeholder(tf.float32, [2, 3], name="x")
        training = v1.placeholder(tf.bool, [], name="training")
        tf.identity(build(x, training), name="y")
        tf.identity(tf.function(lambda a: build(a, training) * 2.0)(x) if build in (nested, growing) else x, name="z")
        return ["y", "z"]

    path = frozen(write)
    graph_def = v1.GraphDef.FromString(path.read_bytes())
    assert {n.op for n in graph_def.node} & {"While", "StatelessWhile", "If", "StatelessIf", "PartitionedCall"}
    report = port(path, tmp_path / "out", outputs=["y", "z"])
    text = (tmp_path / "out/model.py").read_text()
    assert report.compared > 0 and ("tf.while_loop(" in text or "tf.cond(" in text)
    assert "growing" in build.__name__ or "shape_invariants" not in text
    formatted(tmp_path / "out")


def test_pictures_with_channels_first_in_a_loop_and_a_branch(version_1, frozen, tmp_path, quick):
    def build():
        x = v1.placeholder(tf.float32, [2, 3, 4, 5], name="x")
        pooled = lambda x: tf.nn.avg_pool2d(x, 2, 1, "SAME", "NCHW")  # noqa: E731
        y = v1.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, tf.nn.relu(pooled(v)) + x), [0, x])[1]
        return [tf.identity(v1.cond(x[0, 0, 0, 0] > 0, lambda: pooled(y), lambda: y), name="y").op.name]

    assert port(frozen(build), tmp_path / "out").compared == 120


def test_turns_that_draw_come_one_after_the_other(version_1, frozen, tmp_path, quick):
    """Turns that run at once race for the numbers of a seeded op, in the session, too."""

    def build():
        rows = tf.TensorArray(tf.float32, 50)
        _, rows = v1.while_loop(
            lambda i, _: i < 50,
            lambda i, rows: (i + 1, rows.write(i, tf.random.uniform([40], seed=3))),
            [0, rows],
            parallel_iterations=32,
        )
        return [tf.identity(rows.stack(), name="y").op.name]

    path = frozen(build)
    assert port(path, tmp_path / "out").compared == 50 * 40
    # Who wins the race depends on the machine. That there is none does not.
    graph = models.ready(models.load(path), {"y": "y:0"}, {}).model().graph
    assert {op.get_attr("parallel_iterations") for op in graph.get_operations() if op.type == "Enter"} == {1}


@pytest.mark.slow
def test_dynamic_rnn_is_what_its_formula_says(version_1, frozen, tmp_path, quick, loaded, formatted):
    """The sequences are computed again by numpy, of the lengths that they have."""

    def build():
        x = v1.placeholder(tf.float32, [None, 5, 3], name="x")
        lengths = v1.placeholder(tf.int32, [None], name="lengths")
        outputs, state = v1.nn.dynamic_rnn(Cell(), x, sequence_length=lengths, dtype=tf.float32)
        return [tf.identity(outputs, name="outputs").op.name, tf.identity(state, name="state").op.name]

    report = port(frozen(build), tmp_path / "out", outputs=["outputs", "state"])
    assert report.compared > 0
    x, lengths = np.random.default_rng(1).standard_normal((2, 5, 3)).astype(np.float32), np.int32([5, 2])
    found = loaded(tmp_path / "out", "model").Model()(x=x, lengths=lengths)
    kernel = np.load(tmp_path / "out/weights.npz")["rnn/cell/kernel"]
    for row, length in enumerate(lengths):
        state, outputs = np.zeros(4, np.float32), np.zeros((5, 4), np.float32)
        for i in range(length):
            outputs[i] = state = np.tanh(np.concatenate([x[row, i], state]) @ kernel)
        np.testing.assert_allclose(found["outputs"][row], outputs, rtol=1e-5)
        np.testing.assert_allclose(found["state"][row], state, rtol=1e-5)
    text = (tmp_path / "out/model.py").read_text()
    assert "tf.raw_ops.TensorArray" not in text and ".stack()" in text and "tf.transpose(x, [1, 0, 2])" in text
    formatted(tmp_path / "out")


def test_a_graph_that_ends_with_a_condition_answers_its_value(version_1, frozen, tmp_path, quick):
    """Which branch was taken, the other output of a Merge, is no answer, and is refused where it is asked for."""

    def build():
        x = v1.placeholder(tf.float32, [3], name="x")
        y = v1.cond(tf.reduce_sum(x) > 0.0, lambda: x * 2.0, lambda: x)
        assert y.op.type == "Merge"
        return [y.op.name]

    path = frozen(build)
    report = port(path, tmp_path / "out")
    assert report.compared and report.outputs == {"cond/Merge": "cond/Merge:0"}
    with pytest.raises(InputError, match="cond/Merge"):
        port(path, tmp_path / "other", outputs=["cond/Merge:1"])


def test_a_merge_without_switches_is_named(tmp_path):
    graph_def = v1.GraphDef()
    x = graph_def.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 1
    merge = graph_def.node.add(name="odd", op="Merge", input=["x", "x"])
    merge.attr["T"].type, merge.attr["N"].i = 1, 2
    (tmp_path / "graph.pb").write_bytes(graph_def.SerializeToString())
    with pytest.raises(InputError, match="odd"):
        port(tmp_path / "graph.pb", tmp_path / "out", outputs=["odd"])
    assert not (tmp_path / "out").exists()
