"""tf.contrib.rnn.ConvLSTMCell: an LSTM whose products are convolutions (Shi et al., 2015)."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.nn.rnn_cell._base import LSTMStateTuple, RNNCell

_CONVOLUTIONS = {1: v1.nn.conv1d, 2: v1.nn.conv2d, 3: v1.nn.conv3d}


class ConvLSTMCell(RNNCell):
    """One step of a convolutional LSTM. Inputs are [batch, *input_shape], with the channels last.

    conv_ndims: 1, 2 or 3. input_shape: a list of conv_ndims sizes and the number of channels. kernel_shape: a list of
    conv_ndims sizes. The output is [batch, *sizes, output_channels]. skip_connection: appends the inputs to the output.
    The state is an LSTMStateTuple of the memory and of the output.
    Raises ValueError for an input_shape that does not fit conv_ndims.
    """

    def __init__(
        self,
        conv_ndims,
        input_shape,
        output_channels,
        kernel_shape,
        use_bias=True,
        skip_connection=False,
        forget_bias=1.0,
        initializers=None,
        name="conv_lstm_cell",
    ):
        super().__init__(name=name)
        if conv_ndims != len(input_shape) - 1:
            raise ValueError(f"Invalid input_shape {input_shape} for conv_ndims={conv_ndims}.")
        self._conv_ndims, self._kernel_shape = conv_ndims, list(kernel_shape)
        self._output_channels, self._use_bias = output_channels, use_bias
        self._skip_connection, self._forget_bias = skip_connection, forget_bias
        sizes, channels = list(input_shape[:-1]), input_shape[-1]
        state = v1.TensorShape([*sizes, output_channels])
        self._state_size = LSTMStateTuple(state, state)
        self._output_size = v1.TensorShape([*sizes, output_channels + (channels if skip_connection else 0)])

    state_size = property(lambda self: self._state_size)
    output_size = property(lambda self: self._output_size)

    def call(self, inputs, state):
        memory, hidden = state
        gates = self._convolved(v1.concat([inputs, hidden], -1))
        entry, candidate, forget, exit_gate = v1.split(gates, 4, axis=self._conv_ndims + 1)
        memory = v1.sigmoid(forget + self._forget_bias) * memory + v1.sigmoid(entry) * v1.tanh(candidate)
        output = v1.tanh(memory) * v1.sigmoid(exit_gate)
        if self._skip_connection:
            output = v1.concat([output, inputs], -1)
        return output, LSTMStateTuple(memory, output)

    def _convolved(self, joined):
        features = 4 * self._output_channels
        kernel = v1.get_variable(
            "kernel", [*self._kernel_shape, joined.shape.as_list()[-1], features], dtype=joined.dtype
        )  # fmt: skip
        strides = 1 if self._conv_ndims == 1 else [1] * (self._conv_ndims + 2)
        found = _CONVOLUTIONS[self._conv_ndims](joined, kernel, strides, padding="SAME")
        if not self._use_bias:
            return found
        return found + v1.get_variable(
            "biases", [features], dtype=joined.dtype, initializer=v1.zeros_initializer(joined.dtype)
        )  # fmt: skip


class Conv1DLSTMCell(ConvLSTMCell):
    """ConvLSTMCell over one axis, such as time."""

    def __init__(self, name="conv_1d_lstm_cell", **kwargs):
        super().__init__(conv_ndims=1, name=name, **kwargs)


class Conv2DLSTMCell(ConvLSTMCell):
    """ConvLSTMCell over images."""

    def __init__(self, name="conv_2d_lstm_cell", **kwargs):
        super().__init__(conv_ndims=2, name=name, **kwargs)


class Conv3DLSTMCell(ConvLSTMCell):
    """ConvLSTMCell over volumes."""

    def __init__(self, name="conv_3d_lstm_cell", **kwargs):
        super().__init__(conv_ndims=3, name=name, **kwargs)
