"""contrib.rnn's PhasedLSTMCell: an LSTM whose units open and close with a rhythm of their own."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.nn.rnn_cell._base import LSTMStateTuple, RNNCell
from tf1ref.legacy.nn.rnn_cell._linear_map import Linear


class PhasedLSTMCell(RNNCell):
    """LSTM with a time gate (Neil et al., 2016). Inputs are a pair: time, [batch, 1], and features, [batch, depth].

    Each unit has a period, a phase, and the part ratio_on of the period in which it is open. Closed units leak by
    `leak` times the time in the cycle. period_init_min and period_init_max bound the first periods, which are uniform
    on a scale of logarithms. trainable_ratio_on: whether ratio_on is trained. Time may be float64.
    """

    def __init__(
        self,
        num_units,
        use_peepholes=False,
        leak=0.001,
        ratio_on=0.1,
        trainable_ratio_on=True,
        period_init_min=1.0,
        period_init_max=1000.0,
        reuse=None,
    ):
        super().__init__(_reuse=reuse)
        self._num_units, self._use_peepholes, self._leak = num_units, use_peepholes, leak
        self._ratio_on, self._trainable_ratio_on = ratio_on, trainable_ratio_on
        self._period_bounds = period_init_min, period_init_max

    output_size = property(lambda self: self._num_units)
    state_size = property(lambda self: LSTMStateTuple(self._num_units, self._num_units))

    def call(self, inputs, state):
        time, x = inputs
        c, h = state
        gates = v1.sigmoid(self._map("mask_gates", [x, h], c, 2 * self._num_units))
        entry, forget = v1.split(gates, 2, axis=1)
        with v1.variable_scope("new_input"):
            candidate = v1.tanh(Linear([x, h], self._num_units, True)([x, h]))
        new_c = c * forget + entry * candidate
        new_h = v1.tanh(new_c) * v1.sigmoid(self._map("output_gate", [x, h], new_c, self._num_units))
        openness = self._openness(time)
        new_c = openness * new_c + (1 - openness) * c
        new_h = openness * new_h + (1 - openness) * h
        return new_h, LSTMStateTuple(new_c, new_h)

    def _map(self, scope, parts, memory, size):
        parts = [*parts, memory] if self._use_peepholes else parts
        with v1.variable_scope(scope):
            return Linear(parts, size, True)(parts)

    def _openness(self, time):
        """Returns k of the paper's equation 6, [batch, units]."""
        units = [self._num_units]
        period = v1.get_variable("period", units, initializer=_exponential(*self._period_bounds))
        phase = v1.get_variable("phase", units, initializer=v1.random_uniform_initializer(0.0, period.initial_value))
        ratio_on = v1.get_variable(
            "ratio_on", units, initializer=v1.constant_initializer(self._ratio_on), trainable=self._trainable_ratio_on
        )
        ratio = _cycle_ratio(time, phase, period)
        rising = 2 * ratio / ratio_on
        openness = v1.where(ratio < ratio_on, 2 - rising, self._leak * ratio)
        return v1.where(ratio < 0.5 * ratio_on, rising, openness)


def _cycle_ratio(time, phase, period):
    """Returns how far each unit is in its cycle, from 0 to 1, as float32. The gradient is that of (time - phase)."""
    shifted, period = time - v1.cast(phase, time.dtype), v1.cast(period, time.dtype)
    wrapped = v1.stop_gradient(v1.mod(shifted, period) - shifted) + shifted
    return v1.cast(wrapped / period, v1.float32)


def _exponential(low, high):
    def initializer(shape, dtype=v1.float32, partition_info=None):
        return v1.exp(v1.random_uniform(shape, v1.log(low), v1.log(high), dtype))

    return initializer
