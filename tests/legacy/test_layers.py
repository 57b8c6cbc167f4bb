"""legacy/layers: TF 1.15's variable names, defaults, collections, reuse rules and refusals; numpy's arithmetic."""

import ast
import inspect
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy import layers
from tf1ref.legacy.contrib.layers import l2_regularizer

LEGACY = Path(layers.__file__).parents[1]


@pytest.fixture(autouse=True)
def graph():
    with v1.Graph().as_default() as graph:
        yield graph


def pictures(*shape, dtype=v1.float32):
    return v1.placeholder(dtype, [None, *(shape or (8, 8, 3))])


def names(variables=None):
    return [v.name for v in (v1.global_variables() if variables is None else variables)]


def op_types(graph, wanted):
    return [op.name for op in graph.get_operations() if op.type in wanted]


def run(fetches, feed=None):
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        return sess.run(fetches, feed)


def test_names_of_a_small_network(graph):
    x = layers.conv2d(pictures(), 4, 3, activation=v1.nn.relu)
    x = layers.max_pooling2d(x, 2, 2)
    x = layers.batch_normalization(layers.conv2d(x, 4, 2), training=True)
    x = layers.dropout(layers.dense(layers.flatten(x), 5), training=True)
    layers.dense(layers.dense(x, 6, name="fc"), 7)
    assert names() == [
        "conv2d/kernel:0", "conv2d/bias:0", "conv2d_1/kernel:0", "conv2d_1/bias:0", "batch_normalization/gamma:0",
        "batch_normalization/beta:0", "batch_normalization/moving_mean:0", "batch_normalization/moving_variance:0",
        "dense/kernel:0", "dense/bias:0", "fc/kernel:0", "fc/bias:0", "dense_1/kernel:0", "dense_1/bias:0",
    ]  # fmt: skip
    assert not [name for name in names(v1.trainable_variables()) if "moving" in name]
    assert op_types(graph, ("Conv2D", "MaxPool", "MatMul", "BiasAdd", "Relu", "Reshape", "FusedBatchNormV3")) == [
        "conv2d/Conv2D", "conv2d/BiasAdd", "conv2d/Relu", "max_pooling2d/MaxPool", "conv2d_1/Conv2D",
        "conv2d_1/BiasAdd", "batch_normalization/FusedBatchNormV3", "flatten/Reshape", "dense/MatMul",
        "dense/BiasAdd", "fc/MatMul", "fc/BiasAdd", "dense_1/MatMul", "dense_1/BiasAdd",
    ]  # fmt: skip
    updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    assert [update.op.name for update in updates] == [
        "batch_normalization/AssignMovingAvg", "batch_normalization/AssignMovingAvg_1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "shape", "expected"),
    [
        (layers.conv1d, [9, 3], {"conv1d/kernel:0": [2, 3, 4], "conv1d/bias:0": [4]}),
        (layers.conv3d, [5, 6, 7, 3], {"conv3d/kernel:0": [2, 2, 2, 3, 4], "conv3d/bias:0": [4]}),
        (
            layers.conv2d_transpose,
            [8, 8, 3],
            {"conv2d_transpose/kernel:0": [2, 2, 4, 3], "conv2d_transpose/bias:0": [4]},
        ),
        (
            layers.conv3d_transpose,
            [5, 6, 7, 3],
            {"conv3d_transpose/kernel:0": [2, 2, 2, 4, 3], "conv3d_transpose/bias:0": [4]},
        ),
        (
            layers.separable_conv1d,
            [9, 3],
            {
                "separable_conv1d/depthwise_kernel:0": [2, 3, 1],
                "separable_conv1d/pointwise_kernel:0": [1, 3, 4],
                "separable_conv1d/bias:0": [4],
            },
        ),
        (
            layers.separable_conv2d,
            [8, 8, 3],
            {
                "separable_conv2d/depthwise_kernel:0": [2, 2, 3, 1],
                "separable_conv2d/pointwise_kernel:0": [1, 1, 3, 4],
                "separable_conv2d/bias:0": [4],
            },
        ),
    ],
)
def test_variables_of_the_convolutions(function, shape, expected):
    function(pictures(*shape), 4, 2)
    assert {v.name: v.get_shape().as_list() for v in v1.global_variables()} == expected


