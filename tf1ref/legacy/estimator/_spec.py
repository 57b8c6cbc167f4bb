"""What an Estimator's model_fn returns: EstimatorSpec, its modes and its checks."""

import os
from typing import NamedTuple

import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.python.util import nest

from tf1ref.legacy.estimator import export

LOSS_METRIC_KEY, AVERAGE_LOSS_METRIC_KEY = "loss", "average_loss"


class ModeKeys:
    """The three modes in which a model function is called."""

    TRAIN, EVAL, PREDICT = "train", "eval", "infer"


class _Spec(NamedTuple):
    mode: str
    predictions: object
    loss: object
    train_op: object
    eval_metric_ops: dict
    export_outputs: dict
    training_chief_hooks: tuple
    training_hooks: tuple
    scaffold: object
    evaluation_hooks: tuple
    prediction_hooks: tuple


class EstimatorSpec(_Spec):
    """The result of a model function: train_op and loss, loss and metrics, or predictions, by its mode.

    eval_metric_ops: {name: (value, update) or an object of tf.keras.metrics}. Raises ValueError when a part that the
    mode needs is missing, for a loss that is not a scalar, and for a tensor of another graph. Raises TypeError for a
    part of another type.
    """

    __slots__ = ()

    def __new__(
        cls,
        mode,
        predictions=None,
        loss=None,
        train_op=None,
        eval_metric_ops=None,
        export_outputs=None,
        training_chief_hooks=None,
        training_hooks=None,
        scaffold=None,
        evaluation_hooks=None,
        prediction_hooks=None,
    ):
        if mode is not None and mode not in (ModeKeys.TRAIN, ModeKeys.EVAL, ModeKeys.PREDICT):
            raise ValueError(f"mode is one of tf.estimator.ModeKeys, not {mode!r}")
        train_op, loss = _train_op(train_op, mode), _loss(loss, mode)
        predictions = _predictions(predictions, mode)
        if mode == ModeKeys.PREDICT:
            export_outputs = export.completed(export_outputs, predictions)
        training_chief_hooks, training_hooks, evaluation_hooks, prediction_hooks = (
            _hooks(each) for each in (training_chief_hooks, training_hooks, evaluation_hooks, prediction_hooks)
        )
        scaffold = scaffold or v1.train.Scaffold()
        if not isinstance(scaffold, v1.train.Scaffold):
            raise TypeError(f"scaffold must be tf.train.Scaffold. Given: {scaffold}")
        return super().__new__(
            cls, mode, predictions, loss, train_op, _metrics(eval_metric_ops), export_outputs, training_chief_hooks,
            training_hooks, scaffold, evaluation_hooks, prediction_hooks,
        )  # fmt: skip

    def _replace(self, **changed):
        """Returns a copy with other parts, which are checked. Raises ValueError for another mode."""
        if changed.get("mode", self.mode) != self.mode:
            raise ValueError("mode of EstimatorSpec cannot be changed.")
        return EstimatorSpec(**{**self._asdict(), **changed})


def _train_op(train_op, mode):
    if train_op is None:
        if mode == ModeKeys.TRAIN:
            raise ValueError("Missing train_op.")
        return None
    if not isinstance(train_op, (v1.Operation, v1.Tensor, tf.Variable)):
        raise TypeError(f"train_op must be Operation or Tensor, given: {train_op}")
    train_op = train_op.op if isinstance(train_op, tf.Variable) else train_op
    return _here(train_op, "train_op")


def _loss(loss, mode):
    if loss is None:
        if mode in (ModeKeys.TRAIN, ModeKeys.EVAL):
            raise ValueError("Missing loss.")
        return None
    loss = _here(_tensor(loss, "loss"), "loss")
    if loss.shape.num_elements() not in (None, 1):
        raise ValueError(f"Loss must be scalar, given: {loss}")
    return v1.reshape(loss, []) if loss.shape.rank else loss


def _predictions(predictions, mode):
    if predictions is None:
        if mode == ModeKeys.PREDICT:
            raise ValueError("Missing predictions.")
        return {}
    if not isinstance(predictions, dict):
        return _here(_tensor(predictions, "predictions"), "prediction values")
    return {
        name: _here(_tensor(each, f"predictions[{name}]"), "prediction values") for name, each in predictions.items()
    }


def _metrics(metrics):
    """Returns {name: (value, update)}. The variables of metrics that are objects join the local ones."""
    if not isinstance(metrics, (dict, type(None))):
        raise TypeError(f"eval_metric_ops must be a dict, given: {metrics}")
    return {name: _metric(name, each) for name, each in (metrics or {}).items()}


def _metric(name, given):
    if hasattr(given, "update_state"):
        if not given.updates:
            raise ValueError(f"Please call update_state(...) on the {given.name!r} metric")
        pair = given.result(), given.updates[0]
    elif isinstance(given, tuple) and len(given) == 2:
        pair = given
    else:
        raise TypeError(
            f"Values of eval_metric_ops must be (metric_value, update_op) tuples, given: {given} for key: {name}"
        )
    for each in nest.flatten(pair):
        _here(each, f"eval_metric_ops {name}:")
    for variable in given.variables if hasattr(given, "update_state") else ():
        for collection in (v1.GraphKeys.LOCAL_VARIABLES, v1.GraphKeys.METRIC_VARIABLES):
            if all(variable is not known for known in v1.get_collection_ref(collection)):
                v1.add_to_collection(collection, variable)
    return pair


def _hooks(hooks):
    hooks = tuple(hooks or ())
    for hook in hooks:
        if not isinstance(hook, v1.train.SessionRunHook):
            raise TypeError(f"All hooks must be SessionRunHook instances, given: {hook}")
    return hooks


def _tensor(value, what):
    if not isinstance(value, (v1.Tensor, tf.Variable)):
        raise TypeError(f"{what} must be Tensor, given: {value}")
    return v1.convert_to_tensor(value) if isinstance(value, tf.Variable) else value


def _here(value, what):
    """Returns `value`. Raises ValueError when it belongs to another graph than the default one."""
    graph = None if v1.executing_eagerly() else getattr(value, "graph", None)
    if graph is not None and graph is not v1.get_default_graph():
        raise ValueError(
            f"{what} {value.name} must be from the default graph: make it in this call of model_fn, which has a "
            "graph of its own"
        )
    return value


class WarmStartSettings(NamedTuple):
    """Which variables start from which checkpoint: the arguments of v1.train.warm_start.

    vars_to_warm_start: a pattern of names, a list of them, or None for only the variables of the vocabularies.
    """

    ckpt_to_initialize_from: str
    vars_to_warm_start: object = ".*"
    var_name_to_vocab_info: dict = None
    var_name_to_prev_var_name: dict = None


def warm_start_of(given):
    """Returns the WarmStartSettings of a folder, a checkpoint's prefix or a SavedModel; None stays None.

    Raises TypeError for anything else.
    """
    if given is None or isinstance(given, WarmStartSettings):
        return given
    if not isinstance(given, (str, bytes, os.PathLike)):
        raise TypeError(f"warm_start_from must be a string or a WarmStartSettings, instead got {type(given)}")
    path = os.fsdecode(given)
    inside = os.path.join(path, "variables", "variables")
    return WarmStartSettings(inside if v1.saved_model.contains_saved_model(path) else path)
