"""What inspect reads without TensorFlow is what TensorFlow itself says of it."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.core.framework import types_pb2
from tensorflow.python.framework import op_def_registry

from tf1ref.artifacts.formats import tensors
from tf1ref.artifacts.graph import registry, shapes

NUMBERS = [n for n in types_pb2.DataType.values() if n]
FRESH = """
import sys
import tf1ref.cli
codes = [tf1ref.cli.main(each.split("|")) for each in sys.argv[1:]]
assert "tensorflow" not in sys.modules and not any(codes), codes
from tf1ref.data.formats import protos
made = protos.GraphDef()
made.node.add(name="a", op="NoOp")
import tensorflow.compat.v1 as v1
assert v1.GraphDef is protos.GraphDef
v1.import_graph_def(made)
"""


def _known(number):
    try:
        return tf.as_dtype(number)
    except TypeError:
        return None


@pytest.mark.parametrize("number", [*NUMBERS, 0, -1, 99, 10_000])
def test_types_have_tensorflows_names_and_widths(number):
    dtype = _known(number)
    assert shapes.dtype_name(number) == (dtype.name if dtype else f"unknown type {number}")
    # References count from 101. A resource and a variant have no type of numpy's to ask.
    if number % 100 not in (types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT):
        assert shapes.width(number) == (dtype.size if dtype else None)


def _constants():
    """(type, TensorProtos of it) of every type that TensorFlow makes constants of."""
    for dtype in sorted({_known(n).base_dtype for n in NUMBERS} - {tf.resource, tf.variant}, key=str):
        numbers = [1, 0, 1] if dtype.size == 1 else [1.5, -2, 0] if dtype.is_floating else [3, 1, 2]
        text = dtype == tf.string
        array = np.array([b"a", b"", b"\xff"] if text else numbers).astype(object if text else dtype.as_numpy_dtype)
        try:
            made = [tf.make_tensor_proto(array, dtype)]
            if array.dtype.names is None and not text:
                made.append(v1.make_tensor_proto(array[0], dtype, shape=[2, 2]))  # one value for all
        except TypeError:  # as of float8_e4m3b11fnuz
            continue
        yield pytest.param(made, id=dtype.name)


@pytest.mark.parametrize("made", list(_constants()))
def test_constants_have_the_values_that_tensorflow_makes_of_them(made):
    for proto in made:
        found, expected = tensors.of(proto), v1.make_ndarray(proto)
        expected = expected[expected.dtype.names[0]] if expected.dtype.names else expected  # of quantized types
        assert found.shape == expected.shape and found.tolist() == expected.tolist()


def test_a_constant_whose_values_do_not_fit_is_refused():
    proto = tf.make_tensor_proto(np.arange(4.0))
    proto.tensor_shape.dim[0].size = 5
    with pytest.raises(ValueError):
        tensors.of(proto)


def test_the_table_knows_the_ops_of_this_tensorflow(monkeypatch):
    ops = [name for name in registry.table() if op_def_registry.get(name)]
    assert len(ops) > 1500 and registry.has("NoOp") and not registry.has("NoSuchOp")
    monkeypatch.delitem(sys.modules, "tensorflow")
    assert all(map(registry.has, ops)) and not registry.has("NoSuchOp")
    assert registry.graph_version() == tf.version.GRAPH_DEF_VERSION


def test_the_first_harmless_value_is_the_default():
    found = 0
    for op, verdict in registry.table().items():
        if verdict.harmless:
            name, harmless = verdict.harmless
            (default,) = [a.default_value.s for a in op_def_registry.get(op).attr if a.name == name]
            assert harmless[0] == default
            found += 1
    assert found >= 4


@pytest.mark.slow
def test_inspect_and_data_do_not_load_tensorflow(tmp_path):
    with v1.Graph().as_default() as graph, v1.Session() as sess:
        v1.get_variable("w", [2, 3])
        sess.run(v1.global_variables_initializer())
        saver = v1.train.Saver()
        saver.save(sess, str(tmp_path / "model"))
        (tmp_path / "g.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with tf.io.TFRecordWriter(str(tmp_path / "x.tfrecord")) as out:
        feature = {"a": tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))}
        out.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    paths = ["model", "g.pb", "x.tfrecord", "."]
    calls = [f"inspect|{tmp_path / path}" for path in paths] + [f"data|ls|{tmp_path / 'x.tfrecord'}"]
    done = subprocess.run([sys.executable, "-c", FRESH, *calls], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
