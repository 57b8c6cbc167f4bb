"""tf.contrib.framework: variables by collection and name, the step counter, checkpoints by name, arg_scope."""

import re

import numpy as np
import tensorflow.compat.v1 as v1
from tensorflow.python.util import nest

from tf1ref.legacy.contrib.framework._arg_scope import (
    add_arg_scope,
    arg_scope,
    arg_scoped_arguments,
    current_arg_scope,
    has_arg_scope,
)

__all__ = [
    "add_arg_scope", "add_model_variable", "arg_scope", "arg_scoped_arguments", "argsort", "assert_global_step",
    "assert_or_get_global_step", "assert_same_float_dtype", "assert_scalar", "assign_from_checkpoint",
    "assign_from_checkpoint_fn", "assign_from_values", "assign_from_values_fn", "create_global_step",
    "current_arg_scope", "filter_variables", "get_global_step", "get_local_variables", "get_model_variables",
    "get_name_scope", "get_or_create_global_step", "get_trainable_variables", "get_unique_variable", "get_variables",
    "get_variables_by_name", "get_variables_by_suffix", "get_variables_to_restore", "has_arg_scope",
    "init_from_checkpoint", "is_tensor", "list_variables", "load_checkpoint", "load_variable", "local_variable",
    "model_variable", "nest", "sort", "variable", "with_shape",
]  # fmt: skip

argsort, sort, is_tensor = v1.argsort, v1.sort, v1.is_tensor
assert_same_float_dtype, assert_scalar = v1.assert_same_float_dtype, v1.assert_scalar
load_checkpoint, load_variable = v1.train.load_checkpoint, v1.train.load_variable
list_variables = v1.train.list_variables
init_from_checkpoint = v1.train.init_from_checkpoint
get_global_step, create_global_step = v1.train.get_global_step, v1.train.create_global_step
get_or_create_global_step, assert_global_step = v1.train.get_or_create_global_step, v1.train.assert_global_step


def assert_or_get_global_step(graph=None, global_step_tensor=None):
    """Returns the graph's step counter, or checks the one given."""
    if global_step_tensor is None:
        return get_global_step(graph)
    assert_global_step(global_step_tensor)
    return global_step_tensor


def with_shape(expected_shape, tensor):
    """Returns `tensor` with that static shape. Raises ValueError where they do not fit."""
    tensor = v1.convert_to_tensor(tensor)
    tensor.set_shape(expected_shape)
    return tensor


def get_name_scope():
    """Returns the name scope that is open, without its closing slash."""
    return v1.get_default_graph().get_name_scope()


@add_arg_scope
def variable(
    name,
    shape=None,
    dtype=None,
    initializer=None,
    regularizer=None,
    trainable=True,
    collections=None,
    caching_device=None,
    device=None,
    partitioner=None,
    custom_getter=None,
    use_resource=None,
    synchronization=v1.VariableSynchronization.AUTO,
    aggregation=v1.VariableAggregation.NONE,
):
    """get_variable with a device, and GLOBAL_VARIABLES among its collections whatever else they are."""
    collections = list(collections if collections is not None else [v1.GraphKeys.GLOBAL_VARIABLES])
    if not {v1.GraphKeys.GLOBAL_VARIABLES, v1.GraphKeys.LOCAL_VARIABLES} & set(collections):
        collections.append(v1.GraphKeys.GLOBAL_VARIABLES)
    getter = v1.get_variable if custom_getter is None else _partial(custom_getter, v1.get_variable)
    with v1.device(device or ""):
        return getter(
            name,
            shape=shape,
            dtype=dtype,
            initializer=initializer,
            regularizer=regularizer,
            trainable=trainable,
            collections=list(dict.fromkeys(collections)),
            caching_device=caching_device,
            partitioner=partitioner,
            use_resource=use_resource,
            synchronization=synchronization,
            aggregation=aggregation,
        )


def _partial(custom_getter, getter):
    return lambda *args, **kwargs: custom_getter(getter, *args, **kwargs)


@add_arg_scope
def model_variable(
    name,
    shape=None,
    dtype=v1.float32,
    initializer=None,
    regularizer=None,
    trainable=True,
    collections=None,
    caching_device=None,
    device=None,
    partitioner=None,
    custom_getter=None,
    use_resource=None,
    synchronization=v1.VariableSynchronization.AUTO,
    aggregation=v1.VariableAggregation.NONE,
):
    """`variable` that is in MODEL_VARIABLES too."""
    collections = [*(collections or []), v1.GraphKeys.GLOBAL_VARIABLES, v1.GraphKeys.MODEL_VARIABLES]
    # By name: an arg_scope may have defaults for `variable` too, and the call's own win.
    return variable(
        name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer, trainable=trainable,
        collections=collections, caching_device=caching_device, device=device, partitioner=partitioner,
        custom_getter=custom_getter, use_resource=use_resource, synchronization=synchronization,
        aggregation=aggregation,
    )  # fmt: skip


def local_variable(initial_value, validate_shape=True, name=None, use_resource=None):
    """Returns a variable in LOCAL_VARIABLES that is not trained."""
    return v1.Variable(
        initial_value,
        trainable=False,
        collections=[v1.GraphKeys.LOCAL_VARIABLES],
        validate_shape=validate_shape,
        name=name,
        use_resource=use_resource,
    )


