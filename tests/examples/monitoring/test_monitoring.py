"""Event files of the monitoring chapter, read back with TensorBoard's own loader, and the timelines."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from tf1ref import catalog

STEPS = 5
HALVES = ("graph", "function")


def written(name, half, folder):
    """Runs one half into `folder`; returns its trace and what TensorBoard loads from there.

    The accumulator is the one of the TensorBoard server, which turns v1's summaries into tensors too.
    """
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

    trace = getattr(catalog.load(name), f"run_{half}")(steps=STEPS, out=folder)
    return trace, EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()


def values(events, tag):
    """Returns (steps, values) of a tag."""
    from tensorboard.util.tensor_util import make_ndarray

    rows = events.Tensors(tag)
    return [row.step for row in rows], [make_ndarray(row.tensor_proto) for row in rows]


def plugins(events, *names):
    """Returns the tags that these of TensorBoard's pages show."""
    return {tag for name in names for tag in events.PluginTagToContent(name)}


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_scalars_in_tensorboard(half, tmp_path):
    trace, events = written("monitoring.scalars", half, tmp_path)
    scalars = plugins(events, "scalars")
    assert len(scalars) == 10
    for tag in scalars:
        at, value = values(events, tag)
        assert at == trace[f"at/{tag}"].tolist() == list(range(STEPS))
        np.testing.assert_array_equal(value, trace[f"steps/{tag}"])
    shown = plugins(events, "scalars", "histograms", "images", "audio")
    assert {tag.removesuffix("/image").removesuffix("/audio") for tag in shown} == {
        tag.decode() for tag in trace["tags"]
    }
    assert set(events.Tags()["tensors"]) == shown | plugins(events, "graphs")


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_histograms_in_tensorboard(half, tmp_path):
    trace, events = written("monitoring.scalars", half, tmp_path)
    assert plugins(events, "histograms") == {"layer1/weights/histogram", "layer1/biases/histogram", "layer1/out"}
    for step, rows in zip(*values(events, "layer1/out")):
        layer = trace["steps/layer"][step]
        assert rows[:, 2].sum() == layer.size
        # Every value lies in a bucket: edges are sorted and enclose it.
        assert (rows[:, 0] <= rows[:, 1]).all()
        assert rows[0, 0] <= layer.min() and layer.max() <= rows[-1, 1]
        np.testing.assert_array_equal(trace["steps/layer1/out"][step], [3, layer.min(), layer.max()])


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_pictures_in_tensorboard(half, tmp_path):
    trace, events = written("monitoring.scalars", half, tmp_path)
    (tag,) = plugins(events, "images")
    at, pictures = values(events, tag)
    assert at == list(range(STEPS))
    for step, (width, height, png) in zip(at, pictures):
        pixels = np.array(Image.open(io.BytesIO(png)))
        assert (int(width), int(height)) == (4, 4)
        np.testing.assert_array_equal(pixels, catalog.load("monitoring.scalars").picture(step)[0, :, :, 0])
        np.testing.assert_array_equal(pixels, trace["steps/input/picture"][step, :, :, 0])


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_graph_has_legible_scopes(half, tmp_path):
    from tensorflow.core.framework.graph_pb2 import GraphDef

    trace, events = written("monitoring.scalars", half, tmp_path)
    names = {node.name for node in GraphDef.FromString(events.Graph().SerializeToString()).node}
    assert {"input/flat", "line/product", "layer1/product", "layer1/sum"} <= names
    assert {name.split("/")[0] for name in names if "/" in name} >= {"input", "line", "layer1"}
    assert trace["products"].tolist() == [b"layer1/product", b"line/product"]


@pytest.mark.parametrize("half", HALVES)
def test_accumulator_in_tensorboard(half, tmp_path):
    trace, events = written("monitoring.accumulator", half, tmp_path)
    assert plugins(events, "scalars") == {"y_mult_x/x", "y_mult_x/x_y_value"}
    for tag in plugins(events, "scalars"):
        at, value = values(events, tag)
        assert at == list(range(STEPS))
        np.testing.assert_array_equal(value, trace[f"steps/{tag}"])
    assert "y_mult_x/x_y" in {node.name for node in events.Graph().node}


