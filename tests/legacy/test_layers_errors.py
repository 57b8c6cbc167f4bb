"""legacy/layers: TF1's kinds of error, with the variable's or the layer's name."""

import re

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy import layers

X = np.ones([2, 4], "float32")
PICTURE = np.ones([2, 8, 8, 3], "float32")


def twice(second, **kwargs):
    layers.dense(X, 3, name="fc")
    return layers.dense(second, name="fc", **kwargs)


def called_twice(layer, first, second):
    layer(first)
    return layer(second)


UNKNOWN = v1.TensorShape([None, None])
CASES = {
    "defined twice": (lambda: twice(X, units=3), ValueError, "Variable fc/kernel already exists"),
    "reuse of nothing": (
        lambda: layers.dense(X, 3, name="fc", reuse=True), ValueError, "Variable fc/kernel does not exist",
    ),
    "reuse of nothing without a name": (
        lambda: layers.conv2d(PICTURE, 3, 2, reuse=True), ValueError, "Variable conv2d/kernel does not exist",
    ),
    "reuse with other units": (
        lambda: twice(X, units=5, reuse=True), ValueError, r"fc/kernel, but specified shape \(4, 5\) and found shape",
    ),
    "reuse with another depth": (
        lambda: twice(X[:, :2], units=3, reuse=True), ValueError, r"fc/kernel, but specified shape \(2, 3\)",
    ),
    "reuse with another dtype": (
        lambda: twice(X.astype("float64"), units=3, reuse=True), ValueError, "fc/kernel, but specified dtype float64",
    ),
    "object with another depth": (
        lambda: called_twice(layers.Dense(3), X, X[:, :2]), ValueError,
        r"Input 0 of layer dense .* expected axis -1 to have 4 elements, found 2 \(dense/kernel:0 was made for it\)",
    ),
    "object with another number of channels": (
        lambda: called_twice(layers.Conv2D(3, 2), PICTURE, PICTURE[..., :1]), ValueError, "conv2d/kernel:0",
    ),
    "object with another dtype": (
        lambda: called_twice(layers.Conv2D(3, 2), PICTURE, PICTURE.astype("float64")), TypeError,
        "conv2d/kernel:0 is float32, its inputs are float64",
    ),
    "rank 1 into dense": (lambda: layers.dense(X[0], 3), ValueError, "expected min_ndim=2, found ndim=1"),
    "rank 3 into conv2d": (lambda: layers.conv2d(PICTURE[0], 3, 2), ValueError, "layer conv2d .*expected ndim=4"),
    "rank 2 into a pool": (lambda: layers.max_pooling2d(X, 2, 2), ValueError, "expected ndim=4, found ndim=2"),
    "a window larger than the picture": (lambda: layers.conv2d(PICTURE, 3, 9), ValueError, "Negative dimension size"),
    "integers into dense": (lambda: layers.dense(X.astype("int32"), 3), TypeError, "dense.*non-floating.*int32"),
    "a depth that is unknown": (
        lambda: layers.dense(v1.placeholder(v1.float32, UNKNOWN), 3, name="fc"), ValueError,
        "last dimension of the inputs to `Dense` layer fc should be defined",
    ),
    "channels that are unknown": (
        lambda: layers.conv1d(v1.placeholder(v1.float32, [None, 8, None]), 3, 2), ValueError, "channel dimension",
    ),
    "data_format": (
        lambda: layers.conv2d(PICTURE, 3, 2, data_format="NHWC"), ValueError, "`data_format` argument.*NHWC",
    ),
    "data_format of a pool": (
        lambda: layers.max_pooling2d(PICTURE, 2, 2, data_format="NHWC"), ValueError, "`data_format` argument.*NHWC",
    ),
    "padding": (lambda: layers.conv2d(PICTURE, 3, 2, padding="full"), ValueError, "`padding` argument.*full"),
    "kernel_size": (lambda: layers.conv2d(PICTURE, 3, [2, 2, 2]), ValueError, "`kernel_size` argument"),
    "strides": (lambda: layers.max_pooling2d(PICTURE, 2, 0), ValueError, "`strides` argument"),
    "strides and dilation": (
        lambda: layers.conv2d(PICTURE, 3, 2, strides=2, dilation_rate=2), ValueError, "strides > 1` not supported",
    ),
    "activation": (lambda: layers.dense(X, 3, "rleu"), ValueError, "activation function identifier: 'rleu'"),
    "initializer": (
        lambda: layers.dense(X, 3, kernel_initializer="xavier"), ValueError, "initializer identifier: 'xavier'",
    ),
    "keyword of a function": (lambda: layers.dense(X, 3, kernel_init=None), TypeError, "kernel_init"),
    "keyword of a class": (lambda: layers.Dense(3, kernel_init=None), TypeError, "Dense: unknown.*'kernel_init'"),
    "no units": (lambda: layers.dense(X), TypeError, "units"),
    "a rate that is none": (lambda: layers.dropout(X, 1.5, training=True), ValueError, "rate"),
    "a flag that is none": (lambda: layers.dropout(X, training="yes"), TypeError, "'yes'"),
    "axis": (lambda: layers.batch_normalization(PICTURE, 4, name="bn"), ValueError, "Invalid axis of bn: 4"),
    "type of the axis": (lambda: layers.batch_normalization(PICTURE, "last"), TypeError, "axis must be int or list"),
    "an axis that is unknown": (
        lambda: layers.batch_normalization(v1.placeholder(v1.float32, UNKNOWN)), ValueError, "undefined `axis`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refused(case):
    build, error, message = CASES[case]
    with v1.Graph().as_default(), pytest.raises(error) as caught:
        build()
    assert re.search(message, str(caught.value)), str(caught.value)
