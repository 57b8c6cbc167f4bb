"""mnist.lenet5_relu6, mnist.deep_cnn, mnist.tensorboard: against numpy, and as TensorBoard's own loader reads them."""

import io

import numpy as np
import pytest
from PIL import Image

from tf1ref import catalog
from tf1ref.data import mnist

TRAIN, TEST = 80, 40
STEPS = 12
HALVES = ("graph", "function")
SOURCE_FORM = {"WEIGHT_DEVIATION": 1.0, "RELU6_ON_LOGITS": True, "LEARNING_RATE_BASE": 0.99}
DEEP_TAGS = {"W_conv2", "b_conv2", "W_fc1", "b_fc1"}
DEEP_BOXES = {"conv1", "conv2", "fc1", "fc2", "cross_entropy", "accuracy"}
BOXES = {"layer1", "layer2", "cross_entropy", "accuracy", "train"}


@pytest.fixture(scope="module")
def few_pictures(tmp_path_factory):
    """A data folder with TRAIN pictures after the 5000 of the validation set, and TEST to test on: bright squares.

    The digit says where the square is, so that a few steps show learning.
    """
    folder, random = tmp_path_factory.mktemp("data"), np.random.RandomState(1)
    (folder / "mnist").mkdir()
    for name, count in (("train", 5000 + TRAIN), ("t10k", TEST)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        pixels = random.randint(0, 40, (count, 28, 28)).astype(np.uint8)
        for pixel, label in zip(pixels, labels):
            row, column = 4 + 12 * (label // 5), 1 + 5 * (label % 5)
            pixel[row : row + 8, column : column + 5] += 210
        mnist.write_idx(folder / "mnist" / f"{name}-images-idx3-ubyte.gz", pixels)
        mnist.write_idx(folder / "mnist" / f"{name}-labels-idx1-ubyte.gz", labels)
    return folder


@pytest.fixture(scope="module")
def ran(few_pictures, tmp_path_factory):
    """Returns a function that runs one half of an example on them, once: its module, trace and folder."""
    done = {}

    def run(name, half, **changes):
        key = name, half, *sorted(changes.items())
        if key not in done:
            module, folder = catalog.load(name, changes), tmp_path_factory.mktemp("out")
            out = {"out": folder} if name != "mnist.lenet5_relu6" else {}
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("TF1REF_DATA", str(few_pictures))
                done[key] = module, getattr(module, f"run_{half}")(steps=STEPS, **out), folder
        return done[key]

    return run


@pytest.fixture
def data(few_pictures):
    return mnist.read_data_sets(one_hot=True, reshape=False, seed=1, where=few_pictures / "mnist")


@pytest.fixture
def bytes_(few_pictures):
    """The same as uint8."""
    where = few_pictures / "mnist"
    return mnist.read_data_sets(one_hot=True, dtype=np.uint8, reshape=False, seed=1, where=where)


def wrapped(pixels):
    """S0's (x - 255) / 255 in whole numbers: uint8 goes round."""
    return (pixels.astype(int) + 1) % 256 / 255


def events_of(folder):
    """What TensorBoard loads: its server's accumulator, which turns v1's summaries into tensors, too."""
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()


def values(events, tag):
    """Returns (steps, values) of a tag."""
    from tensorboard.util.tensor_util import make_ndarray

    rows = events.Tensors(tag)
    return [row.step for row in rows], [make_ndarray(row.tensor_proto) for row in rows]


def nodes(events):
    """Returns the names in the graph."""
    from tensorflow.core.framework.graph_pb2 import GraphDef

    return {node.name for node in GraphDef.FromString(events.Graph().SerializeToString()).node}


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


@pytest.mark.parametrize("half", HALVES)
def test_lenet5_relu6_as_the_source_writes_it_has_one_answer_to_all(half, ran, bytes_):
    _, trace, _ = ran("mnist.lenet5_relu6", half, BATCH_SIZE=20, **SOURCE_FORM)
    y = np.clip(lenet_logits(trace, "final", wrapped(bytes_.test.images)), 0, 6)
    assert np.isin(y, (0, 6)).mean() > 0.98  # no slope there, no gradient
    assert len(set(y.argmax(1))) == 1
    # The share of every digit there. An argmax without its relu6 (the graph optimizer's) would find other answers.
    assert trace["final/test_accuracy"] == pytest.approx(0.1)


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


@pytest.mark.parametrize("half", HALVES)
def test_tensorboard_scalars(half, ran):
    _, trace, folder = ran("mnist.tensorboard", half)
    events = events_of(folder)
    scalars = events.PluginTagToContent("scalars")
    statistics = ("mean", "stddev", "max", "min")
    tags = {f"layer{i}/{name}/{tag}" for i in (1, 2) for name in ("weights", "biases") for tag in statistics}
    assert set(scalars) == tags | {"cross_entropy/loss", "accuracy/of_batch"}
    for tag in scalars:
        at, numbers = values(events, tag)
        assert at == list(range(STEPS))
        np.testing.assert_array_equal(np.float32(numbers), trace[f"steps/{tag}"])
    assert trace["steps/cross_entropy/loss"][-1] < trace["steps/cross_entropy/loss"][0]


@pytest.mark.parametrize("half", HALVES)
def test_tensorboard_statistics_are_those_before_the_step(half, ran):
    _, trace, _ = ran("mnist.tensorboard", half)
    for layer in ("layer1", "layer2"):
        for variable, name in (("weight", "weights"), ("bias", "biases")):
            start = trace[f"initial/{layer}/{variable}"]
            for tag, number in (("max", start.max()), ("min", start.min())):
                assert trace[f"first/{layer}/{name}/{tag}"] == number
            np.testing.assert_allclose(trace[f"first/{layer}/{name}/mean"], start.mean(), atol=1e-6)
            np.testing.assert_allclose(trace[f"first/{layer}/{name}/stddev"], start.std(), atol=1e-6)
            moved = trace[f"final/{layer}/{variable}"]
            assert trace[f"steps/{layer}/{name}/stddev"][-1] != pytest.approx(moved.std(), abs=1e-7)


def test_tensorboard_steps_wait_for_the_summaries():
    """A session keeps no order of its own: without one, the test above fails only now and then."""
    import tensorflow.compat.v1 as v1

    with v1.Graph().as_default() as graph:
        summary = catalog.load("mnist.tensorboard").build_graph()["summary"].op
        applied = [op for op in graph.get_operations() if op.type == "ResourceApplyGradientDescent"]
    assert len(applied) == 4
    for op in applied:
        before, found = [op], set()
        while before:
            one = before.pop()
            before += {*one.control_inputs, *(tensor.op for tensor in one.inputs)} - found
            found |= set(before)
        assert summary in found


@pytest.mark.parametrize("half", HALVES)
def test_tensorboard_histograms(half, ran):
    _, trace, folder = ran("mnist.tensorboard", half)
    events = events_of(folder)
    sizes = {f"layer{i}/{name}/histogram": trace[f"initial/layer{i}/{variable}"].size
             for i in (1, 2) for name, variable in (("weights", "weight"), ("biases", "bias"))}  # fmt: skip
    sizes |= {"layer1/layer_out": 100 * 20, "layer2/pre": 100 * 10}
    assert set(events.PluginTagToContent("histograms")) == set(sizes)
    for tag, size in sizes.items():
        at, rows = values(events, tag)
        assert at == list(range(STEPS))
        for step, buckets in enumerate(rows):
            assert buckets[:, 2].sum() == pytest.approx(size)
            if tag.endswith("/histogram"):
                scope = tag.removesuffix("histogram")
                assert buckets[0, 0] <= trace[f"steps/{scope}min"][step]
                assert trace[f"steps/{scope}max"][step] <= buckets[-1, 1]


@pytest.mark.parametrize("half", HALVES)
def test_tensorboard_pictures(half, ran, data):
    _, _, folder = ran("mnist.tensorboard", half)
    events = events_of(folder)
    tags = events.PluginTagToContent("images")
    if half == "graph":
        assert set(tags) == {f"input_reshape/input/image/{i}" for i in range(3)}
        shown = list(zip(*([png for _, _, png in values(events, tag)[1]] for tag in sorted(tags))))
    else:
        assert set(tags) == {"input_reshape/input"}
        shown = [png for _, _, *png in values(events, "input_reshape/input")[1]]
    assert len(shown) == STEPS
    for pictures in shown:
        xs, _ = data.train.next_batch(100)
        assert len(pictures) == 3
        for png, picture in zip(pictures, xs):
            # v1 makes the brightest pixel white; tf.summary leaves the pixels as they are.
            full = 255 / picture.max() if half == "graph" else 255
            np.testing.assert_allclose(np.array(Image.open(io.BytesIO(png))), picture[:, :, 0] * full, atol=1)


@pytest.mark.parametrize("half", HALVES)
def test_tensorboard_graph_has_legible_scopes(half, ran):
    _, _, folder = ran("mnist.tensorboard", half)
    names = nodes(events_of(folder))
    assert {"layer1/wx_add_b/MatMul", "layer2/wx_add_b/Add"} <= names
    boxes = {name.split("/")[0] for name in names if "/" in name}
    assert boxes == BOXES | ({"input", "input_reshape", "Merge"} if half == "graph" else {"gradient_tape"})
    if half == "graph":
        inside = {name.split("/")[1] for name in names if name.startswith("layer1/")}
        assert inside == {"weight", "bias", "weights", "biases", "wx_add_b", "layer_out"}
