"""tf.contrib.slim.nets.alexnet: AlexNet in its one-column form of https://arxiv.org/abs/1404.5997, without LRN."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.framework import arg_scope
from tf1ref.legacy.contrib.layers import conv2d, dropout, fully_connected, l2_regularizer, max_pool2d
from tf1ref.legacy.contrib.layers._utils import convert_collection_to_dict

__all__ = ["alexnet_v2", "alexnet_v2_arg_scope"]


def alexnet_v2_arg_scope(weight_decay=0.0005):
    """Returns the arg_scope of the network. weight_decay: the factor of the L2 regularization."""
    common = {"activation_fn": v1.nn.relu, "weights_regularizer": l2_regularizer(weight_decay)}
    common["biases_initializer"] = v1.constant_initializer(0.1)
    same, valid = arg_scope([conv2d], padding="SAME"), arg_scope([max_pool2d], padding="VALID")
    with arg_scope([conv2d, fully_connected], **common), same, valid as scope:
        return scope


def alexnet_v2(
    inputs, num_classes=1000, is_training=True, dropout_keep_prob=0.5, spatial_squeeze=True, scope="alexnet_v2"
):  # fmt: skip
    """Returns (logits, end points) for pictures of [n, 224, 224, 3] or larger.

    The logits are [n, num_classes], and [n, height, width, num_classes] without spatial_squeeze. Larger pictures need
    spatial_squeeze=False. The end points are {scope: output}.
    """
    with v1.variable_scope(scope, "alexnet_v2", [inputs]) as sc:
        collection = f"{sc.original_name_scope}_end_points"
        with arg_scope([conv2d, fully_connected, max_pool2d], outputs_collections=collection):
            net = _features(inputs)
            started = v1.truncated_normal_initializer(0.0, 0.005)
            tenth, zeros = v1.constant_initializer(0.1), v1.zeros_initializer()
            with arg_scope([conv2d], weights_initializer=started, biases_initializer=tenth):
                net = conv2d(net, 4096, [5, 5], padding="VALID", scope="fc6")
                net = dropout(net, dropout_keep_prob, is_training=is_training, scope="dropout6")
                net = conv2d(net, 4096, [1, 1], scope="fc7")
                net = dropout(net, dropout_keep_prob, is_training=is_training, scope="dropout7")
                plain = {"activation_fn": None, "normalizer_fn": None, "biases_initializer": zeros}
                net = conv2d(net, num_classes, [1, 1], scope="fc8", **plain)
        end_points = convert_collection_to_dict(collection)
        if spatial_squeeze:
            net = v1.squeeze(net, [1, 2], name="fc8/squeezed")
            end_points[f"{sc.name}/fc8"] = net
        return net, end_points


alexnet_v2.default_image_size = 224


def _features(inputs):
    net = conv2d(inputs, 64, [11, 11], 4, padding="VALID", scope="conv1")
    net = max_pool2d(net, [3, 3], 2, scope="pool1")
    net = conv2d(net, 192, [5, 5], scope="conv2")
    net = max_pool2d(net, [3, 3], 2, scope="pool2")
    for number, channels in ((3, 384), (4, 384), (5, 256)):
        net = conv2d(net, channels, [3, 3], scope=f"conv{number}")
    return max_pool2d(net, [3, 3], 2, scope="pool5")
