"""modules/optimizers_adaptive: v1.train's optimizers in a session to the bit, and their formulas in numpy."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.modules import optimizers_adaptive as ours

STEPS = 50
L1_L2 = {"l1_regularization_strength": 0.05, "l2_regularization_strength": 0.02}
# name: (theirs, ours, arguments, options)
RULES = {
    "adagrad": (v1.train.AdagradOptimizer, ours.Adagrad, (0.1,), {}),
    "adagrad_set": (v1.train.AdagradOptimizer, ours.Adagrad, (0.1, 0.3), {"name": "Mine"}),
    "adagrad_da": (v1.train.AdagradDAOptimizer, ours.AdagradDA, (0.1,), {}),
    "adagrad_da_set": (v1.train.AdagradDAOptimizer, ours.AdagradDA, (0.1,), L1_L2),
    "adadelta": (v1.train.AdadeltaOptimizer, ours.Adadelta, (), {}),
    "adadelta_set": (v1.train.AdadeltaOptimizer, ours.Adadelta, (1.0, 0.9, 1e-4), {}),
    "rmsprop": (v1.train.RMSPropOptimizer, ours.RMSProp, (0.01,), {}),
    "rmsprop_set": (v1.train.RMSPropOptimizer, ours.RMSProp, (0.01, 0.8, 0.5, 1e-4), {}),
    "rmsprop_centered": (v1.train.RMSPropOptimizer, ours.RMSProp, (0.01,), {"centered": True}),
    "rmsprop_centered_set": (v1.train.RMSPropOptimizer, ours.RMSProp, (0.01, 0.8, 0.5, 1e-4), {"centered": True}),
    "ftrl": (v1.train.FtrlOptimizer, ours.Ftrl, (0.1,), {}),
    "ftrl_set": (v1.train.FtrlOptimizer, ours.Ftrl, (0.1, -0.6, 0.2), L1_L2),
    "ftrl_beta": (v1.train.FtrlOptimizer, ours.Ftrl, (0.1,), {"beta": 0.3, **L1_L2}),
    "ftrl_shrinkage": (v1.train.FtrlOptimizer, ours.Ftrl, (0.1,), {"l2_shrinkage_regularization_strength": 0.1}),
    "proximal": (v1.train.ProximalGradientDescentOptimizer, ours.ProximalGradientDescent, (0.1,), {}),
    "proximal_set": (v1.train.ProximalGradientDescentOptimizer, ours.ProximalGradientDescent, (0.1,), L1_L2),
    "proximal_adagrad": (v1.train.ProximalAdagradOptimizer, ours.ProximalAdagrad, (0.1,), {}),
    "proximal_adagrad_set": (v1.train.ProximalAdagradOptimizer, ours.ProximalAdagrad, (0.1, 0.3), L1_L2),
}
ROWS = [3, 1, 3, 3]  # of the five rows of "embedding": one three times, three not at all


def starts(dtype):
    """Two variables by name."""
    random = np.random.RandomState(1)
    return {"scope/W": random.randn(3, 2).astype(dtype), "embedding": random.randn(5, 4).astype(dtype)}


def gradients_of(dtype, shape, seed):
    """A gradient a step."""
    return np.random.RandomState(seed).randn(STEPS, *shape).astype(dtype)


def in_session(rule, dtype, sparse=False, steps=STEPS):
    """The state after some steps of a v1 optimizer: {op name: value}."""
    theirs, _, arguments, options = RULES[rule]
    with v1.Graph().as_default(), v1.Session() as sess:
        variables = [v1.Variable(start, name=name) for name, start in starts(dtype).items()]
        global_step = v1.train.create_global_step()
        if theirs is v1.train.AdagradDAOptimizer:
            arguments = (*arguments, global_step)
        dense, rows = (v1.placeholder(dtype, shape) for shape in ((3, 2), (4, 4) if sparse else (5, 4)))
        second = v1.IndexedSlices(rows, v1.constant(ROWS), v1.constant([5, 4])) if sparse else rows
        step = theirs(*arguments, **options).apply_gradients(zip([dense, second], variables), global_step)
        sess.run(v1.global_variables_initializer())
        for pair in list(zip(gradients_of(dtype, dense.shape, 2), gradients_of(dtype, rows.shape, 3)))[:steps]:
            sess.run(step, dict(zip([dense, rows], pair)))
        return sess.run({v.op.name: v for v in v1.global_variables()})


def in_function(rule, dtype, sparse=False, steps=STEPS):
    """The same in a tf.function: {checkpoint name: value}."""
    _, our, arguments, options = RULES[rule]
    variables = [tf.Variable(start, name=name) for name, start in starts(dtype).items()]
    global_step = tf.Variable(0, dtype=tf.int64, name="global_step")
    optimizer = our(*arguments, *([global_step] if our is ours.AdagradDA else []), **options)
    optimizer.create(variables)

    @tf.function
    def step(dense, rows):
        second = tf.IndexedSlices(rows, tf.constant(ROWS), tf.constant([5, 4])) if sparse else rows
        optimizer.apply(zip([dense, second], variables), global_step)

    shape = (4, 4) if sparse else (5, 4)
    for pair in list(zip(gradients_of(dtype, (3, 2), 2), gradients_of(dtype, shape, 3)))[:steps]:
        step(*map(tf.constant, pair))
    named = {**dict(zip(starts(dtype), variables)), "global_step": global_step, **optimizer.variables_by_name()}
    return {name: variable.numpy() for name, variable in named.items()}


@pytest.mark.slow
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_variables_slots_and_names_are_the_sessions(rule, dtype, sparse, assert_same):
    if dtype == "float64" and rule.startswith("proximal"):
        with pytest.raises((TypeError, ValueError), match="(?i)float"):
            in_session(rule, dtype, sparse)
        assert in_function(rule, dtype, sparse)["scope/W"].dtype == np.float64
        return
    expected = in_session(rule, dtype, sparse)
    assert all((expected[name] != start).any() for name, start in starts(dtype).items())
    assert_same(expected, in_function(rule, dtype, sparse))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_slots_start_as_the_sessions(rule, dtype, assert_same):
    if dtype == "float64" and rule.startswith("proximal"):
        pytest.skip("TF1's proximal optimizers take dense gradients of float32 alone")
    assert_same(in_session(rule, dtype, steps=0), in_function(rule, dtype, steps=0))


@pytest.mark.parametrize(
    ("rule", "slots"),
    [
        ("adagrad", {"scope/W/Adagrad": 0.1}),
        ("adagrad_da", {"scope/W/AdagradDA": 0, "scope/W/AdagradDA_1": 0.1}),
        ("adadelta", {"scope/W/Adadelta": 0, "scope/W/Adadelta_1": 0}),
        ("rmsprop", {"scope/W/RMSProp": 1, "scope/W/RMSProp_1": 0}),
        ("rmsprop_centered", {"scope/W/RMSProp": 1, "scope/W/RMSProp_1": 0, "scope/W/RMSProp_2": 0}),
        ("ftrl", {"scope/W/Ftrl": 0.1, "scope/W/Ftrl_1": 0}),
        ("proximal", {}),
        ("proximal_adagrad", {"scope/W/ProximalAdagrad": 0.1}),
    ],
)
def test_slot_names_and_first_values(rule, slots):
    state = in_function(rule, "float32", steps=0)
    of_w = {name: value for name, value in state.items() if name.startswith("scope/W/")}
    assert sorted(of_w) == sorted(slots)
    assert all((of_w[name] == np.float32(value)).all() for name, value in slots.items())


def adagrad(w, gradients, rate=0.1, accum=0.1):
    for g in gradients:
        accum = accum + g * g
        w = w - rate * g / np.sqrt(accum)
    return w


def shrunk(x, by):
    return np.sign(x) * np.maximum(np.abs(x) - by, 0)


def adagrad_da(w, gradients, l1=0.0, l2=0.0, rate=0.1):
    for t in range(1, len(gradients) + 1):
        squares = 0.1 + np.square(gradients[:t]).sum(0)
        w = -rate * shrunk(gradients[:t].sum(0), l1 * t) / (np.sqrt(squares) + l2 * t * rate)
    return w


def adadelta(w, gradients, rate=0.001, rho=0.95, epsilon=1e-8):
    accum = accum_update = 0
    for g in gradients:
        accum = rho * accum + (1 - rho) * g * g
        update = g * np.sqrt(accum_update + epsilon) / np.sqrt(accum + epsilon)
        accum_update = rho * accum_update + (1 - rho) * update * update
        w = w - rate * update
    return w


def rmsprop(w, gradients, decay=0.9, momentum=0.0, epsilon=1e-10, centered=False):
    rms, mg, moved = 1, 0, 0
    for g in gradients:
        rms = decay * rms + (1 - decay) * g * g
        mg = decay * mg + (1 - decay) * g
        moved = momentum * moved + 0.01 * g / np.sqrt(rms - centered * mg * mg + epsilon)
        w = w - moved
    return w


def ftrl(w, gradients, p=0.5, accum=0.1, l1=0.0, l2=0.0, shrinkage=0.0, rate=0.1):
    linear = 0
    for g in gradients:
        new = accum + g * g
        linear = linear + g + 2 * shrinkage * w - (new**p - accum**p) / rate * w
        w = np.where(np.abs(linear) > l1, (np.sign(linear) * l1 - linear) / (new**p / rate + 2 * l2), 0)
        accum = new
    return w


def proximal(w, gradients, l1=0.0, l2=0.0, accum=None):
    for g in gradients:
        rate = 0.1
        if accum is not None:
            accum = accum + g * g
            rate = 0.1 / np.sqrt(accum)
        w = shrunk(w - rate * g, rate * l1) / (1 + rate * l2)
    return w


FORMULAS = {
    "adagrad": adagrad,
    "adagrad_set": lambda w, g: adagrad(w, g, accum=0.3),
    "adagrad_da": adagrad_da,
    "adagrad_da_set": lambda w, g: adagrad_da(w, g, 0.05, 0.02),
    "adadelta": adadelta,
    "adadelta_set": lambda w, g: adadelta(w, g, 1.0, 0.9, 1e-4),
    "rmsprop": rmsprop,
    "rmsprop_set": lambda w, g: rmsprop(w, g, 0.8, 0.5, 1e-4),
    "rmsprop_centered": lambda w, g: rmsprop(w, g, centered=True),
    "rmsprop_centered_set": lambda w, g: rmsprop(w, g, 0.8, 0.5, 1e-4, centered=True),
    "ftrl": ftrl,
    "ftrl_set": lambda w, g: ftrl(w, g, 0.6, 0.2, 0.05, 0.02),
    "ftrl_beta": lambda w, g: ftrl(w, g, l1=0.05, l2=0.02 + 0.3 / (2 * 0.1)),
    "ftrl_shrinkage": lambda w, g: ftrl(w, g, shrinkage=0.1),
    "proximal": proximal,
    "proximal_set": lambda w, g: proximal(w, g, 0.05, 0.02),
    "proximal_adagrad": lambda w, g: proximal(w, g, accum=0.1),
    "proximal_adagrad_set": lambda w, g: proximal(w, g, 0.05, 0.02, accum=0.3),
}


@pytest.mark.parametrize("rule", FORMULAS)
def test_the_formula_in_numpy(rule):
    start = starts("float64")["scope/W"]
    expected = FORMULAS[rule](start, gradients_of("float32", (3, 2), 2).astype("float64"))
    # Adadelta's own rate hardly moves anything: that much is in its formula.
    assert np.abs(expected - start).max() > (1e-7 if rule == "adadelta" else 0.05)
    np.testing.assert_allclose(in_function(rule, "float32")["scope/W"], expected, rtol=0, atol=1e-5)


def test_adagrad_da_forgets_where_it_starts():
    w = tf.Variable([1.0, -3.0, 0.5], name="w")
    step = tf.Variable(0, dtype=tf.int64)
    optimizer = ours.AdagradDA(0.5, step)
    optimizer.create([w])
    optimizer.apply([(tf.ones(3), w)], step)
    assert len(set(w.numpy().tolist())) == 1


@pytest.mark.parametrize("rule", ["adagrad_da_set", "ftrl_set", "proximal_set", "proximal_adagrad_set"])
def test_l1_makes_exact_zeros(rule):
    _, our, arguments, options = RULES[rule]
    w, step = tf.Variable([0.001, 2.0], name="w"), tf.Variable(0, dtype=tf.int64)
    optimizer = our(*arguments, *([step] if our is ours.AdagradDA else []), **options)
    optimizer.create([w])
    for _ in range(3):
        optimizer.apply([(tf.constant([0.0, -1.0]), w)], step)
    assert w.numpy()[0] == 0 and w.numpy()[1] > 0.1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ours.Adagrad(0.1, 0.0), "initial_accumulator_value is 0.0"),
        (lambda: ours.ProximalAdagrad(0.1, -1.0), "initial_accumulator_value is -1.0"),
        (lambda: ours.AdagradDA(0.1, None, 0.0), "initial_gradient_squared_accumulator_value is 0.0"),
        (lambda: ours.Ftrl(0.1, 0.5), "learning_rate_power is 0.5"),
        (lambda: ours.Ftrl(0.1, l1_regularization_strength=-1.0), "l1_regularization_strength is -1.0"),
    ],
)
def test_values_that_no_kernel_takes(make, says):
    with pytest.raises(ValueError, match=says):
        make()
