"""tf.contrib.layers' pools. They are tf.nn's, with a stride of 2 and VALID padding by default."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy._formats import from_last, sizes, to_last
from tf1ref.legacy.contrib.framework._arg_scope import add_arg_scope
from tf1ref.legacy.contrib.layers._parts import channels_axis, collect_named_outputs


def _place(inputs, data_format):
    rank = inputs.get_shape().ndims
    return rank, "channels_first" if channels_axis(data_format, rank) == 1 else "channels_last"


def _pool(name, function, doc, default_format):
    """Returns the layer `name`, whose op is `function` of tf.nn."""
    default_scope = {"max": "MaxPool", "avg": "AvgPool"}[name[:3]] + name[-2:].upper()

    def pooled(
        inputs, kernel_size, stride=2, padding="VALID", data_format=default_format, outputs_collections=None, scope=None
    ):
        inputs = v1.convert_to_tensor(inputs)
        rank, place = _place(inputs, data_format)
        with v1.name_scope(scope, default_scope, [inputs]) as sc:
            kernel, strides = sizes(kernel_size, rank - 2, "kernel_size"), sizes(stride, rank - 2, "stride")
            outputs = function(to_last(inputs, place), (1, *kernel, 1), (1, *strides, 1), padding.upper())
            return collect_named_outputs(outputs_collections, sc, from_last(outputs, place))

    pooled.__name__ = pooled.__qualname__ = name
    pooled.__doc__ = doc
    return add_arg_scope(pooled)


_PLANE, _VOLUME = "of (n, height, width, channels).", "of (n, depth, height, width, channels)."
max_pool2d = _pool("max_pool2d", v1.nn.max_pool, f"The largest of each window {_PLANE}", "NHWC")
avg_pool2d = _pool("avg_pool2d", v1.nn.avg_pool, f"The mean of each window {_PLANE}", "NHWC")
max_pool3d = _pool("max_pool3d", v1.nn.max_pool3d, f"The largest of each window {_VOLUME}", "NDHWC")
avg_pool3d = _pool("avg_pool3d", v1.nn.avg_pool3d, f"The mean of each window {_VOLUME}", "NDHWC")


@add_arg_scope
def pool(
    inputs, kernel_size, pooling_type, padding="VALID", data_format=None, dilation_rate=1, stride=1,
    outputs_collections=None, scope=None,
):  # fmt: skip
    """tf.nn.pool over the axes between the first and the channels. pooling_type: "AVG" or "MAX"."""
    inputs = v1.convert_to_tensor(inputs)
    rank, place = _place(inputs, data_format)
    with v1.name_scope(scope, f"{pooling_type.lower()}_pool", [inputs]) as sc:
        outputs = v1.nn.pool(
            to_last(inputs, place),
            sizes(kernel_size, rank - 2, "kernel_size"),
            pooling_type,
            padding.upper(),
            sizes(dilation_rate, rank - 2, "dilation_rate"),
            sizes(stride, rank - 2, "stride"),
            name=sc if place == "channels_last" else None,
        )
        if place == "channels_first":
            outputs = v1.identity(from_last(outputs, place), name=sc)
        return collect_named_outputs(outputs_collections, sc, outputs)
