"""What a port calls its arguments and weights: as the script does, also within functions and objects."""

import inspect

import pytest

from tf1ref.port.program import programs

PROGRAM = """
import numpy as np
import tensorflow as tf


class Net:
    def __init__(self):
        self.features = tf.placeholder(tf.float32, [None, 3])
        self._goal = tf.placeholder(tf.float32, [None, 1])
        self.weights = {"out": tf.Variable(tf.random_normal([3, 1], seed=1))}
        self.shift = tf.Variable(tf.zeros([1]))
        answer = tf.matmul(self.features, self.weights["out"]) + self.shift
        self.loss = tf.reduce_mean(tf.square(answer - self._goal))


def run(sess, op, feed):
    sess.run(op, feed)


def main():
    net = Net()
    rate = tf.placeholder(tf.float32, [])
    train = tf.train.GradientDescentOptimizer(rate).minimize(net.loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(3):
            run(sess, train, {net.features: np.full([4, 3], i), net._goal: np.ones([4, 1]), rate: 0.1})


main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("steps", [2, 100])
def test_words_of_functions_and_objects(steps, quick_program, tmp_path, loaded):
    """The script ends before the recording, or its functions still run when that ends."""
    (tmp_path / "program.py").write_text(PROGRAM)
    programs.port_program(str(tmp_path / "program.py"), tmp_path / "out", steps=steps)
    trainer = loaded(tmp_path / "out", "test_port").train.Trainer
    assert set(inspect.signature(trainer.step.python_function).parameters) == {"self", "features", "goal", "rate"}
    model = trainer().model
    assert {v.name for v in (model.weights_out, model.shift)} == {"Variable:0", "Variable_1:0"}
