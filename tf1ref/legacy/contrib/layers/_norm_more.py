"""tf.contrib.layers.instance_norm and group_norm: moments of one example, over its picture or groups of channels."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.framework import model_variable
from tf1ref.legacy.contrib.framework._arg_scope import add_arg_scope
from tf1ref.legacy.contrib.layers._parts import collect_named_outputs, get_variable_collections

STARTS = {"beta": v1.zeros_initializer(), "gamma": v1.ones_initializer()}


def _parameters(size, dtype, center, scale, initializers, collections, trainable):
    """Returns (beta, gamma), variables of [size] or None."""

    def make(name):
        return model_variable(
            name,
            [size],
            dtype,
            initializer=(initializers or {}).get(name, STARTS[name]),
            collections=get_variable_collections(collections, name),
            trainable=trainable,
        )

    return make("beta") if center else None, make("gamma") if scale else None


@add_arg_scope
def instance_norm(
    inputs,
    center=True,
    scale=True,
    epsilon=1e-6,
    activation_fn=None,
    param_initializers=None,
    reuse=None,
    variables_collections=None,
    outputs_collections=None,
    trainable=True,
    data_format="NHWC",
    scope=None,
):
    """Normalizes each channel of each example (Ulyanov et al., arXiv:1607.08022); scope InstanceNorm.

    data_format: "NHWC" or "NCHW". Raises ValueError for another one, an unknown rank or number of channels.
    """
    inputs = v1.convert_to_tensor(inputs)
    rank = inputs.get_shape().ndims
    if rank is None:
        raise ValueError(f"Inputs {inputs.name} has undefined rank.")
    if data_format not in ("NHWC", "NCHW"):
        raise ValueError("data_format has to be either NCHW or NHWC.")
    axis = 1 if data_format == "NCHW" else rank - 1
    size = inputs.get_shape().as_list()[axis]
    if size is None:
        raise ValueError(f"Inputs {inputs.name} has undefined channels dimension.")
    with v1.variable_scope(scope, "InstanceNorm", [inputs], reuse=reuse) as sc:
        parameters = _parameters(
            size, inputs.dtype.base_dtype, center, scale, param_initializers, variables_collections, trainable
        )
        along = [size if i == axis else 1 for i in range(rank)]
        beta, gamma = (None if p is None else v1.reshape(p, along) for p in parameters)
        mean, variance = v1.nn.moments(inputs, [i for i in range(1, rank) if i != axis], keep_dims=True)
        outputs = v1.nn.batch_normalization(inputs, mean, variance, beta, gamma, epsilon, name="instancenorm")
        outputs.set_shape(inputs.get_shape())
        outputs = outputs if activation_fn is None else activation_fn(outputs)
        return collect_named_outputs(outputs_collections, sc.name, outputs)


@add_arg_scope
def group_norm(
    inputs,
    groups=32,
    channels_axis=-1,
    reduction_axes=(-3, -2),
    center=True,
    scale=True,
    epsilon=1e-6,
    activation_fn=None,
    param_initializers=None,
    reuse=None,
    variables_collections=None,
    outputs_collections=None,
    trainable=True,
    scope=None,
    mean_close_to_zero=False,
):
    """Normalizes groups of channels of each example (Wu and He, arXiv:1803.08494); scope GroupNorm.

    mean_close_to_zero: the variance is the mean of the squares less the square of the mean, which is faster and loses
    digits where the mean is large. Raises ValueError for an unknown rank or number of channels, for groups that do not
    divide the channels, and for axes that are none, doubled, or the channels' own.
    """
    inputs = v1.convert_to_tensor(inputs)
    shape = inputs.get_shape()
    if shape.ndims is None:
        raise ValueError(f"Inputs {inputs.name} has undefined rank.")
    axis, axes = _checked_axes(inputs, groups, channels_axis, reduction_axes)
    sizes, size = shape.as_list(), shape.as_list()[axis]
    with v1.variable_scope(scope, "GroupNorm", [inputs], reuse=reuse) as sc:
        beta, gamma = _parameters(
            size, inputs.dtype.base_dtype, center, scale, param_initializers, variables_collections, trainable
        )
        dynamic = v1.shape(inputs)
        lengths = [dynamic[i] if n is None else n for i, n in enumerate(sizes)]
        grouped = v1.reshape(inputs, [*lengths[:axis], groups, size // groups, *lengths[axis + 1 :]])
        # The channels of a group are reduced, too; axes behind theirs moved by one.
        reduced = [axis + 1, *(i if i < axis else i + 1 for i in axes)]
        if mean_close_to_zero:
            counts, sums, squares, _ = v1.nn.sufficient_statistics(grouped, reduced, keep_dims=True)
            mean, variance = v1.nn.normalize_moments(counts, sums, squares, shift=None)
        else:
            mean, variance = v1.nn.moments(grouped, reduced, keep_dims=True)
        along = [1] * (shape.ndims + 1)
        along[axis : axis + 2] = [groups, size // groups]
        gain = v1.rsqrt(variance + epsilon)
        offset = -mean * gain
        if gamma is not None:
            gain, offset = (each * v1.reshape(gamma, along) for each in (gain, offset))
        offset = offset if beta is None else offset + v1.reshape(beta, along)
        outputs = v1.reshape(grouped * gain + offset, lengths)
        outputs.set_shape(shape)
        outputs = outputs if activation_fn is None else activation_fn(outputs)
        return collect_named_outputs(outputs_collections, sc.name, outputs)


def _checked_axes(inputs, groups, channels_axis, reduction_axes):
    """Returns the axes as numbers from 0."""
    rank = inputs.get_shape().ndims
    axis = channels_axis + rank if channels_axis < 0 else channels_axis
    axes = [each + rank if each < 0 else each for each in reduction_axes]
    size = inputs.get_shape().as_list()[axis]
    if size is None:
        raise ValueError(f"Inputs {inputs.name} has undefined channel dimension: {channels_axis}.")
    if any(not 0 <= each < rank for each in axes):
        raise ValueError(f"Axis is out of bounds: {reduction_axes} of rank {rank}.")
    if len(set(axes)) < len(axes) or axis in axes:
        raise ValueError(f"reduction_axes {reduction_axes} must be different ones, without channels_axis.")
    if groups > size:
        raise ValueError(f"Invalid groups {groups} for {size} channels.")
    if size % groups:
        raise ValueError(f"{size} channels is not commensurate with {groups} groups.")
    return axis, axes
