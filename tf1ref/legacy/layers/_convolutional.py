"""tf.layers' convolutions: plain, transposed, and separable."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy._formats import data_format_of, from_last, padding_of, sizes, to_last, windows
from tf1ref.legacy._input_spec import InputSpec
from tf1ref.legacy._layer import ZEROS, Layer, activation, functional

_activation = activation  # The argument `activation` of the constructors hides the function of that name.


class _Kernels(Layer):
    """What the convolutions share: sizes, a bias, an activation, and the initializers of their variables.

    Raises ValueError for sizes that are not positive integers, an unknown padding or data_format, inputs of another
    rank, and an unknown number of channels. Raises TypeError when the dtype of the inputs is not that of the variables.
    """

    rank = None

    def _set(self, filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias):
        self.filters = filters
        self.kernel_size = sizes(kernel_size, self.rank, "kernel_size")
        self.strides = sizes(strides, self.rank, "strides")
        self.dilation_rate = sizes(dilation_rate, self.rank, "dilation_rate")
        self.padding, self.data_format = padding_of(padding), data_format_of(data_format)
        self.activation, self.use_bias, self.bias = _activation(activation), use_bias, None
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _channels(self, input_shape):
        axis = 1 if self.data_format == "channels_first" else self.rank + 1
        channels = v1.TensorShape(input_shape).as_list()[axis]
        if channels is None:
            raise ValueError(f"The channel dimension of the inputs should be defined. Found `None`. Layer: {self.name}")
        self._variables_dtype()
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})
        return channels

    def compute_output_shape(self, input_shape):
        shape = v1.TensorShape(input_shape).as_list()
        axis = 1 if self.data_format == "channels_first" else self.rank + 1
        batch, lengths = shape[0], [n for i, n in enumerate(shape) if i not in (0, axis)]
        lengths = [
            None if n is None else self._length(n, *each)
            for n, *each in zip(lengths, self.kernel_size, self.strides, self.dilation_rate)
        ]
        ends = [self.filters, *lengths] if axis == 1 else [*lengths, self.filters]
        return v1.TensorShape([batch, *ends])

    def _length(self, length, kernel, stride, rate):
        return windows(length, (kernel - 1) * rate + 1, stride, self.padding)

    def _variable(self, name, shape):
        part = name.partition("_kernel")[0]
        initializer, regularizer, constraint = (
            getattr(self, f"{part}_{what}") for what in ("initializer", "regularizer", "constraint")
        )
        return self.add_weight(name, shape, None, initializer, regularizer, constraint=constraint)

    def call(self, inputs):
        if inputs.dtype.base_dtype != self.dtype:
            raise TypeError(f"{self.weights[0].name} is {self.dtype.name}, its inputs are {inputs.dtype.name}")
        x = to_last(inputs, self.data_format)
        outputs = from_last(self._convolve(x), self.data_format)
        return outputs if self.activation is None else self.activation(outputs)

    def _add_bias(self, outputs):
        return v1.nn.bias_add(outputs, self.bias) if self.use_bias else outputs


class _Conv(_Kernels):
    """Convolution of [batch, ..., channels] with a kernel [kernel_size, channels, filters].

    Returns [batch, ..., filters].
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format="channels_last",
        dilation_rate=1,
        activation=None,
        use_bias=True,
        kernel_initializer=None,
        bias_initializer=ZEROS,
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        trainable=True,
        name=None,
        **kwargs,
    ):
        super().__init__(trainable=trainable, name=name, activity_regularizer=activity_regularizer, **kwargs)
        self._set(filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias)
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint

    def build(self, input_shape):
        self.kernel = self._variable("kernel", self._kernel_shape(self._channels(input_shape)))
        if self.use_bias:
            self.bias = self._variable("bias", [self.filters])
        super().build(input_shape)

    def _kernel_shape(self, channels):
        return [*self.kernel_size, channels, self.filters]

    def _convolve(self, x):
        # The names of the ops are TF1's. A dilated convolution is space_to_batch, a convolution, and back, as in TF1.
        name = ("conv1d", "Conv2D", "Conv3D")[self.rank - 1]
        padding = self.padding.upper()
        return self._add_bias(
            v1.nn.convolution(x, self.kernel, padding, self.strides, dilation_rate=self.dilation_rate, name=name)
        )


class Conv1D(_Conv):
    """Convolution over one axis: [batch, length, channels]."""

    rank = 1


class Conv2D(_Conv):
    """Convolution over two axes: [batch, height, width, channels]."""

    rank = 2


class Conv3D(_Conv):
    """Convolution over three axes: [batch, planes, height, width, channels]."""

    rank = 3


