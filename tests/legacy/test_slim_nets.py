"""slim.nets: sizes printed in papers and in other libraries, and residual blocks with dilation instead of strides."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import slim
from tf1ref.legacy.contrib.slim.nets import _inception, alexnet, inception, resnet_utils, resnet_v1, resnet_v2, vgg

# Sizes with 1000 classes. torchvision: VGG-16, ResNet-50. AlexNet: torchvision's, with 384 channels in the fourth layer
# and a fully connected layer on 5 x 5 pixels. Keras: ResNet50V2 and, without the side head, InceptionV3. The original
# tests print the others, with the moving averages and without a head.
ALEXNET = 61_100_840 + 9 * 128 * 384 + 128 + 9 * 128 * 256 - (6 * 6 - 5 * 5) * 256 * 4096
SIZES = {
    "alexnet": (alexnet.alexnet_v2, alexnet.alexnet_v2_arg_scope, 224, ALEXNET),
    "vgg": (vgg.vgg_16, vgg.vgg_arg_scope, 224, 138_357_544),
    "resnet 1": (resnet_v1.resnet_v1_50, resnet_v1.resnet_arg_scope, 64, 25_557_032),
    "resnet 2": (resnet_v2.resnet_v2_50, resnet_v2.resnet_arg_scope, 64, 25_568_360),
    "inception 3": (inception.inception_v3, inception.inception_v3_arg_scope, 299, 23_817_352),
}
# End points that programs ask for, and names of variables in the published checkpoints.
ENDS = {
    "alexnet": "alexnet_v2/fc7",
    "vgg": "vgg_16/conv5/conv5_3",
    "resnet 1": "resnet_v1_50/block4",
    "resnet 2": "predictions",
    "inception 3": "AuxLogits",
}
SCOPES = {
    "alexnet": "alexnet_v2/conv1/weights",
    "vgg": "vgg_16/fc8/biases",
    "resnet 1": "resnet_v1_50/block2/unit_4/bottleneck_v1/conv3/BatchNorm/moving_variance",
    "resnet 2": "resnet_v2_50/block1/unit_1/bottleneck_v2/shortcut/weights",
    "inception 3": "InceptionV3/Mixed_5c/Branch_1/Conv_1_0c_5x5/BatchNorm/moving_mean",
}
BASES = {
    "inception 1": (inception.inception_v1_base, inception.inception_v1_arg_scope, 5_607_184),
    "inception 2": (inception.inception_v2_base, inception.inception_v2_arg_scope, 10_173_112),
}


def size_of(variables):
    return sum(variable.shape.num_elements() for variable in variables if "AuxLogits" not in variable.op.name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_a_network_has_as_many_weights_as_elsewhere(name):
    network, scope, side, size = SIZES[name]
    with v1.Graph().as_default():
        with slim.arg_scope(scope(weight_decay=0.0)):
            logits, end_points = network(v1.zeros([2, side, side, 3]), 1000, is_training=False)
        assert size_of(v1.trainable_variables()) == size
        assert logits.shape.num_elements() == 2 * 1000
        assert ENDS[name] in end_points
        assert SCOPES[name] in {variable.op.name for variable in v1.global_variables()}


@pytest.mark.slow
@pytest.mark.parametrize("name", BASES)
def test_an_older_inception_has_as_many_weights_as_the_original(name):
    base, scope, size = BASES[name]
    with v1.Graph().as_default():
        with slim.arg_scope(scope(weight_decay=0.0)), slim.arg_scope([slim.batch_norm], is_training=False):
            net, _ = base(v1.zeros([2, 224, 224, 3]))
        assert size_of(slim.get_model_variables()) == size
        assert net.shape.as_list() == [2, 7, 7, 1024]


def test_an_end_point_that_does_not_exist():
    with v1.Graph().as_default(), pytest.raises(ValueError, match="stem"):
        _inception.base(v1.zeros([1, 9, 9, 3]), {"first": "8:3x3"}, "stem", _inception.depths(1, 0), "Net", None)
    with pytest.raises(ValueError, match="depth_multiplier"):
        _inception.depths(0, 8)


@pytest.mark.slow
@pytest.mark.parametrize("module", [resnet_v1, resnet_v2])
def test_dilation_gives_the_pixels_that_strides_leave_out(module):
    """A network with output_stride has, at every second pixel, the outputs of the one with strides."""
    unit = module.bottleneck
    # The units of TensorFlow 1.1 were tuples.
    blocks = [
        resnet_utils.Block("a", unit, [{"depth": 8, "depth_bottleneck": 2, "stride": 2}]),
        resnet_utils.Block("b", unit, [(8, 2, 1), (8, 2, 2)]),
        resnet_utils.Block("c", unit, [(12, 3, 1)]),
    ]
    network = getattr(module, module.__name__.rpartition(".")[2])
    picture = np.random.RandomState(0).rand(1, 33, 33, 3).astype(np.float32)
    with v1.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(1)
        # is_training in the first place is as TensorFlow 1.1 had it.
        with slim.arg_scope(module.resnet_arg_scope(False)):
            common = {"is_training": None, "global_pool": False, "scope": "net"}
            coarse, _ = network(picture, blocks, **common)
            fine, end_points = network(picture, blocks, output_stride=8, reuse=True, **common)
            with pytest.raises(ValueError, match="multiple of 4"):
                network(picture, blocks, output_stride=6, reuse=True, **common)
            with pytest.raises(ValueError, match="cannot be reached"):
                network(picture, blocks, output_stride=32, reuse=True, **common)
        session.run(v1.global_variables_initializer())
        coarse, fine = session.run([coarse, fine])
    assert fine.shape == (1, 5, 5, 12) and np.ptp(coarse) > 0.01
    np.testing.assert_allclose(fine[:, ::2, ::2], coarse, rtol=1e-4, atol=1e-5)
    assert {"net/a/unit_1/bottleneck_" + network.__name__[-2:], "net/b", "net/c"} <= set(end_points)
