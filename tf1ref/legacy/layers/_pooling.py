"""tf.layers' pools: the largest value or the mean of windows over one, two or three axes."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy._formats import data_format_of, from_last, padding_of, sizes, to_last, windows
from tf1ref.legacy._input_spec import InputSpec
from tf1ref.legacy._layer import Layer, functional


class _Pooling(Layer):
    """The base class. pool_size, strides: one number, or one for each axis.

    Raises ValueError for strides that are None, an unknown padding or data_format, and inputs of another rank.
    """

    rank = None
    _pool = None

    def __init__(self, pool_size, strides, padding="valid", data_format="channels_last", name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.pool_size = sizes(pool_size, self.rank, "pool_size")
        if strides is None:
            raise ValueError("Argument `strides` must not be None.")
        self.strides = sizes(strides, self.rank, "strides")
        self.padding, self.data_format = padding_of(padding), data_format_of(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs):
        x = to_last(inputs, self.data_format)
        windows, steps = (1, *self.pool_size, 1), (1, *self.strides, 1)
        if self.rank == 1:
            # As in TF1, the series is a picture of width 1.
            x = v1.expand_dims(x, 2)
            windows, steps = (1, *self.pool_size, 1, 1), (1, *self.strides, 1, 1)
        outputs = self._pool(x, windows, steps, self.padding.upper())
        if self.rank == 1:
            outputs = v1.squeeze(outputs, 2)
        return from_last(outputs, self.data_format)

    def compute_output_shape(self, input_shape):
        shape = v1.TensorShape(input_shape).as_list()
        first = 2 if self.data_format == "channels_first" else 1
        for axis, size, stride in zip(range(first, first + self.rank), self.pool_size, self.strides):
            shape[axis] = None if shape[axis] is None else windows(shape[axis], size, stride, self.padding)
        return v1.TensorShape(shape)


class MaxPooling1D(_Pooling):
    """[batch, length, depth] -> [batch, windows, depth]."""

    rank, _pool = 1, staticmethod(v1.nn.max_pool)


class MaxPooling2D(_Pooling):
    """[batch, height, width, depth] -> [batch, rows, columns, depth]."""

    rank, _pool = 2, staticmethod(v1.nn.max_pool)


class MaxPooling3D(_Pooling):
    """[batch, planes, height, width, depth] -> [batch, planes', rows, columns, depth]."""

    rank, _pool = 3, staticmethod(v1.nn.max_pool3d)


class AveragePooling1D(_Pooling):
    """[batch, length, depth] -> [batch, windows, depth]."""

    rank, _pool = 1, staticmethod(v1.nn.avg_pool)


class AveragePooling2D(_Pooling):
    """[batch, height, width, depth] -> [batch, rows, columns, depth]."""

    rank, _pool = 2, staticmethod(v1.nn.avg_pool)


class AveragePooling3D(_Pooling):
    """[batch, planes, height, width, depth] -> [batch, planes', rows, columns, depth]."""

    rank, _pool = 3, staticmethod(v1.nn.avg_pool3d)


max_pooling1d = functional(MaxPooling1D, takes_reuse=False)
max_pooling2d = functional(MaxPooling2D, takes_reuse=False)
max_pooling3d = functional(MaxPooling3D, takes_reuse=False)
average_pooling1d = functional(AveragePooling1D, takes_reuse=False)
average_pooling2d = functional(AveragePooling2D, takes_reuse=False)
average_pooling3d = functional(AveragePooling3D, takes_reuse=False)
