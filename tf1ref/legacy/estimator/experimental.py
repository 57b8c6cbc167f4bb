"""tf.estimator.experimental: hooks that end a training by its evaluations, and one that evaluates inside of it."""

import operator

import tensorflow.compat.v1 as v1

from tf1ref.legacy.estimator._core import Estimator
from tf1ref.legacy.estimator._summaries import read_eval_metrics

__all__ = [
    "InMemoryEvaluatorHook", "make_early_stopping_hook", "stop_if_higher_hook", "stop_if_lower_hook",
    "stop_if_no_decrease_hook", "stop_if_no_increase_hook",
]  # fmt: skip


def make_early_stopping_hook(estimator, should_stop_fn, run_every_secs=60, run_every_steps=None):
    """Returns a hook that ends the training when should_stop_fn() is true.

    The chief calls the function every `run_every_secs` seconds or `run_every_steps` steps. The other workers see a
    variable that it sets. Raises TypeError for an estimator of another type, and ValueError for both intervals.
    """
    if not isinstance(estimator, Estimator):
        raise TypeError(f"`estimator` must have type `tf.estimator.Estimator`. Got: {type(estimator)}")
    if run_every_secs is not None and run_every_steps is not None:
        raise ValueError("Only one of `run_every_secs` and `run_every_steps` must be set.")
    if estimator.config.is_chief:
        return _StopOnPredicateHook(should_stop_fn, run_every_secs, run_every_steps)
    return _CheckForStoppingHook()


def _get_or_create_stop_var():
    with v1.variable_scope("signal_early_stopping", reuse=v1.AUTO_REUSE):
        return v1.get_variable(
            "STOP", [], v1.bool, v1.constant_initializer(False), trainable=False,
            collections=[v1.GraphKeys.GLOBAL_VARIABLES],
        )  # fmt: skip


class _StopOnPredicateHook(v1.train.SessionRunHook):
    def __init__(self, should_stop_fn, run_every_secs=60, run_every_steps=None):
        if not callable(should_stop_fn):
            raise TypeError("`should_stop_fn` must be callable.")
        self._should_stop_fn = should_stop_fn
        self._timer = v1.train.SecondOrStepTimer(run_every_secs, run_every_steps)

    def begin(self):
        self._step, self._stop_var = v1.train.get_global_step(), _get_or_create_stop_var()
        self._stop_op = v1.assign(self._stop_var, True)

    def before_run(self, run_context):
        return v1.train.SessionRunArgs(self._step)

    def after_run(self, run_context, run_values):
        step = run_values.results
        if self._timer.should_trigger_for_step(step):
            self._timer.update_last_triggered_step(step)
            if self._should_stop_fn():
                v1.logging.info("Requesting early stopping at global step %d", step)
                run_context.session.run(self._stop_op)
                run_context.request_stop()


class _CheckForStoppingHook(v1.train.SessionRunHook):
    def begin(self):
        self._stop_var = _get_or_create_stop_var()

    def before_run(self, run_context):
        return v1.train.SessionRunArgs(self._stop_var)

    def after_run(self, run_context, run_values):
        if run_values.results:
            v1.logging.info("Early stopping requested, suspending run.")
            run_context.request_stop()


def _results(estimator, metric, eval_dir, min_steps):
    """Returns [(step, value)] of a metric in the evaluations' events, from `min_steps` on."""
    found = read_eval_metrics(estimator.eval_dir() if eval_dir is None else eval_dir)
    return [(step, values[metric]) for step, values in found.items() if step >= min_steps]


def _crossed(better, estimator, metric_name, threshold, eval_dir, min_steps, run_every_secs, run_every_steps):
    def stop():
        return any(better(value, threshold) for _, value in _results(estimator, metric_name, eval_dir, min_steps))

    return make_early_stopping_hook(estimator, stop, run_every_secs, run_every_steps)


def _stuck(better, estimator, metric_name, patience, eval_dir, min_steps, run_every_secs, run_every_steps):
    def stop():
        best = best_step = None
        for step, value in _results(estimator, metric_name, eval_dir, min_steps):
            if best is None or better(value, best):
                best, best_step = value, step
            if step - best_step >= patience:
                v1.logging.info('Metric "%s" is not better than %s steps before.', metric_name, step - best_step)
                return True
        return False

    return make_early_stopping_hook(estimator, stop, run_every_secs, run_every_steps)


def stop_if_higher_hook(
    estimator, metric_name, threshold, eval_dir=None, min_steps=0, run_every_secs=60, run_every_steps=None
):
    """Returns a hook that ends the training when a metric of the evaluations is higher than `threshold`.

    eval_dir: the folder of their events (default: estimator.eval_dir()). min_steps: earlier evaluations do not count.
    """
    return _crossed(operator.gt, estimator, metric_name, threshold, eval_dir, min_steps, run_every_secs,
                    run_every_steps)  # fmt: skip


