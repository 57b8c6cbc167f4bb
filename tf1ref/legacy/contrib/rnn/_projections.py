"""contrib.rnn's cells with a matrix of their own before or after them: projections and an embedding."""

import math

import tensorflow.compat.v1 as v1

from tf1ref.legacy.nn.rnn_cell._base import RNNCell


def _projected(x, size, activation):
    """Returns x @ kernel + bias, with variables of the current scope."""
    depth = x.get_shape().as_list()[1]
    kernel = v1.get_variable("kernel", [depth, size], x.dtype.base_dtype)
    bias = v1.get_variable("bias", [size], x.dtype.base_dtype, v1.zeros_initializer())
    outputs = v1.nn.bias_add(v1.matmul(x, kernel), bias)
    return activation(outputs) if activation else outputs


class OutputProjectionWrapper(RNNCell):
    """A cell whose outputs, [batch, units], a matrix turns into [batch, output_size].

    The recurrence itself is not projected. One matrix for all outputs, after dynamic_rnn, computes the same faster.
    Raises ValueError for an output_size below 1.
    """

    def __init__(self, cell, output_size, activation=None, reuse=None):
        super().__init__(_reuse=reuse)
        if output_size < 1:
            raise ValueError(f"Parameter output_size must be > 0: {output_size}.")
        self._cell, self._output_size, self._activation = cell, output_size, activation

    state_size = property(lambda self: self._cell.state_size)
    output_size = property(lambda self: self._output_size)

    def zero_state(self, batch_size, dtype):
        return self._cell.zero_state(batch_size, dtype)

    def call(self, inputs, state):
        output, next_state = self._cell(inputs, state)
        return _projected(output, self._output_size, self._activation), next_state


class InputProjectionWrapper(RNNCell):
    """A cell whose inputs, [batch, depth], a matrix turns into [batch, num_proj] first."""

    def __init__(self, cell, num_proj, activation=None, input_size=None, reuse=None):
        super().__init__(_reuse=reuse)
        if input_size is not None:
            v1.logging.warning("%s: The input_size parameter is deprecated.", self)
        self._cell, self._num_proj, self._activation = cell, num_proj, activation

    state_size = property(lambda self: self._cell.state_size)
    output_size = property(lambda self: self._cell.output_size)

    def zero_state(self, batch_size, dtype):
        return self._cell.zero_state(batch_size, dtype)

    def call(self, inputs, state):
        return self._cell(_projected(inputs, self._num_proj, self._activation), state)


class EmbeddingWrapper(RNNCell):
    """A cell whose inputs are ids, [batch] or [batch, 1]. Each id is a row of the variable `embedding`.

    Raises ValueError for a number of classes or a size below 1.
    """

    def __init__(self, cell, embedding_classes, embedding_size, initializer=None, reuse=None):
        super().__init__(_reuse=reuse)
        if embedding_classes <= 0 or embedding_size <= 0:
            raise ValueError(f"embedding_classes and embedding_size must be > 0: {embedding_classes}, {embedding_size}")
        self._cell, self._classes, self._size, self._initializer = cell, embedding_classes, embedding_size, initializer

    state_size = property(lambda self: self._cell.state_size)
    output_size = property(lambda self: self._cell.output_size)

    def zero_state(self, batch_size, dtype):
        return self._cell.zero_state(batch_size, dtype)

    def call(self, inputs, state):
        # The variance is 1, as that of the rows of an input would be.
        start = self._initializer or v1.get_variable_scope().initializer
        start = start or v1.random_uniform_initializer(-math.sqrt(3), math.sqrt(3))
        dtype = (state[0] if isinstance(state, tuple) else state).dtype
        with v1.device("/cpu:0"):
            embedding = v1.get_variable("embedding", [self._classes, self._size], dtype, start)
            embedded = v1.nn.embedding_lookup(embedding, v1.reshape(inputs, [-1]))
        return self._cell(embedded, state)
