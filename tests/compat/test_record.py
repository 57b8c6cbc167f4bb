"""tf1ref exec --record: what a program computed, and parity --recorded: a port of it that is compared."""

import io
import zipfile

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.compat import recorded_graphs
from tf1ref.errors import InputError
from tf1ref.parity import recorded

PROGRAM = """
import numpy as np
import tensorflow as tf

rng = np.random.RandomState(0)
data = rng.rand(32, 4).astype(np.float32)
x = tf.placeholder(tf.float32, [None, 4], name="x")
y = tf.placeholder(tf.float32, [None, 1], name="y")
keep = tf.placeholder(tf.float32, name="keep")
w = tf.get_variable("w", [4, 1], initializer=tf.truncated_normal_initializer(seed=1))
b = tf.Variable(tf.zeros([1]), name="b")
hidden = tf.nn.dropout(x, keep, seed=3)
loss = tf.reduce_mean(tf.square(tf.matmul(hidden, w) + b - y), name="loss")
score = tf.reduce_mean(tf.matmul(x, w))
train = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for i in range(7):
        batch = data[i * 4 : i * 4 + 4]
        _, value = sess.run([train, loss], {x: batch, y: batch.sum(1, keepdims=True), keep: 0.5})
        print(i, repr(float(value)), score.eval({"x:0": data}))
"""

TEXTS = """
import tensorflow as tf

x = tf.placeholder(tf.string, [], name="x")
one, row, word = tf.identity(x, name="one"), tf.stack([x, "c"], name="row"), tf.constant(["ab", "c"], name="word")
v = tf.Variable(1.0)
train = tf.train.GradientDescentOptimizer(0.1).minimize(v * v)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    sess.run([train, one, row, word], {x: b"ab\\0\\0"})
"""

