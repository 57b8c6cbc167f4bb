"""Summaries that a script fetches with its steps become calls of tf.summary that show the same numbers."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.port.program import programs

PROGRAM = """
import numpy as np
import tensorflow as tf

rng = np.random.RandomState(0)
data, labels = rng.rand(32, 4).astype(np.float32), rng.randint(0, 3, 32)
x, y = tf.placeholder(tf.float32, [None, 4], name="x"), tf.placeholder(tf.int64, [None], name="y")
hidden = tf.layers.dense(x, 6, tf.nn.relu, name="hidden")
logits = tf.layers.dense(hidden, 3, name="out")
loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))
with tf.name_scope("shown"):
    tf.summary.scalar("loss", loss)
    tf.summary.scalar("accuracy", accuracy)
    tf.summary.histogram("activations", hidden)
    tf.summary.histogram("weights", tf.trainable_variables()[0])
    tf.summary.image("picture", tf.reshape(x, [-1, 2, 2, 1]))
merged = tf.summary.merge_all()
train = tf.train.AdagradOptimizer(0.1).minimize(loss)
with tf.Session() as sess:
    writer = tf.summary.FileWriter("old", sess.graph)
    sess.run(tf.global_variables_initializer())
    for i in range(6):
        rows = slice(i % 4 * 8, i % 4 * 8 + 8)
        shown, _ = sess.run([merged, train], {x: data[rows], y: labels[rows]})
        writer.add_summary(shown, i)
    writer.close()
"""


def events(folder):
    """Returns {(step, tag): the summary's value} of the event file in `folder`."""
    (path,) = folder.glob("events*")
    found = v1.train.summary_iterator(str(path))
    return {(event.step, v.tag): v for event in found for v in event.summary.value}


@pytest.mark.slow
def test_tensorboard_shows_the_same_numbers(quick_program, tmp_path, loaded, formatted, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the program writes its events
    (tmp_path / "program.py").write_text(PROGRAM)
    report = programs.port_program(str(tmp_path / "program.py"), tmp_path / "out", steps=5)
    assert report.notes == ["the summary shown/picture is not ported"]
    formatted(tmp_path / "out")
    arrays = np.load(tmp_path / "out/recording.npz")
    train = (tmp_path / "out/train.py").read_text()
    assert 'tf.summary.histogram("shown/weights", self.hidden_kernel, step=step)' in train
    assert sum("/ranges/" in name for name in arrays.files) == 5

    proof = loaded(tmp_path / "out", "test_port")
    proof.train.main()
    new = events(tmp_path / "logs")
    assert len(new) == 5 * 4
    # The script's own writer has the steps that ran before the port stopped it; what it has is the same.
    for i in range(5):
        for tag in ("loss", "accuracy"):
            value = tf.make_ndarray(new[i, f"shown/{tag}"].tensor)
            assert value.tobytes() == arrays[f"{i}/outputs/{tag}"].tobytes()
        low, high = arrays[f"{i}/ranges/{word(train)}"]
        rows = tf.make_ndarray(new[i, "shown/activations"].tensor)
        assert (np.float32(rows[0, 0]), np.float32(rows[-1, 1])) == (np.float32(low), np.float32(high))

    altered = dict(arrays)
    altered["2/outputs/accuracy"] = altered["2/outputs/accuracy"] + np.float32(1)
    np.savez(tmp_path / "out/recording.npz", **altered)
    assert proof.compare()[1:] == (1, "accuracy of step 2")


def word(train):
    """Returns the key of the activations."""
    return train.partition('tf.summary.histogram("shown/activations", values["')[2].partition('"')[0]


QUEUED = """
import numpy as np
import tensorflow as tf

queue = tf.FIFOQueue(8, [tf.float32, tf.float32], [[3], [1]])
put = queue.enqueue_many([np.arange(12, dtype=np.float32).reshape(4, 3), np.ones([4, 1], np.float32)])
x, y = queue.dequeue_many(4)
w = tf.get_variable("w", [3, 1], initializer=tf.zeros_initializer())
loss = tf.reduce_mean(tf.square(tf.matmul(x, w) - y))
tf.summary.scalar("loss", loss)
tf.summary.scalar("waiting", tf.cast(queue.size(), tf.float32) / 8.0)
train = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for _ in range(3):
        sess.run(put)
        sess.run([train, loss, y, tf.summary.merge_all()])
"""


@pytest.mark.slow
def test_a_summary_of_a_queue_is_left_out(quick_program, tmp_path):
    """The labels, which are an input, are fetched, too."""
    (tmp_path / "program.py").write_text(QUEUED)
    report = programs.port_program(str(tmp_path / "program.py"), tmp_path / "out", steps=3)
    assert report.notes == ["the summary waiting is not ported"]
    assert [name.partition(":")[2] for name in report.inputs.values()] == ["0", "1"]
    assert list(report.outputs) == ["loss", "y"]
