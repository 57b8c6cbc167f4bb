"""tf.contrib.gan.losses.wargs: losses of the outputs of a discriminator, D(x) on real and D(g) on generated data.

All losses take weights, the collection for the loss, and a tf.losses.Reduction, as tf.losses does.
"""

import tensorflow.compat.v1 as v1

__all__ = [
    "least_squares_discriminator_loss", "least_squares_generator_loss", "minimax_discriminator_loss",
    "minimax_generator_loss", "modified_discriminator_loss", "modified_generator_loss",
    "wasserstein_discriminator_loss", "wasserstein_generator_loss", "wasserstein_gradient_penalty",
]  # fmt: skip

LOSSES, MEAN = v1.GraphKeys.LOSSES, v1.losses.Reduction.SUM_BY_NONZERO_WEIGHTS


def _collected(loss, real, generated, name, collection, add_summaries):
    """Returns a discriminator's loss. Adds it to the collection and writes a summary of it and of its two parts."""
    if collection:
        v1.add_to_collection(collection, loss)
    if add_summaries:
        v1.summary.scalar(f"discriminator_gen_{name}_loss", generated)
        v1.summary.scalar(f"discriminator_real_{name}_loss", real)
        v1.summary.scalar(f"discriminator_{name}_loss", loss)
    return loss


def _shown(loss, name, add_summaries):
    if add_summaries:
        v1.summary.scalar(name, loss)
    return loss


def wasserstein_generator_loss(
    discriminator_gen_outputs, weights=1.0, scope=None, loss_collection=LOSSES, reduction=MEAN, add_summaries=False
):  # fmt: skip
    """Returns -D(g), https://arxiv.org/abs/1701.07875."""
    with v1.name_scope(scope, "generator_wasserstein_loss") as scope:
        outputs = -v1.to_float(discriminator_gen_outputs)
        loss = v1.losses.compute_weighted_loss(outputs, weights, scope, loss_collection, reduction)
        return _shown(loss, "generator_wass_loss", add_summaries)


def wasserstein_discriminator_loss(
    discriminator_real_outputs, discriminator_gen_outputs, real_weights=1.0, generated_weights=1.0, scope=None,
    loss_collection=LOSSES, reduction=MEAN, add_summaries=False,
):  # fmt: skip
    """Returns D(g) - D(x), https://arxiv.org/abs/1701.07875."""
    with v1.name_scope(scope, "discriminator_wasserstein_loss") as scope:
        real, generated = v1.to_float(discriminator_real_outputs), v1.to_float(discriminator_gen_outputs)
        real.shape.assert_is_compatible_with(generated.shape)
        given = v1.losses.compute_weighted_loss(generated, generated_weights, scope, None, reduction)
        taken = v1.losses.compute_weighted_loss(real, real_weights, scope, None, reduction)
        return _collected(given - taken, taken, given, "wass", loss_collection, add_summaries)


def minimax_discriminator_loss(
    discriminator_real_outputs, discriminator_gen_outputs, label_smoothing=0.25, real_weights=1.0,
    generated_weights=1.0, scope=None, loss_collection=LOSSES, reduction=MEAN, add_summaries=False,
):  # fmt: skip
    """Returns -log sigmoid D(x) - log(1 - sigmoid D(g)), https://arxiv.org/abs/1406.2661.

    label_smoothing: moves the labels of real data from 1 towards a half.
    """
    with v1.name_scope(scope, "discriminator_minimax_loss") as scope:
        entropy = v1.losses.sigmoid_cross_entropy
        real, generated = map(v1.convert_to_tensor, (discriminator_real_outputs, discriminator_gen_outputs))
        common = {"loss_collection": None, "reduction": reduction}
        taken = entropy(v1.ones_like(real), real, real_weights, label_smoothing, scope, **common)
        given = entropy(v1.zeros_like(generated), generated, generated_weights, 0, scope, **common)
        return _collected(taken + given, taken, given, "minimax", loss_collection, add_summaries)


def minimax_generator_loss(
    discriminator_gen_outputs, label_smoothing=0.0, weights=1.0, scope=None, loss_collection=LOSSES, reduction=MEAN,
    add_summaries=False,
):  # fmt: skip
    """Returns the opposite of the discriminator's loss, with 1 in place of D(x)."""
    with v1.name_scope(scope, "generator_minimax_loss") as scope:
        ones = v1.ones_like(discriminator_gen_outputs)
        loss = -minimax_discriminator_loss(
            ones, discriminator_gen_outputs, label_smoothing, weights, weights, scope, loss_collection, reduction
        )
        return _shown(loss, "generator_minimax_loss", add_summaries)


