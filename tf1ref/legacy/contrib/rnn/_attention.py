"""Wrappers of tf.contrib.rnn that add variables to a cell: AttentionCellWrapper and HighwayWrapper."""

import tensorflow.compat.v1 as v1
from tensorflow.python.util import nest

from tf1ref.legacy.nn.rnn_cell._base import RNNCell, assert_like_rnncell
from tf1ref.legacy.nn.rnn_cell._linear_map import Linear
from tf1ref.legacy.nn.rnn_cell._wrappers import Wrapper


class AttentionCellWrapper(RNNCell):
    """Attends to the cell's last `attn_length` outputs (Cheng et al., 2016).

    attn_size: the size of an attention vector and of the output; None takes the cell's output_size.
    attn_vec_size: the size of the hidden layer of the score; None takes attn_size.
    input_size: the size of the cell's inputs; None takes that of the wrapper's inputs.
    The state is (the cell's, [batch, attn_size], [batch, attn_size * attn_length]), or
    one tensor when state_is_tuple is False.
    Raises TypeError for an object that is not a cell. Raises ValueError for a cell with a nested state when
    state_is_tuple is False, and for an attn_length of 0 or less.
    """

    def __init__(
        self,
        cell,
        attn_length,
        attn_size=None,
        attn_vec_size=None,
        input_size=None,
        state_is_tuple=True,
        reuse=None,
    ):
        super().__init__(_reuse=reuse)
        assert_like_rnncell("cell", cell)
        if nest.is_nested(cell.state_size) and not state_is_tuple:
            raise ValueError(
                "Cell returns tuple of states, but the flag state_is_tuple is not set. "
                f"State size is: {cell.state_size}"
            )
        if attn_length <= 0:
            raise ValueError(f"attn_length should be greater than zero, got {attn_length}")
        self._cell, self._state_is_tuple, self._input_size = cell, state_is_tuple, input_size
        self._attn_length, self._attn_size = attn_length, cell.output_size if attn_size is None else attn_size
        self._attn_vec_size = self._attn_size if attn_vec_size is None else attn_vec_size
        self._linears = {}

    @property
    def state_size(self):
        sizes = (self._cell.state_size, self._attn_size, self._attn_size * self._attn_length)
        return sizes if self._state_is_tuple else sum(sizes)

    output_size = property(lambda self: self._attn_size)

    def call(self, inputs, state):
        if not self._state_is_tuple:
            sizes = [self._cell.state_size, self._attn_size, self._attn_size * self._attn_length]
            state = v1.split(state, sizes, axis=1)
        state, attention, memory = state
        memory = v1.reshape(memory, [-1, self._attn_length, self._attn_size])
        input_size = inputs.get_shape().as_list()[1] if self._input_size is None else self._input_size
        output, state = self._cell(self._linear("inputs", [inputs, attention], input_size), state)
        attention = self._attend(v1.concat(nest.flatten(state), 1), memory)
        with v1.variable_scope("attn_output_projection"):
            output = self._linear("output", [output, attention], self._attn_size)
        memory = v1.concat([memory[:, 1:], v1.expand_dims(output, 1)], 1)
        memory = v1.reshape(memory, [-1, self._attn_length * self._attn_size])
        state = (state, attention, memory)
        return output, state if self._state_is_tuple else v1.concat(state, 1)

    def _attend(self, query, memory):
        """Returns the mean of the memory, [batch, attn_size], weighted by its scores for the query."""
        with v1.variable_scope("attention"):
            kernel = v1.get_variable("attn_w", [1, 1, self._attn_size, self._attn_vec_size])
            vector = v1.get_variable("attn_v", [self._attn_vec_size])
            hidden = v1.reshape(memory, [-1, self._attn_length, 1, self._attn_size])
            features = v1.nn.conv2d(hidden, kernel, [1, 1, 1, 1], "SAME")
            query = v1.reshape(self._linear("query", query, self._attn_vec_size), [-1, 1, 1, self._attn_vec_size])
            weights = v1.nn.softmax(v1.reduce_sum(vector * v1.tanh(features + query), [2, 3]))
            weighted = v1.reshape(weights, [-1, self._attn_length, 1, 1]) * hidden
            return v1.reshape(v1.reduce_sum(weighted, [1, 2]), [-1, self._attn_size])

    def _linear(self, key, arguments, size):
        if key not in self._linears:
            self._linears[key] = Linear(arguments, size, True)
        return self._linears[key](arguments)


class HighwayWrapper(Wrapper):
    """Returns inputs * carry + outputs * transform (Srivastava et al., 2015), where inputs and outputs have one shape.

    carry: a sigmoid layer of the inputs, with biases of carry_bias_init. transform: 1 - carry, or, when
    couple_carry_transform_gates is False, a sigmoid layer of its own with biases of -carry_bias_init.
    Raises ValueError for inputs that do not have the shape of the outputs.
    """

    def __init__(self, cell, couple_carry_transform_gates=True, carry_bias_init=1.0):
        super().__init__(cell)
        self._couple_carry_transform_gates = couple_carry_transform_gates
        self._carry_bias_init = carry_bias_init

    def __call__(self, inputs, state, scope=None):
        outputs, state = self._cell(inputs, state, scope=scope)
        nest.assert_same_structure(inputs, outputs)
        return nest.map_structure(self._highway, inputs, outputs), state

    def _highway(self, inputs, outputs):
        inputs.get_shape().assert_is_compatible_with(outputs.get_shape())
        carry = self._gate("carry", inputs, self._carry_bias_init)
        transform = 1 - carry
        if not self._couple_carry_transform_gates:
            transform = self._gate("transform", inputs, -self._carry_bias_init)
        return inputs * carry + outputs * transform

    def _gate(self, name, inputs, start):
        size = inputs.get_shape().with_rank(2).as_list()[1]
        weights = v1.get_variable(f"{name}_w", [size, size])
        bias = v1.get_variable(f"{name}_b", [size], initializer=v1.constant_initializer(start))
        return v1.sigmoid(v1.nn.xw_plus_b(inputs, weights, bias))
