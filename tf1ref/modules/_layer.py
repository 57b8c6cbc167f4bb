"""The base of layers and cells: a tf.Module with TF1's variable names, and the initial values that TF1's seeds give."""

import re
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.modules._types import Activation, Initializer, Scalar, Tensor

_ACTIVATIONS = ("elu", "relu", "relu6", "selu", "sigmoid", "softmax", "softplus", "softsign", "tanh")


class Layer(tf.Module):
    """A subclass makes its variables in `create`, once, outside of tf.function, which may make none later.

    name: the scope of its variables, such as "dense" or "encoder/dense". TF1 numbers layers without a name; here two
    layers of one model need two names. dtype: of the variables and the inputs.
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
        """Draws what all steps of one series share; for most cells nothing. RNN calls it before the first step."""
        return None  # AutoGraph takes no function of a docstring alone

    def _variable(
        self,
        name: str,
        shape: list[int],
        initializer: Initializer,
        trainable: bool = True,
        dtype: tf.DType | None = None,
    ) -> tf.Variable:
        """Makes a variable of the layer's scope. Raises ValueError for a second one, or a size that is none."""
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
        """Returns a tensor of [..., depth], of `rank` where given. Raises ValueError, or TypeError for the dtype."""
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
    """Returns the initializer, or for None TF1's default, glorot uniform, with that op seed."""
    return v1.glorot_uniform_initializer(seed=seed) if initializer is None else initializer


def activation(identifier: Activation, scope: str) -> Callable[[Any], Any]:
    """Returns a function: itself, one of tf.nn by name, or the identity for None and "linear"."""
    if identifier in (None, "linear"):
        return tf.identity
    if callable(identifier):
        return identifier
    if identifier in _ACTIVATIONS:
        return getattr(tf.nn, identifier)
    raise ValueError(f"{scope}: unknown activation {identifier!r}; a function, or one of {', '.join(_ACTIVATIONS)}")


def probability(value: Scalar, what: str, scope: str) -> Scalar:
    """Returns a number that has been checked, or a tensor as it is. Raises ValueError outside of 0 to 1."""
    if not tf.is_tensor(value) and not isinstance(value, tf.Variable) and not 0 <= value <= 1:
        raise ValueError(f"{scope}: {what} must be between 0 and 1, not {value}")
    return value


def _initial_value(initializer: Initializer, shape: list[int], dtype: tf.DType) -> Tensor:
    if getattr(initializer, "seed", None) is None:
        return tf.convert_to_tensor(initializer(list(shape), dtype))
    # In a function of its own: eagerly, the second draw with a seed goes on where the first one ended, while each of
    # TF1's ops begins anew.
    return tf.function(lambda: initializer(list(shape), dtype), autograph=False)()
