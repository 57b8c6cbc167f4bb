"""Schedules and moving averages: v1.train's in a session to the bit, and the figures that S3 prints."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.modules import schedules
from tf1ref.modules.moving_average import ExponentialMovingAverage

STRIDES = [*range(30), *range(30, 2001, 23), 2000]


@pytest.mark.parametrize("staircase", [False, True], ids=["smooth", "staircase"])
@pytest.mark.parametrize(("rate", "steps", "decay"), [(0.8, 55000 / 100, 0.99), (0.1, 100, 0.96), (1e-3, 70, 0.5)])
def test_exponential_decay(rate, steps, decay, staircase):
    with v1.Graph().as_default(), v1.Session() as sess:
        at = v1.placeholder(tf.int64, [])
        decayed = v1.train.exponential_decay(rate, at, steps, decay, staircase=staircase)
        expected = np.array([sess.run(decayed, {at: step}) for step in STRIDES])
    ours = tf.function(lambda at: schedules.exponential_decay(rate, at, steps, decay, staircase=staircase))
    reached = np.array([ours(tf.constant(step, tf.int64)).numpy() for step in STRIDES])
    assert (reached.dtype, reached.tobytes()) == (np.float32, expected.tobytes())
    exponents = np.array(STRIDES) / steps
    formula = rate * decay ** (np.floor(exponents) if staircase else exponents)
    np.testing.assert_allclose(reached, formula, rtol=5e-6)


def test_the_averages_s3_prints():
    """S3 1369-1408: v and its average, as v and the step change."""
    v, step = tf.Variable(0.0, name="v1"), tf.Variable(0, name="step")
    averages = ExponentialMovingAverage(0.99, step)
    averages.create([v])
    apply = tf.function(lambda: averages.apply([v]))
    printed = []
    for value, at in [(0, 0), (5, 0), (10, 10000), (10, 10000)]:
        v.assign(value)
        step.assign(at)
        apply()
        printed.append([v.numpy(), averages.average(v).numpy()])
    np.testing.assert_allclose(printed, [[0, 0], [5, 4.5], [10, 4.555], [10, 4.60945]], rtol=1e-6)


def values(dtype):
    """What the variable is before each apply: a start and twelve steps, and the step counter then."""
    random = np.random.RandomState(1).randn(13, 3, 2).astype(dtype)
    return list(zip(random, [0, 0, 1, 2, 3, 10, 100, 889, 890, 891, 892, 2000, 10**7]))


@pytest.mark.parametrize("counted", [False, True], ids=["plain", "num_updates"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_averages_and_their_names_are_the_sessions(dtype, counted):
    (start, _), *later = values(dtype)
    with v1.Graph().as_default(), v1.Session() as sess:
        w, step = v1.Variable(start, name="scope/w"), v1.train.create_global_step()
        ema = v1.train.ExponentialMovingAverage(0.99, step if counted else None)
        apply = ema.apply([w])
        sess.run(v1.global_variables_initializer())
        expected = [sess.run(ema.average(w))]
        for value, at in later:
            w.load(value, sess)
            step.load(at, sess)
            sess.run(apply)
            expected.append(sess.run(ema.average(w)))
        name = ema.average(w).op.name

    w, step = tf.Variable(start, name="scope/w"), tf.Variable(0, dtype=tf.int64)
    averages = ExponentialMovingAverage(0.99, step if counted else None)
    averages.create([w])
    apply = tf.function(lambda: averages.apply([w]))
    reached = [averages.average(w).numpy()]
    for value, at in later:
        w.assign(value)
        step.assign(at)
        apply()
        reached.append(averages.average(w).numpy())
    assert list(averages.variables_by_name()) == [name]
    assert averages.variables_by_name()[name] is averages.average(w)
    assert (np.array(reached).dtype, np.array(reached).tobytes()) == (np.dtype(dtype), np.array(expected).tobytes())


def test_two_variables_of_one_name_do_not_share_a_shadow():
    averages = ExponentialMovingAverage(0.9)
    with pytest.raises(ValueError, match="w/ExponentialMovingAverage exists"):
        averages.create([tf.Variable(1.0, name="w"), tf.Variable(2.0, name="w")])
