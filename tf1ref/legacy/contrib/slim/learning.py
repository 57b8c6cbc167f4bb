"""slim.learning: a training op with update ops and checks, and a loop that runs it under a Supervisor."""

import os
import sys
import time

import tensorflow.compat.v1 as v1
from tensorflow.python.client import timeline

from tf1ref.legacy.contrib import training
from tf1ref.legacy.contrib.training import clip_gradient_norms, multiply_gradients
from tf1ref.legacy.contrib.training._gradients import summarized_gradients

__all__ = [
    "add_gradients_summaries", "clip_gradient_norms", "create_train_op", "multiply_gradients", "train", "train_step",
]  # fmt: skip

_USE_DEFAULT = 0


def add_gradients_summaries(grads_and_vars):
    """Adds a histogram and a norm for each gradient. Returns the summaries."""
    return summarized_gradients(grads_and_vars, "/")


def create_train_op(
    total_loss,
    optimizer,
    global_step=_USE_DEFAULT,
    update_ops=None,
    variables_to_train=None,
    clip_gradient_norm=0,
    summarize_gradients=False,
    gate_gradients=v1.train.Optimizer.GATE_OP,
    aggregation_method=None,
    colocate_gradients_with_ops=False,
    gradient_multipliers=None,
    check_numerics=True,
):
    """Adds a training op that first runs `update_ops` (default: UPDATE_OPS). Running it returns the loss.

    clip_gradient_norm: the largest norm of each gradient; 0 (the default) does not clip. check_numerics: a loss that is
    NaN or infinite is an error. gradient_multipliers: {variable or its op's name: factor}, applied before the clipping.
    """

    def transform(pairs):
        if gradient_multipliers:
            with v1.name_scope("multiply_grads"):
                pairs = multiply_gradients(pairs, gradient_multipliers)
        if clip_gradient_norm > 0:
            with v1.name_scope("clip_grads"):
                pairs = clip_gradient_norms(pairs, clip_gradient_norm)
        return pairs

    return training.create_train_op(
        total_loss,
        optimizer,
        global_step=global_step,
        update_ops=update_ops,
        variables_to_train=variables_to_train,
        transform_grads_fn=transform,
        summarize_gradients=summarize_gradients,
        gate_gradients=gate_gradients,
        aggregation_method=aggregation_method,
        colocate_gradients_with_ops=colocate_gradients_with_ops,
        check_numerics=check_numerics,
        summarize=add_gradients_summaries,
    )


def train_step(sess, train_op, global_step, train_step_kwargs):
    """Runs one step. Returns (the loss, whether to stop).

    train_step_kwargs: the tensors `should_stop`, `should_log` and `should_trace`. With the last one, the trace goes to
    `logdir` and to `summary_writer`, if there is one.
    """
    started = time.time()
    options = metadata = None
    if "should_trace" in train_step_kwargs:
        if "logdir" not in train_step_kwargs:
            raise ValueError("logdir must be present in train_step_kwargs when should_trace is present")
        should_trace, before = sess.run([train_step_kwargs["should_trace"], global_step])
        if should_trace:
            options = v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE)
            metadata = v1.RunMetadata()
    total_loss, step = sess.run([train_op, global_step], options=options, run_metadata=metadata)
    elapsed = time.time() - started
    if metadata is not None:
        _write_trace(metadata, before, train_step_kwargs)
    if "should_log" in train_step_kwargs and sess.run(train_step_kwargs["should_log"]):
        v1.logging.info("global step %d: loss = %.4f (%.3f sec/step)", step, total_loss, elapsed)
    stop = sess.run(train_step_kwargs["should_stop"]) if "should_stop" in train_step_kwargs else False
    return total_loss, stop


def _write_trace(metadata, step, kwargs):
    path = os.path.join(kwargs["logdir"], f"tf_trace-{step}.json")
    v1.logging.info("Writing trace to %s", path)
    with v1.gfile.Open(path, "w") as file:
        file.write(timeline.Timeline(metadata.step_stats).generate_chrome_trace_format())
    if "summary_writer" in kwargs:
        kwargs["summary_writer"].add_run_metadata(metadata, f"run_metadata-{step}")


