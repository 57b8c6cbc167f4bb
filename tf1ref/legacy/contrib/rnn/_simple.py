"""Cells of tf.contrib.rnn whose units see only their own state: SRUCell, IndRNNCell and IndyLSTMCell."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.nn.rnn_cell._base import LayerRNNCell, LSTMStateTuple, cell_activation


class SRUCell(LayerRNNCell):
    """The simple recurrent unit (Lei et al., 2017). The state is c, the output h.

    c' = f * c + (1 - f) * x W and h = r * activation(c') + (1 - r) * x W_x, where the gates f and r are sigmoids of
    products of x alone. `kernel` is [depth, 4 * units], in the order W, f, r, W_x.
    """

    def __init__(self, num_units, activation=None, reuse=None, name=None, **kwargs):
        super().__init__(_reuse=reuse, name=name, **kwargs)
        self._num_units, self._activation = num_units, cell_activation(activation)

    state_size = output_size = property(lambda self: self._num_units)

    def build(self, inputs_shape):
        self._kernel = self.add_weight("kernel", [self._depth(inputs_shape), 4 * self._num_units])
        self._bias = self.add_weight("bias", [2 * self._num_units], initializer=v1.zeros_initializer())
        self.built = True

    def call(self, inputs, state):
        candidate, forget, reset, skipped = v1.split(v1.matmul(inputs, self._kernel), 4, axis=1)
        gates = v1.sigmoid(v1.nn.bias_add(v1.concat([forget, reset], 1), self._bias))
        forget, reset = v1.split(gates, 2, axis=1)
        memory = forget * state + (1.0 - forget) * candidate
        return reset * self._activation(memory) + (1.0 - reset) * skipped, memory


class IndRNNCell(LayerRNNCell):
    """output = next state = activation(inputs @ kernel_w + state * kernel_u + bias) (Li et al., 2018).

    kernel_u is [1, units], and starts with uniform numbers from -1 to 1.
    """

    def __init__(self, num_units, activation=None, reuse=None, name=None, dtype=None):
        super().__init__(_reuse=reuse, name=name, dtype=dtype)
        self._num_units, self._activation = num_units, cell_activation(activation)

    state_size = output_size = property(lambda self: self._num_units)

    def build(self, inputs_shape):
        start = v1.random_uniform_initializer(-1, 1)
        self._kernel_w = self.add_weight("kernel_w", [self._depth(inputs_shape), self._num_units])
        self._kernel_u = self.add_weight("kernel_u", [1, self._num_units], initializer=start)
        self._bias = self.add_weight("bias", [self._num_units], initializer=v1.zeros_initializer())
        self.built = True

    def call(self, inputs, state):
        summed = v1.matmul(inputs, self._kernel_w) + state * self._kernel_u
        output = self._activation(v1.nn.bias_add(summed, self._bias))
        return output, output


class IndyLSTMCell(LayerRNNCell):
    """BasicLSTMCell whose units see only their own output (Gonnet and Deselaers, 2019).

    The gates are inputs @ kernel_w + kernel_u * output + bias, in the order i, j, f, o. forget_bias is added to f.
    kernel_u is [1, 4 * units], and starts with uniform numbers from -1 to 1.
    """

    def __init__(
        self,
        num_units,
        forget_bias=1.0,
        activation=None,
        reuse=None,
        kernel_initializer=None,
        bias_initializer=None,
        name=None,
        dtype=None,
    ):
        super().__init__(_reuse=reuse, name=name, dtype=dtype)
        self._num_units, self._forget_bias, self._activation = num_units, forget_bias, cell_activation(activation)
        self._kernel_initializer, self._bias_initializer = kernel_initializer, bias_initializer

    output_size = property(lambda self: self._num_units)
    state_size = property(lambda self: LSTMStateTuple(self._num_units, self._num_units))

    def build(self, inputs_shape):
        size, start = 4 * self._num_units, self._bias_initializer
        start = v1.zeros_initializer() if start is None else start
        uniform = v1.random_uniform_initializer(-1, 1)
        self._kernel_w = self.add_weight(
            "kernel_w", [self._depth(inputs_shape), size], initializer=self._kernel_initializer
        )
        self._kernel_u = self.add_weight("kernel_u", [1, size], initializer=uniform)
        self._bias = self.add_weight("bias", [size], initializer=start)
        self.built = True

    def call(self, inputs, state):
        c, h = state
        gates = v1.matmul(inputs, self._kernel_w) + v1.tile(h, [1, 4]) * self._kernel_u
        i, j, f, o = v1.split(v1.nn.bias_add(gates, self._bias), 4, axis=1)
        kept = c * v1.sigmoid(f + v1.constant(self._forget_bias, f.dtype))
        next_c = kept + v1.sigmoid(i) * self._activation(j)
        next_h = self._activation(next_c) * v1.sigmoid(o)
        return next_h, LSTMStateTuple(next_c, next_h)
