"""modules/layers and layers_norm: legacy's tf.layers in a session to the bit, numpy's formulas, checkpoints, errors."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy import layers as theirs
from tf1ref.modules import checkpoints, layers, layers_norm

PICTURES = np.random.RandomState(1).randn(4, 6, 8, 9, 3).astype(np.float32)
ROWS, SERIES = PICTURES[..., 0, 0], PICTURES[..., 0]


def glorot(seed):
    return v1.glorot_uniform_initializer(seed=seed)


def normal(seed):
    return v1.truncated_normal_initializer(stddev=0.2, seed=seed)


def made(layer, depth):
    layer.create(depth)
    return layer, [layer]


def trained(layer, depth):
    layer.create(depth)
    return (lambda x: layer(x, training=True)), [layer]


# Name -> (graph: outputs of x; module: outputs of x and layers; batches).
LAYERS = {
    "dense": (
        lambda x: theirs.dense(x, 5, "sigmoid", kernel_initializer=glorot(3)),
        lambda: made(layers.Dense(5, "sigmoid", seed=3), 8), ROWS,
    ),
    "dense, rank 3, without bias": (
        lambda x: theirs.dense(x, 5, v1.nn.relu, use_bias=False, kernel_initializer=normal(4), name="scope/mine"),
        lambda: made(layers.Dense(5, tf.nn.relu, False, normal(4), name="scope/mine"), 9), SERIES,
    ),
    "dense, float64": (
        lambda x: theirs.dense(x, 5, v1.tanh, kernel_initializer=glorot(3), bias_initializer=v1.ones_initializer()),
        lambda: made(layers.Dense(5, tf.tanh, bias_initializer=tf.ones, seed=3, dtype=tf.float64), 8),
        ROWS.astype(np.float64),
    ),
    "conv2d": (
        lambda x: theirs.conv2d(x, 4, 3, activation="relu", kernel_initializer=glorot(3)),
        lambda: made(layers.Conv2D(4, 3, activation="relu", seed=3), 3), PICTURES,
    ),
    "conv2d, strides": (
        lambda x: theirs.conv2d(x, 4, (3, 2), (2, 1), "same", use_bias=False, kernel_initializer=normal(3)),
        lambda: made(layers.Conv2D(4, (3, 2), (2, 1), "same", use_bias=False, kernel_initializer=normal(3)), 3),
        PICTURES,
    ),
    "conv2d, dilated": (
        lambda x: theirs.conv2d(x, 4, 3, dilation_rate=2, kernel_initializer=normal(3)),
        lambda: made(layers.Conv2D(4, 3, dilation_rate=2, kernel_initializer=normal(3)), 3), PICTURES,
    ),
    "batch_normalization, fused": (
        lambda x: theirs.batch_normalization(x, training=True),
        lambda: trained(layers_norm.BatchNormalization(), 3), PICTURES,
    ),
    "batch_normalization, rows": (
        lambda x: theirs.batch_normalization(x, momentum=0.9, training=True),
        lambda: trained(layers_norm.BatchNormalization(0.9), 8), ROWS,
    ),
    "batch_normalization, pictures by single ops": (
        lambda x: theirs.batch_normalization(x, scale=False, fused=False, training=True, name="bn"),
        lambda: trained(layers_norm.BatchNormalization(scale=False, fused=False, name="bn"), 3), PICTURES,
    ),
    "batch_normalization, fused, without beta": (
        lambda x: theirs.batch_normalization(x, 3, 0.5, 0.1, center=False, training=True),
        lambda: trained(layers_norm.BatchNormalization(0.5, 0.1, center=False), 3), PICTURES,
    ),
    "batch_normalization, series": (
        lambda x: theirs.batch_normalization(x, training=True),
        lambda: trained(layers_norm.BatchNormalization(), 9), SERIES,
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_a_training_is_the_sessions(name, assert_trains_alike):
    build, make, batches = LAYERS[name]
    assert_trains_alike(build, make, batches)


def network(x):
    """A convnet of all of them."""
    x = theirs.conv2d(x, 4, 3, kernel_initializer=normal(1), name="conv")
    x = v1.nn.relu(theirs.batch_normalization(x, momentum=0.9, training=True))
    x = theirs.dropout(v1.reshape(x, [6, -1]), 0.3, noise_shape=[None, 1], seed=5, training=True)
    x = theirs.dense(x, 6, v1.nn.elu, kernel_initializer=glorot(2), name="fc/hidden")
    x = theirs.batch_normalization(x, training=True, name="fc/norm")
    return theirs.dense(theirs.dropout(x, seed=6, training=True), 2, kernel_initializer=glorot(3))


def make_network():
    """Its module: the outputs of x, and the layers."""
    conv = layers.Conv2D(4, 3, kernel_initializer=normal(1), name="conv").create(3)
    norm = layers_norm.BatchNormalization(0.9).create(4)
    drop = layers.Dropout(0.3, [None, 1], seed=5)
    hidden = layers.Dense(6, "elu", seed=2, name="fc/hidden").create(6 * 7 * 4)
    second = layers_norm.BatchNormalization(name="fc/norm").create(6)
    out = layers.Dense(2, seed=3).create(6)

    def call(x):
        x = tf.nn.relu(norm(conv(x), training=True))
        x = hidden(drop(tf.reshape(x, [6, -1]), training=True))
        return out(layers.Dropout(seed=6)(second(x, training=True), training=True))

    return call, [conv, norm, hidden, second, out]


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["adam", "descent"])
def test_a_network_is_the_sessions(rule, assert_trains_alike):
    trace = assert_trains_alike(network, make_network, PICTURES, rule)
    assert trace["steps/19/loss"] < trace["steps/0/loss"]
    assert (trace["final/fc/norm/moving_mean"] != 0).all()


NAMES = [
    "conv/kernel", "conv/bias", "batch_normalization/gamma", "batch_normalization/beta",
    "batch_normalization/moving_mean", "batch_normalization/moving_variance", "fc/hidden/kernel", "fc/hidden/bias",
    "fc/norm/gamma", "fc/norm/beta", "fc/norm/moving_mean", "fc/norm/moving_variance", "dense/kernel", "dense/bias",
]  # fmt: skip


def test_the_names_are_tf1s():
    made_layers = make_network()[1]
    assert [name for layer in made_layers for name in layer.variables_by_name()] == NAMES
    assert [v.name for v in made_layers[0].variables] == ["conv/bias:0", "conv/kernel:0"]


@pytest.mark.slow
def test_a_checkpoint_of_the_graph_is_read_and_written(train_in_session, train_in_function, tmp_path):
    trace = train_in_session(network, PICTURES, checkpoint=str(tmp_path / "graph"))
    final = {name.removeprefix("final/"): value for name, value in trace.items() if name.startswith("final/")}
    named = {name: variable for layer in make_network()[1] for name, variable in layer.variables_by_name().items()}
    checkpoints.restore(str(tmp_path / "graph"), named)
    for name, variable in named.items():
        assert variable.numpy().tobytes() == final[name].tobytes(), name
    prefix = checkpoints.save(str(tmp_path / "module"), "model", train_in_function(make_network, PICTURES)[1])
    with v1.Graph().as_default(), v1.Session() as sess:
        network(v1.placeholder(v1.float32, PICTURES.shape[1:]))
        v1.train.Saver().restore(sess, prefix)
        for name, value in sess.run({v.op.name: v for v in v1.global_variables()}).items():
            assert value.tobytes() == final[name].tobytes(), name


@pytest.mark.parametrize("fused", [True, False])
def test_batch_normalization_in_numpy(fused):
    layer = layers_norm.BatchNormalization(0.8, 0.01, fused=fused).create(3)
    x = PICTURES[0].astype(np.float64) * 2 + 1
    outputs = layer(tf.constant(x, tf.float32), training=True)
    mean, variance, count = x.mean((0, 1, 2)), x.var((0, 1, 2)), x[..., 0].size
    np.testing.assert_allclose(outputs, (x - mean) / np.sqrt(variance + 0.01), atol=1e-5)
    sample = variance * count / (count - 1) if fused else variance
    np.testing.assert_allclose(layer.moving_mean, 0.2 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.8 + 0.2 * sample, rtol=1e-5)
    before = [variable.numpy() for variable in layer.variables]
    later = (x - layer.moving_mean) / np.sqrt(layer.moving_variance.numpy() + 0.01)
    np.testing.assert_allclose(layer(tf.constant(x, tf.float32)), later, atol=1e-5)
    assert all((one == variable.numpy()).all() for one, variable in zip(before, layer.variables))


@pytest.mark.slow
def test_training_may_be_a_tensor():
    drop, norm = layers.Dropout(0.5, seed=1), layers_norm.BatchNormalization().create(8)
    run = tf.function(lambda training: norm(drop(tf.constant(ROWS[0]), training), training))
    assert (run(tf.constant(True)).numpy() != run(tf.constant(False)).numpy()).any()


def test_dropout_keeps_the_mean_and_is_off_otherwise():
    ones, drop = tf.ones([100, 100]), layers.Dropout(0.2, seed=1)
    kept = drop(ones, training=True).numpy()
    assert set(np.unique(kept)) == {np.float32(0), np.float32(1.25)} and abs(kept.mean() - 1) < 0.02
    assert (drop(ones).numpy() == 1).all()


def test_each_layer_begins_its_seed_anew():
    tf.random.set_seed(1)
    one, other = (layers.Dense(4, seed=3, name=name).create(4).kernel.numpy() for name in ("one", "other"))
    assert (one == other).all()
    free = [layers.Dense(4, name=name).create(4).kernel.numpy() for name in ("one", "other")]
    assert (free[0] != free[1]).any()


ERRORS = {
    "another depth": (
        lambda: layers.Dense(5).create(8)(tf.ones([2, 7])), ValueError,
        "dense/kernel is float32 [8, 5], its inputs float32 (2, 7): expected a last axis of 8",
    ),
    "rank 1": (lambda: layers.Dense(5).create(8)(tf.ones([8])), ValueError, "dense/kernel is float32 [8, 5], its"),
    "another dtype": (
        lambda: layers.Dense(5).create(8)(tf.ones([2, 8], tf.float64)), TypeError,
        "dense/kernel is float32 [8, 5], its inputs float64 (2, 8): cast them to float32",
    ),
    "rows for a convolution": (
        lambda: layers.Conv2D(5, 3).create(8)(tf.ones([2, 8])), ValueError, "conv2d/kernel is float32 [3, 3, 8, 5]",
    ),
    "other channels": (
        lambda: layers_norm.BatchNormalization().create(4)(tf.ones([2, 5, 5, 3])), ValueError,
        "batch_normalization/gamma is float32 [4], its inputs float32 (2, 5, 5, 3): expected a last axis of 4",
    ),
    "no create": (lambda: layers.Dense(5)(tf.ones([2, 8])), ValueError, "dense has no variables: call create()"),
    "twice": (lambda: layers.Dense(5).create(8).create(8), ValueError, "dense/kernel exists"),
    "no depth": (lambda: layers.Dense(5, name="a/b").create(None), ValueError, "a/b/kernel: its shape must be"),
    "no units": (lambda: layers.Dense(0).create(3), ValueError, "dense/kernel: its shape must be"),
    "activation": (lambda: layers.Dense(5, "rellu"), ValueError, "dense: unknown activation 'rellu'"),
    "padding": (lambda: layers.Conv2D(5, 3, padding="full"), ValueError, "conv2d: padding must be"),
    "sizes": (lambda: layers.Conv2D(5, (3, 3, 3)), ValueError, "conv2d: kernel_size must be"),
    "strides": (lambda: layers.Conv2D(5, 3, 0), ValueError, "conv2d: strides must be"),
    "rate": (lambda: layers.Dropout(1.5), ValueError, "dropout: rate must be between 0 and 1, not 1.5"),
    "integers": (lambda: layers.Dense(5, dtype=tf.int32), TypeError, "dense: its variables must be floating-point"),
    "an initializer of another shape": (
        lambda: layers.Dense(5, kernel_initializer=lambda shape, dtype: tf.zeros([3])).create(3), ValueError,
        "dense/kernel is float32 [3, 5], its initializer gives float32 [3]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_one_line_with_the_name(name):
    wrong, kind, start = ERRORS[name]
    with pytest.raises(kind) as caught:
        wrong()
    assert str(caught.value).startswith(start)
    assert "\n" not in str(caught.value)
