"""Which arguments the functions given to an Estimator take, and what they return."""

import functools
import inspect

import numpy as np
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
    if isinstance(found, v1.data.Dataset):
        found = tensors_of(found)
    features, labels = found if isinstance(found, (tuple, list)) and len(found) == 2 else (found, None)
    return features, None if mode == ModeKeys.PREDICT else labels


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
