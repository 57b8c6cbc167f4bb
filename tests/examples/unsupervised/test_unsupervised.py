"""Chapter unsupervised against numpy: forward passes, backpropagation, contrastive divergence, an exact likelihood.

The graph half stands for both: test_parity.py proves the other one equal.
"""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import catalog, parity
from tf1ref.data import mnist
from tf1ref.examples.unsupervised import _pictures

pytestmark = pytest.mark.slow  # the first test builds networks and trains them


def trace_of(name, steps=1, **changes):
    return parity.trace_of(catalog.load(f"unsupervised.{name}", changes).run_graph, steps, name)


@pytest.fixture(scope="module")
def data():
    return mnist.read_data_sets(one_hot=True, seed=1)


@pytest.fixture(scope="module")
def stacked():
    """One step of each of the autoencoder's trainings."""
    return trace_of("autoencoder")


def sigmoid(x):
    return 1 / (1 + np.exp(-np.clip(x, -500, 500)))


def weights(trace, when):
    """{name: float64 array} of the variables under a prefix."""
    found = {key.removeprefix(when): value for key, value in trace.items() if key.startswith(when)}
    return {name: value.astype(np.float64) for name, value in found.items()}


def layer(x, w, scope):
    return x @ w[f"{scope}/weights"] + w[f"{scope}/biases"]


def codes(x, w):
    first = sigmoid(layer(x, w, "unit1/encode"))
    return first, sigmoid(layer(first, w, "unit2/encode"))


def unit_loss(x, w, unit, sparsity=0.02):
    """The loss of an autoencoder, and its gradients by hand."""
    code = sigmoid(layer(x, w, f"{unit}/encode"))
    back = sigmoid(layer(code, w, f"{unit}/decode"))
    loss = np.square(x - back).sum(1).mean() + sparsity * code.sum(1).mean()
    at_back = 2 * (back - x) * back * (1 - back) / len(x)
    at_code = (at_back @ w[f"{unit}/decode/weights"].T + sparsity / len(x)) * code * (1 - code)
    return loss, {
        f"{unit}/encode/weights": x.T @ at_code, f"{unit}/encode/biases": at_code.sum(0),
        f"{unit}/decode/weights": code.T @ at_back, f"{unit}/decode/biases": at_back.sum(0),
    }  # fmt: skip


def test_an_autoencoders_loss_and_gradients(stacked, data):
    x, _ = mnist.read_data_sets(one_hot=True, seed=1).train.next_batch(100)
    loss, gradients = unit_loss(x.astype(np.float64), weights(stacked, "initial/stacked/"), "unit1")
    np.testing.assert_allclose(stacked["steps/stacked/unit1"], [loss], rtol=1e-5)
    found = weights(stacked, "gradient/stacked/unit1/")
    assert set(found) == set(gradients)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(found[name], gradient, rtol=1e-3, atol=1e-6)


def test_the_second_one_learns_the_code_of_the_first_and_leaves_it_alone(stacked):
    batches = mnist.read_data_sets(one_hot=True, seed=1).train
    (_, _), (x, _) = batches.next_batch(100), batches.next_batch(100)
    w = weights(stacked, "initial/stacked/")
    for name, g in weights(stacked, "gradient/stacked/unit1/").items():
        w[name] -= 0.001 * g / (np.abs(g) + 1e-8 / np.sqrt(0.001))  # Adam's first step
    loss, gradients = unit_loss(codes(x, w)[0], w, "unit2")
    np.testing.assert_allclose(stacked["steps/stacked/unit2"], [loss], rtol=1e-4)
    assert set(weights(stacked, "gradient/stacked/unit2/")) == set(gradients)
    for name in ("unit1/decode/weights", "unit1/decode/biases"):  # what fine-tuning does not touch either
        np.testing.assert_allclose(stacked[f"final/stacked/{name}"], w[name], atol=1e-6)


def test_through_the_stack_and_to_the_answers(stacked, data):
    x, labels = data.test.images.astype(np.float64), data.test.labels.argmax(1)
    w = weights(stacked, "initial/random/")
    back = sigmoid(layer(sigmoid(layer(codes(x, w)[1], w, "unit2/decode")), w, "unit1/decode"))
    np.testing.assert_allclose(stacked["final/random/reconstructions"], back[:10], atol=1e-5)
    error = np.square(x - back).sum(1).mean()
    np.testing.assert_allclose(stacked["final/random/reconstruction_error"], error, rtol=1e-5)
    for name in ("random", "stacked"):
        w = weights(stacked, f"final/{name}/")
        answers = layer(codes(x, w)[1], w, "classifier").argmax(1)
        assert stacked[f"final/{name}/accuracy"] == pytest.approx(np.mean(answers == labels), abs=2e-4)


def test_fine_tuning_sees_only_the_labelled_pictures(data):
    module = catalog.load("unsupervised.autoencoder", {"LABELLED": 120})
    known = {picture.tobytes() for picture in data.train.images[:120]}
    for xs, ys in itertools.islice(module.batches(data.train, "classifier"), 3):
        assert len({x.tobytes() for x in xs} & known) == len(xs) == len(ys) == 100


