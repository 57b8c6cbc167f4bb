"""What a program computes between its steps becomes methods of the model, and is proven with the steps."""

import numpy as np
import pytest
import tensorflow as tf

from tf1ref.port.program import programs

PROGRAM = """
import numpy as np
import tensorflow as tf

rng = np.random.RandomState(0)
data, labels = rng.rand(64, 4).astype(np.float32), rng.randint(0, 3, 64)
x = tf.placeholder(tf.float32, [None, 4], name="x")
y_ = tf.placeholder(tf.int64, [None])
keep_prob = tf.placeholder(tf.float32)
hidden = tf.nn.dropout(x, keep_prob)
for i in range(3):
    hidden = tf.layers.dense(hidden, 8, tf.nn.relu, name="hidden_%d" % i)
logits = tf.layers.dense(tf.nn.dropout(hidden, keep_prob), 3, name="out")
loss = tf.losses.sparse_softmax_cross_entropy(y_, logits)
accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y_), tf.float32))
prediction = tf.nn.softmax(logits)
mean, update_mean = tf.metrics.mean(loss)
train = tf.train.AdamOptimizer(0.01).minimize(loss)
with tf.Session() as sess:
    sess.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    for i in range(30):
        rows = slice(i % 4 * 16, i % 4 * 16 + 16)
        sess.run(train, {x: data[rows], y_: labels[rows], keep_prob: 0.5})
        if i % 3 == 0:
            sess.run([loss, accuracy], {x: data, y_: labels, keep_prob: KEEP})
            sess.run(prediction, {x: data[:3], keep_prob: 1.0})
            sess.run(update_mean, {x: data, y_: labels, keep_prob: 1.0})
            sess.run(mean)
"""


@pytest.fixture
def ported(quick_program, tmp_path):
    """Returns a function that ports PROGRAM with dropouts at its evaluations; returns (the folder, the Report).

    The shape of the second dropout depends on what the first one draws.
    """

    def port(keep):
        (tmp_path / "program.py").write_text(PROGRAM.replace("KEEP", keep))
        return tmp_path / "out", programs.port_program(str(tmp_path / "program.py"), tmp_path / "out", steps=8)

    return port


@pytest.mark.slow
def test_evaluations_are_methods_that_share_the_logits(ported, loaded, formatted):
    folder, report = ported("1.0")
    formatted(folder)
    assert not report.notes
    text = (folder / "model.py").read_text()
    # The counter of tf.metrics writes to variables of its own.
    assert text.count("def ") == text.count("def __init__") + text.count("def __call__") + 5 and "def mean" not in text
    assert text.count("for hidden in self.hidden:") == 1 and text.count("logits = self.logits(x, keep_prob)") == 3
    model = loaded(folder, "model").Model()
    x, y = np.random.RandomState(1).rand(9, 4).astype(np.float32), np.arange(9) % 3
    logits = model.logits(x, 1.0).numpy()
    assert model.accuracy(x, y, 1.0).numpy() == pytest.approx(np.mean(logits.argmax(1) == y))
    odds = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(model.prediction(x, 1.0).numpy(), odds, rtol=1e-5)
    loss = model(x, tf.constant(y), 1.0)["loss"]
    np.testing.assert_allclose(loss.numpy(), -np.log(odds[np.arange(9), y]).mean(), rtol=1e-5)

    arrays = np.load(folder / "recording.npz")
    names = [str(arrays[f"{i}/step"]) for i in range(int(arrays["steps"]))]
    assert names.count("step") == 8 and names.count("model.accuracy") == names.count("model.prediction") == 2
    path = folder / "model.py"
    path.write_text(text.replace("tf.argmax(", "tf.argmin("))
    assert loaded(folder, "test_port").compare()[2].startswith("accuracy of step")


@pytest.mark.slow
def test_an_evaluation_that_draws_is_not_ported(ported):
    folder, report = ported("0.5")
    assert report.notes == ["what the program computes besides its steps is not ported: it differs each time"]
    assert "accuracy" not in (folder / "model.py").read_text()
