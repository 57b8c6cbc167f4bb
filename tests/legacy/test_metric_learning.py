"""contrib.losses.metric_learning against its formulas, counted out pair by pair in numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.compat.names import resolver
from tf1ref.legacy.contrib.losses import metric_learning

RANDOM = np.random.RandomState(5)
LABELS = np.int32([0, 1, 0, 2, 1, 0, 2, 3])
EMBEDDINGS = RANDOM.randn(8, 4).astype("float32")
OTHERS = RANDOM.randn(8, 4).astype("float32")
PAIRS = [(a, p) for a in range(8) for p in range(8) if a != p and LABELS[a] == LABELS[p]]


def run(function, *arguments, **options):
    with v1.Graph().as_default(), v1.Session() as sess:
        return sess.run(function(*[v1.constant(each) for each in arguments], **options))


def distance(a, b):
    return np.sqrt(((EMBEDDINGS[a].astype("float64") - EMBEDDINGS[b]) ** 2).sum())


def negatives(a):
    return [n for n in range(8) if LABELS[n] != LABELS[a]]


def test_contrastive():
    labels = np.int32([1, 0] * 4)
    d = np.sqrt(((EMBEDDINGS - OTHERS) ** 2).sum(1))
    expected = np.where(labels == 1, d**2, np.maximum(2.5 - d, 0) ** 2).mean()
    found = run(metric_learning.contrastive_loss, labels, EMBEDDINGS, OTHERS, margin=2.5)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_triplet_semihard():
    losses, without = [], 0
    for a, p in PAIRS:
        squares = [distance(a, n) ** 2 for n in negatives(a)]
        farther = [each for each in squares if each > distance(a, p) ** 2]
        without += not farther
        losses.append(max(1.5 + distance(a, p) ** 2 - min(farther or [max(squares)]), 0))
    assert without and without < len(PAIRS)
    found = run(metric_learning.triplet_semihard_loss, LABELS, EMBEDDINGS, margin=1.5)
    np.testing.assert_allclose(found, np.mean(losses), rtol=1e-5)


def test_lifted_struct():
    losses = []
    for a, p in PAIRS:
        total = sum(np.exp(1.2 - distance(each, n)) for each in (a, p) for n in negatives(each))
        losses.append(max(distance(a, p) + np.log(total), 0) ** 2)
    expected = 0.25 * np.sum(losses) / (len(PAIRS) / 2)
    found = run(metric_learning.lifted_struct_loss, LABELS, EMBEDDINGS, margin=1.2)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def npairs(common, weight):
    targets = common / common.sum(1, keepdims=True)
    similarity = EMBEDDINGS.astype("float64") @ OTHERS.T
    logs = similarity - np.log(np.exp(similarity).sum(1, keepdims=True))
    squares = (EMBEDDINGS**2).sum(1).mean() + (OTHERS**2).sum(1).mean()
    return 0.25 * weight * squares - (targets * logs).sum(1).mean()


def test_npairs():
    found = run(metric_learning.npairs_loss, LABELS, EMBEDDINGS, OTHERS, reg_lambda=0.3)
    np.testing.assert_allclose(found, npairs(LABELS[:, None] == LABELS, 0.3), rtol=1e-5)


@pytest.mark.parametrize("dtype", [v1.bool, v1.float32])
def test_npairs_of_several_labels(dtype, capfd):
    sets = [{0}, {0, 1}, {2}, {1, 2}, {0, 1, 2}, {1}, {0, 2}, {2}]
    common = np.array([[len(a & b) for b in sets] for a in sets])
    with v1.Graph().as_default(), v1.Session() as sess:
        labels = [
            v1.SparseTensor([[n] for n in sorted(each)], v1.cast([1] * len(each), dtype), [3]) for each in sets
        ]  # fmt: skip
        loss = metric_learning.npairs_loss_multilabel(labels, EMBEDDINGS, OTHERS, print_losses=True)
        found = sess.run(loss)
    np.testing.assert_allclose(found, npairs(common, 0.002), rtol=1e-5)
    assert "cross entropy:" in capfd.readouterr().err
    with pytest.raises(TypeError, match="list of SparseTensors"):
        metric_learning.npairs_loss_multilabel([1], EMBEDDINGS, OTHERS)


@pytest.mark.parametrize("package", ["contrib.losses", "contrib.slim.losses"])
def test_programs_find_them(package):
    assert resolver.resolve(f"{package}.metric_learning.triplet_semihard_loss")
