"""tf.contrib.layers' functions from before slim: a dense layer with `weights` and `bias`, and embedded sequences."""

import functools

import tensorflow.compat.v1 as v1
from tensorflow.python.util import nest

from tf1ref.legacy.contrib.framework import model_variable
from tf1ref.legacy.contrib.layers._small import embedding_lookup_unique
from tf1ref.legacy.contrib.layers._weighted import XAVIER, ZEROS


def embed_sequence(
    ids,
    vocab_size=None,
    embed_dim=None,
    unique=False,
    initializer=None,
    regularizer=None,
    trainable=True,
    scope=None,
    reuse=None,
):
    """Turns ids [n, length] into [n, length, embed_dim], by the variable EmbedSequence/embeddings."""
    if not (reuse or (vocab_size and embed_dim)):
        raise ValueError(
            f"Must specify vocab size and embedding dimension when not reusing. Got {vocab_size}, {embed_dim}"
        )
    with v1.variable_scope(scope, "EmbedSequence", [ids], reuse=reuse):
        shape = [vocab_size, embed_dim] if vocab_size else None
        embeddings = model_variable("embeddings", shape, v1.float32, initializer, regularizer, trainable)
        # To look up each id once costs a sort. It saves memory when few ids repeat often.
        lookup = embedding_lookup_unique if unique else v1.nn.embedding_lookup
        return lookup(embeddings, ids)


def legacy_fully_connected(
    x,
    num_output_units,
    activation_fn=None,
    weight_init=XAVIER,
    bias_init=ZEROS,
    name=None,
    weight_collections=(v1.GraphKeys.WEIGHTS,),
    bias_collections=(v1.GraphKeys.BIASES,),
    output_collections=(v1.GraphKeys.ACTIVATIONS,),
    trainable=True,
    weight_regularizer=None,
    bias_regularizer=None,
):
    """A dense layer from before slim. The variables are `weights` and `bias` in the scope fully_connected.

    Raises ValueError for inputs of a rank below 2, and when the last axis is unknown.
    """
    with v1.variable_scope(name, "fully_connected", [x]):
        x = v1.convert_to_tensor(x)
        if x.get_shape().ndims is None:
            raise ValueError("dims of x must be known but is None")
        if x.get_shape().ndims < 2:
            raise ValueError(f"rank of x must be at least 2 not: {x.get_shape().ndims}")
        *before, size = x.get_shape().as_list()
        if size is None:
            raise ValueError("last dimension of x must be known but is None")
        dtype, everywhere = x.dtype.base_dtype, [v1.GraphKeys.GLOBAL_VARIABLES]
        weights = v1.get_variable(
            "weights", [size, num_output_units], dtype, weight_init, weight_regularizer, trainable,
            collections=[*weight_collections, *everywhere],
        )  # fmt: skip
        y = v1.matmul(v1.reshape(x, [-1, size]) if len(before) > 1 else x, weights)
        if bias_init is not None:
            bias = v1.get_variable(
                "bias", [num_output_units], dtype, bias_init, bias_regularizer, trainable,
                collections=[*bias_collections, *everywhere],
            )  # fmt: skip
            y = v1.nn.bias_add(y, bias)
        if len(before) > 1:
            y = v1.reshape(y, v1.concat([v1.shape(x)[:-1], [num_output_units]], 0))
            y.set_shape([*before, num_output_units])
        y = y if activation_fn is None else activation_fn(y)
        for collection in nest.flatten(list(output_collections)):
            v1.add_to_collection(collection, y)
        return y


legacy_relu = functools.partial(legacy_fully_connected, activation_fn=v1.nn.relu)
