"""tf.contrib.layers, the base of tf.contrib.slim: layers with scopes of their own and defaults from arg_scope."""

import functools

import tensorflow.compat.v1 as v1

from tf1ref.legacy import layers as core
from tf1ref.legacy.contrib.framework import model_variable
from tf1ref.legacy.contrib.framework._arg_scope import add_arg_scope
from tf1ref.legacy.contrib.layers._columns import (
    bucketized_column,
    create_feature_spec_for_parsing,
    crossed_column,
    embedding_column,
    input_from_feature_columns,
    one_hot_column,
    real_valued_column,
    shared_embedding_columns,
    sparse_column_with_hash_bucket,
    sparse_column_with_integerized_feature,
    sparse_column_with_keys,
    sparse_column_with_vocabulary_file,
    weighted_sparse_column,
)
from tf1ref.legacy.contrib.layers._conv import (
    conv1d,
    conv2d,
    conv2d_in_plane,
    conv2d_transpose,
    conv3d,
    conv3d_transpose,
    convolution,
    convolution1d,
    convolution2d,
    convolution2d_in_plane,
    convolution2d_transpose,
    convolution3d,
    convolution3d_transpose,
    separable_conv2d,
    separable_convolution2d,
)
from tf1ref.legacy.contrib.layers._gdn import gdn
from tf1ref.legacy.contrib.layers._group_norm import group_norm, instance_norm
from tf1ref.legacy.contrib.layers._norm import batch_norm, layer_norm
from tf1ref.legacy.contrib.layers._older import embed_sequence, legacy_fully_connected, legacy_relu
from tf1ref.legacy.contrib.layers._optimize import (
    OPTIMIZER_CLS_NAMES,
    OPTIMIZER_SUMMARIES,
    adaptive_clipping_fn,
    optimize_loss,
    summarize_activation,
    summarize_activations,
    summarize_collection,
    summarize_tensor,
    summarize_tensors,
    summarize_variables,
)
from tf1ref.legacy.contrib.layers._parts import (
    collect_named_outputs,
    get_variable_collections,
    variance_scaling_initializer,
    xavier_initializer,
    xavier_initializer_conv2d,
)
from tf1ref.legacy.contrib.layers._pool import avg_pool2d, avg_pool3d, max_pool2d, max_pool3d, pool
from tf1ref.legacy.contrib.layers._regularizers import (
    apply_regularization,
    l1_l2_regularizer,
    l1_regularizer,
    l2_regularizer,
    sum_regularizer,
)
from tf1ref.legacy.contrib.layers._small import (
    bow_encoder,
    dense_to_sparse,
    embedding_lookup_unique,
    images_to_sequence,
    poincare_normalize,
    safe_embedding_lookup_sparse,
    scale_gradient,
    sequence_to_images,
    spatial_softmax,
)
from tf1ref.legacy.contrib.layers._utils import last_dimension
from tf1ref.legacy.contrib.layers._weighted import ZEROS, weighted

__all__ = [
    "OPTIMIZER_CLS_NAMES", "OPTIMIZER_SUMMARIES", "adaptive_clipping_fn", "apply_regularization", "avg_pool2d",
    "avg_pool3d", "batch_norm",
    "bias_add", "bow_encoder", "bucketized_column", "conv1d", "conv2d", "conv2d_in_plane", "conv2d_transpose", "conv3d",
    "conv3d_transpose", "convolution", "convolution1d", "convolution2d", "convolution2d_in_plane",
    "convolution2d_transpose", "convolution3d", "convolution3d_transpose", "create_feature_spec_for_parsing",
    "crossed_column", "dense_to_sparse", "dropout", "elu", "embed_sequence", "embedding_column",
    "embedding_lookup_unique", "flatten", "fully_connected", "gdn", "group_norm", "images_to_sequence",
    "input_from_feature_columns",
    "instance_norm", "l1_l2_regularizer", "l1_regularizer", "l2_regularizer", "layer_norm", "legacy_fully_connected",
    "legacy_relu",
    "linear", "max_pool2d", "max_pool3d", "maxout", "one_hot_column", "one_hot_encoding", "optimize_loss",
    "poincare_normalize", "pool",
    "real_valued_column", "relu", "relu6", "repeat", "safe_embedding_lookup_sparse", "scale_gradient",
    "separable_conv2d", "separable_convolution2d", "sequence_to_images", "shared_embedding_columns", "softmax",
    "sparse_column_with_hash_bucket", "sparse_column_with_integerized_feature", "sparse_column_with_keys",
    "sparse_column_with_vocabulary_file", "spatial_softmax", "stack", "sum_regularizer", "summarize_activation",
    "summarize_activations", "summarize_collection", "summarize_tensor", "summarize_tensors", "summarize_variables",
    "unit_norm", "variance_scaling_initializer", "weighted_sparse_column", "xavier_initializer",
    "xavier_initializer_conv2d",
]  # fmt: skip


