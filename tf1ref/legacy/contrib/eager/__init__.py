"""tf.contrib.eager, the part that programs used: gradients of functions, iterators, variables, networks."""

import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.python.data.ops import iterator_ops
from tensorflow.python.eager import context
from tensorflow.python.framework import test_util
from tensorflow.python.ops.variable_scope import EagerVariableStore
from tensorflow.python.trackable.autotrackable import AutoTrackable
from tensorflow.python.util import nest

from tf1ref.legacy.contrib.eager import metrics
from tf1ref.legacy.contrib.eager._network import Network, Sequential
from tf1ref.legacy.contrib.eager._saver import Saver, get_optimizer_variables, restore_variables_on_create

__all__ = [
    "Checkpoint", "Checkpointable", "DEVICE_PLACEMENT_EXPLICIT", "DEVICE_PLACEMENT_SILENT", "DEVICE_PLACEMENT_WARN",
    "EagerVariableStore", "GradientTape", "Iterator", "Network", "Saver", "Sequential", "TensorSpec", "Variable",
    "custom_gradient", "defun", "enable_eager_execution", "executing_eagerly", "function",
    "get_optimizer_variables", "gradients_function",
    "implicit_gradients", "implicit_value_and_gradients", "in_eager_mode", "list_devices", "make_template", "metrics",
    "num_gpus", "py_func", "restore_variables_on_create", "run_all_tests_in_graph_and_eager_modes",
    "run_test_in_graph_and_eager_modes", "value_and_gradients_function",
]  # fmt: skip

DEVICE_PLACEMENT_EXPLICIT, DEVICE_PLACEMENT_WARN = context.DEVICE_PLACEMENT_EXPLICIT, context.DEVICE_PLACEMENT_WARN
DEVICE_PLACEMENT_SILENT = context.DEVICE_PLACEMENT_SILENT
Checkpointable = AutoTrackable
run_test_in_graph_and_eager_modes = test_util.run_in_graph_and_eager_modes
run_all_tests_in_graph_and_eager_modes = test_util.run_all_in_graph_and_eager_modes
Checkpoint = v1.train.Checkpoint
GradientTape = tf.GradientTape
TensorSpec = tf.TensorSpec
custom_gradient = v1.custom_gradient
make_template = v1.make_template
enable_eager_execution = v1.enable_eager_execution
executing_eagerly = v1.executing_eagerly
in_eager_mode = v1.executing_eagerly
defun = function = tf.function
py_func = v1.py_function
list_devices = tf.config.list_logical_devices


def num_gpus():
    """Returns the number of GPUs."""
    return len(tf.config.list_physical_devices("GPU"))


def Variable(*args, **kwargs):  # noqa: N802 - a class in TF1
    """Returns a resource variable, the kind that eager execution has."""
    return v1.Variable(*args, **{"use_resource": True, **kwargs})


class Iterator(iterator_ops.OwnedIterator):
    """The elements of a data set, for a `for` loop, or for `next()` and `get_next()`. A Checkpoint saves its place."""

    def __init__(self, dataset):
        super().__init__(dataset)

    def next(self):
        """Returns the next element. Raises StopIteration at the end."""
        return next(self)


def implicit_value_and_gradients(f):
    """Returns a function that calls f and returns (value, [(gradient, variable)]) for the variables that f read."""

    def called(*args, **kwargs):
        with tf.GradientTape() as tape:
            value = f(*args, **kwargs)
        variables = tape.watched_variables()
        if not variables:
            raise ValueError("No trainable variables were accessed while the function was being computed.")
        return value, list(zip(tape.gradient(value, variables), variables))

    return called


def implicit_gradients(f):
    """Returns a function like that of implicit_value_and_gradients, without the value."""
    both = implicit_value_and_gradients(f)
    return lambda *args, **kwargs: both(*args, **kwargs)[1]


def value_and_gradients_function(f, params=None):
    """Returns a function of f's arguments that returns f's value and its gradients.

    params: the numbers of the arguments whose gradients are wanted; None (the default) means all.
    """

    def called(*args):
        args = [nest.map_structure(tf.convert_to_tensor, arg) for arg in args]
        by = [args[number] for number in (range(len(args)) if params is None else params)]
        with tf.GradientTape() as tape:
            tape.watch(by)
            value = f(*args)
        return value, tape.gradient(value, by)

    return called


def gradients_function(f, params=None):
    """Returns a function like that of value_and_gradients_function, without the value."""
    both = value_and_gradients_function(f, params)
    return lambda *args: both(*args)[1]
