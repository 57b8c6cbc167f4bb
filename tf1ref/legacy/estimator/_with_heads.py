"""The heads that programs make themselves, the estimators that take one, and additional metrics.

Unlike those of the canned estimators, their loss is the mean over the batch.
"""

import tensorflow.compat.v1 as v1

from tf1ref.legacy import _head_checks as _checks
from tf1ref.legacy.estimator import _heads
from tf1ref.legacy.estimator._canned import _DNN, _Combined, _Linear
from tf1ref.legacy.estimator._core import Estimator
from tf1ref.legacy.estimator._functions import arguments_of
from tf1ref.legacy.estimator._spec import ModeKeys

MEAN = v1.losses.Reduction.SUM_OVER_BATCH_SIZE


class _Made:
    """What a program's own head can do beyond that of a canned estimator."""

    loss_fn = None

    def named(self, loss_fn, name):
        """Keeps what a program gives its own head. Raises ValueError for arguments that no head gives a loss_fn."""
        self.loss_fn, self.name = loss_fn, name
        self._wanted = _checks.loss_arguments(loss_fn) if loss_fn else []

    def losses(self, labels, logits, features):
        losses, processed = super().losses(labels, logits, features)
        if self.loss_fn is not None:
            known = {"labels": processed, "logits": logits, "features": features, "loss_reduction": self.reduction}
            losses = self.loss_fn(**{name: known[name] for name in self._wanted})
            losses = _checks.losses(losses, logits, self.loss_size)
        return losses, processed

    def create_estimator_spec(
        self, features, mode, logits, labels=None, optimizer=None, train_op_fn=None, regularization_losses=None,
        trainable_variables=None, update_ops=None,
    ):  # fmt: skip
        """Returns the EstimatorSpec of a model_fn.

        logits: [batch, logits_dimension], a tensor or an array; they become float32. Training needs either an optimizer
        or train_op_fn(loss), which returns the training op. Raises ValueError where both or neither are given, and for
        logits of another size.
        """
        logits = _checks.logits(logits, self.logits_dimension)
        if mode == ModeKeys.TRAIN and (optimizer is None) == (train_op_fn is None):
            raise ValueError("exactly one of optimizer and train_op_fn is needed to train")

        def train(loss):
            if train_op_fn is not None:
                op = train_op_fn(loss)
            else:
                which = {} if trainable_variables is None else {"var_list": trainable_variables}
                op = optimizer.minimize(loss, global_step=v1.train.get_or_create_global_step(), **which)
            updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS) if update_ops is None else update_ops
            return v1.group(op, *updates) if updates else op

        return self.spec(features, mode, labels, logits, train, regularization_losses or ())


class RegressionHead(_Made, _heads.RegressionHead):
    """Predicts `label_dimension` values.

    inverse_link_fn: turns logits into predictions, as tf.exp does for a model of logarithms. loss_fn(labels, logits):
    returns [batch, label_dimension].

    >>> RegressionHead(label_dimension=3).logits_dimension
    3
    """

    def __init__(
        self, label_dimension=1, weight_column=None, loss_reduction=MEAN, loss_fn=None, inverse_link_fn=None, name=None
    ):
        super().__init__(label_dimension, weight_column=weight_column, loss_reduction=loss_reduction)
        self.named(loss_fn, name)
        self._inverse = inverse_link_fn

    def predictions(self, logits):
        if self._inverse is None:
            return super().predictions(logits)
        return {"predictions": self._inverse(logits), "logits": logits}


class BinaryClassHead(_Made, _heads.BinaryHead):
    """Two classes with one logit. thresholds: probabilities from which an example counts as positive, for metrics."""

    def __init__(
        self, weight_column=None, thresholds=None, label_vocabulary=None, loss_reduction=MEAN, loss_fn=None, name=None
    ):
        super().__init__(label_vocabulary, weight_column=weight_column, loss_reduction=loss_reduction)
        self.named(loss_fn, name)
        self._thresholds = tuple(thresholds or ())
        if not all(0 < threshold < 1 for threshold in self._thresholds):
            raise ValueError(f"thresholds not in (0, 1): {self._thresholds}")

    def metrics(self, losses, labels, predictions, weights):
        found = super().metrics(losses, labels, predictions, weights)
        weights = None if isinstance(weights, float) else weights
        for threshold in self._thresholds:
            positive = v1.cast(predictions["logistic"] >= threshold, v1.float32)
            for name in ("accuracy", "precision", "recall"):
                metric = getattr(v1.metrics, name)
                found[f"{name}/positive_threshold_{threshold:g}"] = metric(labels, positive, weights)
        return found


