"""legacy/regularizers: contrib's values, gradients, op names and refusals."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.layers import l2_regularizer

WEIGHTS = np.random.RandomState(1).randn(3, 4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_half_the_squares_times_the_scale(dtype):
    with v1.Graph().as_default(), v1.Session() as sess:
        w = v1.constant(WEIGHTS.astype(dtype))
        penalty = l2_regularizer(0.3)(w)
        value, (gradient,) = sess.run([penalty, v1.gradients(penalty, w)])
    assert (value.dtype, value.shape) == (np.dtype(dtype), ())
    np.testing.assert_allclose(value, 0.3 * (WEIGHTS**2).sum() / 2, rtol=1e-6)
    np.testing.assert_allclose(gradient, 0.3 * WEIGHTS, rtol=1e-6)


def test_ops_are_named_as_contrib_named_them():
    with v1.Graph().as_default() as graph:
        w = v1.constant(WEIGHTS)
        with v1.variable_scope("conv1"):
            assert l2_regularizer(0.3)(w).op.name == "conv1/l2_regularizer"
            assert l2_regularizer(0.3)(w).op.name == "conv1/l2_regularizer_1"
        assert l2_regularizer(0.3, scope="mine")(w).op.name == "mine"
        assert graph.get_operation_by_name("conv1/l2_regularizer/scale").type == "Const"


def test_get_variable_collects_the_penalty():
    with v1.Graph().as_default(), v1.Session() as sess:
        start = v1.constant_initializer(WEIGHTS)
        v1.get_variable("w", [3, 4], initializer=start, regularizer=l2_regularizer(0.5))
        v1.get_variable("off", [3, 4], initializer=start, regularizer=l2_regularizer(0.0))
        sess.run(v1.global_variables_initializer())
        (penalty,) = sess.run(v1.losses.get_regularization_losses())
    np.testing.assert_allclose(penalty, 0.25 * (WEIGHTS**2).sum(), rtol=1e-6)


def test_a_scale_that_is_fed():
    with v1.Graph().as_default(), v1.Session() as sess:
        scale = v1.placeholder(v1.float64, [])
        penalty = l2_regularizer(scale)(v1.constant(WEIGHTS))
        np.testing.assert_allclose(sess.run(penalty, {scale: 2.0}), (WEIGHTS**2).sum())


@pytest.mark.parametrize("scale", [-0.1, 1, 0, np.float32(-1)])
def test_scales_contrib_refused(scale):
    with pytest.raises(ValueError, match="scale"):
        l2_regularizer(scale)
