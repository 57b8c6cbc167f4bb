"""tf.contrib.slim.nets.resnet_utils: blocks of residual units, with strides or with dilated convolutions."""

import collections

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.framework import add_arg_scope, arg_scope
from tf1ref.legacy.contrib.layers import batch_norm, conv2d, l2_regularizer, max_pool2d, variance_scaling_initializer
from tf1ref.legacy.contrib.layers._utils import collect_named_outputs

__all__ = ["Block", "conv2d_same", "resnet_arg_scope", "stack_blocks_dense", "subsample"]

# scope: a name. unit_fn: bottleneck of a ResNet. args: for each unit a dict of its arguments, or a tuple of them.
Block = collections.namedtuple("Block", ["scope", "unit_fn", "args"])


def resnet_arg_scope(
    weight_decay=0.0001, batch_norm_decay=0.997, batch_norm_epsilon=1e-5, batch_norm_scale=True, is_training=None
):  # fmt: skip
    """Returns the arg_scope of all ResNets. weight_decay: the factor of the L2 regularization.

    is_training: for batch_norm. It was the first argument until TensorFlow 1.1, so a bool in that place means it.
    """
    if isinstance(weight_decay, bool):
        weight_decay, is_training = 0.0001, weight_decay
    norm = {
        "decay": batch_norm_decay,
        "epsilon": batch_norm_epsilon,
        "scale": batch_norm_scale,
        "updates_collections": v1.GraphKeys.UPDATE_OPS,
        **({} if is_training is None else {"is_training": is_training}),
    }
    convolution = {
        "weights_regularizer": l2_regularizer(weight_decay),
        "weights_initializer": variance_scaling_initializer(),
        "activation_fn": v1.nn.relu,
        "normalizer_fn": batch_norm,
        "normalizer_params": norm,
    }
    same = arg_scope([max_pool2d], padding="SAME")
    with arg_scope([conv2d], **convolution), arg_scope([batch_norm], **norm), same as scope:
        return scope


def subsample(inputs, factor, scope=None):
    """Returns every `factor`-th pixel of [n, height, width, channels] in both directions."""
    return inputs if factor == 1 else max_pool2d(inputs, [1, 1], stride=factor, scope=scope)


def conv2d_same(inputs, num_outputs, kernel_size, stride, rate=1, scope=None):
    """conv2d whose padding does not depend on the size of the inputs: the same before a stride as without one.

    kernel_size: an integer. It pads by (kernel_size - 1) * rate in all, the smaller half before.
    """
    if stride == 1:
        return conv2d(inputs, num_outputs, kernel_size, stride=1, rate=rate, padding="SAME", scope=scope)
    total = (kernel_size - 1) * rate
    sides = [total // 2, total - total // 2]
    padded = v1.pad(inputs, [[0, 0], sides, sides, [0, 0]])
    return conv2d(padded, num_outputs, kernel_size, stride=stride, rate=rate, padding="VALID", scope=scope)


@add_arg_scope
def stack_blocks_dense(net, blocks, output_stride=None, outputs_collections=None):
    """Returns the output of the blocks, one after another.

    output_stride: the largest stride of the outputs against `net`. Units beyond it dilate instead.
    Raises ValueError when the blocks do not reach it exactly.
    """
    stride = rate = 1
    for block in blocks:
        with v1.variable_scope(block.scope, "block", [net]) as sc:
            for number, unit in enumerate(block.args, 1):
                if output_stride is not None and stride > output_stride:
                    raise ValueError("The target output_stride cannot be reached.")
                unit = unit if isinstance(unit, dict) else dict(zip(("depth", "depth_bottleneck", "stride"), unit))
                with v1.variable_scope(f"unit_{number}", values=[net]):
                    if output_stride is not None and stride == output_stride:
                        net = block.unit_fn(net, rate=rate, **{**unit, "stride": 1})
                        rate *= unit.get("stride", 1)
                    else:
                        net = block.unit_fn(net, rate=1, **unit)
                        stride *= unit.get("stride", 1)
            net = collect_named_outputs(outputs_collections, sc.name, net)
    if output_stride is not None and stride != output_stride:
        raise ValueError("The target output_stride cannot be reached.")
    return net
