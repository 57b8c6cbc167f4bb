"""contrib.rnn's CoupledInputForgetGateLSTMCell: an LSTM that forgets as much as it takes in."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.rnn._layer_norm import normalized
from tf1ref.legacy.contrib.rnn._sharded import sharded
from tf1ref.legacy.nn.rnn_cell._base import LSTMStateTuple, RNNCell


class CoupledInputForgetGateLSTMCell(RNNCell):
    """LSTM in which the input gate is 1 - the forget gate (Greff et al., 2015): c' = f * c + (1 - f) * tanh(j).

    The variables are W_0 of [depth + output, 3 * units] in the order j, f, o, then B, and W_P_0 for num_proj. With
    num_unit_shards and num_proj_shards the rows are cut into W_0, W_1 and so on. use_peepholes adds W_F_diag and
    W_O_diag. layer_norm normalizes j, f, o and c, and leaves B unused. `initializer` has no effect, as in TF 1.15: the
    kernels start from the initializer of the variable scope.
    """

    def __init__(
        self,
        num_units,
        use_peepholes=False,
        initializer=None,
        num_proj=None,
        proj_clip=None,
        num_unit_shards=1,
        num_proj_shards=1,
        forget_bias=1.0,
        state_is_tuple=True,
        activation=v1.tanh,
        reuse=None,
        layer_norm=False,
        norm_gain=1.0,
        norm_shift=0.0,
    ):
        super().__init__(_reuse=reuse)
        self._num_units, self._num_proj, self._proj_clip = num_units, num_proj, proj_clip
        self._use_peepholes, self._shards, self._proj_shards = use_peepholes, num_unit_shards, num_proj_shards
        self._forget_bias, self._state_is_tuple, self._activation = forget_bias, state_is_tuple, activation
        self._layer_norm, self._norm = layer_norm, (norm_gain, norm_shift)

    output_size = property(lambda self: self._num_proj or self._num_units)

    @property
    def state_size(self):
        sizes = LSTMStateTuple(self._num_units, self.output_size)
        return sizes if self._state_is_tuple else sum(sizes)

    def call(self, inputs, state):
        c, h = state if self._state_is_tuple else v1.split(state, [self._num_units, self.output_size], axis=1)
        j, f, o = self._gates(inputs, h)
        peeped_f, peeped_o = self._peepholes(inputs.dtype)
        forget = v1.sigmoid(peeped_f(f + self._forget_bias, c))
        next_c = forget * c + (1 - forget) * self._activation(j)
        if self._layer_norm:
            next_c = normalized(next_c, "state", *self._norm)
        next_h = self._projected(v1.sigmoid(peeped_o(o, next_c)) * self._activation(next_c))
        if self._state_is_tuple:
            return next_h, LSTMStateTuple(next_c, next_h)
        return next_h, v1.concat([next_c, next_h], 1)

    def _gates(self, inputs, h):
        depth = inputs.get_shape().with_rank(2).as_list()[1]
        if depth is None:
            raise ValueError("Could not infer input size from inputs.get_shape()[-1]")
        size = 3 * self._num_units
        kernel = sharded("W", [depth + self.output_size, size], inputs.dtype, self._shards)
        bias = v1.get_variable("B", [size], inputs.dtype, v1.zeros_initializer())
        gates = v1.matmul(v1.concat([inputs, h], 1), kernel)
        if not self._layer_norm:
            return v1.split(v1.nn.bias_add(gates, bias), 3, axis=1)
        places = zip(v1.split(gates, 3, axis=1), ("transform", "forget", "output"))
        return [normalized(gate, scope, *self._norm) for gate, scope in places]

    def _peepholes(self, dtype):
        """Returns two functions that add what the forget gate and the output gate see of the memory."""
        if not self._use_peepholes:
            return [lambda gate, c: gate] * 2
        forget, output = (v1.get_variable(name, [self._num_units], dtype) for name in ("W_F_diag", "W_O_diag"))
        return lambda gate, c: gate + forget * c, lambda gate, c: gate + output * c

    def _projected(self, h):
        if self._num_proj is None:
            return h
        h = v1.matmul(h, sharded("W_P", [self._num_units, self._num_proj], h.dtype, self._proj_shards))
        return h if self._proj_clip is None else v1.clip_by_value(h, -self._proj_clip, self._proj_clip)
