"""Checkpoints by the names of variables, for code that runs eagerly."""

import contextlib

import tensorflow.compat.v1 as v1


class Saver:
    """Saves and restores variables by their names when code runs eagerly, as v1.train.Saver does in a session.

    Raises RuntimeError in a graph.
    """

    def __init__(self, var_list):
        if not v1.executing_eagerly():
            raise RuntimeError("tfe.Saver can only be used when eager execution is enabled. Use tf.train.Saver.")
        self._saver = v1.train.Saver(var_list)

    def save(self, file_prefix, global_step=None):
        """Writes `file_prefix[-global_step]`. Returns that prefix."""
        return self._saver.save(None, file_prefix, global_step=global_step)

    def restore(self, file_prefix):
        """Assigns the variables from a checkpoint."""
        self._saver.restore(None, file_prefix)


@contextlib.contextmanager
def restore_variables_on_create(save_path, map_func=None):
    """Gives each variable that is made in this context its value from a checkpoint.

    save_path: the prefix of the checkpoint; None restores nothing. map_func: from a variable's name to the name in the
    checkpoint. A name is restored once: a second variable of that name keeps its own first value.
    Raises ValueError in a graph and for a map_func that cannot be called, and NotFoundError for a name that the
    checkpoint lacks.
    """
    if not v1.executing_eagerly():
        raise ValueError("restore_variables_on_create can only be used with eager execution enabled.")
    if not (map_func is None or callable(map_func)):
        raise ValueError("map_func must be callable.")
    if not save_path:
        yield
        return
    reader = v1.train.load_checkpoint(save_path)
    done = set()

    def restored(make, **arguments):
        variable = make(**arguments)
        name = variable.name.partition(":")[0]
        name = name if map_func is None else map_func(name)
        if not reader.has_tensor(name):
            raise v1.errors.NotFoundError(None, None, f"{name} not found in checkpoint")
        if name not in done:
            done.add(name)
            variable.assign(reader.get_tensor(name))
        return variable

    with v1.variable_creator_scope(restored):
        yield


def get_optimizer_variables(optimizer):
    """Returns the variables that an optimizer made."""
    return optimizer.variables()
