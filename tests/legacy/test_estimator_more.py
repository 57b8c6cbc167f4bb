"""tf.estimator as programs use it beyond the tutorials: partials, hooks' order, exporters, baselines, float labels."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy import estimator

COLUMN = [v1.feature_column.numeric_column("x")]


def constant_input():
    return v1.data.Dataset.from_tensors(({"x": v1.ones([4, 1])}, v1.ones([4, 1]))).repeat()


def scaled(features, labels, mode, factor):
    w = v1.get_variable("w", [1, 1], initializer=v1.ones_initializer())
    y = v1.matmul(features["x"], w) * factor
    if mode == estimator.ModeKeys.PREDICT:
        return estimator.EstimatorSpec(mode, predictions=y)
    loss = v1.reduce_mean(v1.square(y - labels))
    train = v1.train.GradientDescentOptimizer(0.1).minimize(loss, v1.train.get_global_step())
    return estimator.EstimatorSpec(mode, predictions={"y": y}, loss=loss, train_op=train)


class Steps(v1.train.CheckpointSaverListener):
    def __init__(self):
        self.steps = []

    def before_save(self, session, step):
        self.steps.append(int(step))


@pytest.mark.slow
def test_partials_listeners_and_metrics_of_ones_own(tmp_path):
    config = estimator.RunConfig(save_checkpoints_steps=2)
    made = estimator.Estimator(functools.partial(scaled, factor=2.0), str(tmp_path), config)
    listener = Steps()
    made.train(constant_input, steps=5, saving_listeners=[listener])
    assert listener.steps == [0, 2, 4, 5]
    w = made.get_variable_value("w")[0, 0]
    more = estimator.add_metrics(
        made, lambda labels, predictions: {"pair": ((labels[0], predictions["y"][:2]), v1.no_op())}
    )
    found = more.evaluate(constant_input, steps=1)
    assert found["pair"][1] == pytest.approx(np.full((2, 1), 2 * w)) and found["loss"] == pytest.approx(
        (2 * w - 1) ** 2
    )
    warm = estimator.WarmStartSettings(str(tmp_path), vars_to_warm_start="w")
    other = estimator.Estimator(functools.partial(scaled, factor=2.0), str(tmp_path / "warm"), warm_start_from=warm)
    other.train(constant_input, steps=1)
    assert other.get_variable_value("w")[0, 0] == pytest.approx(w - 0.1 * 2 * (2 * w - 1) * 2)
    with pytest.raises(ValueError, match="not expected args"):
        estimator.Estimator(scaled)
    with pytest.raises(ValueError, match="does not include params"):
        estimator.Estimator(functools.partial(scaled, factor=2.0), params={"a": 1})


def test_hooks_run_before_the_check_for_nan(tmp_path):
    class Runs(v1.train.SessionRunHook):
        runs = 0

        def after_run(self, context, values):
            Runs.runs += 1

    def model_fn(features, labels, mode):
        loss = v1.get_variable("v", []) * float("nan")
        return estimator.EstimatorSpec(mode, loss=loss, train_op=v1.assign_add(v1.train.get_global_step(), 1))

    with pytest.raises(estimator.NanLossDuringTrainingError):
        estimator.Estimator(model_fn, str(tmp_path)).train(constant_input, steps=1, hooks=[Runs()])
    assert Runs.runs == 1


@pytest.mark.slow
def test_labels_between_two_classes(tmp_path):
    def shares():
        return v1.data.Dataset.from_tensors(({"x": [[1.0], [1.0]]}, [[0.8], [0.4]])).repeat()

    optimizer = v1.train.GradientDescentOptimizer(0.5)
    made = estimator.LinearClassifier(COLUMN, model_dir=str(tmp_path), optimizer=optimizer)
    made.train(shares, steps=100)
    found = made.evaluate(shares, steps=1)
    assert found["label/mean"] == pytest.approx(0.6) and found["prediction/mean"] == pytest.approx(0.6, abs=1e-3)
    with pytest.raises(ValueError, match="should be integer"):
        estimator.LinearClassifier(COLUMN, n_classes=3).train(shares, steps=1)


@pytest.mark.slow
def test_inputs_without_shapes_and_plain_lists(tmp_path):
    def rows():
        for i in range(8):
            yield {"x": [float(i)]}, [i % 2]

    def no_shapes():
        return v1.data.Dataset.from_generator(rows, ({"x": v1.float32}, v1.int32)).batch(4)

    for number, given in enumerate((no_shapes, lambda: ({"x": [[1], [2.5]]}, [[0], [1]]))):
        for made in (
            estimator.LinearClassifier(COLUMN, model_dir=str(tmp_path / f"l{number}")),
            estimator.DNNClassifier([3], COLUMN, model_dir=str(tmp_path / f"d{number}")),
        ):
            made.train(given, steps=1)
            assert made.get_variable_value("global_step") == 1


@pytest.mark.slow
def test_baselines_learn_shares_and_the_mean(tmp_path):
    def labelled(labels):
        return lambda: v1.data.Dataset.from_tensors(({"x": v1.zeros([len(labels), 2])}, v1.constant(labels))).repeat()

    classes = estimator.BaselineClassifier(str(tmp_path / "c"), n_classes=3)
    classes.train(labelled([[0], [2], [2], [2]]), steps=60)
    (found,) = {tuple(each["probabilities"]) for each in _some(classes, labelled([[0]] * 2))}
    assert found == pytest.approx((0.25, 0.0, 0.75), abs=0.05)
    values = estimator.BaselineRegressor(str(tmp_path / "r"))
    values.train(labelled([[1.0], [2.0]]), steps=100)
    assert values.get_variable_value("baseline/bias") == pytest.approx([1.5], abs=0.02)


def _some(made, input_fn):
    found = made.predict(input_fn)
    return [next(found) for _ in range(2)]


def test_the_best_export_counts_earlier_runs(tmp_path):
    class Folder:
        model_dir, written = str(tmp_path), 0

        def export_saved_model(self, base, receiver, **options):
            Folder.written += 1
            (tmp_path / base / str(100 + Folder.written)).mkdir(parents=True)
            return f"{base}/{100 + Folder.written}".encode()

    with v1.Graph().as_default():
        writer = v1.summary.FileWriter(str(tmp_path / "eval"))
        writer.add_summary(v1.Summary(value=[v1.Summary.Value(tag="loss", simple_value=1.0)]), 1)
        writer.close()
    exporter = estimator.BestExporter("best", lambda: None, "eval/*.tfevents.*", exports_to_keep=1)
    path = str(tmp_path / "export")
    found = [exporter.export(Folder(), path, "c", {"loss": loss}, False) for loss in (2.0, 0.5, 0.7, 0.1)]
    assert [each is not None for each in found] == [False, True, False, True]
    assert [each.name for each in (tmp_path / "export").iterdir()] == ["102"]
    with pytest.raises(ValueError, match="positive"):
        estimator.LatestExporter("l", lambda: None, exports_to_keep=0)
    with pytest.raises(ValueError, match="no loss"):
        exporter.export(Folder(), path, "c", {"error": 1}, False)


def test_specs_for_parsing():
    spec = estimator.classifier_parse_example_spec(COLUMN, "y", label_default=0, weight_column="w")
    assert set(spec) == {"x", "y", "w"} and spec["y"].dtype == tf.int64 and spec["w"].dtype == tf.float32
    spec = estimator.regressor_parse_example_spec(COLUMN, "y", label_dimension=2)
    assert spec["y"].shape == (2,)
    for make, what in (
        (lambda: estimator.classifier_parse_example_spec(COLUMN, "x"), "label should not be used as feature"),
        (lambda: estimator.classifier_parse_example_spec(COLUMN, "y", tf.float32), "int64 or string"),
        (lambda: estimator.classifier_parse_example_spec(COLUMN, "y", label_default="a"), "must be int"),
        (lambda: estimator.regressor_parse_example_spec(COLUMN, "y", tf.string), "should be float"),
        (lambda: estimator.regressor_parse_example_spec(COLUMN, "y", weight_column="x"), "weight_column should not"),
    ):
        with pytest.raises(ValueError, match=what):
            make()


def test_receivers_are_tuples_and_a_batch_comes_by_hand():
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(v1.float32, [None, 1])
        features, receivers, alternatives = estimator.export.ServingInputReceiver(x, x)
        assert (features, receivers, alternatives) == ({"feature": x}, {"input": x}, None) or list(receivers)
        with pytest.raises(ValueError, match="Tensor or SparseTensor"):
            estimator.export.TensorServingInputReceiver([1], x)
        given = estimator.inputs.numpy_input_fn(
            {"x": np.arange(4.0)}, np.arange(4), batch_size=2, shuffle=False, num_epochs=1
        )
        features, labels = given()
        session.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
        found, y = session.run([features["x"], labels])
        assert (found.tolist(), y.tolist()) == ([0.0, 1.0], [0, 1])
