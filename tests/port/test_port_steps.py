"""tf1ref port of programs with loops, several losses, and inputs that are not fed: 20 steps to the bit."""

import re

import numpy as np
import pytest

from tf1ref import cli
from tf1ref.artifacts import CheckFailed
from tf1ref.port.program import programs

GAN = """
import numpy as np
import tensorflow as tf

rng = np.random.RandomState(0)
data = rng.rand(64, 12).astype(np.float32)


def dense(x, units, name, reuse=None):
    with tf.variable_scope(name, reuse=reuse):
        w = tf.get_variable("w", [x.shape[1], units], initializer=tf.random_normal_initializer(stddev=0.1, seed=1))
        return tf.matmul(x, w) + tf.get_variable("b", [units], initializer=tf.zeros_initializer())


def generator(z):
    return tf.nn.sigmoid(dense(tf.nn.relu(dense(z, 8, "gen_hidden")), 12, "gen_out"))


def discriminator(x, reuse=None):
    return tf.nn.sigmoid(dense(tf.nn.relu(dense(x, 8, "disc_hidden", reuse)), 1, "disc_out", reuse))


noise = tf.placeholder(tf.float32, [None, 4], name="noise")
real = tf.placeholder(tf.float32, [None, 12], name="real")
fake = generator(noise)
disc_real, disc_fake = discriminator(real), discriminator(fake, True)
gen_loss = -tf.reduce_mean(tf.log(disc_fake))
disc_loss = -tf.reduce_mean(tf.log(disc_real) + tf.log(1.0 - disc_fake))
variables = tf.trainable_variables()
train_gen = tf.train.AdamOptimizer(0.01).minimize(gen_loss, var_list=[v for v in variables if "gen" in v.name])
train_disc = tf.train.AdamOptimizer(0.01).minimize(disc_loss, var_list=[v for v in variables if "disc" in v.name])
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for i in range(20):
        z = rng.uniform(-1, 1, [16, 4])
        sess.run([train_disc, disc_loss], {real: data[i % 4 * 16 : i % 4 * 16 + 16], noise: z})
        sess.run([train_gen, gen_loss], {noise: z})
"""
LANGUAGE_MODEL = """
import numpy as np
import tensorflow as tf

text = np.random.RandomState(0).randint(0, 12, 600)
x, y = tf.placeholder(tf.int32, [4, 5], name="x"), tf.placeholder(tf.int32, [4, 5], name="y")
keep = tf.placeholder(tf.float32, name="keep")
embedding = tf.get_variable("embedding", [12, 6], initializer=tf.random_uniform_initializer(-0.1, 0.1, seed=1))
inputs = tf.nn.dropout(tf.nn.embedding_lookup(embedding, x), keep, seed=5)
cells = tf.contrib.rnn.MultiRNNCell([tf.contrib.rnn.BasicLSTMCell(6, forget_bias=0.0) for _ in range(2)])
start = cells.zero_state(4, tf.float32)
outputs, state = tf.nn.dynamic_rnn(cells, inputs, initial_state=start)
logits = tf.layers.dense(tf.reshape(outputs, [-1, 6]), 12)
losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.reshape(y, [-1]), logits=logits)
loss = tf.reduce_mean(losses)
variables = tf.trainable_variables()
rate = tf.Variable(0.0, trainable=False, name="rate")
new_rate = tf.placeholder(tf.float32, [], name="new_rate")
set_rate = tf.assign(rate, new_rate)
gradients, _ = tf.clip_by_global_norm(tf.gradients(loss, variables), 1.0)
train = tf.train.GradientDescentOptimizer(rate).apply_gradients(zip(gradients, variables))
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for epoch in range(3):
        sess.run(set_rate, {new_rate: 0.5**epoch})
        now = sess.run(start)
        for i in range(9):
            rows = [text[i * 20 + k : i * 20 + k + 20].reshape(4, 5) for k in (0, 1)]
            feed = {x: rows[0], y: rows[1], keep: 0.9}
            for (c, h), value in zip(start, now if i else ()):
                feed[c], feed[h] = value.c, value.h
            now, _, _ = sess.run([state, loss, train], feed)
"""
PIPELINE = """
import numpy as np
import tensorflow as tf

rng = np.random.RandomState(0)
rows, labels = rng.rand(40, 3).astype(np.float32), rng.randint(0, 2, 40)
dataset = tf.data.Dataset.from_tensor_slices((rows, labels)).shuffle(40, seed=3).repeat().batch(8)
x, y = dataset.make_one_shot_iterator().get_next()
training = tf.placeholder(tf.bool, [], name="training")
hidden = tf.layers.batch_normalization(tf.layers.dense(x, 5, tf.nn.relu), momentum=0.5, training=training)
hidden = tf.layers.dropout(hidden, 0.3, training=training, seed=2)
loss = tf.losses.sparse_softmax_cross_entropy(y, tf.layers.dense(hidden, 2))
global_step = tf.train.get_or_create_global_step()
rate = tf.train.piecewise_constant(global_step, [6, 12], [0.5, 0.1, 0.02])
mean, count = tf.metrics.mean(loss)
with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
    train = tf.train.MomentumOptimizer(rate, 0.9).minimize(loss, global_step)
with tf.Session() as sess:
    sess.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    for i in range(30):
        sess.run([train, loss], {training: i % 3 > 0})
        sess.run(count, {training: False})
"""
QUEUE = """
import tensorflow as tf

numbers = tf.train.string_input_producer(["a", "bb", "ccc"], shuffle=False)
length = tf.cast(tf.strings.length(numbers.dequeue()), tf.float32)
x = tf.train.batch([length], 4)
w = tf.Variable(1.0, name="w")
loss = tf.reduce_mean(tf.square(w * x - 3.0 * x))
train = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    coord = tf.train.Coordinator()
    threads = tf.train.start_queue_runners(sess, coord)
    for _ in range(25):
        sess.run(train)
    coord.request_stop()
    coord.join(threads)
"""
ESTIMATOR = """
import numpy as np
import tensorflow as tf

data, labels = np.random.rand(40, 4).astype(np.float32), np.random.randint(0, 2, 40)


def model_fn(features, labels, mode):
    hidden = tf.layers.dropout(tf.layers.dense(features["x"], 6), 0.5, training=mode == tf.estimator.ModeKeys.TRAIN)
    loss = tf.losses.sparse_softmax_cross_entropy(labels, tf.layers.dense(hidden, 2))
    train = tf.train.AdamOptimizer(0.01).minimize(loss, tf.train.get_global_step())
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train)


inputs = tf.estimator.inputs.numpy_input_fn({"x": data}, labels, batch_size=8, num_epochs=None, shuffle=True)
tf.estimator.Estimator(model_fn).train(inputs, steps=30)
"""
TWICE = """
import numpy as np
import tensorflow as tf

rng = np.random.RandomState(0)
real, noise = tf.placeholder(tf.float32, [8, 6], name="real"), tf.placeholder(tf.float32, [8, 3], name="noise")
made = tf.layers.dense(noise, 6)


def judge(x, reuse):
    with tf.variable_scope("judge", reuse=reuse):
        hidden = tf.layers.dense(x, 5)
        hidden = tf.contrib.layers.batch_norm(hidden, decay=0.9, updates_collections=None, scope="bn")
        return tf.layers.dense(tf.nn.relu(hidden), 1)


on_real = judge(real, None)
with tf.control_dependencies([on_real]):
    on_made = judge(tf.identity(made), True)
loss = tf.reduce_mean(tf.square(on_real - 1.0)) + tf.reduce_mean(tf.square(on_made))
rate = tf.train.exponential_decay(0.1, tf.train.get_or_create_global_step(), 5, 0.9)
optimizer = tf.train.GradientDescentOptimizer(rate)
pairs = optimizer.compute_gradients(loss, [v for v in tf.trainable_variables() if "judge" in v.name])
train = optimizer.apply_gradients([(tf.clip_by_value(g, -0.1, 0.1), v) for g, v in pairs])
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for i in range(10):
        feed = {real: rng.rand(8, 6), noise: rng.rand(8, 3)}
        sess.run(train, feed)
        sess.run(loss, feed)
"""


