"""mnist.lenet5_relu6 and mnist.deep_cnn: against numpy, and as TensorBoard's own loader reads them."""

import numpy as np
import pytest

from tests.examples.mnist.events import events_of, nodes, values
from tests.examples.mnist.squares import HALVES, TRAIN
from tf1ref import catalog
from tf1ref.data import mnist

SOURCE_FORM = {"WEIGHT_DEVIATION": 1.0, "RELU6_ON_LOGITS": True, "LEARNING_RATE_BASE": 0.99}
DEEP_TAGS = {"W_conv2", "b_conv2", "W_fc1", "b_fc1"}
DEEP_BOXES = {"conv1", "conv2", "fc1", "fc2", "cross_entropy", "accuracy"}


def wrapped(pixels):
    """S0's (x - 255) / 255 in whole numbers: uint8 goes round."""
    return (pixels.astype(int) + 1) % 256 / 255


def convolved(x, w, b):
    """The convolution of stride 1 that keeps the size, in numpy."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0))), (5, 5), (1, 2))
    return np.einsum("nhwcij,ijco->nhwo", windows, w, optimize=True) + b


def pooled(x):
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


def logits(trace, when, names, activation, x):
    """The whole network in numpy, nothing dropped, for the weights and biases of a trace."""
    pairs = [[trace[f"{when}/{layer}/{name}"] for name in names[1]] for layer in names[0]]
    for w, b in pairs[:2]:
        x = pooled(activation(convolved(x, w, b)))
    (w1, b1), (w2, b2) = pairs[2:]
    return activation(x.reshape(len(x), -1) @ w1 + b1) @ w2 + b2


def lenet_logits(trace, when, x):
    names = ["layer1-conv1", "layer3-conv2", "layer5-fc1", "layer6-fc2"], ["weights", "biases"]
    return logits(trace, when, names, lambda z: np.clip(z, 0, 6), x)


def deep_logits(trace, when, x):
    return logits(trace, when, (["conv1", "conv2", "fc1", "fc2"], ["W", "b"]), lambda z: np.maximum(z, 0), x)


def cross_entropy(y, labels):
    """The mean of -log softmax(y) at the label."""
    return np.mean(np.log(np.exp(y - y.max(1, keepdims=True)).sum(1)) - ((y - y.max(1, keepdims=True)) * labels).sum(1))


def share_right(y, labels):
    return np.mean(y.argmax(1) == labels.argmax(1))


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_lenet5_relu6_equals_numpy(half, ran, bytes_):
    module, trace, _ = ran("mnist.lenet5_relu6", half, BATCH_SIZE=20)
    xs, ys = next(module.batches(bytes_.train, 1))
    weights = [v for k, v in trace.items() if k[:8] == "initial/" and k.endswith("weights")]
    penalty = 0.00005 * sum(np.square(w.astype(np.float64)).sum() for w in weights)
    assert len(weights) == 4 and 0.1 < penalty < 1
    expected = cross_entropy(lenet_logits(trace, "initial", xs), ys) + penalty
    np.testing.assert_allclose(trace["steps/loss"][0], expected, rtol=1e-5)
    right = share_right(lenet_logits(trace, "final", wrapped(bytes_.test.images)), bytes_.test.labels)
    assert trace["final/test_accuracy"] == pytest.approx(right) and right > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_lenet5_relu6_as_the_source_writes_it_has_one_answer_to_all(half, ran, bytes_):
    _, trace, _ = ran("mnist.lenet5_relu6", half, BATCH_SIZE=20, **SOURCE_FORM)
    y = np.clip(lenet_logits(trace, "final", wrapped(bytes_.test.images)), 0, 6)
    assert np.isin(y, (0, 6)).mean() > 0.98  # no slope there, no gradient
    assert len(set(y.argmax(1))) == 1
    # The share of every digit there. An argmax without its relu6 (the graph optimizer's) would find other answers.
    assert trace["final/test_accuracy"] == pytest.approx(0.1)


@pytest.mark.slow
def test_lenet5_relu6_halves_are_equal_as_the_source_writes_it(ran, assert_same):
    assert_same(*(ran("mnist.lenet5_relu6", half, BATCH_SIZE=20, **SOURCE_FORM)[1] for half in HALVES))


def test_lenet5_relu6_batches_are_drawn_without_repeats(bytes_):
    module = catalog.load("mnist.lenet5_relu6", {"BATCH_SIZE": TRAIN})
    (xs, ys), (other, _) = module.batches(bytes_.train, 2)
    every = sorted(map(bytes, wrapped(bytes_.train.images).astype(np.float32)))
    assert sorted(map(bytes, xs)) == every == sorted(map(bytes, other))
    assert (xs != other).any() and (ys != bytes_.train.labels).any()


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_deep_cnn_equals_numpy(half, ran, data):
    _, trace, _ = ran("mnist.deep_cnn", half, BATCH_SIZE=20, TEST_BATCH=20, KEEP_PROB=1.0)
    xs, ys = mnist.DataSet.next_batch(data.train, 20)
    expected = cross_entropy(deep_logits(trace, "initial", xs), ys)
    np.testing.assert_allclose(trace["steps/loss"][0], expected, rtol=1e-4)
    right = share_right(deep_logits(trace, "final", data.test.images), data.test.labels)
    assert trace["final/test_accuracy"] == pytest.approx(right)
    assert right > trace["training_accuracy"][0]


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_deep_cnn_drops_in_training_alone(half, ran, data):
    _, trace, _ = ran("mnist.deep_cnn", half, BATCH_SIZE=20, TEST_BATCH=20)
    xs, ys = data.train.next_batch(20)
    whole = cross_entropy(deep_logits(trace, "initial", xs), ys)
    assert abs(trace["steps/loss"][0] - whole) > 1e-2
    right = share_right(deep_logits(trace, "final", data.test.images), data.test.labels)
    assert trace["final/test_accuracy"] == pytest.approx(right)


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_deep_cnn_in_tensorboard(half, ran):
    _, trace, folder = ran("mnist.deep_cnn", half, BATCH_SIZE=20, TEST_BATCH=20)
    events = events_of(folder)
    assert set(events.PluginTagToContent("histograms")) == DEEP_TAGS
    for tag in DEEP_TAGS:
        kind, layer = tag.split("_")
        at, rows = values(events, tag)
        assert at == [0, 10]
        initial = trace[f"initial/{layer}/{kind}"]
        for buckets in rows:
            assert buckets[:, 2].sum() == pytest.approx(initial.size)
            assert buckets[0, 0] < initial.min() and initial.max() < buckets[-1, 1] if kind == "b" else True
    at, losses = values(events, "Cross_Entr")
    assert at == [0, 10] and set(events.PluginTagToContent("scalars")) == {"Cross_Entr"}
    # Another mask, and the weights after the step: near the loss of the step, not the same.
    assert not set(np.float32(losses)) & set(trace["steps/loss"])
    assert {name.split("/")[0] for name in nodes(events)} >= DEEP_BOXES


@pytest.mark.slow
def test_deep_cnn_summaries_are_the_same_in_both(ran):
    folders = [ran("mnist.deep_cnn", half, BATCH_SIZE=20, TEST_BATCH=20)[2] for half in HALVES]
    graph, function = (values(events_of(folder), "Cross_Entr")[1] for folder in folders)
    assert np.float32(graph).tolist() == np.float32(function).tolist()
