"""Flags such as `training`, whose value is known when the graph is built, or only when it runs."""

import tensorflow.compat.v1 as v1
from tensorflow.python.framework import tensor_util


def constant_value(flag):
    """Returns True or False where the value of the flag is known now, and None where it is not.

    flag: a bool, 0 or 1, None (the same as False), or a scalar tensor or variable of bool. Raises TypeError otherwise.
    """
    if flag is None:
        return False
    if isinstance(flag, v1.Variable):
        return None
    if v1.is_tensor(flag):
        value = tensor_util.constant_value(flag)
        return None if value is None else bool(value)
    if flag in (0, 1):
        return bool(flag)
    raise TypeError(f"a flag is a Boolean tensor, a bool, or 1 or 0, not {flag!r}")


def smart_cond(flag, if_true, if_false):
    """Returns if_true() or if_false(). tf.cond is used only where the value of the flag is not known yet."""
    value = constant_value(flag)
    if value is None:
        return v1.cond(flag, if_true, if_false)
    return if_true() if value else if_false()
