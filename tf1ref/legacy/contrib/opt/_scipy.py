"""Minimizers outside of the graph, such as SciPy's. They ask a session for the loss and its gradient."""

import numpy as np
import tensorflow.compat.v1 as v1

from tf1ref.errors import NotInstalled


class ExternalOptimizerInterface:
    """A minimizer in Python. A subclass's _minimize works on vectors; at the end the variables are set.

    loss: a scalar tensor. var_list: the variables (default: the trainable ones). equalities: tensors that must be 0.
    inequalities: tensors that must not be below 0. var_to_bounds: {variable: (low, high)}.
    """

    def __init__(self, loss, var_list=None, equalities=None, inequalities=None, var_to_bounds=None, **optimizer_kwargs):
        self._loss, self.optimizer_kwargs = loss, optimizer_kwargs
        self._equalities, self._inequalities = equalities or [], inequalities or []
        self._vars = list(v1.trainable_variables() if var_list is None else var_list)
        self._shapes = [var.shape.as_list() for var in self._vars]
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]
        self._bounds = _packed_bounds(self._vars, var_to_bounds) if var_to_bounds is not None else None
        self._loss_grad = self._gradient(loss)
        self._equality_grads = [self._gradient(each) for each in self._equalities]
        self._inequality_grads = [self._gradient(each) for each in self._inequalities]
        self._values = [var.read_value() for var in self._vars]
        self._places = [v1.placeholder(var.dtype.base_dtype, var.shape) for var in self._vars]
        self._assign = v1.group(*(var.assign(place) for var, place in zip(self._vars, self._places)))

    def _gradient(self, tensor):
        gradients = v1.gradients(tensor, self._vars)
        flat = [
            v1.reshape(v1.zeros_like(var) if g is None else v1.convert_to_tensor(g), [-1])
            for g, var in zip(gradients, self._vars)
        ]
        return v1.concat(flat, 0)

    def minimize(
        self, session=None, feed_dict=None, fetches=None, step_callback=None, loss_callback=None, **run_kwargs
    ):
        """Minimizes the loss, then sets the variables. loss_callback gets the values of `fetches` for each loss."""
        session = session or v1.get_default_session()
        ask = _Asking(
            self, session, feed_dict or {}, fetches or [], loss_callback or (lambda *values: None), run_kwargs
        )
        start = np.concatenate([np.ravel(value) for value in session.run(self._values)]).astype("float64")
        pairs = [
            [ask.function(tensor), ask.function(gradient)]
            for tensor, gradient in (
                *zip(self._equalities, self._equality_grads),
                *zip(self._inequalities, self._inequality_grads),
            )
        ]
        count = len(self._equalities)
        found = self._minimize(
            initial_val=start,
            loss_grad_func=ask.loss_and_gradient,
            equality_funcs=[f for f, _ in pairs[:count]],
            equality_grad_funcs=[g for _, g in pairs[:count]],
            inequality_funcs=[f for f, _ in pairs[count:]],
            inequality_grad_funcs=[g for _, g in pairs[count:]],
            packed_bounds=self._bounds,
            step_callback=step_callback,
            optimizer_kwargs=self.optimizer_kwargs,
        )
        session.run(self._assign, dict(zip(self._places, self._unpacked(found))), **run_kwargs)

    def _minimize(self, initial_val, loss_grad_func, equality_funcs, equality_grad_funcs, inequality_funcs,
                  inequality_grad_funcs, packed_bounds, step_callback, optimizer_kwargs):  # fmt: skip
        """Returns the vector at the minimum. Subclasses implement this."""
        raise NotImplementedError("To use ExternalOptimizerInterface, subclass from it and implement _minimize().")

    def _unpacked(self, vector):
        parts = np.split(np.asarray(vector), np.cumsum(self._sizes)[:-1])
        kinds = [var.dtype.base_dtype.as_numpy_dtype for var in self._vars]
        return [part.reshape(shape).astype(kind) for part, shape, kind in zip(parts, self._shapes, kinds)]


class _Asking:
    """Evaluates tensors in a session for a vector of the variables' values."""

    def __init__(self, owner, session, feed, fetches, callback, run_kwargs):
        self.owner, self.session, self.feed = owner, session, feed
        self.fetches, self.callback, self.run_kwargs = fetches, callback, run_kwargs

    def _run(self, tensors, vector):
        owner = self.owner
        self.session.run(owner._assign, dict(zip(owner._places, owner._unpacked(vector))))
        return self.session.run(tensors, self.feed, **self.run_kwargs)

    def loss_and_gradient(self, vector):
        """Returns (loss, gradient) as float64, and calls the callback."""
        loss, gradient, values = self._run([self.owner._loss, self.owner._loss_grad, self.fetches], vector)
        self.callback(*values)
        return float(np.asarray(loss).reshape(())), gradient.astype("float64")

    def function(self, tensor):
        """Returns the function from a vector to the tensor's value (float64)."""
        return lambda vector: np.asarray(self._run(tensor, vector), dtype="float64")


def _packed_bounds(variables, var_to_bounds):
    packed = []
    for var in variables:
        low, high = var_to_bounds.get(var.ref() if var.ref() in var_to_bounds else var, (-np.inf, np.inf))
        shape = var.shape.as_list()
        packed += zip(np.broadcast_to(low, shape).flat, np.broadcast_to(high, shape).flat)
    return packed


class ScipyOptimizerInterface(ExternalOptimizerInterface):
    """Calls scipy.optimize.minimize with `method` and `options`.

    method: "L-BFGS-B" by default, "SLSQP" by default with constraints.
    Raises NotInstalled without SciPy, and ValueError for constraints that the method does not take.
    """

    _DEFAULT_METHOD = "L-BFGS-B"

    def __init__(self, *args, **kwargs):
        try:
            import scipy.optimize  # noqa: F401 - a program without it ends here, before it trains
        except ImportError as e:
            raise NotInstalled("ScipyOptimizerInterface needs SciPy: pip install 'tf1ref[scipy]'") from e
        super().__init__(*args, **kwargs)

    def _minimize(self, initial_val, loss_grad_func, equality_funcs, equality_grad_funcs, inequality_funcs,
                  inequality_grad_funcs, packed_bounds, step_callback, optimizer_kwargs):  # fmt: skip
        import scipy.optimize

        given = dict(optimizer_kwargs)
        method = given.pop("method", self._DEFAULT_METHOD)
        kinds = (("eq", equality_funcs, equality_grad_funcs), ("ineq", inequality_funcs, inequality_grad_funcs))
        constraints = [
            {"type": kind, "fun": function, "jac": gradient}
            for kind, functions, gradients in kinds
            for function, gradient in zip(functions, gradients)
        ]
        if constraints and method not in ("SLSQP", "COBYLA", "trust-constr"):
            raise ValueError(f"method {method} takes no constraints: use SLSQP")
        given.update({"method": method, "jac": True, "callback": step_callback, "bounds": packed_bounds})
        if constraints:
            given["constraints"] = constraints
        found = scipy.optimize.minimize(loss_grad_func, initial_val, **given)
        v1.logging.info("Optimization terminated with: %s after %s steps", found.message, found.get("nit"))
        return found["x"]
