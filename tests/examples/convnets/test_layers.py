"""Convolution, pooling, slim and Mixed_7c against numpy."""

import numpy as np
import tensorflow.compat.v1 as v1

from tests.examples.convnets.numpy_layers import correlated
from tf1ref import catalog


def test_convolution_against_numpy():
    module = catalog.load("convnets.convolution")
    trace, arrays = module.run_graph(), module.inputs()
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(module.SEED)
        module.build_graph()
        sess.run(v1.global_variables_initializer())
        weights = sess.run(v1.get_collection(v1.GraphKeys.TRAINABLE_VARIABLES, "layer/"))[0]
    expected = correlated(arrays["layer"], weights)
    np.testing.assert_allclose(trace["forward/layer"], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(trace["forward/relu"], np.maximum(expected + module.BIAS, 0), rtol=1e-4, atol=1e-4)
    # Turned around once in the example and once more here: scipy's own definition, sum of a[i - j] k[j].
    a, k = np.pad(np.array(module.VALUES), 1), np.array(module.KERNEL)
    by_hand = [[(a[i : i + 3, j : j + 3] * k[::-1, ::-1]).sum() for j in range(4)] for i in range(3)]
    np.testing.assert_array_equal(trace["forward/scipy"], by_hand)


def test_pools_against_numpy():
    module = catalog.load("convnets.pooling")
    trace, x = module.run_function(), module.picture()[0, :, :, 0]
    windows = x.reshape(2, 2, 2, 2)
    np.testing.assert_array_equal(trace["forward/max"], windows.max(axis=(1, 3)))
    np.testing.assert_array_equal(trace["forward/average"], windows.mean(axis=(1, 3)))
    same = [[x[i : i + 3, j : j + 3] for j in (0, 2)] for i in (0, 2)]
    np.testing.assert_allclose(trace["forward/average_same"], [[w.mean() for w in row] for row in same], rtol=1e-6)
    np.testing.assert_array_equal(trace["forward/max_same"], [[w.max() for w in row] for row in same])


def test_slim_drops_and_pools_like_the_raw_ops():
    module = catalog.load("convnets.slim")
    trace = module.run_graph()
    assert np.ptp(trace["forward/slim"]) > 0.1
    np.testing.assert_array_equal(trace["forward/raw"], trace["forward/slim"])
    other = catalog.load("convnets.slim", {"KEEP_PROB": 0.999}).run_graph()
    assert not np.allclose(other["forward/slim"], trace["forward/slim"])


def test_mixed_7c_against_numpy():
    module = catalog.load("convnets.inception_block")
    trace, x = module.run_function(), module.features()

    def conv(x, scope):
        w = trace[f"initial/Mixed_7c/{scope}/weights"].astype(np.float64)
        h, width = w.shape[:2]
        padded = np.pad(x.astype(np.float64), ((0, 0), (h // 2,) * 2, (width // 2,) * 2, (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (h, width), (1, 2))
        return np.maximum(np.einsum("nhwcij,ijco->nhwo", windows, w, optimize=True), 0)

    inner = conv(conv(x, "Branch_2/Conv2d_0a_1x1"), "Branch_2/Conv2d_0b_3x3")
    expected = [conv(inner, "Branch_2/Conv2d_0c_1x3"), conv(inner, "Branch_2/Conv2d_0d_3x1")]
    np.testing.assert_allclose(trace["forward/Branch_2"], np.concatenate(expected, 3), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(trace["forward/Mixed_7c"][..., :320], trace["forward/Branch_0"])
