"""contrib.layers' less common functions against numpy, and its feature columns through a model."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import layers, slim
from tf1ref.legacy.contrib.layers import _utils

RANDOM = np.random.RandomState(7)
X = RANDOM.randn(2, 3, 4, 6).astype("f") + 1


@pytest.fixture(autouse=True)
def graph():
    with v1.Graph().as_default() as graph:
        yield graph


def run(fetches, feed=None):
    with v1.Session() as session:
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        return session.run(fetches, feed)


def test_conv3d_transpose_is_the_gradient_of_a_convolution():
    x, kernel = RANDOM.randn(1, 2, 3, 2, 3).astype("f"), RANDOM.randn(2, 2, 2, 5, 3).astype("f")
    y = slim.conv3d_transpose(x, 5, 2, 2, weights_initializer=v1.constant_initializer(kernel), activation_fn=None)
    big = v1.zeros([1, 4, 6, 4, 5])
    (expected,) = v1.gradients(v1.nn.conv3d(big, kernel, [1, 2, 2, 2, 1], "SAME"), big, v1.constant(x))
    y, expected = run([y, expected])
    assert np.array_equal(y, expected)
    assert [v.op.name for v in v1.global_variables()] == ["Conv3d_transpose/weights", "Conv3d_transpose/biases"]


def test_penalties_have_the_names_of_the_layers_beneath():
    penalty = layers.l2_regularizer(0.1)
    with slim.arg_scope([slim.conv2d, slim.separable_conv2d, slim.fully_connected], weights_regularizer=penalty):
        slim.separable_conv2d(slim.conv2d(X, 2, 3, scope="c", biases_regularizer=penalty), 3, 3, scope="s")
        slim.fully_connected(X, 2, scope="f")
        with v1.variable_scope(v1.get_variable_scope(), reuse=True):
            slim.fully_connected(X, 2, scope="f")
    names = [loss.op.name for loss in v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)]
    inner = ["c/kernel", "c/bias", "s/depthwise_kernel", "s/pointwise_kernel", "f/kernel"]
    assert names == [f"{name}/Regularizer/l2_regularizer" for name in inner]


def test_expected_places():
    points = np.full((1, 3, 5, 2), -50.0, "f")
    points[0, 2, 0, 0] = points[0, 1, 4, 1] = 50.0
    # Down and then across, as TF1 had them.
    assert run(layers.spatial_softmax(points)) == pytest.approx(np.array([[1, -1, 0, 1]]), abs=1e-5)
    warm = layers.spatial_softmax(points, temperature=50.0, name="warm")
    weight = np.exp(2.0)
    down = (weight * 1 + sum(x for x in [-1, 0] * 5 + [1] * 4)) / (weight + 14)
    assert run(warm)[0, 0] == pytest.approx(down, abs=1e-5)
    assert [v.op.name for v in v1.trainable_variables()][-1] == "warm/temperature"


def test_divisive_normalization():
    y, inverse = layers.gdn(v1.constant(X)), layers.gdn(v1.constant(X), inverse=True, gamma_init=0.2)
    first = layers.gdn(v1.constant(X.transpose(0, 3, 1, 2)), data_format="channels_first", name="gdn", reuse=True)
    found, inverted, turned = run([y, inverse, first])
    assert found == pytest.approx(X / np.sqrt(1 + 0.1 * X**2), abs=1e-6) and inverted == pytest.approx(
        X * np.sqrt(1 + 0.2 * X**2), rel=1e-5
    )
    assert np.array_equal(turned.transpose(0, 2, 3, 1), found)
    names = [v.op.name for v in v1.global_variables()]
    assert names == ["gdn/reparam_beta", "gdn/reparam_gamma", "gdn_1/reparam_beta", "gdn_1/reparam_gamma"]
    (gradient,) = v1.gradients(v1.reduce_sum(y), v1.trainable_variables()[0])
    # d(x / sqrt(b^2 + 0.1 x^2)) / db at b = 1
    assert run(gradient) == pytest.approx((-X / (1 + 0.1 * X**2) ** 1.5).sum((0, 1, 2)), rel=1e-4)
    with pytest.raises(ValueError, match="rank 3 to 5"):
        layers.gdn(v1.zeros([2, 3]))


def test_a_spike_in_the_gradient_is_cut_to_the_mean():
    size, step = v1.placeholder(v1.float32, []), v1.placeholder(v1.int32, [])
    ((gradient, _),) = layers.adaptive_clipping_fn(decay=0.9, global_step=step)([(v1.ones([3]) * size, None)])
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        found = [session.run(gradient, {size: s, step: n})[0] for n, s in enumerate([1.0] * 12 + [1000.0])]
    assert found[:12] == pytest.approx([1] * 12)
    # The mean of log(norm) has a tenth of the spike's: decay is min(0.9, 12 / 13).
    assert found[12] == pytest.approx(1000.0**0.1, rel=1e-3)


def test_outputs_that_are_collected_have_their_names():
    y = layers.flatten(v1.constant(X), outputs_collections="outs")
    assert v1.get_collection("outs") == [y] and y.aliases == ["Flatten"]


def test_ids_and_labels():
    ids = v1.constant([[3, 1, 0], [3, 3, 2]])
    table = v1.constant(RANDOM.randn(5, 2).astype("f"))
    sparse = layers.dense_to_sparse(ids)
    bag = layers.bow_encoder(ids, 5, 2, sparse_lookup=False, scope="bag")
    again = layers.bow_encoder(ids, 5, 2, scope="bag", reuse=True)
    found, values, unique, bag, again, embeddings = run(
        [sparse.indices, sparse.values, layers.embedding_lookup_unique(table, ids) - v1.gather(table, ids), bag, again,
         v1.trainable_variables()[0].read_value()]
    )  # fmt: skip
    assert found.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [1, 2]] and values.tolist() == [3, 1, 3, 3, 2]
    assert not unique.any()
    assert bag == pytest.approx(embeddings[[[3, 1, 0], [3, 3, 2]]].mean(1))
    assert again[0] == pytest.approx(embeddings[[3, 1]].mean(0))  # without the padding


def test_a_scaled_gradient():
    x = v1.constant(3.0)
    y = layers.scale_gradient(x, 0.5)
    assert run([y, *v1.gradients(y * y, x)]) == [3.0, 3.0]


def test_columns_of_contrib_are_columns_of_today(tmp_path):
    (tmp_path / "words").write_text("a\nb\n")
    word = layers.sparse_column_with_keys("word", ["a", "b", "c"])
    columns = [
        layers.real_valued_column("n", 2),
        layers.bucketized_column(layers.real_valued_column("m"), [1.0, 2.0]),
        layers.one_hot_column(word),
        layers.embedding_column(layers.sparse_column_with_hash_bucket("h", 7), 3),
        layers.one_hot_column(layers.sparse_column_with_integerized_feature("i", 4)),
        layers.one_hot_column(layers.sparse_column_with_vocabulary_file("other", str(tmp_path / "words"), 1)),
        layers.one_hot_column(layers.crossed_column([word, "h"], 5)),
    ]
    features = {
        "n": v1.constant([[1.0, 2.0]]), "m": v1.constant([[1.5]]), "word": v1.constant([["b"]]),
        "h": v1.constant([["x"]]), "i": v1.constant([[2]], v1.int64), "other": v1.constant([["a"]]),
    }  # fmt: skip
    found = run(layers.input_from_feature_columns(features, columns))
    assert found.shape == (1, 2 + 3 + 3 + 3 + 4 + 3 + 5)
    assert set(layers.create_feature_spec_for_parsing(columns)) == set(features)
    with pytest.raises(ValueError, match="several hashes"):
        layers.sparse_column_with_hash_bucket("h", 7, hash_keys=[1, 2])
    with pytest.raises(ValueError, match="must be an integer"):
        layers.sparse_column_with_integerized_feature("i", 4, dtype=v1.float32)


def test_images_and_sequences():
    sequence = layers.images_to_sequence(X)
    back = layers.sequence_to_images(sequence, 3)
    first = layers.images_to_sequence(X.transpose(0, 3, 1, 2), data_format="NCHW")
    channels = layers.sequence_to_images(sequence, 3, output_data_format="channels_first")
    sequence, back, first, channels = run([sequence, back, first, channels])
    assert (sequence == X.transpose(2, 0, 1, 3).reshape(4, 6, 6)).all() and (first == sequence).all()
    assert (back == X).all() and (channels == X.transpose(0, 3, 1, 2)).all()
    with pytest.raises(ValueError, match="NCHW or NHWC"):
        layers.images_to_sequence(X, data_format="CHWN")


def test_points_outside_the_ball_are_pulled_in():
    points = np.array([[0.3, 0.4], [3, 4]], "f")
    assert np.allclose(run(layers.poincare_normalize(points)), [[0.3, 0.4], [0.6 * (1 - 1e-5), 0.8 * (1 - 1e-5)]])


def test_small_parts_of_utils():
    tensor = _utils.append_tensor_alias(v1.constant(1.0, name="c"), "a")
    assert _utils.gather_tensors_aliases([tensor, v1.constant(2.0, name="d")]) == ["a", "d"]
    assert _utils.static_cond(0, lambda: 1, lambda: 2) == 2
    assert _utils.n_positive_integers(2, 3) == (3, 3)
    assert _utils.n_positive_integers(2, v1.TensorShape([4, 1])) == (4, 1)
    for wrong in ([1], [1, 0], ["a", 2], v1.TensorShape([2, None])):
        with pytest.raises(ValueError, match="positive integers"):
            _utils.n_positive_integers(2, wrong)


def test_the_old_layer_with_relu():
    y = layers.legacy_relu(X[0, 0], 3, weight_init=v1.constant_initializer(-1.0), bias_init=None)
    assert np.allclose(run(y), np.maximum(-X[0, 0].sum(1, keepdims=True), 0) * np.ones(3))
