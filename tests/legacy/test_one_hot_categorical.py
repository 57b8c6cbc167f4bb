"""contrib.distributions' categorical distributions of vectors against scipy.stats and the density of their paper."""

import math

import numpy as np
import pytest
import scipy
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import _one_hot_categorical as categoricals

PROBS = np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]])
TEMPERATURE = 0.6


def test_one_hot_vectors_are_scipys_multinomial_of_one_trial():
    known = [scipy.stats.multinomial(1, each) for each in PROBS]
    with v1.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(1)
        made = categoricals.OneHotCategorical(probs=PROBS)
        other = categoricals.OneHotCategorical(logits=np.log(PROBS[::-1]), dtype=v1.float32)
        assert made.batch_shape.as_list() == [2] and made.event_shape.as_list() == [3]
        assert made.dtype == v1.int32 and other.sample().dtype == v1.float32
        sample = made.sample(20000)
        assert sample.shape.as_list() == [20000, 2, 3]
        parts = [made.log_prob(np.eye(3)[:, None]), made.entropy(), made.covariance(), made.variance(), made.mode()]
        logarithms, entropy, spread, variance, mode, drawn, divergence, sizes = session.run(
            [*parts, sample, v1.distributions.kl_divergence(made, other),
             [made.batch_shape_tensor(), made.event_shape_tensor()]]
        )  # fmt: skip
    for i, each in enumerate(known):
        np.testing.assert_allclose(logarithms[:, i], each.logpmf(np.eye(3)), rtol=1e-10)
        np.testing.assert_allclose(spread[i], each.cov(), rtol=1e-10)
        np.testing.assert_allclose(drawn[:, i].mean(0), PROBS[i], atol=0.02)
    np.testing.assert_allclose(entropy, [each.entropy() for each in known], rtol=1e-10)
    np.testing.assert_allclose(variance, np.diagonal(spread, axis1=1, axis2=2), rtol=1e-10)
    np.testing.assert_array_equal(mode, [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(drawn.sum(-1), 1)
    np.testing.assert_allclose(
        divergence, [scipy.stats.entropy(PROBS[0], PROBS[1]), scipy.stats.entropy(PROBS[1], PROBS[0])]
    )
    np.testing.assert_array_equal(np.concatenate(sizes), [2, 3])


def test_relaxed_vectors_have_the_density_of_the_paper_and_a_gradient():
    """Maddison et al., eq. 10: (n - 1)! T^(n-1) prod(a_k x_k^(-T-1)) / (sum a_i x_i^-T)^n."""
    x = np.random.RandomState(0).dirichlet([1, 1, 1], [4, 2])
    sums = (PROBS * x**-TEMPERATURE).sum(-1)
    density = math.factorial(2) * TEMPERATURE**2 * (PROBS * x ** (-TEMPERATURE - 1)).prod(-1) / sums**3
    with v1.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(1)
        logits = v1.constant(np.log(PROBS) + 1)
        made = categoricals.RelaxedOneHotCategorical(TEMPERATURE, logits=logits, validate_args=True)
        sample = made.sample(20000)
        pair = categoricals.RelaxedOneHotCategorical(np.float64(1.5), probs=[0.3, 0.7])
        line = np.linspace(1e-6, 1 - 1e-6, 20001)
        found, drawn, gradient, likely = session.run(
            [made.prob(x), sample, v1.gradients(sample[..., 0], logits)[0],
             pair.prob(np.stack([line, 1 - line], 1))]
        )  # fmt: skip
    np.testing.assert_allclose(found, density, rtol=1e-9)
    np.testing.assert_allclose(drawn.sum(-1), 1, rtol=1e-9)
    largest = np.eye(3)[drawn.argmax(-1)].mean(0)
    np.testing.assert_allclose(largest, PROBS, atol=0.02)
    assert (gradient[:, 0] > 0).all() and (gradient[:, 1:] < 0).all()
    np.testing.assert_allclose(scipy.integrate.simpson(likely, x=line), 1, atol=1e-3)


def test_a_temperature_is_positive():
    with v1.Graph().as_default(), v1.Session() as session:
        made = categoricals.ExpRelaxedOneHotCategorical(
            v1.placeholder_with_default(-1.0, []), [0.0, 1.0], None, None, True
        )
        with pytest.raises(v1.errors.InvalidArgumentError):
            session.run(made.sample())
