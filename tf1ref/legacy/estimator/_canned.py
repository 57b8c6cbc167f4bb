"""The canned estimators: linear models, dense networks, and both together, over feature columns."""

import math

import tensorflow.compat.v1 as v1

from tf1ref.legacy import layers
from tf1ref.legacy.contrib.layers._optimize import OPTIMIZER_CLS_NAMES
from tf1ref.legacy.estimator._core import Estimator
from tf1ref.legacy.estimator._heads import BinaryHead, MultiClassHead, RegressionHead

SUM = v1.losses.Reduction.SUM
SLICE = 64 << 20  # bytes from which the variables of feature columns are cut into parts
# The rates of a combined model's two parts in 1.15.
DNN_RATE, LINEAR_RATE = 0.001, 0.005


def classes_head(n_classes, label_vocabulary, weight_column, loss_reduction):
    """Returns the head for that number of classes. Raises ValueError for fewer than two."""
    if n_classes < 2:
        raise ValueError(f"n_classes must be at least 2, given: {n_classes}")
    given = {"weight_column": weight_column, "loss_reduction": loss_reduction}
    return (
        BinaryHead(label_vocabulary, **given)
        if n_classes == 2
        else MultiClassHead(n_classes, label_vocabulary, **given)
    )


def get_optimizer_instance(opt, learning_rate=None):
    """Returns an optimizer from a name, an instance or a function. Raises ValueError for anything else."""
    if isinstance(opt, str):
        if learning_rate is None:
            raise ValueError("learning_rate must be specified when opt is string.")
        if opt not in OPTIMIZER_CLS_NAMES:
            raise ValueError(
                f"Unsupported optimizer name: {opt}. Supported names are: {', '.join(OPTIMIZER_CLS_NAMES)}"
            )
        return OPTIMIZER_CLS_NAMES[opt](learning_rate=learning_rate)
    made = opt() if callable(opt) else opt
    if not isinstance(made, v1.train.Optimizer):
        raise ValueError(f"The given object is not an Optimizer instance. Given: {made!r}")
    return made


def _partitioner(config, **size):
    """Returns TF1's partitioner: at most one part for each ps task, in names such as `kernel/part_0`."""
    return v1.min_max_variable_partitioner(max_partitions=config.num_ps_replicas, **size)


def _linear_logits(features, columns, units, sparse_combiner):
    by_column = {}
    logits = v1.feature_column.linear_model(
        features, columns, units=units, sparse_combiner=sparse_combiner, cols_to_vars=by_column
    )
    bias = by_column.pop("bias")
    v1.summary.histogram("bias", bias) if units > 1 else v1.summary.scalar("bias", bias[0][0])
    weights = [v1.reshape(part, [-1]) for each in by_column.values() for part in each]
    v1.summary.scalar("fraction_of_zero_weights", v1.nn.zero_fraction(v1.concat(weights, 0)))
    return logits


def _dnn_logits(features, columns, units, hidden_units, activation_fn, dropout, batch_norm, mode, input_partitioner):
    training = mode == "train"
    with v1.variable_scope("input_from_feature_columns", partitioner=input_partitioner):
        net = v1.feature_column.input_layer(features, columns)
    start = v1.glorot_uniform_initializer()
    for number, size in enumerate(hidden_units):
        with v1.variable_scope(f"hiddenlayer_{number}", values=(net,)) as scope:
            net = layers.dense(net, size, activation=activation_fn, kernel_initializer=start, name=scope)
        if dropout is not None and training:
            net = layers.dropout(net, rate=dropout, training=True)
        if batch_norm:
            net = layers.batch_normalization(net, momentum=0.999, training=training, name=f"batchnorm_{number}")
        _summarize(net, scope.name)
    with v1.variable_scope("logits", values=(net,)) as scope:
        logits = layers.dense(net, units, activation=None, kernel_initializer=start, name=scope)
    _summarize(logits, scope.name)
    return logits


def _summarize(value, tag):
    v1.summary.scalar(f"{tag}/fraction_of_zero_values", v1.nn.zero_fraction(value))
    v1.summary.histogram(f"{tag}/activation", value)


def _features(features):
    if not isinstance(features, dict):
        raise ValueError(f"features should be a dictionary of `Tensor`s. Given type: {type(features)}")
    return {
        key: value if isinstance(value, v1.SparseTensor) else v1.convert_to_tensor(value)
        for key, value in features.items()
    }


