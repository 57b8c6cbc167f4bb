"""Types of arguments that the modules share."""

from collections.abc import Callable
from typing import Any, TypeAlias

import tensorflow as tf

Tensor: TypeAlias = tf.Tensor
# A number, or a scalar tensor or variable.
Scalar: TypeAlias = float | tf.Tensor | tf.Variable
# A function of (shape, dtype) that returns the initial value.
Initializer: TypeAlias = Callable[..., tf.Tensor]
# A function of a tensor, the name of one of tf.nn, or None.
Activation: TypeAlias = Callable[[Any], Any] | str | None
# A tensor, or tuples of tensors: the state of a cell.
State: TypeAlias = Any
# An integer, or tuples of integers.
Sizes: TypeAlias = Any
