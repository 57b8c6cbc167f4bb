"""tf.estimator.RunConfig: where and how often an Estimator saves, its sessions, and its place in a cluster."""

import copy
import json
import os

import tensorflow.compat.v1 as v1

from tf1ref.legacy.estimator import _distributed
from tf1ref.legacy.estimator._functions import arguments_of

_UNSET = object()
_BOTH = "`save_checkpoints_steps` and `save_checkpoints_secs` cannot be both set."
# Property, what it must fulfil where it is not None, and what is said otherwise.
_CHECKS = (
    ("model_dir", lambda value: value != "", "model_dir should be non-empty"),
    ("save_summary_steps", lambda value: value >= 0, "save_summary_steps should be >= 0"),
    ("save_checkpoints_steps", lambda value: value >= 0, "save_checkpoints_steps should be >= 0"),
    ("save_checkpoints_secs", lambda value: value >= 0, "save_checkpoints_secs should be >= 0"),
    ("session_config", lambda value: isinstance(value, v1.ConfigProto),
     "session_config must be instance of ConfigProto"),
    ("keep_checkpoint_max", lambda value: value >= 0, "keep_checkpoint_max should be >= 0"),
    ("keep_checkpoint_every_n_hours", lambda value: value > 0, "keep_checkpoint_every_n_hours should be > 0"),
    ("log_step_count_steps", lambda value: value > 0, "log_step_count_steps should be > 0"),
    ("tf_random_seed", lambda value: isinstance(value, int), "tf_random_seed must be integer."),
    ("experimental_max_worker_delay_secs", lambda value: isinstance(value, int),
     "experimental_max_worker_delay_secs must be an integer if set."),
    ("session_creation_timeout_secs", lambda value: value > 0, "session_creation_timeout_secs should be > 0"),
    ("device_fn", lambda value: callable(value) and list(arguments_of(value)) == ["op"],
     'device_fn must be callable with exactly one argument "op".'),
    ("protocol", lambda value: value == "grpc", "RunConfig: protocol: TensorFlow's servers speak grpc"),
)  # fmt: skip


class RunConfig:
    """Where and how often an Estimator saves, the configuration of its sessions, and its place in a cluster.

    TF_CONFIG describes the cluster, and may give the model_dir. device_fn(op): places the model's ops instead of the
    cluster's own rule. Raises ValueError for save_checkpoints_secs (default: 600) together with save_checkpoints_steps,
    for distribution strategies, and for values and places that are not valid.
    """

    _replaceable = frozenset(
        (*(name for name, *_ in _CHECKS), "train_distribute", "eval_distribute", "experimental_distribute")
    )

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
        if save_checkpoints_secs is _UNSET:
            save_checkpoints_secs = 600 if save_checkpoints_steps is _UNSET else None
        steps = None if save_checkpoints_steps is _UNSET else save_checkpoints_steps
        if steps is not None and save_checkpoints_secs is not None:
            raise ValueError(_BOTH)
        cluster = _distributed.described(os.environ.get("TF_CONFIG"))
        # Subclasses may have properties of these names, which then count.
        vars(self).update(
            model_dir=_folder(model_dir, cluster), tf_random_seed=tf_random_seed, save_summary_steps=save_summary_steps,
            save_checkpoints_steps=steps, save_checkpoints_secs=save_checkpoints_secs, session_config=session_config,
            keep_checkpoint_max=keep_checkpoint_max, keep_checkpoint_every_n_hours=keep_checkpoint_every_n_hours,
            log_step_count_steps=log_step_count_steps, device_fn=device_fn, protocol=protocol, train_distribute=None,
            eval_distribute=None, experimental_distribute=None,
            experimental_max_worker_delay_secs=experimental_max_worker_delay_secs,
            session_creation_timeout_secs=session_creation_timeout_secs,
        )  # fmt: skip
        _check(self)
        vars(self).update(_distributed.place(cluster))
        if self.session_config is None and cluster.get("cluster"):
            vars(self)["session_config"] = _distributed.session_config(self.task_type, self.task_id)

    def replace(self, **kwargs):
        """Returns a copy with other values. Raises ValueError for a name that cannot be replaced, such as `master`."""
        changed = copy.copy(self)
        for name, value in kwargs.items():
            if name not in self._replaceable:
                raise ValueError(f"Replacing {name} is not supported. Allowed properties are {set(self._replaceable)}.")
            vars(changed)[name] = value
        steps, seconds = kwargs.get("save_checkpoints_steps"), kwargs.get("save_checkpoints_secs")
        if steps is not None and seconds is not None:
            raise ValueError(_BOTH)
        if steps is not None and "save_checkpoints_secs" not in kwargs:
            vars(changed)["save_checkpoints_secs"] = None
        if seconds is not None and "save_checkpoints_steps" not in kwargs:
            vars(changed)["save_checkpoints_steps"] = None
        _check(changed)
        return changed


def _check(config):
    for name, valid, message in _CHECKS:
        value = getattr(config, name)
        if value is not None and not valid(value):
            raise ValueError(message)


def _folder(given, cluster):
    """Returns the model's folder: the given one, or that of TF_CONFIG. Raises ValueError when they differ."""
    given, described = None if given is None else os.fspath(given), cluster.get("model_dir")
    if described == "":
        raise ValueError("model_dir in TF_CONFIG should be non-empty.")
    if given and described and given != described:
        raise ValueError(
            "`model_dir` provided in RunConfig construct, if set, must have the same value as the model_dir in "
            f"TF_CONFIG. They are {given} and {json.dumps(described)}."
        )
    return described if given is None else given
