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


@add_arg_scope
def images_to_sequence(inputs, data_format="NHWC", outputs_collections=None, scope=None):
    """Turns images [n, height, width, depth] into sequences [width, n * height, depth]: a step for each column.

    Raises ValueError for a data_format other than NHWC and NCHW.
    """
    if data_format not in ("NCHW", "NHWC"):
        raise ValueError("data_format has to be either NCHW or NHWC.")
    with v1.name_scope(scope, "ImagesToSequence", [inputs]) as sc:
        columns = v1.transpose(inputs, [3, 0, 2, 1] if data_format == "NCHW" else [2, 0, 1, 3])
        width, _, _, depth = columns.get_shape().as_list()
        outputs = v1.reshape(columns, [width, v1.reduce_prod(v1.shape(columns)[1:3]), depth])
        return collect_named_outputs(outputs_collections, sc, outputs)


@add_arg_scope
def sequence_to_images(inputs, height, output_data_format="channels_last", outputs_collections=None, scope=None):
    """Turns sequences [width, n * height, depth] into images: what images_to_sequence does, backwards."""
    with v1.name_scope(scope, "SequenceToImages", [inputs]) as sc:
        inputs = v1.convert_to_tensor(inputs)
        width, rows, depth = inputs.get_shape().as_list()
        images = v1.reshape(inputs, [width, -1 if rows is None else rows // height, height, depth])
        outputs = v1.transpose(images, [1, 3, 2, 0] if output_data_format == "channels_first" else [1, 2, 0, 3])
        return collect_named_outputs(outputs_collections, sc, outputs)


def poincare_normalize(x, axis=1, epsilon=1e-5, name=None):
    """Returns x with its norm along `axis` cut to 1 - epsilon: points of the open ball of Poincare's model."""
    with v1.name_scope(name, "poincare_normalize", [x]) as scope:
        x = v1.convert_to_tensor(x)
        inverse = v1.rsqrt(v1.reduce_sum(v1.square(x), axis, keepdims=True))
        return v1.multiply(x, v1.minimum((1.0 - epsilon) * inverse, 1.0), name=scope)
