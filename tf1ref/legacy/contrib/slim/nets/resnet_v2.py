"""tf.contrib.slim.nets.resnet_v2: residual networks of https://arxiv.org/abs/1603.05027, normalized before layers."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.framework import add_arg_scope
from tf1ref.legacy.contrib.layers import batch_norm, conv2d
from tf1ref.legacy.contrib.layers._utils import collect_named_outputs, last_dimension
from tf1ref.legacy.contrib.slim.nets import _resnet, resnet_utils

__all__ = [
    "bottleneck",
    "resnet_arg_scope",
    "resnet_v2",
    "resnet_v2_101",
    "resnet_v2_152",
    "resnet_v2_200",
    "resnet_v2_50",
    "resnet_v2_block",
]

resnet_arg_scope = resnet_utils.resnet_arg_scope


@add_arg_scope
def bottleneck(inputs, depth, depth_bottleneck, stride, rate=1, outputs_collections=None, scope=None):
    """Returns shortcut + residual, of `depth` channels: convolutions of 1 x 1, 3 x 3 and 1 x 1 after a batch norm.

    inputs: [n, height, width, channels]. depth_bottleneck: the channels of the first two. rate: their dilation.
    """
    with v1.variable_scope(scope, "bottleneck_v2", [inputs]) as sc:
        plain = {"activation_fn": None, "normalizer_fn": None}
        preact = batch_norm(inputs, activation_fn=v1.nn.relu, scope="preact")
        if depth == last_dimension(inputs.shape, min_rank=4):
            shortcut = resnet_utils.subsample(inputs, stride, "shortcut")
        else:
            shortcut = conv2d(preact, depth, [1, 1], stride=stride, scope="shortcut", **plain)
        residual = conv2d(preact, depth_bottleneck, [1, 1], stride=1, scope="conv1")
        residual = resnet_utils.conv2d_same(residual, depth_bottleneck, 3, stride, rate=rate, scope="conv2")
        residual = conv2d(residual, depth, [1, 1], stride=1, scope="conv3", **plain)
        return collect_named_outputs(outputs_collections, sc.name, shortcut + residual)


def resnet_v2(
    inputs, blocks, num_classes=None, is_training=True, global_pool=True, output_stride=None, include_root_block=True,
    reuse=None, scope=None,
):  # fmt: skip
    """Returns (logits, end points) of a ResNet out of resnet_utils.Blocks."""
    return _resnet.network(
        inputs, blocks, num_classes, is_training, global_pool, output_stride, include_root_block, reuse, scope,
        name="resnet_v2", unit=bottleneck, preactivated=True,
    )  # fmt: skip


resnet_v2.__doc__ += _resnet.RETURNS
resnet_v2.default_image_size = 224
resnet_v2_block = _resnet.block_of(bottleneck)
resnet_v2_50, resnet_v2_101, resnet_v2_152, resnet_v2_200 = (
    _resnet.of_depth(layers, 2, resnet_v2, resnet_v2_block) for layers in _resnet.UNITS
)
