"""Names of tf.contrib.eager's networks, as TensorFlow 1.15 gave them, and its accuracies in numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy import layers
from tf1ref.legacy.contrib import eager as tfe

ONE = np.ones([1, 1], "f")


class Small(tfe.Network):
    def __init__(self, name=None):
        super().__init__(name)
        self.dense = self.track_layer(layers.Dense(1, use_bias=False))

    def call(self, x):
        return self.dense(x)


class Large(tfe.Network):
    def __init__(self, first=None):
        super().__init__()
        self.first, self.second = self.track_layer(first or Small()), self.track_layer(Small())
        self.third = self.track_layer(layers.Dense(1, use_bias=False))

    def call(self, x):
        return self.third(self.second(self.first(x)))


def names(network):
    network(v1.constant(ONE))
    return [variable.op.name if not v1.executing_eagerly() else variable.name[:-2] for variable in network.variables]


def test_names_count_in_the_network_around():
    with v1.Graph().as_default():
        layers.Dense(1)
        assert names(Large()) == ["large/small/dense/kernel", "large/small_1/dense/kernel", "large/dense/kernel"]
        assert names(Large())[1:] == ["large_1/small_1/dense/kernel", "large_1/dense/kernel"]
        shared = Small()
        with pytest.raises(ValueError, match="does not yet have a final name"):
            assert shared.name
        with v1.variable_scope("outer"):
            network = Large(shared)
            both = Large(shared)
        # The one called first has the first name. What is shared lies in the one that tracked it first.
        assert names(both)[:2] == ["outer/large_1/small/dense/kernel", "outer/large/small/dense/kernel"]
        assert (network.first.name, both.name, network.name) == ("small", "outer/large", "outer/large_1")
        assert all(isinstance(variable, type(v1.Variable(1.0, use_resource=True))) for variable in both.variables)


def test_a_name_that_is_taken():
    with v1.Graph().as_default():
        names(Small("a"))
        with pytest.raises(ValueError, match="named 'a' already exists"):
            names(Small("a"))
        with v1.variable_scope("b"):
            pass
        with pytest.raises(ValueError, match="or a variable_scope was created"):
            names(Small("b"))
        network = tfe.Network()
        with pytest.raises(AttributeError):
            network.trainable = False


@pytest.mark.parametrize(
    ("kind", "labels", "predictions"),
    [
        (tfe.metrics.CategoricalAccuracy, [[0, 1], [0, 1], [1, 0]], [[0.2, 0.3], [0.6, 0.4], [0.9, 0.1]]),
        (tfe.metrics.SparseAccuracy, [1, 1, 0], [[0.2, 0.3], [0.6, 0.4], [0.9, 0.1]]),
        (lambda: tfe.metrics.BinaryAccuracy(0.5), [0, 1, 1], [0.1, 0.6, 0.4]),
    ],
)
def test_accuracies(kind, labels, predictions):
    metric = kind()
    metric(v1.constant(labels), v1.constant(predictions))
    assert float(metric.result()) == pytest.approx(2 / 3)
    with pytest.raises(v1.errors.InvalidArgumentError, match="unequal"):
        metric(v1.constant(labels[:1]), v1.constant(predictions))


def test_variables_of_an_optimizer():
    variable = v1.Variable(2.0, use_resource=True)
    optimizer = v1.train.MomentumOptimizer(0.1, 0.9)
    optimizer.apply_gradients([(v1.constant(1.0), variable)])
    assert len(tfe.get_optimizer_variables(optimizer)) == 1