@add_arg_scope
@weighted
def fully_connected(inputs, num_outputs, *, common):
    """Computes inputs @ weights + biases over the last axis. The scope is fully_connected.

    Raises ValueError when num_outputs is not an integer, and when the last axis of the inputs is unknown.

    >>> with v1.Graph().as_default():
    ...     print(fully_connected(v1.zeros([4, 3]), 2).shape)
    ...     print([v.op.name for v in v1.trainable_variables()])
    (4, 2)
    ['fully_connected/weights', 'fully_connected/biases']
    """
    if not isinstance(num_outputs, int):
        raise ValueError(f"num_outputs type should be one of int, got {type(num_outputs)}.")
    inputs = v1.convert_to_tensor(inputs)
    with common.open("fully_connected", inputs) as sc:
        size, rank = inputs.get_shape().as_list()[-1], inputs.get_shape().ndims
        if size is None:
            raise ValueError(f"{sc.name}: the last dimension of the inputs should be defined, found None")
        weights = common.weights("weights", [size, num_outputs], inputs.dtype.base_dtype)
        outputs = v1.matmul(inputs, weights) if rank == 2 else v1.tensordot(inputs, weights, [[rank - 1], [0]])
        return common.finished(common.biased(outputs, num_outputs), sc.name)


linear = functools.partial(fully_connected, activation_fn=None)
relu = functools.partial(fully_connected, activation_fn=v1.nn.relu)
relu6 = functools.partial(fully_connected, activation_fn=v1.nn.relu6)
elu = functools.partial(fully_connected, activation_fn=v1.nn.elu)


@add_arg_scope
def bias_add(
    inputs,
    activation_fn=None,
    initializer=ZEROS,
    regularizer=None,
    reuse=None,
    variables_collections=None,
    outputs_collections=None,
    trainable=True,
    data_format="NHWC",
    scope=None,
):
    """Adds `biases` along the channels. The scope is BiasAdd."""
    inputs = v1.convert_to_tensor(inputs)
    with v1.variable_scope(scope, "BiasAdd", [inputs], reuse=reuse) as sc:
        size = inputs.get_shape().as_list()[1 if data_format == "NCHW" else -1]
        collections = get_variable_collections(variables_collections, "biases")
        dtype = inputs.dtype.base_dtype
        biases = model_variable("biases", [size], dtype, initializer, regularizer, trainable, collections)
        outputs = v1.nn.bias_add(inputs, biases, data_format=data_format)
        outputs = outputs if activation_fn is None else activation_fn(outputs)
        return collect_named_outputs(outputs_collections, sc.name, outputs)


@add_arg_scope
def dropout(inputs, keep_prob=0.5, noise_shape=None, is_training=True, outputs_collections=None, scope=None, seed=None):
    """Keeps each element with probability keep_prob and scales it by 1 / keep_prob while training. Scope: Dropout."""
    with v1.variable_scope(scope, "Dropout", [inputs]) as sc:
        inputs = v1.convert_to_tensor(inputs)
        layer = core.Dropout(1 - keep_prob, noise_shape, seed, name=sc.name, _scope=sc)
        return collect_named_outputs(outputs_collections, sc.name, layer(inputs, training=is_training))


