"""tf.contrib.layers.optimize_loss (rate, optimizer, clipping, noise, update ops and summaries), and summaries."""

import re

import tensorflow.compat.v1 as v1
from tensorflow.python.training import moving_averages

OPTIMIZER_CLS_NAMES = {
    "Adagrad": v1.train.AdagradOptimizer,
    "Adam": v1.train.AdamOptimizer,
    "Ftrl": v1.train.FtrlOptimizer,
    "Momentum": lambda learning_rate: v1.train.MomentumOptimizer(learning_rate, momentum=0.9),
    "RMSProp": v1.train.RMSPropOptimizer,
    "SGD": v1.train.GradientDescentOptimizer,
}
OPTIMIZER_SUMMARIES = ["learning_rate", "loss", "gradients", "gradient_norm", "global_gradient_norm"]


def optimize_loss(
    loss,
    global_step,
    learning_rate,
    optimizer,
    gradient_noise_scale=None,
    gradient_multipliers=None,
    clip_gradients=None,
    learning_rate_decay_fn=None,
    update_ops=None,
    variables=None,
    name=None,
    summaries=None,
    colocate_gradients_with_ops=False,
    increment_global_step=True,
):
    """Adds a training op. Returns a tensor of the loss, which makes a step when it runs.

    learning_rate: a float, a scalar tensor, or None when the optimizer has its own.
    optimizer: a name in OPTIMIZER_CLS_NAMES, a class, a function of the rate, or an instance.
    clip_gradients: a global norm, or a function of (gradient, variable) pairs.
    gradient_multipliers: {variable or its name: factor}.
    update_ops: ops that run before the loss (default: UPDATE_OPS).
    summaries: some of OPTIMIZER_SUMMARIES.
    Raises ValueError for arguments of another kind.
    """
    loss = v1.convert_to_tensor(loss)
    if loss.get_shape().ndims:
        raise ValueError(f"the loss is a scalar, not {loss.get_shape()}")
    if global_step is None:
        global_step = v1.train.get_global_step()
    else:
        v1.train.assert_global_step(global_step)
    summaries = ["loss", "learning_rate", "global_gradient_norm"] if summaries is None else summaries
    for each in summaries:
        if each not in OPTIMIZER_SUMMARIES:
            raise ValueError(f"Summaries should be one of [{', '.join(OPTIMIZER_SUMMARIES)}], you provided {each}.")
    with v1.variable_scope(name, "OptimizeLoss", [loss, global_step]):
        update_ops = set(v1.get_collection(v1.GraphKeys.UPDATE_OPS) if update_ops is None else update_ops)
        if update_ops:
            with v1.control_dependencies(sorted(update_ops, key=lambda op: op.name)):
                loss = v1.identity(loss)
        rate = _rate(learning_rate, learning_rate_decay_fn, global_step, summaries)
        opt = _optimizer(optimizer, rate)
        variables = v1.trainable_variables() if variables is None else variables
        gradients = opt.compute_gradients(loss, variables, colocate_gradients_with_ops=colocate_gradients_with_ops)
        gradients = _changed(gradients, gradient_noise_scale, gradient_multipliers, clip_gradients, summaries)
        _summarize(loss, gradients, summaries, clip_gradients)
        step = global_step if increment_global_step else None
        train = opt.apply_gradients(gradients, global_step=step, name="train")
        with v1.control_dependencies([train]):
            return v1.identity(loss)


def _rate(learning_rate, decay_fn, global_step, summaries):
    if learning_rate is None:
        return None
    if v1.is_tensor(learning_rate) and learning_rate.get_shape().ndims == 0:
        rate = learning_rate
    elif isinstance(learning_rate, (float, int)) and learning_rate >= 0.0:
        start = v1.constant_initializer(learning_rate)
        rate = v1.get_variable("learning_rate", [], trainable=False, initializer=start)
    else:
        raise ValueError(
            f"Learning rate should be 0d Tensor or float >= 0. Got {learning_rate} of {type(learning_rate)}"
        )
    if decay_fn is not None:
        if global_step is None:
            raise ValueError("global_step is required for learning_rate_decay_fn.")
        rate = decay_fn(rate, global_step)
    if "learning_rate" in summaries:
        v1.summary.scalar("learning_rate", rate)
    return rate