class _Transposed(_Conv):
    """The gradient of a convolution with respect to its inputs, as a layer. A stride makes the output larger."""

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format="channels_last",
        activation=None,
        use_bias=True,
        kernel_initializer=None,
        bias_initializer=ZEROS,
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        trainable=True,
        name=None,
        **kwargs,
    ):
        super().__init__(
            filters, kernel_size, strides, padding, data_format, 1, activation, use_bias, kernel_initializer,
            bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            bias_constraint, trainable, name, **kwargs,
        )  # fmt: skip

    def _kernel_shape(self, channels):
        return [*self.kernel_size, self.filters, channels]

    def _convolve(self, x):
        known, dynamic = x.get_shape().as_list(), v1.shape(x)
        lengths = [dynamic[i] if size is None else size for i, size in enumerate(known)]
        shape = [lengths[0], *map(self._length, lengths[1:-1], self.kernel_size, self.strides, (1,) * 3), self.filters]
        transpose = v1.nn.conv2d_transpose if self.rank == 2 else v1.nn.conv3d_transpose
        strides = (1, *self.strides, 1)
        outputs = transpose(x, self.kernel, v1.stack(shape), strides, padding=self.padding.upper())
        outputs.set_shape([size if isinstance(size, int) else None for size in shape])
        return self._add_bias(outputs)

    def _length(self, length, kernel, stride, rate):
        return length * stride + (max(kernel - stride, 0) if self.padding == "valid" else 0)


class Conv2DTranspose(_Transposed):
    """Transposed convolution over two axes. For "same": [batch, height * stride, width * stride, filters]."""

    rank = 2


class Conv3DTranspose(_Transposed):
    """Transposed convolution over three axes."""

    rank = 3


class _Separable(_Kernels):
    """Applies depthwise filters to each channel, then `filters` mixtures of all their outputs.

    depth_multiplier: the number of filters for each channel.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format="channels_last",
        dilation_rate=1,
        depth_multiplier=1,
        activation=None,
        use_bias=True,
        depthwise_initializer=None,
        pointwise_initializer=None,
        bias_initializer=ZEROS,
        depthwise_regularizer=None,
        pointwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
        pointwise_constraint=None,
        bias_constraint=None,
        trainable=True,
        name=None,
        **kwargs,
    ):
        super().__init__(trainable=trainable, name=name, activity_regularizer=activity_regularizer, **kwargs)
        self._set(filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias)
        self.depth_multiplier = depth_multiplier
        self.depthwise_initializer, self.pointwise_initializer = depthwise_initializer, pointwise_initializer
        self.depthwise_regularizer, self.pointwise_regularizer = depthwise_regularizer, pointwise_regularizer
        self.depthwise_constraint, self.pointwise_constraint = depthwise_constraint, pointwise_constraint
        self.bias_initializer, self.bias_regularizer = bias_initializer, bias_regularizer
        self.bias_constraint = bias_constraint

    def build(self, input_shape):
        channels = self._channels(input_shape)
        mixed = [*(1,) * self.rank, self.depth_multiplier * channels, self.filters]
        depthwise = [*self.kernel_size, channels, self.depth_multiplier]
        self.depthwise_kernel = self._variable("depthwise_kernel", depthwise)
        self.pointwise_kernel = self._variable("pointwise_kernel", mixed)
        if self.use_bias:
            self.bias = self._variable("bias", [self.filters])
        super().build(input_shape)

    def _convolve(self, x):
        depthwise, pointwise = self.depthwise_kernel, self.pointwise_kernel
        strides, rate = self.strides, self.dilation_rate
        if self.rank == 1:
            # As in TF1, the series is a picture of height 1.
            x, depthwise, pointwise = v1.expand_dims(x, 1), v1.expand_dims(depthwise, 0), v1.expand_dims(pointwise, 0)
            strides, rate = strides * 2, (1, *rate)
        outputs = self._add_bias(
            v1.nn.separable_conv2d(x, depthwise, pointwise, (1, *strides, 1), self.padding.upper(), rate=rate)
        )
        return v1.squeeze(outputs, [1]) if self.rank == 1 else outputs


class SeparableConv1D(_Separable):
    """Depthwise and pointwise convolution over one axis: [batch, length, channels]."""

    rank = 1


class SeparableConv2D(_Separable):
    """Depthwise and pointwise convolution over two axes: [batch, height, width, channels]."""

    rank = 2


conv1d = functional(Conv1D)
conv2d = functional(Conv2D)
conv3d = functional(Conv3D)
conv2d_transpose = functional(Conv2DTranspose)
conv3d_transpose = functional(Conv3DTranspose)
separable_conv1d = functional(SeparableConv1D)
separable_conv2d = functional(SeparableConv2D)
