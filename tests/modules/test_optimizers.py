"""modules/optimizers: v1.train's optimizers in a session to the bit, and their formulas in numpy."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.modules import optimizers, schedules

STEPS = 50
RULES = {
    "gradient_descent": (v1.train.GradientDescentOptimizer, optimizers.GradientDescent, (0.1,), {}),
    "momentum": (v1.train.MomentumOptimizer, optimizers.Momentum, (0.1, 0.9), {}),
    "nesterov": (v1.train.MomentumOptimizer, optimizers.Momentum, (0.1, 0.9), {"use_nesterov": True}),
    "adam": (v1.train.AdamOptimizer, optimizers.Adam, (0.01,), {}),
    "adam_set": (v1.train.AdamOptimizer, optimizers.Adam, (0.01, 0.8, 0.99, 1e-4), {}),
    "adam_named": (v1.train.AdamOptimizer, optimizers.Adam, (0.01,), {"name": "Mine"}),
}
ROWS = [3, 1, 3, 3]  # of the five rows of "embedding": one three times, three not at all


def starts(dtype):
    """Two variables by name."""
    random = np.random.RandomState(1)
    return {"scope/W": random.randn(3, 2).astype(dtype), "embedding": random.randn(5, 4).astype(dtype)}


def gradients_of(dtype, shape, seed):
    """A gradient a step."""
    return np.random.RandomState(seed).randn(STEPS, *shape).astype(dtype)


def in_session(make, dtype, sparse):
    """The state after STEPS steps of a v1 optimizer: {op name: value}."""
    with v1.Graph().as_default(), v1.Session() as sess:
        variables = [v1.Variable(start, name=name) for name, start in starts(dtype).items()]
        dense, rows = (v1.placeholder(dtype, shape) for shape in ((3, 2), (4, 4) if sparse else (5, 4)))
        second = v1.IndexedSlices(rows, v1.constant(ROWS), v1.constant([5, 4])) if sparse else rows
        step = make().apply_gradients(zip([dense, second], variables))
        sess.run(v1.global_variables_initializer())
        for pair in zip(gradients_of(dtype, dense.shape, 2), gradients_of(dtype, rows.shape, 3)):
            sess.run(step, dict(zip([dense, rows], pair)))
        return sess.run({v.op.name: v for v in v1.global_variables()})


def in_function(optimizer, dtype, sparse):
    """The same in a tf.function: {checkpoint name: value}."""
    variables = [tf.Variable(start, name=name) for name, start in starts(dtype).items()]
    optimizer.create(variables)

    @tf.function
    def step(dense, rows):
        second = tf.IndexedSlices(rows, tf.constant(ROWS), tf.constant([5, 4])) if sparse else rows
        optimizer.apply(zip([dense, second], variables))

    shape = (4, 4) if sparse else (5, 4)
    for pair in zip(gradients_of(dtype, (3, 2), 2), gradients_of(dtype, shape, 3)):
        step(*map(tf.constant, pair))
    named = {**dict(zip(starts(dtype), variables)), **optimizer.variables_by_name()}
    return {name: variable.numpy() for name, variable in named.items()}


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_variables_slots_and_names_are_the_sessions(rule, dtype, sparse, assert_same):
    theirs, ours, arguments, options = RULES[rule]
    expected = in_session(lambda: theirs(*arguments, **options), dtype, sparse)
    assert all((expected[name] != start).any() for name, start in starts(dtype).items())
    assert_same(expected, in_function(ours(*arguments, **options), dtype, sparse))


def descent(w, gradients):
    return w - 0.1 * gradients.sum(0)


def momentum(w, gradients, nesterov=False):
    accum = np.zeros_like(w)
    for g in gradients:
        accum = 0.9 * accum + g
        w = w - 0.1 * (g + 0.9 * accum if nesterov else accum)
    return w


def adam(w, gradients, rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        w = w - rate * np.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (np.sqrt(v) + epsilon)
    return w


FORMULAS = {
    "gradient_descent": descent,
    "momentum": momentum,
    "nesterov": lambda w, g: momentum(w, g, nesterov=True),
    "adam": adam,
    "adam_set": lambda w, g: adam(w, g, 0.01, 0.8, 0.99, 1e-4),
}


@pytest.mark.parametrize("rule", FORMULAS)
def test_the_formula_in_numpy(rule):
    _, ours, arguments, options = RULES[rule]
    reached = in_function(ours(*arguments, **options), "float32", sparse=False)
    start = starts("float64")["scope/W"]
    expected = FORMULAS[rule](start, gradients_of("float32", (3, 2), 2).astype("float64"))
    assert np.abs(expected - start).max() > 0.05
    np.testing.assert_allclose(reached["scope/W"], expected, rtol=0, atol=1e-5)


def test_adams_beta_powers():
    state = in_function(optimizers.Adam(0.01), "float32", sparse=False)
    assert state["beta1_power"] == pytest.approx(0.9 ** (STEPS + 1), rel=1e-5)
    assert state["beta2_power"] == pytest.approx(0.999 ** (STEPS + 1), rel=1e-5)


@pytest.mark.parametrize("rule", ["momentum", "adam"])
def test_rows_without_a_gradient(rule):
    """Momentum leaves them alone for ever; Adam moves all that ever had one, by the m that is left."""
    variable = tf.Variable(np.ones((3, 1), np.float32), name="w")
    _, ours, arguments, options = RULES[rule]
    optimizer = ours(*arguments, **options)
    optimizer.create([variable])
    ones = tf.ones([1, 1])
    optimizer.apply([(tf.IndexedSlices(ones, [0], [3, 1]), variable)])
    before = variable.numpy()
    optimizer.apply([(tf.IndexedSlices(ones, [1], [3, 1]), variable)])
    moved = (variable.numpy() != before).ravel().tolist()
    assert moved == [rule == "adam", True, False]


@pytest.mark.parametrize("rule", ["gradient_descent", "momentum", "adam"])
def test_an_embedding_trained_by_minimize(rule, assert_same):
    """tf.gather's gradient is sparse in both worlds; global_step counts in both."""
    theirs, ours, arguments, options = RULES[rule]
    start, ids = starts("float32")["embedding"], [4, 0, 4, 4, 2]

    def loss_of(gather, square, table):
        return tf.reduce_sum(square(gather(table, ids)) * [[1.0], [2.0], [0.3], [0.7], [5.0]]) * 0.1

    with v1.Graph().as_default(), v1.Session() as sess:
        table, step = v1.Variable(start, name="table"), v1.train.create_global_step()
        train = theirs(*arguments, **options).minimize(loss_of(v1.gather, v1.square, table), step)
        sess.run(v1.global_variables_initializer())
        for _ in range(10):
            sess.run(train)
        expected = sess.run({v.op.name: v for v in v1.global_variables()})

    optimizer, table = ours(*arguments, **options), tf.Variable(start, name="table")
    step = tf.Variable(0, dtype=tf.int64, name="global_step")
    optimizer.create([table])

    @tf.function
    def train():
        with tf.GradientTape() as tape:
            loss = loss_of(tf.gather, tf.square, table)
        return optimizer.minimize(tape, loss, [table], step)

    gradients = [train() for _ in range(10)]
    assert isinstance(gradients[0][0], tf.IndexedSlices)
    named = {"table": table, "global_step": step, **optimizer.variables_by_name()}
    assert step.numpy() == 10
    assert_same(expected, {name: variable.numpy() for name, variable in named.items()})


