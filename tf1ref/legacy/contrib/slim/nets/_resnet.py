"""What both versions of ResNet share: the root, the blocks, the pool and the logits."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.framework import arg_scope
from tf1ref.legacy.contrib.layers import batch_norm, conv2d, max_pool2d, softmax
from tf1ref.legacy.contrib.layers._utils import convert_collection_to_dict
from tf1ref.legacy.contrib.slim.nets import resnet_utils

# {layers in the name: units of each block}. Table 1 of arXiv 1512.03385, and 200 of arXiv 1603.05027.
UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}

RETURNS = """

    inputs: [n, height, width, 3]. num_classes: None returns the features before the logits.
    is_training: whether batch norm uses the batch's statistics. None leaves that to the arg_scope.
    global_pool: False keeps the height and width, for segmentation. output_stride: the stride of the features.
    The logits are [n, 1, 1, num_classes] after the pool. The end points are {scope: output}.
    Raises ValueError for an output_stride that is no multiple of 4 or cannot be reached.
    """


def network(
    inputs, blocks, num_classes, is_training, global_pool, output_stride, include_root_block, reuse, scope, *,
    name, unit, preactivated,
):  # fmt: skip
    """Builds a ResNet. name: its default scope. unit: its bottleneck. preactivated: whether it is version 2."""
    with v1.variable_scope(scope, name, [inputs], reuse=reuse) as sc:
        collection = f"{sc.original_name_scope}_end_points"
        training = {} if is_training is None else {"is_training": is_training}
        stack = resnet_utils.stack_blocks_dense
        with arg_scope([conv2d, unit, stack], outputs_collections=collection), arg_scope([batch_norm], **training):
            net = inputs
            if include_root_block:
                if output_stride is not None and output_stride % 4:
                    raise ValueError("The output_stride needs to be a multiple of 4.")
                output_stride = None if output_stride is None else output_stride // 4
                # The first unit of version 2 begins with a batch norm and a relu.
                with arg_scope([conv2d], **({"activation_fn": None, "normalizer_fn": None} if preactivated else {})):
                    net = resnet_utils.conv2d_same(net, 64, 7, stride=2, scope="conv1")
                net = max_pool2d(net, [3, 3], stride=2, scope="pool1")
            net = stack(net, blocks, output_stride)
            if preactivated:
                net = batch_norm(net, activation_fn=v1.nn.relu, scope="postnorm")
            if global_pool:
                net = v1.reduce_mean(net, [1, 2], name="pool5", keepdims=True)
            if num_classes is not None:
                net = conv2d(net, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, scope="logits")
            end_points = convert_collection_to_dict(collection)
            if num_classes is not None:
                end_points["predictions"] = softmax(net, scope="predictions")
            return net, end_points


def of_depth(layers, version, resnet, block):
    """Returns the function resnet_v<version>_<layers>."""
    name = f"resnet_v{version}_{layers}"

    def sized(
        inputs, num_classes=None, is_training=True, global_pool=True, output_stride=None, reuse=None, scope=name
    ):  # fmt: skip
        blocks = [block(f"block{i + 1}", 64 * 2**i, units, 2 if i < 3 else 1) for i, units in enumerate(UNITS[layers])]
        return resnet(inputs, blocks, num_classes, is_training, global_pool, output_stride, True, reuse, scope)

    sized.__name__ = sized.__qualname__ = name
    sized.__doc__ = f"Returns (logits, end points) of ResNet-{layers}, version {version}.{RETURNS}"
    sized.default_image_size = 224
    return sized


def block_of(unit):
    """Returns the function that makes blocks of the bottleneck `unit`."""

    def block(scope, base_depth, num_units, stride):
        """Returns a Block of num_units bottlenecks with 4 * base_depth outputs. The last one has the stride."""
        plain = {"depth": base_depth * 4, "depth_bottleneck": base_depth, "stride": 1}
        return resnet_utils.Block(scope, unit, [plain] * (num_units - 1) + [{**plain, "stride": stride}])

    return block
