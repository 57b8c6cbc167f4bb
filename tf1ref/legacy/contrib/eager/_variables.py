"""Lets tf.train's optimizers and Savers take Keras 3's variables, which are objects around TensorFlow's.

In eager programs tf.keras is the installed Keras. In 1.5 to 1.15 its models were trained by tf.train's optimizers.
"""

import functools

import tensorflow.compat.v1 as v1


def install():
    """Makes tf.train.Optimizer and tf.train.Saver accept variables of Keras."""
    optimizer = v1.train.Optimizer
    optimizer.apply_gradients = _taking(optimizer.apply_gradients, "grads_and_vars", 0, _pairs)
    optimizer.compute_gradients = _taking(optimizer.compute_gradients, "var_list", 1, _variables)
    v1.train.Saver.__init__ = _taking(v1.train.Saver.__init__, "var_list", 0, _variables)


def _taking(method, name, position, change):
    @functools.wraps(method)
    def changed(self, *args, **kwargs):
        if name in kwargs:
            kwargs[name] = change(kwargs[name])
        elif len(args) > position:
            args = (*args[:position], change(args[position]), *args[position + 1 :])
        return method(self, *args, **kwargs)

    return changed


def _pairs(grads_and_vars):
    return [(gradient, _inside(variable)) for gradient, variable in grads_and_vars]


def _variables(given):
    if isinstance(given, dict):
        return {name: _inside(variable) for name, variable in given.items()}
    return [_inside(variable) for variable in given] if isinstance(given, (list, tuple)) else given


def _inside(variable):
    return variable.value if type(variable).__module__.startswith("keras.") else variable