def train(
    train_op,
    logdir,
    train_step_fn=train_step,
    train_step_kwargs=_USE_DEFAULT,
    log_every_n_steps=1,
    graph=None,
    master="",
    is_chief=True,
    global_step=None,
    number_of_steps=None,
    init_op=_USE_DEFAULT,
    init_feed_dict=None,
    local_init_op=_USE_DEFAULT,
    init_fn=None,
    ready_op=_USE_DEFAULT,
    summary_op=_USE_DEFAULT,
    save_summaries_secs=600,
    summary_writer=_USE_DEFAULT,
    startup_delay_steps=0,
    saver=None,
    save_interval_secs=600,
    sync_optimizer=None,
    session_config=None,
    session_wrapper=None,
    trace_every_n_steps=None,
    ignore_live_threads=False,
):
    """Trains until `number_of_steps`, or until the input ends. Returns the loss.

    A Supervisor restores, saves and summarizes. sync_optimizer: a SyncReplicasOptimizer, or a list of them.
    startup_delay_steps: how many steps of the chief a worker waits. trace_every_n_steps: how often a Chrome trace goes
    to `logdir`. Raises ValueError for options that are missing, negative, without their logdir, or exclude one another.
    """
    if train_op is None:
        raise ValueError("train_op cannot be None.")
    _check(logdir, summary_op, saver, trace_every_n_steps)
    if sync_optimizer is not None and startup_delay_steps > 0:
        raise ValueError("startup_delay_steps must be zero when sync_optimizer is supplied.")
    if number_of_steps is not None and number_of_steps <= 0:
        raise ValueError(f"`number_of_steps` must be either None or a positive number, not {number_of_steps}")
    graph = graph or v1.get_default_graph()
    with graph.as_default():
        global_step = v1.train.get_or_create_global_step() if global_step is None else global_step
        saver = saver or v1.train.Saver()
        syncs = _sync_optimizers(sync_optimizer)
        options = _init_ops(init_op, ready_op, local_init_op, syncs, is_chief)
        tokens = [(each.get_chief_queue_runner(), each.get_init_tokens_op()) for each in syncs if is_chief]
        if summary_writer is not _USE_DEFAULT:
            options["summary_writer"] = summary_writer
        kwargs = train_step_kwargs
        if kwargs is _USE_DEFAULT:
            kwargs = _step_kwargs(
                global_step, number_of_steps, log_every_n_steps, trace_every_n_steps, logdir, is_chief
            )
        supervisor = v1.train.Supervisor(
            graph=graph, is_chief=is_chief, logdir=logdir, saver=saver, global_step=global_step, init_fn=init_fn,
            init_feed_dict=init_feed_dict, save_summaries_secs=save_summaries_secs, save_model_secs=save_interval_secs,
            summary_op=v1.summary.merge_all() if summary_op is _USE_DEFAULT else summary_op, **options,
        )  # fmt: skip
    if summary_writer is not None and "should_trace" in kwargs:
        kwargs["summary_writer"] = supervisor.summary_writer
    wait = min(startup_delay_steps, number_of_steps or sys.maxsize)
    with supervisor.managed_session(master, start_standard_services=False, config=session_config) as sess:
        sess = session_wrapper(sess) if session_wrapper else sess
        threads = _started(supervisor, sess, logdir, global_step, wait, tokens)
        step = lambda: train_step_fn(sess, train_op, global_step, kwargs)  # noqa: E731
        return _loop(supervisor, sess, logdir, threads, step, ignore_live_threads)


def _init_ops(init_op, ready_op, local_init_op, syncs, is_chief):
    """Returns the Supervisor's arguments for the ops before the first step. An op that is not given is made."""
    with v1.name_scope("init_ops"):
        options = {
            "init_op": v1.global_variables_initializer() if init_op is _USE_DEFAULT else init_op,
            "ready_op": v1.report_uninitialized_variables() if ready_op is _USE_DEFAULT else ready_op,
            "local_init_op": _local_init(syncs, is_chief) if local_init_op is _USE_DEFAULT else local_init_op,
        }
    if syncs:
        options["ready_for_local_init_op"] = syncs[0].ready_for_local_init_op
    return options


def _check(logdir, summary_op, saver, trace_every_n_steps):
    if logdir is not None:
        return
    if summary_op is not _USE_DEFAULT and summary_op is not None:
        raise ValueError("Cannot provide summary_op because logdir=None")
    if saver is not None:
        raise ValueError("Cannot provide saver because logdir=None")
    if trace_every_n_steps is not None:
        raise ValueError("Cannot provide trace_every_n_steps because logdir=None")


def _sync_optimizers(given):
    found = [] if given is None else list(given) if isinstance(given, (list, tuple)) else [given]
    for each in found:
        if not isinstance(each, v1.train.SyncReplicasOptimizer):
            raise ValueError("`sync_optimizer` must be a tf.train.SyncReplicasOptimizer.")
    return found


def _local_init(syncs, is_chief):
    ops = [v1.local_variables_initializer(), v1.tables_initializer()]
    ops += [each.chief_init_op if is_chief else each.local_step_init_op for each in syncs]
    return v1.group(*ops)


def _step_kwargs(global_step, number_of_steps, log_every_n_steps, trace_every_n_steps, logdir, is_chief):
    kwargs = {}
    with v1.name_scope("train_step"):
        kwargs["should_stop"] = (
            v1.greater_equal(global_step, number_of_steps) if number_of_steps else v1.constant(False)
        )
        if log_every_n_steps > 0:
            kwargs["should_log"] = v1.equal(v1.mod(global_step, log_every_n_steps), 0)
        if is_chief and trace_every_n_steps is not None:
            kwargs["should_trace"] = v1.equal(v1.mod(global_step, trace_every_n_steps), 0)
            kwargs["logdir"] = logdir
    return kwargs


def _started(supervisor, sess, logdir, global_step, wait, tokens):
    if supervisor.is_chief:
        if logdir:
            supervisor.start_standard_services(sess)
    else:
        while sess.run(global_step) < wait:
            time.sleep(1.0)
    threads = supervisor.start_queue_runners(sess)
    for runner, init_tokens in tokens:
        threads += supervisor.start_queue_runners(sess, [runner])
        sess.run(init_tokens)
    return threads


def _loop(supervisor, sess, logdir, threads, step, ignore_live_threads):
    loss = None
    try:
        while not supervisor.should_stop():
            loss, should_stop = step()
            if should_stop:
                break
    except v1.errors.OutOfRangeError as e:
        print(f"slim.learning.train: the input ended: {e.message}", file=sys.stderr)
    if logdir and supervisor.is_chief:
        supervisor.saver.save(sess, supervisor.save_path, global_step=supervisor.global_step)
    supervisor.stop(threads, close_summary_writer=True, ignore_live_threads=ignore_live_threads)
    return loss
