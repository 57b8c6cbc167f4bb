"""contrib's small modules: image, learn.preprocessing, instance and group norm, model_analyzer, predictor, tpu."""

import io
import pickle

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy import estimator
from tf1ref.legacy.contrib import framework, image, predictor, tpu
from tf1ref.legacy.contrib.layers import _group_norm as norms
from tf1ref.legacy.contrib.learn import preprocessing
from tf1ref.legacy.contrib.slim import model_analyzer

RANDOM = np.random.RandomState(0)


def run(make):
    """Returns what the tensors of make() hold after initialization."""
    with v1.Graph().as_default(), v1.Session() as session:
        tensors = make()
        session.run(v1.global_variables_initializer())
        return session.run(tensors)


def test_pictures_are_turned_and_moved():
    picture = np.arange(12, dtype=np.float32).reshape(3, 4)
    square = picture[:, :3]
    turned, moved, both, batch, half = run(
        lambda: (
            image.rotate(square, np.pi / 2),
            image.translate(picture, [1, -1]),
            image.rotate(np.stack([square, square])[..., None], [0.0, np.pi]),
            image.transform(picture[..., None], [1.0, 0, 0, 0, 1, 0, 0, 0], output_shape=[2, 5]),
            image.translate(picture, [0.5, 0.0], "BILINEAR"),
        )
    )
    np.testing.assert_array_equal(turned, np.rot90(square))
    np.testing.assert_array_equal(moved, [[0, 4, 5, 6], [0, 8, 9, 10], [0, 0, 0, 0]])
    np.testing.assert_array_equal(both[..., 0], [square, np.rot90(square, 2)])
    np.testing.assert_array_equal(batch[..., 0], np.pad(picture[:2], [(0, 0), (0, 1)]))
    np.testing.assert_allclose(half[:, 1:], (picture[:, 1:] + picture[:, :-1]) / 2)
    with v1.Graph().as_default(), pytest.raises(TypeError, match="rank"):
        image.rotate(np.zeros(3, np.float32), 1.0)


def test_transforms_are_composed_as_matrices():
    first, second = RANDOM.rand(2, 8).astype(np.float32)
    made, back = run(
        lambda: (
            image.compose_transforms(first, second),
            image.matrices_to_flat_transforms(image.flat_transforms_to_matrices(first)),
        )
    )
    matrices = [np.append(each, 1).reshape(3, 3) for each in (first, second)]
    product = matrices[0] @ matrices[1]
    np.testing.assert_allclose(made[0], (product / product[2, 2]).ravel()[:8], rtol=1e-5)
    np.testing.assert_array_equal(back[0], first)