def certain(w, x):
    """One direction of contrastive divergence for weights so large that every probability is 0 or 1."""

    def up(v):
        return (v @ w > 0).astype(float)

    data = up(x)
    back = (data @ w.T > 0).astype(float)
    model = up(back)
    return back, {
        "weights": x.T @ data - back.T @ model, "visible": (x - back).sum(0), "hidden": (data - model).sum(0),
    }  # fmt: skip


def test_directions_of_all_phases_where_chance_has_no_say():
    trace = trace_of("rbm", WEIGHT_DEVIATION=1e6, LEARNING_RATE=1e-9)
    batches = mnist.read_data_sets(seed=1).train
    first, second, third = (batches.next_batch(100)[0].astype(np.float64) for _ in range(3))
    bottom, top = (trace[f"initial/rbm{i}/weights"].astype(np.float64) for i in (1, 2))

    def check(phase, rbm, directions):
        for name, direction in directions.items():
            found = trace[f"gradient/{phase}/{rbm}/{name}" if rbm else f"gradient/{phase}/{name}"]
            np.testing.assert_allclose(found, direction, atol=1e-2, err_msg=f"{phase} {rbm} {name}")

    back, directions = certain(bottom, first)
    check("rbm1", "rbm1", directions)
    np.testing.assert_allclose(trace["steps/rbm1"], [np.square(first - back).sum(1).mean()], rtol=1e-4)
    check("rbm2", "rbm2", certain(top, (second @ bottom > 0).astype(float))[1])

    awake = (third @ bottom > 0).astype(float)
    back = (awake @ bottom.T > 0).astype(float)
    dreamed, directions = certain(top, awake)
    check("wake_sleep", "rbm2", directions)
    picture = (dreamed @ bottom.T > 0).astype(float)
    missed = dreamed - (picture @ bottom > 0)
    check("wake_sleep", "", {"generative": awake.T @ (third - back)})
    upward = {"visible": (third - back).sum(0), "weights": picture.T @ missed, "hidden": missed.sum(0)}
    check("wake_sleep", "rbm1", upward)


def test_a_step_is_the_rate_times_the_mean_direction():
    trace = trace_of("rbm")
    for name in ("rbm2/weights", "rbm2/visible", "rbm2/hidden"):
        step = 0.1 * trace[f"gradient/rbm2/{name}"] / 100 + 0.02 * trace[f"gradient/wake_sleep/{name}"] / 100
        np.testing.assert_allclose(trace[f"final/{name}"], trace[f"initial/{name}"] + step, atol=1e-6)
    tied = trace["initial/rbm1/weights"] + 0.1 * trace["gradient/rbm1/rbm1/weights"] / 100
    apart = tied.T + 0.02 * trace["gradient/wake_sleep/generative"] / 100
    np.testing.assert_allclose(trace["final/generative"], apart, atol=1e-6)


def test_states_are_on_as_often_as_the_probabilities_say():
    module = catalog.load("unsupervised.rbm")
    chances = np.tile(np.float32([0.0, 0.1, 0.5, 0.9, 1.0]), (20000, 1))
    with v1.Graph().as_default(), v1.Session() as sess:
        drawn = sess.run(module.sample(v1.constant(chances), seed=5))
    for each in (drawn, module.states(tf.constant(chances), seed=5).numpy()):
        assert set(np.unique(each)) == {0.0, 1.0}
        np.testing.assert_allclose(each.mean(0), chances[0], atol=0.015)
        assert each[:, 0].max() == 0 and each[:, 4].min() == 1


def log_likelihood(x, w, visible, hidden):
    """The mean log probability of pictures, exactly: few hidden units have few states."""
    states = np.array(list(itertools.product([0, 1], repeat=len(hidden))))
    z = np.logaddexp.reduce(states @ hidden + np.logaddexp(0, visible + states @ w.T).sum(1))
    free = x @ visible + np.logaddexp(0, x @ w + hidden).sum(1)
    return np.mean(free) - z


def test_contrastive_divergence_makes_digits_likelier(data):
    trace, x = trace_of("rbm", steps=60, SIZES=(784, 8, 4)), (data.test.images > 0.5).astype(np.float64)

    def machine(variables):
        return log_likelihood(x, *(variables[f"rbm1/{name}"] for name in ("weights", "visible", "hidden")))

    start, end = machine(weights(trace, "initial/")), machine(weights(trace, "final/"))
    assert start == pytest.approx(-784 * np.log(2), rel=0.05)  # knows nothing
    assert end > start + 150


def test_tiles_lie_in_rows():
    rows = np.zeros((6, 784))
    rows[4, 0], rows[4, 783], rows[5, 30] = 5.0, -5.0, 1.0
    picture = _pictures.tiles(rows, 3)
    assert picture.shape == (2 * 29, 3 * 29)
    assert (picture[29, 29], picture[29 + 27, 29 + 27], picture[30, 30]) == (1, 0, 0.5)
    assert picture[29 + 1, 58 + 2] == 1 and picture[0, 28] == 0.5 and picture[0, 0] == 0
