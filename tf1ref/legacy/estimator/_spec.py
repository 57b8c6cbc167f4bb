"""What an Estimator's model_fn takes and returns: modes, EstimatorSpec, RunConfig, outputs for export."""

import copy
from typing import NamedTuple

import tensorflow.compat.v1 as v1

from tf1ref.legacy.estimator import _distributed


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

    Raises ValueError when a part that the mode needs is missing, and for a loss that is not a scalar.
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
        needed = {ModeKeys.TRAIN: {"train_op": train_op, "loss": loss}, ModeKeys.EVAL: {"loss": loss}}
        needed[ModeKeys.PREDICT] = {"predictions": predictions}
        if mode is not None and mode not in needed:
            raise ValueError(f"mode is one of tf.estimator.ModeKeys, not {mode!r}")
        for name, value in needed.get(mode, {}).items():
            if value is None:
                raise ValueError(f"Missing {name}.")
        if loss is not None:
            loss = v1.convert_to_tensor(loss)
            if loss.shape.num_elements() not in (None, 1):
                raise ValueError(f"Loss must be scalar, given: {loss}")
            loss = v1.reshape(loss, []) if loss.shape.rank else loss
        for name, pair in (eval_metric_ops or {}).items():
            if not (isinstance(pair, tuple) and len(pair) == 2):
                raise TypeError(f"eval_metric_ops['{name}'] must be (value, update_op) from tf.metrics, not {pair!r}")
        return super().__new__(
            cls, mode, {} if predictions is None else predictions, loss, train_op, dict(eval_metric_ops or {}),
            export_outputs, tuple(training_chief_hooks or ()), tuple(training_hooks or ()), scaffold,
            tuple(evaluation_hooks or ()), tuple(prediction_hooks or ()),
        )  # fmt: skip


class WarmStartSettings(NamedTuple):
    """Which variables start from which checkpoint: the arguments of v1.train.warm_start.

    vars_to_warm_start: a pattern of names, a list of them, or None for only the variables of the vocabularies.
    """

    ckpt_to_initialize_from: str
    vars_to_warm_start: object = ".*"
    var_name_to_vocab_info: dict = None
    var_name_to_prev_var_name: dict = None


_UNSET = object()


class RunConfig:
    """Where and how often an Estimator saves, the configuration of its sessions, and its place in a cluster.

    TF_CONFIG describes the cluster. device_fn: places the model's ops instead of the cluster's own rule. Raises
    ValueError for save_checkpoints_secs (default: 600) together with save_checkpoints_steps, for distribution
    strategies, and for a protocol other than grpc.
    """

    def __init__(
        self,
        model_dir=None,
        tf_random_seed=None,
        save_summary_steps=100,
        save_checkpoints_steps=_UNSET,
        save_checkpoints_secs=_UNSET,
        session_config=None,
        keep_checkpoint_max=5,
        keep_checkpoint_every_n_hours=10000,
        log_step_count_steps=100,
        train_distribute=None,
        device_fn=None,
        protocol=None,
        eval_distribute=None,
        experimental_distribute=None,
        experimental_max_worker_delay_secs=None,
        session_creation_timeout_secs=7200,
    ):
        if any(given is not None for given in (train_distribute, eval_distribute, experimental_distribute)):
            raise ValueError("RunConfig: several devices of one process go through tf.distribute of TensorFlow 2")
        if protocol not in (None, "grpc"):
            raise ValueError(f"RunConfig: TensorFlow's servers speak grpc, not {protocol!r}")
        if all(given is not _UNSET and given is not None for given in (save_checkpoints_steps, save_checkpoints_secs)):
            raise ValueError("Can not provide both save_checkpoints_steps and save_checkpoints_secs.")
        steps = None if save_checkpoints_steps is _UNSET else save_checkpoints_steps
        seconds = save_checkpoints_secs
        if seconds is _UNSET:
            seconds = 600 if save_checkpoints_steps is _UNSET else None
        self.model_dir, self.tf_random_seed = model_dir, tf_random_seed
        self.save_summary_steps, self.save_checkpoints_steps = save_summary_steps, steps
        self.save_checkpoints_secs, self.session_config = seconds, session_config
        self.keep_checkpoint_max = keep_checkpoint_max
        self.keep_checkpoint_every_n_hours = keep_checkpoint_every_n_hours
        self.log_step_count_steps = log_step_count_steps
        self.device_fn, self.protocol, self.service = device_fn, protocol, None
        self.train_distribute = self.eval_distribute = None
        self.experimental_max_worker_delay_secs = experimental_max_worker_delay_secs
        self.session_creation_timeout_secs = session_creation_timeout_secs
        vars(self).update(_distributed.place())

    def replace(self, **kwargs):
        """Returns a copy with other values. Raises ValueError for an unknown name."""
        changed = copy.copy(self)
        for name, value in kwargs.items():
            if not hasattr(self, name):
                raise ValueError(f"RunConfig has no {name}")
            setattr(changed, name, value)
        if "save_checkpoints_steps" in kwargs and "save_checkpoints_secs" not in kwargs:
            changed.save_checkpoints_secs = None
        if "save_checkpoints_secs" in kwargs and "save_checkpoints_steps" not in kwargs:
            changed.save_checkpoints_steps = None
        return changed
