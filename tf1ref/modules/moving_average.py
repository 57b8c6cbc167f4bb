"""TF1's ExponentialMovingAverage for tf.function code: shadow variables under TF1's checkpoint names."""

from collections.abc import Sequence

import tensorflow as tf

from tf1ref.modules._types import Scalar


class ExponentialMovingAverage(tf.Module):
    """shadow -= (1 - decay) * (shadow - variable), with decay = min(decay, (1 + n) / (10 + n)).

    n is `num_updates`, a variable. With None (the default) the decay is constant (v1.train.ExponentialMovingAverage).
    Shadows are named `<variable>/ExponentialMovingAverage` and start at the variable's value.

    >>> w = tf.Variable(4.0, name="w")
    >>> average = ExponentialMovingAverage(0.5)
    >>> average.create([w])
    >>> _ = w.assign(8.0)
    >>> average.apply([w])
    >>> print(average.average_name(w), average.average(w).numpy())
    w/ExponentialMovingAverage 6.0
    """

    def __init__(
        self, decay: Scalar, num_updates: Scalar | None = None, name: str = "ExponentialMovingAverage"
    ) -> None:
        super().__init__(name=name)
        self.decay, self.num_updates = decay, num_updates
        self.shadows: dict[str, tf.Variable] = {}

    def create(self, variables: Sequence[tf.Variable]) -> None:
        """Creates the shadows of `variables`. Call it once, outside of tf.function.

        Raises ValueError when two variables have the same name. TF1 numbers such names, but TF2 does not.
        """
        for variable in variables:
            name = self.average_name(variable)
            if name in self.shadows:
                raise ValueError(f"{name} exists: give every variable its own name, and create its shadow once")
            self.shadows[name] = tf.Variable(variable.read_value(), trainable=False, name=name)

    def average_name(self, variable: tf.Variable) -> str:
        """Returns the name under which TF1's Saver keeps the shadow."""
        return f"{variable.name.partition(':')[0]}/{self.name}"

    def average(self, variable: tf.Variable) -> tf.Variable:
        """Returns the shadow variable."""
        return self.shadows[self.average_name(variable)]

    def variables_by_name(self) -> dict[str, tf.Variable]:
        """Returns {checkpoint name: shadow variable}."""
        return dict(self.shadows)

    def apply(self, variables: Sequence[tf.Variable]) -> None:
        """Moves every shadow towards its variable."""
        decay = tf.convert_to_tensor(self.decay, tf.float32)
        if self.num_updates is not None:
            n = tf.cast(self.num_updates, tf.float32)
            decay = tf.minimum(decay, (1.0 + n) / (10.0 + n))
        for variable in variables:
            shadow = self.average(variable)
            rate = tf.cast(1.0 - decay, variable.dtype)
            shadow.assign_sub((shadow - variable) * rate)