def stop_if_lower_hook(
    estimator, metric_name, threshold, eval_dir=None, min_steps=0, run_every_secs=60, run_every_steps=None
):
    """Returns a hook like that of stop_if_higher_hook, for a metric lower than `threshold`."""
    return _crossed(operator.lt, estimator, metric_name, threshold, eval_dir, min_steps, run_every_secs,
                    run_every_steps)  # fmt: skip


def stop_if_no_increase_hook(
    estimator, metric_name, max_steps_without_increase, eval_dir=None, min_steps=0, run_every_secs=60,
    run_every_steps=None,
):  # fmt: skip
    """Returns a hook that ends the training when a metric has not risen for max_steps_without_increase steps."""
    return _stuck(operator.gt, estimator, metric_name, max_steps_without_increase, eval_dir, min_steps, run_every_secs,
                  run_every_steps)  # fmt: skip


def stop_if_no_decrease_hook(
    estimator, metric_name, max_steps_without_decrease, eval_dir=None, min_steps=0, run_every_secs=60,
    run_every_steps=None,
):  # fmt: skip
    """Returns a hook that ends the training when a metric has not fallen for max_steps_without_decrease steps."""
    return _stuck(operator.lt, estimator, metric_name, max_steps_without_decrease, eval_dir, min_steps, run_every_secs,
                  run_every_steps)  # fmt: skip


class InMemoryEvaluatorHook(v1.train.SessionRunHook):
    """Evaluates before the training, every `every_n_iter` runs, and at the end, with the values of that moment.

    It has a graph of its own, to which the global variables are copied by name. name: as in Estimator.evaluate. steps:
    the number of batches; None means until the input ends. Raises ValueError for every_n_iter that is not positive, in
    a cluster, and for a model with a saver, an init_fn or saveable objects of its own.
    """

    def __init__(self, estimator, input_fn, steps=None, hooks=None, name=None, every_n_iter=100):
        if every_n_iter is None or every_n_iter <= 0:
            raise ValueError(f"invalid every_n_iter={every_n_iter}.")
        if estimator.config.num_ps_replicas > 0 or estimator.config.num_worker_replicas > 1:
            raise ValueError("InMemoryEvaluator supports only single machine (aka Local) setting.")
        self._estimator, self._input_fn, self._folder = estimator, input_fn, estimator.eval_dir(name)
        self._hooks = [*(hooks or ()), *estimator._stop_after(steps)]
        self._timer = v1.train.SecondOrStepTimer(every_steps=every_n_iter)

    def begin(self):
        """Builds the evaluation."""
        self._timer.reset()
        self._runs, self._graph = 0, v1.Graph()
        with self._graph.as_default():
            self._scaffold, *self._built = self._estimator._evaluation(self._input_fn, self._hooks)
            for what in ("saver", "init_fn"):
                if getattr(self._scaffold, what) is not None:
                    raise ValueError(f"InMemoryEvaluator does not support custom {what}")

    def after_create_session(self, session, coord):
        """Adds the copying of the variables, and evaluates."""
        if v1.get_collection(v1.GraphKeys.SAVEABLE_OBJECTS):
            raise ValueError("InMemoryEvaluator does not support saveables other than global variables.")
        trained = {variable.name: variable for variable in v1.global_variables()}
        with self._graph.as_default():
            here = {variable.name: variable for variable in v1.global_variables() if variable.name in trained}
            self._fed = {name: v1.placeholder(variable.dtype.base_dtype) for name, variable in here.items()}
            self._copy = v1.group(*(v1.assign(here[name], self._fed[name], validate_shape=False) for name in here))
        self._trained = {name: trained[name] for name in here}
        self._evaluate(session)

    def _evaluate(self, session):
        values = session.run(self._trained)
        feed = {self._fed[name]: value for name, value in values.items()}
        with self._graph.as_default():
            scaffold = v1.train.Scaffold(
                init_fn=lambda _, session: session.run(self._copy, feed), copy_from_scaffold=self._scaffold
            )
            self._estimator._evaluate(scaffold, *self._built, None, self._folder)
        self._timer.update_last_triggered_step(self._runs)

    def after_run(self, run_context, run_values):
        """Evaluates when it is time."""
        self._runs += 1
        if self._timer.should_trigger_for_step(self._runs):
            self._evaluate(run_context.session)

    def end(self, session):
        """Evaluates the last values."""
        self._evaluate(session)
