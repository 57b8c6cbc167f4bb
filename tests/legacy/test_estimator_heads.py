"""Heads that programs make, and the estimators that take one: against the canned ones, and in numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy import estimator
from tf1ref.legacy.contrib import estimator as contrib

COLUMNS = [v1.feature_column.numeric_column("x", shape=2)]
RANDOM = np.random.RandomState(5)
X = RANDOM.randn(12, 2).astype(np.float32)
CLASSES = (np.arange(12) % 3)[:, None]
SEEDED = estimator.RunConfig(tf_random_seed=3)
SUM = v1.losses.Reduction.SUM


def feed(labels):
    return lambda: v1.data.Dataset.from_tensors(({"x": v1.constant(X)}, v1.constant(labels))).repeat()


def values(model):
    return {name: model.get_variable_value(name) for name in model.get_variable_names()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["DNN", "Linear", "DNNLinearCombined"])
def test_with_the_head_of_the_canned_classifier_it_is_the_canned_classifier(kind, tmp_path, assert_same):
    given = {
        "DNN": {"hidden_units": [4], "feature_columns": COLUMNS},
        "Linear": {"feature_columns": COLUMNS},
        "DNNLinearCombined": {
            "linear_feature_columns": COLUMNS, "dnn_feature_columns": COLUMNS, "dnn_hidden_units": [4],
        },
    }[kind]  # fmt: skip
    head = estimator.MultiClassHead(3, loss_reduction=SUM)
    made = getattr(estimator, f"{kind}Estimator")(head, model_dir=str(tmp_path / "a"), config=SEEDED, **given)
    canned = getattr(estimator, f"{kind}Classifier")(
        n_classes=3, model_dir=str(tmp_path / "b"), config=SEEDED, loss_reduction=SUM, **given
    )
    for model in (made, canned):
        model.train(feed(CLASSES), steps=3)
    assert_same(values(made), values(canned))


@pytest.mark.slow
def test_binary_metrics_at_thresholds_and_the_mean_loss(tmp_path):
    labels = (X[:, :1] > 0).astype(np.int64)
    head = estimator.BinaryClassHead(thresholds=[0.3, 0.6])
    model = estimator.LinearEstimator(head, COLUMNS, str(tmp_path), config=SEEDED)
    model.train(feed(labels), steps=20)
    found = model.evaluate(feed(labels), steps=1)
    logits = X @ model.get_variable_value("linear/linear_model/x/weights")
    logits = logits + model.get_variable_value("linear/linear_model/bias_weights")
    p = 1 / (1 + np.exp(-logits))
    loss = -np.where(labels == 1, np.log(p), np.log(1 - p)).mean()
    assert found["loss"] == pytest.approx(loss, rel=1e-4) == found["average_loss"]
    for threshold in (0.3, 0.6):
        positive = p >= threshold
        hit = (positive & (labels == 1)).sum()
        assert found[f"accuracy/positive_threshold_{threshold}"] == pytest.approx((positive == labels).mean())
        assert found[f"precision/positive_threshold_{threshold}"] == pytest.approx(hit / max(positive.sum(), 1))
        assert found[f"recall/positive_threshold_{threshold}"] == pytest.approx(hit / labels.sum())


@pytest.mark.slow
def test_a_head_in_a_model_fn_with_a_loss_and_a_link_of_its_own(tmp_path):
    labels = np.exp(X[:, :1] + 0.5 * X[:, 1:]).astype(np.float32)

    def poisson(labels, logits):
        return v1.exp(logits) - labels * logits

    def model_fn(features, labels, mode):
        head = contrib.regression_head(loss_fn=poisson, inverse_link_fn=v1.exp)
        w = v1.get_variable("w", [2, 1], initializer=v1.zeros_initializer())
        penalty = 0.1 * v1.nn.l2_loss(w)
        return head.create_estimator_spec(
            features, mode, v1.matmul(features["x"], w), labels, v1.train.GradientDescentOptimizer(0.1),
            regularization_losses=[penalty],
        )  # fmt: skip

    model = estimator.Estimator(model_fn, str(tmp_path), SEEDED)
    model.train(feed(labels), steps=2)
    w = np.zeros((2, 1))
    for _ in range(2):
        w -= 0.1 * (X.T @ (np.exp(X @ w) - labels) / 12 + 0.1 * w)
    np.testing.assert_allclose(model.get_variable_value("w"), w, rtol=1e-4)
    first = next(model.predict(feed(labels)))
    assert first["predictions"] == pytest.approx(np.exp(X[:1] @ w)[0], rel=1e-4)
    assert first["logits"] == pytest.approx((X[:1] @ w)[0], rel=1e-4)
    assert model.evaluate(feed(labels), steps=1)["loss"] == pytest.approx(
        (np.exp(X @ w) - labels * (X @ w)).mean() + 0.05 * (w**2).sum(), rel=1e-4
    )


def test_what_a_head_refuses():
    with pytest.raises(ValueError, match="n_classes must be > 2"):
        contrib.multi_class_head(2)
    with pytest.raises(ValueError, match=r"thresholds not in \(0, 1\)"):
        contrib.binary_classification_head(thresholds=[0.5, 1.0])
    with v1.Graph().as_default(), pytest.raises(ValueError, match="exactly one of optimizer and train_op_fn"):
        estimator.RegressionHead().create_estimator_spec({}, "train", v1.zeros([2, 1]), v1.zeros([2, 1]))


def test_logits_may_be_an_array():
    with v1.Graph().as_default(), v1.Session() as session:
        spec = estimator.RegressionHead().create_estimator_spec({}, "infer", np.array([[4], [5]]))
        assert session.run(spec.predictions["predictions"]).tolist() == [[4.0], [5.0]]
        with pytest.raises(ValueError, match="logits shape must be"):
            estimator.RegressionHead(2).create_estimator_spec({}, "infer", np.array([[4], [5]]))


def test_the_loss_of_logits_of_rank_3():
    logits = np.float32([[[45, 41], [44, 40]], [[20, 21], [22, 23]]])
    labels = np.float32([[[35, 42], [45, 44]], [[20, 20], [20, 20]]])
    weights = np.float32([[1, 0.1], [1.5, 2]])
    head = contrib.regression_head("weights", 2, v1.losses.Reduction.SUM)
    with v1.Graph().as_default(), v1.Session() as session:
        total, losses, given, same = session.run(head.create_loss({"weights": weights}, "eval", logits, labels))
        np.testing.assert_array_equal(losses, (labels - logits) ** 2)
        assert total == pytest.approx((weights[..., None] * (labels - logits) ** 2).sum())
        assert given.shape == (2, 2, 1) and np.array_equal(same, labels)


def test_what_fits_is_seen_in_the_run():
    """1.15 made the graph, too. Names follow the metrics, and what is exported can be read."""
    head = contrib.multi_class_head(3, name="mine", loss_fn=lambda labels, logits: v1.reduce_sum(logits, -1))
    logits, labels = np.ones((2, 3), np.float32), v1.placeholder_with_default
    with v1.Graph().as_default(), v1.Session() as session:
        spec = head.create_estimator_spec({}, "infer", logits)
        exported = spec.export_outputs["classification"]
        assert session.run(exported.scores).shape == session.run(exported.classes).shape == (2, 3)
        loss = head.create_loss({}, "eval", logits, np.int64([[0], [1]])).training_loss
        with pytest.raises(v1.errors.InvalidArgumentError, match=r"\[loss_shape: \] \[2\]"):
            session.run(loss)
        wrong = labels(np.int64([0, 1, 2]), None)
        loss = contrib.multi_class_head(3).create_loss({}, "eval", logits, wrong).training_loss
        with pytest.raises(
            v1.errors.InvalidArgumentError, match=r"\[expected_labels_shape: \] \[2 1\] \[labels_shape: \] \[3\]"
        ):
            session.run(loss)
        spec = contrib.multi_class_head(3, name="mine").create_estimator_spec({}, "eval", logits, np.int64([0, 1]))
        assert set(spec.eval_metric_ops) == {"average_loss/mine", "accuracy/mine"}


@pytest.mark.parametrize(
    "words, problem",
    [
        ({"loss_reduction": "none"}, "Invalid loss_reduction: none"),
        ({"label_dimension": 0}, "Invalid label_dimension 0"),
        ({"loss_fn": lambda logits: logits}, "loss_fn must contain argument: labels"),
        ({"loss_fn": lambda labels, logits, name: logits}, r"loss_fn has unexpected args: \['name'\]"),
    ],
)
def test_words_that_no_head_takes(words, problem):
    with pytest.raises(ValueError, match=problem):
        contrib.regression_head(**words)