def modified_discriminator_loss(
    discriminator_real_outputs, discriminator_gen_outputs, label_smoothing=0.25, real_weights=1.0,
    generated_weights=1.0, scope=None, loss_collection=LOSSES, reduction=MEAN, add_summaries=False,
):  # fmt: skip
    """Returns minimax_discriminator_loss."""
    return minimax_discriminator_loss(
        discriminator_real_outputs, discriminator_gen_outputs, label_smoothing, real_weights, generated_weights,
        scope or "discriminator_modified_loss", loss_collection, reduction, add_summaries,
    )  # fmt: skip


def modified_generator_loss(
    discriminator_gen_outputs, label_smoothing=0.0, weights=1.0, scope=None, loss_collection=LOSSES, reduction=MEAN,
    add_summaries=False,
):  # fmt: skip
    """Returns -log sigmoid D(g), whose gradients do not vanish early in training."""
    with v1.name_scope(scope, "generator_modified_loss") as scope:
        outputs = v1.convert_to_tensor(discriminator_gen_outputs)
        loss = v1.losses.sigmoid_cross_entropy(
            v1.ones_like(outputs), outputs, weights, label_smoothing, scope, loss_collection, reduction
        )
        return _shown(loss, "generator_modified_loss", add_summaries)


def least_squares_generator_loss(
    discriminator_gen_outputs, real_label=1, weights=1.0, scope=None, loss_collection=LOSSES, reduction=MEAN,
    add_summaries=False,
):  # fmt: skip
    """Returns (D(g) - real_label)^2 / 2, https://arxiv.org/abs/1611.04076."""
    with v1.name_scope(scope, "lsq_generator_loss") as scope:
        squares = v1.squared_difference(v1.to_float(discriminator_gen_outputs), real_label) / 2.0
        loss = v1.losses.compute_weighted_loss(squares, weights, scope, loss_collection, reduction)
    return _shown(loss, "generator_lsq_loss", add_summaries)


def least_squares_discriminator_loss(
    discriminator_real_outputs, discriminator_gen_outputs, real_label=1, fake_label=0, real_weights=1.0,
    generated_weights=1.0, scope=None, loss_collection=LOSSES, reduction=MEAN, add_summaries=False,
):  # fmt: skip
    """Returns (D(x) - real_label)^2 / 2 + (D(g) - fake_label)^2 / 2, https://arxiv.org/abs/1611.04076."""
    with v1.name_scope(scope, "lsq_discriminator_loss") as scope:
        real, generated = v1.to_float(discriminator_real_outputs), v1.to_float(discriminator_gen_outputs)
        real.shape.assert_is_compatible_with(generated.shape)
        losses = v1.squared_difference(real, real_label) / 2.0, v1.squared_difference(generated, fake_label) / 2.0
        taken = v1.losses.compute_weighted_loss(losses[0], real_weights, scope, None, reduction)
        given = v1.losses.compute_weighted_loss(losses[1], generated_weights, scope, None, reduction)
        return _collected(taken + given, taken, given, "lsq", loss_collection, add_summaries)


def wasserstein_gradient_penalty(
    real_data, generated_data, generator_inputs, discriminator_fn, discriminator_scope, epsilon=1e-10, target=1.0,
    one_sided=False, weights=1.0, scope=None, loss_collection=LOSSES, reduction=MEAN, add_summaries=False,
):  # fmt: skip
    """Returns (|dD/dy| / target - 1)^2 at a random y between each x and g, https://arxiv.org/abs/1704.00028.

    discriminator_fn: a function of (data, generator_inputs), called again in discriminator_scope.
    epsilon: added to the squared norm. one_sided: gradients below the target are free.
    """
    with v1.name_scope(scope, "wasserstein_gradient_penalty") as scope:
        real, generated = v1.convert_to_tensor(real_data), v1.convert_to_tensor(generated_data)
        apart = generated - real
        share = v1.random_uniform([v1.shape(apart)[0]] + [1] * (apart.shape.ndims - 1))
        between = real + share * apart
        # Without a name scope, ops of batch norm come into the collection under the discriminator's own names.
        with v1.name_scope(None), v1.variable_scope(discriminator_scope, "gpenalty_dscope", reuse=v1.AUTO_REUSE):
            outputs = discriminator_fn(between, generator_inputs)
        outputs = outputs[0] if isinstance(outputs, tuple) else outputs
        gradients = v1.gradients(outputs, between)[0]
        squares = v1.reduce_sum(v1.square(gradients), list(range(1, gradients.shape.ndims)))
        penalties = v1.sqrt(squares + epsilon) / target - 1.0
        penalties = v1.square(v1.maximum(0.0, penalties) if one_sided else penalties)
        loss = v1.losses.compute_weighted_loss(penalties, weights, scope, loss_collection, reduction)
        return _shown(loss, "gradient_penalty_loss", add_summaries)