@add_arg_scope
def flatten(inputs, outputs_collections=None, scope=None):
    """Reshapes [n, ...] to [n, product of the other sizes].

    >>> with v1.Graph().as_default():
    ...     print(flatten(v1.zeros([4, 3, 2])).shape)
    (4, 6)
    """
    with v1.name_scope(scope, "Flatten", [inputs]) as sc:
        return collect_named_outputs(outputs_collections, sc, core.flatten(v1.convert_to_tensor(inputs)))


@add_arg_scope
def one_hot_encoding(labels, num_classes, on_value=1.0, off_value=0.0, outputs_collections=None, scope=None):
    """Turns integers [n] into one-hot rows [n, num_classes]."""
    with v1.name_scope(scope, "OneHotEncoding", [labels, num_classes]) as sc:
        labels = v1.cast(labels, v1.int64) if v1.convert_to_tensor(labels).dtype == v1.int32 else labels
        outputs = v1.one_hot(labels, num_classes, on_value=on_value, off_value=off_value)
        return collect_named_outputs(outputs_collections, sc, outputs)


@add_arg_scope
def softmax(logits, scope=None):
    """Softmax over the last axis of a tensor of any rank. Raises ValueError when the size of that axis is unknown."""
    with v1.variable_scope(scope, "softmax", [logits]):
        classes = last_dimension(logits.get_shape(), min_rank=2)
        outputs = v1.reshape(v1.nn.softmax(v1.reshape(logits, [-1, classes])), v1.shape(logits))
        outputs.set_shape(logits.get_shape())
        return outputs


@add_arg_scope
def unit_norm(inputs, dim, epsilon=1e-7, scope=None):
    """Divides by the Euclidean length along `dim`. epsilon is added under the root."""
    with v1.variable_scope(scope, "UnitNorm", [inputs]):
        inputs = v1.convert_to_tensor(inputs)
        rank = inputs.get_shape().ndims
        if rank is None:
            raise ValueError("The input rank must be known.")
        if dim and dim >= rank:
            raise ValueError(f"dim must be positive but smaller than the input rank: {dim} of {rank}")
        length = v1.sqrt(v1.reduce_sum(v1.square(inputs), axis=dim, keepdims=True) + epsilon)
        return v1.div(inputs, length)


@add_arg_scope
def maxout(inputs, num_units, axis=-1, scope=None):
    """Takes the largest of each group along `axis`, which becomes num_units long (Goodfellow et al., 2013).

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     print(sess.run(maxout(v1.constant([[1.0, 5.0, 2.0, 3.0]]), 2)))
    [[5. 3.]]
    """
    with v1.variable_scope(scope, "MaxOut", [inputs]):
        inputs = v1.convert_to_tensor(inputs)
        shape = inputs.get_shape().as_list()
        axis = axis % len(shape)
        if shape[axis] % num_units:
            raise ValueError(f"number of features({shape[axis]}) is not a multiple of num_units({num_units})")
        sizes = [-1 if size is None else size for size in shape]
        sizes[axis : axis + 1] = [num_units, shape[axis] // num_units]
        return v1.reduce_max(v1.reshape(inputs, sizes), axis=axis + 1)


@add_arg_scope
def repeat(inputs, repetitions, layer, *args, **kwargs):
    """Applies `layer` `repetitions` times, each time with new variables, in scope/scope_1, scope/scope_2 ..."""
    scope = kwargs.pop("scope", None)
    with v1.variable_scope(scope, "Repeat", [inputs]):
        scope = scope or getattr(layer, "__name__", None) or layer.func.__name__
        for number in range(repetitions):
            inputs = layer(inputs, *args, **kwargs, scope=f"{scope}_{number + 1}")
        return inputs


@add_arg_scope
def stack(inputs, layer, stack_args, **kwargs):
    """Applies `layer` with each of `stack_args` in turn, in scope/scope_1, scope/scope_2 ..."""
    scope = kwargs.pop("scope", None)
    with v1.variable_scope(scope, "Stack", [inputs]):
        scope = scope or getattr(layer, "__name__", None) or layer.func.__name__
        for number, args in enumerate(stack_args):
            args = args if isinstance(args, (list, tuple)) else [args]
            inputs = layer(inputs, *args, **kwargs, scope=f"{scope}_{number + 1}")
        return inputs
