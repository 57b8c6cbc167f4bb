"""tf.contrib.slim.nets.vgg: VGG-11 (A), VGG-16 (D) and VGG-19 (E) of https://arxiv.org/abs/1409.1556.

The fully connected layers are convolutions, so that the networks take larger pictures than 224 x 224, too.
"""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.framework import arg_scope
from tf1ref.legacy.contrib.layers import conv2d, dropout, fully_connected, l2_regularizer, max_pool2d, repeat
from tf1ref.legacy.contrib.layers._utils import convert_collection_to_dict

__all__ = ["vgg_16", "vgg_19", "vgg_a", "vgg_arg_scope", "vgg_d", "vgg_e"]

CHANNELS = (64, 128, 256, 512, 512)


def vgg_arg_scope(weight_decay=0.0005):
    """Returns the arg_scope of all VGGs. weight_decay: the factor of the L2 regularization."""
    common = {"activation_fn": v1.nn.relu, "weights_regularizer": l2_regularizer(weight_decay)}
    common["biases_initializer"] = v1.zeros_initializer()
    with arg_scope([conv2d, fully_connected], **common), arg_scope([conv2d], padding="SAME") as scope:
        return scope


def _vgg(name, repetitions):
    """Returns the network `name`, with so many convolutions of 3 x 3 before each of its five pools."""

    def network(
        inputs, num_classes=1000, is_training=True, dropout_keep_prob=0.5, spatial_squeeze=True, scope=name
    ):  # fmt: skip
        with v1.variable_scope(scope, name, [inputs]) as sc:
            collection = f"{sc.original_name_scope}_end_points"
            with arg_scope([conv2d, fully_connected, max_pool2d], outputs_collections=collection):
                net = inputs
                for number, (times, channels) in enumerate(zip(repetitions, CHANNELS), 1):
                    net = repeat(net, times, conv2d, channels, [3, 3], scope=f"conv{number}")
                    net = max_pool2d(net, [2, 2], scope=f"pool{number}")
                net = conv2d(net, 4096, [7, 7], padding="VALID", scope="fc6")
                net = dropout(net, dropout_keep_prob, is_training=is_training, scope="dropout6")
                net = conv2d(net, 4096, [1, 1], scope="fc7")
                net = dropout(net, dropout_keep_prob, is_training=is_training, scope="dropout7")
                net = conv2d(net, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, scope="fc8")
                end_points = convert_collection_to_dict(collection)
                if spatial_squeeze:
                    net = v1.squeeze(net, [1, 2], name="fc8/squeezed")
                    end_points[f"{sc.name}/fc8"] = net
                return net, end_points

    network.__name__ = network.__qualname__ = name
    network.__doc__ = f"""Returns (logits, end points) of {name} for pictures of [n, 224, 224, 3] or larger.

    The logits are [n, num_classes], and [n, height, width, num_classes] without spatial_squeeze. Larger pictures need
    spatial_squeeze=False. The end points are {{scope: output}}.
    """
    network.default_image_size = 224
    return network


vgg_a = _vgg("vgg_a", (1, 1, 2, 2, 2))
vgg_16 = vgg_d = _vgg("vgg_16", (2, 2, 3, 3, 3))
vgg_19 = vgg_e = _vgg("vgg_19", (2, 2, 4, 4, 4))