@pytest.mark.parametrize("data_format", ["NHWC", "NCHW"])
def test_instance_norm_is_over_each_picture_and_channel(data_format):
    x = RANDOM.rand(2, 3, 4, 5).astype(np.float32)
    axes = (1, 2) if data_format == "NHWC" else (2, 3)
    expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-6)
    start = {"beta": v1.constant_initializer(3.0), "gamma": v1.constant_initializer(2.0)}
    found = run(lambda: norms.instance_norm(v1.constant(x), data_format=data_format, param_initializers=start))
    np.testing.assert_allclose(found, 2 * expected + 3, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels_first", [False, True])
def test_group_norm_is_over_groups_of_channels(channels_first):
    x = RANDOM.rand(2, 3, 4, 6).astype(np.float32)
    grouped = x.reshape(2, 3, 4, 2, 3)
    expected = (grouped - grouped.mean((1, 2, 4), keepdims=True)) / np.sqrt(
        grouped.var((1, 2, 4), keepdims=True) + 1e-6
    )
    expected = expected.reshape(x.shape)
    for close in (False, True):
        if channels_first:
            given = x.transpose(0, 3, 1, 2)
            found = run(lambda g=given, c=close: norms.group_norm(
                v1.constant(g), 2, channels_axis=-3, reduction_axes=(-2, -1), mean_close_to_zero=c))  # fmt: skip
            found = found.transpose(0, 2, 3, 1)
        else:
            found = run(lambda c=close: norms.group_norm(v1.constant(x), 2, mean_close_to_zero=c))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    with v1.Graph().as_default(), pytest.raises(ValueError, match="not commensurate"):
        norms.group_norm(v1.zeros([1, 2, 2, 6]), 4)


def test_norms_name_their_variables_as_they_did():
    with v1.Graph().as_default():
        norms.instance_norm(v1.zeros([1, 2, 2, 4]))
        norms.group_norm(v1.zeros([1, 2, 2, 4]), 2, scale=False)
        assert [v.op.name for v in v1.global_variables()] == [
            "InstanceNorm/beta",
            "InstanceNorm/gamma",
            "GroupNorm/beta",
        ]


def test_vocabularies(tmp_path):
    texts = ["Our cat's AAA beats NASAWorks", "cat cat dog"]
    made = preprocessing.VocabularyProcessor(4)
    rows = list(made.fit_transform(texts))
    # Source of the splitting rule: capitals together, a word's capital with the word.
    assert list(preprocessing.tokenizer(texts[:1])) == [["Our", "cat's", "AAA", "beats", "NASA", "Works"]]
    assert np.array(rows).tolist() == [[1, 2, 3, 4], [7, 7, 8, 0]] and rows[0].dtype == np.int64
    assert list(made.reverse([[7, 8, 0]])) == ["cat dog <UNK>"]
    assert [r.tolist() for r in made.transform(["bird cat"])] == [[0, 7, 0, 0]]
    made.save(tmp_path / "vocab")
    again = preprocessing.VocabularyProcessor.restore(tmp_path / "vocab")
    assert [r.tolist() for r in again.transform(texts)] == [r.tolist() for r in rows]
    often = preprocessing.VocabularyProcessor(3, min_frequency=1)
    assert [r.tolist() for r in often.fit_transform(texts)] == [[0, 0, 0], [1, 1, 0]]
    assert [r.tolist() for r in preprocessing.ByteProcessor(3).transform(["ab", "abcd"])] == [[97, 98, 0], [97, 98, 99]]


def test_a_vocabulary_file_calls_nothing(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (exec, ("raise SystemExit",))

    (tmp_path / "vocab").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(pickle.UnpicklingError, match="exec"):
        preprocessing.VocabularyProcessor.restore(tmp_path / "vocab")
    # What TensorFlow 1 wrote under Python 2: old paths, copy_reg.
    old = pickle.dumps(preprocessing.CategoricalVocabulary(), protocol=0)
    old = old.replace(preprocessing.__name__.encode(), b"tensorflow.contrib.learn.python.learn.preprocessing.x")
    assert len(preprocessing._Unpickler(io.BytesIO(old)).load()) == 1


def test_model_analyzer_counts(capsys):
    with v1.Graph().as_default() as graph:
        v1.get_variable("w", [2, 3])
        v1.get_variable("n", [], v1.int64, initializer=v1.zeros_initializer())
        assert model_analyzer.analyze_vars(v1.global_variables(), print_info=True) == (7, 32)
        assert model_analyzer.analyze_ops(graph) > 7
    assert "w:0 (float32_ref 2x3) [6, bytes: 24]" in capsys.readouterr().out.splitlines()


def _spec(features, labels, mode, params):
    w = v1.get_variable("w", [], initializer=v1.zeros_initializer())
    y = (features["feature"] if isinstance(features, dict) else features) * w  # served, a tensor comes in a dict
    if mode == estimator.ModeKeys.PREDICT:
        return tpu.TPUEstimatorSpec(mode, predictions={"y": y, "size": v1.fill(v1.shape(y), params["batch_size"])})
    loss = v1.reduce_mean(v1.square(y - labels))
    train = v1.train.GradientDescentOptimizer(0.1).minimize(loss, v1.train.get_global_step())
    metrics = (lambda labels, y: {"error": v1.metrics.mean_absolute_error(labels, y)}, {"labels": labels, "y": y})
    return tpu.TPUEstimatorSpec(mode, loss=loss, train_op=train, eval_metrics=metrics)


def _input(params):
    return v1.data.Dataset.from_tensors((1.0, 2.0)).repeat(6).batch(params["batch_size"])


@pytest.mark.slow
def test_a_tpu_estimator_without_a_tpu(tmp_path):
    config = tpu.RunConfig(model_dir=str(tmp_path), tpu_config=tpu.TPUConfig(iterations_per_loop=5))
    sizes = {"train_batch_size": 2, "eval_batch_size": 3, "predict_batch_size": 6}
    made = tpu.TPUEstimator(_spec, config=config, params={}, use_tpu=False, **sizes)
    made.train(_input, max_steps=3)
    w = 2 * (1 - 0.8**3)  # the gradient of (w - 2)^2 is 2 (w - 2)
    found = made.evaluate(_input)
    assert found["error"] == pytest.approx(2 - w, rel=1e-5) and found["global_step"] == 3
    predicted = list(made.predict(_input))
    assert [int(p["size"]) for p in predicted] == [6] * 6 and predicted[0]["y"] == pytest.approx(w, rel=1e-5)
    with pytest.raises(ValueError, match="use_tpu=False"):
        tpu.TPUEstimator(_spec, params={})
    with pytest.raises(ValueError, match="reserved"):
        tpu.TPUEstimator(_spec, params={"batch_size": 1}, use_tpu=False)
    folder = made.export_savedmodel(str(tmp_path / "served"), lambda: estimator.export.ServingInputReceiver(
        v1.placeholder(v1.float32, [None], "x"), {"x": v1.get_default_graph().get_tensor_by_name("x:0")}))  # fmt: skip
    served = predictor.from_saved_model(folder.decode())
    np.testing.assert_allclose(served({"x": [1.0, 3.0]})["y"], [w, 3 * w], rtol=1e-5)
    with pytest.raises(ValueError, match="unexpected keys"):
        served({"z": [1.0]})


def test_functions_of_one_name_have_scopes_of_their_own():
    def made():
        @framework.add_arg_scope
        def layer(size=1):
            return size

        return layer

    one, other = made(), made()
    with framework.arg_scope([one], size=5):
        assert (one(), other()) == (5, 1)
        assert framework.current_arg_scope()[framework.arg_scope_func_key(one)] == {"size": 5}
    assert framework.arg_scope_func_key(len) == str(len)


@pytest.mark.parametrize("resource", [False, True], ids="resource={}".format)
def test_zero_initializer_refuses_a_variable_with_a_value(resource):
    with v1.Graph().as_default(), v1.Session() as sess:
        variable = v1.get_variable("a", [2, 3], initializer=v1.ones_initializer(), use_resource=resource)
        zeros = framework.zero_initializer(variable)
        sess.run(zeros)
        np.testing.assert_array_equal(sess.run(variable), np.zeros((2, 3)))
        with pytest.raises(v1.errors.OpError, match="input is already initialized"):
            sess.run(zeros)
