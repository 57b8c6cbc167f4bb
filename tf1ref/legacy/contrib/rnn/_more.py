"""contrib.rnn's cells that few programs used: UGRNNCell, IntersectionRNNCell and NASCell."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.nn.rnn_cell._base import LayerRNNCell, LSTMStateTuple, RNNCell
from tf1ref.legacy.nn.rnn_cell._linear_map import Linear


class UGRNNCell(RNNCell):
    """Update gate network (Collins et al., 2017): next = g * state + (1 - g) * c, by one matrix for [inputs, state].

    forget_bias is added to the gate. It is not part of a variable. Raises ValueError for inputs of unknown depth.
    """

    def __init__(self, num_units, initializer=None, forget_bias=1.0, activation=v1.tanh, reuse=None):
        super().__init__(_reuse=reuse)
        self._num_units, self._initializer = num_units, initializer
        self._forget_bias, self._activation = forget_bias, activation

    state_size = output_size = property(lambda self: self._num_units)

    def call(self, inputs, state):
        depth = inputs.get_shape().with_rank(2).as_list()[1]
        if depth is None:
            raise ValueError("Could not infer input size from inputs.get_shape()[-1]")
        units, dtype = self._num_units, inputs.dtype
        kernel = v1.get_variable("kernel", [depth + units, 2 * units], dtype, self._initializer)
        bias = v1.get_variable("bias", [2 * units], dtype, v1.zeros_initializer())
        gate, new = v1.split(v1.nn.bias_add(v1.matmul(v1.concat([inputs, state], 1), kernel), bias), 2, axis=1)
        gate = v1.sigmoid(gate + self._forget_bias)
        output = gate * state + (1.0 - gate) * self._activation(new)
        return output, output


class IntersectionRNNCell(RNNCell):
    """The +RNN (Collins et al., 2017): a gated path along time and one along depth, from one matrix of [inputs, state].

    The state is gh * state + (1 - gh) * tanh(h). The output is gy * inputs + (1 - gy) * y_activation(y). The matrix has
    the order gh, h, gy, y, and forget_bias is added to both gates. num_in_proj: a true value projects inputs of another
    depth to num_units. Raises ValueError for such inputs without it.
    """

    def __init__(
        self, num_units, num_in_proj=None, initializer=None, forget_bias=1.0, y_activation=v1.nn.relu, reuse=None
    ):
        super().__init__(_reuse=reuse)
        self._num_units, self._num_in_proj, self._initializer = num_units, num_in_proj, initializer
        self._forget_bias, self._y_activation = forget_bias, y_activation

    state_size = output_size = property(lambda self: self._num_units)

    def call(self, inputs, state):
        depth = inputs.get_shape().with_rank(2).as_list()[1]
        if depth is None:
            raise ValueError("Could not infer input size from inputs.get_shape()[-1]")
        if depth != self._num_units and not self._num_in_proj:
            raise ValueError(
                "Must have input size == output size for Intersection RNN. To fix, num_in_proj should be set to "
                "num_units at cell init."
            )
        with v1.variable_scope(v1.get_variable_scope(), initializer=self._initializer):
            if depth != self._num_units:
                with v1.variable_scope("in_projection"):
                    inputs = Linear(inputs, self._num_units, True)(inputs)
            joined = v1.concat([inputs, state], 1)
            product = Linear(joined, 4 * self._num_units, True)(joined)
        along_time, h, along_depth, y = v1.split(product, 4, axis=1)
        keep, carry = (v1.sigmoid(gate + self._forget_bias) for gate in (along_time, along_depth))
        next_state = keep * state + (1.0 - keep) * v1.tanh(h)
        return carry * inputs + (1.0 - carry) * self._y_activation(y), next_state


class NASCell(LayerRNNCell):
    """The cell that a search found (Zoph and Le, 2017): eight gates in a tree. Its memory does not go through a tanh.

    num_proj: the size of the projected output. use_bias: adds a bias on the state's side.
    """

    def __init__(self, num_units, num_proj=None, use_bias=False, reuse=None, **kwargs):
        super().__init__(_reuse=reuse, **kwargs)
        self._num_units, self._num_proj, self._use_bias = num_units, num_proj, use_bias

    output_size = property(lambda self: self._num_proj or self._num_units)
    state_size = property(lambda self: LSTMStateTuple(self._num_units, self.output_size))

    def build(self, inputs_shape):
        gates = 8 * self._num_units
        depth = self._depth(inputs_shape)
        self._recurrent_kernel = self.add_weight("recurrent_kernel", [self.output_size, gates])
        self._kernel = self.add_weight("kernel", [depth, gates])
        if self._use_bias:
            self._bias = self.add_weight("bias", [gates], initializer=v1.zeros_initializer())
        if self._num_proj:
            self._projection = self.add_weight("projection_weights", [self._num_units, self._num_proj])
        self.built = True

    def call(self, inputs, state):
        self._check_dtypes(inputs, state)
        sigmoid, tanh, relu = v1.sigmoid, v1.tanh, v1.nn.relu
        c, h = state
        from_state = v1.matmul(h, self._recurrent_kernel)
        if self._use_bias:
            from_state = v1.nn.bias_add(from_state, self._bias)
        s = v1.split(from_state, 8, axis=1)
        i = v1.split(v1.matmul(inputs, self._kernel), 8, axis=1)
        # The fourth pair is multiplied. The others are added.
        left = tanh(tanh(sigmoid(i[0] + s[0]) * relu(i[1] + s[1])) + c)
        next_c = left * tanh(sigmoid(i[2] + s[2]) + relu(i[3] * s[3]))
        third = tanh(tanh(i[4] + s[4]) * sigmoid(i[5] + s[5]))
        fourth = sigmoid(tanh(i[6] + s[6]) + sigmoid(i[7] + s[7]))
        next_h = tanh(next_c * tanh(third + fourth))
        if self._num_proj:
            next_h = v1.matmul(next_h, self._projection)
        return next_h, LSTMStateTuple(next_c, next_h)
