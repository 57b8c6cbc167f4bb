"""contrib.rnn's LayerNormBasicLSTMCell: an LSTM whose gates and memory are normalized for each example."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.nn.rnn_cell._base import LSTMStateTuple, RNNCell
from tf1ref.turns import Turn


class LayerNormBasicLSTMCell(RNNCell):
    """BasicLSTMCell with layer normalization (Ba et al., 2016) and recurrent dropout (Semeniuta et al., 2016).

    Each of input, transform, forget, output and state has a gamma (norm_gain at first) and a beta (norm_shift at
    first).
    With layer_norm=False it has a bias instead, which starts from the scope's initializer and not from 0.
    dropout_keep_prob: the keep probability of the new input, a float or a scalar tensor.
    """

    def __init__(
        self,
        num_units,
        forget_bias=1.0,
        input_size=None,
        activation=v1.tanh,
        layer_norm=True,
        norm_gain=1.0,
        norm_shift=0.0,
        dropout_keep_prob=1.0,
        dropout_prob_seed=None,
        reuse=None,
    ):
        super().__init__(_reuse=reuse)
        self._num_units, self._forget_bias, self._activation = num_units, forget_bias, activation
        self._layer_norm, self._gain, self._shift = layer_norm, norm_gain, norm_shift
        self._keep_prob, self._seed = dropout_keep_prob, dropout_prob_seed

    output_size = property(lambda self: self._num_units)
    state_size = property(lambda self: LSTMStateTuple(self._num_units, self._num_units))

    def call(self, inputs, state):
        c, h = state
        gates = self._linear(v1.concat([inputs, h], 1))
        i, j, f, o = v1.split(gates, 4, axis=1)
        i, j, f, o = (
            self._norm(gate, scope) for gate, scope in zip((i, j, f, o), ("input", "transform", "forget", "output"))
        )
        g = self._activation(j)
        if not isinstance(self._keep_prob, float) or self._keep_prob < 1:
            g = Turn(state).draw(lambda: v1.nn.dropout(g, rate=1 - self._keep_prob, seed=self._seed))
        next_c = self._norm(c * v1.sigmoid(f + self._forget_bias) + v1.sigmoid(i) * g, "state")
        next_h = self._activation(next_c) * v1.sigmoid(o)
        return next_h, LSTMStateTuple(next_c, next_h)

    def _linear(self, inputs):
        depth, size = inputs.get_shape().as_list()[-1], 4 * self._num_units
        outputs = v1.matmul(inputs, v1.get_variable("kernel", [depth, size], dtype=inputs.dtype))
        if self._layer_norm:
            return outputs
        return v1.nn.bias_add(outputs, v1.get_variable("bias", [size], dtype=inputs.dtype))

    def _norm(self, inputs, scope):
        if not self._layer_norm:
            return inputs
        return normalized(inputs, scope, self._gain, self._shift)


def normalized(inputs, scope, gain, shift):
    """Returns each row of [batch, units] with mean beta and deviation gamma, which are variables below `scope`."""
    size, dtype = [inputs.get_shape().as_list()[-1]], inputs.dtype
    with v1.variable_scope(scope):
        gamma = v1.get_variable("gamma", size, dtype, v1.constant_initializer(gain))
        beta = v1.get_variable("beta", size, dtype, v1.constant_initializer(shift))
        mean, variance = v1.nn.moments(inputs, [1], keep_dims=True)
        # the epsilon of contrib.layers.layer_norm
        epsilon = 1e-3 if dtype == v1.float16 else 1e-12
        return v1.nn.batch_normalization(inputs, mean, variance, beta, gamma, epsilon)
