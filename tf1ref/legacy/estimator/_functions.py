"""Which arguments the functions given to an Estimator take, and what they return."""

import functools
import inspect

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy.estimator._spec import ModeKeys
from tf1ref.legacy.estimator.inputs import tensors_of


def arguments_of(function):
    """Returns the names of the arguments that a function takes, without those that a functools.partial has set."""
    given = set()
    inner = function
    while isinstance(inner, functools.partial):
        given |= set(inner.keywords)
        inner = inner.func
    return [name for name in inspect.signature(function).parameters if name not in given]


def inputs_of(input_fn, mode, params, config):
    """Calls an input function with the arguments that it takes. Returns (features, labels or None)."""
    given = {"mode": mode, "params": params, "config": config}
    taken = arguments_of(input_fn)
    found = input_fn(**{name: value for name, value in given.items() if name in taken})
    # A data set of v1 is one of TensorFlow 2 as well.
    if isinstance(found, tf.data.Dataset):
        found = tensors_of(found)
    if mode == ModeKeys.PREDICT:
        _warn_of_endless(v1.get_default_graph())
    if not isinstance(found, (tuple, list)):
        return found, None
    if mode == ModeKeys.PREDICT:
        return found[0], None
    if len(found) != 2:
        raise ValueError("input_fn should return (features, labels) as a len 2 tuple.")
    return tuple(found)


def _warn_of_endless(graph):
    """Warns of an input that never ends, since no data set and no queue makes it."""
    if not (
        graph.get_collection(v1.GraphKeys.QUEUE_RUNNERS) or any("Iterator" in op.type for op in graph.get_operations())
    ):
        v1.logging.warning(
            "Input graph does not use tf.data.Dataset or contain a QueueRunner. That means predict yields forever. "
            "This is probably a mistake."
        )


def checked_model_fn(model_fn, params):
    """Raises ValueError for a model function that is missing or has other arguments than an Estimator gives."""
    if model_fn is None:
        raise ValueError("model_fn must be provided to Estimator.")
    taken = set(arguments_of(model_fn))
    if params is not None and "params" not in taken:
        raise ValueError(
            f"model_fn ({model_fn}) does not include params argument, but params ({params}) is passed to Estimator."
        )
    if "features" not in taken:
        raise ValueError(f"model_fn ({model_fn}) must include features argument.")
    if taken - {"features", "labels", "mode", "params", "config", "self"}:
        raise ValueError(f"model_fn ({model_fn}) has following not expected args: {sorted(taken)}")


def checked_hooks(hooks):
    """Returns the hooks as a list. Raises TypeError for anything else."""
    hooks = list(hooks or ())
    for hook in hooks:
        if not isinstance(hook, v1.train.SessionRunHook):
            raise TypeError(f"Hooks must be a SessionRunHook, given: {hook}")
    return hooks


def checked_listeners(listeners):
    """Returns the listeners as a list. Raises TypeError for anything else."""
    listeners = list(listeners or ())
    for listener in listeners:
        if not isinstance(listener, v1.train.CheckpointSaverListener):
            raise TypeError(f"saving_listeners must be a list of CheckpointSaverListener, given: {listener}")
    return listeners


def chosen(predictions, keys):
    """Returns the predictions with these names. Raises ValueError when there are none."""
    if not keys:
        return predictions
    if not isinstance(predictions, dict):
        raise ValueError("predict_keys argument is not valid in case of non-dict predictions.")
    chosen = {key: value for key, value in predictions.items() if key in keys}
    if not chosen:
        raise ValueError(f"Expected to run at least one output from {list(predictions)}, provided {keys}.")
    return chosen


def examples(found):
    """Yields the predictions of each example of a batch. Raises ValueError when their lengths differ."""
    lengths = {key: np.shape(value)[0] for key, value in found.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"Batch length of predictions should be same: {lengths}")
    for number in range(next(iter(lengths.values()))):
        yield {key: value[number] for key, value in found.items()}
