"""The other regularizers: contrib's values, gradients, op names and refusals."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.layers import (
    l1_l2_regularizer,
    l1_regularizer,
    l2_regularizer,
    sum_regularizer,
)

WEIGHTS = np.random.RandomState(1).randn(3, 4)
L1, L2 = np.abs(WEIGHTS).sum(), (WEIGHTS**2).sum() / 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_gradients(dtype):
    with v1.Graph().as_default(), v1.Session() as sess:
        w = v1.constant(WEIGHTS.astype(dtype))
        penalties = [l1_regularizer(0.3)(w), l1_l2_regularizer(0.3, 0.2)(w), l1_l2_regularizer()(w)]
        values, gradients = sess.run([penalties, [v1.gradients(p, w)[0] for p in penalties]])
    assert {(value.dtype, value.shape) for value in values} == {(np.dtype(dtype), ())}
    np.testing.assert_allclose(values, [0.3 * L1, 0.3 * L1 + 0.2 * L2, L1 + L2], rtol=1e-6)
    sign = np.sign(WEIGHTS)
    np.testing.assert_allclose(gradients, [0.3 * sign, 0.3 * sign + 0.2 * WEIGHTS, sign + WEIGHTS], rtol=1e-6)


def test_ops_are_named_as_contrib_named_them():
    with v1.Graph().as_default():
        w = v1.constant(WEIGHTS)
        with v1.variable_scope("conv1"):
            assert l1_regularizer(0.3)(w).op.name == "conv1/l1_regularizer"
            both = l1_l2_regularizer(0.3, 0.2)(w).op
        assert both.name == "conv1/l1_l2_regularizer"
        assert [term.op.name for term in both.inputs] == [
            "conv1/l1_l2_regularizer/l1_regularizer",
            "conv1/l1_l2_regularizer/l2_regularizer",
        ]
        assert sum_regularizer([l1_regularizer(0.3)])(w).op.name == "sum_regularizer"


def test_a_scale_of_zero_adds_no_op():
    with v1.Graph().as_default(), v1.Session() as sess:
        w = v1.constant(WEIGHTS)
        assert l1_regularizer(0.0)(w) is None
        assert l1_l2_regularizer(0.0, 0.0)(w) is None
        only = [l1_l2_regularizer(0.0, 0.2)(w), l1_l2_regularizer(0.3, 0.0)(w)]
        assert [tensor.op.name for tensor in only] == ["l1_l2_regularizer", "l1_l2_regularizer_1"]
        np.testing.assert_allclose(sess.run(only), [0.2 * L2, 0.3 * L1])


def test_sums_pass_over_what_is_off():
    with v1.Graph().as_default(), v1.Session() as sess:
        w = v1.constant(WEIGHTS)
        assert sum_regularizer([]) is None and sum_regularizer([None]) is None
        assert sum_regularizer([l2_regularizer(0.0)])(w) is None
        total = sum_regularizer([None, l2_regularizer(0.0), l1_regularizer(0.5), l2_regularizer(0.1)])
        np.testing.assert_allclose(sess.run(total(w)), 0.5 * L1 + 0.1 * L2)


def test_scales_that_are_fed():
    with v1.Graph().as_default(), v1.Session() as sess:
        scale = v1.placeholder(v1.float64, [])
        penalty = l1_l2_regularizer(scale, 0.5)(v1.constant(WEIGHTS))
        np.testing.assert_allclose(sess.run(penalty, {scale: 2.0}), 2 * L1 + 0.5 * L2)


@pytest.mark.parametrize("scale", [-0.1, 1, 0, np.float32(-1)])
def test_scales_contrib_refused(scale):
    with pytest.raises(ValueError, match="scale"):
        l1_regularizer(scale)
    with pytest.raises(ValueError, match="scale"):
        l1_l2_regularizer(scale, 0.1)
    with pytest.raises(ValueError, match="scale"):
        l1_l2_regularizer(0.0, scale)
