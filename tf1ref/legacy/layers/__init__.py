"""tf.layers: dense, dropout and flatten are here; convolutions, pools and batch_normalization are in other files.

Each function makes a layer and calls it once. A class can be called again with the same variables.
"""

import tensorflow.compat.v1 as v1

from tf1ref.legacy._conditions import smart_cond
from tf1ref.legacy._input_spec import InputSpec
from tf1ref.legacy._layer import ZEROS, Layer, activation, functional
from tf1ref.legacy.layers._convolutional import (
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    SeparableConv1D,
    SeparableConv2D,
    conv1d,
    conv2d,
    conv2d_transpose,
    conv3d,
    conv3d_transpose,
    separable_conv1d,
    separable_conv2d,
)
from tf1ref.legacy.layers._normalization import BatchNormalization, batch_normalization
from tf1ref.legacy.layers._pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    average_pooling1d,
    average_pooling2d,
    average_pooling3d,
    max_pooling1d,
    max_pooling2d,
    max_pooling3d,
)

__all__ = [
    "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "BatchNormalization", "Conv1D", "Conv2D",
    "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "Dense", "Dropout", "Flatten", "InputSpec", "Layer", "MaxPooling1D",
    "MaxPooling2D", "MaxPooling3D", "SeparableConv1D", "SeparableConv2D", "average_pooling1d", "average_pooling2d",
    "average_pooling3d", "batch_normalization", "conv1d", "conv2d", "conv2d_transpose", "conv3d", "conv3d_transpose",
    "dense", "dropout", "flatten", "max_pooling1d", "max_pooling2d", "max_pooling3d", "separable_conv1d",
    "separable_conv2d",
]  # fmt: skip


class Dense(Layer):
    """Computes activation(inputs @ kernel + bias) over the last axis: [..., depth] -> [..., units].

    Raises TypeError for inputs that are not floating-point, and ValueError when the size of the last axis is unknown or
    changes.

    >>> with v1.Graph().as_default():
    ...     layer = Dense(2, name="dense")
    ...     print(layer(v1.zeros([4, 3])).shape, [v.op.name for v in layer.variables])
    (4, 2) ['dense/kernel', 'dense/bias']
    """

    def __init__(
        self,
        units,
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
        self.units, self.use_bias, self.activation = int(units), use_bias, _activation(activation)
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape):
        depth = v1.TensorShape(input_shape).as_list()[-1]
        dtype = self._variables_dtype()
        if not (dtype.is_floating or dtype.is_complex):
            raise TypeError(f"Unable to build `Dense` layer {self.name} with non-floating point {dtype}")
        if depth is None:
            raise ValueError(
                f"The last dimension of the inputs to `Dense` layer {self.name} should be defined. Found `None`."
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: depth})
        self.kernel = self.add_weight(
            "kernel", [depth, self.units], None, self.kernel_initializer, self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )  # fmt: skip
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", [self.units], None, self.bias_initializer, self.bias_regularizer,
                constraint=self.bias_constraint,
            )  # fmt: skip
        super().build(input_shape)

    def call(self, inputs):
        rank = inputs.get_shape().ndims
        if rank is not None and rank > 2:
            outputs = v1.tensordot(inputs, self.kernel, [[rank - 1], [0]])
            outputs.set_shape(self.compute_output_shape(inputs.get_shape()))
        elif isinstance(inputs, v1.SparseTensor):
            outputs = v1.sparse_tensor_dense_matmul(v1.cast(inputs, self.dtype), self.kernel)
        else:
            outputs = v1.matmul(v1.cast(inputs, self.dtype), self.kernel)
        if self.use_bias:
            outputs = v1.nn.bias_add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape):
        shape = v1.TensorShape(input_shape).with_rank_at_least(2)
        if shape.as_list()[-1] is None:
            raise ValueError(f"The innermost dimension of input_shape must be defined, but saw: {shape}")
        return shape[:-1].concatenate(self.units)


_activation = activation  # The argument `activation` of Dense hides the function of that name.


class Dropout(Layer):
    """While training, keeps each element with probability 1 - rate and scales it by 1 / (1 - rate).

    Otherwise the inputs are returned. rate: a float or a scalar tensor. noise_shape: the shape of the mask; along an
    axis of size 1, all elements are kept or dropped together.
    """

    def __init__(self, rate=0.5, noise_shape=None, seed=None, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.rate, self.noise_shape, self.seed = rate, noise_shape, seed

    def call(self, inputs, training=False):
        def dropped():
            return v1.nn.dropout(inputs, rate=self.rate, noise_shape=self._noise_shape(inputs), seed=self.seed)

        return smart_cond(training, dropped, lambda: v1.identity(inputs))

    def compute_output_shape(self, input_shape):
        return v1.TensorShape(input_shape)

    def _noise_shape(self, inputs):
        if self.noise_shape is None or v1.is_tensor(self.noise_shape):
            return self.noise_shape
        shape = v1.shape(inputs)
        return [shape[i] if size is None else size for i, size in enumerate(self.noise_shape)]


class Flatten(Layer):
    """Reshapes [batch, ...] to [batch, product of the other sizes]. channels_first is transposed first."""

    def __init__(self, data_format="channels_last", **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs):
        shape = inputs.get_shape()
        if self.data_format == "channels_first" and shape.ndims > 2:
            inputs = v1.transpose(inputs, [0, *range(2, shape.ndims), 1])
        batch = shape.as_list()[0]
        outputs = v1.reshape(inputs, [v1.shape(inputs)[0] if batch is None else batch, -1])
        outputs.set_shape(self.compute_output_shape(shape))
        return outputs

    def compute_output_shape(self, input_shape):
        shape = v1.TensorShape(input_shape).with_rank_at_least(1)
        return v1.TensorShape([shape.as_list()[0], shape[1:].num_elements()])


dense = functional(Dense)
# These older names belong to tensorflow.python.layers.normalization.
BatchNorm, batch_norm = BatchNormalization, batch_normalization


def dropout(inputs, rate=0.5, noise_shape=None, seed=None, training=False, name=None):
    """Adds a new Dropout layer to the graph. Returns its outputs. training: a bool or a scalar tensor."""
    return Dropout(rate, noise_shape, seed, name, _scope=name)(inputs, training=training)


def flatten(inputs, name=None, data_format="channels_last"):
    """Adds a new Flatten layer to the graph. Returns its outputs."""
    return Flatten(data_format=data_format, name=name, _scope=name)(inputs)
