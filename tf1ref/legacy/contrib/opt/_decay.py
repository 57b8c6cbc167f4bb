"""Weight decay apart from the gradient (Loshchilov and Hutter, 2017): w -= weight_decay * w, then the step."""

import tensorflow.compat.v1 as v1


class DecoupledWeightDecayExtension:
    """A class to name before an optimizer's class: class AdamW(DecoupledWeightDecayExtension, AdamOptimizer).

    weight_decay: a number, a tensor, or a function without arguments. The learning rate does not scale it.
    """

    def __init__(self, weight_decay, **kwargs):
        self._decay_var_list, self._weight_decay, self._weight_decay_tensor = None, weight_decay, None
        super().__init__(**kwargs)

    def minimize(self, loss, *args, decay_var_list=None, **kwargs):
        """Does what Optimizer.minimize does. decay_var_list: the variables that decay (default: all)."""
        self._remember(decay_var_list)
        return super().minimize(loss, *args, **kwargs)

    def apply_gradients(self, grads_and_vars, global_step=None, name=None, decay_var_list=None):
        """Does what Optimizer.apply_gradients does. decay_var_list: the variables that decay (default: all)."""
        if decay_var_list is not None:
            self._remember(decay_var_list)
        return super().apply_gradients(grads_and_vars, global_step, name)

    def _remember(self, variables):
        self._decay_var_list = {v.ref() for v in variables} if variables else None

    def _prepare(self):
        decay = self._weight_decay() if callable(self._weight_decay) else self._weight_decay
        self._weight_decay_tensor = v1.convert_to_tensor(decay, name="weight_decay")
        super()._prepare()

    def _decayed(self, var, indices=None):
        if self._decay_var_list and var.ref() not in self._decay_var_list:
            return v1.no_op()
        decay = v1.cast(self._weight_decay_tensor, var.dtype.base_dtype)
        if indices is None:
            return var.assign_sub(decay * var, self._use_locking)
        rows = decay * v1.gather(var, indices)
        return v1.raw_ops.ResourceScatterSub(resource=var.handle, indices=indices, updates=rows)

    def _resource_apply_dense(self, grad, var):
        # Otherwise the gradient might be that of weights that have decayed already.
        with v1.control_dependencies([grad]):
            decayed = self._decayed(var)
        with v1.control_dependencies([decayed]):
            return super()._resource_apply_dense(grad, var)

    def _resource_apply_sparse(self, grad, var, indices):
        with v1.control_dependencies([grad]):
            decayed = self._decayed(var, indices)
        with v1.control_dependencies([decayed]):
            return super()._resource_apply_sparse(grad, var, indices)


def extend_with_decoupled_weight_decay(base_optimizer):
    """Returns the optimizer's class with weight_decay as its first argument."""

    class OptimizerWithDecoupledWeightDecay(DecoupledWeightDecayExtension, base_optimizer):
        def __init__(self, weight_decay, *args, **kwargs):
            names = base_optimizer.__init__.__code__.co_varnames[1:]
            super().__init__(weight_decay, **dict(zip(names, args)), **kwargs)

    return OptimizerWithDecoupledWeightDecay


class MomentumWOptimizer(DecoupledWeightDecayExtension, v1.train.MomentumOptimizer):
    """Momentum with decoupled weight decay."""

    def __init__(self, weight_decay, learning_rate, momentum, use_locking=False, name="MomentumW", use_nesterov=False):
        super().__init__(
            weight_decay,
            learning_rate=learning_rate,
            momentum=momentum,
            use_locking=use_locking,
            name=name,
            use_nesterov=use_nesterov,
        )


class AdamWOptimizer(DecoupledWeightDecayExtension, v1.train.AdamOptimizer):
    """Adam with decoupled weight decay."""

    def __init__(
        self, weight_decay, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8, use_locking=False, name="AdamW"
    ):
        super().__init__(
            weight_decay,
            learning_rate=learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            use_locking=use_locking,
            name=name,
        )