def test_a_gradient_of_none_is_passed_over():
    used, unused = tf.Variable([2.0], name="used"), tf.Variable([3.0], name="unused")
    optimizer = optimizers.Momentum(0.1, 0.9)
    optimizer.create([used, unused])
    with tf.GradientTape() as tape:
        loss = tf.square(used)
    gradients = optimizer.minimize(tape, loss, [used, unused])
    assert gradients[1] is None
    assert (used.numpy(), unused.numpy()) == (np.float32(2 - 0.1 * 4), 3)
    assert optimizer.variables_by_name()["unused/Momentum"].numpy() == 0


def test_gradients_of_none_alone_are_an_error_in_both_worlds():
    with v1.Graph().as_default(), pytest.raises(ValueError, match="(?i)no gradients"):
        v1.train.GradientDescentOptimizer(0.1).apply_gradients([(None, v1.Variable(1.0))])
    step = tf.Variable(0)
    with pytest.raises(ValueError, match="(?i)no gradients"):
        optimizers.GradientDescent(0.1).apply([(None, tf.Variable(1.0))], step)
    assert step.numpy() == 0


@pytest.mark.slow
def test_a_rate_that_is_a_callable_follows_the_step():
    with v1.Graph().as_default(), v1.Session() as sess:
        w, step = v1.Variable(1.0, name="w"), v1.train.create_global_step()
        rate = v1.train.exponential_decay(0.5, step, 3, 0.7)
        train = v1.train.GradientDescentOptimizer(rate).apply_gradients([(v1.constant(1.0), w)], step)
        sess.run(v1.global_variables_initializer())
        expected = [(sess.run(train), sess.run(w))[1] for _ in range(STEPS)]

    w, step = tf.Variable(1.0, name="w"), tf.Variable(0, dtype=tf.int64)
    optimizer = optimizers.GradientDescent(lambda: schedules.exponential_decay(0.5, step, 3, 0.7))
    train = tf.function(lambda: optimizer.apply([(tf.constant(1.0), w)], step))
    reached = [(train(), w.numpy())[1] for _ in range(STEPS)]
    np.testing.assert_allclose(reached[:2], [0.5, 0.5 - 0.5 * 0.7 ** (1 / 3)], rtol=1e-6)
    assert np.array(reached).tobytes() == np.array(expected).tobytes()


def test_two_variables_of_one_name_do_not_share_a_slot():
    optimizer = optimizers.Momentum(0.1, 0.9)
    with pytest.raises(ValueError, match="w/Momentum exists"):
        optimizer.create([tf.Variable([1.0], name="w"), tf.Variable([2.0], name="w")])


def test_a_step_before_create_says_so():
    w = tf.Variable([1.0], name="w")
    with pytest.raises(ValueError, match=r"no w/Momentum: call create\(\)"):
        optimizers.Momentum(0.1, 0.9).apply([(tf.constant([1.0]), w)])
    assert w.numpy() == 1