@pytest.fixture
def ported(quick_program, tmp_path):
    """Returns a function that ports a program; it returns (the Report, text of model.py, text of train.py)."""

    def run(text):
        (tmp_path / "program.py").write_text(text)
        report = programs.port_program(str(tmp_path / "program.py"), tmp_path / "out")
        return report, *((tmp_path / "out" / name).read_text() for name in ("model.py", "train.py"))

    return run


@pytest.mark.slow
def test_a_gan_has_a_step_for_each_loss(ported, tmp_path, formatted):
    """The discriminator is built twice with the same weights: it is one object that is called twice."""
    report, model, train = ported(GAN)
    arrays = np.load(tmp_path / "out/recording.npz")
    steps = [str(arrays[f"{i}/step"]) for i in range(20)]
    assert steps == ["step_train_disc", "step_train_gen"] * 10
    sizes = {kind: sum(arrays[n].size for n in arrays.files if n.startswith(kind)) for kind in ("initial/", "final/")}
    assert report.compared == 20 + sizes["initial/"] + 2 * sizes["final/"]
    assert set(re.findall(r"def (\w+)\(", train)) >= {"step_train_disc", "step_train_gen"}
    assert model.count("def disc_fake(self, noise):") == 1 and model.count("disc_fake = self.disc_fake(noise)") == 2
    assert re.findall(r"def (forward_\w+)\(self, (.*)\):", model) == [
        ("forward_train_disc", "real, noise"), ("forward_train_gen", "noise")
    ]  # fmt: skip
    assert 'tape.gradient(values["disc_loss"], self.trained_train_disc)' in train
    assert all(model.count(f"self.disc_hidden({x})") for x in ("real", "fake"))
    assert model.count("self.disc_hidden = ") == 1 and model.count("tf.matmul(") == 1
    formatted(tmp_path / "out")


