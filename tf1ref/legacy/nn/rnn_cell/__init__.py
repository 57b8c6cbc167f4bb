"""tf.nn.rnn_cell: cells that compute one step of a recurrent network, for static_rnn, dynamic_rnn and others."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.nn.rnn_cell._base import LayerRNNCell, LSTMStateTuple, RNNCell, cell_activation
from tf1ref.legacy.nn.rnn_cell._wrappers import DeviceWrapper, DropoutWrapper, MultiRNNCell, ResidualWrapper

__all__ = [
    "BasicLSTMCell", "BasicRNNCell", "DeviceWrapper", "DropoutWrapper", "GRUCell", "LSTMCell", "LSTMStateTuple",
    "LayerRNNCell", "MultiRNNCell", "RNNCell", "ResidualWrapper",
]  # fmt: skip


class BasicRNNCell(LayerRNNCell):
    """output = next state = activation([inputs, state] @ kernel + bias)."""

    def __init__(self, num_units, activation=None, reuse=None, name=None, dtype=None, **kwargs):
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self._num_units, self._activation = num_units, cell_activation(activation)

    _only_floating = True
    _arguments = ("num_units", "activation", "reuse")
    state_size = output_size = property(lambda self: self._num_units)

    def build(self, inputs_shape):
        self._kernel = self.add_weight("kernel", [self._depth(inputs_shape) + self._num_units, self._num_units])
        self._bias = self.add_weight("bias", [self._num_units], initializer=v1.zeros_initializer())
        self.built = True

    def call(self, inputs, state):
        self._check_dtypes(inputs, state)
        output = self._activation(v1.nn.bias_add(v1.matmul(v1.concat([inputs, state], 1), self._kernel), self._bias))
        return output, output


class GRUCell(LayerRNNCell):
    """Gated recurrent unit (Cho et al., 2014): r, u = the gates; next = u * state + (1 - u) * candidate(r * state)."""

    def __init__(
        self,
        num_units,
        activation=None,
        reuse=None,
        kernel_initializer=None,
        bias_initializer=None,
        name=None,
        dtype=None,
        **kwargs,
    ):
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self._num_units, self._activation = num_units, cell_activation(activation)
        self._kernel_initializer, self._bias_initializer = kernel_initializer, bias_initializer

    _only_floating = True
    _arguments = ("num_units", "kernel_initializer", "bias_initializer", "activation", "reuse")
    state_size = output_size = property(lambda self: self._num_units)

    def build(self, inputs_shape):
        depth, units = self._depth(inputs_shape) + self._num_units, self._num_units
        # A GRU starts by keeping its state, so the bias of its gates is 1.
        ones, zeros = v1.constant_initializer(1.0), v1.zeros_initializer()
        kernel, bias = self._kernel_initializer, self._bias_initializer
        self._gate_kernel = self.add_weight("gates/kernel", [depth, 2 * units], initializer=kernel)
        self._gate_bias = self.add_weight("gates/bias", [2 * units], initializer=ones if bias is None else bias)
        self._candidate_kernel = self.add_weight("candidate/kernel", [depth, units], initializer=kernel)
        self._candidate_bias = self.add_weight("candidate/bias", [units], initializer=zeros if bias is None else bias)
        self.built = True

    def call(self, inputs, state):
        self._check_dtypes(inputs, state)
        gates = v1.matmul(v1.concat([inputs, state], 1), self._gate_kernel)
        r, u = v1.split(v1.sigmoid(v1.nn.bias_add(gates, self._gate_bias)), 2, axis=1)
        candidate = v1.matmul(v1.concat([inputs, r * state], 1), self._candidate_kernel)
        c = self._activation(v1.nn.bias_add(candidate, self._candidate_bias))
        output = u * state + (1 - u) * c
        return output, output


class BasicLSTMCell(LayerRNNCell):
    """LSTM without peepholes, clipping or projection (Zaremba et al., 2014).

    forget_bias is added to the forget gate. It is not part of a variable. state_is_tuple=False: the state is [c, h] in
    one tensor of [batch, 2 * units]. As before TensorFlow 0.12, a cell that is given such a tensor returns one, too.

    >>> with v1.Graph().as_default():
    ...     outputs, state = v1.nn.dynamic_rnn(BasicLSTMCell(4), v1.zeros([2, 5, 3]), dtype=v1.float32)
    ...     print(outputs.shape, state.h.shape)
    (2, 5, 4) (2, 4)
    """

    def __init__(
        self,
        num_units,
        forget_bias=1.0,
        state_is_tuple=True,
        activation=None,
        reuse=None,
        name=None,
        dtype=None,
        **kwargs,
    ):
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self._num_units, self._activation = num_units, cell_activation(activation)
        self._forget_bias, self._state_is_tuple = forget_bias, state_is_tuple

    _only_floating = True
    _arguments = ("num_units", "forget_bias", "state_is_tuple", "activation", "reuse")
    output_size = property(lambda self: self._num_units)

    @property
    def state_size(self):
        return LSTMStateTuple(self._num_units, self._num_units) if self._state_is_tuple else 2 * self._num_units

    def build(self, inputs_shape):
        self._kernel = self.add_weight("kernel", [self._depth(inputs_shape) + self._num_units, 4 * self._num_units])
        self._bias = self.add_weight("bias", [4 * self._num_units], initializer=v1.zeros_initializer())
        self.built = True

    def call(self, inputs, state):
        self._check_dtypes(inputs, state)
        in_one = self._in_one(state)
        c, h = v1.split(state, 2, axis=1) if in_one else state
        gates = v1.nn.bias_add(v1.matmul(v1.concat([inputs, h], 1), self._kernel), self._bias)
        # i: input gate, j: new input, f: forget gate, o: output gate
        i, j, f, o = v1.split(gates, 4, axis=1)
        forget_bias = v1.constant(self._forget_bias, dtype=f.dtype)
        kept, new = c * v1.sigmoid(f + forget_bias), v1.sigmoid(i) * self._activation(j)
        next_c = kept + new
        next_h = self._activation(next_c) * v1.sigmoid(o)
        return next_h, v1.concat([next_c, next_h], 1) if in_one else LSTMStateTuple(next_c, next_h)


class LSTMCell(LayerRNNCell):
    """LSTM (Sak et al., 2014) that can have peepholes, clip c, and project the output.

    num_proj: the size of the projected output, which proj_clip bounds. num_unit_shards, num_proj_shards: the number of
    parts into which the rows of the kernels are cut. A partitioner of the variable scope is the newer way.
    """

    def __init__(
        self,
        num_units,
        use_peepholes=False,
        cell_clip=None,
        initializer=None,
        num_proj=None,
        proj_clip=None,
        num_unit_shards=None,
        num_proj_shards=None,
        forget_bias=1.0,
        state_is_tuple=True,
        activation=None,
        reuse=None,
        name=None,
        dtype=None,
        **kwargs,
    ):
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self._num_unit_shards, self._num_proj_shards = num_unit_shards, num_proj_shards
        self._num_units, self._num_proj = num_units, num_proj
        self._use_peepholes, self._cell_clip, self._proj_clip = use_peepholes, cell_clip, proj_clip
        self._initializer, self._activation = initializer, cell_activation(activation)
        self._forget_bias, self._state_is_tuple = forget_bias, state_is_tuple

    _only_floating = True
    _arguments = (
        "num_units", "use_peepholes", "cell_clip", "initializer", "num_proj", "proj_clip", "num_unit_shards",
        "num_proj_shards", "forget_bias", "state_is_tuple", "activation", "reuse",
    )  # fmt: skip
    output_size = property(lambda self: self._num_proj or self._num_units)

    @property
    def state_size(self):
        sizes = LSTMStateTuple(self._num_units, self.output_size)
        return sizes if self._state_is_tuple else sum(sizes)

    def build(self, inputs_shape):
        units, depth = self._num_units, self._depth(inputs_shape) + self.output_size
        self._kernel = self.add_weight(
            "kernel", [depth, 4 * units], initializer=self._initializer, partitioner=_shards(self._num_unit_shards)
        )
        self._bias = self.add_weight("bias", [4 * units], initializer=v1.zeros_initializer())
        if self._use_peepholes:
            self._w_f_diag = self.add_weight("w_f_diag", [units], initializer=self._initializer)
            self._w_i_diag = self.add_weight("w_i_diag", [units], initializer=self._initializer)
            self._w_o_diag = self.add_weight("w_o_diag", [units], initializer=self._initializer)
        if self._num_proj:
            self._projection = self.add_weight(
                "projection/kernel", [units, self._num_proj], initializer=self._initializer,
                partitioner=_shards(self._num_proj_shards),
            )  # fmt: skip
        self.built = True

    def call(self, inputs, state):
        self._check_dtypes(inputs, state)
        in_one = self._in_one(state)
        if in_one:
            c = v1.slice(state, [0, 0], [-1, self._num_units])
            h = v1.slice(state, [0, self._num_units], [-1, self.output_size])
        else:
            c, h = state
        gates = v1.nn.bias_add(v1.matmul(v1.concat([inputs, h], 1), self._kernel), self._bias)
        i, j, f, o = v1.split(gates, 4, axis=1)
        if self._use_peepholes:
            kept = v1.sigmoid(f + self._forget_bias + self._w_f_diag * c) * c
            next_c = kept + v1.sigmoid(i + self._w_i_diag * c) * self._activation(j)
        else:
            next_c = v1.sigmoid(f + self._forget_bias) * c + v1.sigmoid(i) * self._activation(j)
        if self._cell_clip is not None:
            next_c = v1.clip_by_value(next_c, -self._cell_clip, self._cell_clip)
        gate = v1.sigmoid(o + self._w_o_diag * next_c) if self._use_peepholes else v1.sigmoid(o)
        next_h = self._projected(gate * self._activation(next_c))
        return next_h, v1.concat([next_c, next_h], 1) if in_one else LSTMStateTuple(next_c, next_h)

    def _projected(self, h):
        if not self._num_proj:
            return h
        h = v1.matmul(h, self._projection)
        return h if self._proj_clip is None else v1.clip_by_value(h, -self._proj_clip, self._proj_clip)


def _shards(count):
    return None if count is None else v1.fixed_size_partitioner(count)
