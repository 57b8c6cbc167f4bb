"""tf.contrib.gan (TFGAN): a generator and a discriminator, their losses, and a training that takes turns.

Of its models only the plain GAN is given back. It takes any loss of `losses`, with a gradient penalty.
"""

import collections

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import training
from tf1ref.legacy.contrib.framework import get_trainable_variables
from tf1ref.legacy.contrib.gan import losses
from tf1ref.legacy.contrib.slim import learning

__all__ = [
    "GANLoss", "GANModel", "GANTrainOps", "GANTrainSteps", "RunTrainOpsHook", "gan_loss", "gan_model", "gan_train",
    "gan_train_ops", "get_joint_train_hooks", "get_sequential_train_hooks", "get_sequential_train_steps", "losses",
]  # fmt: skip

GANModel = collections.namedtuple(
    "GANModel",
    "generator_inputs generated_data generator_variables generator_scope generator_fn real_data "
    "discriminator_real_outputs discriminator_gen_outputs discriminator_variables discriminator_scope discriminator_fn",
)
GANLoss = collections.namedtuple("GANLoss", "generator_loss discriminator_loss")
GANTrainOps = collections.namedtuple("GANTrainOps", "generator_train_op discriminator_train_op global_step_inc_op")
GANTrainSteps = collections.namedtuple("GANTrainSteps", "generator_train_steps discriminator_train_steps")
ONE_EACH = GANTrainSteps(1, 1)


def gan_model(
    generator_fn, discriminator_fn, real_data, generator_inputs, generator_scope="Generator",
    discriminator_scope="Discriminator", check_shapes=True,
):  # fmt: skip
    """Returns a GANModel.

    generator_fn: a function of the inputs. discriminator_fn: one of (data, generator_inputs), which is called twice.
    generator_inputs: a tensor, a list or a dict of tensors.
    Raises ValueError when generated and real data have different shapes, unless check_shapes is False.
    """
    with v1.variable_scope(generator_scope) as gen_scope:
        generator_inputs = _tensors(generator_inputs)
        generated = generator_fn(generator_inputs)
    with v1.variable_scope(discriminator_scope) as dis_scope:
        on_generated = discriminator_fn(generated, generator_inputs)
    with v1.variable_scope(dis_scope, reuse=True):
        real_data = v1.convert_to_tensor(real_data)
        on_real = discriminator_fn(real_data, generator_inputs)
    if check_shapes and not generated.shape.is_compatible_with(real_data.shape):
        raise ValueError(f"the generator gives {generated.shape}, and real data have the shape {real_data.shape}")
    return GANModel(
        generator_inputs, generated, get_trainable_variables(gen_scope), gen_scope, generator_fn, real_data, on_real,
        on_generated, get_trainable_variables(dis_scope), dis_scope, discriminator_fn,
    )  # fmt: skip


def _tensors(given):
    if isinstance(given, dict):
        return {key: v1.convert_to_tensor(value) for key, value in given.items()}
    if isinstance(given, (list, tuple)):
        return [v1.convert_to_tensor(value) for value in given]
    return v1.convert_to_tensor(given)


def gan_loss(
    model, generator_loss_fn=losses.wasserstein_generator_loss,
    discriminator_loss_fn=losses.wasserstein_discriminator_loss, gradient_penalty_weight=None,
    gradient_penalty_epsilon=1e-10, tensor_pool_fn=None, add_summaries=True,
):  # fmt: skip
    """Returns the GANLoss of a GANModel, with the regularization losses of both scopes.

    The loss functions take (model, add_summaries). gradient_penalty_weight: of wasserstein_gradient_penalty.
    tensor_pool_fn: a function of (generated data, generator inputs) that gives those the discriminator is trained on.
    Raises ValueError for a negative weight.
    """
    weight = gradient_penalty_weight
    if weight is not None and not v1.is_tensor(weight) and weight < 0:
        raise ValueError(f"`gradient_penalty_weight` must not be negative: {weight}")
    judged = model
    if tensor_pool_fn is not None:
        data, inputs = tensor_pool_fn((model.generated_data, model.generator_inputs))
        with v1.variable_scope(model.discriminator_scope, reuse=True):
            judged = model._replace(discriminator_gen_outputs=model.discriminator_fn(data, inputs))
    generator = generator_loss_fn(model, add_summaries=add_summaries)
    discriminator = discriminator_loss_fn(judged, add_summaries=add_summaries)
    if weight is not None and (v1.is_tensor(weight) or weight > 0):
        penalty = losses.wasserstein_gradient_penalty(
            model, epsilon=gradient_penalty_epsilon, add_summaries=add_summaries
        )
        discriminator += weight * penalty
    return GANLoss(
        generator + v1.losses.get_regularization_loss(model.generator_scope.name),
        discriminator + v1.losses.get_regularization_loss(model.discriminator_scope.name),
    )


