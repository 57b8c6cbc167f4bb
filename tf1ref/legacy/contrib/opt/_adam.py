"""Variants of Adam: for sparse gradients (lazy), with Nesterov's momentum, with the infinity norm."""

import tensorflow.compat.v1 as v1


def _numbers(optimizer, var):
    """Returns Adam's (beta1^t, beta2^t, rate, beta1, beta2, epsilon) in the type of the variable."""
    tensors = (*optimizer._get_beta_accumulators(), optimizer._lr_t, optimizer._beta1_t, optimizer._beta2_t)
    return [v1.cast(t, var.dtype.base_dtype) for t in (*tensors, optimizer._epsilon_t)]


class LazyAdamOptimizer(v1.train.AdamOptimizer):
    """Adam that changes only the rows and slots that a sparse gradient names."""

    def _resource_apply_sparse(self, grad, var, indices):
        beta1_power, beta2_power, rate, beta1, beta2, epsilon = _numbers(self, var)
        rate = rate * v1.sqrt(1 - beta2_power) / (1 - beta1_power)
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        new_m = beta1 * v1.gather(m, indices) + (1 - beta1) * grad
        new_v = beta2 * v1.gather(v, indices) + (1 - beta2) * v1.square(grad)
        steps = rate * new_m / (v1.sqrt(new_v) + epsilon)
        updates = [_set(m, indices, new_m), _set(v, indices, new_v), _subtract(var, indices, steps)]
        return v1.group(*updates)

    def _apply_sparse(self, grad, var):
        return self._resource_apply_sparse(grad.values, var, grad.indices)


def _set(variable, indices, rows):
    return v1.raw_ops.ResourceScatterUpdate(resource=variable.handle, indices=indices, updates=rows)


def _subtract(variable, indices, rows):
    return v1.raw_ops.ResourceScatterSub(resource=variable.handle, indices=indices, updates=rows)


class NadamOptimizer(v1.train.AdamOptimizer):
    """Adam with Nesterov's momentum (Dozat, 2015), which is use_nesterov of Adam's kernel."""

    def _resource_apply_dense(self, grad, var):
        names = ("beta1_power", "beta2_power", "lr", "beta1", "beta2", "epsilon")
        return v1.raw_ops.ResourceApplyAdam(
            var=var.handle,
            m=self.get_slot(var, "m").handle,
            v=self.get_slot(var, "v").handle,
            **dict(zip(names, _numbers(self, var))),
            grad=grad,
            use_locking=self._use_locking,
            use_nesterov=True,
        )

    def _resource_apply_sparse(self, grad, var, indices):
        beta1_power, beta2_power, rate, beta1, beta2, epsilon = _numbers(self, var)
        rate = rate * v1.sqrt(1 - beta2_power) / (1 - beta1_power)
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        new_m = self._moved(m, beta1, indices, grad)
        new_v = self._moved(v, beta2, indices, v1.square(grad))
        # Nesterov's momentum adds the gradient once more, in the rows that have one.
        rows = v1.scatter_nd(v1.expand_dims(indices, -1), grad * (1 - beta1), v1.shape(new_m, out_type=indices.dtype))
        ahead = beta1 * new_m + rows
        return var.assign_sub(rate * ahead / (v1.sqrt(new_v) + epsilon), use_locking=self._use_locking)

    def _moved(self, slot, beta, indices, rows):
        """Returns the slot after its decay and the addition of the rows."""
        with v1.control_dependencies([slot.assign(slot * beta, use_locking=self._use_locking)]):
            added = _add(slot, indices, rows * (1 - beta))
        with v1.control_dependencies([added]):
            return slot.read_value()


def _add(variable, indices, rows):
    return v1.raw_ops.ResourceScatterAdd(resource=variable.handle, indices=indices, updates=rows)


class AdaMaxOptimizer(v1.train.AdamOptimizer):
    """AdaMax (Kingma and Ba, 2015, section 7.1). The largest decayed gradient replaces the second moment."""

    def __init__(self, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8, use_locking=False, name="AdaMax"):
        super().__init__(learning_rate, beta1, beta2, epsilon, use_locking, name)

    def _resource_apply_dense(self, grad, var):
        beta1_power, _, rate, beta1, beta2, epsilon = _numbers(self, var)
        return v1.raw_ops.ResourceApplyAdaMax(
            var=var.handle,
            m=self.get_slot(var, "m").handle,
            v=self.get_slot(var, "v").handle,
            beta1_power=beta1_power,
            lr=rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            grad=grad,
            use_locking=self._use_locking,
        )

    def _resource_apply_sparse(self, grad, var, indices):
        beta1_power, _, rate, beta1, beta2, epsilon = _numbers(self, var)
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        new_m = beta1 * v1.gather(m, indices) + (1 - beta1) * grad
        new_v = v1.maximum(beta2 * v1.gather(v, indices), v1.abs(grad))
        steps = rate / (1 - beta1_power) * new_m / (new_v + epsilon)
        return v1.group(_set(m, indices, new_m), _set(v, indices, new_v), _subtract(var, indices, steps))
