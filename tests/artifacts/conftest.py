import importlib.util
import os
import pathlib
import zlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf import text_format

from tf1ref import cli
from tf1ref.artifacts.inspect import inspect, node
from tf1ref.data.formats import records
from tf1ref.errors import InputError

DATA = "model.data-00000-of-00001"


@pytest.fixture
def saved(tmp_path):
    """Saves what `build` adds to a graph; returns the checkpoint's prefix."""

    def save(build, name="model", saver=None, resource=True, folder=tmp_path, **options):
        with v1.Graph().as_default(), v1.variable_scope("", use_resource=resource):
            build()
            with v1.Session(config=v1.ConfigProto(allow_soft_placement=True)) as sess:
                sess.run(v1.global_variables_initializer())
                return (saver or v1.train.Saver)().save(sess, str(folder / name), **options)

    return save


@pytest.fixture
def graph(tmp_path):
    """Writes what `build` adds to a graph as a .pb; returns its path."""

    def write(name, build):
        with v1.Graph().as_default() as made:
            build()
        path = tmp_path / f"{name}.pb"
        path.write_bytes(made.as_graph_def().SerializeToString())
        return path

    return write


@pytest.fixture
def answer():
    """Runs a .pb with TensorFlow alone."""

    def run(path, fetches, feed=None):
        graph_def = v1.GraphDef.FromString(pathlib.Path(path).read_bytes())
        with v1.Graph().as_default(), v1.Session() as sess:
            v1.import_graph_def(graph_def, name="")
            return sess.run(fetches, feed or {})

    return run


@pytest.fixture
def real():
    """Returns the folder of a real checkpoint; skips where there is none."""

    def folder(name):
        path = pathlib.Path(os.environ.get("TF1REF_DATA", "")) / "checkpoints" / name
        if not os.environ.get("TF1REF_DATA") or not path.is_dir():
            pytest.skip(f"no {name} in $TF1REF_DATA/checkpoints")
        return path

    return folder


@pytest.fixture
def shown(capsys):
    """Runs the verb as the command does; returns what it printed."""

    def run(*words):
        assert not cli.main(["inspect", *map(str, words)])
        return capsys.readouterr().out

    return run


@pytest.fixture
def network():
    """Adds x [?, 8, 8, 3] -> conv -> batch norm -> dense -> y [?, 5], trained by Adam, with a moving average."""

    def build():
        x = v1.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        kernel = v1.get_variable("conv/kernel", [3, 3, 3, 4], initializer=v1.ones_initializer())
        scale = v1.get_variable("norm/scale", [4], initializer=v1.ones_initializer())
        conv = tf.nn.conv2d(x, kernel, 2, "VALID")
        normed, _, _ = v1.nn.fused_batch_norm(conv, scale, scale, is_training=True, name="norm")
        flat = tf.reshape(normed, [-1, 36])
        w = v1.get_variable("dense/w", [36, 5], initializer=v1.ones_initializer())
        y = tf.nn.softmax(tf.matmul(flat, w), name="y")
        train = v1.train.AdamOptimizer(0.1).minimize(tf.reduce_mean(y, name="loss"), v1.train.create_global_step())
        with v1.control_dependencies([train]):
            v1.train.ExponentialMovingAverage(0.9).apply([w])

    return build


@pytest.fixture(scope="session")
def judged():
    """Inspects; returns "" for a report, the line for bad input. Anything else is the test's failure."""

    def judge(path):
        try:
            report = inspect(path)
        except InputError as e:
            assert "\n" not in str(e) and len(str(e)) < 700, str(e)[:900]
            assert os.path.basename(str(path)).split(".")[0] in str(e), "names the file"
            return str(e)
        for graph in report.graphs:
            for one in graph.outputs[:1]:
                node(path, one.name)
        return ""

    return judge


@pytest.fixture(scope="session")
def originals(tmp_path_factory):
    """{file name: bytes} of one whole file of each kind, and the folder they lie in."""
    folder = tmp_path_factory.mktemp("originals")
    with v1.Graph().as_default() as graph, v1.Session() as sess:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        w = v1.get_variable("w", initializer=np.ones((4, 3), np.float32))
        tf.nn.softmax(tf.matmul(x, w), name="y")
        sess.run(v1.global_variables_initializer())
        v1.train.Saver().save(sess, str(folder / "model"))
        v1.saved_model.simple_save(
            sess, str(folder / "sm"), {"x": graph.get_tensor_by_name("x:0")}, {"y": graph.get_tensor_by_name("y:0")}
        )
    graph_def = graph.as_graph_def()
    tf.raw_ops.Save(filename=str(folder / "old"), tensor_names=["a", "b"], data=[tf.ones([3]), tf.zeros([2, 2])])
    example = tf.train.Example(features=tf.train.Features(feature={"f": tf.train.Feature()}))
    event = v1.Event(file_version="brain.Event:2").SerializeToString()
    kinds = {name: (folder / name).read_bytes() for name in ("model.meta", "model.index", DATA, "old")}
    kinds["saved_model.pb"] = (folder / "sm" / "saved_model.pb").read_bytes()
    kinds["graph.pb"] = graph_def.SerializeToString()
    kinds["graph.pbtxt"] = text_format.MessageToString(graph_def).encode()
    kinds["meta.pbtxt"] = text_format.MessageToString(v1.MetaGraphDef.FromString(kinds["model.meta"])).encode()
    kinds["records"] = b"".join(records.framed(example.SerializeToString()) for _ in range(3))
    kinds["zipped"] = zlib.compress(kinds["records"])
    kinds["events"] = b"".join(map(records.framed, (event, v1.Event(graph_def=b"g", step=3).SerializeToString())))
    return kinds


@pytest.fixture(scope="session")
def loaded():
    """Loads a module by its name beside this one, or from a path: tests are imported each on its own."""

    def load(name, path=None):
        spec = importlib.util.spec_from_file_location(name, path or pathlib.Path(__file__).with_name(f"{name}.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def watched(loaded, tmp_path):
    """A folder with a file in it, and its Watch."""
    folder = tmp_path / "bait"
    folder.mkdir()
    (folder / "secret.txt").write_text("3")
    watch = loaded("watching").Watch(folder)
    yield folder, watch
    watch.close()
