"""tf1ref port of loops that draw random numbers: evaluations draw other ones, and iterations must not race."""

import pytest

from tf1ref.port.program import programs

PROGRAM = """
import numpy as np
import tensorflow as tf

x = tf.placeholder(tf.float32, [2, 3], name="x")
w = tf.get_variable("w", [3], initializer=tf.ones_initializer())


def body(i, total):
    with tf.control_dependencies([tf.identity(total)] if @COUNT > 1 else []):
        return i + 1, tf.nn.dropout(tf.tanh(total * w + x), keep_prob=0.5, seed=7)


_, total = tf.while_loop(lambda i, _: i < 4, body, [0, x], parallel_iterations=@COUNT)
loss = tf.reduce_mean(tf.square(total - 1.0))
train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for i in range(3):
        feed = {x: np.full([2, 3], i + 1, np.float32)}
        print(sess.run(loss, feed))
        sess.run([train, loss], feed)
"""


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 10])
def test_an_evaluation_draws_other_numbers_in_a_loop(count, quick_program, tmp_path):
    """Ten iterations at once draw in order where each waits for the state of the one before."""
    (tmp_path / "program.py").write_text(PROGRAM.replace("@COUNT", str(count)))
    assert programs.port_program(str(tmp_path / "program.py"), tmp_path / "out", steps=3).compared > 6
    assert "tf.nn.dropout(tf.tanh(" in (tmp_path / "out/model.py").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 10])
def test_iterations_that_race_are_named(count, quick_program, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.replace("@COUNT", str(count)))
    made = programs.made_of(programs.record(str(path), str(tmp_path / "run.rec"), (), 1, 1))
    assert ("which of its iterations draws first is a race" in programs._race(made)) == (count > 1)
