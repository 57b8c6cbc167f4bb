"""tf.estimator.experimental.InMemoryEvaluatorHook: evaluations inside of a training, without a checkpoint."""

import tensorflow.compat.v1 as v1


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
