"""tf.contrib.layers.instance_norm (InstanceNorm/beta, gamma) and group_norm (GroupNorm/beta, gamma)."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.framework import model_variable
from tf1ref.legacy.contrib.framework._arg_scope import add_arg_scope
from tf1ref.legacy.contrib.layers._parts import collect_named_outputs, get_variable_collections

INITIALIZERS = {"beta": v1.zeros_initializer(), "gamma": v1.ones_initializer()}


def _scale_and_shift(inputs, size, center, scale, given, trainable, collections):
    """Returns (beta, gamma), each of [size]. One that is not wanted is None."""
    made = {}
    for name, wanted in (("beta", center), ("gamma", scale)):
        if wanted:
            start = (given or {}).get(name, INITIALIZERS[name])
            where = get_variable_collections(collections, name)
            made[name] = model_variable(name, [size], inputs.dtype.base_dtype, start, None, trainable, where)
    return made.get("beta"), made.get("gamma")


def _channels(inputs, axis):
    size = inputs.shape[axis].value if hasattr(inputs.shape[axis], "value") else inputs.shape[axis]
    if size is None:
        raise ValueError(f"Inputs {inputs.name} has undefined channels dimension {inputs.shape}.")
    return int(size)


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
    """Normalizes each example and channel over its other axes (Ulyanov et al., 2016). The shape stays the same.

    Raises ValueError for an unknown data_format, rank or number of channels.
    """
    inputs = v1.convert_to_tensor(inputs)
    if inputs.shape.ndims is None:
        raise ValueError(f"Inputs {inputs.name} has undefined rank.")
    if data_format not in ("NHWC", "NCHW"):
        raise ValueError("data_format has to be either NCHW or NHWC.")
    rank = inputs.shape.ndims
    with v1.variable_scope(scope, "InstanceNorm", [inputs], reuse=reuse) as sc:
        axis = 1 if data_format == "NCHW" else rank - 1
        size = _channels(inputs, axis)
        shifts = _scale_and_shift(inputs, size, center, scale, param_initializers, trainable, variables_collections)
        if axis == 1:
            shape = [1, size] + [1] * (rank - 2)
            shifts = tuple(each if each is None else v1.reshape(each, shape) for each in shifts)
        mean, variance = v1.nn.moments(inputs, [i for i in range(1, rank) if i != axis], keep_dims=True)
        outputs = v1.nn.batch_normalization(inputs, mean, variance, *shifts, epsilon, name="instancenorm")
        outputs.set_shape(inputs.shape)
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
    """Normalizes each example over `reduction_axes` and groups of channels (Wu and He, 2018). The shape is kept.

    mean_close_to_zero: computes the variance as the mean of squares minus the square of the mean. Raises ValueError for
    axes that do not exist, and for a number of channels that `groups` does not divide.
    """
    inputs = v1.convert_to_tensor(inputs)
    rank = inputs.shape.ndims
    if rank is None:
        raise ValueError(f"Inputs {inputs.name} has undefined rank.")
    if max([channels_axis, *reduction_axes]) >= rank:
        raise ValueError("Axis is out of bounds.")
    axis, reduced = channels_axis % rank, [a % rank for a in reduction_axes]
    sizes = inputs.shape.as_list()
    if sizes[axis] is None:
        raise ValueError(f"Inputs {inputs.name} has undefined channel dimension: {axis}.")
    for a in reduced:
        if sizes[a] is None:
            raise ValueError(f"Inputs {inputs.name} has undefined dimensions {a}.")
        if a == axis:
            raise ValueError("reduction_axis must be mutually exclusive with channels_axis")
    size = sizes[axis]
    if size < groups:
        raise ValueError(f"Invalid groups {groups} for {size} channels.")
    if size % groups:
        raise ValueError(f"{size} channels is not commensurate with {groups} groups.")
    with v1.variable_scope(scope, "GroupNorm", [inputs], reuse=reuse) as sc:
        shifts = _scale_and_shift(inputs, size, center, scale, param_initializers, trainable, variables_collections)
        outputs = _by_groups(inputs, groups, axis, reduced, shifts, epsilon, mean_close_to_zero)
        outputs = outputs if activation_fn is None else activation_fn(outputs)
        return collect_named_outputs(outputs_collections, sc.name, outputs)


def _by_groups(inputs, groups, axis, reduced, shifts, epsilon, mean_close_to_zero):
    """Returns `inputs` normalized over the axes `reduced` and within each group of channels on `axis`."""
    rank, dynamic, size = inputs.shape.ndims, v1.shape(inputs), _channels(inputs, axis)
    split = [dynamic[i] for i in range(rank)]
    split[axis : axis + 1] = [groups, size // groups]
    # The groups get an axis of their own, so that an axis behind the channels moves by one.
    over = [a + (a > axis) for a in reduced] + [axis + 1]
    grouped = v1.reshape(inputs, split)
    if mean_close_to_zero:
        count, total, squares, _ = v1.nn.sufficient_statistics(grouped, over, keep_dims=True)
        mean, variance = v1.nn.normalize_moments(count, total, squares, None)
    else:
        mean, variance = v1.nn.moments(grouped, over, keep_dims=True)
    broad = [1] * (rank + 1)
    broad[axis : axis + 2] = [groups, size // groups]
    beta, gamma = (each if each is None else v1.reshape(each, broad) for each in shifts)
    # The order of these products is TF1's, and decides the last bits.
    gain = v1.rsqrt(variance + epsilon)
    offset = -mean * gain
    if gamma is not None:
        gain, offset = gain * gamma, offset * gamma
    offset = offset if beta is None else offset + beta
    outputs = v1.reshape(grouped * gain + offset, dynamic)
    outputs.set_shape(inputs.shape)
    return outputs