class _Linear(Estimator):
    def __init__(
        self, head, columns, model_dir, optimizer, config, sparse_combiner, warm_start_from, partitioner=None
    ):  # fmt: skip
        columns = tuple(columns or ())

        def model_fn(features, labels, mode, config):
            features, wide = _features(features), partitioner or _partitioner(config, min_slice_size=SLICE)

            def train(loss):
                # 1.15 has this rate for a name. Without any optimizer it depends on the number of columns.
                rate = 0.2 if optimizer else min(0.2, 1.0 / math.sqrt(len(columns)))
                step = v1.train.get_global_step()
                return get_optimizer_instance(optimizer or "Ftrl", rate).minimize(loss, global_step=step)

            # The optimizer's variables are made inside of the scope, which decides their names in a checkpoint.
            with v1.variable_scope("linear", values=tuple(features.values()), partitioner=wide):
                logits = _linear_logits(features, columns, head.logits_dimension, sparse_combiner)
                return head.spec(features, mode, labels, logits, train)

        super().__init__(model_fn, model_dir, config, warm_start_from=warm_start_from)


class LinearRegressor(_Linear):
    """Weighted sums of feature columns, trained by Ftrl on the batch's sum of squared differences."""

    def __init__(
        self, feature_columns, model_dir=None, label_dimension=1, weight_column=None, optimizer="Ftrl", config=None,
        partitioner=None, warm_start_from=None, loss_reduction=SUM, sparse_combiner="sum",
    ):  # fmt: skip
        head = RegressionHead(label_dimension, weight_column=weight_column, loss_reduction=loss_reduction)
        super().__init__(
            head, feature_columns, model_dir, optimizer, config, sparse_combiner, warm_start_from, partitioner
        )


class LinearClassifier(_Linear):
    """Logistic or softmax regression over feature columns, trained by Ftrl."""

    def __init__(
        self, feature_columns, model_dir=None, n_classes=2, weight_column=None, label_vocabulary=None, optimizer="Ftrl",
        config=None, partitioner=None, warm_start_from=None, loss_reduction=SUM, sparse_combiner="sum",
    ):  # fmt: skip
        head = classes_head(n_classes, label_vocabulary, weight_column, loss_reduction)
        super().__init__(
            head, feature_columns, model_dir, optimizer, config, sparse_combiner, warm_start_from, partitioner
        )


class _DNN(Estimator):
    def __init__(
        self, head, hidden_units, columns, model_dir, optimizer, activation_fn, dropout, config, warm_start_from,
        batch_norm, input_layer_partitioner=None,
    ):  # fmt: skip
        def model_fn(features, labels, mode, config):
            features, made = _features(features), get_optimizer_instance(optimizer, 0.05)
            wide = input_layer_partitioner or _partitioner(config, min_slice_size=SLICE)

            def train(loss):
                with v1.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS)):
                    return made.minimize(loss, global_step=v1.train.get_global_step())

            with v1.variable_scope("dnn", values=tuple(features.values()), partitioner=_partitioner(config)):
                logits = _dnn_logits(
                    features, list(columns), head.logits_dimension, hidden_units, activation_fn, dropout, batch_norm,
                    mode, wide,
                )  # fmt: skip
                return head.spec(features, mode, labels, logits, train)

        super().__init__(model_fn, model_dir, config, warm_start_from=warm_start_from)


class DNNRegressor(_DNN):
    """Dense layers over feature columns, trained by Adagrad (rate 0.05) on the batch's sum of squared differences."""

    def __init__(
        self, hidden_units, feature_columns, model_dir=None, label_dimension=1, weight_column=None, optimizer="Adagrad",
        activation_fn=v1.nn.relu, dropout=None, input_layer_partitioner=None, config=None, warm_start_from=None,
        loss_reduction=SUM, batch_norm=False,
    ):  # fmt: skip
        head = RegressionHead(label_dimension, weight_column=weight_column, loss_reduction=loss_reduction)
        super().__init__(
            head, hidden_units, feature_columns, model_dir, optimizer, activation_fn, dropout, config, warm_start_from,
            batch_norm, input_layer_partitioner,
        )  # fmt: skip


class DNNClassifier(_DNN):
    """Dense layers over feature columns, for classes, trained by Adagrad (rate 0.05)."""

    def __init__(
        self, hidden_units, feature_columns, model_dir=None, n_classes=2, weight_column=None, label_vocabulary=None,
        optimizer="Adagrad", activation_fn=v1.nn.relu, dropout=None, input_layer_partitioner=None, config=None,
        warm_start_from=None, loss_reduction=SUM, batch_norm=False,
    ):  # fmt: skip
        super().__init__(
            classes_head(n_classes, label_vocabulary, weight_column, loss_reduction), hidden_units, feature_columns,
            model_dir, optimizer, activation_fn, dropout, config, warm_start_from, batch_norm, input_layer_partitioner,
        )  # fmt: skip