@pytest.mark.parametrize(
    ("function", "promised"),
    [
        (layers.dense, "inputs units activation use_bias kernel_initializer bias_initializer kernel_regularizer "
         "bias_regularizer activity_regularizer kernel_constraint bias_constraint trainable name reuse"),
        (layers.conv2d, "inputs filters kernel_size strides padding data_format dilation_rate activation use_bias "
         "kernel_initializer bias_initializer kernel_regularizer bias_regularizer activity_regularizer "
         "kernel_constraint bias_constraint trainable name reuse"),
        (layers.conv2d_transpose, "inputs filters kernel_size strides padding data_format activation use_bias "
         "kernel_initializer bias_initializer kernel_regularizer bias_regularizer activity_regularizer "
         "kernel_constraint bias_constraint trainable name reuse"),
        (layers.max_pooling2d, "inputs pool_size strides padding data_format name"),
        (layers.dropout, "inputs rate noise_shape seed training name"),
        (layers.flatten, "inputs name data_format"),
        (layers.batch_normalization, "inputs axis momentum epsilon center scale beta_initializer gamma_initializer "
         "moving_mean_initializer moving_variance_initializer beta_regularizer gamma_regularizer beta_constraint "
         "gamma_constraint training trainable name reuse renorm renorm_clipping renorm_momentum fused "
         "virtual_batch_size adjustment"),
    ],
)  # fmt: skip
def test_arguments_stand_where_they_stood(function, promised):
    assert list(inspect.signature(function).parameters) == promised.split()


def test_defaults_are_glorot_uniform_and_zeros():
    layers.dense(pictures(400), 200)
    kernel, bias = run(v1.global_variables())
    # The largest of 80,000 numbers may be the limit as a float32.
    limit = np.sqrt(6 / 600, dtype=np.float32)
    assert 0.999 * limit < np.abs(kernel).max() <= limit
    assert abs(kernel.std() - limit / np.sqrt(3)) < 0.001
    assert not bias.any()


def test_the_scope_gives_defaults():
    with v1.variable_scope("net", initializer=v1.constant_initializer(3.0), regularizer=l2_regularizer(0.5)):
        layers.dense(pictures(4), 2)
    penalties = v1.losses.get_regularization_losses()
    assert [p.op.name for p in penalties] == [
        "net/dense/kernel/Regularizer/l2_regularizer", "net/dense/bias/Regularizer/l2_regularizer",
    ]  # fmt: skip
    assert run(penalties) == [0.25 * 8 * 9, 0.0]


def test_penalties_count_once():
    for reuse in (None, True):
        layers.dense(pictures(4), 4, kernel_regularizer=l2_regularizer(0.5), name="fc", reuse=reuse)
    (penalty,) = v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)
    assert penalty.op.name == "fc/kernel/Regularizer/l2_regularizer"


def test_untrainable_variables_are_not_collected():
    layer = layers.Dense(3, trainable=False)
    layer(pictures(4))
    assert (v1.trainable_variables(), names(layer.non_trainable_variables)) == ([], names())
    layers.batch_normalization(pictures(), training=True, trainable=False)
    assert v1.get_collection(v1.GraphKeys.UPDATE_OPS) == []


def test_reuse(graph):
    x = pictures(4)
    layers.dense(x, 3, name="fc")
    layers.dense(x, 3, name="fc", reuse=True)
    layers.dense(x, 3, name="fc", reuse=v1.AUTO_REUSE)
    with v1.variable_scope("", reuse=True):
        layers.dense(x, 3, name="fc")
    for _ in range(2):
        with v1.variable_scope("auto", reuse=v1.AUTO_REUSE):
            layers.dense(x, 3)
    assert names() == ["fc/kernel:0", "fc/bias:0", "auto/dense/kernel:0", "auto/dense/bias:0"]


def test_an_object_keeps_its_variables_and_scope():
    layer = layers.Dense(3)
    with pytest.raises(ValueError, match="No name available"):
        layer.scope_name  # noqa: B018
    with v1.variable_scope("first"):
        layer(pictures(4))
    with v1.variable_scope("second"):
        layer.apply(pictures(4))
    assert (layer.scope_name, layer.name, layers.Dense(3).name) == ("first/dense", "dense_1", "dense_2")
    assert names(layer.variables) == names() == ["first/dense/kernel:0", "first/dense/bias:0"]
    assert (layer.count_params(), layer.dtype) == (15, v1.float32)


