"""tf.contrib.layers.batch_norm (BatchNorm/beta, gamma, moving_mean, moving_variance) and layer_norm.

contrib's batch_norm has three ways, which differ in the last bits and in what they update. For rank 4 with updates in
UPDATE_OPS it is tf.layers' layer. For rank 2, or for updates that are forced or collected elsewhere, it is the fused
kernel with updates of its own. For other ranks, batch_weights or fused=False it is single ops.
"""

from typing import NamedTuple

import tensorflow.compat.v1 as v1
from tensorflow.python.training import moving_averages

from tf1ref.legacy._conditions import constant_value, smart_cond
from tf1ref.legacy._formats import from_last, to_last
from tf1ref.legacy.contrib.framework import add_model_variable, model_variable, variable
from tf1ref.legacy.contrib.framework._arg_scope import add_arg_scope, defaults_of
from tf1ref.legacy.contrib.layers._parts import channels_axis, collect_named_outputs, get_variable_collections
from tf1ref.legacy.layers._normalization import BatchNormalization

ZEROS, ONES = v1.zeros_initializer(), v1.ones_initializer()
UPDATE_OPS = v1.GraphKeys.UPDATE_OPS


@add_arg_scope
def batch_norm(
    inputs,
    decay=0.999,
    center=True,
    scale=False,
    epsilon=0.001,
    activation_fn=None,
    param_initializers=None,
    param_regularizers=None,
    updates_collections=UPDATE_OPS,
    is_training=True,
    reuse=None,
    variables_collections=None,
    outputs_collections=None,
    trainable=True,
    batch_weights=None,
    fused=None,
    data_format="NHWC",
    zero_debias_moving_mean=False,
    scope=None,
    renorm=False,
    renorm_clipping=None,
    renorm_decay=0.99,
    adjustment=None,
):
    """Normalizes by the moments of the batch while training, else by the moving averages.

    updates_collections: the collections of the updates; with None they run together with the output.
    is_training: a bool or a tensor. Raises NotImplementedError for renorm and adjustment. Raises ValueError for an
    unknown rank, number of channels or data_format.
    """
    if renorm or adjustment is not None:
        raise NotImplementedError("batch_norm without renorm and adjustment only: tf1ref does not give them back")
    inputs = v1.convert_to_tensor(inputs)
    rank = inputs.get_shape().ndims
    channels_axis(data_format, rank or 4)
    if rank is None:
        raise ValueError(f"Inputs {inputs.name} has undefined rank.")
    fused = fused is None or fused
    axis = channels_axis(data_format, rank)
    moving = _Moving(decay, epsilon, is_training, updates_collections, zero_debias_moving_mean)
    made = _Made(
        center, scale, param_initializers or {}, param_regularizers or {}, variables_collections, trainable
    )  # fmt: skip
    with v1.variable_scope(scope, "BatchNorm", [inputs], reuse=reuse, custom_getter=_placed) as sc:
        plain = batch_weights is None and updates_collections == UPDATE_OPS and not zero_debias_moving_mean
        if plain and not (fused and rank == 2):
            # The layer accepts `fused` only for inputs of rank 4.
            outputs = _by_layer(inputs, axis, fused if rank == 4 else False, reuse, sc, made=made, moving=moving)
        else:
            variables = _variables(inputs, axis, made)
            if fused and batch_weights is None and rank in (2, 4):
                outputs = _fused(inputs, axis, variables, moving)
            else:
                outputs = _by_ops(inputs, axis, variables, batch_weights, moving)
        outputs.set_shape(inputs.get_shape())
        outputs = outputs if activation_fn is None else activation_fn(outputs)
        return collect_named_outputs(outputs_collections, sc.name, outputs)


class _Moving(NamedTuple):
    """How the moving averages are updated."""

    decay: object
    epsilon: float
    is_training: object
    updates_collections: object
    zero_debias: bool


class _Made(NamedTuple):
    """How the variables are made."""

    center: bool
    scale: bool
    initializers: dict
    regularizers: dict
    collections: object
    trainable: bool


class _Variables(NamedTuple):
    """The four variables. beta and gamma may be None."""

    beta: object
    gamma: object
    moving_mean: object
    moving_variance: object