@pytest.mark.parametrize("half", HALVES)
def test_trace_and_timeline(half, tmp_path):
    trace, events = written("monitoring.run_metadata", half, tmp_path)
    found = plugins(events, "graph_tagged_run_metadata" if half == "graph" else "graph_run_metadata_graph")
    assert sorted(found) == [f"step{i}" for i in range(STEPS)] == [tag.decode() for tag in trace["tags"]]
    timeline = json.loads((tmp_path / "timeline.json").read_text())["traceEvents"]
    complete = [event for event in timeline if event["ph"] == "X"]
    assert all(event["dur"] >= 0 and event["ts"] > 0 and {"pid", "tid"} <= set(event) for event in complete)
    # Timeline calls an event by its type and has the name beside; the profiler says "name:type".
    ops = [event["args"]["name"] if half == "graph" else event["name"].split(":")[0] for event in complete]
    for name in trace["executed/names"]:
        # Timeline covers the last run, the profile all of them.
        assert ops.count(name.decode()) == (1 if half == "graph" else STEPS)


def test_trace_export_shows_a_function_only_where_it_runs_first(tmp_path):
    import tensorflow.compat.v1 as v1

    _, events = written("monitoring.run_metadata", "function", tmp_path)
    types = []
    for tag in sorted(plugins(events, "graph_run_metadata_graph")):
        (metadata,) = (v1.RunMetadata.FromString(value.item()) for value in values(events, tag)[1])
        types.append({node.op for part in metadata.function_graphs for node in part.pre_optimization_graph.node})
    assert ["Mul" in each for each in types] == [True] + [False] * (STEPS - 1)


def test_trace_is_free_of_what_the_process_did_before():
    once = catalog.load("monitoring.run_metadata").run_function(steps=2)
    catalog.load("monitoring.accumulator").run_function(steps=2)
    again = catalog.load("monitoring.run_metadata").run_function(steps=2)
    assert once["graph"].tolist() == again["graph"].tolist()
    assert len(once["graph"]) == 3


def test_run_metadata_is_empty_without_options():
    import tensorflow.compat.v1 as v1

    with v1.Graph().as_default(), v1.Session() as sess:
        graph, metadata = catalog.load("monitoring.run_metadata").build_graph(), v1.RunMetadata()
        sess.run(v1.global_variables_initializer())
        sess.run(graph["x_y"], {graph["y"]: 1.0}, run_metadata=metadata)
    assert metadata.ByteSize() == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["scalars", "accumulator", "run_metadata"])
@pytest.mark.parametrize("half", HALVES)
def test_nothing_is_left_without_a_folder(name, half, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    getattr(catalog.load(f"monitoring.{name}"), f"run_{half}")(steps=2)
    # AutoGraph imports files it writes there: they and their bytecode go when the process ends.
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(("__autograph", "__pycache__"))]


def test_names_the_source_would_have_got():
    """What the errata say of S2: tags that clash with the ops beside them are numbered."""
    import tensorflow.compat.v1 as v1

    def tags():
        return [op.name for op in v1.get_default_graph().get_operations() if op.type == "ScalarSummary"]

    with v1.Graph().as_default(), v1.name_scope("layer1"):
        for values in ([1.0, 2.0], [3.0, 4.0]):
            tensor = v1.constant(values)
            mean = v1.reduce_mean(tensor)
            stddev = v1.sqrt(v1.reduce_mean(v1.square(tensor - mean)))
            greatest, least = v1.reduce_max(tensor), v1.reduce_min(tensor)
            for name, value in (("mean", mean), ("stddev", stddev), ("max", greatest), ("min", least)):
                v1.summary.scalar(name, value)
        first, second = tags()[:4], tags()[4:]
    assert first == ["layer1/mean_2", "layer1/stddev", "layer1/max_1", "layer1/min_1"]
    assert second == ["layer1/mean_5", "layer1/stddev_1", "layer1/max_3", "layer1/min_3"]
    with v1.Graph().as_default(), v1.name_scope("y_mult_x"):
        v1.summary.scalar("y", v1.placeholder(v1.float32, name="y"))
        assert tags() == ["y_mult_x/y_1"]
