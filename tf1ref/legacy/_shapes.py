"""Transposed convolutions with the static shape of TensorFlow 1: all sizes of the output shape that are constant.

TensorFlow 2 takes the batch size of the inputs instead, which may be unknown. Programs reshape to the static shape.
"""

import tensorflow.compat.v1 as v1
from tensorflow.python.framework import tensor_util


def _shaped(outputs, shape):
    outputs.set_shape(tensor_util.constant_value_as_shape(v1.convert_to_tensor(shape, v1.int32)))
    return outputs


def conv2d_transpose(
    value=None, filter=None, output_shape=None, strides=None, padding="SAME", data_format="NHWC", name=None,
    input=None, filters=None, dilations=None,
):  # fmt: skip
    """tf.nn.conv2d_transpose. output_shape: four sizes.

    >>> with v1.Graph().as_default():
    ...     x = v1.placeholder(v1.float32, [None, 2, 2, 3])
    ...     print(conv2d_transpose(x, v1.zeros([3, 3, 5, 3]), [8, 4, 4, 5], [1, 2, 2, 1]).shape)
    (8, 4, 4, 5)
    """
    outputs = v1.nn.conv2d_transpose(
        value, filter, output_shape, strides, padding, data_format, name, input, filters, dilations
    )
    # Two sizes leave out the batch and the channels.
    return _shaped(outputs, output_shape) if v1.convert_to_tensor(output_shape).shape[0] == 4 else outputs


def conv2d_backprop_input(
    input_sizes, filter=None, out_backprop=None, strides=None, padding=None, use_cudnn_on_gpu=True, data_format="NHWC",
    dilations=(1, 1, 1, 1), name=None, filters=None,
):  # fmt: skip
    """tf.nn.conv2d_backprop_input, the gradient of a convolution. input_sizes: the four sizes of its inputs."""
    outputs = v1.nn.conv2d_backprop_input(
        input_sizes, filter, out_backprop, strides, padding, use_cudnn_on_gpu, data_format, list(dilations), name,
        filters,
    )  # fmt: skip
    return _shaped(outputs, input_sizes)


def atrous_conv2d_transpose(value, filters, output_shape, rate, padding, name=None):
    """tf.nn.atrous_conv2d_transpose, with dilation. output_shape: four sizes."""
    return _shaped(v1.nn.atrous_conv2d_transpose(value, filters, output_shape, rate, padding, name), output_shape)
