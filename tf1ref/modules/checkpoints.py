"""Name-based checkpoints, the ones TF1's Saver writes, for tf.function code.

`tf.train.Checkpoint.read` of such a file loads nothing, silently, when the names do not match; here every
name must be there. The kernels are the ones the Saver's graph calls: SaveV2 and RestoreV2.
"""

import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.errors import InputError, nearest
from tf1ref.modules._types import Tensor


def save(
    folder: str,
    name: str,
    variables: Mapping[str, tf.Variable],
    global_step: int | Tensor | tf.Variable | None = None,
    max_to_keep: int = 5,
) -> str:
    """Writes {checkpoint name: variable} to `folder/name[-global_step]`; returns that prefix.

    `folder/checkpoint` names it as the latest one afterwards, so that an interrupted save is never the latest.
    Older ones that this folder's state lists go, but for `max_to_keep` (as the Saver does; 0 keeps all).
    """
    os.makedirs(folder, exist_ok=True)
    prefix = os.path.join(folder, name if global_step is None else f"{name}-{int(global_step)}")
    names = sorted(variables)
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[variables[n].read_value() for n in names],
    )
    state = v1.train.get_checkpoint_state(folder)
    older = [p for p in state.all_model_checkpoint_paths if p != prefix] if state else []
    kept = (older + [prefix])[-max_to_keep:]
    v1.train.update_checkpoint_state(folder, prefix, all_model_checkpoint_paths=kept)
    for gone in older:
        if gone not in kept:
            v1.train.remove_checkpoint(gone)
    return prefix


def restore(prefix: str, variables: Mapping[str, tf.Variable]) -> None:
    """Assigns the tensors of the checkpoint `prefix` to {checkpoint name: variable}: all of them, or none.

    Raises InputError for a file that cannot be read, a name that is not in it, or a shape or type that differs.
    """
    shapes, types = _contents(prefix)
    for name, variable in variables.items():
        if name not in shapes:
            raise InputError(f"{prefix}: holds no {name!r}{nearest(name, shapes)}")
        if not variable.shape.is_compatible_with(shapes[name]):
            raise InputError(f"{prefix}: {name} is {shapes[name]}, the variable {variable.shape.as_list()}")
        if types[name] != variable.dtype:
            raise InputError(f"{prefix}: {name} is {types[name].name}, the variable {variable.dtype.name}")
    names = list(variables)
    dtypes = [variables[n].dtype for n in names]
    try:
        values = tf.raw_ops.RestoreV2(
            prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), dtypes=dtypes
        )
    except tf.errors.OpError as e:
        raise InputError(f"{prefix}: damaged, its values cannot be read: {type(e).__name__}") from e
    for name, value in zip(names, values):
        variables[name].assign(value)


def _contents(prefix: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns {name: shape} and {name: dtype} of a checkpoint; InputError where there is none."""
    if not prefix or os.path.isdir(prefix):
        raise InputError(f"{prefix}: not a checkpoint: give its prefix, such as folder/model-100")
    try:
        reader = tf.train.load_checkpoint(prefix)
    except (tf.errors.OpError, ValueError) as e:
        raise InputError(f"{prefix}: not a checkpoint that can be read: {type(e).__name__}") from e
    return reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()


def latest(folder: str) -> str | None:
    """Returns the prefix of the latest checkpoint in `folder`, or None (v1.train.latest_checkpoint)."""
    return tf.train.latest_checkpoint(folder)
