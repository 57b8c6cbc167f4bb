"""TF1's optimizers for tf.function code: the same kernels, slot names and checkpoint names.

Keras' optimizers of the same names compute something else (Adam's epsilon, for one). These apply the
ResourceApply* kernels that `tf.compat.v1.train` applies, so a step equals the session's to the bit.
"""

import tensorflow as tf


class Optimizer(tf.Module):
    """What all of them share: slots named as in TF1, and `apply`.

    A subclass names its slots in SLOTS (the name TF1 gives them) and applies its kernel in `_apply`.
    """

    SLOTS = ()

    def __init__(self, learning_rate, name):
        super().__init__(name=name)
        self.learning_rate = learning_rate
        self.slots = {}

    def create(self, variables):
        """Creates the slots of `variables`, zeros of each one's shape. Once, outside of tf.function.

        TF1 creates them in minimize(); tf.function may create no variable after its first call.
        """
        for variable in variables:
            for slot in self.SLOTS:
                name = f"{variable.name.partition(':')[0]}/{slot}"
                zeros = tf.zeros(variable.shape, variable.dtype)
                self.slots[name] = tf.Variable(zeros, trainable=False, name=name)

    def slot(self, variable, slot):
        """Returns the slot variable, such as `W/Momentum`."""
        return self.slots[f"{variable.name.partition(':')[0]}/{slot}"]

    def variables_by_name(self):
        """Returns {checkpoint name: variable} of all the state that TF1's Saver would save."""
        return dict(self.slots)

    def minimize(self, tape, loss, variables, global_step=None):
        """Applies one step down `loss`, recorded on `tape`; adds 1 to `global_step`. Returns the gradients."""
        gradients = tape.gradient(loss, variables)
        self.apply(zip(gradients, variables), global_step)
        return gradients

    def apply(self, pairs, global_step=None):
        """Applies (gradient, variable) pairs; a gradient that is None is passed over, as in TF1."""
        rate = self.learning_rate() if callable(self.learning_rate) else self.learning_rate
        for gradient, variable in pairs:
            if gradient is not None:
                self._apply(gradient, variable, tf.cast(rate, variable.dtype))
        self._finish()
        if global_step is not None:
            global_step.assign_add(1)

    def _apply(self, gradient, variable, rate):
        raise TypeError(f"{type(self).__name__} names no kernel")

    def _finish(self):
        """What one step changes besides the variables."""
        return  # autograph cannot convert a body that is a docstring alone


class GradientDescent(Optimizer):
    """Learning rule: variable -= learning_rate * gradient (v1.train.GradientDescentOptimizer)."""

    def __init__(self, learning_rate, name="GradientDescent"):
        super().__init__(learning_rate, name)

    def _apply(self, gradient, variable, rate):
        tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=rate, delta=gradient)


class Momentum(Optimizer):
    """Learning rule: accum = momentum * accum + gradient; variable -= learning_rate * accum.

    Slot `<variable>/Momentum` (v1.train.MomentumOptimizer).
    """

    SLOTS = ("Momentum",)

    def __init__(self, learning_rate, momentum, use_nesterov=False, name="Momentum"):
        super().__init__(learning_rate, name)
        self.momentum, self.use_nesterov = momentum, use_nesterov

    def _apply(self, gradient, variable, rate):
        tf.raw_ops.ResourceApplyMomentum(
            var=variable.handle,
            accum=self.slot(variable, "Momentum").handle,
            lr=rate,
            grad=gradient,
            momentum=tf.cast(self.momentum, variable.dtype),
            use_nesterov=self.use_nesterov,
        )


class Adam(Optimizer):
    """Learning rule of Kingma and Ba (arXiv:1412.6980, the form before section 2.1's epsilon-hat).

    rate_t = learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t); variable -= rate_t * m / (sqrt(v) + epsilon).
    Slots `<variable>/Adam` (m) and `<variable>/Adam_1` (v); the powers of the betas are the variables
    `beta1_power` and `beta2_power` (v1.train.AdamOptimizer).
    """

    SLOTS = ("Adam", "Adam_1")

    def __init__(self, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8, name="Adam"):
        super().__init__(learning_rate, name)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.beta1_power = tf.Variable(beta1, trainable=False, name="beta1_power", dtype=tf.float32)
        self.beta2_power = tf.Variable(beta2, trainable=False, name="beta2_power", dtype=tf.float32)

    def variables_by_name(self):
        return {"beta1_power": self.beta1_power, "beta2_power": self.beta2_power, **self.slots}

    def _apply(self, gradient, variable, rate):
        dtype = variable.dtype
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self.slot(variable, "Adam").handle,
            v=self.slot(variable, "Adam_1").handle,
            beta1_power=tf.cast(self.beta1_power, dtype),
            beta2_power=tf.cast(self.beta2_power, dtype),
            lr=rate,
            beta1=tf.cast(self.beta1, dtype),
            beta2=tf.cast(self.beta2, dtype),
            epsilon=tf.cast(self.epsilon, dtype),
            grad=gradient,
        )

    def _finish(self):
        self.beta1_power.assign(self.beta1_power * self.beta1)
        self.beta2_power.assign(self.beta2_power * self.beta2)
