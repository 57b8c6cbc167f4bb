"""Graphs with channels first become code that a CPU runs: channels last, and transposed at the ends alone."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.port import port


def residual(first):
    """Returns a function that adds a small residual network to the graph. `first`: its channels come first."""
    form, sizes = ("NCHW", [None, 3, 7, 9]) if first else ("NHWC", [None, 7, 9, 3])
    axis = 1 if first else 3

    def around(n):
        return [1, 1, n, n] if first else [1, n, n, 1]

    def convolution(x, name, strides=1):
        draw = v1.random_normal_initializer(seed=len(name))
        with v1.variable_scope(name):
            w, b = v1.get_variable("w", [3, 3, x.shape[axis], 4], None, draw), v1.get_variable("b", [4], None, draw)
            scale = v1.get_variable("scale", [4], None, draw)
            x = tf.nn.bias_add(tf.nn.conv2d(x, w, around(strides), "SAME", form), b, form)
            x = v1.nn.fused_batch_norm(x, scale, b, b * 0.1, scale * scale, data_format=form, is_training=False)[0]
            return tf.nn.relu(x)

    def build():
        x = v1.placeholder(tf.float32, sizes, name="x")
        y = convolution(x, "first")
        y = y + convolution(y, "second")
        y = tf.concat([y, tf.nn.max_pool2d(y, around(2), around(1), "SAME", form)], axis)
        y = tf.sigmoid(convolution(y, "third", 2))
        tf.identity(y, name="y")
        return ["y"]

    return build


@pytest.mark.slow
def test_a_network_with_channels_first(frozen, tmp_path, quick, loaded, formatted):
    """It answers as the same network with channels last, which TensorFlow runs itself."""
    report = port(frozen(residual(True)), tmp_path / "out")
    assert report.compared > 0 and "channels first" in report.notes[0]
    text = (tmp_path / "out/model.py").read_text()
    assert text.count("tf.transpose(") == 2 and "NCHW" not in text and "channels_last" not in text
    x = np.random.default_rng(1).standard_normal((2, 3, 7, 9)).astype(np.float32)
    found = loaded(tmp_path / "out", "model").Model()(x).numpy()
    with tf.Graph().as_default(), v1.Session() as sess:
        tf.import_graph_def(v1.GraphDef.FromString(frozen(residual(False), "last.pb").read_bytes()), name="")
        expected = sess.run("y:0", {"x:0": x.transpose(0, 2, 3, 1)})
    np.testing.assert_allclose(found, expected.transpose(0, 3, 1, 2), rtol=1e-5)
    formatted(tmp_path / "out")


def test_what_is_not_moved_stays_between_transposes(frozen, tmp_path, quick):
    """A constant that is added along the channels, two orders, and a second output of an op with channels first."""

    def build():
        x = v1.placeholder(tf.float32, [2, 3, 4, 5], name="x")
        y = tf.nn.avg_pool2d(x, 2, 1, "SAME", "NCHW") + tf.constant(np.float32([[[0.5]], [[0.25]], [[2.0]]]))
        z, mean, _ = v1.nn.fused_batch_norm(y, tf.ones([3]), tf.zeros([3]), data_format="NCHW")
        return [tf.add(z, x, name="z").op.name, tf.identity(mean, name="mean").op.name]

    assert port(frozen(build), tmp_path / "out", outputs=["z", "mean"]).compared == 2 * 3 * 4 * 5 + 3
