"""TF1's tf.layers.dense, conv2d and dropout for tf.function code. layers_norm has batch_normalization.

Each layer computes with the ops that TF1's layer adds to a graph, and names its variables as TF1 does.
A kernel starts as glorot uniform with `seed` as its op seed, unless `kernel_initializer` is given. That is a function
of (shape, dtype). Initializers such as v1.truncated_normal_initializer, with a seed, give the values of a graph.
"""

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tf1ref.modules._layer import Layer, activation, glorot, probability
from tf1ref.modules._types import Activation, Initializer, Scalar, Tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class Dense(Layer):
    """activation(inputs @ kernel + bias) over the last axis: [..., depth] -> [..., units] (tf.layers.dense).

    Variables: `<name>/kernel` [depth, units], `<name>/bias` [units].

    >>> layer = Dense(2, kernel_initializer=tf.ones, name="dense").create(3)
    >>> print(layer(tf.constant([[1.0, 2.0, 3.0]])).numpy())
    [[6. 6.]]
    >>> list(layer.variables_by_name())
    ['dense/kernel', 'dense/bias']
    """

    def __init__(
        self,
        units: int,
        activation: Activation = None,
        use_bias: bool = True,
        kernel_initializer: Initializer | None = None,
        bias_initializer: Initializer = tf.zeros,
        seed: int | None = None,
        name: str = "dense",
        dtype: tf.DType = tf.float32,
    ) -> None:
        super().__init__(name, dtype)
        self.units, self.use_bias, self.activation = units, use_bias, _activation(activation, name)
        self.kernel_initializer, self.bias_initializer = glorot(kernel_initializer, seed), bias_initializer

    def create(self, depth: int) -> "Self":
        """Makes the variables for inputs of [..., depth]; returns the layer."""
        self.kernel = self._variable("kernel", [depth, self.units], self.kernel_initializer)
        if self.use_bias:
            self.bias = self._variable("bias", [self.units], self.bias_initializer)
        return self

    def __call__(self, inputs: tf.Tensor) -> Tensor:
        """Computes the layer. Raises ValueError when the last axis is not depth, and TypeError for another dtype."""
        inputs = self._checked(inputs, self.kernel.shape[0] if self._named else None)
        rank = inputs.shape.rank
        outputs = tf.tensordot(inputs, self.kernel, [[rank - 1], [0]]) if rank > 2 else tf.matmul(inputs, self.kernel)
        return self.activation(tf.nn.bias_add(outputs, self.bias) if self.use_bias else outputs)


class Conv2D(Layer):
    """Convolution of [batch, height, width, channels] -> [batch, height, width, filters] (tf.layers.conv2d).

    kernel_size, strides, dilation_rate: one number, or two for height and width.
    Variables: `<name>/kernel` [height, width, channels, filters], `<name>/bias` [filters].
    Raises ValueError for a size that is not a positive integer, and for an unknown padding.

    >>> layer = Conv2D(4, 3, padding="same", name="conv1").create(1)
    >>> print(layer(tf.zeros([2, 8, 8, 1])).shape)
    (2, 8, 8, 4)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = 1,
        padding: str = "valid",
        dilation_rate: int | tuple[int, int] = 1,
        activation: Activation = None,
        use_bias: bool = True,
        kernel_initializer: Initializer | None = None,
        bias_initializer: Initializer = tf.zeros,
        seed: int | None = None,
        name: str = "conv2d",
        dtype: tf.DType = tf.float32,
    ) -> None:
        super().__init__(name, dtype)
        if str(padding).lower() not in ("valid", "same"):
            raise ValueError(f'{name}: padding must be "valid" or "same", not {padding!r}')
        self.filters, self.padding = filters, padding.upper()
        self.kernel_size = _pair(kernel_size, "kernel_size", name)
        self.strides, self.dilation_rate = _pair(strides, "strides", name), _pair(dilation_rate, "dilation_rate", name)
        self.use_bias, self.activation = use_bias, _activation(activation, name)
        self.kernel_initializer, self.bias_initializer = glorot(kernel_initializer, seed), bias_initializer

    def create(self, channels: int) -> "Self":
        """Makes the variables for inputs of [batch, height, width, channels]; returns the layer."""
        shape = [*self.kernel_size, channels, self.filters]
        self.kernel = self._variable("kernel", shape, self.kernel_initializer)
        if self.use_bias:
            self.bias = self._variable("bias", [self.filters], self.bias_initializer)
        return self

    def __call__(self, inputs: tf.Tensor) -> Tensor:
        """Computes the layer. Raises ValueError for another rank or number of channels, TypeError for another dtype."""
        inputs = self._checked(inputs, self.kernel.shape[2] if self._named else None, rank=4)
        outputs = tf.nn.convolution(inputs, self.kernel, self.strides, self.padding, dilations=self.dilation_rate)
        return self.activation(tf.nn.bias_add(outputs, self.bias) if self.use_bias else outputs)


class Dropout(Layer):
    """While training, keeps each element with probability 1 - rate and scales it by 1 / (1 - rate)
    (tf.layers.dropout).

    rate: a number or a scalar tensor. noise_shape: the shape of the mask. Along an axis of 1, all elements are kept
    or dropped together; None stands for the size of the inputs.
    With the same op seed and global seed, each call draws the mask that the graph draws in that run.

    >>> print(Dropout(0.5)(tf.ones([3]), training=False).numpy())
    [1. 1. 1.]
    """

    def __init__(
        self, rate: Scalar = 0.5, noise_shape: Any = None, seed: int | None = None, name: str = "dropout"
    ) -> None:
        super().__init__(name)
        self.rate, self.noise_shape, self.seed = probability(rate, "rate", name), noise_shape, seed

    def __call__(self, inputs: tf.Tensor, training: bool | Tensor = False) -> Tensor:
        if not training:
            return tf.identity(inputs)
        shape = self.noise_shape
        if shape is not None:
            shape = [tf.shape(inputs)[axis] if size is None else size for axis, size in enumerate(shape)]
        return tf.nn.dropout(inputs, rate=self.rate, noise_shape=shape, seed=self.seed)


_activation = activation  # The argument `activation` of the constructors hides the function of that name.


def _pair(value: int | tuple[int, int], what: str, scope: str) -> tuple[int, ...]:
    values = (value,) * 2 if isinstance(value, int) else tuple(value)
    if len(values) != 2 or not all(isinstance(each, int) and each > 0 for each in values):
        raise ValueError(f"{scope}: {what} must be a positive integer or two of them, not {value}")
    return values
