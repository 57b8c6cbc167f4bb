"""inspect reads every model that others made; skipped without $TF1REF_DATA."""

import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tf1ref.artifacts.inspect import inspect
from tf1ref.errors import InputError

NO_MODELS = {"labels.txt", "retrained_labels.txt", "foo.txt"}


@pytest.fixture
def folder():
    """Returns a folder of $TF1REF_DATA; skips where it is not."""

    def find(name):
        path = pathlib.Path(os.environ.get("TF1REF_DATA", "")) / name
        if not os.environ.get("TF1REF_DATA") or not path.is_dir():
            pytest.skip(f"no {name} in $TF1REF_DATA")
        return path

    return find


@pytest.mark.parametrize("name", ["graphs", "checkpoints", "saved_models"])
def test_every_file_is_read(folder, name):
    read = 0
    for path in sorted(p for p in folder(name).rglob("*") if p.is_file() and p.suffix != ".npy"):
        if path.name in NO_MODELS:
            with pytest.raises(InputError, match="not recognised"):
                inspect(path)
            continue
        report = inspect(path)
        read += 1
        assert report.graphs or report.variables, path
        assert all(g.nodes and g.ops for g in report.graphs), path
    assert read >= 18


def test_shapes_of_outputs_are_those_of_the_answers(folder):
    """Where the output of an OpenCV graph has a shape, it fits the recorded answer (NCHW there, NHWC in graphs)."""
    told = 0
    for path in sorted(folder("graphs/opencv").glob("*_net.pb")):
        answer = path.with_name(path.name.replace("_net.pb", "_out.npy"))
        outputs = inspect(path).graphs[0].outputs
        if not answer.exists() or not outputs or outputs[0].shape is None or None in outputs[0].shape:
            continue
        shape, found = outputs[0].shape, list(np.load(answer).shape)
        told += 1
        assert np.prod(shape) == np.prod(found), (path.name, shape, found)
    assert told >= 10


@pytest.mark.parametrize(
    ("name", "version", "nodes", "variables", "kind"),
    [
        ("checkpoints/traffic_signs", "1.3.0", 1374, 70, "V2 checkpoint with its graph"),
        ("checkpoints/ctc", "1.1.0", 626, 7, "V2 checkpoint with its graph"),
        ("checkpoints/cifar_mlnet", "1.10.0", 344, 14, "V2 checkpoint with its graph"),
        ("checkpoints/half_plus_two_v2", "0.12.head", 61, 2, "V2 checkpoint with its graph"),
        ("checkpoints/v1_format", "", 26, 2, "V1 checkpoint with its graph"),
        ("checkpoints/v1_sharded", "0.12.head", 57, 2, "V1 checkpoint with its graph"),
        ("saved_models/half_plus_two_pbtxt", "1.1.0-rc2", 65, 3, "SavedModel as text"),
    ],
)
def test_who_made_them(folder, name, version, nodes, variables, kind):
    report = inspect(folder(name))
    assert (report.kind, report.graphs[0].nodes, len(report.variables)) == (kind, nodes, variables)
    assert report.graphs[0].tensorflow == version


@pytest.mark.parametrize("name", ["traffic_signs", "ctc", "seq2seq", "cifar_mlnet", "v1_format", "v1_sharded"])
def test_names_and_shapes_are_those_of_tensorflows_reader(folder, name):
    report = inspect(folder(f"checkpoints/{name}"))
    prefix = report.path if name != "v1_sharded" else report.path + "-?????-of-?????"
    reader = tf.train.load_checkpoint(prefix)
    assert {v.name: v.shape for v in report.variables} == reader.get_variable_to_shape_map()


def test_the_mobilenet(folder):
    (graph,) = inspect(folder("graphs/mobilenet") / "frozen_graph.pb").graphs
    assert [(t.name, t.shape) for t in graph.inputs] == [("input", [1, 128, 128, 3])]
    assert ("MobilenetV1/Predictions/Reshape_1", [1, 1001]) in [(t.name, t.shape) for t in graph.outputs]
    assert graph.constants == 475_805 and not graph.variables and not graph.unknown_ops


def test_what_tensorflow_no_longer_knows(folder):
    (graph,) = inspect(folder("graphs/opencv") / "defun_dropout_net.pb").graphs
    assert graph.unknown_ops == {"Dropout": ["Dropout"]}
    (graph,) = inspect(folder("graphs/opencv") / "mvn_batch_norm_net.pb").graphs
    assert graph.training_batch_norms
    (graph,) = inspect(folder("graphs/opencv") / "fused_batch_norm_net.pb").graphs
    assert not graph.training_batch_norms
