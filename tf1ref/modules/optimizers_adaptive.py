"""TF1's other optimizers for tf.function code: adaptive rates, and rules that make weights exactly zero.

Kernels, slot names, initial slots and defaults are those of `tf.compat.v1.train`, as in modules.optimizers. All of
them
take sparse gradients (tf.IndexedSlices), too, and then move only the rows that the gradient names.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf1ref.modules._types import Scalar, Tensor
from tf1ref.modules.optimizers import Optimizer, not_negative, positive


class Adagrad(Optimizer):
    """Learning rule: accum += gradient^2; variable -= learning_rate * gradient / sqrt(accum).

    Slot: `<variable>/Adagrad`, which starts at 0.1 (v1.train.AdagradOptimizer).
    """

    SLOTS = ("accumulator",)

    def __init__(
        self,
        learning_rate: Scalar | Callable[[], Scalar],
        initial_accumulator_value: float = 0.1,
        name: str = "Adagrad",
    ) -> None:
        super().__init__(learning_rate, name)
        self.initial_accumulator_value = positive(initial_accumulator_value, "initial_accumulator_value")

    def _initial(self, slot: str) -> float:
        return self.initial_accumulator_value

    def _apply(self, gradient: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        accum = self.slot(variable, "accumulator").handle
        tf.raw_ops.ResourceApplyAdagrad(var=variable.handle, accum=accum, lr=rate, grad=gradient)

    def _apply_rows(self, rows: Tensor, indices: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        accum = self.slot(variable, "accumulator").handle
        tf.raw_ops.ResourceSparseApplyAdagrad(var=variable.handle, accum=accum, lr=rate, grad=rows, indices=indices)


class AdagradDA(Optimizer):
    """Dual averaging: each step computes the variable anew from the sums since the first step.

    sum += gradient; squares += gradient^2; t = global_step + 1.
    variable = -learning_rate * shrunk(sum, l1 * t) / (sqrt(squares) + l2 * t * learning_rate).
    shrunk(x, by) moves x towards 0 by that amount, but not beyond 0. The initial value of the variable has no effect.
    `global_step` is an int64 variable. Give it to `apply` or `minimize`, too, which add 1 to it.
    Slots: `<variable>/AdagradDA` (sum) and `<variable>/AdagradDA_1` (squares, 0.1 at first)
    (v1.train.AdagradDAOptimizer).
    """

    SLOTS = ("gradient_accumulator", "gradient_squared_accumulator")

    def __init__(
        self,
        learning_rate: Scalar | Callable[[], Scalar],
        global_step: tf.Variable,
        initial_gradient_squared_accumulator_value: float = 0.1,
        l1_regularization_strength: Scalar = 0.0,
        l2_regularization_strength: Scalar = 0.0,
        name: str = "AdagradDA",
    ) -> None:
        super().__init__(learning_rate, name)
        self.global_step = global_step
        self.initial_gradient_squared_accumulator_value = positive(
            initial_gradient_squared_accumulator_value, "initial_gradient_squared_accumulator_value"
        )
        self.l1, self.l2 = l1_regularization_strength, l2_regularization_strength

    def _initial(self, slot: str) -> float:
        return self.initial_gradient_squared_accumulator_value if slot == "gradient_squared_accumulator" else 0

    def _arguments(self, variable: tf.Variable, rate: Tensor) -> dict[str, Any]:
        return {
            "var": variable.handle,
            "gradient_accumulator": self.slot(variable, "gradient_accumulator").handle,
            "gradient_squared_accumulator": self.slot(variable, "gradient_squared_accumulator").handle,
            "lr": rate,
            "l1": tf.cast(self.l1, variable.dtype),
            "l2": tf.cast(self.l2, variable.dtype),
            "global_step": tf.identity(self.global_step) + 1,
        }

    def _apply(self, gradient: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        tf.raw_ops.ResourceApplyAdagradDA(grad=gradient, **self._arguments(variable, rate))

    def _apply_rows(self, rows: Tensor, indices: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        tf.raw_ops.ResourceSparseApplyAdagradDA(grad=rows, indices=indices, **self._arguments(variable, rate))


class Adadelta(Optimizer):
    """Learning rule of Zeiler (arXiv:1212.5701), times a learning rate. The paper's own rule has a rate of 1.0.

    accum = rho * accum + (1 - rho) * gradient^2; update = gradient * sqrt(accum_update + epsilon) /
    sqrt(accum + epsilon); then accum_update = rho * accum_update + (1 - rho) * update^2 and
    variable -= learning_rate * update.
    Slots: `<variable>/Adadelta` (accum), `<variable>/Adadelta_1` (accum_update) (v1.train.AdadeltaOptimizer).
    """

    SLOTS = ("accum", "accum_update")

    def __init__(
        self,
        learning_rate: Scalar | Callable[[], Scalar] = 0.001,
        rho: Scalar = 0.95,
        epsilon: Scalar = 1e-8,
        name: str = "Adadelta",
    ) -> None:
        super().__init__(learning_rate, name)
        self.rho, self.epsilon = rho, epsilon

    def _arguments(self, variable: tf.Variable, rate: Tensor) -> dict[str, Any]:
        return {
            "var": variable.handle,
            "accum": self.slot(variable, "accum").handle,
            "accum_update": self.slot(variable, "accum_update").handle,
            "lr": rate,
            "rho": tf.cast(self.rho, variable.dtype),
            "epsilon": tf.cast(self.epsilon, variable.dtype),
        }

    def _apply(self, gradient: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        tf.raw_ops.ResourceApplyAdadelta(grad=gradient, **self._arguments(variable, rate))

    def _apply_rows(self, rows: Tensor, indices: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        tf.raw_ops.ResourceSparseApplyAdadelta(grad=rows, indices=indices, **self._arguments(variable, rate))


class RMSProp(Optimizer):
    """Learning rule: momentum = m * momentum + learning_rate * gradient / sqrt(rms + epsilon).

    rms = decay * rms + (1 - decay) * gradient^2; variable -= momentum. With `centered`, mg is the mean of the
    gradient,
    which decays like rms, and mg^2 is subtracted from rms under the root. Slots (v1.train.RMSPropOptimizer):
    `<variable>/RMSProp` (rms, which starts at ones), `_1` (mg, only when centered), and the next number (momentum).
    """

    SLOTS: tuple[str, ...] = ("rms", "momentum")

    def __init__(
        self,
        learning_rate: Scalar | Callable[[], Scalar],
        decay: Scalar = 0.9,
        momentum: Scalar = 0.0,
        epsilon: Scalar = 1e-10,
        centered: bool = False,
        name: str = "RMSProp",
    ) -> None:
        super().__init__(learning_rate, name)
        self.decay, self.momentum, self.epsilon, self.centered = decay, momentum, epsilon, centered
        if centered:
            self.SLOTS = ("rms", "mg", "momentum")

    def _initial(self, slot: str) -> float:
        return 1 if slot == "rms" else 0

    def _arguments(self, variable: tf.Variable, rate: Tensor) -> dict[str, Any]:
        centered = {"mg": self.slot(variable, "mg").handle} if self.centered else {}
        return {
            "var": variable.handle,
            "ms": self.slot(variable, "rms").handle,
            "mom": self.slot(variable, "momentum").handle,
            "lr": rate,
            "rho": tf.cast(self.decay, variable.dtype),
            "momentum": tf.cast(self.momentum, variable.dtype),
            "epsilon": tf.cast(self.epsilon, variable.dtype),
            **centered,
        }

    def _apply(self, gradient: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        kernel = tf.raw_ops.ResourceApplyCenteredRMSProp if self.centered else tf.raw_ops.ResourceApplyRMSProp
        kernel(grad=gradient, **self._arguments(variable, rate))

    def _apply_rows(self, rows: Tensor, indices: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        raw = tf.raw_ops
        kernel = raw.ResourceSparseApplyCenteredRMSProp if self.centered else raw.ResourceSparseApplyRMSProp
        kernel(grad=rows, indices=indices, **self._arguments(variable, rate))


class Ftrl(Optimizer):
    """Follow the regularized leader (McMahan et al., 2013): weights of little use become exactly zero.

    With p = -learning_rate_power: new = accum + gradient^2; linear += gradient - (new^p - accum^p) / learning_rate *
    variable; variable = (sign(linear) * l1 - linear) / (new^p / learning_rate + 2 * l2) where |linear| > l1, else 0.
    Then accum = new. `beta` adds beta / (2 * learning_rate) to l2. The l2 shrinkage adds 2 * shrinkage * variable to
    the gradient, but only in linear. Slots of v1.train.FtrlOptimizer: `<variable>/Ftrl` (accum, 0.1 at first) and
    `<variable>/Ftrl_1` (linear).
    """

    SLOTS = ("accum", "linear")

    def __init__(
        self,
        learning_rate: Scalar | Callable[[], Scalar],
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: Scalar = 0.0,
        l2_regularization_strength: Scalar = 0.0,
        name: str = "Ftrl",
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, name)
        if learning_rate_power > 0:
            raise ValueError(f"learning_rate_power is {learning_rate_power}: it must not be above 0")
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = not_negative(initial_accumulator_value, "initial_accumulator_value")
        self.l1 = not_negative(l1_regularization_strength, "l1_regularization_strength")
        self.l2 = not_negative(l2_regularization_strength, "l2_regularization_strength")
        self.l2_shrinkage = not_negative(l2_shrinkage_regularization_strength, "l2_shrinkage_regularization_strength")
        self.beta = beta

    def _initial(self, slot: str) -> float:
        return self.initial_accumulator_value if slot == "accum" else 0

    def _arguments(self, variable: tf.Variable, rate: Tensor) -> dict[str, Any]:
        # TF1 computes l2 and beta in float32, whatever the type of the variable is.
        l2 = self.l2 + self.beta / (2 * tf.maximum(tf.cast(rate, tf.float32), 1e-36))
        shrinkage = {"l2_shrinkage": tf.cast(self.l2_shrinkage, variable.dtype)} if self.l2_shrinkage else {}
        return {
            "var": variable.handle,
            "accum": self.slot(variable, "accum").handle,
            "linear": self.slot(variable, "linear").handle,
            "lr": rate,
            "l1": tf.cast(self.l1, variable.dtype),
            "l2": tf.cast(l2, variable.dtype),
            "lr_power": tf.cast(self.learning_rate_power, variable.dtype),
            **shrinkage,
        }

    def _apply(self, gradient: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        kernel = tf.raw_ops.ResourceApplyFtrlV2 if self.l2_shrinkage else tf.raw_ops.ResourceApplyFtrl
        kernel(grad=gradient, **self._arguments(variable, rate))

    def _apply_rows(self, rows: Tensor, indices: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        kernel = tf.raw_ops.ResourceSparseApplyFtrlV2 if self.l2_shrinkage else tf.raw_ops.ResourceSparseApplyFtrl
        kernel(grad=rows, indices=indices, **self._arguments(variable, rate))


class ProximalGradientDescent(Optimizer):
    """A step of gradient descent, then one towards zero: l1 subtracts a fixed length, l2 a share.

    variable = shrunk(variable - learning_rate * gradient, learning_rate * l1) / (1 + learning_rate * l2).
    Here shrunk(x, by) moves x towards 0 by that amount, but not beyond 0.
    This class takes float64, too; v1.train.ProximalGradientDescentOptimizer takes dense gradients of float32 only.
    """

    def __init__(
        self,
        learning_rate: Scalar | Callable[[], Scalar],
        l1_regularization_strength: Scalar = 0.0,
        l2_regularization_strength: Scalar = 0.0,
        name: str = "ProximalGradientDescent",
    ) -> None:
        super().__init__(learning_rate, name)
        self.l1, self.l2 = l1_regularization_strength, l2_regularization_strength

    def _arguments(self, variable: tf.Variable, rate: Tensor) -> dict[str, Any]:
        l1, l2 = tf.cast(self.l1, variable.dtype), tf.cast(self.l2, variable.dtype)
        return {"var": variable.handle, "alpha": rate, "l1": l1, "l2": l2}

    def _apply(self, gradient: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        tf.raw_ops.ResourceApplyProximalGradientDescent(delta=gradient, **self._arguments(variable, rate))

    def _apply_rows(self, rows: Tensor, indices: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        arguments = self._arguments(variable, rate)
        tf.raw_ops.ResourceSparseApplyProximalGradientDescent(grad=rows, indices=indices, **arguments)


class ProximalAdagrad(Adagrad):
    """Adagrad's accum and rate, learning_rate / sqrt(accum), in the rule of ProximalGradientDescent.

    Slot: `<variable>/ProximalAdagrad`, which starts at 0.1. v1.train.ProximalAdagradOptimizer takes no float64.
    """

    def __init__(
        self,
        learning_rate: Scalar | Callable[[], Scalar],
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: Scalar = 0.0,
        l2_regularization_strength: Scalar = 0.0,
        name: str = "ProximalAdagrad",
    ) -> None:
        super().__init__(learning_rate, initial_accumulator_value, name)
        self.l1, self.l2 = l1_regularization_strength, l2_regularization_strength

    def _arguments(self, variable: tf.Variable, rate: Tensor) -> dict[str, Any]:
        strengths = {"l1": tf.cast(self.l1, variable.dtype), "l2": tf.cast(self.l2, variable.dtype)}
        return {"var": variable.handle, "accum": self.slot(variable, "accumulator").handle, "lr": rate, **strengths}

    def _apply(self, gradient: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        tf.raw_ops.ResourceApplyProximalAdagrad(grad=gradient, **self._arguments(variable, rate))

    def _apply_rows(self, rows: Tensor, indices: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        tf.raw_ops.ResourceSparseApplyProximalAdagrad(grad=rows, indices=indices, **self._arguments(variable, rate))
