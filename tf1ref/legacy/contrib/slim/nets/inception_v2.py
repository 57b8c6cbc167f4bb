"""tf.contrib.slim.nets.inception_v2: the network of https://arxiv.org/abs/1502.03167, which introduced batch norm."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.framework import arg_scope
from tf1ref.legacy.contrib.layers import batch_norm, conv2d, dropout, separable_conv2d, softmax
from tf1ref.legacy.contrib.slim.nets import _inception

__all__ = ["inception_v2", "inception_v2_arg_scope", "inception_v2_base"]


def _first(inputs, depth, scope):
    return separable_conv2d(
        inputs, depth(64), [7, 7], depth_multiplier=min(int(depth(64) / 3), 8), stride=2, padding="SAME",
        weights_initializer=_inception.trunc_normal(1.0), scope=scope,
    )  # fmt: skip


def _second(inputs, depth, scope):
    start = _inception.trunc_normal(0.1)
    return conv2d(inputs, depth(64), [1, 1], stride=1, padding="SAME", weights_initializer=start, scope=scope)


TABLE = {
    "Conv2d_1a_7x7": _first,
    "MaxPool_2a_3x3": "max/2",
    "Conv2d_2b_1x1": _second,
    "Conv2d_2c_3x3": "192:3x3",
    "MaxPool_3a_3x3": "max/2",
    "Mixed_3b": ("64:1x1", "64:1x1 64:3x3", "64:1x1 96:3x3 96:3x3", "avg 32:1x1"),
    "Mixed_3c": ("64:1x1", "64:1x1 96:3x3", "64:1x1 96:3x3 96:3x3", "avg 64:1x1"),
    "Mixed_4a": ("128:1x1 160:3x3/2", "64:1x1 96:3x3 96:3x3/2", "max/2"),
    "Mixed_4b": ("224:1x1", "64:1x1 96:3x3", "96:1x1 128:3x3 128:3x3", "avg 128:1x1"),
    "Mixed_4c": ("192:1x1", "96:1x1 128:3x3", "96:1x1 128:3x3 128:3x3", "avg 128:1x1"),
    "Mixed_4d": ("160:1x1", "128:1x1 160:3x3", "128:1x1 160:3x3 160:3x3", "avg 96:1x1"),
    "Mixed_4e": ("96:1x1", "128:1x1 192:3x3", "160:1x1 192:3x3 192:3x3", "avg 96:1x1"),
    "Mixed_5a": ("128:1x1 192:3x3/2", "192:1x1 256:3x3 256:3x3/2", "max/2"),
    "Mixed_5b": ("352:1x1", "192:1x1 320:3x3", "160:1x1 224:3x3 224:3x3", "avg 128:1x1"),
    "Mixed_5c": ("352:1x1", "192:1x1 320:3x3", "192:1x1 224:3x3 224:3x3", "max 128:1x1"),
}


def inception_v2_base(inputs, final_endpoint="Mixed_5c", min_depth=16, depth_multiplier=1.0, scope=None):
    """Returns (output, {end point: output}) of the layers up to final_endpoint. inputs: [n, height, width, 3].

    depth_multiplier: the factor of all numbers of channels, which are at least min_depth.
    Raises ValueError for an end point that does not exist, and for a depth_multiplier that is not positive.
    """
    depth = _inception.depths(depth_multiplier, min_depth)
    starts = _inception.trunc_normal(0.09), _inception.trunc_normal(0.1)
    return _inception.base(inputs, TABLE, final_endpoint, depth, "InceptionV2", scope, *starts)


def inception_v2(
    inputs, num_classes=1000, is_training=True, dropout_keep_prob=0.8, min_depth=16, depth_multiplier=1.0,
    prediction_fn=softmax, spatial_squeeze=True, reuse=None, scope="InceptionV2",
):  # fmt: skip
    """Returns (logits of [n, num_classes], {end point: output}) for pictures of [n, 224, 224, 3]."""
    named = v1.variable_scope(scope, "InceptionV2", [inputs, num_classes], reuse=reuse)
    with named as scope, arg_scope([batch_norm, dropout], is_training=is_training):
        net, end_points = inception_v2_base(inputs, scope=scope, min_depth=min_depth, depth_multiplier=depth_multiplier)
        with v1.variable_scope("Logits"):
            net, names = _inception.pool(net, 7), ("Dropout_1b", "Conv2d_1c_1x1")
            _, logits = _inception.head(net, num_classes, dropout_keep_prob, spatial_squeeze, names)
            end_points["Logits"] = logits
        end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, end_points


inception_v2.default_image_size = 224


def inception_v2_arg_scope(weight_decay=0.00004, batch_norm_var_collection="moving_vars"):
    """Returns the arg_scope. weight_decay: the factor of the L2 regularization."""
    return _inception.scope_of(weight_decay, batch_norm_var_collection)
