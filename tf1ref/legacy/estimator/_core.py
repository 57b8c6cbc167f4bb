"""tf.estimator.Estimator: a model function with a folder. Each training, evaluation or prediction has its own graph."""

import copy
import os
import tempfile

import numpy as np
import tensorflow.compat.v1 as v1
from tensorflow.python.training import evaluation

from tf1ref.legacy.estimator import _distributed
from tf1ref.legacy.estimator import export as estimator_export
from tf1ref.legacy.estimator._functions import (
    arguments_of,
    checked_hooks,
    checked_listeners,
    checked_model_fn,
    chosen,
    examples,
    inputs_of,
)
from tf1ref.legacy.estimator._run_config import RunConfig
from tf1ref.legacy.estimator._sessions import training_session
from tf1ref.legacy.estimator._spec import LOSS_METRIC_KEY, EstimatorSpec, ModeKeys, warm_start_of
from tf1ref.legacy.estimator._summaries import _write_dict_to_summary


class Estimator:
    """Calls `model_fn` with those of (features, labels, mode, params, config) that it takes, and runs the result.

    model_dir: the folder of checkpoints and events; without it a temporary one is made and logged. Training continues
    from its last checkpoint. Raises ValueError for a model function without `features` or with unknown arguments.
    """

    def __init__(self, model_fn, model_dir=None, config=None, params=None, warm_start_from=None):
        if config is not None and not isinstance(config, RunConfig):
            raise ValueError(f"config must be an instance of `RunConfig`, but provided {config}.")
        config = config or RunConfig()
        if model_dir and config.model_dir and model_dir != config.model_dir:
            raise ValueError(
                "`model_dir` are set both in constructor and `RunConfig`, but with different values. In constructor: "
                f"{model_dir!r}, in `RunConfig`: {config.model_dir!r}."
            )
        self._model_dir = os.fspath(model_dir or config.model_dir or tempfile.mkdtemp())
        if not (model_dir or config.model_dir):
            v1.logging.warning("Using temporary folder as model directory: %s", self._model_dir)
        self._config = config if config.model_dir == self._model_dir else config.replace(model_dir=self._model_dir)
        self._session_config = config.session_config or _distributed.local_session_config()
        checked_model_fn(model_fn, params)
        self._model_fn, self._params = model_fn, copy.deepcopy(params or {})
        self._warm_start = warm_start_of(warm_start_from)

    model_dir = property(lambda self: self._model_dir)
    config = property(lambda self: self._config)
    params = property(lambda self: copy.deepcopy(self._params))

    @property
    def model_fn(self):
        """The model function with the arguments (features, labels, mode, config); the params are set."""

        def model_fn(features, labels, mode, config):
            return self._call(features, labels, mode, config)

        return model_fn

    def latest_checkpoint(self):
        """Returns the prefix of the last checkpoint, or None."""
        return v1.train.latest_checkpoint(self._model_dir)

    def eval_dir(self, name=None):
        """Returns the folder in which evaluations write their events."""
        return os.path.join(self._model_dir, "eval" if not name else f"eval_{name}")

    def get_variable_names(self):
        """Returns the names of the variables in the last checkpoint. Raises ValueError before the first one."""
        return [name for name, _ in v1.train.list_variables(self._trained())]

    def get_variable_value(self, name):
        """Returns an array from the last checkpoint. Raises ValueError before the first one."""
        return v1.train.load_variable(self._trained(), name)

    def _trained(self):
        if not self.latest_checkpoint():
            raise ValueError(f"Could not find trained model in model_dir: {self._model_dir}.")
        return self._model_dir

    def train(self, input_fn, hooks=None, steps=None, max_steps=None, saving_listeners=None):
        """Trains `steps` more steps, or until `max_steps` in all, or until the input ends. Returns the Estimator."""
        if steps is not None and max_steps is not None:
            raise ValueError("Can not provide both steps and max_steps.")
        for name, value in (("steps", steps), ("max_steps", max_steps)):
            if value is not None and value <= 0:
                raise ValueError(f"Must specify {name} > 0, given: {value}")
        if self._config.task_type == _distributed.TaskType.EVALUATOR:
            raise ValueError("An evaluator does not train: call tf.estimator.train_and_evaluate in each task.")
        hooks, listeners = checked_hooks(hooks), checked_listeners(saving_listeners)
        _distributed.take_place(self._config)
        reached = _load_global_step_from_checkpoint_dir(self._model_dir)
        if max_steps is not None and reached >= max_steps:
            v1.logging.info("Skipping training since max_steps has already saved.")
            return self
        if steps is not None or max_steps is not None:
            hooks.append(v1.train.StopAtStepHook(steps, max_steps))
        with self._graph().as_default(), _distributed.devices(self._config):
            spec, step = self._built(input_fn, ModeKeys.TRAIN)
            self._start_warm(self.latest_checkpoint())
            with training_session(spec, step, self._config, self._session_config, hooks, listeners) as sess:
                while not sess.should_stop():
                    sess.run([spec.train_op, spec.loss])
        return self

    def evaluate(self, input_fn, steps=None, hooks=None, checkpoint_path=None, name=None):
        """Returns {metric: value}, with the mean of the batches' losses as "loss", and with "global_step".

        steps: the number of batches; None (the default) means until the input ends. Without a checkpoint the variables
        have their initial values.
        """
        hooks = [*checked_hooks(hooks), *self._stop_after(steps)]
        with self._graph().as_default():
            built = self._evaluation(input_fn, hooks)
            checkpoint = self._checkpoint(checkpoint_path)
            self._start_warm(checkpoint)
            return self._evaluate(*built, checkpoint, self.eval_dir(name))

    def _stop_after(self, steps):
        """Returns the hooks that end an evaluation. Raises ValueError for steps that are not positive."""
        if steps is not None and steps <= 0:
            raise ValueError(f"Must specify steps > 0, given: {steps}")
        return [] if steps is None else [evaluation._StopAfterNEvalsHook(steps)]

    def _evaluation(self, input_fn, hooks):
        """Builds an evaluation in the default graph. Returns (scaffold, update op, {name: value}, hooks)."""
        spec, step = self._built(input_fn, ModeKeys.EVAL)
        metrics = dict(spec.eval_metric_ops)
        if LOSS_METRIC_KEY in metrics:
            raise ValueError('Metric with name "loss" is not allowed, because Estimator defines one with that name.')
        metrics[LOSS_METRIC_KEY] = v1.metrics.mean(spec.loss)
        values = {key: pair[0] for key, pair in metrics.items()}
        if v1.GraphKeys.GLOBAL_STEP in values:
            raise ValueError("Metric with name `global_step` is not allowed, because Estimator defines one.")
        values[v1.GraphKeys.GLOBAL_STEP] = step
        updates = v1.group(*(pair[1] for pair in metrics.values()))
        return spec.scaffold, updates, values, [*hooks, *spec.evaluation_hooks]

    def _evaluate(self, scaffold, updates, values, hooks, checkpoint, folder):
        """Runs an evaluation that was built, and writes its results to `folder`. Returns {name: value}."""
        found = evaluation._evaluate_once(
            checkpoint, self._config.evaluation_master, scaffold, updates, final_ops=values, hooks=hooks,
            config=self._session_config,
        )  # fmt: skip
        step = found[v1.GraphKeys.GLOBAL_STEP]
        _write_dict_to_summary(folder, found, step)
        if checkpoint:
            path = np.array(checkpoint.encode(), object)
            _write_dict_to_summary(folder, {f"checkpoint_path/{checkpoint}": path}, step)
        return found

    def predict(self, input_fn, predict_keys=None, hooks=None, checkpoint_path=None, yield_single_examples=True):
        """Yields the predictions of each example, or of each batch, until the input ends.

        Raises ValueError for keys that the model does not return, and for predictions whose first axes differ.
        """
        hooks = checked_hooks(hooks)
        with self._graph().as_default():
            spec, _ = self._built(input_fn, ModeKeys.PREDICT)
            wanted = chosen(spec.predictions, predict_keys)
            with self._session(spec, checkpoint_path, [*hooks, *spec.prediction_hooks]) as sess:
                while not sess.should_stop():
                    try:
                        found = sess.run(wanted)
                    except v1.errors.OutOfRangeError:
                        return
                    if not yield_single_examples:
                        yield found
                    elif not isinstance(found, dict):
                        yield from found
                    else:
                        yield from examples(found)

    def export_savedmodel(
        self,
        export_dir_base,
        serving_input_receiver_fn,
        assets_extra=None,
        as_text=False,
        checkpoint_path=None,
        strip_default_attrs=False,
    ):
        """The older name of export_saved_model. Attributes that have their default values are always left out."""
        del strip_default_attrs
        return self.export_saved_model(
            export_dir_base, serving_input_receiver_fn, assets_extra, as_text, checkpoint_path
        )  # fmt: skip

    def export_saved_model(
        self,
        export_dir_base,
        serving_input_receiver_fn,
        assets_extra=None,
        as_text=False,
        checkpoint_path=None,
        experimental_mode=ModeKeys.PREDICT,
    ):
        """Writes a SavedModel of the last checkpoint to a new folder in `export_dir_base`. Returns its path as bytes.

        Raises ValueError before the first checkpoint, and for a mode other than PREDICT.
        """
        if experimental_mode != ModeKeys.PREDICT:
            raise ValueError(f"a SavedModel is written for ModeKeys.PREDICT, not for {experimental_mode!r}")
        checkpoint = checkpoint_path or self.latest_checkpoint()
        if not checkpoint and self._warm_start:
            checkpoint = self._warm_start.ckpt_to_initialize_from
            checkpoint = v1.train.latest_checkpoint(checkpoint) if os.path.isdir(checkpoint) else checkpoint
        if not checkpoint:
            raise ValueError(f"Couldn't find trained model at {self._model_dir}.")
        with self._graph().as_default():
            v1.train.create_global_step()
            receiver = serving_input_receiver_fn()
            spec = self._call(receiver.features, None, ModeKeys.PREDICT)
            return estimator_export.write(spec, receiver, export_dir_base, checkpoint, assets_extra, as_text)

    def _graph(self):
        graph = v1.Graph()
        # `exec --seed` gives each graph a seed.
        if self._config.tf_random_seed is not None:
            graph.seed = self._config.tf_random_seed
        return graph

    def _built(self, input_fn, mode):
        step = v1.train.create_global_step()
        features, labels = inputs_of(input_fn, mode, self._params, self._config)
        return self._call(features, labels, mode), step

    def _call(self, features, labels, mode, config=None):
        taken = arguments_of(self._model_fn)
        given = {"labels": labels, "mode": mode, "params": self.params, "config": config or self._config}
        if labels is not None and "labels" not in taken:
            raise ValueError(f"model_fn does not take labels, but input_fn returns labels: {self._model_fn}")
        spec = self._model_fn(features=features, **{name: value for name, value in given.items() if name in taken})
        if not isinstance(spec, EstimatorSpec):
            raise ValueError(f"model_fn should return an EstimatorSpec, not {type(spec).__name__}")
        return spec

    def _checkpoint(self, checkpoint_path):
        """Returns the given checkpoint, else the last one. Before the first one it logs that, and returns None."""
        checkpoint = checkpoint_path or self.latest_checkpoint()
        if not checkpoint:
            v1.logging.warning(
                "Could not find trained model in model_dir: %s, running initialization.", self._model_dir
            )
        return checkpoint

    def _start_warm(self, checkpoint):
        """Lets the variables start from another model, unless this one has a checkpoint."""
        if self._warm_start and not checkpoint:
            v1.train.warm_start(*self._warm_start)

    def _session(self, spec, checkpoint_path, hooks):
        checkpoint = self._checkpoint(checkpoint_path)
        self._start_warm(checkpoint)
        creator = v1.train.ChiefSessionCreator(
            scaffold=spec.scaffold,
            checkpoint_filename_with_path=checkpoint,
            config=self._session_config,
        )
        return v1.train.MonitoredSession(creator, hooks=hooks)


def _load_global_step_from_checkpoint_dir(checkpoint_dir):
    """Returns the step of a folder's last checkpoint, or 0 before the first one."""
    checkpoint = v1.train.latest_checkpoint(checkpoint_dir)
    return int(v1.train.load_variable(checkpoint, v1.GraphKeys.GLOBAL_STEP)) if checkpoint else 0
