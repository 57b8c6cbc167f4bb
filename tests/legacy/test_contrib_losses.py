"""contrib.losses against numpy: weights along the batch, n * n pairs, and an arg_scope for the collection."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import framework, losses

RANDOM = np.random.RandomState(2)
P, T = RANDOM.rand(4, 3).astype("f") * 0.8 + 0.1, RANDOM.rand(4, 3).astype("f")
# Each loss of one element, and where its weights may be.
ELEMENTWISE = {
    "absolute_difference": abs(P - T),
    "mean_squared_error": (P - T) ** 2,
    "log_loss": -T * np.log(P + 1e-7) - (1 - T) * np.log(1 - P + 1e-7),
    "sigmoid_cross_entropy": np.log1p(np.exp(P)) - P * T,
}
WEIGHTS = [2.0, 0.0, np.array([1.2, 0.0, 3.0, 0.5]), np.array([[1.2], [0.0], [3.0], [0.5]]), RANDOM.rand(4, 3) > 0.4]


@pytest.fixture(autouse=True)
def graph():
    with v1.Graph().as_default():
        yield


def run(fetches):
    with v1.Session() as session:
        return session.run(fetches)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("weights", WEIGHTS, ids=("two", "zero", "batch", "column", "each"))
def test_the_mean_is_over_elements_that_count(name, weights):
    each = ELEMENTWISE[name]
    wide = np.broadcast_to(np.reshape(weights, np.shape(weights) + (1,)) if np.ndim(weights) == 1 else weights, (4, 3))
    present = (wide != 0).sum()
    expected = (each * wide).sum() / present if present else 0.0
    found = run(getattr(losses, name)(v1.constant(P), v1.constant(T), weights=weights))
    assert found == pytest.approx(expected, rel=1e-5)
    assert run(losses.get_total_loss()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weights", [1.0, 0.0, np.array([2.0, 0.0, 1.0, 0.5])], ids=("one", "zero", "batch"))
def test_pairs_are_all_pairs(weights):
    d = (P - T).astype(float)
    pairs = ((d[:, :, None] - d[:, None, :]) ** 2).mean((1, 2))
    expected = (pairs * weights).sum()
    assert run(losses.mean_pairwise_squared_error(P, T, weights=weights)) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_classes():
    labels = np.array([2, 0, 1, 1])
    softmax = np.exp(P) / np.exp(P).sum(1, keepdims=True)
    nll = -np.log(softmax[range(4), labels])
    weights = np.array([1.0, 0.0, 2.0, 0.0])
    expected = (nll * weights).sum() / 2
    assert run(losses.sparse_softmax_cross_entropy(P, labels[:, None], weights=weights)) == pytest.approx(expected)
    assert run(losses.softmax_cross_entropy(P, np.eye(3)[labels], weights=weights)) == pytest.approx(expected)
    smooth = np.eye(3)[labels] * 0.7 + 0.3 / 3
    smoothed = run(losses.softmax_cross_entropy(P, np.eye(3)[labels], label_smoothing=0.3))
    assert smoothed == pytest.approx(-(smooth * np.log(softmax)).sum(1).mean(), rel=1e-5)


def test_what_is_refused():
    with pytest.raises(ValueError, match="axis"):
        losses.cosine_distance(P, T)
    with pytest.raises(ValueError, match="ndims cannot be None"):
        losses.compute_weighted_loss(v1.placeholder(v1.float32))
    with pytest.raises(ValueError):  # more axes than the losses
        losses.sparse_softmax_cross_entropy(P, np.array([2, 0, 1, 1]), weights=np.ones([4, 3]))


def test_the_collection_is_an_argument_of_a_scope():
    with framework.arg_scope([losses.add_loss], loss_collection=None):
        losses.absolute_difference(P, T)
    assert losses.get_losses() == []
    with framework.arg_scope([losses.add_loss], loss_collection="mine"):
        one = losses.absolute_difference(P, T)
    assert losses.get_losses() == [] and v1.get_collection("mine") == [one]
