"""What single examples promise beyond parity and their figures."""

import numpy as np

from tf1ref import catalog


def test_softmax_looped_inside_the_function_equals_a_call_a_step():
    import tensorflow as tf

    module = catalog.load("mnist.softmax")
    random = np.random.RandomState(0)
    xs = random.rand(20, 50, 784).astype(np.float32)
    ys = np.eye(10, dtype=np.float32)[random.randint(0, 10, (20, 50))]
    one, many = module.Model(), module.Model()
    losses = [one.train_step(tf.constant(x), tf.constant(y)).numpy() for x, y in zip(xs, ys)]
    assert np.array_equal(many.train_batches(tf.constant(xs), tf.constant(ys)).numpy(), losses)
    assert np.array_equal(many.W.numpy(), one.W.numpy()) and one.W.numpy().any()
