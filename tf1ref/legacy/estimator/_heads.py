"""The last part of the canned estimators: loss, predictions and metrics of a regression or a classification."""

from typing import Any, NamedTuple

import tensorflow.compat.v1 as v1

from tf1ref.legacy import _head_checks as _checks
from tf1ref.legacy.estimator._spec import EstimatorSpec, ModeKeys
from tf1ref.legacy.estimator.export import ClassificationOutput, PredictOutput, RegressionOutput


class LossSpec(NamedTuple):
    """The loss of a head: the number that is minimized, the losses [D0, ..., DN, size], their weights, the labels."""

    training_loss: Any
    unreduced_loss: Any
    weights: Any
    processed_labels: Any


class Head:
    """The base class. `spec` turns logits [batch, logits_dimension] into an EstimatorSpec."""

    logits_dimension = 1
    loss_size = 1  # losses of an example
    name: str | None = None  # follows the names of metrics and summaries
    weighs_each = False  # True: an example may have a weight for each of its values

    def __init__(self, weight_column=None, loss_reduction=v1.losses.Reduction.SUM):
        self.weight_column, self.reduction = weight_column, _checks.reduction(loss_reduction)

    def predictions(self, logits):
        """Returns {name: tensor} of the predictions."""
        raise NotImplementedError

    def outputs(self, predictions):
        """Returns the outputs for export: {signature: output}."""
        raise NotImplementedError

    def losses(self, labels, logits, features):
        """Returns (the losses [batch, size], the labels as the metrics take them)."""
        raise NotImplementedError

    def metrics(self, losses, labels, predictions, weights):
        """Returns {name: (value, update)} of an evaluation."""
        raise NotImplementedError

    def spec(self, features, mode, labels, logits, train_op_fn, penalties=None):
        """Returns the EstimatorSpec. train_op_fn: a function that makes the training op for the loss.

        penalties: a list of what is added to the loss.
        """
        predictions = self.predictions(logits)
        if mode == ModeKeys.PREDICT:
            return EstimatorSpec(mode, predictions=predictions, export_outputs=self.outputs(predictions))
        loss, losses, weights, processed = self.create_loss(features, mode, logits, labels)
        penalty = v1.add_n(list(penalties)) if penalties else None
        total = loss if penalty is None else v1.add_n([loss, penalty])
        if mode == ModeKeys.EVAL:
            metrics = self.metrics(losses, processed, predictions, weights)
            if penalty is not None:
                metrics["regularization_loss"] = v1.metrics.mean(penalty)
            metrics = {self._key(name): metric for name, metric in metrics.items()}
            return EstimatorSpec(mode, predictions, total, eval_metric_ops=metrics)
        train_op = train_op_fn(total)
        with v1.name_scope(""):
            v1.summary.scalar(self._key("loss"), total)
            if self.reduction == v1.losses.Reduction.SUM:
                v1.summary.scalar(self._key("average_loss"), loss / v1.reduce_sum(weights * v1.ones_like(losses)))
            if penalty is not None:
                v1.summary.scalar(self._key("regularization_loss"), penalty)
        return EstimatorSpec(mode, predictions, total, train_op)

    def _key(self, what):
        return f"{what}/{self.name}" if self.name else what

    def create_loss(self, features, mode, logits, labels):
        """Returns the LossSpec of logits [D0, ..., DN, logits_dimension], tensor or array; `mode` is not looked at.

        labels, and the weights among `features`: [D0, ..., DN], or the same with a last 1; for a regression of several
        values the labels have those last. Raises ValueError for shapes that do not fit, InvalidArgumentError where only
        the run knows them.
        """
        logits = _checks.logits(logits, self.logits_dimension)
        losses, processed = self.losses(labels, logits, features)
        weights = self._weights(features, logits)
        loss = v1.losses.compute_weighted_loss(losses, weights, reduction=self.reduction)
        return LossSpec(loss, losses, weights, processed)

    def _weights(self, features, logits):
        if self.weight_column is None:
            return 1.0
        key = getattr(self.weight_column, "key", self.weight_column)
        weights = v1.convert_to_tensor(features[key])
        normalizer = getattr(self.weight_column, "normalizer_fn", None)
        weights = v1.cast(weights if normalizer is None else normalizer(weights), v1.float32)
        return _checks.weights(weights, logits, self.weighs_each)


class RegressionHead(Head):
    """Predicts `label_dimension` values. The loss is their squared difference."""

    weighs_each = True

    def __init__(self, label_dimension=1, **kwargs):
        super().__init__(**kwargs)
        if label_dimension < 1:
            raise ValueError(f"Invalid label_dimension {label_dimension}: it must be 1 or more")
        self.logits_dimension = self.loss_size = label_dimension

    def predictions(self, logits):
        return {"predictions": logits}

    def outputs(self, predictions):
        value = RegressionOutput(predictions["predictions"])
        return {"serving_default": value, "predict": PredictOutput(predictions), "regression": value}

    def losses(self, labels, logits, features):
        labels = v1.cast(_checks.labels(labels, logits, self.logits_dimension), v1.float32)
        return v1.losses.mean_squared_error(labels, logits, reduction=v1.losses.Reduction.NONE), labels

    def metrics(self, losses, labels, predictions, weights):
        weights = None if isinstance(weights, float) else weights * v1.ones_like(losses)
        return {
            "average_loss": v1.metrics.mean(losses, weights),
            "prediction/mean": v1.metrics.mean(predictions["predictions"], weights),
            "label/mean": v1.metrics.mean(labels, weights),
        }