def _optimizer(optimizer, rate):
    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZER_CLS_NAMES:
            known = ", ".join(OPTIMIZER_CLS_NAMES)
            raise ValueError(f"Optimizer name should be one of [{known}], you provided {optimizer}.")
        optimizer = OPTIMIZER_CLS_NAMES[optimizer]
    if isinstance(optimizer, v1.train.Optimizer):
        return optimizer
    if not callable(optimizer):
        raise ValueError(f"Unrecognized optimizer: {optimizer!r}: give a name, a class, a function or an instance")
    if rate is None and isinstance(optimizer, type):
        raise ValueError(
            f"Learning rate is None, but should be specified if optimizer is class ({optimizer.__name__})."
        )
    made = optimizer(rate) if rate is not None else optimizer()
    if not isinstance(made, v1.train.Optimizer):
        raise ValueError(f"Unrecognized optimizer: function should return subclass of Optimizer. Got {made!r}.")
    return made


def _changed(gradients, noise_scale, multipliers, clip, summaries):
    if noise_scale is not None:
        gradients = [(g if g is None else _noisy(g, noise_scale), v) for g, v in gradients]
    if multipliers is not None:
        if not multipliers:
            raise ValueError("gradient_multipliers is empty: give {variable or its name: factor}, or leave it out")
        gradients = [(_multiplied(g, v, multipliers), v) for g, v in gradients]
    if "global_gradient_norm" in summaries or "gradient_norm" in summaries:
        v1.summary.scalar("global_norm/gradient_norm", v1.global_norm([g for g, _ in gradients]))
    if isinstance(clip, float):
        clipped, _ = v1.clip_by_global_norm([g for g, _ in gradients], clip)
        return list(zip(clipped, [v for _, v in gradients]))
    if callable(clip):
        return clip(gradients)
    if clip is not None:
        raise ValueError(f"Unknown type {type(clip)} for clip_gradients: give a float or a function")
    return gradients


def _noisy(gradient, scale):
    values = gradient.values if isinstance(gradient, v1.IndexedSlices) else gradient
    noise = v1.truncated_normal(v1.shape(values)) * scale
    if isinstance(gradient, v1.IndexedSlices):
        return v1.IndexedSlices(values + noise, gradient.indices, gradient.dense_shape)
    return values + noise


def _multiplied(gradient, variable, multipliers):
    by_name = {key if isinstance(key, str) else key.op.name: factor for key, factor in multipliers.items()}
    factor = by_name.get(variable.op.name)
    if gradient is None or factor is None:
        return gradient
    if isinstance(gradient, v1.IndexedSlices):
        return v1.IndexedSlices(gradient.values * factor, gradient.indices, gradient.dense_shape)
    return gradient * v1.cast(factor, gradient.dtype)


def _summarize(loss, gradients, summaries, clip):
    if "loss" in summaries:
        v1.summary.scalar("loss", loss)
    for gradient, variable in gradients:
        values = gradient.values if isinstance(gradient, v1.IndexedSlices) else gradient
        if values is None:
            continue
        place = re.sub(r":\d+$", "", variable.name)
        if "gradients" in summaries:
            v1.summary.histogram(f"gradients/{place}", values)
        if "gradient_norm" in summaries:
            v1.summary.scalar(f"gradient_norm/{place}", v1.global_norm([values]))
    if clip is not None and ("global_gradient_norm" in summaries or "gradient_norm" in summaries):
        v1.summary.scalar("global_norm/clipped_gradient_norm", v1.global_norm([g for g, _ in gradients]))


def summarize_tensor(tensor, tag=None):
    """Adds a scalar summary for a scalar, and a histogram for a larger tensor. Returns it."""
    tag = tag or f"{tensor.op.name}_summary"
    kind = v1.summary.scalar if tensor.get_shape().ndims == 0 else v1.summary.histogram
    return kind(tag, tensor)


