"""Cells that a script calls step by step become one class and a loop."""

import re

import pytest

from tf1ref.port.program import programs

UNROLLED = """
import numpy as np
import tensorflow as tf

rng = np.random.RandomState(0)
data, labels = rng.rand(32, 6, 4).astype(np.float32), rng.randint(0, 3, [32, 6])
x = tf.placeholder(tf.float32, [None, 6, 4], name="x")
y = tf.placeholder(tf.int32, [None, 6], name="y")
cell = tf.contrib.rnn.MultiRNNCell([tf.contrib.rnn.BasicLSTMCell(5), tf.contrib.rnn.GRUCell(4)])
outputs, state = tf.contrib.rnn.static_rnn(cell, tf.unstack(x, axis=1), dtype=tf.float32)
logits = tf.layers.dense(tf.stack(outputs, axis=1), 3)
last = state[0].h
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
loss += tf.reduce_mean(tf.square(last))
train = tf.train.AdamOptimizer(0.01).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for i in range(30):
        rows = slice(i % 4 * 8, i % 4 * 8 + 8)
        sess.run([train, loss], {x: data[rows], y: labels[rows]})
"""


@pytest.mark.slow
def test_cells_of_static_rnn_are_called_in_a_loop(quick_program, tmp_path, formatted):
    """Two cells, six steps, all outputs and the last state: the graph has each op six times."""
    (tmp_path / "program.py").write_text(UNROLLED)
    programs.port_program(str(tmp_path / "program.py"), tmp_path / "out")
    formatted(tmp_path / "out")
    text = (tmp_path / "out/model.py").read_text()
    assert "for x_t in unstack:" in text and "self.dense(tf.stack(outputs, axis=1))" in text
    calls = re.findall(r"self\.(basic_lstm_cell|gru_cell)\(", text)
    assert calls == ["basic_lstm_cell", "gru_cell"] and text.count("tf.tanh(") == 3
