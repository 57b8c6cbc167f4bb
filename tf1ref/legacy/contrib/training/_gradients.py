"""tf.contrib.training's training op (gradient transforms, update ops, checks) and its training loop."""

import tensorflow.compat.v1 as v1

_USE_GLOBAL_STEP = 0


def clip_gradient_norms(gradients_to_variables, max_norm):
    """Clips each gradient of (gradient, variable) pairs to the norm max_norm."""
    clipped = []
    for gradient, variable in gradients_to_variables:
        if isinstance(gradient, v1.IndexedSlices):
            values = v1.clip_by_norm(gradient.values, max_norm)
            gradient = v1.IndexedSlices(values, gradient.indices, gradient.dense_shape)
        elif gradient is not None:
            gradient = v1.clip_by_norm(gradient, max_norm)
        clipped.append((gradient, variable))
    return clipped


def clip_gradient_norms_fn(max_norm):
    """Returns a function that calls clip_gradient_norms, for create_train_op's transform_grads_fn."""
    return lambda gradients_to_variables: clip_gradient_norms(gradients_to_variables, max_norm)


def multiply_gradients(grads_and_vars, gradient_multipliers):
    """Multiplies the gradients of (gradient, variable) pairs by factors: {variable or its op's name: factor}.

    Raises ValueError for pairs that are not a list, factors that are an empty dict or not a dict, and a gradient that
    is None.
    """
    if not isinstance(grads_and_vars, list):
        raise ValueError("`grads_and_vars` must be a list.")
    if not gradient_multipliers:
        raise ValueError("`gradient_multipliers` is empty.")
    if not isinstance(gradient_multipliers, dict):
        raise ValueError("`gradient_multipliers` must be a dict.")
    # Variables are compared by identity. They may not have a hash, and their == may be an op.
    factors = {key if isinstance(key, str) else _identity(key): value for key, value in gradient_multipliers.items()}
    multiplied = []
    for gradient, variable in grads_and_vars:
        factor = factors.get(id(variable), factors.get(variable.op.name))
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


def _identity(key):
    return id(key.deref() if hasattr(key, "deref") else key)


def add_gradients_summaries(grads_and_vars):
    """Adds a histogram and a norm for each gradient. Returns the summaries."""
    return summarized_gradients(grads_and_vars, "_")


def summarized_gradients(grads_and_vars, joint):
    """Does so with tags such as `w/gradient_norm`, where `joint` is "/"."""
    summaries = []
    for gradient, variable in grads_and_vars:
        if gradient is None:
            v1.logging.info("Var %s has no gradient", variable.op.name)
            continue
        values = gradient.values if isinstance(gradient, v1.IndexedSlices) else gradient
        summaries.append(v1.summary.histogram(f"{variable.op.name}{joint}gradient", values))
        summaries.append(v1.summary.scalar(f"{variable.op.name}{joint}gradient_norm", v1.global_norm([values])))
    return summaries


def create_train_op(
    total_loss,
    optimizer,
    global_step=_USE_GLOBAL_STEP,
    update_ops=None,
    variables_to_train=None,
    transform_grads_fn=None,
    summarize_gradients=False,
    gate_gradients=v1.train.Optimizer.GATE_OP,
    aggregation_method=None,
    colocate_gradients_with_ops=False,
    check_numerics=True,
    summarize=add_gradients_summaries,
):
    """Adds a training op that first runs `update_ops` (default: UPDATE_OPS). Running it returns the loss.

    check_numerics: a loss that is NaN or infinite is an error. summarize: a function that adds summaries of the
    gradients.
    """
    if global_step is _USE_GLOBAL_STEP:
        global_step = v1.train.get_or_create_global_step()
    total_loss = _after_updates(total_loss, update_ops)
    if variables_to_train is None:
        variables_to_train = v1.trainable_variables()
    assert variables_to_train
    pairs = optimizer.compute_gradients(
        total_loss,
        variables_to_train,
        gate_gradients=gate_gradients,
        aggregation_method=aggregation_method,
        colocate_gradients_with_ops=colocate_gradients_with_ops,
    )
    if transform_grads_fn:
        pairs = transform_grads_fn(pairs)
    if summarize_gradients:
        with v1.name_scope("summarize_grads"):
            summarize(pairs)
    updates = optimizer.apply_gradients(pairs, global_step=global_step)
    with v1.name_scope("train_op"):
        if check_numerics:
            total_loss = v1.check_numerics(total_loss, "LossTensor is inf or nan")
        with v1.control_dependencies([updates]):
            train_op = v1.identity(total_loss)
    if all(train_op is not known for known in v1.get_collection_ref(v1.GraphKeys.TRAIN_OP)):
        v1.add_to_collection(v1.GraphKeys.TRAIN_OP, train_op)
    return train_op


def _after_updates(total_loss, update_ops):
    collected = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    wanted = list(dict.fromkeys(collected if update_ops is None else update_ops))
    if not set(collected) <= set(wanted):
        v1.logging.warning("update_ops in create_train_op does not contain all the update_ops in GraphKeys.UPDATE_OPS")
    if not wanted:
        return total_loss
    with v1.control_dependencies(wanted):
        barrier = v1.no_op(name="update_barrier")
    with v1.control_dependencies([barrier]):
        return v1.identity(total_loss)


def train(
    train_op,
    logdir,
    master="",
    is_chief=True,
    scaffold=None,
    hooks=None,
    chief_only_hooks=None,
    save_checkpoint_secs=600,
    save_summaries_steps=100,
    config=None,
    max_wait_secs=7200,
    run_metadata=None,
):
    """Runs `train_op` in a MonitoredTrainingSession until a hook stops it or the input ends. Returns the last loss.

    Raises ValueError without a logdir on a chief that saves or summarizes, and when nothing would stop the loop.
    """
    if logdir is None and is_chief:
        if save_summaries_steps:
            raise ValueError("logdir cannot be None when save_summaries_steps is not None")
        if save_checkpoint_secs:
            raise ValueError("logdir cannot be None when save_checkpoint_secs is not None")
    loss = None
    with v1.train.MonitoredTrainingSession(
        master=master,
        is_chief=is_chief,
        checkpoint_dir=logdir,
        scaffold=scaffold,
        hooks=hooks,
        chief_only_hooks=chief_only_hooks,
        save_checkpoint_secs=save_checkpoint_secs,
        save_summaries_steps=save_summaries_steps,
        config=config,
        max_wait_secs=max_wait_secs,
    ) as session:
        while not session.should_stop():
            loss = session.run(train_op, run_metadata=run_metadata)
    return loss
