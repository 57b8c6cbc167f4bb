"""tf.contrib.data, tf.contrib.eager's networks and metrics, and the losses that took their inputs first."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy import _old_names as old_names
from tf1ref.legacy import layers
from tf1ref.legacy.contrib import data as contrib_data
from tf1ref.legacy.contrib import eager as contrib_eager

X = np.random.RandomState(0).randn(5, 3).astype(np.float32)


class Classifier(contrib_eager.Network):
    """Two anonymous layers and a named one."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = self.track_layer(layers.Dense(4, activation=tf.nn.relu))
        self.middle = self.track_layer(layers.Dense(2))
        self.out = self.track_layer(layers.Dense(2, name="out"))

    def call(self, inputs):
        return self.out(self.middle(self.hidden(inputs)))


def test_a_network_has_its_layers_variables_and_arithmetic():
    net, other = Classifier(), Classifier(name="second")
    outputs = net(X)
    other(X)
    assert [v.name for v in net.variables] == [
        f"classifier/{layer}/{name}:0" for layer in ("dense", "dense_1", "out") for name in ("kernel", "bias")
    ]
    assert [v.name for v in other.trainable_variables][0] == "second/dense/kernel:0"
    w1, b1, w2, b2, w3, b3 = (v.numpy() for v in net.trainable_weights)
    wanted = (np.maximum(X @ w1 + b1, 0) @ w2 + b2) @ w3 + b3
    np.testing.assert_allclose(outputs, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(net(X), outputs)
    assert len(net.variables) == 6 and net.get_layer("out") is net.out and net.get_layer(index=0) is net.hidden
    pairs = contrib_eager.implicit_gradients(lambda x: tf.reduce_sum(net(x)))(X)
    assert {id(v) for _, v in pairs} == {id(v) for v in net.variables}
    np.testing.assert_allclose(next(g for g, v in pairs if v is net.out.bias), [5, 5])


def test_a_network_in_a_graph_and_in_a_network():
    class Pair(contrib_eager.Network):
        def __init__(self):
            super().__init__()
            self.parts = [self.track_layer(Classifier()), self.track_layer(layers.Dense(1))]

        def call(self, inputs):
            return self.parts[1](self.parts[0](inputs))

    with v1.Graph().as_default():
        net = Pair()
        net(v1.placeholder(v1.float32, [None, 3]))
        names = [v.name for v in v1.trainable_variables()]
        assert names == [v.name for v in net.trainable_weights]
        assert names[0] == "pair/classifier/dense/kernel:0" and names[-1] == "pair/dense/bias:0"


def test_networks_refuse():
    net = Classifier()
    with pytest.raises(TypeError, match="not a tf.layers.Layer"):
        net.track_layer(tf.nn.relu)
    with pytest.raises(ValueError, match="two Layers with the name 'out'"):
        net.track_layer(layers.Dense(3, name="out"))
    with pytest.raises(ValueError, match="No such layer: in; there are"):
        net.get_layer("in")
    with pytest.raises(ValueError, match="not allowed"):
        contrib_eager.Network(name="a/b")

    class Forgets(contrib_eager.Network):
        def __init__(self):
            self.track_layer(layers.Dense(3))

    with pytest.raises(RuntimeError, match="Network.__init__"):
        Forgets()


def test_sequential_hands_training_to_those_that_take_it():
    net = contrib_eager.Sequential([layers.Dense(4), lambda x: x * 2, layers.Dropout(1.0 - 1e-6)])
    np.testing.assert_allclose(net(X) / 2, X @ net.variables[0].numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(net(X, training=True), np.zeros((5, 4)))
    with pytest.raises(TypeError, match="callables"):
        net.add(3)


def test_metrics_sum_up():
    mean, accuracy = contrib_eager.metrics.Mean(), contrib_eager.metrics.Accuracy("acc")
    with pytest.raises(ValueError, match="before any value"):
        mean.result()
    mean([1.0, 2.0])
    mean(6.0)
    assert mean.result().numpy() == 3.0 and mean.name == "mean" and accuracy.name == "acc"
    mean([10.0, 0.0], weights=[1.0, 0.0])
    assert mean.value().numpy() == pytest.approx(19 / 4)
    mean.init_variables()
    mean(5.0)
    assert mean.result().numpy() == 5.0
    accuracy(tf.constant([1, 2, 3], tf.int64), tf.constant([1, 0, 3]))
    accuracy([7], [7])
    assert accuracy.result().numpy() == 0.75
    with pytest.raises(tf.errors.InvalidArgumentError, match="Shapes"):
        accuracy([1, 2], [1])
    with v1.Graph().as_default(), pytest.raises(RuntimeError, match="tf.metrics"):
        contrib_eager.metrics.Mean()


def test_data_sets_of_1_3():
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(v1.int32, [None])
        dataset = contrib_data.Dataset.from_tensor_slices((x, x * 10))
        batches = dataset.apply(contrib_data.batch_and_drop_remainder(3)).make_initializable_iterator()
        rows = contrib_data.Dataset.range(5).map(lambda n: v1.range(n))
        padded = rows.apply(contrib_data.padded_batch_and_drop_remainder(2, [None])).make_one_shot_iterator()
        twice = dataset.apply(contrib_data.shuffle_and_repeat(8, 2, seed=1)).make_initializable_iterator()
        for iterator in (batches, twice):
            session.run(iterator.initializer, {x: np.arange(5)})
        following = batches.get_next()
        assert [part.tolist() for part in session.run(following)] == [[0, 1, 2], [0, 10, 20]]
        with pytest.raises(v1.errors.OutOfRangeError):
            session.run(following)
        after = padded.get_next()
        assert [session.run(after).tolist() for _ in range(2)] == [[[0], [0]], [[0, 1, 0], [0, 1, 2]]]
        element = twice.get_next()
        seen = [int(session.run(element)[0]) for _ in range(10)]
        assert sorted(seen[:5]) == sorted(seen[5:]) == list(range(5))


@pytest.mark.parametrize("name", ["nce_loss", "sampled_softmax_loss"])
def test_sampled_losses_tell_inputs_from_labels(name):
    """Before 1.0 the inputs came third, then the labels; all classes sampled, so nothing is left to chance."""
    loss, theirs = getattr(old_names, name), getattr(v1.nn, name)
    weights, biases = np.random.RandomState(1).randn(4, 3).astype(np.float32), np.arange(4, dtype=np.float32)
    labels = np.array([[0], [1], [2], [3], [1]])
    with v1.Graph().as_default(), v1.Session() as session:
        sampled = v1.random.all_candidate_sampler(labels, 1, 4, True, seed=1)
        options = {"sampled_values": sampled}
        wanted = theirs(weights, biases, labels, X, 4, 4, **options)
        old, new, named = session.run(
            [
                loss(weights, biases, X, labels, 4, 4, **options),
                loss(weights, biases, labels, X, 4, 4, **options),
                loss(weights, biases, inputs=X, labels=labels, num_sampled=4, num_classes=4, **options),
            ]
        )
        np.testing.assert_array_equal(old, session.run(wanted))
        np.testing.assert_array_equal(new, old)
        np.testing.assert_array_equal(named, old)
        assert old.shape == (5,) and old.std() > 0