def gan_train_ops(
    model, loss, generator_optimizer, discriminator_optimizer, check_for_unused_update_ops=True, **kwargs
):  # fmt: skip
    """Returns GANTrainOps: one op trains the generator, one the discriminator, one counts the global step.

    kwargs: of contrib.training.create_train_op. Each train op runs the update ops of its own scope, such as batch
    norm's. Raises ValueError for update ops outside of both, unless check_for_unused_update_ops is False.
    """
    counted = v1.train.get_or_create_global_step().assign_add(1)
    updates = kwargs.pop("update_ops", None)
    updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS) if updates is None else updates
    scopes = [model.generator_scope.name, model.discriminator_scope.name]
    # `in` would compare tensors by their values where tensor equality is switched on.
    inside = [{id(op) for op in v1.get_collection(v1.GraphKeys.UPDATE_OPS, scope)} for scope in scopes]
    own = [[op for op in updates if id(op) in ids] for ids in inside]
    unused = [op for op in updates if id(op) not in inside[0] | inside[1]]
    if unused and check_for_unused_update_ops:
        raise ValueError(f"There are unused update ops: {unused}")
    parts = (
        ("generator_train", loss.generator_loss, generator_optimizer, model.generator_variables, own[0]),
        (
            "discriminator_train",
            loss.discriminator_loss,
            discriminator_optimizer,
            model.discriminator_variables,
            own[1],
        ),
    )
    made = []
    for name, total, optimizer, variables, ops in parts:
        with v1.name_scope(name):
            given = {"variables_to_train": variables, "update_ops": ops, **kwargs}
            made.append(training.create_train_op(total, optimizer, global_step=None, **given))
    return GANTrainOps(*made, counted)


class RunTrainOpsHook(v1.train.SessionRunHook):
    """Runs train ops, one or several, `train_steps` times before each step."""

    def __init__(self, train_ops, train_steps):
        self._train_ops = list(train_ops) if isinstance(train_ops, (list, tuple)) else [train_ops]
        self._train_steps = train_steps

    def before_run(self, run_context):
        """Runs them."""
        for _ in range(self._train_steps):
            run_context.session.run(self._train_ops)


def get_sequential_train_hooks(train_steps=ONE_EACH):
    """Returns a function of GANTrainOps that returns hooks: the generator's steps, then the discriminator's."""

    def hooks(train_ops):
        ops = train_ops.generator_train_op, train_ops.discriminator_train_op
        return [RunTrainOpsHook(op, steps) for op, steps in zip(ops, train_steps)]

    return hooks


def get_joint_train_hooks(train_steps=ONE_EACH):
    """Returns a function of GANTrainOps that returns hooks: steps of both at once, then those that remain."""
    both = min(train_steps)

    def hooks(train_ops):
        ops = train_ops.generator_train_op, train_ops.discriminator_train_op
        rest = [RunTrainOpsHook(op, steps - both) for op, steps in zip(ops, train_steps)]
        return [RunTrainOpsHook(ops, both), *rest]

    return hooks


def gan_train(
    train_ops, logdir, get_hooks_fn=None, master="", is_chief=True, scaffold=None, hooks=None,
    chief_only_hooks=None, save_checkpoint_secs=600, save_summaries_steps=100, config=None,
):  # fmt: skip
    """Trains until a hook stops it, such as tf.train.StopAtStepHook. Returns the last global step.

    get_hooks_fn: from get_joint_train_hooks, or by default from get_sequential_train_hooks.
    The other arguments are those of contrib.training.train.
    """
    get_hooks_fn = get_hooks_fn or get_sequential_train_hooks()
    return training.train(
        train_ops.global_step_inc_op, logdir, master=master, is_chief=is_chief, scaffold=scaffold,
        hooks=[*(hooks or []), *get_hooks_fn(train_ops)], chief_only_hooks=chief_only_hooks,
        save_checkpoint_secs=save_checkpoint_secs, save_summaries_steps=save_summaries_steps, config=config,
    )  # fmt: skip


def get_sequential_train_steps(train_steps=ONE_EACH):
    """Returns a train_step_fn for slim.learning.train, whose train op is a GANTrainOps.

    The function returns (the sum of all losses, whether to stop).
    """

    def step(sess, train_ops, global_step, train_step_kwargs):
        kwargs = {key: value for key, value in train_step_kwargs.items() if key != "should_stop"}
        total = 0
        for op, steps in zip((train_ops.generator_train_op, train_ops.discriminator_train_op), train_steps):
            for _ in range(steps):
                loss, _ = learning.train_step(sess, op, global_step, kwargs)
                total += loss
        sess.run(train_ops.global_step_inc_op)
        return total, "should_stop" in train_step_kwargs and sess.run(train_step_kwargs["should_stop"])

    return step
