"""tf.contrib.slim.nets.inception_v1: GoogLeNet (arXiv 1409.4842) with batch norm, without side heads."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.framework import arg_scope
from tf1ref.legacy.contrib.layers import avg_pool2d, batch_norm, conv2d, dropout, fully_connected, softmax
from tf1ref.legacy.contrib.slim.nets import _inception

__all__ = ["inception_v1", "inception_v1_arg_scope", "inception_v1_base"]

# Table 1 of the paper. The second scope of Mixed_5b's third branch is named so in the published checkpoint.
TABLE = {
    "Conv2d_1a_7x7": "64:7x7/2",
    "MaxPool_2a_3x3": "max/2",
    "Conv2d_2b_1x1": "64:1x1",
    "Conv2d_2c_3x3": "192:3x3",
    "MaxPool_3a_3x3": "max/2",
    "Mixed_3b": ("64:1x1", "96:1x1 128:3x3", "16:1x1 32:3x3", "max 32:1x1"),
    "Mixed_3c": ("128:1x1", "128:1x1 192:3x3", "32:1x1 96:3x3", "max 64:1x1"),
    "MaxPool_4a_3x3": "max/2",
    "Mixed_4b": ("192:1x1", "96:1x1 208:3x3", "16:1x1 48:3x3", "max 64:1x1"),
    "Mixed_4c": ("160:1x1", "112:1x1 224:3x3", "24:1x1 64:3x3", "max 64:1x1"),
    "Mixed_4d": ("128:1x1", "128:1x1 256:3x3", "24:1x1 64:3x3", "max 64:1x1"),
    "Mixed_4e": ("112:1x1", "144:1x1 288:3x3", "32:1x1 64:3x3", "max 64:1x1"),
    "Mixed_4f": ("256:1x1", "160:1x1 320:3x3", "32:1x1 128:3x3", "max 128:1x1"),
    "MaxPool_5a_2x2": "max:2x2/2",
    "Mixed_5b": ("256:1x1", "160:1x1 320:3x3", "32:1x1 128:3x3=Conv2d_0a_3x3", "max 128:1x1"),
    "Mixed_5c": ("384:1x1", "192:1x1 384:3x3", "48:1x1 128:3x3", "max 128:1x1"),
}


def inception_v1_base(inputs, final_endpoint="Mixed_5c", scope="InceptionV1"):
    """Returns (output, {end point: output}) of the layers up to final_endpoint. inputs: [n, height, width, 3].

    Raises ValueError for an end point that does not exist.
    """
    with arg_scope([conv2d, fully_connected], weights_initializer=_inception.trunc_normal(0.01)):
        return _inception.base(inputs, TABLE, final_endpoint, _inception.depths(1, 0), "InceptionV1", scope)


def inception_v1(
    inputs, num_classes=1000, is_training=True, dropout_keep_prob=0.8, prediction_fn=softmax, spatial_squeeze=True,
    reuse=None, scope="InceptionV1",
):  # fmt: skip
    """Returns (logits of [n, num_classes], {end point: output}) for pictures of [n, 224, 224, 3]."""
    named = v1.variable_scope(scope, "InceptionV1", [inputs, num_classes], reuse=reuse)
    with named as scope, arg_scope([batch_norm, dropout], is_training=is_training):
        net, end_points = inception_v1_base(inputs, scope=scope)
        with v1.variable_scope("Logits"):
            net = avg_pool2d(net, [7, 7], stride=1, scope="MaxPool_0a_7x7")
            names = "Dropout_0b", "Conv2d_0c_1x1"
            _, logits = _inception.head(net, num_classes, dropout_keep_prob, spatial_squeeze, names)
            end_points["Logits"] = logits
            end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, end_points


inception_v1.default_image_size = 224


def inception_v1_arg_scope(weight_decay=0.00004, use_batch_norm=True, batch_norm_var_collection="moving_vars"):
    """Returns the arg_scope. weight_decay: the factor of the L2 regularization."""
    return _inception.scope_of(weight_decay, batch_norm_var_collection, use_batch_norm)