def test_a_layer_of_ones_own():
    class Scale(layers.Layer):
        def build(self, input_shape):
            self.factor = self.add_variable("factor", [input_shape[-1]], initializer=v1.ones_initializer())
            super().build(input_shape)

        def call(self, inputs, scope=None):
            assert scope.name == "scale"
            return inputs * self.factor

    assert Scale()(pictures(4)).op.name == "scale/mul"
    assert names() == ["scale/factor:0"]


def test_a_partitioned_kernel():
    with v1.variable_scope("net", partitioner=v1.fixed_size_partitioner(2)):
        y = layers.dense(np.ones([2, 4], "f"), 3, v1.nn.relu, kernel_regularizer=l2_regularizer(0.5))
    assert names()[:2] == ["net/dense/kernel/part_0:0", "net/dense/kernel/part_1:0"]
    assert (len(v1.losses.get_regularization_losses()), run(y).shape) == (2, (2, 3))


def moments(values, axes):
    return values.mean(axes), values.var(axes)


@pytest.mark.parametrize(("fused", "correction"), [(None, 4 * 8 * 8 / (4 * 8 * 8 - 1)), (False, 1.0)])
def test_batch_normalization_by_hand(fused, correction):
    """The fused kernel's moving variance is a sample's, the other's a population's, in TF 1.15 too."""
    values = np.random.RandomState(0).randn(4, 8, 8, 3).astype("float32") * 2 + 1
    outputs = layers.batch_normalization(values, momentum=0.9, training=True, fused=fused)
    mean, variance = moments(values, (0, 1, 2))
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        found, _ = sess.run([outputs, v1.get_collection(v1.GraphKeys.UPDATE_OPS)])
        moved_mean, moved_variance = sess.run(v1.global_variables()[2:])
    np.testing.assert_allclose(found, (values - mean) / np.sqrt(variance + 1e-3), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(moved_mean, 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(moved_variance, 0.9 + 0.1 * variance * correction, rtol=1e-5)


def test_a_fed_flag_chooses_the_moments():
    training = v1.placeholder(v1.bool)
    values = np.random.RandomState(0).randn(4, 8, 8, 3).astype("float32")
    outputs = layers.batch_normalization(values, training=training)
    np.testing.assert_allclose(run(outputs, {training: False}), values / np.sqrt(1.001), rtol=1e-5)
    assert np.abs(run(outputs, {training: True}).mean((0, 1, 2))).max() < 1e-6


@pytest.mark.parametrize("function", [layers.conv2d, layers.conv2d_transpose, layers.separable_conv2d])
def test_channels_first_is_channels_last_transposed(function):
    values = np.random.RandomState(0).randn(2, 7, 6, 3).astype("float32")
    with v1.variable_scope("", initializer=v1.glorot_uniform_initializer(seed=2)):
        last = function(values, 4, 3, 2, activation=v1.nn.relu)
        first = function(values.transpose(0, 3, 1, 2), 4, 3, 2, "valid", "channels_first", activation=v1.nn.relu)
    last, found = run([last, first])
    assert first.get_shape().as_list() == list(found.shape)
    assert (last.transpose(0, 3, 1, 2) == found).all() and found.any()


def test_pools_by_hand():
    values = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    largest, means, first = run([
        layers.max_pooling2d(values, 2, 2), layers.average_pooling2d(values, 2, 2),
        layers.max_pooling2d(values.transpose(0, 3, 1, 2), 2, 2, data_format="channels_first"),
    ])  # fmt: skip
    assert largest.ravel().tolist() == first.ravel().tolist() == [5, 7, 13, 15]
    assert means.ravel().tolist() == [2.5, 4.5, 10.5, 12.5]


def test_sparse_inputs():
    dense = np.array([[0, 2, 0], [1, 0, 3]], "float32")
    at = np.argwhere(dense)
    y = layers.Dense(2, kernel_initializer=v1.ones_initializer())(v1.SparseTensor(at, dense[tuple(at.T)], [2, 3]))
    assert run(y).tolist() == [[2, 2], [4, 4]]


@pytest.mark.slow
def test_legacy_needs_neither_keras_nor_the_modules(started_python):
    for path in sorted(LEGACY.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            found = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            found += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not [
                m for m in found if m.split(".")[0] in ("keras", "tf_keras") or m.startswith("tf1ref.modules")
            ], path.name
    program = "import sys\nfrom tf1ref.legacy import layers\nfrom tf1ref.legacy.nn import rnn_cell\n"
    program += "print('tf_keras' in sys.modules)"
    done = subprocess.run([started_python, "-c", program], capture_output=True, text=True, timeout=240)
    assert done.stdout == "False\n"
