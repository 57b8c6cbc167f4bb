"""modules/rnn_wrappers: residual connections and variational dropout, against legacy's in a session and numpy."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy.nn import rnn_cell as theirs
from tf1ref.modules import rnn
from tf1ref.modules.rnn_unroll import RNN
from tf1ref.modules.rnn_wrappers import DropoutWrapper, MultiRNNCell, ResidualWrapper

SERIES = np.random.RandomState(1).randn(4, 5, 6, 3).astype(np.float32)  # batches, rows, steps, depth


def in_session(*masks):
    """Two layers: an LSTM with variational masks, a GRU with a residual connection and masks."""
    lstm = theirs.DropoutWrapper(theirs.BasicLSTMCell(4), *masks, True, 3, v1.float32, seed=11)
    return [lstm, theirs.ResidualWrapper(theirs.DropoutWrapper(theirs.GRUCell(4), 1.0, *masks[1:], seed=12))]


def in_function(*masks):
    lstm = DropoutWrapper(rnn.BasicLSTMCell(4, seed=3), *masks, variational_recurrent=True, seed=11)
    return [lstm, ResidualWrapper(DropoutWrapper(rnn.GRUCell(4, seed=3), 1.0, *masks[1:], seed=12))]


@pytest.mark.slow
@pytest.mark.parametrize("unroll", [False, True], ids=["dynamic", "static"])
def test_a_training_is_the_sessions(unroll, assert_trains_alike):
    masks = 0.9, 0.8, 0.7

    def build(x):
        with v1.variable_scope(v1.get_variable_scope(), initializer=v1.glorot_uniform_initializer(seed=3)):
            cell = theirs.MultiRNNCell(in_session(*masks))
            if not unroll:
                return v1.nn.dynamic_rnn(cell, x, dtype=x.dtype)
            outputs, state = v1.nn.static_rnn(cell, v1.unstack(x, axis=1), dtype=x.dtype)
            return v1.stack(outputs, 1), state

    def make():
        layer = RNN(MultiRNNCell(in_function(*masks)), unroll=unroll).create(3)
        return layer, [layer]

    trace = assert_trains_alike(build, make, SERIES)
    assert "final/rnn/multi_rnn_cell/cell_1/gru_cell/gates/kernel" in trace


class Recorder(rnn.BasicRNNCell):
    """A cell that keeps what it is given."""

    def __call__(self, inputs, state):
        self.given = [*getattr(self, "given", []), inputs.numpy()]
        return super().__call__(inputs, state)


@pytest.mark.parametrize("variational", [True, False])
def test_masks_of_one_series(variational):
    cell = Recorder(4)
    network = RNN(DropoutWrapper(cell, 0.5, variational_recurrent=variational, seed=5), unroll=True).create(40)
    for _ in range(2):
        network(np.ones([7, 6, 40], np.float32))
    first, second = np.array(cell.given).reshape(2, 6, 7, 40)
    assert set(np.unique(first)) == {0, 2} and 0.3 < first.mean() / 2 < 0.7
    alike = (first == first[:1, :1]).all()
    assert alike == variational, "one mask for all steps and rows"
    assert not np.array_equal(first, second), "another for the next series"


def test_a_residual_connection_is_a_sum():
    cell = ResidualWrapper(rnn.BasicRNNCell(3)).create(3)
    x, state = tf.constant(SERIES[0, :, 0]), cell.zero_state(5)
    output, after = cell(x, state)
    np.testing.assert_allclose(output, SERIES[0, :, 0] + after, rtol=1e-6)
    other = ResidualWrapper(cell.cell, lambda inputs, outputs: outputs - 2 * inputs)
    np.testing.assert_allclose(other(x, state)[0], after - 2 * SERIES[0, :, 0], rtol=1e-5, atol=1e-6)
    assert other.state_size == 3 and list(other.variables_by_name()) == ["basic_rnn_cell/kernel", "basic_rnn_cell/bias"]


def test_errors_name_the_cell():
    wide = ResidualWrapper(rnn.BasicRNNCell(4)).create(3)
    with pytest.raises(ValueError, match="basic_rnn_cell: inputs of 3 and outputs of 4 cannot be added"):
        wide(tf.zeros([2, 3]), wide.zero_state(2))
    with pytest.raises(TypeError, match="ResidualWrapper: .* is not a cell"):
        ResidualWrapper(tf.nn.relu)
    masked = DropoutWrapper(rnn.BasicRNNCell(4), 0.5, variational_recurrent=True).create(3)
    with pytest.raises(ValueError, match=r"basic_rnn_cell: .*new_series\(\) before the first step"):
        masked(tf.zeros([2, 3]), masked.zero_state(2))
    masked.new_series()
    assert masked(tf.zeros([2, 3]), masked.zero_state(2))[0].shape == [2, 4]
