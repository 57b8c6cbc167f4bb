"""Saves and restores checkpoints by name, as TF1's Saver does, for tf.function code.

`tf.train.Checkpoint.read` loads nothing from such a file and gives no error when the names do not match. Here every
name must be in the file. The kernels are those that the Saver's graph runs: SaveV2 and RestoreV2.
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
    """Writes {checkpoint name: variable} to `folder/name[-global_step]`. Returns that prefix.

    The file `folder/checkpoint` is updated afterwards, so an interrupted save never becomes the latest one.
    max_to_keep: how many checkpoints of that file are kept; older ones are deleted, as the Saver does. 0 keeps all.
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
    """Assigns the tensors of the checkpoint `prefix` to {checkpoint name: variable}: either all of them or none.

    Raises InputError when the file cannot be read, a name is missing, or a shape or type differs.
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
        raise InputError(f"{prefix}: it is damaged and its values cannot be read: {type(e).__name__}") from e
    for name, value in zip(names, values):
        variables[name].assign(value)


def _contents(prefix: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns {name: shape} and {name: dtype} of a checkpoint. Raises InputError when it cannot be read."""
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
