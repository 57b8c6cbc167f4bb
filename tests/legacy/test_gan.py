"""contrib.gan: losses against their formulas in numpy, and a small GAN that learns where its data lie."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import gan
from tf1ref.legacy.contrib.gan.losses import wargs
from tf1ref.legacy.contrib.slim import learning

REAL = np.array([[0.5], [-1.0], [2.0]], np.float32)
FAKE = np.array([[-0.25], [1.5], [0.0]], np.float32)


def softplus(x):
    return np.log1p(np.exp(x))


def smoothed(x, label):
    """The cross entropy of sigmoid(x) with a label between 0 and 1."""
    return label * softplus(-x) + (1 - label) * softplus(x)


# A smoothing of s moves the label 1 to 1 - s + s / 2.
LOSSES = {
    "wasserstein": (-FAKE.mean(), FAKE.mean() - REAL.mean()),
    "minimax": (
        -(smoothed(np.ones(3), 1.0).mean() + softplus(FAKE).mean()),
        smoothed(REAL, 0.875).mean() + softplus(FAKE).mean(),
    ),
    "modified": (softplus(-FAKE).mean(), smoothed(REAL, 0.875).mean() + softplus(FAKE).mean()),
    "least_squares": (((FAKE - 1) ** 2 / 2).mean(), ((REAL - 1) ** 2 / 2).mean() + (FAKE**2 / 2).mean()),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_its_formula(name):
    with v1.Graph().as_default(), v1.Session() as session:
        generator = getattr(wargs, f"{name}_generator_loss")(FAKE, add_summaries=True)
        discriminator = getattr(wargs, f"{name}_discriminator_loss")(REAL, FAKE, add_summaries=True)
        weighted = getattr(wargs, f"{name}_discriminator_loss")(REAL, FAKE, real_weights=0.0, generated_weights=0.0)
        found = session.run([generator, discriminator, weighted])
        assert len(v1.losses.get_losses()) == 3 and len(v1.get_collection(v1.GraphKeys.SUMMARIES)) == 4
    np.testing.assert_allclose(found, [*LOSSES[name], 0.0], rtol=1e-6)


def line(data, inputs):
    """A discriminator whose slope is its only weight."""
    return v1.get_variable("slope", initializer=3.0) * v1.reduce_sum(data, 1)


def model(real=REAL, **options):
    def generator(noise):
        with v1.variable_scope("shift"):
            return noise + v1.get_variable("w", initializer=0.0, regularizer=lambda w: 0.5 * v1.square(w + 2.0))

    return gan.gan_model(generator, line, real, v1.zeros_like(v1.convert_to_tensor(REAL)), **options)


def test_the_gradient_penalty_is_that_of_the_slope():
    with v1.Graph().as_default(), v1.Session() as session:
        made = model()
        penalties = [
            gan.losses.wasserstein_gradient_penalty(made),
            gan.losses.wasserstein_gradient_penalty(made, target=6.0, one_sided=True),
        ]
        loss = gan.gan_loss(made, gradient_penalty_weight=0.5)
        plain = gan.gan_loss(made, tensor_pool_fn=lambda given: (given[0] + 1.0, given[1]))
        session.run(v1.global_variables_initializer())
        found = session.run([*penalties, *loss, *plain])
    real, fake = 3 * REAL.mean(), 0.0
    np.testing.assert_allclose(found, [4.0, 0.0, 2.0 - fake, fake - real + 2.0, 2.0, 3.0 - real], rtol=1e-5)


def test_what_does_not_fit():
    with v1.Graph().as_default(), pytest.raises(ValueError, match="shape"):
        model(real=np.zeros([3, 2], np.float32))
    with v1.Graph().as_default():
        made = model()
        with pytest.raises(ValueError, match="negative"):
            gan.gan_loss(made, gradient_penalty_weight=-1.0)
        v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, v1.no_op("apart"))
        sgd = v1.train.GradientDescentOptimizer(0.1)
        with pytest.raises(ValueError, match="apart"):
            gan.gan_train_ops(made, gan.gan_loss(made), sgd, sgd)


def train_ops():
    made = model()
    counts = []
    for scope in ("Generator", "Discriminator"):
        counts.append(v1.get_variable(f"{scope}_runs", initializer=0, trainable=False))
        with v1.name_scope(f"{scope}/"):
            v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, v1.assign_add(counts[-1], 1, name="run"))
    sgd = v1.train.GradientDescentOptimizer(0.1)
    loss = gan.gan_loss(made, gan.losses.least_squares_generator_loss, gan.losses.least_squares_discriminator_loss)
    return gan.gan_train_ops(made, loss, sgd, sgd), counts


@pytest.mark.slow
@pytest.mark.parametrize("hooks", [None, gan.get_joint_train_hooks(gan.GANTrainSteps(1, 3))])
def test_training_takes_turns_and_each_part_its_own_updates(tmp_path, hooks):
    with v1.Graph().as_default():
        ops, counts = train_ops()
        stop = [v1.train.StopAtStepHook(num_steps=4)]
        step = gan.gan_train(ops, str(tmp_path), hooks, hooks=stop, save_summaries_steps=None)
        reader = v1.train.load_checkpoint(str(tmp_path))
    assert step == 4
    runs = [int(reader.get_tensor(each.op.name)) for each in counts]
    assert runs == ([4, 4] if hooks is None else [4, 12])


def test_training_by_slim_runs_the_steps_too(tmp_path):
    with v1.Graph().as_default():
        ops, counts = train_ops()
        steps = gan.get_sequential_train_steps(gan.GANTrainSteps(2, 1))
        quiet = {"save_summaries_secs": 0, "save_interval_secs": 0}  # services in threads of their own
        learning.train(ops, str(tmp_path), train_step_fn=steps, number_of_steps=3, **quiet)
        reader = v1.train.load_checkpoint(str(tmp_path))
    assert [int(reader.get_tensor(each.op.name)) for each in counts] == [6, 3]
