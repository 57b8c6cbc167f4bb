"""tf1ref port SCRIPT.py: a training script becomes model.py and train.py, which train the same, to the bit."""

import re
import textwrap

import numpy as np
import pytest

PROGRAM = """
import numpy as np
import tensorflow as tf

rng = np.random.RandomState(0)
x_data = rng.rand(64, 4).astype(np.float32)
y_data = np.eye(3)[rng.randint(0, 3, 64)].astype(np.float32)


def layer(x, n_in, n_out, name):
    with tf.variable_scope(name):
        w = tf.get_variable("w", [n_in, n_out], initializer=tf.truncated_normal_initializer(stddev=0.1, seed=1))
        b = tf.Variable(tf.zeros([n_out]), name="b")
        return tf.matmul(x, w) + b


x = tf.placeholder(tf.float32, [None, 4], name="x")
y = tf.placeholder(tf.float32, [None, 3], name="y")
keep_prob = tf.placeholder(tf.float32, name="keep_prob")
hidden = tf.nn.dropout(tf.nn.relu(layer(x, 4, 8, "hidden")), keep_prob, seed=3)
logits = layer(hidden, 8, 3, "out")
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=logits))
loss += 0.001 * tf.add_n([tf.nn.l2_loss(v) for v in tf.trainable_variables()])
global_step = tf.Variable(0, trainable=False, name="global_step")
rate = tf.train.exponential_decay(0.1, global_step, 5, 0.9, staircase=True)
optimizer = tf.train.AdamOptimizer(rate)
clipped = [(tf.clip_by_norm(g, 0.5), v) for g, v in optimizer.compute_gradients(loss)]
train = optimizer.apply_gradients(clipped, global_step=global_step)
average = tf.train.ExponentialMovingAverage(0.9, global_step)
with tf.control_dependencies([train]):
    train = average.apply(tf.trainable_variables())
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for i in range(30):
        batch = slice(i % 4 * 16, i % 4 * 16 + 16)
        sess.run([train, loss], {x: x_data[batch], y: y_data[batch], keep_prob: 0.8})
        print(loss.eval({x: x_data, y: y_data, keep_prob: 1.0}))
"""


@pytest.fixture(scope="module")
def ported(tmp_path_factory, tf1ref_in):
    """The folder of the port of PROGRAM, and what the command said."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "program.py").write_text(PROGRAM)
    done = tf1ref_in(folder, "port", "program.py", "-o", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out", done.stdout


@pytest.mark.slow
def test_dropout_adam_decay_clipping_and_averages_to_the_bit(ported):
    folder, said = ported
    arrays = np.load(folder / "recording.npz")
    assert int(arrays["steps"]) == 20
    final = sum(arrays[name].size for name in arrays.files if name.startswith("final/"))
    initial = sum(arrays[name].size for name in arrays.files if name.startswith("initial/"))
    # The last values are compared twice: in the trainer, and out of a checkpoint.
    assert f"{20 + initial + 2 * final} elements after 20 steps, 0 differ" in said


@pytest.mark.slow
def test_initializers_are_code_with_the_same_seeds(ported, loaded):
    """The weights are drawn and not stored; averages start as the weights. Another seed is found out."""
    folder, _ = ported
    assert not (folder / "weights.npz").exists() and not (folder / "state.npz").exists()
    path = folder / "model.py"
    right = path.read_text()
    drawn = '"hidden/w": tf.random.truncated_normal([4, 8], stddev=0.1, seed=1),'
    assert drawn in right and '"hidden/b": tf.zeros([8]),' in right and "weights.npz" not in right
    arrays = np.load(folder / "recording.npz")
    names = {name.removeprefix("initial/") for name in arrays.files if name.startswith("initial/")}
    weights = {"hidden/w", "hidden/b", "out/w", "out/b"}
    assert names == weights | {f"{name}/ExponentialMovingAverage" for name in weights}
    made = loaded(folder, "model").Model
    first, second = ([v.numpy().tobytes() for v in made().variables] for _ in range(2))
    assert first == second
    try:
        path.write_text(right.replace(drawn, drawn.replace("seed=1", "seed=2")))
        assert loaded(folder, "test_port").compare()[2].endswith("before the first step")
    finally:
        path.write_text(right)


@pytest.mark.slow
def test_the_code_reads_as_one_writes_it(ported, formatted):
    folder, _ = ported
    train = (folder / "train.py").read_text()
    assert "tf.GradientTape()" in train and "tf.raw_ops.ResourceApplyAdam(" in train
    assert set(re.findall(r"^(?:import|from) (\w+)", train, re.M)) == {"pathlib", "numpy", "tensorflow", "model"}
    assert "self.global_step.assign_add(1)" in train
    # One loop for all variables, and one function for what it consists of.
    assert train.count("ResourceApplyAdam") == 1 and "grad=tf.clip_by_norm(gradient, 0.5)" in train
    assert "for average, variable in zip(self.averages, self.trained):" in train and train.count("assign_sub") == 1
    assert "tf.nn.softmax_cross_entropy_with_logits(" in (folder / "model.py").read_text()
    formatted(folder)


@pytest.mark.slow
def test_another_learning_rate_is_found_out(ported, loaded):
    """The proof can fail: with another number in train.py it names the first step after it."""
    folder, _ = ported
    path = folder / "train.py"
    right = path.read_text()
    try:
        path.write_text(right.replace("0.1 * ", "0.1001 * ", 1))
        elements, wrong, first = loaded(folder, "test_port").compare()
        assert wrong > 0 and first == "loss of step 1"
        path.write_text(right)
        assert loaded(folder, "test_port").compare() == (elements, 0, "")
    finally:
        path.write_text(right)


@pytest.mark.slow
def test_programs_that_cannot_be_ported(refused, quick_program, tmp_path):
    programs = {
        "fails": ("1 / 0", "ZeroDivisionError"),
        "never": ("import tensorflow as tf\ntf.Session().run(tf.constant(1))", "never trains"),
        "asks": ("input()", "EOFError"),
        "idle": ("import tensorflow as tf\ntf.constant(1)", "runs no session"),
        "nan": (
            "import tensorflow as tf\ntf.Session().run(tf.check_numerics(tf.constant([1.0]) / 0.0, 'too much'))",
            "too much",
        ),
    }
    for name, (text, reason) in programs.items():
        (tmp_path / f"{name}.py").write_text(text)
        line = refused("port", f"{name}.py", "-o", "out")
        assert reason in line, line
    assert "--args" in refused("port", "model.pb", "-o", "out", "--args", "-x 1")
    assert "no such script" in refused("port", "nowhere.py", "-o", "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["asks.py", "fails.py", "idle.py", "nan.py", "never.py"]


@pytest.mark.slow
def test_sessions_with_variables_of_their_own_are_named(quick_program, tmp_path, refused):
    """A recording has the weights of one session: that a second one trains from the start again is found out."""
    two = """
        import tensorflow as tf

        w = tf.Variable(1.0, name="w")
        loss = tf.square(w - 3.0)
        train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        with tf.Session() as a, tf.Session() as b:
            for sess in (a, b):
                sess.run(tf.global_variables_initializer())
            for _ in range(3):
                for sess in (a, b):
                    sess.run([train, loss])
        """
    (tmp_path / "two.py").write_text(textwrap.dedent(two))
    assert "trains in several sessions, each with its variables" in refused("port", "two.py", "-o", "out")
    assert not (tmp_path / "out").exists()
