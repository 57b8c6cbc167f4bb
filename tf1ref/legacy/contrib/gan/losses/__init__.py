"""tf.contrib.gan.losses: the losses of `wargs` for a GANModel, whose fields are their first arguments."""

import inspect

from tf1ref.legacy.contrib.gan.losses import wargs

__all__ = [
    "least_squares_discriminator_loss", "least_squares_generator_loss", "minimax_discriminator_loss",
    "minimax_generator_loss", "modified_discriminator_loss", "modified_generator_loss",
    "wasserstein_discriminator_loss", "wasserstein_generator_loss", "wasserstein_gradient_penalty",
]  # fmt: skip


def _of_model(function):
    parameters = inspect.signature(function).parameters.values()
    fields = [each.name for each in parameters if each.default is each.empty]

    def loss(gan_model, **kwargs):
        return function(*(getattr(gan_model, field) for field in fields), **kwargs)

    loss.__name__ = loss.__qualname__ = function.__name__
    loss.__doc__ = function.__doc__
    return loss


least_squares_discriminator_loss = _of_model(wargs.least_squares_discriminator_loss)
least_squares_generator_loss = _of_model(wargs.least_squares_generator_loss)
minimax_discriminator_loss = _of_model(wargs.minimax_discriminator_loss)
minimax_generator_loss = _of_model(wargs.minimax_generator_loss)
modified_discriminator_loss = _of_model(wargs.modified_discriminator_loss)
modified_generator_loss = _of_model(wargs.modified_generator_loss)
wasserstein_discriminator_loss = _of_model(wargs.wasserstein_discriminator_loss)
wasserstein_generator_loss = _of_model(wargs.wasserstein_generator_loss)
wasserstein_gradient_penalty = _of_model(wargs.wasserstein_gradient_penalty)
