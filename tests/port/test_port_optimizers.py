"""Optimizers whose kernels have attributes besides their inputs: the port gives them, too."""

import pytest

from tf1ref.port.program import programs

PROGRAM = """
import tensorflow as tf

w = tf.get_variable("w", initializer=[2.0, -1.0, 0.5])
v = tf.get_variable("v", initializer=[[1.0, 3.0]])
loss = tf.reduce_sum(tf.square(w - 1.0)) + tf.reduce_sum(tf.square(v - 2.0))
train = tf.train.MomentumOptimizer(0.05, 0.9, use_locking=True, use_nesterov=True).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for _ in range(4):
        sess.run([train, loss])
"""


@pytest.mark.slow
def test_nesterov_s_momentum_to_the_bit(quick_program, tmp_path, formatted):
    (tmp_path / "program.py").write_text(PROGRAM)
    programs.port_program(str(tmp_path / "program.py"), tmp_path / "out", steps=4)
    formatted(tmp_path / "out")
    train = (tmp_path / "out" / "train.py").read_text()
    assert "use_nesterov=True" in train and "use_locking" not in train
