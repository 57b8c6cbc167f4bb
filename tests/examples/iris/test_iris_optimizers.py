"""iris.iris_optimizers: all five rules in numpy's float64, and what RMSProp does without an epsilon."""

import numpy as np
import pytest
import tensorflow as tf

from tf1ref import catalog
from tf1ref.examples.iris import iris_optimizers, iris_softmax

STEPS = 5  # epochs: RMSProp jumps about, which makes more of every rounding


@pytest.fixture(scope="module")
def trace():
    return iris_optimizers.run_graph(STEPS)


def gradients(w1, b1, x, labels):
    """The mean square error of softmax(x w1 + b1), and its gradients by the chain rule."""
    powers = np.exp(x @ w1 + b1)
    y = powers / powers.sum(axis=1, keepdims=True)
    off = y - np.eye(3)[labels]
    slope = 2 * off / y.size
    slope = y * (slope - (slope * y).sum(axis=1, keepdims=True))
    return np.mean(off**2), [x.T @ slope, slope.sum(axis=0)]


class Rule:
    """One weight's first and second moment, S4's way: rate * m / sqrt(V)."""

    def __init__(self, name):
        self.name, self.m, self.v, self.t = name, 0, 0, 0

    def __call__(self, g):
        self.t += 1
        if self.name == "sgd":
            return 0.1 * g
        if self.name == "sgdm":
            self.m = 0.9 * self.m + 0.1 * g
            return 0.1 * self.m
        if self.name == "adagrad":
            self.v = self.v + g**2
            return 0.1 * g / np.sqrt(self.v)
        if self.name == "rmsprop":
            self.v = 0.9 * self.v + 0.1 * g**2
            return 0.1 * g / np.sqrt(self.v + 1e-10)
        self.m, self.v = 0.9 * self.m + 0.1 * g, 0.999 * self.v + 0.001 * g**2
        return 0.1 * (self.m / (1 - 0.9**self.t)) / np.sqrt(self.v / (1 - 0.999**self.t))


@pytest.mark.parametrize("name", iris_optimizers.MOMENTS)
def test_the_rule_in_numpy(trace, name):
    weights = [trace[f"initial/{name}/{w}"].astype(np.float64) for w in ("w1", "b1")]
    rules, losses = [Rule(name), Rule(name)], []
    for _ in range(STEPS):
        epoch = []
        for x, labels in iris_softmax.batches(*iris_softmax.flowers()[0]):
            loss, slopes = gradients(*weights, x.astype(np.float64), labels)
            epoch.append(loss)
            weights = [w - rule(g) for w, rule, g in zip(weights, rules, slopes)]
        losses.append(np.mean(epoch))
    np.testing.assert_allclose(trace[f"steps/{name}/loss"], losses, rtol=0, atol=1e-5)
    for number, w in enumerate(("w1", "b1")):
        np.testing.assert_allclose(trace[f"final/{name}/{w}"], weights[number], rtol=0, atol=1e-4)
        for moment in iris_optimizers.MOMENTS[name]:
            reached, expected = trace[f"slots/{name}/{w}/{moment}"], getattr(rules[number], moment)
            np.testing.assert_allclose(reached, expected, rtol=1e-3, atol=1e-6)


def test_sgd_is_the_program_of_the_lesson(trace):
    lesson = iris_softmax.run_graph(STEPS)
    for key in ("initial/{}w1", "initial/{}b1", "final/{}w1", "final/{}b1", "steps/{}loss", "steps/{}test_accuracy"):
        assert trace[key.format("sgd/")].tobytes() == lesson[key.format("")].tobytes(), key


def test_five_starts_are_one(trace):
    for w in ("w1", "b1"):
        assert len({trace[f"initial/{name}/{w}"].tobytes() for name in iris_optimizers.MOMENTS}) == 1
        assert len({trace[f"final/{name}/{w}"].tobytes() for name in iris_optimizers.MOMENTS}) == 5


def test_rmsprop_without_an_epsilon_divides_0_by_0():
    """What becomes of V when a class is learnt: it decays until a float32 holds it no more."""
    without = catalog.load("iris.iris_optimizers", {"EPSILON": 0.0})
    nothing = tf.zeros([2])
    assert np.isnan(without.rule_in_function("rmsprop", nothing, [nothing], 1.0)[0]).all()
    assert (iris_optimizers.rule_in_function("rmsprop", nothing, [nothing], 1.0)[0].numpy() == 0).all()
