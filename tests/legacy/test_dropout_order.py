"""The steps of a loop draw their masks in order, though many are under way at once: legacy's cells and the modules'."""

import hashlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.rnn import LayerNormBasicLSTMCell
from tf1ref.legacy.nn import rnn_cell as theirs
from tf1ref.modules import rnn
from tf1ref.modules.rnn_unroll import RNN
from tf1ref.modules.rnn_wrappers import DropoutWrapper

STEPS, ROWS, SIZE = 60, 3, 16
ONES = np.ones([STEPS, ROWS, SIZE], np.float32)
LENGTHS = [STEPS, STEPS, STEPS - 20]


def expected(seed=5):
    """The outputs of ones through dropout: the op's draws one after the other, the op alone in a graph."""
    own = int(hashlib.md5(f"{seed}output_0".encode()).hexdigest()[:8], 16) & 0x7FFFFFFF  # TF1's seed of a place
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(1)
        drawn = v1.nn.dropout(v1.ones([ROWS, SIZE]), rate=0.5, seed=own)
        return np.stack([sess.run(drawn) for _ in range(STEPS)])


class PassingOn(theirs.RNNCell):
    """Its output is its input, long before its state is there."""

    output_size = state_size = SIZE

    def call(self, inputs, state):
        return inputs, v1.matmul(state, v1.eye(SIZE)) + inputs


class PassingOnModule(rnn.BasicRNNCell):
    def __call__(self, inputs, state):
        return inputs, tf.matmul(state, tf.eye(SIZE)) + inputs


def masked(outputs, lengths):
    return outputs * (np.arange(STEPS)[:, None, None] < np.reshape(lengths, [-1, 1]) if lengths else 1)


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
def test_a_loop_draws_in_order(flow, lengths):
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(1)
        cell = theirs.DropoutWrapper(PassingOn(), output_keep_prob=0.5, seed=5)
        outputs, state = v1.nn.dynamic_rnn(cell, v1.constant(ONES), lengths, time_major=True, dtype=v1.float32)
        found, last = sess.run([outputs, state])
    np.testing.assert_array_equal(found, masked(expected(), lengths))
    np.testing.assert_array_equal(last, np.tile(np.reshape(lengths or [STEPS] * ROWS, [-1, 1]), SIZE))


@pytest.mark.slow
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
def test_the_modules_loop_draws_in_order(lengths):
    tf.random.set_seed(1)
    cell = DropoutWrapper(PassingOnModule(SIZE), output_keep_prob=0.5, seed=5)
    network = RNN(cell, time_major=True).create(SIZE)
    found, last = tf.function(lambda: network(ONES, sequence_length=lengths))()
    np.testing.assert_array_equal(found, masked(expected(), lengths))
    np.testing.assert_array_equal(last, np.tile(np.reshape(lengths or [STEPS] * ROWS, [-1, 1]), SIZE))


@pytest.mark.slow
def test_layer_normalization_draws_in_order(flow):
    def trained(**options):
        with v1.Graph().as_default(), v1.Session() as sess:
            v1.set_random_seed(1)
            cell = LayerNormBasicLSTMCell(4, layer_norm=False, dropout_keep_prob=0.5, dropout_prob_seed=3)
            with v1.variable_scope("", initializer=v1.glorot_uniform_initializer(seed=2)):
                outputs, _ = v1.nn.dynamic_rnn(cell, v1.constant(ONES), time_major=True, dtype=v1.float32, **options)
            sess.run(v1.global_variables_initializer())
            return sess.run(outputs)

    one_at_a_time = trained(parallel_iterations=1)
    for _ in range(3):
        np.testing.assert_array_equal(trained(), one_at_a_time)
