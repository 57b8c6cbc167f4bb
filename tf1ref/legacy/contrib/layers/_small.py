"""tf.contrib.layers' small functions: sparse forms of dense tensors, embeddings, expected places in a picture."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.framework import model_variable
from tf1ref.legacy.contrib.framework._arg_scope import add_arg_scope
from tf1ref.legacy.contrib.layers._parts import channels_axis, collect_named_outputs, get_variable_collections


def safe_embedding_lookup_sparse(
    embedding_weights, sparse_ids, sparse_weights=None, combiner=None, default_id=None, name=None,
    partition_strategy="div", max_norm=None,
):  # fmt: skip
    """tf.nn.safe_embedding_lookup_sparse, where a combiner of None means "mean".

    Raises ValueError for parts of different types.
    """
    parts = embedding_weights if isinstance(embedding_weights, (list, tuple)) else []
    if len({v1.as_dtype(part.dtype).base_dtype for part in parts}) > 1:
        raise ValueError(f"the embedding's parts have different types: {[part.dtype for part in parts]}")
    return v1.nn.safe_embedding_lookup_sparse(
        embedding_weights,
        sparse_ids,
        sparse_weights,
        combiner or "mean",
        default_id,
        name,
        partition_strategy,
        max_norm,
    )


def embedding_lookup_unique(params, ids, partition_strategy="mod", name=None):
    """tf.nn.embedding_lookup that looks each id up only once.

    ids: a tensor of any shape. Returns a tensor of that shape with the embedding as further axes.
    """
    with v1.name_scope(name, "EmbeddingLookupUnique", [params, ids]):
        ids = v1.convert_to_tensor(ids)
        found, places = v1.unique(v1.reshape(ids, [-1]))
        rows = v1.gather(v1.nn.embedding_lookup(params, found, partition_strategy=partition_strategy), places)
        outputs = v1.reshape(rows, v1.concat([v1.shape(ids), v1.shape(rows)[1:]], 0))
        outputs.set_shape(ids.get_shape().concatenate(rows.get_shape()[1:]))
        return outputs


def bow_encoder(
    ids, vocab_size, embed_dim, sparse_lookup=True, initializer=None, regularizer=None, trainable=True, scope=None,
    reuse=None,
):  # fmt: skip
    """Turns ids [n, length] into [n, embed_dim], the mean of their embeddings in BowEncoder/embeddings.

    sparse_lookup: ids may be a SparseTensor; a dense one is made sparse, where id 0 means a missing word.
    Raises TypeError for a SparseTensor when sparse_lookup is False.
    """
    with v1.variable_scope(scope, "BowEncoder", [ids], reuse=reuse):
        embeddings = model_variable(
            "embeddings", [vocab_size, embed_dim], v1.float32, initializer, regularizer, trainable
        )
        if sparse_lookup:
            sparse = ids if isinstance(ids, v1.SparseTensor) else dense_to_sparse(ids)
            return safe_embedding_lookup_sparse([embeddings], sparse, combiner="mean", default_id=0)
        if isinstance(ids, v1.SparseTensor):
            raise TypeError(f"ids are expected to be dense Tensor, got: {ids}")
        return v1.reduce_mean(v1.nn.embedding_lookup(embeddings, ids), axis=1)


@add_arg_scope
def dense_to_sparse(tensor, eos_token=0, outputs_collections=None, scope=None):
    """Returns a SparseTensor of the elements that are not `eos_token`, such as labels for tf.nn.ctc_loss."""
    with v1.variable_scope(scope, "dense_to_sparse", [tensor]) as sc:
        tensor = v1.convert_to_tensor(tensor)
        places = v1.where(v1.not_equal(tensor, v1.constant(eos_token, tensor.dtype)))
        outputs = v1.SparseTensor(places, v1.gather_nd(tensor, places), v1.shape(tensor, out_type=v1.int64))
        if outputs_collections:
            collect_named_outputs(outputs_collections, sc.name, outputs.values)
        return outputs


@add_arg_scope
def spatial_softmax(
    features, temperature=None, name=None, variables_collections=None, trainable=True, data_format="NHWC"
):
    """Returns [n, 2 * channels], the expected place in each channel: down and across, each from -1 to 1.

    features: [n, height, width, channels]. temperature: where the variable starts that divides the features before the
    softmax over all places (default: 1) (Levine et al., arXiv:1504.00702). Raises ValueError for a rank other than 4,
    and for an unknown number of channels.
    """
    with v1.variable_scope(name, "spatial_softmax", [features]):
        features = v1.convert_to_tensor(features)
        if features.get_shape().ndims != 4:
            raise ValueError(f"features must be of rank 4, not {features.get_shape()}")
        if channels_axis(data_format, 4) == 3:
            features = v1.transpose(features, [0, 3, 1, 2])
        known, dynamic = features.get_shape().as_list(), v1.shape(features)
        if known[1] is None:
            raise ValueError("The num_channels dimension of the inputs to `spatial_softmax` should be defined.")
        height, width = (dynamic[i] if known[i] is None else known[i] for i in (2, 3))
        temperature = model_variable(
            "temperature", (), v1.float32, v1.constant_initializer(1.0 if temperature is None else temperature),
            trainable=trainable,
            collections=get_variable_collections(variables_collections, "temperature") if trainable else None,
        )  # fmt: skip
        places = v1.meshgrid(v1.linspace(-1.0, 1.0, num=height), v1.linspace(-1.0, 1.0, num=width), indexing="ij")
        attention = v1.nn.softmax(v1.reshape(features, [-1, height * width]) / temperature)
        expected = [
            v1.reduce_sum(v1.reshape(each, [height * width]) * attention, [1], keepdims=True) for each in places
        ]
        outputs = v1.reshape(v1.concat(expected, 1), [-1, known[1] * 2])
        outputs.set_shape([None, known[1] * 2])
        return outputs


def scale_gradient(inputs, gradient_multiplier):
    """Returns the inputs. Their gradient is multiplied by gradient_multiplier."""

    @v1.custom_gradient
    def scaled(x):
        return v1.identity(x), lambda upstream: upstream * v1.cast(gradient_multiplier, upstream.dtype)

    return scaled(inputs)
