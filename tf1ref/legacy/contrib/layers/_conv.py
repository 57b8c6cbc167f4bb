"""tf.contrib.layers' convolutions and pools: weights, biases, a normalizer in place of the biases, an activation."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy._formats import from_last, sizes, to_last
from tf1ref.legacy.contrib.framework import model_variable
from tf1ref.legacy.contrib.framework._arg_scope import add_arg_scope
from tf1ref.legacy.contrib.layers._parts import channels_axis, finished, get_variable_collections, xavier_initializer

XAVIER, ZEROS = xavier_initializer(), v1.zeros_initializer()


def _place(data_format, rank):
    return "channels_first" if channels_axis(data_format, rank) == 1 else "channels_last"


def _biased(outputs, size, normalizer_fn, initializer, regularizer, collections, trainable):
    """Adds the variable `biases`, unless a normalizer has biases of its own or there is no initializer."""
    if normalizer_fn is not None or initializer is None:
        return outputs
    biases = model_variable(
        "biases",
        [size],
        outputs.dtype,
        initializer,
        regularizer,
        trainable,
        get_variable_collections(collections, "biases"),
    )
    return v1.nn.bias_add(outputs, biases)


@add_arg_scope
def convolution(
    inputs,
    num_outputs,
    kernel_size,
    stride=1,
    padding="SAME",
    data_format=None,
    rate=1,
    activation_fn=v1.nn.relu,
    normalizer_fn=None,
    normalizer_params=None,
    weights_initializer=XAVIER,
    weights_regularizer=None,
    biases_initializer=ZEROS,
    biases_regularizer=None,
    reuse=None,
    variables_collections=None,
    outputs_collections=None,
    trainable=True,
    scope=None,
    conv_dims=None,
):
    """Convolution over 1, 2 or 3 axes, by the rank of the inputs; variables `weights` and `biases` in scope Conv.

    Raises ValueError for inputs of another rank, a stride together with a rate, an unknown data_format.
    """
    inputs = v1.convert_to_tensor(inputs)
    rank = inputs.get_shape().ndims
    if rank not in (3, 4, 5) or (conv_dims is not None and conv_dims + 2 != rank):
        raise ValueError(f"Convolution expects input with rank {(conv_dims or 2) + 2}, got {rank}")
    kernel, strides, rates = (
        sizes(v, rank - 2, n) for v, n in ((kernel_size, "kernel_size"), (stride, "stride"), (rate, "rate"))
    )
    if max(strides) > 1 and max(rates) > 1:
        raise ValueError("stride > 1 and rate > 1 cannot both be given")
    with v1.variable_scope(scope, "Conv", [inputs], reuse=reuse) as sc:
        channels = inputs.get_shape().as_list()[channels_axis(data_format, rank)]
        if channels is None:
            raise ValueError(f"{sc.name}: the number of channels of the inputs must be known")
        weights = model_variable(
            "weights", [*kernel, channels, num_outputs], inputs.dtype.base_dtype, weights_initializer,
            weights_regularizer, trainable, get_variable_collections(variables_collections, "weights"),
        )  # fmt: skip
        place = _place(data_format, rank)
        names = {3: "Conv1D", 4: "Conv2D", 5: "Conv3D"}
        outputs = v1.nn.convolution(to_last(inputs, place), weights, padding.upper(), strides, rates, name=names[rank])
        outputs = _biased(
            outputs,
            num_outputs,
            normalizer_fn,
            biases_initializer,
            biases_regularizer,
            variables_collections,
            trainable,
        )
        outputs = from_last(outputs, place)
        return finished(outputs, normalizer_fn, normalizer_params, activation_fn, outputs_collections, sc.name)


def _of_rank(name, dims):
    @add_arg_scope
    def convolve(
        inputs,
        num_outputs,
        kernel_size,
        stride=1,
        padding="SAME",
        data_format=None,
        rate=1,
        activation_fn=v1.nn.relu,
        normalizer_fn=None,
        normalizer_params=None,
        weights_initializer=XAVIER,
        weights_regularizer=None,
        biases_initializer=ZEROS,
        biases_regularizer=None,
        reuse=None,
        variables_collections=None,
        outputs_collections=None,
        trainable=True,
        scope=None,
    ):
        return convolution(
            inputs, num_outputs, kernel_size, stride, padding, data_format, rate, activation_fn, normalizer_fn,
            normalizer_params, weights_initializer, weights_regularizer, biases_initializer, biases_regularizer, reuse,
            variables_collections, outputs_collections, trainable, scope, conv_dims=dims,
        )  # fmt: skip

    convolve.__name__ = convolve.__qualname__ = name
    convolve.__doc__ = f"`convolution` of inputs of rank {dims + 2}."
    # Each has defaults of its own in an arg_scope: one for conv2d is not one for conv1d.
    convolve._arg_scope_key = f"{__name__}.{name}"
    return convolve


convolution1d, convolution2d, convolution3d = (_of_rank(f"convolution{n}d", n) for n in (1, 2, 3))
conv1d, conv2d, conv3d = convolution1d, convolution2d, convolution3d


@add_arg_scope
def convolution2d_in_plane(
    inputs,
    kernel_size,
    stride=1,
    padding="SAME",
    activation_fn=v1.nn.relu,
    normalizer_fn=None,
    normalizer_params=None,
    weights_initializer=XAVIER,
    weights_regularizer=None,
    biases_initializer=ZEROS,
    biases_regularizer=None,
    reuse=None,
    variables_collections=None,
    outputs_collections=None,
    trainable=True,
    scope=None,
):
    """The same kernel over each channel of (n, height, width, channels); scope ConvInPlane."""
    inputs = v1.convert_to_tensor(inputs)
    with v1.variable_scope(scope, "ConvInPlane", [inputs], reuse=reuse) as sc:
        channels = inputs.get_shape().as_list()[-1]
        weights = model_variable(
            "weights", [*sizes(kernel_size, 2, "kernel_size"), 1, 1], inputs.dtype.base_dtype, weights_initializer,
            weights_regularizer, trainable, get_variable_collections(variables_collections, "weights"),
        )  # fmt: skip
        strides = (1, *sizes(stride, 2, "stride"), 1)
        outputs = v1.nn.depthwise_conv2d(inputs, v1.tile(weights, [1, 1, channels, 1]), strides, padding.upper())
        outputs = _biased(
            outputs, channels, normalizer_fn, biases_initializer, biases_regularizer, variables_collections, trainable
        )
        return finished(outputs, normalizer_fn, normalizer_params, activation_fn, outputs_collections, sc.name)


conv2d_in_plane = convolution2d_in_plane


@add_arg_scope
def convolution2d_transpose(
    inputs,
    num_outputs,
    kernel_size,
    stride=1,
    padding="SAME",
    data_format="NHWC",
    activation_fn=v1.nn.relu,
    normalizer_fn=None,
    normalizer_params=None,
    weights_initializer=XAVIER,
    weights_regularizer=None,
    biases_initializer=ZEROS,
    biases_regularizer=None,
    reuse=None,
    variables_collections=None,
    outputs_collections=None,
    trainable=True,
    scope=None,
):
    """Transposed convolution: (n, height, width, channels) to strides times as large; scope Conv2d_transpose."""
    inputs = v1.convert_to_tensor(inputs)
    place = _place(data_format, 4)
    with v1.variable_scope(scope, "Conv2d_transpose", [inputs], reuse=reuse) as sc:
        x = to_last(inputs, place)
        kernel, strides = sizes(kernel_size, 2, "kernel_size"), sizes(stride, 2, "stride")
        known = x.get_shape().as_list()
        weights = model_variable(
            "weights", [*kernel, num_outputs, known[-1]], x.dtype.base_dtype, weights_initializer, weights_regularizer,
            trainable, get_variable_collections(variables_collections, "weights"),
        )  # fmt: skip
        dynamic = v1.shape(x)
        grow = [max(k - s, 0) if padding.upper() == "VALID" else 0 for k, s in zip(kernel, strides)]
        lengths = [(dynamic[i] if known[i] is None else known[i]) for i in range(3)]
        lengths = [lengths[0], *(n * s + g for n, s, g in zip(lengths[1:], strides, grow))]
        outputs = v1.nn.conv2d_transpose(
            x, weights, v1.stack([*lengths, num_outputs]), (1, *strides, 1), padding=padding.upper()
        )
        outputs.set_shape([n if isinstance(n, int) else None for n in lengths] + [num_outputs])
        outputs = _biased(
            outputs,
            num_outputs,
            normalizer_fn,
            biases_initializer,
            biases_regularizer,
            variables_collections,
            trainable,
        )
        outputs = from_last(outputs, place)
        return finished(outputs, normalizer_fn, normalizer_params, activation_fn, outputs_collections, sc.name)


conv2d_transpose = convolution2d_transpose


@add_arg_scope
def separable_convolution2d(
    inputs,
    num_outputs,
    kernel_size,
    depth_multiplier=1,
    stride=1,
    padding="SAME",
    data_format="NHWC",
    rate=1,
    activation_fn=v1.nn.relu,
    normalizer_fn=None,
    normalizer_params=None,
    weights_initializer=XAVIER,
    pointwise_initializer=None,
    weights_regularizer=None,
    biases_initializer=ZEROS,
    biases_regularizer=None,
    reuse=None,
    variables_collections=None,
    outputs_collections=None,
    trainable=True,
    scope=None,
):
    """Depthwise, then pointwise convolution; with num_outputs None the depthwise one alone. Scope SeparableConv2d."""
    inputs = v1.convert_to_tensor(inputs)
    place = _place(data_format, 4)
    with v1.variable_scope(scope, "SeparableConv2d", [inputs], reuse=reuse) as sc:
        x = to_last(inputs, place)
        channels = x.get_shape().as_list()[-1]
        collections = get_variable_collections(variables_collections, "weights")
        common = {"dtype": x.dtype.base_dtype, "regularizer": weights_regularizer, "trainable": trainable}
        depthwise = model_variable(
            "depthwise_weights", [*sizes(kernel_size, 2, "kernel_size"), channels, depth_multiplier],
            initializer=weights_initializer, collections=collections, **common,
        )  # fmt: skip
        strides, rates = (1, *sizes(stride, 2, "stride"), 1), sizes(rate, 2, "rate")
        size = channels * depth_multiplier if num_outputs is None else num_outputs
        if num_outputs is None:
            outputs = v1.nn.depthwise_conv2d(x, depthwise, strides, padding.upper(), rate=rates)
        else:
            pointwise = model_variable(
                "pointwise_weights", [1, 1, channels * depth_multiplier, num_outputs],
                initializer=pointwise_initializer or weights_initializer, collections=collections, **common,
            )  # fmt: skip
            outputs = v1.nn.separable_conv2d(x, depthwise, pointwise, strides, padding.upper(), rate=rates)
        outputs = _biased(
            outputs, size, normalizer_fn, biases_initializer, biases_regularizer, variables_collections, trainable
        )
        outputs = from_last(outputs, place)
        return finished(outputs, normalizer_fn, normalizer_params, activation_fn, outputs_collections, sc.name)


separable_conv2d = separable_convolution2d
