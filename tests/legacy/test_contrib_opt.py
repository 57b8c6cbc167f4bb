"""tf.contrib.opt against its rules written out in numpy, and SciPy's minimizers at known minima."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import opt

START, STEPS = np.array([1.0, -2.0, 3.0]), 3


def trained(make, loss=lambda w: v1.reduce_sum(w**2), start=START, steps=STEPS, **kwargs):
    """Returns the variable after some steps of an optimizer on a loss."""
    with v1.Graph().as_default(), v1.Session() as session:
        w = v1.get_variable("w", initializer=v1.constant(start, v1.float64))
        train = make().minimize(loss(w), **kwargs)
        session.run(v1.global_variables_initializer())
        for _ in range(steps):
            session.run(train)
        return session.run(w)


def adam(w, gradient, steps=STEPS, rate=0.1, b1=0.9, b2=0.999, epsilon=1e-8, decay=0.0, kind="adam"):
    """The rules of Adam, Nadam and AdaMax, with weight decay before the step."""
    m = v = np.zeros_like(w)
    for t in range(1, steps + 1):
        g = gradient(w)
        w = w - decay * w
        m = b1 * m + (1 - b1) * g
        v = np.maximum(b2 * v, abs(g)) if kind == "adamax" else b2 * v + (1 - b2) * g * g
        if kind == "adamax":
            w = w - rate / (1 - b1**t) * m / (v + epsilon)
        else:
            ahead = b1 * m + (1 - b1) * g if kind == "nadam" else m
            w = w - rate * np.sqrt(1 - b2**t) / (1 - b1**t) * ahead / (np.sqrt(v) + epsilon)
    return w


@pytest.mark.parametrize(
    ("make", "kind", "decay"),
    [
        (lambda: opt.NadamOptimizer(0.1), "nadam", 0.0),
        (lambda: opt.AdaMaxOptimizer(0.1), "adamax", 0.0),
        (lambda: opt.AdamWOptimizer(0.01, 0.1), "adam", 0.01),
        (lambda: opt.extend_with_decoupled_weight_decay(v1.train.AdamOptimizer)(0.01, 0.1), "adam", 0.01),
        (lambda: opt.LazyAdamOptimizer(0.1), "adam", 0.0),
    ],
)
def test_kin_of_adam_follow_their_rules(make, kind, decay):
    expected = adam(START, lambda w: 2 * w, decay=decay, kind=kind)
    # Hyperparameters are float32 in the optimizers, 64 bits here.
    np.testing.assert_allclose(trained(make), expected, rtol=1e-5)


def test_lazy_adam_leaves_rows_alone_that_have_no_gradient():
    rows = lambda w: v1.reduce_sum(v1.gather(w, [0, 2]) ** 2)  # noqa: E731
    moved = trained(lambda: opt.LazyAdamOptimizer(0.1), rows)
    assert moved[1] == START[1] and (moved[[0, 2]] != START[[0, 2]]).all()
    np.testing.assert_allclose(moved[[0, 2]], adam(START[[0, 2]], lambda w: 2 * w), rtol=1e-5)


@pytest.mark.parametrize("make", [opt.NadamOptimizer, opt.AdaMaxOptimizer])
def test_sparse_and_dense_gradients_agree_where_every_row_has_one(make):
    every = lambda w: v1.reduce_sum(v1.gather(w, [0, 1, 2]) ** 2)  # noqa: E731
    np.testing.assert_allclose(trained(lambda: make(0.1), every), trained(lambda: make(0.1)), rtol=1e-5)


def test_momentum_w_and_which_variables_decay():
    w, velocity = START, 0.0
    for _ in range(STEPS):
        gradient, w = 2 * w, w - 0.05 * w
        velocity = 0.9 * velocity + gradient
        w = w - 0.1 * velocity
    np.testing.assert_allclose(trained(lambda: opt.MomentumWOptimizer(0.05, 0.1, 0.9)), w, rtol=1e-5)
    with v1.Graph().as_default(), v1.Session() as session:
        both = [v1.get_variable(n, initializer=2.0) for n in "ab"]
        step = opt.AdamWOptimizer(0.5, 0.0).minimize(both[0] + both[1], decay_var_list=both[:1])
        session.run(v1.global_variables_initializer())
        session.run(step)
        assert session.run(both) == [1.0, 2.0]


def test_moving_averages_are_saved_in_the_variables_place(tmp_path):
    with v1.Graph().as_default(), v1.Session() as session:
        w = v1.get_variable("w", initializer=4.0)
        optimizer = opt.MovingAverageOptimizer(v1.train.GradientDescentOptimizer(1.0), average_decay=0.5)
        with pytest.raises(RuntimeError, match="before"):
            optimizer.swapping_saver()
        train = optimizer.minimize(w)
        saver = optimizer.swapping_saver()
        session.run(v1.global_variables_initializer())
        session.run(train)  # w 3, its average (4 + 3) / 2
        saver.save(session, str(tmp_path / "m"), write_meta_graph=False)
        assert v1.train.load_variable(str(tmp_path / "m"), "w") == 3.5
        assert session.run(w) == 3.0


def test_a_task_without_gradient_does_not_move():
    with v1.Graph().as_default(), v1.Session() as session:
        w, on = v1.get_variable("w", initializer=1.0), v1.placeholder(v1.float32, [])
        wrapped = opt.MultitaskOptimizerWrapper(v1.train.MomentumOptimizer(0.1, 0.9))
        train = wrapped.minimize(w * on)
        session.run(v1.global_variables_initializer())
        seen = []
        for value in (1.0, 0.0, 0.0):
            session.run(train, {on: value})
            seen.append(float(session.run(w)))
        assert seen == [pytest.approx(0.9)] * 3  # momentum alone would have gone on
        clipped = opt.clip_gradients_by_global_norm([(v1.constant([3.0, 4.0]), w), (v1.zeros([1]), w)], 1.0)
        np.testing.assert_allclose(session.run(clipped[0][0]), [0.6, 0.8], rtol=1e-5)
        zeros = opt.clip_gradients_by_global_norm([(v1.zeros([2]), w)])
        assert session.run(zeros[0][0]).tolist() == [0.0, 0.0]


def test_scipy_finds_minima_free_bounded_and_constrained():
    pytest.importorskip("scipy")
    with v1.Graph().as_default(), v1.Session() as session:
        w = v1.get_variable("w", initializer=[7.0, 7.0])
        loss = v1.reduce_sum(v1.square(w - [1.0, 2.0]))
        seen = []
        cases = (
            (opt.ScipyOptimizerInterface(loss, method="L-BFGS-B", options={"maxiter": 100}), [1, 2]),
            (opt.ScipyOptimizerInterface(loss, var_to_bounds={w.ref(): ([3.0, -1.0], 9.0)}), [3, 2]),
            (opt.ScipyOptimizerInterface(loss, equalities=[w[0] + w[1] - 1.0], method="SLSQP"), [0, 1]),
        )
        for optimizer, minimum in cases:
            session.run(v1.global_variables_initializer())
            optimizer.minimize(session, fetches=[loss], loss_callback=seen.append)
            np.testing.assert_allclose(session.run(w), minimum, atol=1e-4)
        assert len(seen) > 6 and seen[0] == 61.0
        with pytest.raises(ValueError, match="SLSQP"):
            opt.ScipyOptimizerInterface(loss, inequalities=[w[0]]).minimize(session)