def add_model_variable(var):
    """Adds a variable to MODEL_VARIABLES, unless it is there."""
    if all(var is not known for known in v1.get_collection(v1.GraphKeys.MODEL_VARIABLES)):
        v1.add_to_collection(v1.GraphKeys.MODEL_VARIABLES, var)


def get_variables(scope=None, suffix=None, collection=v1.GraphKeys.GLOBAL_VARIABLES):
    """Returns the variables of a collection below `scope` (a name or VariableScope) whose name ends in `suffix`."""
    scope = scope.name if isinstance(scope, v1.VariableScope) else scope
    if suffix is not None:
        suffix = suffix if ":" in suffix else suffix + ":"
        scope = f"{scope or ''}.*{suffix}"
    return v1.get_collection(collection, scope)


def get_model_variables(scope=None, suffix=None):
    """get_variables of MODEL_VARIABLES."""
    return get_variables(scope, suffix, v1.GraphKeys.MODEL_VARIABLES)


def get_local_variables(scope=None, suffix=None):
    """get_variables of LOCAL_VARIABLES."""
    return get_variables(scope, suffix, v1.GraphKeys.LOCAL_VARIABLES)


def get_trainable_variables(scope=None, suffix=None):
    """get_variables of TRAINABLE_VARIABLES."""
    return get_variables(scope, suffix, v1.GraphKeys.TRAINABLE_VARIABLES)


def get_variables_by_suffix(suffix, scope=None):
    """get_variables by the end of the name."""
    return get_variables(scope, suffix)


def get_variables_by_name(given_name, scope=None):
    """Returns the variables whose last part of the name is `given_name`."""
    return get_variables(scope, f"/{given_name}:|^{given_name}:")


def get_unique_variable(var_op_name):
    """Returns the variable of that op name. Raises ValueError when there is none."""
    found = [v for v in get_variables(var_op_name) if v.op.name == var_op_name]
    if not found:
        raise ValueError(f"Variable {var_op_name} does not exist")
    return found[0]


def get_variables_to_restore(include=None, exclude=None):
    """Returns the global variables below the scopes of `include` (all) and below none of `exclude`."""
    wanted = [v for scope in include for v in get_variables(scope)] if include is not None else get_variables()
    unwanted = {id(v) for scope in exclude or () for v in get_variables(scope)}
    return [v for v in wanted if id(v) not in unwanted]


def filter_variables(var_list, include_patterns=None, exclude_patterns=None, reg_search=True):
    """Returns the variables whose op name matches any pattern of `include_patterns` and none of `exclude_patterns`."""
    match = re.search if reg_search else re.match
    if include_patterns:
        var_list = [v for v in var_list if any(match(pattern, v.op.name) for pattern in include_patterns)]
    return [v for v in var_list if not any(match(pattern, v.op.name) for pattern in exclude_patterns or ())]


def assign_from_values(var_names_to_values):
    """Returns (op, feed_dict) that assign arrays to variables by name."""
    ops, feed = [], {}
    for name, value in var_names_to_values.items():
        var, value = get_unique_variable(name), np.asarray(value)
        fed = v1.placeholder(var.dtype.base_dtype, shape=value.shape, name=f"{var.op.name}_value")
        ops.append(v1.assign(var, v1.reshape(fed, var.shape)))
        feed[fed] = value
    return v1.group(*ops), feed


def assign_from_values_fn(var_names_to_values):
    """Returns a function of a session that does what assign_from_values says."""
    op, feed = assign_from_values(var_names_to_values)
    return lambda session: session.run(op, feed)


def assign_from_checkpoint(model_path, var_list, ignore_missing_vars=False):
    """Returns (op, feed_dict) that assign a checkpoint's arrays.

    var_list: variables, or {name in the checkpoint: variable}. Raises ValueError for a name the checkpoint lacks
    (unless ignore_missing_vars) or an array of another number of elements.
    """
    named = var_list if isinstance(var_list, dict) else {v.op.name: v for v in var_list}
    reader, ops, feed = v1.train.NewCheckpointReader(model_path), [], {}
    for name, var in named.items():
        if not reader.has_tensor(name):
            if ignore_missing_vars:
                v1.logging.warning("Variable %s missing in checkpoint %s", name, model_path)
                continue
            raise ValueError(f"Checkpoint is missing variable [{name}]: {model_path}")
        value = reader.get_tensor(name)
        if value.size != var.shape.num_elements():
            raise ValueError(f"{name}: {value.shape} in {model_path}, the variable {var.op.name} is {var.shape}")
        fed = v1.placeholder(var.dtype.base_dtype, shape=var.shape, name=f"{var.op.name}_value")
        ops.append(v1.assign(var, fed))
        feed[fed] = value.reshape(var.shape.as_list())
    return v1.group(*ops), feed


def assign_from_checkpoint_fn(model_path, var_list, ignore_missing_vars=False, reshape_variables=False):
    """Returns a function of a session that restores `var_list`, or None where nothing of it is in the checkpoint."""
    named = var_list if isinstance(var_list, dict) else {v.op.name: v for v in var_list}
    if ignore_missing_vars:
        reader = v1.train.NewCheckpointReader(model_path)
        named = {name: var for name, var in named.items() if reader.has_tensor(name)}
    if not named:
        v1.logging.warning("No Variables to restore")
        return None
    saver = v1.train.Saver(named, reshape=reshape_variables)
    return lambda session: saver.restore(session, model_path)