@pytest.mark.slow
def test_a_race_of_two_optimizers_is_named(ported, tmp_path):
    """In one session.run either may update the weights before the other reads them: two recordings differ, too."""
    one = "sess.run([train_disc, train_gen], {real: data[i % 4 * 16 : i % 4 * 16 + 16], noise: z})"
    at = GAN.index("        sess.run([train_disc, disc_loss]")
    # What differs is up to the session: where nothing does in these steps, there is a port.
    try:
        report, _, train = ported(GAN[:at] + f"        {one}\n")
        assert report.compared and "persistent=True" in train
    except CheckFailed as e:
        assert "which reads the weights first is a race" in str(e)


@pytest.mark.slow
def test_a_language_model_of_two_lstm_layers(ported, tmp_path, formatted):
    report, model, train = ported(LANGUAGE_MODEL)
    arrays = np.load(tmp_path / "out/recording.npz")
    assert [str(arrays[f"{i}/step"]) for i in range(20)].count("step_set_rate") == 2
    assert report.compared > 18 * (1 + 4 * 4 * 6)
    assert "tf.while_loop(" in model and "tf.raw_ops.TensorArray" not in model and "Stack" not in model
    # The first batch of an epoch is not fed a state: the port is given what the graph then starts from.
    states = [arrays[name] for name in arrays.files if name.startswith("1/inputs/") and arrays[name].shape == (4, 6)]
    assert len(states) == 4 and not any(state.any() for state in states)
    assert "gradients, _ = tf.clip_by_global_norm(gradients, 1.0)" in train
    assert "for variable, gradient in zip(self.trained[1:], gradients[1:]):" in train
    assert "self.rate.assign(new_rate)" in train and "tf.GradientTape()" in train
    formatted(tmp_path / "out")


@pytest.mark.slow
def test_what_an_iterator_gave_is_an_argument(ported, tmp_path, formatted):
    """With dropout and batch normalization by a placeholder, and a rate that a condition chooses."""
    report, model, train = ported(PIPELINE)
    assert "tf.cond(training," in model and report.compared > 0
    arrays = np.load(tmp_path / "out/recording.npz")
    moved = np.abs(arrays["final/batch_normalization/moving_mean"])
    assert {str(arrays[f"{i}/step"]) for i in range(20)} == {"step"}  # a metric trains nothing
    assert moved.max() > 0 and "moving_mean.assign_sub(" in train
    assert arrays["3/inputs/x"].shape == (8, 3) and arrays["3/inputs/y"].shape == (8,)
    formatted(tmp_path / "out")


@pytest.mark.slow
def test_what_a_queue_gave_is_an_argument(quick_program, tmp_path, monkeypatch, capsys, refused):
    """By the command, which shows the script and its port beside each other."""
    (tmp_path / "program.py").write_text(QUEUE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    assert cli.main(["port", "program.py", "-o", "out", "--show"]) == 0
    said = capsys.readouterr().out
    assert "tf.train.start_queue_runners(sess, coord)" in said and "class Trainer(tf.Module):" in said
    assert said.index("start_queue_runners") < said.index("class Trainer") < said.index("0 differ")
    assert "--show" in refused("port", "program.py", "-o", "new", "--show", "--json")
    assert "--show" in refused("port", "model.pb", "-o", "new", "--show")
    arrays = np.load(tmp_path / "out/recording.npz")
    assert [arrays[f"{i}/inputs/x"].tolist() for i in range(2)] == [[1.0, 2.0, 3.0, 1.0], [2.0, 3.0, 1.0, 2.0]]
    w = np.float32(1.0)
    for i in range(20):
        x = arrays[f"{i}/inputs/x"]
        w -= np.float32(0.01) * np.mean(2 * x * (w * x - 3 * x), dtype=np.float32)
    np.testing.assert_allclose(arrays["final/w"], w, rtol=1e-5)


@pytest.mark.slow
def test_an_estimator_draws_from_the_seed_of_the_port(ported, tmp_path, formatted):
    """Its graph is its own. Weights and dropout come from --seed there, too."""
    _, model, train = ported(ESTIMATOR)
    assert 'self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")' in train
    assert not (tmp_path / "out/state.npz").exists()
    assert "tf.random.uniform([4, 6], minval=-" in model and "tf.random.set_seed(1)" in model
    assert "dropout = tf.nn.dropout(" in model and "seed=SEED" not in model and "tf.raw_ops" not in model
    assert not (tmp_path / "out/weights.npz").exists()
    formatted(tmp_path / "out")


@pytest.mark.slow
def test_two_updates_of_one_average_in_a_step(ported, tmp_path, formatted):
    """A discriminator that sees real and made pictures moves its averages twice: the second starts from the first."""
    report, _, train = ported(TWICE)
    assert "delta=tf.clip_by_value(gradient, -0.1, 0.1)" in train
    assert "alpha=exponential_decay" in train and "tf.cast(self.global_step, tf.float32) / 5.0" in train
    assert train.count("self.judge_bn_moving_mean.assign_sub(") == 4  # twice in each of two steps
    arrays = np.load(tmp_path / "out/recording.npz")
    moved = arrays["final/judge/bn/moving_mean"]
    assert report.compared and np.abs(moved).max() > 0
    formatted(tmp_path / "out")
