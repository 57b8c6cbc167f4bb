"""The base of layers and cells: a tf.Module with TF1's variable names and the initial values of TF1's seeds."""

import re
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.modules._types import Activation, Initializer, Scalar, Tensor

_ACTIVATIONS = ("elu", "relu", "relu6", "selu", "sigmoid", "softmax", "softplus", "softsign", "tanh")


class Layer(tf.Module):
    """The base class. A subclass makes its variables in `create`, which is called once, outside of tf.function.

    name: the scope of the variables, such as "dense" or "encoder/dense". TF1 numbers layers that have no name. Here
    two layers of one model need two names.
    dtype: the type of the variables and the inputs.
    """

    def __init__(self, name: str, dtype: tf.DType = tf.float32) -> None:
        super().__init__(name=re.sub(r"^(?=\d)|\W", "_", name))
        self.scope, self.dtype = name, tf.as_dtype(dtype)
        self._named: dict[str, tf.Variable] = {}
        if not self.dtype.is_floating:
            raise TypeError(f"{name}: its variables must be floating-point, not {self.dtype.name}")

    def variables_by_name(self) -> dict[str, tf.Variable]:
        """Returns {checkpoint name: variable} in the order in which TF1 makes them."""
        return dict(self._named)

    def new_series(self) -> None:
        """Draws the values that all steps of a series share. Most cells draw none. RNN calls this before step 1."""
        return None  # AutoGraph cannot convert a function whose body is a docstring alone.

    def _variable(
        self,
        name: str,
        shape: list[int],
        initializer: Initializer,
        trainable: bool = True,
        dtype: tf.DType | None = None,
    ) -> tf.Variable:
        """Makes a variable in the layer's scope. Raises ValueError when it exists or a size is not a positive
        integer.
        """
        full, dtype = f"{self.scope}/{name}", dtype or self.dtype
        if full in self._named:
            raise ValueError(f"{full} exists: create a layer once, and make one object for each layer")
        if not all(isinstance(size, int) and size > 0 for size in shape):
            raise ValueError(f"{full}: its shape must be of positive integers, not {list(shape)}")
        start = _initial_value(initializer, shape, dtype)
        if start.shape != shape or start.dtype != dtype:
            what = f"{start.dtype.name} {start.shape.as_list()}"
            raise ValueError(f"{full} is {dtype.name} {list(shape)}, its initializer gives {what}")
        self._named[full] = tf.Variable(start, trainable=trainable, name=full)
        return self._named[full]

    def _checked(self, inputs: tf.Tensor, depth: int | None, rank: int | None = None, what: str = "inputs") -> Tensor:
        """Returns the inputs as a tensor of [..., depth], of rank `rank` where that is given.

        Raises ValueError when the shape does not fit, and TypeError for another dtype.
        """
        inputs = tf.convert_to_tensor(inputs)
        if not self._named:
            raise ValueError(f"{self.scope} has no variables: call create() before the first call")
        name, variable = next(iter(self._named.items()))
        found = f"{name} is {variable.dtype.name} {variable.shape.as_list()}, its {what} {inputs.dtype.name} "
        if inputs.dtype != self.dtype:
            raise TypeError(f"{found}{inputs.shape}: cast them to {self.dtype.name}")
        if inputs.shape.rank is None or inputs.shape.rank < 2 or rank not in (None, inputs.shape.rank):
            raise ValueError(f"{found}{inputs.shape}: expected rank {rank or '2 or more'}")
        if inputs.shape[-1] != depth:
            raise ValueError(f"{found}{inputs.shape}: expected a last axis of {depth}")
        return inputs


def glorot(initializer: Initializer | None, seed: int | None) -> Initializer:
    """Returns the initializer. For None it returns TF1's default, glorot uniform, with `seed` as its op seed."""
    return v1.glorot_uniform_initializer(seed=seed) if initializer is None else initializer


def activation(identifier: Activation, scope: str) -> Callable[[Any], Any]:
    """Returns an activation: a function as it is, one of tf.nn by its name, or the identity for None and "linear"."""
    if identifier in (None, "linear"):
        return tf.identity
    if callable(identifier):
        return identifier
    if identifier in _ACTIVATIONS:
        return getattr(tf.nn, identifier)
    raise ValueError(f"{scope}: unknown activation {identifier!r}; a function, or one of {', '.join(_ACTIVATIONS)}")


def probability(value: Scalar, what: str, scope: str) -> Scalar:
    """Returns a probability. A tensor is not checked; a number outside of 0 to 1 raises ValueError."""
    if not tf.is_tensor(value) and not isinstance(value, tf.Variable) and not 0 <= value <= 1:
        raise ValueError(f"{scope}: {what} must be between 0 and 1, not {value}")
    return value


def _initial_value(initializer: Initializer, shape: list[int], dtype: tf.DType) -> Tensor:
    if getattr(initializer, "seed", None) is None:
        return tf.convert_to_tensor(initializer(list(shape), dtype))
    # This is a function of its own: when code runs eagerly, the second draw with a seed continues where the first one
    # ended, but each op of TF1 starts anew.
    return tf.function(lambda: initializer(list(shape), dtype), autograph=False)()
