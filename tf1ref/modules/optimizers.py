"""TF1's optimizers for tf.function code: the same kernels, slot names and checkpoint names.

Keras' optimizers of the same names compute something else; Adam's epsilon is one example. The optimizers here apply
the ResourceApply* kernels that `tf.compat.v1.train` applies, so each step equals the session's to the bit.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf

from tf1ref.modules._types import Scalar, Tensor


class Optimizer(tf.Module):
    """The base class: it names the slots as TF1 does and applies gradients.

    A subclass lists its slots in SLOTS, by the names that TF1's get_slot takes. It applies its kernels in `_apply`.
    `_apply_rows` does so for the rows of a sparse gradient, a tf.IndexedSlices such as tf.gather has.
    """

    SLOTS: tuple[str, ...] = ()

    def __init__(self, learning_rate: Scalar | Callable[[], Scalar], name: str) -> None:
        super().__init__(name=name)
        self.learning_rate = learning_rate
        self.slots: dict[str, tf.Variable] = {}

    def create(self, variables: Sequence[tf.Variable]) -> None:
        """Creates the slots of `variables`, each of its variable's shape. Call it once, outside of tf.function.

        TF1 creates slots in minimize(), but a tf.function cannot create variables after its first call.
        Raises ValueError when two variables have the same name. TF1 numbers such names, but TF2 does not.
        """
        for variable in variables:
            for slot in self.SLOTS:
                name = self._slot_name(variable, slot)
                if name in self.slots:
                    raise ValueError(f"{name} exists: give every variable its own name, and create its slots once")
                start = tf.constant(self._initial(slot), variable.dtype, variable.shape)
                self.slots[name] = tf.Variable(start, trainable=False, name=name)

    def slot(self, variable: tf.Variable, slot: str) -> tf.Variable:
        """Returns a slot variable, such as W/Momentum for "momentum". Raises ValueError before `create` is called."""
        name = self._slot_name(variable, slot)
        if name not in self.slots:
            raise ValueError(f"there is no {name}: call create() with the variables before the first step")
        return self.slots[name]

    def variables_by_name(self) -> dict[str, tf.Variable]:
        """Returns {checkpoint name: variable} of all the state that TF1's Saver would save."""
        return dict(self.slots)

    def minimize(
        self,
        tape: tf.GradientTape,
        loss: Tensor,
        variables: Sequence[tf.Variable],
        global_step: tf.Variable | None = None,
    ) -> list[Any]:
        """Applies one step that reduces `loss`, recorded on `tape`, and adds 1 to `global_step`. Returns the
        gradients.
        """
        gradients = tape.gradient(loss, variables)
        self.apply(zip(gradients, variables), global_step)
        return gradients

    def apply(self, pairs: Iterable[tuple[Any, tf.Variable]], global_step: tf.Variable | None = None) -> None:
        """Applies (gradient, variable) pairs. A gradient that is None is skipped, as in TF1.

        Raises ValueError when all gradients are None.
        """
        pairs = [(gradient, variable) for gradient, variable in pairs if gradient is not None]
        if not pairs:
            raise ValueError("no gradients for any variable: the loss does not depend on them")
        rate = self.learning_rate() if callable(self.learning_rate) else self.learning_rate
        for gradient, variable in pairs:
            if isinstance(gradient, tf.IndexedSlices):
                self._apply_sparse(gradient, variable, tf.cast(rate, variable.dtype))
            else:
                self._apply(gradient, variable, tf.cast(rate, variable.dtype))
        self._finish()
        if global_step is not None:
            global_step.assign_add(1)

    def _slot_name(self, variable: tf.Variable, slot: str) -> str:
        # TF1 names slots after the optimizer and numbers them: W/Adam (m), W/Adam_1 (v).
        number = self.SLOTS.index(slot)
        return f"{variable.name.partition(':')[0]}/{self.name}" + (f"_{number}" if number else "")

    def _initial(self, slot: str) -> float:
        # Every element of a new slot has this value.
        return 0

    def _apply(self, gradient: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        raise TypeError(f"{type(self).__name__} names no kernel")

    def _apply_sparse(self, gradient: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        # Rows with the same index are summed first, as TF1's _deduplicate_indexed_slices does.
        indices, places = tf.unique(gradient.indices)
        rows = tf.math.unsorted_segment_sum(gradient.values, places, tf.shape(indices)[0])
        self._apply_rows(rows, indices, variable, rate)

    def _apply_rows(self, rows: Tensor, indices: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        raise TypeError(f"{type(self).__name__} names no kernel for a sparse gradient")

    def _finish(self) -> None:
        """Changes what a step changes besides the variables and slots. By default this is nothing."""
        return  # AutoGraph cannot convert a function whose body is a docstring alone.


class GradientDescent(Optimizer):
    """Learning rule: variable -= learning_rate * gradient (v1.train.GradientDescentOptimizer).

    >>> w = tf.Variable([1.0, 2.0], name="w")
    >>> optimizer = GradientDescent(0.5)
    >>> optimizer.create([w])
    >>> optimizer.apply([(tf.constant([1.0, 1.0]), w)])
    >>> print(w.numpy())
    [0.5 1.5]
    """

    def __init__(self, learning_rate: Scalar | Callable[[], Scalar], name: str = "GradientDescent") -> None:
        super().__init__(learning_rate, name)

    def _apply(self, gradient: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=rate, delta=gradient)

    def _apply_sparse(self, gradient: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        # TF1 subtracts rows one after the other. It does not sum rows that have the same index first.
        rows = -gradient.values * rate
        tf.raw_ops.ResourceScatterAdd(resource=variable.handle, indices=gradient.indices, updates=rows)


class Momentum(Optimizer):
    """Learning rule: accum = momentum * accum + gradient; variable -= learning_rate * accum.

    Slot: `<variable>/Momentum` (v1.train.MomentumOptimizer). A sparse gradient moves only the rows that it names, and
    only the accum of these rows decays.

    >>> w = tf.Variable([1.0, 2.0], name="w")
    >>> optimizer = Momentum(0.5, momentum=0.5)
    >>> optimizer.create([w])
    >>> optimizer.apply([(tf.constant([1.0, 1.0]), w)])
    >>> optimizer.apply([(tf.constant([1.0, 1.0]), w)])
    >>> print(w.numpy(), optimizer.slot(w, "momentum").numpy())
    [-0.25  0.75] [1.5 1.5]
    """

    SLOTS = ("momentum",)

    def __init__(
        self,
        learning_rate: Scalar | Callable[[], Scalar],
        momentum: Scalar,
        use_nesterov: bool = False,
        name: str = "Momentum",
    ) -> None:
        super().__init__(learning_rate, name)
        self.momentum, self.use_nesterov = momentum, use_nesterov

    def _apply(self, gradient: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        tf.raw_ops.ResourceApplyMomentum(
            var=variable.handle,
            accum=self.slot(variable, "momentum").handle,
            lr=rate,
            grad=gradient,
            momentum=tf.cast(self.momentum, variable.dtype),
            use_nesterov=self.use_nesterov,
        )

    def _apply_rows(self, rows: Tensor, indices: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        tf.raw_ops.ResourceSparseApplyMomentum(
            var=variable.handle,
            accum=self.slot(variable, "momentum").handle,
            lr=rate,
            grad=rows,
            indices=indices,
            momentum=tf.cast(self.momentum, variable.dtype),
            use_nesterov=self.use_nesterov,
        )


class Adam(Optimizer):
    """Learning rule of Kingma and Ba (arXiv:1412.6980, the form before section 2.1's epsilon-hat).

    rate_t = learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t); variable -= rate_t * m / (sqrt(v) + epsilon).
    Slots: `<variable>/Adam` (m) and `<variable>/Adam_1` (v) (v1.train.AdamOptimizer). The powers of the betas are the
    variables `beta1_power` and `beta2_power`.
    A sparse gradient moves all rows: a row that it does not name moves by the m that is left.

    >>> w = tf.Variable([1.0, 2.0], name="w")
    >>> optimizer = Adam(0.5)
    >>> optimizer.create([w])
    >>> print(sorted(optimizer.variables_by_name()))
    ['beta1_power', 'beta2_power', 'w/Adam', 'w/Adam_1']
    """

    SLOTS = ("m", "v")

    def __init__(
        self,
        learning_rate: Scalar | Callable[[], Scalar] = 0.001,
        beta1: Scalar = 0.9,
        beta2: Scalar = 0.999,
        epsilon: Scalar = 1e-8,
        name: str = "Adam",
    ) -> None:
        super().__init__(learning_rate, name)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.beta1_power = tf.Variable(beta1, trainable=False, name="beta1_power", dtype=tf.float32)
        self.beta2_power = tf.Variable(beta2, trainable=False, name="beta2_power", dtype=tf.float32)

    def variables_by_name(self) -> dict[str, tf.Variable]:
        """Returns {checkpoint name: variable} of the slots and of the two powers of the betas."""
        return {"beta1_power": self.beta1_power, "beta2_power": self.beta2_power, **self.slots}

    def _apply(self, gradient: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        dtype = variable.dtype
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self.slot(variable, "m").handle,
            v=self.slot(variable, "v").handle,
            beta1_power=tf.cast(self.beta1_power, dtype),
            beta2_power=tf.cast(self.beta2_power, dtype),
            lr=rate,
            beta1=tf.cast(self.beta1, dtype),
            beta2=tf.cast(self.beta2, dtype),
            epsilon=tf.cast(self.epsilon, dtype),
            grad=gradient,
        )

    def _apply_rows(self, rows: Tensor, indices: Tensor, variable: tf.Variable, rate: Tensor) -> None:
        dtype = variable.dtype
        m, v = self.slot(variable, "m"), self.slot(variable, "v")
        beta1, beta2 = tf.cast(self.beta1, dtype), tf.cast(self.beta2, dtype)
        rate *= tf.sqrt(1 - tf.cast(self.beta2_power, dtype))
        rate /= 1 - tf.cast(self.beta1_power, dtype)
        m.assign(m * beta1)
        tf.raw_ops.ResourceScatterAdd(resource=m.handle, indices=indices, updates=rows * (1 - beta1))
        v.assign(v * beta2)
        tf.raw_ops.ResourceScatterAdd(resource=v.handle, indices=indices, updates=(rows * rows) * (1 - beta2))
        variable.assign_sub(rate * m / (tf.sqrt(v) + tf.cast(self.epsilon, dtype)))

    def _finish(self) -> None:
        self.beta1_power.assign(self.beta1_power * self.beta1)
        self.beta2_power.assign(self.beta2_power * self.beta2)


def positive(value: float, name: str) -> float:
    """Returns the value. Raises ValueError for 0 and below."""
    if value <= 0:
        raise ValueError(f"{name} is {value}: it must be above 0")
    return value


def not_negative(value: float, name: str) -> float:
    """Returns the value. Raises ValueError for a value below 0."""
    if value < 0:
        raise ValueError(f"{name} is {value}: it must not be below 0")
    return value
