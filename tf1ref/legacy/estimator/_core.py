"""tf.estimator.Estimator: a model function with a folder. Each training, evaluation or prediction has its own graph."""

import os
import tempfile

import numpy as np
import tensorflow.compat.v1 as v1
from tensorflow.python.training import evaluation

from tf1ref.legacy.estimator import _distributed
from tf1ref.legacy.estimator import export as estimator_export
from tf1ref.legacy.estimator._functions import arguments_of, chosen, examples, inputs_of
from tf1ref.legacy.estimator._spec import EstimatorSpec, ModeKeys, RunConfig, WarmStartSettings


class Estimator:
    """Calls `model_fn` with those of (features, labels, mode, params, config) that it takes, and runs the result.

    model_dir: the folder of checkpoints and events; without it a temporary one is made and logged. Training continues
    from its last checkpoint. Raises ValueError for a model function without `features` or with unknown arguments.
    """

    def __init__(self, model_fn, model_dir=None, config=None, params=None, warm_start_from=None):
        self._config = config or RunConfig()
        if model_dir and self._config.model_dir and model_dir != self._config.model_dir:
            raise ValueError(f"model_dir is {model_dir!r}, in RunConfig it is {self._config.model_dir!r}: give one")
        self._model_dir = os.fspath(model_dir or self._config.model_dir or tempfile.mkdtemp())
        if not (model_dir or self._config.model_dir):
            v1.logging.warning("Using temporary folder as model directory: %s", self._model_dir)
        self._config = self._config.replace(model_dir=self._model_dir)
        self._model_fn, self._params, self._warm_start = model_fn, dict(params or {}), warm_start_from
        taken = set(arguments_of(model_fn))
        if params is not None and "params" not in taken:
            raise ValueError(
                f"model_fn ({model_fn}) does not include params argument, but params ({params}) is passed to Estimator."
            )
        if "features" not in taken:
            raise ValueError(f"model_fn ({model_fn}) must include features argument.")
        if taken - {"features", "labels", "mode", "params", "config", "self"}:
            raise ValueError(f"model_fn ({model_fn}) has following not expected args: {sorted(taken)}")

    model_dir = property(lambda self: self._model_dir)
    config = property(lambda self: self._config)
    model_fn = property(lambda self: self._model_fn)
    params = property(lambda self: dict(self._params))

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
            raise ValueError(f"Estimator has not been trained yet: no checkpoint in {self._model_dir}")
        return self._model_dir

    def train(self, input_fn, hooks=None, steps=None, max_steps=None, saving_listeners=None):
        """Trains `steps` more steps, or until `max_steps` in all, or until the input ends. Returns the Estimator."""
        if steps is not None and max_steps is not None:
            raise ValueError("Can not provide both steps and max_steps.")
        for name, value in (("steps", steps), ("max_steps", max_steps)):
            if value is not None and value <= 0:
                raise ValueError(f"Must specify {name} > 0, given: {value}")
        _distributed.take_place(self._config)
        reached = self._step_reached()
        if max_steps is not None and reached >= max_steps:
            v1.logging.info("Skipping training since max_steps has already saved.")
            return self
        hooks = list(hooks or ())
        if steps is not None or max_steps is not None:
            hooks.append(v1.train.StopAtStepHook(steps, max_steps))
        with self._graph().as_default(), _distributed.devices(self._config):
            spec, step = self._built(input_fn, ModeKeys.TRAIN)
            self._train(spec, step, hooks, list(saving_listeners or ()))
        return self

    def _step_reached(self):
        checkpoint = self.latest_checkpoint()
        return int(v1.train.load_variable(checkpoint, v1.GraphKeys.GLOBAL_STEP)) if checkpoint else 0

    def _train(self, spec, step, hooks, listeners):
        config = self._config
        if self._warm_start and not self.latest_checkpoint():
            given = self._warm_start
            v1.train.warm_start(*(given if isinstance(given, WarmStartSettings) else [given]))
        if not any("loss" in str(s.op.name) for s in v1.get_collection(v1.GraphKeys.SUMMARIES)):
            v1.summary.scalar("loss", spec.loss)
        scaffold = spec.scaffold or v1.train.Scaffold()
        if not (scaffold.saver or v1.get_collection(v1.GraphKeys.SAVERS)):
            saver = v1.train.Saver(
                sharded=True,
                max_to_keep=config.keep_checkpoint_max,
                keep_checkpoint_every_n_hours=config.keep_checkpoint_every_n_hours,
                defer_build=True,
                save_relative_paths=True,
            )
            v1.add_to_collection(v1.GraphKeys.SAVERS, saver)
        hooks = [*hooks, v1.train.NanTensorHook(spec.loss)]
        if config.log_step_count_steps is not None:
            hooks.append(v1.train.LoggingTensorHook({"loss": spec.loss, "step": step}, config.log_step_count_steps))
        hooks += spec.training_hooks
        chief_hooks = [*spec.training_chief_hooks, *self._savers(hooks, spec, scaffold, listeners)]
        with v1.train.MonitoredTrainingSession(
            master=config.master,
            is_chief=config.is_chief,
            checkpoint_dir=self._model_dir,
            scaffold=scaffold,
            hooks=hooks,
            chief_only_hooks=chief_hooks,
            save_checkpoint_secs=0,
            save_summaries_steps=config.save_summary_steps,
            config=config.session_config,
            log_step_count_steps=config.log_step_count_steps,
        ) as sess:
            while not sess.should_stop():
                sess.run([spec.train_op, spec.loss])

    def _savers(self, hooks, spec, scaffold, listeners):
        """Returns the hook that saves, if the configuration asks for one and the model does not have one."""
        found = [h for h in [*hooks, *spec.training_chief_hooks] if isinstance(h, v1.train.CheckpointSaverHook)]
        made = []
        seconds, steps = self._config.save_checkpoints_secs, self._config.save_checkpoints_steps
        if not found and (seconds or steps):
            made.append(v1.train.CheckpointSaverHook(self._model_dir, seconds, steps, scaffold=scaffold))
        if listeners and not found + made:
            raise ValueError(
                "There should be a CheckpointSaverHook to use saving_listeners. Please set one of the "
                "RunConfig.save_checkpoints_steps or RunConfig.save_checkpoints_secs."
            )
        for listener in listeners:
            (found + made)[0]._listeners.append(listener)
        return made

    def evaluate(self, input_fn, steps=None, hooks=None, checkpoint_path=None, name=None):
        """Returns {metric: value}, with the mean of the batches' losses as "loss", and with "global_step".

        steps: the number of batches; None (the default) means until the input ends. Without a checkpoint the variables
        have their initial values.
        """
        if steps is not None and steps <= 0:
            raise ValueError(f"Must specify steps > 0, given: {steps}")
        with self._graph().as_default():
            spec, step = self._built(input_fn, ModeKeys.EVAL)
            metrics = dict(spec.eval_metric_ops)
            metrics.setdefault("loss", v1.metrics.mean(spec.loss))
            values = {key: pair[0] for key, pair in metrics.items()}
            values["global_step"] = step
            stop = [] if steps is None else [evaluation._StopAfterNEvalsHook(steps)]
            found = evaluation._evaluate_once(
                self._checkpoint(checkpoint_path),
                scaffold=spec.scaffold or v1.train.Scaffold(),
                eval_ops=v1.group(*(pair[1] for pair in metrics.values())),
                final_ops=values,
                hooks=[*(hooks or ()), *stop, *spec.evaluation_hooks],
                config=self._config.session_config,
            )
        self._write_evaluation(found, name)
        return found

    def _write_evaluation(self, found, name):
        summary = v1.Summary()
        for key, value in found.items():
            if key != "global_step" and isinstance(value, (int, float, np.integer, np.floating)):
                summary.value.add(tag=key, simple_value=float(value))
        # Code does not run eagerly inside a graph, and the writer needs that. One writer a process, as in TF1: a file's
        # name is the second at which it was opened, so a second writer could empty the file of the first.
        with v1.Graph().as_default():
            writer = v1.summary.FileWriterCache.get(self.eval_dir(name))
        writer.add_summary(summary, int(found["global_step"]))
        writer.flush()

    def predict(self, input_fn, predict_keys=None, hooks=None, checkpoint_path=None, yield_single_examples=True):
        """Yields the predictions of each example, or of each batch, until the input ends.

        Raises ValueError for keys that the model does not return, and for predictions whose first axes differ.
        """
        with self._graph().as_default():
            spec, _ = self._built(input_fn, ModeKeys.PREDICT)
            wanted = chosen(spec.predictions, predict_keys)
            with self._session(spec, checkpoint_path, [*(hooks or ()), *spec.prediction_hooks]) as sess:
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

    def _call(self, features, labels, mode):
        taken = arguments_of(self._model_fn)
        given = {"labels": labels, "mode": mode, "params": self.params, "config": self._config}
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

    def _session(self, spec, checkpoint_path, hooks):
        creator = v1.train.ChiefSessionCreator(
            scaffold=spec.scaffold or v1.train.Scaffold(),
            checkpoint_filename_with_path=self._checkpoint(checkpoint_path),
            config=self._config.session_config,
        )
        return v1.train.MonitoredSession(creator, hooks=hooks)