class MultiClassHead(_Made, _heads.MultiClassHead):
    """n_classes logits, one class for each example. Raises ValueError for fewer than three classes."""

    def __init__(
        self, n_classes, weight_column=None, label_vocabulary=None, loss_reduction=MEAN, loss_fn=None, name=None
    ):
        if n_classes is None:
            raise ValueError("n_classes cannot be None")
        if n_classes <= 2:
            raise ValueError(f"n_classes must be > 2: {n_classes}")
        super().__init__(n_classes, label_vocabulary, weight_column=weight_column, loss_reduction=loss_reduction)
        self.named(loss_fn, name)


def regression_head(
    weight_column=None, label_dimension=1, loss_reduction=MEAN, loss_fn=None, inverse_link_fn=None, name=None
):
    """Returns the RegressionHead, as tf.contrib.estimator.regression_head does."""
    return RegressionHead(label_dimension, weight_column, loss_reduction, loss_fn, inverse_link_fn, name)


class LinearEstimator(_Linear):
    """Weighted sums of feature columns for any head."""

    def __init__(
        self, head, feature_columns, model_dir=None, optimizer="Ftrl", config=None, partitioner=None,
        sparse_combiner="sum", warm_start_from=None,
    ):  # fmt: skip
        super().__init__(
            head, feature_columns, model_dir, optimizer, config, sparse_combiner, warm_start_from, partitioner
        )


class DNNEstimator(_DNN):
    """Dense layers over feature columns for any head."""

    def __init__(
        self, head, hidden_units, feature_columns, model_dir=None, optimizer="Adagrad", activation_fn=v1.nn.relu,
        dropout=None, input_layer_partitioner=None, config=None, warm_start_from=None, batch_norm=False,
    ):  # fmt: skip
        super().__init__(
            head, hidden_units, feature_columns, model_dir, optimizer, activation_fn, dropout, config, warm_start_from,
            batch_norm, input_layer_partitioner,
        )  # fmt: skip


class DNNLinearCombinedEstimator(_Combined):
    """A linear model and a dense network for any head, whose logits are added."""

    def __init__(
        self, head, model_dir=None, linear_feature_columns=None, linear_optimizer="Ftrl", dnn_feature_columns=None,
        dnn_optimizer="Adagrad", dnn_hidden_units=None, dnn_activation_fn=v1.nn.relu, dnn_dropout=None,
        input_layer_partitioner=None, config=None, batch_norm=False, linear_sparse_combiner="sum",
    ):  # fmt: skip
        super().__init__(
            head, model_dir, linear_feature_columns, linear_optimizer, dnn_feature_columns, dnn_optimizer,
            dnn_hidden_units, dnn_activation_fn, dnn_dropout, config, None, batch_norm, linear_sparse_combiner,
            input_layer_partitioner,
        )  # fmt: skip


def add_metrics(estimator, metric_fn):
    """Returns an Estimator like `estimator` whose evaluations have the metrics of metric_fn, too.

    metric_fn: takes any of labels, predictions, features and config, and returns {name: (value, update)}. Raises
    ValueError when it takes another argument.
    """
    taken = arguments_of(metric_fn)
    if not set(taken) <= {"labels", "predictions", "features", "config"}:
        raise ValueError(f"metric_fn ({metric_fn}) has following not expected args: {sorted(taken)}")

    def model_fn(features, labels, mode, config):
        spec = estimator._call(features, labels, mode)
        if mode != ModeKeys.EVAL:
            return spec
        given = {"labels": labels, "predictions": spec.predictions, "features": features, "config": config}
        more = metric_fn(**{name: given[name] for name in taken})
        return spec._replace(eval_metric_ops={**spec.eval_metric_ops, **more})

    return Estimator(model_fn, estimator.model_dir, estimator.config, warm_start_from=estimator._warm_start)
