"""tf.estimator through its whole life in real folders: trained, gone on from, evaluated, asked, exported."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy import estimator, layers

RANDOM = np.random.RandomState(5)
X = RANDOM.rand(200, 2).astype(np.float32)
Y = (X @ [[2.0], [-1.0]] + 0.5).astype(np.float32)
COLUMNS = [v1.feature_column.numeric_column("x", shape=[2])]
numpy_input_fn = estimator.inputs.numpy_input_fn


def model_fn(features, labels, mode, params):
    hidden = layers.dense(features["x"], params["units"], v1.nn.relu)
    y = layers.dense(hidden, 1)
    if mode == estimator.ModeKeys.PREDICT:
        return estimator.EstimatorSpec(mode, predictions={"y": y})
    loss = v1.losses.mean_squared_error(labels, y)
    train = v1.train.AdamOptimizer(0.02).minimize(loss, v1.train.get_global_step())
    metrics = {"error": v1.metrics.mean_absolute_error(labels, y)}
    return estimator.EstimatorSpec(mode, loss=loss, train_op=train, eval_metric_ops=metrics)


def training():
    return numpy_input_fn({"x": X}, Y, batch_size=50, num_epochs=None, shuffle=True)


def once(labels=Y):
    return numpy_input_fn({"x": X}, labels, batch_size=64, shuffle=False)


@pytest.mark.slow
def test_a_model_function_goes_on_from_its_folder(tmp_path):
    config = estimator.RunConfig(tf_random_seed=1, save_checkpoints_steps=50)
    made = [estimator.Estimator(model_fn, tmp_path, config, {"units": 8}) for _ in range(2)]
    made[0].train(training(), steps=60)
    made[1].train(training(), steps=60)
    made[1].train(training(), max_steps=100)  # reached already
    found = [made[1].evaluate(once()) for _ in range(2)][1]
    assert found["global_step"] == 120
    values = {name: made[1].get_variable_value(name) for name in made[1].get_variable_names()}
    hidden = np.maximum(X @ values["dense/kernel"] + values["dense/bias"], 0)
    y = hidden @ values["dense_1/kernel"] + values["dense_1/bias"]
    assert found["error"] == pytest.approx(np.abs(y - Y).mean(), rel=1e-4)
    batches = [np.square(y[i : i + 64] - Y[i : i + 64]).mean() for i in range(0, 200, 64)]
    assert found["loss"] == pytest.approx(np.mean(batches), rel=1e-4)
    answers = list(made[1].predict(once(None)))
    assert np.array([a["y"] for a in answers]) == pytest.approx(y, abs=1e-5)
    values = [v for e in v1.train.summary_iterator(_events(tmp_path / "eval")) for v in e.summary.value]
    path = f"checkpoint_path/{tmp_path / 'model.ckpt-120'}"
    assert sorted(v.tag for v in values) == [path, path, "error", "error", "loss", "loss"]  # both, in one file
    assert values[-1].tensor.string_val == [str(tmp_path / "model.ckpt-120").encode()]


def _events(folder):
    (path,) = folder.glob("events.*")
    return str(path)


@pytest.mark.slow
def test_the_input_ends_the_training(tmp_path):
    made = estimator.Estimator(model_fn, tmp_path, params={"units": 2})
    made.train(numpy_input_fn({"x": X}, Y, batch_size=40, num_epochs=3, shuffle=False))
    assert made.get_variable_value("global_step") == 15


def test_a_data_set_is_an_input(tmp_path):
    def data_set(params):
        assert params == {"units": 2}
        return v1.data.Dataset.from_tensor_slices(({"x": X}, Y)).batch(50)

    made = estimator.Estimator(model_fn, tmp_path, params={"units": 2})
    made.train(data_set)
    assert made.get_variable_value("global_step") == 4


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["Ftrl", "SGD"])
def test_linear_regressor(tmp_path, optimizer):
    given = {"optimizer": v1.train.GradientDescentOptimizer(0.005)} if optimizer == "SGD" else {}
    made = estimator.LinearRegressor(COLUMNS, tmp_path, config=estimator.RunConfig(tf_random_seed=1), **given)
    made.train(training(), steps=300)
    found = made.evaluate(once())
    weights = made.get_variable_value("linear/linear_model/x/weights")
    bias = made.get_variable_value("linear/linear_model/bias_weights")
    assert found["average_loss"] == pytest.approx(np.square(X @ weights + bias - Y).mean(), rel=1e-3)
    assert found["average_loss"] < 1e-3 and found["label/mean"] == pytest.approx(Y.mean(), rel=1e-5)


@pytest.mark.slow
def test_dnn_classifier_exports_what_it_answers(tmp_path):
    classes = (Y[:, 0] > 1).astype(np.int64)
    made = estimator.DNNClassifier([8, 8], COLUMNS, tmp_path / "model", config=estimator.RunConfig(tf_random_seed=1))
    made.train(numpy_input_fn({"x": X}, classes, batch_size=50, num_epochs=None, shuffle=True), steps=200)
    found = made.evaluate(once(classes))
    assert found["accuracy"] > 0.95 and found["accuracy_baseline"] == pytest.approx(
        max(classes.mean(), 1 - classes.mean())
    )
    assert {"dnn/hiddenlayer_0/kernel", "dnn/hiddenlayer_1/bias", "dnn/logits/kernel"} <= set(made.get_variable_names())
    answers = list(made.predict(once(None)))
    assert np.mean([a["class_ids"][0] for a in answers] == classes) == pytest.approx(found["accuracy"])

    def receiver():
        fed = v1.placeholder(v1.float32, [None, 2])
        return estimator.export.ServingInputReceiver({"x": fed}, {"x": fed})

    folder = made.export_savedmodel(tmp_path / "export", receiver).decode()
    served = tf.saved_model.load(folder).signatures["predict"](x=tf.constant(X))
    assert served["probabilities"].numpy() == pytest.approx(np.array([a["probabilities"] for a in answers]), abs=1e-6)
    assert [p.name for p in (tmp_path / "export").iterdir()] == [folder.rpartition("/")[2]]


@pytest.mark.slow
def test_three_classes_with_names_and_both_models(tmp_path):
    names = np.array(["low", "middle", "high"])[np.digitize(Y[:, 0], [0.7, 1.3])]
    made = estimator.DNNLinearCombinedClassifier(
        tmp_path, linear_feature_columns=COLUMNS, dnn_feature_columns=COLUMNS, dnn_hidden_units=[8], n_classes=3,
        label_vocabulary=["low", "middle", "high"], config=estimator.RunConfig(tf_random_seed=1),
        dnn_optimizer=v1.train.AdagradOptimizer(0.05), linear_optimizer=v1.train.FtrlOptimizer(0.2),
    )  # fmt: skip
    made.train(numpy_input_fn({"x": X}, names, batch_size=50, num_epochs=None, shuffle=True), steps=300)
    assert made.evaluate(once(names))["accuracy"] > 0.7
    answers = [a["classes"][0].decode() for a in made.predict(once(None))]
    assert set(answers) <= set(names)
    with pytest.raises(v1.errors.InvalidArgumentError, match="unknown label"):
        made.evaluate(once(np.where(names == "low", "lowest", names)))


@pytest.mark.slow
def test_train_and_evaluate_exports_at_the_end(tmp_path):
    def receiver():
        fed = v1.placeholder(v1.float32, [None, 2])
        return estimator.export.ServingInputReceiver({"x": fed}, {"x": fed})

    made = estimator.Estimator(model_fn, tmp_path, params={"units": 4})
    train = estimator.TrainSpec(training(), max_steps=40)
    exporter = estimator.FinalExporter("final", receiver)
    evaluate = estimator.EvalSpec(once(), steps=None, exporters=exporter, throttle_secs=0)
    metrics, (folder,) = estimator.train_and_evaluate(made, train, evaluate)
    assert metrics["global_step"] == 40 and str(tmp_path / "export" / "final").encode() in folder


@pytest.mark.parametrize("shuffle", [True, False])
def test_arrays_are_cut_into_batches_across_epochs(shuffle):
    with v1.Graph().as_default(), v1.Session() as sess:
        x, names = np.arange(5), np.array(["a", "b", "c", "d", "é"])
        features, labels = numpy_input_fn({"n": names}, x, batch_size=3, num_epochs=2, shuffle=shuffle, seed=1)()
        sess.run(v1.get_collection(v1.GraphKeys.TABLE_INITIALIZERS))
        found = []
        with pytest.raises(v1.errors.OutOfRangeError):
            while True:
                found.append(sess.run([labels, features["n"]]))
    assert [len(each[0]) for each in found] == [3, 3, 3, 1]
    numbers = np.concatenate([each[0] for each in found])
    words = [w.decode() for each in found for w in each[1]]
    assert sorted(numbers) == sorted([*x, *x]) and words == [names[i] for i in numbers]
    assert (numbers.tolist() == [*x, *x]) == (not shuffle)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: numpy_input_fn({"x": X}, Y), "shuffle must be provided"),
        (lambda: numpy_input_fn([1, 2], shuffle=False), "x must be a dict or array"),
        (lambda: numpy_input_fn({"x": X}, Y[:3], shuffle=False)(), "mismatched"),
        (lambda: numpy_input_fn(X[:0], shuffle=False), "x cannot be an empty array"),
        (lambda: numpy_input_fn({"x": X}, {}, shuffle=False), "y cannot be empty dict"),
        (lambda: numpy_input_fn({"x": X}, {"x": Y}, shuffle=False), "1 duplicate keys"),
        (lambda: estimator.Estimator(lambda labels: 0, "a"), "must include features"),
        (lambda: estimator.Estimator(lambda features, lables: 0, "a"), "not expected args: .*lables"),
        (lambda: estimator.EstimatorSpec("train", loss=1.0), "Missing train_op"),
        (lambda: estimator.EstimatorSpec("infer"), "Missing predictions"),
        (lambda: estimator.EstimatorSpec("trian"), "ModeKeys"),
        (lambda: estimator.RunConfig(save_checkpoints_secs=1, save_checkpoints_steps=1), "cannot be both set"),
        (lambda: estimator.RunConfig(train_distribute=1), "through tf.distribute"),
        (lambda: estimator.LinearClassifier(COLUMNS, "a", n_classes=1), "at least 2"),
        (
            lambda: estimator.Estimator(lambda features: 0, "nowhere").get_variable_names(),
            "Could not find trained model",
        ),
    ],
)
def test_what_is_refused(call, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, TypeError), match=says):
        call()


def test_labels_of_data_frames():
    pandas = pytest.importorskip("pandas")
    make, frame = estimator.inputs.pandas_input_fn, pandas.DataFrame({"a": [1, 2], "b": [3, 4]})
    with v1.Graph().as_default(), v1.Session() as session:
        features, labels = make(frame, frame * 10, batch_size=2, shuffle=True, queue_capacity=None)()
        features, labels = session.run([features, labels])
        assert list(features["a"] * 10) == list(labels["a"]) and sorted(labels["b"]) == [30, 40]
        _, target = make(frame, frame["a"], shuffle=False)()
        assert list(session.run(target)) == [1, 2]
    for error, says, arguments in (
        (TypeError, "must be a string", {"target_column": ["a"]}),
        (ValueError, "Cannot use name a", {"target_column": "a"}),
    ):  # fmt: skip
        with pytest.raises(error, match=says):
            make(frame, frame["a"], shuffle=False, **arguments)
    with pytest.raises(ValueError, match="shuffle must be"):
        make(frame, frame["a"][:1])