def _placed(getter, *args, **kwargs):
    """Makes a variable of the layer where an arg_scope puts those that model_variable makes."""
    device = defaults_of(model_variable).get("device") or defaults_of(variable).get("device")
    with v1.device(device or ""):
        return getter(*args, **kwargs)


def _by_layer(inputs, axis, fused, reuse, sc, *, made, moving):
    starts, penalties = made.initializers, made.regularizers
    layer = BatchNormalization(
        axis=axis, momentum=moving.decay, epsilon=moving.epsilon, center=made.center, scale=made.scale,
        beta_initializer=starts.get("beta", ZEROS), gamma_initializer=starts.get("gamma", ONES),
        moving_mean_initializer=starts.get("moving_mean", ZEROS),
        moving_variance_initializer=starts.get("moving_variance", ONES),
        beta_regularizer=penalties.get("beta"), gamma_regularizer=penalties.get("gamma"), fused=fused,
        trainable=made.trainable, name=sc.name, _scope=sc, _reuse=reuse,
    )  # fmt: skip
    outputs = layer(inputs, training=moving.is_training)
    for name in ("moving_mean", "moving_variance", "beta", "gamma"):
        variable = getattr(layer, name)
        if variable is not None:
            add_model_variable(variable)
            v1.add_to_collections(get_variable_collections(made.collections, name) or [], variable)
    return outputs


def _variables(inputs, axis, made):
    size = inputs.get_shape().as_list()[axis]
    if size is None:
        raise ValueError(f"Inputs {inputs.name} has undefined channels dimension.")
    dtype = v1.float32 if inputs.dtype.base_dtype == v1.float16 else inputs.dtype.base_dtype

    def make(name, start, trained=True):
        return model_variable(
            name,
            [size],
            dtype,
            initializer=made.initializers.get(name, start),
            regularizer=made.regularizers.get(name) if trained else None,
            trainable=made.trainable and trained,
            collections=get_variable_collections(made.collections, name),
        )

    beta = make("beta", ZEROS) if made.center else None
    gamma = make("gamma", ONES) if made.scale else None
    with v1.variable_scope(v1.get_variable_scope()) as unparted:
        # A moving average cannot be in parts.
        unparted.set_partitioner(None)
        return _Variables(beta, gamma, make("moving_mean", ZEROS, False), make("moving_variance", ONES, False))


def _moved(variables, mean, variance, moving):
    move, decay = moving_averages.assign_moving_average, moving.decay
    with v1.variable_scope(v1.get_variable_scope(), custom_getter=_of_the_model, auxiliary_name_scope=False):
        return (
            move(variables.moving_mean, mean, decay, zero_debias=moving.zero_debias),
            move(variables.moving_variance, variance, decay, zero_debias=False),
        )


def _of_the_model(getter, *args, **kwargs):
    """Makes a variable of an average without bias, `biased` or `local_step`, one of the model's."""
    made = getter(*args, **kwargs)
    add_model_variable(made)
    return made


def _fused(inputs, axis, variables, moving):
    beta, gamma, moving_mean, moving_variance = variables
    place = "channels_first" if axis == 1 and inputs.get_shape().ndims == 4 else "channels_last"
    x = to_last(inputs, place)
    if inputs.get_shape().ndims == 2:
        x = v1.reshape(x, [-1, 1, 1, inputs.get_shape().as_list()[1]])
    beta = v1.zeros_like(moving_mean) if beta is None else beta
    gamma = v1.ones_like(moving_mean) if gamma is None else gamma

    def training():
        return v1.nn.fused_batch_norm(x, gamma, beta, epsilon=moving.epsilon)

    def inference():
        return v1.nn.fused_batch_norm(
            x, gamma, beta, moving_mean, moving_variance, epsilon=moving.epsilon, is_training=False
        )

    outputs, mean, variance = smart_cond(moving.is_training, training, inference)
    if constant_value(moving.is_training) is not False:
        outputs = _updated(outputs, variables, mean, variance, moving)
    outputs = v1.reshape(outputs, v1.shape(inputs)) if inputs.get_shape().ndims == 2 else outputs
    return from_last(outputs, place)


