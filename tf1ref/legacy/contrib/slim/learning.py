"""slim.learning: a training op with update ops and checks, and the loop that runs it under a Supervisor."""

import sys
import time

import tensorflow.compat.v1 as v1

_USE_GLOBAL_STEP = 0


def clip_gradient_norms(gradients_to_variables, max_norm):
    """Clips each gradient of (gradient, variable) pairs to that norm, by itself."""
    clipped = []
    for gradient, variable in gradients_to_variables:
        if isinstance(gradient, v1.IndexedSlices):
            values = v1.clip_by_norm(gradient.values, max_norm)
            gradient = v1.IndexedSlices(values, gradient.indices, gradient.dense_shape)
        elif gradient is not None:
            gradient = v1.clip_by_norm(gradient, max_norm)
        clipped.append((gradient, variable))
    return clipped


def multiply_gradients(grads_and_vars, gradient_multipliers):
    """Multiplies the gradients of the variables (or names) in a dict. Raises ValueError for an empty one."""
    if not isinstance(grads_and_vars, list) or not gradient_multipliers:
        raise ValueError("grads_and_vars must be a list, gradient_multipliers a dict that is not empty")
    multiplied = []
    for gradient, variable in grads_and_vars:
        factor = gradient_multipliers.get(variable.op.name)
        factor = gradient_multipliers.get(variable.ref() if hasattr(variable, "ref") else variable, factor)
        if factor is not None:
            if gradient is None:
                raise ValueError("Requested multiple of `None` gradient.")
            factor = v1.cast(factor, gradient.dtype)
            if isinstance(gradient, v1.IndexedSlices):
                gradient = v1.IndexedSlices(gradient.values * factor, gradient.indices, gradient.dense_shape)
            else:
                gradient = gradient * factor
        multiplied.append((gradient, variable))
    return multiplied


def add_gradients_summaries(grads_and_vars):
    """Adds a histogram and a norm for each gradient; returns the summaries."""
    summaries = []
    for gradient, variable in grads_and_vars:
        if gradient is not None:
            values = gradient.values if isinstance(gradient, v1.IndexedSlices) else gradient
            summaries.append(v1.summary.histogram(f"{variable.op.name}/gradient", values))
            summaries.append(v1.summary.scalar(f"{variable.op.name}/gradient_norm", v1.global_norm([values])))
    return summaries


def create_train_op(
    total_loss,
    optimizer,
    global_step=_USE_GLOBAL_STEP,
    update_ops=None,
    variables_to_train=None,
    transform_grads_fn=None,
    clip_gradient_norm=0,
    summarize_gradients=False,
    gate_gradients=v1.train.Optimizer.GATE_OP,
    aggregation_method=None,
    colocate_gradients_with_ops=False,
    gradient_multipliers=None,
    check_numerics=True,
):
    """Adds a training op that first runs `update_ops` (default: UPDATE_OPS); running it gives the loss.

    clip_gradient_norm: for each gradient by itself; 0 is none. check_numerics: a loss that is no number is an error.
    """
    if global_step is _USE_GLOBAL_STEP:
        global_step = v1.train.get_or_create_global_step()
    collected = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    update_ops = list(dict.fromkeys(collected if update_ops is None else update_ops))
    if update_ops:
        with v1.control_dependencies(update_ops):
            barrier = v1.no_op(name="update_barrier")
        with v1.control_dependencies([barrier]):
            total_loss = v1.identity(total_loss)
    pairs = optimizer.compute_gradients(
        total_loss,
        variables_to_train or v1.trainable_variables(),
        gate_gradients=gate_gradients,
        aggregation_method=aggregation_method,
        colocate_gradients_with_ops=colocate_gradients_with_ops,
    )
    if gradient_multipliers:
        pairs = multiply_gradients(pairs, gradient_multipliers)
    if transform_grads_fn:
        pairs = transform_grads_fn(pairs)
    if clip_gradient_norm > 0:
        with v1.name_scope("clip_grads"):
            pairs = clip_gradient_norms(pairs, clip_gradient_norm)
    if summarize_gradients:
        with v1.name_scope("summarize_grads"):
            add_gradients_summaries(pairs)
    updates = optimizer.apply_gradients(pairs, global_step=global_step)
    with v1.name_scope("train_op"):
        if check_numerics:
            total_loss = v1.check_numerics(total_loss, "LossTensor is inf or nan")
        with v1.control_dependencies([updates]):
            train_op = v1.identity(total_loss)
    if train_op not in v1.get_collection_ref(v1.GraphKeys.TRAIN_OP):
        v1.add_to_collection(v1.GraphKeys.TRAIN_OP, train_op)
    return train_op


