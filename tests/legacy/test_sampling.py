"""tf.contrib.training's sampling by class, by its statistics, and tf.contrib.resampler in numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import resampler, training
from tf1ref.legacy.contrib.training import _sampling

LABELS = np.repeat([0, 1, 2], [70, 20, 10])
WANTED = [0.2, 0.3, 0.5]


def drawn(build, batches):
    """What `batches` runs of a batch give, each tensor's joined."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(4)
        batch = build()
        sess.run(v1.global_variables_initializer())
        coordinator = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(sess, coordinator)
        try:
            found = [sess.run(batch) for _ in range(batches)]
        finally:
            coordinator.request_stop()
            coordinator.join(threads, stop_grace_period_secs=20)
    return [np.concatenate(parts) for parts in zip(*found)]


def an_example():
    place = v1.random_uniform([], 0, len(LABELS), v1.int32, seed=3)
    label = v1.gather(v1.constant(LABELS, v1.int32), place)
    return v1.cast(label, v1.float32) * 10, label


@pytest.mark.slow
@pytest.mark.parametrize("counted", [False, True])
def test_classes_come_as_often_as_is_wanted(counted):
    def build():
        value, label = an_example()
        init = None if counted else [0.7, 0.2, 0.1]
        (values,), labels = training.stratified_sample([value], label, WANTED, 50, init)
        return values, labels

    values, labels = drawn(build, 40)
    assert np.array_equal(values, labels * 10.0)
    shares = np.bincount(labels, minlength=3) / len(labels)
    # 2,000 draws: one standard deviation is .011 at most. While it counts, the first ones come by a rough estimate.
    np.testing.assert_allclose(shares, WANTED, atol=0.08 if counted else 0.05)


def test_examples_of_many_at_once_and_of_two_tensors():
    def build():
        labels = v1.constant(LABELS, v1.int64)
        tensors = [v1.cast(labels, v1.float32)[:, None] * [1.0, 2.0], labels + 5]
        (pairs, more), labels = training.stratified_sample(
            tensors, labels, [0.0, 0.5, 0.5], 8, [0.7, 0.2, 0.1], enqueue_many=True
        )
        return pairs, more, labels

    pairs, more, labels = drawn(build, 20)
    assert pairs.shape == (160, 2) and set(labels) == {1, 2}
    assert np.array_equal(pairs, labels[:, None] * [1.0, 2.0]) and np.array_equal(more, labels + 5)


def test_the_probabilities_of_acceptance():
    init, target = np.float32([0.7, 0.2, 0.1, 0.0]), np.float32([0.2, 0.3, 0.5, 0.0])
    with v1.Graph().as_default(), v1.Session() as sess:
        found = sess.run(_sampling.acceptance(v1.constant(init), v1.constant(target)))
    ratio = np.float32([0.2 / 0.7, 0.3 / 0.2, 0.5 / 0.1, 0])
    np.testing.assert_allclose(found, ratio / 5, rtol=1e-6)


def test_a_class_that_is_wanted_and_never_comes():
    def build():
        value, label = an_example()
        (values,), labels = training.stratified_sample([value], label, [0.5, 0.5, 0.0], 4, [1.0, 0.0, 0.0])
        return values, labels

    with pytest.raises(v1.errors.OpError):
        drawn(build, 1)


def test_what_stratified_sample_refuses():
    data, label = [np.zeros([2, 1])], [1, 2]
    with v1.Graph().as_default():
        for tensors, labels, target, init in (
            (data, 1, [0.5, 0.5], None), (data, [1, 2, 1], [0.5, 0.5], None), (data, label, 1.0, None),
            (data, label, [0.5, 0.5], [0.2, 0.3, 0.5]),
        ):  # fmt: skip
            with pytest.raises(ValueError, match="(?i)shape|rank"):
                training.stratified_sample(tensors, labels, target, 4, init, enqueue_many=True)
        with pytest.raises(TypeError, match="list of tensors"):
            training.stratified_sample(v1.zeros([2, 1]), label, [0.5, 0.5], 4, enqueue_many=True)
    with pytest.raises(v1.errors.OpError):
        drawn(lambda: training.stratified_sample([an_example()[0]], an_example()[1], [0.5, 0.2, 0.2], 4)[1:], 1)


def test_rejection_keeps_what_the_function_likes():
    def build():
        return training.rejection_sample(
            [an_example()[0]], lambda x: v1.cast(x[0] > 5, v1.float32), 16, runtime_checks=True
        )

    (values,) = drawn(build, 10)
    assert set(values) == {10.0, 20.0}


def plain(data, warp):
    """TensorFlow 1's kernel, a point after the other."""
    out = np.zeros((*warp.shape[:-1], data.shape[-1]))
    for place in np.ndindex(warp.shape[:-1]):
        x, y = warp[place]
        for column in (int(np.floor(x)), int(np.floor(x)) + 1):
            for row in (int(np.floor(y)), int(np.floor(y)) + 1):
                if 0 <= column < data.shape[2] and 0 <= row < data.shape[1]:
                    out[place] += data[place[0], row, column] * (1 - abs(x - column)) * (1 - abs(y - row))
    return out


def test_points_between_pixels_and_outside():
    random = np.random.RandomState(2)
    data, warp = random.randn(2, 4, 5, 3), random.uniform(-2, 6, (2, 7, 3, 2))
    warp[0, 0, 0], warp[0, 0, 1] = (4.0, 3.0), (-1.0, 0.0)
    with v1.Graph().as_default(), v1.Session() as sess:
        inputs = v1.constant(data), v1.constant(warp)
        found = resampler.resampler(*inputs)
        to_data, to_warp = v1.gradients(v1.reduce_sum(v1.square(found)), inputs)
        found, to_data, to_warp = sess.run([found, to_data, to_warp])
    np.testing.assert_allclose(found, plain(data, warp), atol=1e-12)

    def square(data, warp):
        return np.square(plain(data, warp)).sum()

    step = 1e-6
    for array, gradient in ((data, to_data), (warp, to_warp)):
        for place in [(1, 2, 1, 1), (0, 3, 2, 0)]:
            if array is warp and not (warp[place[:-1]] > 0).all():
                continue
            moved = array.copy()
            moved[place] += step
            others = (moved, warp) if array is data else (data, moved)
            assert (square(*others) - square(data, warp)) / step == pytest.approx(gradient[place], rel=1e-3, abs=1e-4)


def test_what_resampler_refuses():
    with v1.Graph().as_default():
        with pytest.raises(ValueError, match="data must be"):
            resampler.resampler(v1.zeros([2, 3]), v1.zeros([2, 2]))
        with pytest.raises(ValueError, match="warp must be"):
            resampler.resampler(v1.zeros([2, 3, 3, 1]), v1.zeros([2, 3]))
