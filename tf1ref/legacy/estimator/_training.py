"""tf.estimator.train_and_evaluate: training, with an evaluation after its checkpoints."""

import os
from typing import NamedTuple

import tensorflow.compat.v1 as v1

from tf1ref.legacy.estimator import _distributed
from tf1ref.legacy.estimator._core import Estimator
from tf1ref.legacy.estimator._exporters import Exporter


class _Train(NamedTuple):
    input_fn: object
    max_steps: int
    hooks: tuple
    saving_listeners: tuple


class TrainSpec(_Train):
    """The input, steps and hooks of train_and_evaluate's training.

    Raises TypeError for an input_fn or hooks of another type, and ValueError for max_steps that are not positive.
    """

    __slots__ = ()

    def __new__(cls, input_fn, max_steps=None, hooks=None, saving_listeners=None):
        _check_input(input_fn)
        if max_steps is not None and max_steps <= 0:
            raise ValueError(f"Must specify max_steps > 0, given: {max_steps}")
        return super().__new__(cls, input_fn, max_steps, _hooks(hooks), tuple(saving_listeners or ()))


class _Eval(NamedTuple):
    input_fn: object
    steps: int
    name: str
    hooks: tuple
    exporters: tuple
    start_delay_secs: int
    throttle_secs: int


class EvalSpec(_Eval):
    """The input of train_and_evaluate's evaluation, how often it runs at most, and the exporters that follow.

    start_delay_secs, throttle_secs: seconds before the first evaluation of an evaluator, and from one to the next.
    Raises TypeError for a part of another type, and ValueError for negative numbers and for names of exporters that are
    missing or come twice.
    """

    __slots__ = ()

    def __new__(
        cls, input_fn, steps=100, name=None, hooks=None, exporters=None, start_delay_secs=120, throttle_secs=600
    ):
        _check_input(input_fn)
        if steps is not None and steps <= 0:
            raise ValueError(f"Must specify steps > 0, given: {steps}")
        if not isinstance(name, (str, type(None))):
            raise TypeError(f"`name` must be string, given: {name}")
        for what, seconds in (("start_delay_secs", start_delay_secs), ("throttle_secs", throttle_secs)):
            if seconds < 0:
                raise ValueError(f"Must specify {what} >= 0, given: {seconds}")
        return super().__new__(
            cls, input_fn, steps, name, _hooks(hooks), _exporters(exporters), start_delay_secs, throttle_secs
        )


def _check_input(input_fn):
    if not callable(input_fn):
        raise TypeError(f"`input_fn` must be callable, given: {input_fn}")


def _hooks(hooks):
    hooks = tuple(hooks or ())
    for hook in hooks:
        if not isinstance(hook, v1.train.SessionRunHook):
            raise TypeError(f"All hooks must be `SessionRunHook` instances, given: {hook}")
    return hooks


def _exporters(given):
    given = [given] if isinstance(given, Exporter) else given.values() if isinstance(given, dict) else given or ()
    if not isinstance(given, (list, tuple, type({}.values()))) or not all(isinstance(each, Exporter) for each in given):
        raise TypeError(f"`exporters` must be an Exporter, an iterable of Exporter, or `None`, found {given}.")
    names = [each.name for each in given]
    for name in names:
        if not name:
            raise ValueError(f"An Exporter cannot have a name that is `None` or empty. All exporter names: {names}")
        if not isinstance(name, str):
            raise ValueError(f"An Exporter must have a string name. Given: {type(name)}")
    if len(set(names)) < len(names):
        raise ValueError(f"`exporters` must have unique names. All exporter names: {names}")
    return tuple(given)


class _EvaluateListener(v1.train.CheckpointSaverListener):
    """Evaluates the second checkpoint, since the first is from before the training, and the last one.

    Of those between, it evaluates at most one in `throttle_secs` seconds.
    """

    def __init__(self, evaluate, throttle_secs):
        self._evaluate, self._timer = evaluate, v1.train.SecondOrStepTimer(every_secs=throttle_secs)
        self._first, self._evaluated = True, None

    def after_save(self, session, global_step_value):
        if self._first:
            self._first = False
        elif self._timer.should_trigger_for_step(global_step_value):
            self._run(global_step_value)

    def end(self, session, global_step_value):
        if global_step_value != self._evaluated:
            self._run(global_step_value)

    def _run(self, step):
        self._timer.update_last_triggered_step(step)
        self._evaluated = step
        self._evaluate()


def _evaluator(estimator, max_steps, spec, found):
    """Returns a function that evaluates and exports the last checkpoint. It puts both results into `found`."""

    def evaluate():
        checkpoint = estimator.latest_checkpoint()
        metrics = estimator.evaluate(
            input_fn=spec.input_fn, steps=spec.steps, name=spec.name, checkpoint_path=checkpoint, hooks=spec.hooks
        )
        final = bool(max_steps) and metrics[v1.GraphKeys.GLOBAL_STEP] >= max_steps
        folder = os.path.join(estimator.model_dir, "export")
        exports = [
            exporter.export(
                estimator=estimator, export_path=os.path.join(folder, exporter.name), checkpoint_path=checkpoint,
                eval_result=metrics, is_the_final_export=final,
            )
            for exporter in spec.exporters
        ]  # fmt: skip
        found.update(metrics=metrics, exports=exports)
        return found

    return evaluate


def train_and_evaluate(estimator, train_spec, eval_spec):
    """Trains to max_steps, or the input's end, and evaluates. Returns (the last metrics, the exported folders).

    An export is the final one when the evaluated step is max_steps. In a task of the cluster that TF_CONFIG describes,
    it does the part of that task. Raises TypeError for arguments of another type.
    """
    for name, given, kind in (
        ("eval_spec", eval_spec, EvalSpec), ("estimator", estimator, Estimator), ("train_spec", train_spec, TrainSpec)
    ):  # fmt: skip
        if not isinstance(given, kind):
            raise TypeError(f"`{name}` must have type `tf.estimator.{kind.__name__}`. Got: {type(given)}")
    found = {"metrics": None, "exports": None}
    evaluate = _evaluator(estimator, train_spec.max_steps, eval_spec, found)
    config = estimator.config
    if config.task_type == _distributed.TaskType.EVALUATOR and config.task_id > 0:
        raise ValueError(
            "For distributed training, there can only be one `evaluator` task (with task id 0).  Given task id "
            f"{config.task_id}"
        )
    alone = not config.master and config.task_type != _distributed.TaskType.EVALUATOR
    if not (alone or config.task_type == _distributed.TaskType.MASTER):
        return _distributed.train_and_evaluate(estimator, train_spec, eval_spec, evaluate)
    listeners = [*train_spec.saving_listeners, _EvaluateListener(evaluate, eval_spec.throttle_secs)]
    estimator.train(
        input_fn=train_spec.input_fn, hooks=list(train_spec.hooks), max_steps=train_spec.max_steps,
        saving_listeners=listeners,
    )  # fmt: skip
    return found["metrics"], found["exports"]
