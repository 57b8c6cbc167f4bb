"""tf.contrib.slim.nets.inception_v3: the network of https://arxiv.org/abs/1512.00567, with its side head."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.framework import arg_scope
from tf1ref.legacy.contrib.layers import avg_pool2d, batch_norm, conv2d, dropout, softmax
from tf1ref.legacy.contrib.slim.nets import _inception

__all__ = ["inception_v3", "inception_v3_arg_scope", "inception_v3_base"]

_LAST = (
    "320:1x1",
    "384:1x1 384:1x3|384:3x1",
    "448:1x1 384:3x3 384:1x3|384:3x1",
    "avg 192:1x1",
)


def _of_seven(channels):
    return (
        "192:1x1",
        f"{channels}:1x1 {channels}:1x7 192:7x1",
        f"{channels}:1x1 {channels}:7x1 {channels}:1x7 {channels}:7x1 192:1x7",
        "avg 192:1x1",
    )


# Some scopes do not say what the layers are. They are those of the published checkpoint.
TABLE = {
    "Conv2d_1a_3x3": "32:3x3/2!",
    "Conv2d_2a_3x3": "32:3x3!",
    "Conv2d_2b_3x3": "64:3x3",
    "MaxPool_3a_3x3": "max/2!",
    "Conv2d_3b_1x1": "80:1x1!",
    "Conv2d_4a_3x3": "192:3x3!",
    "MaxPool_5a_3x3": "max/2!",
    "Mixed_5b": ("64:1x1", "48:1x1 64:5x5", "64:1x1 96:3x3 96:3x3", "avg 32:1x1"),
    "Mixed_5c": (
        "64:1x1", "48:1x1=Conv2d_0b_1x1 64:5x5=Conv_1_0c_5x5", "64:1x1 96:3x3 96:3x3", "avg 64:1x1",
    ),
    "Mixed_5d": ("64:1x1", "48:1x1 64:5x5", "64:1x1 96:3x3 96:3x3", "avg 64:1x1"),
    "Mixed_6a": ("384:3x3/2!=Conv2d_1a_1x1", "64:1x1 96:3x3 96:3x3/2!=Conv2d_1a_1x1", "max/2!"),
    "Mixed_6b": _of_seven(128),
    "Mixed_6c": _of_seven(160),
    "Mixed_6d": _of_seven(160),
    "Mixed_6e": _of_seven(192),
    "Mixed_7a": ("192:1x1 320:3x3/2!", "192:1x1 192:1x7 192:7x1 192:3x3/2!", "max/2!"),
    "Mixed_7b": (_LAST[0], "384:1x1 384:1x3|384:3x1=Conv2d_0b_3x1", *_LAST[2:]),
    "Mixed_7c": _LAST,
}  # fmt: skip


def inception_v3_base(inputs, final_endpoint="Mixed_7c", min_depth=16, depth_multiplier=1.0, scope=None):
    """Returns (output, {end point: output}) of the layers up to final_endpoint. inputs: [n, height, width, 3].

    depth_multiplier: the factor of all numbers of channels, which are at least min_depth.
    Raises ValueError for an end point that does not exist, and for a depth_multiplier that is not positive.
    """
    depth = _inception.depths(depth_multiplier, min_depth)
    return _inception.base(inputs, TABLE, final_endpoint, depth, "InceptionV3", scope)


def inception_v3(
    inputs, num_classes=1000, is_training=True, dropout_keep_prob=0.8, min_depth=16, depth_multiplier=1.0,
    prediction_fn=softmax, spatial_squeeze=True, reuse=None, scope="InceptionV3",
):  # fmt: skip
    """Returns (logits of [n, num_classes], {end point: output}) for pictures of [n, 299, 299, 3].

    The end point AuxLogits holds the logits of the side head, for a second loss.
    """
    depth = _inception.depths(depth_multiplier, min_depth)
    named = v1.variable_scope(scope, "InceptionV3", [inputs, num_classes], reuse=reuse)
    with named as scope, arg_scope([batch_norm, dropout], is_training=is_training):
        net, end_points = inception_v3_base(inputs, scope=scope, min_depth=min_depth, depth_multiplier=depth_multiplier)
        with v1.variable_scope("AuxLogits"):
            end_points["AuxLogits"] = _side_head(end_points["Mixed_6e"], num_classes, depth, spatial_squeeze)
        with v1.variable_scope("Logits"):
            net, names = _inception.pool(net, 8), ("Dropout_1b", "Conv2d_1c_1x1")
            end_points["PreLogits"], logits = _inception.head(
                net, num_classes, dropout_keep_prob, spatial_squeeze, names
            )
            end_points["Logits"] = logits
        end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, end_points


inception_v3.default_image_size = 299


def _side_head(net, num_classes, depth, spatial_squeeze):
    net = avg_pool2d(net, [5, 5], stride=3, padding="VALID", scope="AvgPool_1a_5x5")
    net = conv2d(net, depth(128), [1, 1], scope="Conv2d_1b_1x1")
    kernel, start = _inception.smaller(net, 5), _inception.trunc_normal(0.01)
    scope = "Conv2d_2a_{}x{}".format(*kernel)
    net = conv2d(net, depth(768), kernel, padding="VALID", weights_initializer=start, scope=scope)
    plain = {"activation_fn": None, "normalizer_fn": None, "weights_initializer": _inception.trunc_normal(0.001)}
    net = conv2d(net, num_classes, [1, 1], scope="Conv2d_2b_1x1", **plain)
    return v1.squeeze(net, [1, 2], name="SpatialSqueeze") if spatial_squeeze else net


def inception_v3_arg_scope(weight_decay=0.00004, batch_norm_var_collection="moving_vars", use_fused_batchnorm=True):
    """Returns the arg_scope. weight_decay: the factor of the L2 regularization."""
    return _inception.scope_of(weight_decay, batch_norm_var_collection, fused=use_fused_batchnorm)