def summarize_activation(op):
    """Adds a histogram of an activation, and the shares of its zeros and of relu6's sixes. Returns the histogram."""
    if op.op.type in ("Relu", "Softplus", "Relu6"):
        # This is exact; the outputs would need a margin.
        before = op.op.inputs[0]
        _share(f"{op.op.name}/zeros", v1.less(before, v1.cast(0.0, before.dtype)))
    if op.op.type == "Relu6":
        _share(f"{op.op.name}/sixes", v1.greater(before, v1.cast(6.0, before.dtype)))
    return v1.summary.histogram(f"{op.op.name}/activation", op)


def _share(tag, which):
    v1.summary.scalar(tag, v1.reduce_mean(v1.cast(which, v1.float32)))


def summarize_tensors(tensors, summarizer=summarize_tensor):
    """Applies `summarizer` to each."""
    return [summarizer(tensor) for tensor in tensors]


def summarize_collection(collection, name_filter=None, summarizer=summarize_tensor):
    """Applies `summarizer` to the tensors of a collection whose op names match `name_filter`."""
    tensors = v1.get_collection(collection)
    return summarize_tensors(
        [t for t in tensors if name_filter is None or re.match(name_filter, t.op.name)], summarizer
    )


def summarize_variables(name_filter=None, summarizer=summarize_tensor):
    """Applies `summarizer` to the global variables."""
    return summarize_collection(v1.GraphKeys.GLOBAL_VARIABLES, name_filter, summarizer)


def summarize_activations(name_filter=None, summarizer=summarize_activation):
    """Applies `summarizer` to the collection ACTIVATIONS."""
    return summarize_collection(v1.GraphKeys.ACTIVATIONS, name_filter, summarizer)


def adaptive_clipping_fn(
    std_factor=2.0, decay=0.95, static_max_norm=None, global_step=None, report_summary=False, epsilon=1e-8, name=None
):
    """Returns a function of (gradient, variable) pairs for optimize_loss's clip_gradients.

    It keeps moving averages of the logarithm of the global norm and of its square, in AdaptiveMaxNorm/mean and sq_mean.
    A norm of more than std_factor standard deviations above the mean is cut to the mean. decay: that of the averages.
    With global_step it is smaller in the first steps. static_max_norm: an upper limit. report_summary: whether the
    limit is summarized.
    """

    def clipped(grads_and_vars):
        norm = v1.global_norm([gradient for gradient, _ in grads_and_vars])
        largest, mean = _largest_norm(norm, std_factor, decay, global_step, epsilon, name)
        if report_summary:
            v1.summary.scalar("global_norm/adaptive_max_gradient_norm", largest)
        factor = v1.where(norm < largest, v1.ones_like(norm), v1.exp(mean) / norm)
        if static_max_norm is not None:
            factor = v1.minimum(static_max_norm / norm, factor)
        return [(_times(gradient, factor), variable) for gradient, variable in grads_and_vars]

    return clipped


def _largest_norm(norm, std_factor, decay, global_step, epsilon, name):
    """Returns (the largest norm that is not cut, the mean of the logarithms)."""
    with v1.variable_scope(name, "AdaptiveMaxNorm", [norm]):
        logarithm = v1.log(norm + epsilon)
        if global_step is not None:
            step = v1.cast(global_step, v1.float32)
            decay = v1.minimum(decay, step / (step + 1.0))

        def average(name, value):
            kept = v1.get_variable(name, value.shape, value.dtype, v1.zeros_initializer(), trainable=False)
            return moving_averages.assign_moving_average(kept, value, decay, zero_debias=False)

        mean, squares = average("mean", logarithm), average("sq_mean", v1.square(logarithm))
        deviation = v1.sqrt(v1.maximum(epsilon, squares - v1.square(mean)))
        return v1.exp(mean + std_factor * deviation), mean


def _times(gradient, factor):
    if isinstance(gradient, v1.IndexedSlices):
        return v1.IndexedSlices(gradient.values * factor, gradient.indices, gradient.dense_shape)
    return gradient if gradient is None else gradient * factor