PORT = """
import numpy as np
import tensorflow as tf

RATE = 0.1


def run_function(recording):
    w, b = (tf.Variable(recording.initial[name]) for name in ("w", "b"))
    slots = [tf.Variable(tf.zeros_like(v)) for v in (w, b)]

    @tf.function
    def step(x, y, keep):
        with tf.GradientTape() as tape:
            # tf.nn.dropout of version 1, with the seeds of the graph: kept where a uniform number and keep reach 1
            uniform = tf.raw_ops.RandomUniform(shape=tf.shape(x), dtype=tf.float32, seed=87654321, seed2=3)
            hidden = tf.where(uniform >= 1 - keep, x * (1 / keep), 0.0)
            loss = tf.reduce_mean(tf.square(tf.matmul(hidden, w) + b - y))
        for v, slot, g in zip((w, b), slots, tape.gradient(loss, (w, b))):
            tf.raw_ops.ResourceApplyMomentum(var=v.handle, accum=slot.handle, lr=RATE, grad=g, momentum=0.9)
        return loss

    losses = [step(f["x"], f["y"], f["keep"]).numpy() for f in recording.feeds]
    return {"steps/loss": np.stack(losses), "final/w": w.numpy(), "final/b": b.numpy()}
"""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory, tf1ref_in):
    """(folder with program.py and the recording of 5 of its 7 steps, its output without and with recording)."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "program.py").write_text(PROGRAM)
    plain = tf1ref_in(folder, "exec", "program.py")
    recorded = tf1ref_in(folder, "exec", "--record", "r.rec", "--steps", "5", "program.py")
    assert (plain.returncode, recorded.returncode) == (0, 0), plain.stderr + recorded.stderr
    return folder, (plain.stdout, recorded.stdout)


@pytest.fixture(scope="module")
def folder(outcome):
    return outcome[0]


@pytest.fixture(scope="module")
def recording(folder):
    return recorded.load(folder / "r.rec")


@pytest.mark.slow
def test_the_program_says_the_same_recorded_or_not(outcome):
    plain, recorded = outcome[1]
    assert plain == recorded and plain.count("\n") == 7


def test_replayed_feeds_give_the_recorded_values(recording):
    """The recorded graph, the recorded initial values and feeds, in a new session: what was recorded, to the bit."""
    meta = v1.MetaGraphDef.FromString(recording.graphs[0])
    with v1.Graph().as_default() as graph, v1.Session() as sess:
        v1.train.import_meta_graph(meta)
        sess.run(graph.get_operation_by_name("init"))
        for variable in v1.global_variables():
            variable.load(recording.initial[variable.op.name], sess)
        for step in [r for r in recording.runs if r.fetches]:
            assert set(step.feeds) == ({"x:0", "y:0", "keep:0"} if step.trains else {"x:0"})
            found, _ = sess.run([list(step.fetches), step.targets], step.feeds)
            for name, value in zip(step.fetches, found):
                assert value.tobytes() == step.fetches[name].tobytes(), name
        final = {v.op.name: sess.run(v) for v in v1.global_variables()}
    assert {k: v.tobytes() for k, v in final.items()} == {k: v.tobytes() for k, v in recording.final.items()}


def test_what_is_recorded(recording):
    assert [run.trains for run in recording.runs] == [False] + [True, False] * 4 + [True]
    assert recording.trainable == ["w", "b"] and set(recording.initial) == {"w", "b", "w/Momentum", "b/Momentum"}
    assert recording.lines[0]["loss"][1:] == [13, "<module>"]
    assert recording.trace()["steps/loss"].shape == (5,)


def test_recorded_losses_are_the_printed_ones(outcome, recording):
    printed = [float(line.split()[1]) for line in outcome[1][0].splitlines()[:5]]
    assert printed == [float(x) for x in recording.trace()["steps/loss"]]


@pytest.mark.slow
def test_a_port_by_hand_is_proven_and_a_wrong_one_found(folder, tf1ref_in):
    (folder / "port.py").write_text(PORT)
    done = tf1ref_in(folder, "parity", "--recorded", "r.rec", "port.py")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "wrong.py").write_text(PORT.replace("RATE = 0.1", "RATE = 0.1001"))
    done = tf1ref_in(folder, "parity", "--recorded", "r.rec", "wrong.py")
    assert done.returncode == 1 and "first divergence: steps/loss: step 1" in done.stdout


def test_all_variables_are_read_in_one_run_and_those_without_a_value_are_left_out():
    with v1.Graph().as_default(), v1.Session() as sess:
        variables = [v1.get_variable(f"w{n}", initializer=float(n), use_resource=n % 2 == 0) for n in range(40)]
        named, runs, run = {v.op.name: v for v in variables}, [], sess.run
        run([v.initializer for v in variables])
        sess.run = lambda fetches: runs.append(len(fetches)) or run(fetches)
        assert recorded_graphs.values_of(sess, named) == {f"w{n}": n for n in range(40)} and runs == [40]
        late = [v1.get_variable(f"late{n}", [3]) for n in range(2)]
        found = recorded_graphs.values_of(sess, {"late0": late[0], **named, "late1": late[1]})
        assert found == {f"w{n}": n for n in range(40)} and len(runs) < 30
        assert recorded_graphs.values_of(sess, {"late1": late[1]}) == recorded_graphs.values_of(sess, {}) == {}


@pytest.mark.slow
def test_zeros_at_the_end_of_a_text_are_kept(tf1ref, tmp_path):
    """A summary may end in zeros. NumPy takes them for padding where texts stand in a row: those are left out."""
    (tmp_path / "program.py").write_text(TEXTS)
    assert not tf1ref("exec", "--record", "r.rec", "program.py").returncode
    found = recorded.load(tmp_path / "r.rec")
    (step,) = found.steps
    assert [step.feeds["x:0"].tobytes(), step.fetches["one:0"].tobytes()] == [b"ab\0\0"] * 2
    assert step.fetches["word:0"].tolist() == [b"ab", b"c"] and "row:0" not in step.fetches
    assert len(found.left_out) == 1 and found.left_out[0].endswith(": 1")


def test_a_program_that_fails_leaves_no_recording(tf1ref, tmp_path):
    (tmp_path / "fails.py").write_text("import tensorflow as tf\ntf.Session().run(tf.constant(1))\n1 / 0\n")
    done = tf1ref("exec", "--record", "r.rec", "fails.py")
    assert done.returncode == 1 and "nothing is recorded" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fails.py"]


def test_bad_recordings(folder, refused, tmp_path):
    whole = (folder / "r.rec").read_bytes()
    (tmp_path / "cut.rec").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "other.rec").write_bytes(b"PK\x03\x04 something else")
    (tmp_path / "port.py").write_text(PORT)
    for name in ("cut.rec", "other.rec", "missing.rec"):
        assert "exec --record" in refused("parity", "--recorded", name, "port.py")
    (tmp_path / "r.rec").write_bytes(whole)
    assert "run_function" in refused("parity", "--recorded", "r.rec")
    (tmp_path / "empty.py").write_text("")
    assert "run_function" in refused("parity", "--recorded", "r.rec", "empty.py")
    (tmp_path / "there.rec").write_text("mine")
    (tmp_path / "p.py").write_text("")
    assert "--record" in refused("exec", "--steps", "3", "p.py")
    assert "exists already" in refused("exec", "--record", "there.rec", "p.py")


def test_no_pickle_is_read(tmp_path):
    """A recording whose array is a pickle is refused before anything in it runs."""
    array = io.BytesIO()
    np.save(array, np.array([print], object), allow_pickle=True)
    index = (
        '{"format": 2, "program": "p", "arguments": [], "graphs": [], "runs": [], "initial": {"w": "0"}, "final": {}'
    )
    with zipfile.ZipFile(tmp_path / "r.rec", "w") as z:
        z.writestr("index.json", index + ', "trainable": [], "left_out": []}')
        z.writestr("arrays/0.npy", array.getvalue())
    with pytest.raises(InputError, match="not a recording"):
        recorded.load(tmp_path / "r.rec")
