"""The session in which an Estimator trains, with its saver, hooks and listeners."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.estimator._distributed import TaskType


def training_session(spec, step, config, session_config, hooks, listeners):
    """Returns the MonitoredTrainingSession for an EstimatorSpec.

    A program's hooks come before those that the Estimator adds. Raises ValueError for listeners where nothing saves.
    """
    if not any("loss" in str(s.op.name) for s in v1.get_collection(v1.GraphKeys.SUMMARIES)):
        v1.summary.scalar("loss", spec.loss)
    _add_saver(spec.scaffold, config)
    hooks = [*hooks, v1.train.NanTensorHook(spec.loss)]
    if config.log_step_count_steps is not None:
        hooks.append(v1.train.LoggingTensorHook({"loss": spec.loss, "step": step}, config.log_step_count_steps))
    hooks += spec.training_hooks
    chief_hooks = [*spec.training_chief_hooks, *_savers(hooks, spec, config, listeners)]
    summary_steps, log_steps = config.save_summary_steps, config.log_step_count_steps
    if {TaskType.WORKER, TaskType.MASTER} <= set(config.cluster_spec.jobs):
        hooks += _worker_hooks(spec, config)
        summary_steps, log_steps = 0, None
    return v1.train.MonitoredTrainingSession(
        master=config.master,
        is_chief=config.is_chief,
        checkpoint_dir=config.model_dir,
        scaffold=spec.scaffold,
        hooks=hooks,
        chief_only_hooks=chief_hooks,
        save_checkpoint_secs=0,
        save_summaries_steps=summary_steps,
        config=session_config,
        max_wait_secs=config.session_creation_timeout_secs,
        log_step_count_steps=log_steps,
    )


def _add_saver(scaffold, config):
    if not (scaffold.saver or v1.get_collection(v1.GraphKeys.SAVERS)):
        saver = v1.train.Saver(
            sharded=True,
            max_to_keep=config.keep_checkpoint_max,
            keep_checkpoint_every_n_hours=config.keep_checkpoint_every_n_hours,
            defer_build=True,
            save_relative_paths=True,
        )
        v1.add_to_collection(v1.GraphKeys.SAVERS, saver)


def _savers(hooks, spec, config, listeners):
    """Returns the hook that saves, if the configuration asks for one and the model does not have one."""
    found = [h for h in [*hooks, *spec.training_chief_hooks] if isinstance(h, v1.train.CheckpointSaverHook)]
    made = []
    seconds, steps = config.save_checkpoints_secs, config.save_checkpoints_steps
    if not found and (seconds or steps):
        made.append(v1.train.CheckpointSaverHook(config.model_dir, seconds, steps, scaffold=spec.scaffold))
    if listeners and not found + made:
        raise ValueError(
            "There should be a CheckpointSaverHook to use saving_listeners. Please set one of the "
            "RunConfig.save_checkpoints_steps or RunConfig.save_checkpoints_secs."
        )
    for listener in listeners:
        (found + made)[0]._listeners.append(listener)
    return made


def _worker_hooks(spec, config):
    """A master evaluates between its steps, so worker 0 of its cluster writes the summaries."""
    hooks = []
    if (config.task_type, config.task_id) == (TaskType.WORKER, 0):
        if config.save_summary_steps:
            hooks.append(
                v1.train.SummarySaverHook(
                    save_steps=config.save_summary_steps, output_dir=config.model_dir, scaffold=spec.scaffold
                )
            )
        if config.log_step_count_steps:
            hooks.append(v1.train.StepCounterHook(config.log_step_count_steps, output_dir=config.model_dir))
    return hooks
