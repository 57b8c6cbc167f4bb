"""The generated digits: the same on every run, inked like MNIST, neither trivial nor hopeless."""

import hashlib

import numpy as np
import pytest

from tf1ref.data import digits


def test_a_seed_fixes_the_pictures():
    images, labels = digits.generate(3000, 5)
    assert images.shape == (3000, 28, 28) and images.dtype == np.uint8
    assert labels.shape == (3000,) and labels.dtype == np.uint8
    again, same = digits.generate(3000, 5)
    assert np.array_equal(images, again) and np.array_equal(labels, same)
    assert not np.array_equal(images, digits.generate(3000, 6)[0])
    # Pinned, so that figures measured on the stand-in stay comparable.
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()[:16] == "1024376edeb3757b"


def test_ink_and_classes_are_like_mnists():
    images, labels = digits.generate(4000, 1)
    assert np.bincount(labels, minlength=10).min() > 300
    dark = (images > 127).sum((1, 2))
    assert 90 < dark.mean() < 118  # MNIST: 104 of the 784 pixels
    assert 29 < images.mean() < 38  # MNIST: 33.3
    assert images.max((1, 2)).min() > 150 and dark.min() > 15
    frame = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], 1)
    assert (frame > 127).mean() < 0.003  # the strokes end inside the picture
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)


@pytest.mark.slow
def test_load_has_mnists_numbers_and_two_different_sets():
    train, train_labels, test, test_labels = digits.load()
    assert train.shape == (60_000, 28, 28) and test.shape == (10_000, 28, 28)
    assert np.array_equal(digits.generate(10_000, seed=2)[0], test)
    assert not np.array_equal(train[:100], test[:100])
    assert np.bincount(train_labels).min() > 5500 and np.bincount(test_labels).min() > 850
    assert digits.load()[0] is train


@pytest.mark.slow
def test_a_linear_model_gets_most_of_it_right_and_a_better_one_gets_more():
    """Least squares and 3 nearest neighbours stand for the models, which take minutes to train."""
    train, labels, test, expected = (array[:20_000] for array in digits.load())
    a, b = (np.insert(x.reshape(-1, 784) / np.float32(255), 784, 1, 1) for x in (train, test))
    weights = np.linalg.solve(a.T @ a + 10 * np.eye(785), a.T @ np.eye(10)[labels])
    linear = ((b @ weights).argmax(1) == expected).mean()
    distance = (a * a).sum(1) - 2 * b[:2000] @ a.T
    nearest = labels[np.argpartition(distance, 3, 1)[:, :3]]
    votes = np.stack([(nearest == digit).sum(1) for digit in range(10)], 1).argmax(1)
    neighbours = (votes == expected[:2000]).mean()
    assert 0.82 < linear < 0.87, linear  # MNIST: 0.86
    assert 0.95 < neighbours < 0.98, neighbours  # MNIST: 0.97
