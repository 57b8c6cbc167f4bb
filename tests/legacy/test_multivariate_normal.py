"""contrib.distributions' multivariate normals against scipy.stats and closed forms."""

import numpy as np
import pytest
import scipy
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import _multivariate_normal as normals

RANDOM = np.random.RandomState(0)
FACTOR = np.tril(RANDOM.rand(2, 3, 3)) + np.eye(3)
COVARIANCE = FACTOR @ FACTOR.transpose(0, 2, 1)
MEAN = RANDOM.rand(3)
X = RANDOM.rand(4, 2, 3)
DEVIATIONS = np.array([[0.5, 1.0, 2.0], [1.5, 0.25, 1.0]])
DIAGONAL = np.stack([np.diag(each**2) for each in DEVIATIONS])
MADE = {
    "factor": (lambda: normals.MultivariateNormalTriL(MEAN, FACTOR), COVARIANCE),
    "covariance": (lambda: normals.MultivariateNormalFullCovariance(MEAN, COVARIANCE), COVARIANCE),
    "diagonal": (lambda: normals.MultivariateNormalDiag(MEAN, DEVIATIONS), DIAGONAL),
    "sum": (lambda: normals.MultivariateNormalDiag(MEAN, DEVIATIONS - 0.25, 0.25), DIAGONAL),
    "no mean": (lambda: normals.MultivariateNormalTriL(scale_tril=FACTOR), COVARIANCE),
}


@pytest.mark.parametrize("name", MADE)
def test_a_distribution_is_scipys(name):
    make, covariance = MADE[name]
    mean = np.zeros(3) if name == "no mean" else MEAN
    known = [scipy.stats.multivariate_normal(mean, each) for each in covariance]
    with v1.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(1)
        made = make()
        assert made.batch_shape.as_list() == [2] and made.event_shape.as_list() == [3]
        sample = made.sample(20000)
        logarithm, likely, entropy, middle, mode, spread, variances, deviations, drawn = session.run(
            [made.log_prob(X), made.prob(X), made.entropy(), made.mean(), made.mode(), made.covariance(),
             made.variance(), made.stddev(), sample]
        )  # fmt: skip
        assert sample.shape.as_list() == [20000, 2, 3]
    expected = np.stack([each.logpdf(X[:, i]) for i, each in enumerate(known)], 1)
    np.testing.assert_allclose(logarithm, expected, rtol=1e-10)
    np.testing.assert_allclose(likely, np.exp(expected), rtol=1e-10)
    np.testing.assert_allclose(entropy, [each.entropy() for each in known], rtol=1e-10)
    np.testing.assert_array_equal([middle, mode], np.broadcast_to(mean, (2, 2, 3)))
    np.testing.assert_allclose(spread, covariance, rtol=1e-10)
    np.testing.assert_allclose(variances, np.diagonal(covariance, axis1=1, axis2=2), rtol=1e-10)
    np.testing.assert_allclose(deviations**2, variances, rtol=1e-10)
    for i in range(2):
        np.testing.assert_allclose(np.cov(drawn[:, i].T), covariance[i], atol=0.15)
        np.testing.assert_allclose(drawn[:, i].mean(0), mean, atol=0.1)


def test_divergence_is_its_closed_form_and_samples_have_gradients():
    with v1.Graph().as_default(), v1.Session() as session:
        first, second = MADE["covariance"][0](), MADE["diagonal"][0]()
        loc = v1.constant(MEAN)
        drawn = normals.MultivariateNormalDiag(loc).sample(5)
        found, gradient = session.run([v1.distributions.kl_divergence(first, second), v1.gradients(drawn, loc)[0]])
    inverse = np.linalg.inv(DIAGONAL)
    expected = [
        (np.trace(inverse[i] @ COVARIANCE[i]) - 3 + np.log(np.linalg.det(DIAGONAL[i]) / np.linalg.det(COVARIANCE[i])))
        / 2
        for i in range(2)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_array_equal(gradient, [5.0] * 3)


@pytest.mark.parametrize("kind", [normals.MultivariateNormalDiag, normals.MultivariateNormalTriL])
def test_a_number_of_variables_is_needed(kind):
    with v1.Graph().as_default(), pytest.raises(ValueError, match="number of variables"):
        kind()
