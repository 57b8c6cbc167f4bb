"""mnist.summaries: what it writes, as TensorBoard's own loader reads it."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.examples.mnist.events import events_of, nodes, values
from tests.examples.mnist.squares import HALVES, STEPS
from tf1ref import catalog

pytestmark = pytest.mark.slow  # the first test builds networks and trains them

BOXES = {"layer1", "layer2", "cross_entropy", "accuracy", "train"}


@pytest.mark.parametrize("half", HALVES)
def test_tensorboard_scalars(half, ran):
    _, trace, folder = ran("mnist.summaries", half)
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
    _, trace, _ = ran("mnist.summaries", half)
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
        summary = catalog.load("mnist.summaries").build_graph()["summary"].op
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
    _, trace, folder = ran("mnist.summaries", half)
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
    _, _, folder = ran("mnist.summaries", half)
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
    _, _, folder = ran("mnist.summaries", half)
    names = nodes(events_of(folder))
    assert {"layer1/wx_add_b/MatMul", "layer2/wx_add_b/Add"} <= names
    boxes = {name.split("/")[0] for name in names if "/" in name}
    assert boxes == BOXES | ({"input", "input_reshape", "Merge"} if half == "graph" else {"gradient_tape"})
    if half == "graph":
        inside = {name.split("/")[1] for name in names if name.startswith("layer1/")}
        assert inside == {"weight", "bias", "weights", "biases", "wx_add_b", "layer_out"}