def _updated(outputs, variables, mean, variance, moving):
    if moving.updates_collections is None:

        def forced():
            with v1.control_dependencies(_moved(variables, mean, variance, moving)):
                return v1.identity(outputs)

        return smart_cond(moving.is_training, forced, lambda: v1.identity(outputs))
    moved = smart_cond(
        moving.is_training,
        lambda: _moved(variables, mean, variance, moving),
        lambda: (v1.identity(variables.moving_mean), v1.identity(variables.moving_variance)),
    )
    for update in moved:
        v1.add_to_collections(moving.updates_collections, update)
    return outputs


def _by_ops(inputs, axis, variables, batch_weights, moving):
    beta, gamma, moving_mean, moving_variance = variables
    rank = inputs.get_shape().ndims
    axes = [i for i in range(rank) if i != axis]
    if constant_value(moving.is_training) is False:
        mean, variance = moving_mean, moving_variance
    else:
        if batch_weights is None:
            mean, variance = v1.nn.moments(inputs, axes)
        else:
            weights = v1.reshape(v1.convert_to_tensor(batch_weights), [-1] + [1] * (rank - 1))
            mean, variance = v1.nn.weighted_moments(inputs, axes, weights)
        # This comes before the choice below: the updates take the moments of the batch, whichever moments are used.
        mean = _updated(mean, variables, mean, variance, moving)
        batch, kept = (mean, variance), (moving_mean, moving_variance)
        mean, variance = smart_cond(
            moving.is_training, lambda: batch, lambda: tuple(v1.identity(each) for each in kept)
        )
    broadcast = [1 if i != axis else -1 for i in range(rank)]
    parts = (None if p is None or axis == rank - 1 else v1.reshape(p, broadcast) for p in (mean, variance, beta, gamma))
    parts = [old if new is None else new for old, new in zip((mean, variance, beta, gamma), parts)]
    return v1.nn.batch_normalization(inputs, *parts, moving.epsilon)


@add_arg_scope
def layer_norm(
    inputs,
    center=True,
    scale=True,
    activation_fn=None,
    reuse=None,
    variables_collections=None,
    outputs_collections=None,
    trainable=True,
    begin_norm_axis=1,
    begin_params_axis=-1,
    scope=None,
):
    """Normalizes each example over its axes from begin_norm_axis on (Ba et al., 2016). The scope is LayerNorm.

    Raises ValueError for an axis that the inputs do not have, and for inputs of unknown rank.
    """
    inputs = v1.convert_to_tensor(inputs)
    shape = inputs.get_shape()
    if shape.ndims is None:
        raise ValueError(f"Inputs {inputs.name} has undefined rank.")
    begin_norm_axis += shape.ndims if begin_norm_axis < 0 else 0
    if begin_params_axis >= shape.ndims or not 0 <= begin_norm_axis < shape.ndims:
        raise ValueError(
            f"begin_params_axis ({begin_params_axis}) and begin_norm_axis ({begin_norm_axis}) must be < rank(inputs)"
            f" ({shape.ndims})"
        )
    with v1.variable_scope(scope, "LayerNorm", [inputs], reuse=reuse) as sc:
        if not shape[begin_params_axis:].is_fully_defined():
            raise ValueError(f"Inputs {inputs.name}: shape[{begin_params_axis}:] is not fully defined: {shape}")

        def variable(name, start):
            collections = get_variable_collections(variables_collections, name)
            size = shape[begin_params_axis:]
            return model_variable(name, size, inputs.dtype.base_dtype, start, None, trainable, collections)

        beta = variable("beta", ZEROS) if center else None
        gamma = variable("gamma", ONES) if scale else None
        mean, variance = v1.nn.moments(inputs, list(range(begin_norm_axis, shape.ndims)), keep_dims=True)
        epsilon = 1e-3 if inputs.dtype.base_dtype == v1.float16 else 1e-12
        outputs = v1.nn.batch_normalization(inputs, mean, variance, offset=beta, scale=gamma, variance_epsilon=epsilon)
        outputs.set_shape(shape)
        outputs = outputs if activation_fn is None else activation_fn(outputs)
        return collect_named_outputs(outputs_collections, sc.name, outputs)
