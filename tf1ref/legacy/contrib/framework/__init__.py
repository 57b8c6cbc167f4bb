"""tf.contrib.framework: variables in collections and by name, the step counter, checkpoints by name, arg_scope."""

import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.python.util import nest
from tensorflow.python.util.deprecation import deprecated, deprecated_arg_values, deprecated_args

from tf1ref.legacy._conditions import constant_value as smart_constant_value
from tf1ref.legacy._conditions import smart_cond
from tf1ref.legacy.contrib.framework._arg_scope import (
    add_arg_scope,
    arg_scope,
    arg_scope_func_key,
    arg_scoped_arguments,
    current_arg_scope,
    has_arg_scope,
)
from tf1ref.legacy.contrib.framework._tensors import (
    assert_scalar_int,
    convert_to_tensor_or_sparse_tensor,
    get_graph_from_inputs,
    get_name_scope,
    reduce_sum_n,
    remove_squeezable_dimensions,
    with_same_shape,
    with_shape,
)
from tf1ref.legacy.contrib.framework._values import (
    assign_from_checkpoint,
    assign_from_checkpoint_fn,
    assign_from_values,
    assign_from_values_fn,
    load_and_remap_matrix,
    load_and_remap_matrix_initializer,
    load_embedding_initializer,
)
from tf1ref.legacy.contrib.framework._variables import (
    VariableDeviceChooser,
    add_model_variable,
    filter_variables,
    get_local_variables,
    get_model_variables,
    get_trainable_variables,
    get_unique_variable,
    get_variable_full_name,
    get_variables,
    get_variables_by_name,
    get_variables_by_suffix,
    get_variables_to_restore,
    global_variable,
    local_variable,
    model_variable,
    variable,
    zero_initializer,
)

__all__ = [
    "CriticalSection", "TensorSpec", "VariableDeviceChooser", "add_arg_scope",
    "add_model_variable", "arg_scope", "arg_scope_func_key", "arg_scoped_arguments", "argsort", "assert_global_step",
    "assert_or_get_global_step", "assert_same_float_dtype", "assert_scalar", "assert_scalar_int",
    "assign_from_checkpoint", "assign_from_checkpoint_fn", "assign_from_values", "assign_from_values_fn",
    "broadcast_to", "convert_to_tensor_or_sparse_tensor", "create_global_step", "current_arg_scope", "deprecated",
    "deprecated_arg_values", "deprecated_args", "filter_variables", "get_global_step", "get_graph_from_inputs",
    "get_local_variables", "get_model_variables", "get_name_scope", "get_or_create_global_step",
    "get_trainable_variables", "get_unique_variable", "get_variable_full_name", "get_variables",
    "get_variables_by_name", "get_variables_by_suffix", "get_variables_to_restore", "global_variable", "has_arg_scope",
    "init_from_checkpoint", "is_non_decreasing", "is_numeric_tensor", "is_strictly_increasing", "is_tensor",
    "list_variables", "load_and_remap_matrix", "load_and_remap_matrix_initializer", "load_checkpoint",
    "load_embedding_initializer", "load_variable", "local_variable", "model_variable", "nest", "py_func",
    "reduce_sum_n", "remove_squeezable_dimensions", "smart_cond", "smart_constant_value", "sort", "variable",
    "with_same_shape", "with_shape", "zero_initializer",
]  # fmt: skip

argsort, sort, is_tensor, broadcast_to = v1.argsort, v1.sort, v1.is_tensor, v1.broadcast_to
is_numeric_tensor, is_non_decreasing = v1.debugging.is_numeric_tensor, v1.is_non_decreasing
is_strictly_increasing = v1.is_strictly_increasing
assert_same_float_dtype, assert_scalar = v1.assert_same_float_dtype, v1.assert_scalar
load_checkpoint, load_variable = v1.train.load_checkpoint, v1.train.load_variable
list_variables = v1.train.list_variables
init_from_checkpoint = v1.train.init_from_checkpoint
get_global_step, create_global_step = v1.train.get_global_step, v1.train.create_global_step
get_or_create_global_step, assert_global_step = v1.train.get_or_create_global_step, v1.train.assert_global_step
TensorSpec, CriticalSection = tf.TensorSpec, tf.CriticalSection


def assert_or_get_global_step(graph=None, global_step_tensor=None):
    """Returns the graph's step counter, or checks the given one."""
    if global_step_tensor is None:
        return get_global_step(graph)
    assert_global_step(global_step_tensor)
    return global_step_tensor


def py_func(func, args=(), kwargs=None, output_types=None, output_shapes=None, stateful=True, name=None):
    """tf.py_func with keyword arguments and nests. func gets arrays in the structure of args and kwargs.

    output_types, output_shapes: a single one, or a nest like func's result. With None, func returns nothing and this
    returns an op.
    """
    flat = nest.flatten((list(args), kwargs or {}))
    types = nest.flatten(output_types) if output_types is not None else []

    def called(*values):
        given, named = nest.pack_sequence_as((list(args), kwargs or {}), list(values))
        found = func(*given, **named)
        return nest.flatten(found) if output_types is not None else []

    outputs = v1.py_func(called, flat, types, stateful=stateful, name=name)
    if output_types is None:
        return outputs
    for output, shape in zip(outputs, nest.flatten_up_to(output_types, output_shapes) if output_shapes else ()):
        output.set_shape(shape)
    return nest.pack_sequence_as(output_types, outputs)
