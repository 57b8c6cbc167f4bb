"""Optimizers around another one: moving averages saved in place of the weights, and tasks without a gradient."""

import tensorflow.compat.v1 as v1


class MovingAverageOptimizer(v1.train.Optimizer):
    """Keeps exponential moving averages of the variables that the wrapped optimizer changes.

    sequential_update: True lets the averages take the new values. With False they may take the old ones.
    """

    def __init__(self, opt, average_decay=0.9999, num_updates=None, sequential_update=True):
        self._optimizer, self._sequential_update = opt, sequential_update
        self._ema = v1.train.ExponentialMovingAverage(average_decay, num_updates=num_updates)
        self._swapped = None
        super().__init__(opt._use_locking, "MovingAverageOptimizer")

    def compute_gradients(self, *args, **kwargs):
        """Returns the wrapped optimizer's gradients."""
        return self._optimizer.compute_gradients(*args, **kwargs)

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        """Adds the wrapped optimizer's step, then the averages' update."""
        grads_and_vars = list(grads_and_vars)
        train_op = self._optimizer.apply_gradients(grads_and_vars, global_step=global_step, name=name)
        variables = [var for gradient, var in grads_and_vars if gradient is not None]
        with v1.control_dependencies([train_op] if self._sequential_update else []):
            moved = self._ema.apply(variables)
        self._swapped = {self._ema.average(var).op.name: var.op.name for var in variables}
        return v1.group(train_op, moved, name="train_with_avg")

    def swapping_saver(self, var_list=None, name="swapping_saver", **kwargs):
        """Returns a Saver that writes each average under its variable's name, and the variable under the average's.

        Raises RuntimeError before apply_gradients was called, and ValueError when var_list lacks one of a pair.
        """
        if self._swapped is None:
            raise RuntimeError("Must call apply_gradients or minimize before creating the swapping_saver")
        variables = v1.global_variables() if var_list is None else var_list
        by_name = variables if isinstance(variables, dict) else {var.op.name: var for var in variables}
        saved = dict(by_name)
        for average, plain in self._swapped.items():
            if average not in by_name or plain not in by_name:
                raise ValueError(f"Variable to swap {average if average not in by_name else plain} is not in var_list")
            saved[plain], saved[average] = by_name[average], by_name[plain]
        return v1.train.Saver(saved, name=name, **kwargs)


class MultitaskOptimizerWrapper:
    """An optimizer that leaves a variable and its slots unchanged when its gradient is all zeros."""

    def __init__(self, opt):
        if not isinstance(opt, v1.train.Optimizer):
            raise TypeError("Supplied optimizer must be an instance of tf.train.Optimizer")
        self._opt = opt
        for name in ("_resource_apply_dense", "_resource_apply_sparse_duplicate_indices", "_apply_dense"):
            setattr(opt, name, _unless_zero(getattr(opt, name)))

    def __getattr__(self, name):
        return getattr(self._opt, name)


def _unless_zero(apply):
    def applied(grad, var, *args):
        moves = v1.reduce_any(v1.not_equal(grad, 0))
        return v1.cond(moves, lambda: v1.group(apply(grad, var, *args)), v1.no_op)

    return applied


def clip_gradients_by_global_norm(gradients_variables, clip_norm=20.0):
    """Returns [(gradient, variable)], clipped together. Gradients stay zeros when all of them are zeros."""
    gradients, variables = zip(*gradients_variables)
    norm = v1.global_norm(gradients)
    # The norm of zeros is 0, and a division by it would give NaN.
    norm = v1.where(v1.equal(norm, 0.0), v1.ones_like(norm), norm)
    clipped, _ = v1.clip_by_global_norm(gradients, clip_norm, use_norm=norm)
    return list(zip(clipped, variables))
