"""contrib.rnn's GLSTMCell: an LSTM whose matrix is cut into groups."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.nn.rnn_cell._base import LSTMStateTuple, RNNCell
from tf1ref.legacy.nn.rnn_cell._linear_map import Linear


class GLSTMCell(RNNCell):
    """LSTM whose inputs, outputs and units are cut into number_of_groups that do not see each other.

    The source is Kuchaiev and Ginsburg, 2017. Each group has a kernel, group0/kernel and so on; bias_i, bias_j, bias_f
    and bias_o are those of all groups. num_proj: the size of the projected output.
    Raises ValueError when number_of_groups does not divide num_units, num_proj or the depth of the inputs.
    """

    def __init__(
        self,
        num_units,
        initializer=None,
        num_proj=None,
        number_of_groups=1,
        forget_bias=1.0,
        activation=v1.tanh,
        reuse=None,
    ):
        super().__init__(_reuse=reuse)
        for what, size in (("num_units", num_units), ("num_proj", num_proj or 0)):
            if size % number_of_groups:
                raise ValueError(f"{what} must be divisible by number_of_groups")
        self._num_units, self._num_proj, self._groups = num_units, num_proj, number_of_groups
        self._initializer, self._forget_bias, self._activation = initializer, forget_bias, activation

    output_size = property(lambda self: self._num_proj or self._num_units)
    state_size = property(lambda self: LSTMStateTuple(self._num_units, self.output_size))

    def call(self, inputs, state):
        c, h = state
        with v1.variable_scope(v1.get_variable_scope(), initializer=self._initializer):
            i, j, f, o = self._gates(inputs, h)
        # The new input goes through tanh, whatever the activation is.
        next_c = v1.sigmoid(f + self._forget_bias) * c + v1.sigmoid(i) * v1.tanh(j)
        next_h = v1.sigmoid(o) * self._activation(next_c)
        if self._num_proj is not None:
            with v1.variable_scope("projection"):
                next_h = Linear(next_h, self._num_proj, False)(next_h)
        return next_h, LSTMStateTuple(next_c, next_h)

    def _gates(self, inputs, h):
        depth = inputs.get_shape().as_list()[1]
        if depth is None:
            raise ValueError("input size must be statically known")
        if depth % self._groups:
            raise ValueError(f"input size ({depth}) must be divisible by number_of_groups ({self._groups})")
        parts = []
        for number, (x, own) in enumerate(zip(v1.split(inputs, self._groups, 1), v1.split(h, self._groups, 1))):
            with v1.variable_scope(f"group{number}"):
                joined = v1.concat([x, own], 1)
                product = Linear(joined, 4 * self._num_units // self._groups, False)(joined)
            parts.append(v1.split(product, 4, 1))
        gates = []
        for name, each in zip("ijfo", zip(*parts)):
            bias = v1.get_variable(f"bias_{name}", [self._num_units], inputs.dtype, v1.zeros_initializer())
            gates.append(v1.nn.bias_add(v1.concat(each, 1), bias))
        return gates
