"""Losses that TensorFlow makes of several ops are one call of tf.nn again."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.port import port
from tf1ref.port.program import programs

PROGRAM = """
import numpy as np
import tensorflow as tf

x, y = tf.placeholder(tf.float32, [None, 4]), tf.placeholder(tf.float32, [None, 2])
logits = tf.layers.dense(x, 2)
smooth = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.ones_like(logits) * 0.9, logits=logits)
loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits)) + tf.reduce_mean(smooth)
train = tf.train.AdamOptimizer(0.01).minimize(loss)
rng = np.random.RandomState(0)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for i in range(4):
        sess.run([train, loss], {x: rng.randn(8, 4), y: rng.rand(8, 2)})
"""


@pytest.mark.slow
def test_a_sigmoid_cross_entropy_is_one_call_and_its_gradient_the_same(quick_program, tmp_path, formatted):
    (tmp_path / "program.py").write_text(PROGRAM)
    report = programs.port_program(str(tmp_path / "program.py"), tmp_path / "out", steps=4)
    text = (tmp_path / "out/model.py").read_text()
    assert report.compared and not report.notes and "tf.raw_ops" not in text
    assert text.count("tf.nn.sigmoid_cross_entropy_with_logits(") == 2
    formatted(tmp_path / "out")


def test_what_only_resembles_a_sigmoid_cross_entropy_stays(frozen, tmp_path, quick, loaded):
    """The larger of x and 1, and the product with another number than x."""

    def build():
        x, y = (v1.placeholder(tf.float32, [2, 3], name=name) for name in "xy")
        found = []
        for least, factor in ((tf.zeros([2, 3]), x), (tf.ones([2, 3]), x), (tf.zeros([2, 3]), y)):
            above = x >= least
            soft = tf.math.log1p(tf.exp(v1.where(above, -x, x)))
            found.append(v1.where(above, x, least) - factor * y + soft)
        tf.stack(found, name="all")
        return ["all"]

    port(frozen(build), tmp_path / "out")
    assert (tmp_path / "out/model.py").read_text().count("tf.nn.sigmoid_cross_entropy_with_logits(") == 1
    x, y = np.random.default_rng(1).standard_normal((2, 2, 3)).astype(np.float32)
    soft, above = np.log1p(np.exp(-np.abs(x))), np.where(x >= 1, -x, x)
    expected = np.maximum(x, 0) - x * y + soft, np.maximum(x, 1) - x * y + np.log1p(np.exp(above))
    found = loaded(tmp_path / "out", "model").Model()(x=x, y=y)
    np.testing.assert_allclose(found, [*expected, np.maximum(x, 0) - y * y + soft], rtol=1e-5)
