"""The other schedules: v1.train's in a session to the bit, over steps before, on and after every corner."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.modules import schedules

STRIDES = [*range(25), 69, 70, 71, 99, 100, 101, *range(102, 2001, 61), 2000, 10**6]
CASES = [
    ("natural_exp_decay", (0.1, 100, 0.5), {}),
    ("natural_exp_decay", (0.8, 7, 0.03), {"staircase": True}),
    ("inverse_time_decay", (0.1, 100, 0.5), {}),
    ("inverse_time_decay", (0.8, 7, 0.3), {"staircase": True}),
    ("inverse_time_decay", (0.8, 55000 / 100, 0.3), {}),
    ("polynomial_decay", (0.1, 100), {}),
    ("polynomial_decay", (0.1, 100, 0.01), {"power": 0.5}),
    ("polynomial_decay", (0.3, 70, 0.01, 2.0), {"cycle": True}),
    ("polynomial_decay", (0.3, 7), {"cycle": True}),
    ("cosine_decay", (0.1, 100), {}),
    ("cosine_decay", (0.3, 70, 0.1), {}),
    ("piecewise_constant", ([100], [0.1, 0.01]), {}),
    ("piecewise_constant", ([7, 70, 1000], [0.1, 0.3, 0.02, 0.001]), {}),
]
IDS = ["-".join([name, *options, str(number)]) for number, (name, _, options) in enumerate(CASES)]


def called(function, arguments, options, at):
    """Calls a schedule; the step is the first argument of piecewise_constant and the second of the others."""
    first, *rest = (
        (at, *arguments) if function.__name__ == "piecewise_constant" else arguments[:1] + (at,) + arguments[1:]
    )
    return function(first, *rest, **options)


@pytest.mark.parametrize("dtype", [tf.int32, pytest.param(tf.int64, marks=pytest.mark.slow)], ids=["int32", "int64"])
@pytest.mark.parametrize(("name", "arguments", "options"), CASES, ids=IDS)
def test_equals_v1_train_to_the_bit(name, arguments, options, dtype):
    with v1.Graph().as_default(), v1.Session() as sess:
        at = v1.placeholder(dtype, [])
        rate = called(getattr(v1.train, name), arguments, options, at)
        expected = np.array([sess.run(rate, {at: step}) for step in STRIDES])
    ours = getattr(schedules, name)
    function = tf.function(lambda at: called(ours, arguments, options, at))
    reached = np.array([function(tf.constant(step, dtype)).numpy() for step in STRIDES])
    assert (reached.dtype, reached.tobytes()) == (np.float32, expected.tobytes())
    assert len(np.unique(reached)) > 1
    if options.get("cycle"):
        return  # at a multiple of decay_steps the last bit decides, in a session too, whether a new cycle has begun
    eager = np.array([called(ours, arguments, options, tf.constant(step, dtype)).numpy() for step in STRIDES[:30]])
    # Without the graph optimizer, which turns a division by a constant into a product, the last bits differ.
    np.testing.assert_allclose(eager, reached[:30], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "arguments", "options", "formula"),
    [
        ("natural_exp_decay", (0.1, 100, 0.5), {}, lambda n: 0.1 * np.exp(-0.5 * n / 100)),
        ("inverse_time_decay", (0.1, 100, 0.5), {"staircase": True}, lambda n: 0.1 / (1 + 0.5 * (n // 100))),
        ("polynomial_decay", (0.1, 100, 0.01, 2.0), {}, lambda n: 0.09 * (1 - np.minimum(n, 100) / 100) ** 2 + 0.01),
        ("cosine_decay", (0.1, 100), {}, lambda n: 0.05 * (1 + np.cos(np.pi * np.minimum(n, 100) / 100))),
        ("piecewise_constant", ([7, 70], [3.0, 2.0, 1.0]), {}, lambda n: 3.0 - (n > 7) - (n > 70)),
    ],
)
def test_equals_its_formula(name, arguments, options, formula):
    steps = np.array(STRIDES[:-1])
    ours = getattr(schedules, name)
    reached = [called(ours, arguments, options, tf.constant(step)).numpy() for step in steps]
    np.testing.assert_allclose(reached, formula(steps), rtol=2e-5, atol=1e-8)


def test_the_rate_of_an_optimizer_follows_a_variable():
    step = tf.Variable(0, dtype=tf.int64)
    rate = tf.function(lambda: schedules.piecewise_constant(step, [1], [0.5, 0.25]))
    reached = []
    for _ in range(3):
        reached.append(float(rate()))
        step.assign_add(1)
    assert reached == [0.5, 0.5, 0.25]


def test_a_fractional_step_has_fractional_boundaries():
    assert float(schedules.piecewise_constant(tf.constant(0.75), [0.5], [1.0, 2.0])) == 2.0
    with pytest.raises(ValueError, match="the step is an integer"):
        schedules.piecewise_constant(tf.constant(1), [0.5], [1.0, 2.0])


@pytest.mark.parametrize(("boundaries", "values"), [([], [1.0]), ([1], [1.0]), ([1], [1.0, 2.0, 3.0])])
def test_one_value_more_than_boundaries(boundaries, values):
    with pytest.raises(ValueError, match="one value more than boundaries"):
        schedules.piecewise_constant(tf.constant(0), boundaries, values)