class _ClassHead(Head):
    def __init__(self, n_classes, label_vocabulary=None, **kwargs):
        super().__init__(**kwargs)
        if label_vocabulary is not None and len(label_vocabulary) != n_classes:
            raise ValueError(f"Length of label_vocabulary must be equal to n_classes. Given: {label_vocabulary}")
        self.n_classes, self.vocabulary = n_classes, label_vocabulary

    def ids(self, labels, logits):
        """Returns the labels as [D0, ..., DN, 1] of class numbers, and adds a check of their range.

        labels: strings when there is a vocabulary, else integers. With two classes they may be any number, the
        probability of the second class. Otherwise they become int64.
        """
        labels = _checks.labels(labels, logits, 1)
        if self.vocabulary is not None:
            if labels.dtype != v1.string:
                raise ValueError(f"Labels dtype should be string if there is a vocabulary. Instead got {labels.dtype}")
            keys = v1.constant(self.vocabulary)
            initializer = v1.lookup.KeyValueTensorInitializer(keys, v1.range(self.n_classes, dtype=v1.int64))
            labels = v1.lookup.StaticHashTable(initializer, default_value=-1).lookup(labels)
        elif self.n_classes > 2 and not labels.dtype.is_integer:
            raise ValueError(f"Labels dtype should be integer. Instead got {labels.dtype}")
        labels = v1.cast(labels, v1.float32 if self.n_classes == 2 else v1.int64)
        for message, inside in (("<= n_classes - 1", labels <= self.n_classes - 1), (">= 0", labels >= 0)):
            message = f"Labels must {message}" if self.vocabulary is None else "unknown label"
            with v1.control_dependencies([v1.Assert(v1.reduce_all(inside), [message, labels])]):
                labels = v1.identity(labels)
        return labels

    def classes(self, class_ids):
        if self.vocabulary is None:
            return v1.as_string(class_ids, name="str_classes")
        return v1.gather(v1.constant(self.vocabulary), class_ids)

    def every(self, logits):
        """Returns the predictions that name all classes for each example, [batch, n_classes]."""
        batch = [v1.shape(logits)[0], 1]
        ids = v1.range(self.n_classes)
        names = v1.as_string(ids) if self.vocabulary is None else v1.constant(self.vocabulary)
        return {
            "all_class_ids": v1.tile(v1.expand_dims(ids, 0), batch),
            "all_classes": v1.tile(v1.expand_dims(names, 0), batch),
        }

    def outputs(self, predictions):
        names = self.vocabulary or [str(i) for i in range(self.n_classes)]
        batch = v1.shape(predictions["probabilities"])[0]
        classes = v1.tile(v1.expand_dims(v1.constant(names), 0), [batch, 1])
        found = ClassificationOutput(predictions["probabilities"], classes)
        return {"serving_default": found, "classification": found, "predict": PredictOutput(predictions)}


class BinaryHead(_ClassHead):
    """Two classes with one logit. The loss is the sigmoid cross entropy."""

    def __init__(self, label_vocabulary=None, **kwargs):
        super().__init__(2, label_vocabulary, **kwargs)

    def predictions(self, logits):
        both = v1.concat([v1.zeros_like(logits), logits], axis=-1)
        class_ids = v1.expand_dims(v1.argmax(both, axis=-1), -1)
        return {
            "logits": logits,
            "logistic": v1.nn.sigmoid(logits),
            "probabilities": v1.nn.softmax(both),
            "class_ids": class_ids,
            "classes": self.classes(class_ids),
            **self.every(logits),
        }

    def outputs(self, predictions):
        return {**super().outputs(predictions), "regression": RegressionOutput(predictions["logistic"])}

    def losses(self, labels, logits, features):
        labels = self.ids(labels, logits)
        return v1.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits), labels

    def metrics(self, losses, labels, predictions, weights):
        weights = None if isinstance(weights, float) else weights
        logistic, class_ids = predictions["logistic"], predictions["class_ids"]
        mean = v1.metrics.mean(labels, weights)
        baseline = tuple(v1.maximum(each, 1 - each) for each in mean)
        return {
            "average_loss": v1.metrics.mean(losses, weights),
            "accuracy": v1.metrics.accuracy(labels, class_ids, weights),
            "precision": v1.metrics.precision(labels, class_ids, weights),
            "recall": v1.metrics.recall(labels, class_ids, weights),
            "prediction/mean": v1.metrics.mean(logistic, weights),
            "label/mean": mean,
            "accuracy_baseline": baseline,
            "auc": v1.metrics.auc(labels, logistic, weights),
            "auc_precision_recall": v1.metrics.auc(labels, logistic, weights, curve="PR"),
        }


class MultiClassHead(_ClassHead):
    """n_classes logits. The loss is the sparse softmax cross entropy."""

    def __init__(self, n_classes, label_vocabulary=None, **kwargs):
        super().__init__(n_classes, label_vocabulary, **kwargs)
        self.logits_dimension = n_classes

    def predictions(self, logits):
        class_ids = v1.expand_dims(v1.argmax(logits, axis=-1), -1)
        found = {"logits": logits, "probabilities": v1.nn.softmax(logits), "class_ids": class_ids}
        return {**found, "classes": self.classes(class_ids), **self.every(logits)}

    def losses(self, labels, logits, features):
        labels = self.ids(labels, logits)
        losses = v1.nn.sparse_softmax_cross_entropy_with_logits(labels=v1.squeeze(labels, -1), logits=logits)
        return v1.expand_dims(losses, -1), labels

    def metrics(self, losses, labels, predictions, weights):
        weights = None if isinstance(weights, float) else weights
        return {
            "average_loss": v1.metrics.mean(losses, weights),
            "accuracy": v1.metrics.accuracy(labels, predictions["class_ids"], weights),
        }
