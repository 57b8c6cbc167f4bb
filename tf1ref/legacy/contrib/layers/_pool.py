"""tf.contrib.layers' pools: like tf.nn's, with a stride of 2 and VALID as defaults."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy._formats import from_last, sizes, to_last
from tf1ref.legacy.contrib.framework._arg_scope import add_arg_scope
from tf1ref.legacy.contrib.layers._parts import channels_axis, collect_named_outputs


def _pool(function, inputs, kernel_size, stride, padding, data_format, outputs_collections, scope, default):
    inputs = v1.convert_to_tensor(inputs)
    rank = inputs.get_shape().ndims
    place = "channels_first" if channels_axis(data_format, rank) == 1 else "channels_last"
    with v1.name_scope(scope, default, [inputs]) as sc:
        kernel, strides = sizes(kernel_size, rank - 2, "kernel_size"), sizes(stride, rank - 2, "stride")
        outputs = function(to_last(inputs, place), (1, *kernel, 1), (1, *strides, 1), padding.upper())
        return collect_named_outputs(outputs_collections, sc, from_last(outputs, place))


@add_arg_scope
def max_pool2d(
    inputs, kernel_size, stride=2, padding="VALID", data_format="NHWC", outputs_collections=None, scope=None
):
    """The largest of each window of (n, height, width, channels)."""
    args = inputs, kernel_size, stride, padding, data_format, outputs_collections, scope
    return _pool(v1.nn.max_pool, *args, "MaxPool2D")


@add_arg_scope
def avg_pool2d(
    inputs, kernel_size, stride=2, padding="VALID", data_format="NHWC", outputs_collections=None, scope=None
):
    """The mean of each window of (n, height, width, channels)."""
    args = inputs, kernel_size, stride, padding, data_format, outputs_collections, scope
    return _pool(v1.nn.avg_pool, *args, "AvgPool2D")


@add_arg_scope
def max_pool3d(
    inputs, kernel_size, stride=2, padding="VALID", data_format="NDHWC", outputs_collections=None, scope=None
):
    """The largest of each window of (n, depth, height, width, channels)."""
    args = inputs, kernel_size, stride, padding, data_format, outputs_collections, scope
    return _pool(v1.nn.max_pool3d, *args, "MaxPool3D")


@add_arg_scope
def avg_pool3d(
    inputs, kernel_size, stride=2, padding="VALID", data_format="NDHWC", outputs_collections=None, scope=None
):
    """The mean of each window of (n, depth, height, width, channels)."""
    args = inputs, kernel_size, stride, padding, data_format, outputs_collections, scope
    return _pool(v1.nn.avg_pool3d, *args, "AvgPool3D")


@add_arg_scope
def pool(
    inputs, kernel_size, pooling_type, padding="VALID", data_format=None, dilation_rate=1, stride=1,
    outputs_collections=None, scope=None,
):  # fmt: skip
    """tf.nn.pool over the axes between the first and the channels; pooling_type "AVG" or "MAX"."""
    inputs = v1.convert_to_tensor(inputs)
    rank = inputs.get_shape().ndims
    place = "channels_first" if channels_axis(data_format, rank) == 1 else "channels_last"
    with v1.name_scope(scope, f"{pooling_type.lower()}_pool", [inputs]) as sc:
        outputs = v1.nn.pool(
            to_last(inputs, place),
            sizes(kernel_size, rank - 2, "kernel_size"),
            pooling_type,
            padding.upper(),
            sizes(dilation_rate, rank - 2, "dilation_rate"),
            sizes(stride, rank - 2, "stride"),
        )
        return collect_named_outputs(outputs_collections, sc, from_last(outputs, place))
