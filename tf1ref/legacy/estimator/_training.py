"""tf.estimator.train_and_evaluate: training, with an evaluation after every checkpoint."""

import os
import time
from typing import NamedTuple

import tensorflow.compat.v1 as v1

from tf1ref.legacy.estimator import _distributed


class TrainSpec(NamedTuple):
    """The input, steps and hooks of train_and_evaluate's training."""

    input_fn: object
    max_steps: int = None
    hooks: tuple = ()
    saving_listeners: tuple = ()


class EvalSpec(NamedTuple):
    """The input of train_and_evaluate's evaluation, how often it runs at most, and the exporters that follow."""

    input_fn: object
    steps: int = 100
    name: str = None
    hooks: tuple = ()
    exporters: object = ()
    start_delay_secs: int = 120
    throttle_secs: int = 600


class _EvaluateListener(v1.train.CheckpointSaverListener):
    def __init__(self, evaluate, throttle_secs):
        self._evaluate, self._throttle, self._last = evaluate, throttle_secs, None

    def after_save(self, session, global_step_value):
        now = time.monotonic()
        if self._last is None or now - self._last >= self._throttle:
            # The first checkpoint, from before the training, is not evaluated.
            if self._last is not None:
                self._evaluate(final=False)
            self._last = now


def train_and_evaluate(estimator, train_spec, eval_spec):
    """Trains to max_steps, or the input's end, and evaluates. Returns (the last metrics, the exported folders).

    In a task of the cluster that TF_CONFIG describes, it does the part of that task.
    """
    exporters = eval_spec.exporters or ()
    exporters = list(exporters.values()) if isinstance(exporters, dict) else exporters
    exporters = exporters if isinstance(exporters, (list, tuple)) else [exporters]
    found = {}

    def evaluate(final):
        found["metrics"] = estimator.evaluate(
            eval_spec.input_fn, eval_spec.steps, list(eval_spec.hooks or ()), name=eval_spec.name
        )
        found["exports"] = [
            exporter.export(
                estimator,
                os.path.join(estimator.model_dir, "export", exporter.name),
                estimator.latest_checkpoint(),
                found["metrics"],
                final,
            )
            for exporter in exporters
        ]
        return found

    if estimator.config.master or estimator.config.task_type == "evaluator":
        return _distributed.train_and_evaluate(estimator, train_spec, eval_spec, evaluate)
    listeners = [*(train_spec.saving_listeners or ()), _EvaluateListener(evaluate, eval_spec.throttle_secs)]
    hooks = list(train_spec.hooks or ())
    estimator.train(train_spec.input_fn, hooks, max_steps=train_spec.max_steps, saving_listeners=listeners)
    evaluate(final=True)
    return found["metrics"], found["exports"]
