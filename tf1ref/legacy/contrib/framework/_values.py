"""tf.contrib.framework's assignments: variables by name, from arrays and from checkpoints."""

import numpy as np
import tensorflow.compat.v1 as v1
from tensorflow.python.training import checkpoint_ops

from tf1ref.legacy.contrib.framework._variables import get_unique_variable, get_variable_full_name

load_and_remap_matrix = checkpoint_ops._load_and_remap_matrix
load_and_remap_matrix_initializer = checkpoint_ops._load_and_remap_matrix_initializer
load_embedding_initializer = checkpoint_ops._load_embedding_initializer


def assign_from_values(var_names_to_values):
    """Returns (op, feed_dict), which assign arrays to variables by name.

    Raises ValueError for a name that no variable has, and for an array with another number of elements.
    """
    ops, feed = [], {}
    for name, value in var_names_to_values.items():
        var, value = get_unique_variable(name), np.asarray(value)
        if value.size != var.shape.num_elements():
            raise ValueError(f"{name}: the array is {value.shape}, the variable {var.shape}")
        fed = v1.placeholder(var.dtype.base_dtype, shape=var.shape, name=f"placeholder/{var.op.name}")
        ops.append(v1.assign(var, fed))
        feed[fed] = value.reshape(var.shape.as_list())
    return v1.group(*ops), feed


def assign_from_values_fn(var_names_to_values):
    """Returns a function of a session that assigns as assign_from_values does."""
    op, feed = assign_from_values(var_names_to_values)
    return lambda session: session.run(op, feed)


def assign_from_checkpoint(model_path, var_list, ignore_missing_vars=False):
    """Returns (op, feed_dict), which assign the arrays of a checkpoint.

    var_list: variables, or {name in the checkpoint: variable, or a list of a variable's parts}. Raises ValueError for a
    name that the checkpoint lacks (unless ignore_missing_vars) and for an array of another shape.
    """
    named = var_list
    if not isinstance(var_list, dict):
        named = {}
        for var in var_list:
            named.setdefault(get_variable_full_name(var), []).append(var)
    reader, ops, feed = v1.train.NewCheckpointReader(model_path), [], {}
    for name, given in named.items():
        if not reader.has_tensor(name):
            if ignore_missing_vars:
                v1.logging.warning("Variable %s missing in checkpoint %s", name, model_path)
                continue
            raise ValueError(f"Checkpoint is missing variable [{name}]: {model_path}")
        whole = reader.get_tensor(name)
        for var in given if isinstance(given, (list, tuple)) else [given]:
            value = _part(whole, var)
            if list(value.shape) != var.shape.as_list():
                raise ValueError(
                    f"Total size of new array must be unchanged for {name} lh_shape: [{value.shape}], rh_shape: "
                    f"[{var.shape}]: {model_path}"
                )
            fed = v1.placeholder(var.dtype.base_dtype, shape=var.shape, name=f"placeholder/{var.op.name}")
            ops.append(v1.assign(var, fed))
            feed[fed] = value
    return v1.group(*ops), feed


def _part(whole, var):
    """Returns the rows of an array that belong to a part of a partitioned variable. For another variable: all rows."""
    info = getattr(var, "_save_slice_info", None)
    if not info:
        return whole
    return whole[tuple(slice(start, start + size) for start, size in zip(info.var_offset, info.var_shape))]


def assign_from_checkpoint_fn(model_path, var_list, ignore_missing_vars=False, reshape_variables=False):
    """Returns a function of a session that restores `var_list`, or None when the checkpoint has nothing of it.

    Raises ValueError for an empty var_list.
    """
    if not var_list:
        raise ValueError("var_list cannot be empty")
    named = var_list if isinstance(var_list, dict) else {v.op.name: v for v in var_list}
    if ignore_missing_vars:
        reader = v1.train.NewCheckpointReader(model_path)
        for name in named:
            if not reader.has_tensor(name):
                v1.logging.warning("Variable %s missing in checkpoint %s", name, model_path)
        named = {name: var for name, var in named.items() if reader.has_tensor(name)}
    if not named:
        v1.logging.warning("No Variables to restore")
        return None
    saver = v1.train.Saver(named, reshape=reshape_variables)
    return lambda session: saver.restore(session, model_path)