class _Combined(Estimator):
    def __init__(
        self, head, model_dir, linear_columns, linear_optimizer, dnn_columns, dnn_optimizer, hidden_units,
        activation_fn, dropout, config, warm_start_from, batch_norm, sparse_combiner, input_layer_partitioner=None,
    ):  # fmt: skip
        linear_columns, dnn_columns = tuple(linear_columns or ()), list(dnn_columns or ())
        if not linear_columns and not dnn_columns:
            raise ValueError("Either linear_feature_columns or dnn_feature_columns must be defined.")
        if dnn_columns and not hidden_units:
            raise ValueError("dnn_hidden_units must be defined when dnn_feature_columns is specified.")

        def model_fn(features, labels, mode, config):
            features, units, parts = _features(features), head.logits_dimension, []
            wide = input_layer_partitioner or _partitioner(config, min_slice_size=SLICE)
            optimizers = {
                "dnn": dnn_columns and get_optimizer_instance(dnn_optimizer, DNN_RATE),
                "linear": linear_columns
                and get_optimizer_instance(linear_optimizer, min(LINEAR_RATE, 1.0 / math.sqrt(len(linear_columns)))),
            }
            if dnn_columns:
                with v1.variable_scope("dnn", values=tuple(features.values()), partitioner=_partitioner(config)):
                    parts.append(_dnn_logits(features, dnn_columns, units, hidden_units, activation_fn, dropout,
                                             batch_norm, mode, wide))  # fmt: skip
            if linear_columns:
                with v1.variable_scope("linear", values=tuple(features.values()), partitioner=wide) as scope:
                    parts.append(_linear_logits(features, linear_columns, units, sparse_combiner))
                    _summarize(parts[-1], scope.name)
            logits = parts[0] if len(parts) == 1 else parts[0] + parts[1]
            return head.spec(features, mode, labels, logits, lambda loss: _minimized(loss, optimizers))

        super().__init__(model_fn, model_dir, config, warm_start_from=warm_start_from)


def _minimized(loss, optimizers):
    """Returns the op that trains each scope with its own optimizer, {scope: optimizer}, and counts the step."""
    ops = []
    for scope, optimizer in optimizers.items():
        if optimizer:
            variables = v1.get_collection(v1.GraphKeys.TRAINABLE_VARIABLES, scope=scope)
            ops.append(optimizer.minimize(loss, var_list=variables))
    with v1.control_dependencies([*ops, *v1.get_collection(v1.GraphKeys.UPDATE_OPS)]):
        return v1.assign_add(v1.train.get_global_step(), 1).op


class DNNLinearCombinedRegressor(_Combined):
    """A linear model and a dense network, whose logits are added."""

    def __init__(
        self, model_dir=None, linear_feature_columns=None, linear_optimizer="Ftrl", dnn_feature_columns=None,
        dnn_optimizer="Adagrad", dnn_hidden_units=None, dnn_activation_fn=v1.nn.relu, dnn_dropout=None,
        label_dimension=1, weight_column=None, input_layer_partitioner=None, config=None, warm_start_from=None,
        loss_reduction=SUM, batch_norm=False, linear_sparse_combiner="sum",
    ):  # fmt: skip
        head = RegressionHead(label_dimension, weight_column=weight_column, loss_reduction=loss_reduction)
        super().__init__(
            head, model_dir, linear_feature_columns, linear_optimizer, dnn_feature_columns, dnn_optimizer,
            dnn_hidden_units, dnn_activation_fn, dnn_dropout, config, warm_start_from, batch_norm,
            linear_sparse_combiner, input_layer_partitioner,
        )  # fmt: skip


class DNNLinearCombinedClassifier(_Combined):
    """Wide and deep: a linear model and a dense network for classes, whose logits are added."""

    def __init__(
        self, model_dir=None, linear_feature_columns=None, linear_optimizer="Ftrl", dnn_feature_columns=None,
        dnn_optimizer="Adagrad", dnn_hidden_units=None, dnn_activation_fn=v1.nn.relu, dnn_dropout=None, n_classes=2,
        weight_column=None, label_vocabulary=None, input_layer_partitioner=None, config=None, warm_start_from=None,
        loss_reduction=SUM, batch_norm=False, linear_sparse_combiner="sum",
    ):  # fmt: skip
        super().__init__(
            classes_head(n_classes, label_vocabulary, weight_column, loss_reduction), model_dir, linear_feature_columns,
            linear_optimizer, dnn_feature_columns, dnn_optimizer, dnn_hidden_units, dnn_activation_fn, dnn_dropout,
            config, warm_start_from, batch_norm, linear_sparse_combiner, input_layer_partitioner,
        )  # fmt: skip
