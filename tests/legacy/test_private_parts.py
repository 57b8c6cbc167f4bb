"""Parts of TensorFlow 1's files that programs outside it import: _linear, the attention's base class and scores."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.compat.names import resolver
from tf1ref.legacy.contrib import saved_model
from tf1ref.legacy.contrib.seq2seq import _attention, _helpers
from tf1ref.legacy.nn.rnn_cell import _base
from tf1ref.legacy.nn.rnn_cell._linear_map import Linear, linear

RANDOM = np.random.RandomState(3)
X, H = RANDOM.randn(2, 3).astype(np.float32), RANDOM.randn(2, 4).astype(np.float32)


@pytest.mark.parametrize(
    "path",
    [
        "python.ops.rnn_cell_impl._linear",
        "python.ops.rnn_cell_impl._Linear",
        "contrib.rnn.python.ops.core_rnn_cell._linear",
        "contrib.rnn.python.ops.core_rnn_cell_impl._linear",
        "contrib.rnn.python.ops.core_rnn_cell_impl.LSTMStateTuple",
        "contrib.rnn.ASSERT_LIKE_RNNCELL_ERROR_REGEXP",
        "python.ops.rnn_cell_impl.ASSERT_LIKE_RNNCELL_ERROR_REGEXP",
        "contrib.seq2seq.python.ops.attention_wrapper._BaseAttentionMechanism",
        "contrib.seq2seq.python.ops.attention_wrapper._compute_attention",
        "contrib.seq2seq.python.ops.decoder._transpose_batch_time",
        "contrib.seq2seq.python.ops.helper._unstack_ta",
        "contrib.util.make_ndarray",
        "contrib.deprecated.scalar_summary",
        "contrib.deprecated.merge_all_summaries",
        "contrib.saved_model.get_signature_def_by_key",
        "contrib.estimator.multi_class_head",
        "python.training.training_ops.apply_adam",
        "python.training.training_ops.resource_apply_gradient_descent",
        "estimator.DNNEstimator",
        "python.util.nest.is_sequence",
        "contrib.framework.nest.is_sequence",
        "nn.rnn_cell._linear",
        "models.rnn.rnn_cell._linear",
        "python.ops.rnn_cell._linear",
    ],
)
def test_programs_find_them(path):
    assert resolver.resolve(path) is not None


@pytest.mark.parametrize("bias", [0.5, None])
def test_linear_is_a_matrix_and_a_bias(bias):
    with v1.Graph().as_default(), v1.Session() as sess:
        with v1.variable_scope("cell", initializer=v1.glorot_uniform_initializer(seed=2)):
            y = linear([v1.constant(X), v1.constant(H)], 5, bias is not None, bias)
        with v1.variable_scope("cell", reuse=True):
            again = linear([v1.constant(X), v1.constant(H)], 5, bias is not None)
        names = [v.op.name for v in v1.trainable_variables()]
        assert names == ["cell/kernel", "cell/bias"][: 1 + (bias is not None)]
        sess.run(v1.global_variables_initializer())
        kernel, y, again = sess.run([v1.trainable_variables()[0].value(), y, again])
    np.testing.assert_allclose(y, np.concatenate([X, H], 1) @ kernel + (bias or 0), rtol=1e-5)
    assert np.array_equal(y, again)


def test_before_1_2_linear_took_a_number_and_a_scope():
    with v1.Graph().as_default(), v1.variable_scope("cell"), v1.Session() as sess:
        gates = linear([v1.constant(X)], 2, True, 1.0, "Gates")
        more = linear(v1.constant(X), 2, True, bias_start=-1.0, scope="Candidate")
        names = [v.op.name for v in v1.trainable_variables()]
        assert names == [f"cell/{scope}/{end}" for scope in ("Gates", "Candidate") for end in ("kernel", "bias")]
        sess.run(v1.global_variables_initializer())
        kernels = sess.run([v.value() for v in v1.trainable_variables()[::2]])
        for y, kernel, start in zip(sess.run([gates, more]), kernels, (1, -1)):
            np.testing.assert_allclose(y, X @ kernel + start, rtol=1e-5)


def test_the_class_uses_its_variables_again():
    with v1.Graph().as_default(), v1.Session() as sess:
        layer = Linear(v1.constant(X), 2, True, kernel_initializer=v1.ones_initializer())
        first, second = layer(v1.constant(X)), layer([v1.constant(2 * X)])
        sess.run(v1.global_variables_initializer())
        first, second = sess.run([first, second])
        assert len(v1.trainable_variables()) == 2
    np.testing.assert_allclose(first, np.repeat(X.sum(1, keepdims=True), 2, 1), rtol=1e-6)
    np.testing.assert_allclose(second, 2 * first, rtol=1e-6)


@pytest.mark.parametrize(("shape", "says"), [([2, 3, 4], "2D arguments"), ([2, None], "shape\\[1\\]")])
def test_linear_refuses_what_is_no_matrix(shape, says):
    with v1.Graph().as_default(), pytest.raises(ValueError, match=says):
        linear(v1.placeholder(v1.float32, shape), 2, True)
    with pytest.raises(ValueError, match="must be specified"):
        linear([], 2, True)


def test_the_score_of_the_file_is_that_of_the_mechanism():
    keys = RANDOM.randn(2, 6, 4).astype(np.float32)
    with v1.Graph().as_default(), v1.Session() as sess:
        with v1.variable_scope("a", initializer=v1.glorot_uniform_initializer(seed=2)):
            score = _attention.bahdanau_score(v1.constant(H), v1.constant(keys), False)
        sess.run(v1.global_variables_initializer())
        v, score = sess.run([v1.trainable_variables()[0].value(), score])
    np.testing.assert_allclose(score, (v * np.tanh(keys + H[:, None])).sum(2), rtol=1e-5)


def test_a_signature_by_its_key():
    meta = v1.MetaGraphDef()
    meta.signature_def["probs"].method_name = "predict"
    assert saved_model.get_signature_def_by_key(meta, "probs").method_name == "predict"
    with pytest.raises(ValueError, match="No SignatureDef with key 'other'"):
        saved_model.get_signature_def_by_key(meta, "other")


def test_the_pattern_is_in_the_message():
    with pytest.raises(TypeError, match=_base.ASSERT_LIKE_RNNCELL_ERROR_REGEXP):
        _base.assert_like_rnncell("cell", object())


def test_the_steps_of_a_helper_of_ones_own():
    x = RANDOM.randn(2, 5, 3).astype(np.float32)
    with v1.Graph().as_default(), v1.Session() as sess:
        steps = _helpers.unstacked(_helpers.transpose_batch_time(v1.constant(x)))
        assert steps.read(0).shape.as_list() == [2, 3]
        third, size = sess.run([steps.read(3), steps.size()])
    assert np.array_equal(third, x[:, 3]) and size == 5
