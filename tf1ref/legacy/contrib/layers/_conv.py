"""tf.contrib.layers' convolutions: weights, then a normalizer or biases, then an activation."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy._formats import from_last, sizes, to_last
from tf1ref.legacy.contrib.framework._arg_scope import add_arg_scope
from tf1ref.legacy.contrib.layers._parts import channels_axis
from tf1ref.legacy.contrib.layers._weighted import weighted


def _place(data_format, rank):
    return "channels_first" if channels_axis(data_format, rank) == 1 else "channels_last"


@add_arg_scope
@weighted
def convolution(
    inputs, num_outputs, kernel_size, stride=1, padding="SAME", data_format=None, rate=1, *, common, conv_dims=None
):
    """Convolution over 1, 2 or 3 axes, which the rank of the inputs tells. Variables: Conv/weights, Conv/biases.

    Raises ValueError for inputs of another rank, for a stride above 1 together with a rate above 1, and for an unknown
    data_format.
    """
    return _convolve(inputs, num_outputs, kernel_size, stride, padding, data_format, rate, common, conv_dims)


def _convolve(inputs, num_outputs, kernel_size, stride, padding, data_format, rate, common, conv_dims):
    inputs = v1.convert_to_tensor(inputs)
    rank = inputs.get_shape().ndims
    if rank not in (3, 4, 5) or (conv_dims is not None and conv_dims + 2 != rank):
        raise ValueError(f"Convolution expects input with rank {(conv_dims or 2) + 2}, got {rank}")
    kernel, strides, rates = (
        sizes(v, rank - 2, n) for v, n in ((kernel_size, "kernel_size"), (stride, "stride"), (rate, "rate"))
    )
    if max(strides) > 1 and max(rates) > 1:
        raise ValueError("stride > 1 and rate > 1 cannot both be given")
    with common.open("Conv", inputs) as sc:
        channels = inputs.get_shape().as_list()[channels_axis(data_format, rank)]
        if channels is None:
            raise ValueError(f"{sc.name}: the number of channels of the inputs must be known")
        weights = common.weights("weights", [*kernel, channels, num_outputs], inputs.dtype.base_dtype)
        place = _place(data_format, rank)
        names = {3: "Conv1D", 4: "Conv2D", 5: "Conv3D"}
        outputs = v1.nn.convolution(to_last(inputs, place), weights, padding.upper(), strides, rates, name=names[rank])
        outputs = from_last(common.biased(outputs, num_outputs), place)
        return common.finished(outputs, sc.name)


def _of_rank(name, dims):
    def convolve(
        inputs, num_outputs, kernel_size, stride=1, padding="SAME", data_format=None, rate=1, *, common
    ):  # fmt: skip
        return _convolve(inputs, num_outputs, kernel_size, stride, padding, data_format, rate, common, dims)

    # Each function has a name of its own, and therefore its own defaults in an arg_scope. A default for conv2d does
    # not apply to conv1d.
    convolve.__name__ = convolve.__qualname__ = name
    convolve.__doc__ = f"`convolution` of inputs of rank {dims + 2}."
    return add_arg_scope(weighted(convolve))


convolution1d, convolution2d, convolution3d = (_of_rank(f"convolution{n}d", n) for n in (1, 2, 3))
conv1d, conv2d, conv3d = convolution1d, convolution2d, convolution3d


@add_arg_scope
@weighted
def convolution2d_in_plane(inputs, kernel_size, stride=1, padding="SAME", *, common):
    """Applies the same kernel to each channel of [n, height, width, channels]. The scope is ConvInPlane."""
    inputs = v1.convert_to_tensor(inputs)
    with common.open("ConvInPlane", inputs) as sc:
        channels = inputs.get_shape().as_list()[-1]
        kernel = sizes(kernel_size, 2, "kernel_size")
        weights = common.weights("weights", [*kernel, 1, 1], inputs.dtype.base_dtype)
        strides = (1, *sizes(stride, 2, "stride"), 1)
        outputs = v1.nn.depthwise_conv2d(inputs, v1.tile(weights, [1, 1, channels, 1]), strides, padding.upper())
        return common.finished(common.biased(outputs, channels), sc.name)


conv2d_in_plane = convolution2d_in_plane


@add_arg_scope
@weighted
def convolution2d_transpose(
    inputs, num_outputs, kernel_size, stride=1, padding="SAME", data_format="NHWC", *, common
):  # fmt: skip
    """Transposed convolution of [n, height, width, channels]: the result is larger by the stride.

    The scope is Conv2d_transpose.
    """
    return _transposed(2, inputs, num_outputs, kernel_size, stride, padding, data_format, common)


@add_arg_scope
@weighted
def convolution3d_transpose(
    inputs, num_outputs, kernel_size, stride=1, padding="SAME", data_format="NDHWC", *, common
):  # fmt: skip
    """Transposed convolution of [n, depth, height, width, channels]. The scope is Conv3d_transpose."""
    return _transposed(3, inputs, num_outputs, kernel_size, stride, padding, data_format, common)


def _transposed(dims, inputs, num_outputs, kernel_size, stride, padding, data_format, common):
    inputs = v1.convert_to_tensor(inputs)
    place = _place(data_format, dims + 2)
    transpose = {2: v1.nn.conv2d_transpose, 3: v1.nn.conv3d_transpose}[dims]
    with common.open(f"Conv{dims}d_transpose", inputs) as sc:
        x = to_last(inputs, place)
        kernel, strides = sizes(kernel_size, dims, "kernel_size"), sizes(stride, dims, "stride")
        known = x.get_shape().as_list()
        weights = common.weights("weights", [*kernel, num_outputs, known[-1]], x.dtype.base_dtype)
        dynamic = v1.shape(x)
        grow = [max(k - s, 0) if padding.upper() == "VALID" else 0 for k, s in zip(kernel, strides)]
        lengths = [(dynamic[i] if known[i] is None else known[i]) for i in range(dims + 1)]
        lengths = [lengths[0], *(n * s + g for n, s, g in zip(lengths[1:], strides, grow))]
        outputs = transpose(x, weights, v1.stack([*lengths, num_outputs]), (1, *strides, 1), padding=padding.upper())
        outputs.set_shape([n if isinstance(n, int) else None for n in lengths] + [num_outputs])
        outputs = from_last(common.biased(outputs, num_outputs), place)
        return common.finished(outputs, sc.name)


conv2d_transpose, conv3d_transpose = convolution2d_transpose, convolution3d_transpose


@add_arg_scope
@weighted(after="weights_initializer")
def separable_convolution2d(
    inputs, num_outputs, kernel_size, depth_multiplier=1, stride=1, padding="SAME", data_format="NHWC", rate=1, *,
    common, pointwise_initializer=None,
):  # fmt: skip
    """Depthwise convolution, then a pointwise one. With num_outputs None only the depthwise one is computed.

    The scope is SeparableConv2d.
    """
    inputs = v1.convert_to_tensor(inputs)
    place = _place(data_format, 4)
    with common.open("SeparableConv2d", inputs) as sc:
        x = to_last(inputs, place)
        channels, dtype = x.get_shape().as_list()[-1], x.dtype.base_dtype
        kernel = sizes(kernel_size, 2, "kernel_size")
        depthwise = common.weights("depthwise_weights", [*kernel, channels, depth_multiplier], dtype)
        strides, rates = (1, *sizes(stride, 2, "stride"), 1), sizes(rate, 2, "rate")
        size = channels * depth_multiplier if num_outputs is None else num_outputs
        if num_outputs is None:
            outputs = v1.nn.depthwise_conv2d(x, depthwise, strides, padding.upper(), rate=rates)
        else:
            shape = [1, 1, channels * depth_multiplier, num_outputs]
            pointwise = common.weights("pointwise_weights", shape, dtype, pointwise_initializer)
            outputs = v1.nn.separable_conv2d(x, depthwise, pointwise, strides, padding.upper(), rate=rates)
        outputs = from_last(common.biased(outputs, size), place)
        return common.finished(outputs, sc.name)


separable_conv2d = separable_convolution2d