def train_step(sess, train_op, global_step, train_step_kwargs):
    """Runs one step; returns (the loss, whether to stop). Logs where train_step_kwargs' `should_log` says so."""
    started = time.time()
    total_loss, step = sess.run([train_op, global_step])
    if train_step_kwargs.get("should_log") is not None and sess.run(train_step_kwargs["should_log"]):
        v1.logging.info("global step %d: loss = %.4f (%.3f sec/step)", step, total_loss, time.time() - started)
    stop = train_step_kwargs.get("should_stop")
    return total_loss, bool(sess.run(stop)) if stop is not None else False


def train(
    train_op,
    logdir,
    train_step_fn=train_step,
    train_step_kwargs=None,
    log_every_n_steps=1,
    graph=None,
    master="",
    is_chief=True,
    global_step=None,
    number_of_steps=None,
    init_op=None,
    init_feed_dict=None,
    local_init_op=None,
    init_fn=None,
    ready_op=None,
    summary_op=0,
    save_summaries_secs=600,
    summary_writer=0,
    startup_delay_steps=0,
    saver=None,
    save_interval_secs=600,
    sync_optimizer=None,
    session_config=None,
    session_wrapper=None,
    trace_every_n_steps=None,
    ignore_live_threads=False,
):
    """Trains until `number_of_steps`, or the input ends: a Supervisor restores, saves, summarizes. Returns the loss.

    Raises ValueError without a train op, for a negative number of steps, or a sync_optimizer.
    """
    del trace_every_n_steps
    if train_op is None:
        raise ValueError("train_op cannot be None.")
    if number_of_steps is not None and number_of_steps <= 0:
        raise ValueError(f"`number_of_steps` must be either None or a positive number, not {number_of_steps}")
    if sync_optimizer is not None:
        raise ValueError("sync_optimizer: several processes go through tf1ref's launcher, not slim.learning")
    graph = graph or v1.get_default_graph()
    with graph.as_default():
        global_step = v1.train.get_or_create_global_step() if global_step is None else global_step
        saver = saver or v1.train.Saver()
        kwargs = train_step_kwargs or _stop_and_log(global_step, number_of_steps, log_every_n_steps)
        supervisor = v1.train.Supervisor(
            graph=graph, is_chief=is_chief, logdir=logdir, saver=saver, global_step=global_step, init_fn=init_fn,
            init_op=init_op or v1.global_variables_initializer(), init_feed_dict=init_feed_dict,
            local_init_op=local_init_op or v1.group(v1.local_variables_initializer(), v1.tables_initializer()),
            ready_op=v1.report_uninitialized_variables() if ready_op is None else ready_op,
            summary_op=v1.summary.merge_all() if summary_op == 0 else summary_op,
            **({} if summary_writer == 0 else {"summary_writer": summary_writer}),
            save_summaries_secs=save_summaries_secs, save_model_secs=save_interval_secs,
        )  # fmt: skip
    with supervisor.managed_session(master, start_standard_services=False, config=session_config) as sess:
        sess = session_wrapper(sess) if session_wrapper else sess
        return _loop(supervisor, sess, logdir, train_op, global_step, train_step_fn, kwargs, ignore_live_threads)


def _stop_and_log(global_step, number_of_steps, log_every_n_steps):
    kwargs = {}
    if number_of_steps:
        kwargs["should_stop"] = v1.greater_equal(global_step, number_of_steps)
    if log_every_n_steps > 0:
        kwargs["should_log"] = v1.equal(v1.mod(global_step, log_every_n_steps), 0)
    return kwargs


def _loop(supervisor, sess, logdir, train_op, global_step, train_step_fn, kwargs, ignore_live_threads):
    loss = None
    if logdir:
        supervisor.start_standard_services(sess)
    threads = supervisor.start_queue_runners(sess)
    try:
        while not supervisor.should_stop():
            loss, should_stop = train_step_fn(sess, train_op, global_step, kwargs)
            if should_stop:
                break
        if logdir and supervisor.is_chief:
            supervisor.saver.save(sess, supervisor.save_path, global_step=supervisor.global_step)
    except v1.errors.OutOfRangeError as e:
        print(f"slim.learning.train: the input ended: {e.message}", file=sys.stderr)
    finally:
        supervisor.stop(threads, close_summary_writer=True, ignore_live_threads=ignore_live_threads)
    return loss
