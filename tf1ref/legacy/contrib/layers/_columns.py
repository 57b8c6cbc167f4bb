"""tf.contrib.layers' feature columns, made from today's columns of tf.feature_column.

input_from_feature_columns here and tf.estimator's models take them. A linear model takes a categorical column as it is,
here, too. For input_from_feature_columns it is wrapped by embedding_column or one_hot_column.
"""

import tensorflow.compat.v1 as v1

column = v1.feature_column
bucketized_column = column.bucketized_column
shared_embedding_columns = column.shared_embedding_columns


def real_valued_column(column_name, dimension=1, default_value=None, dtype=v1.float32, normalizer=None):
    """Returns a numeric_column of `dimension` numbers."""
    return column.numeric_column(column_name, (dimension,), default_value, dtype, normalizer)


def sparse_column_with_keys(column_name, keys, default_value=-1, combiner="sum", dtype=v1.string):
    """Returns a categorical_column_with_vocabulary_list.

    `combiner` is an argument of the reader of the column today.
    """
    del combiner
    return column.categorical_column_with_vocabulary_list(column_name, keys, dtype, default_value)


def sparse_column_with_hash_bucket(column_name, hash_bucket_size, combiner="sum", dtype=v1.string, hash_keys=None):
    """Returns a categorical_column_with_hash_bucket.

    Raises ValueError for hash_keys, which asked for several hashes.
    """
    del combiner
    if hash_keys is not None:
        raise ValueError(f"{column_name}: several hashes of one column are gone: leave hash_keys out")
    return column.categorical_column_with_hash_bucket(column_name, hash_bucket_size, dtype)


def sparse_column_with_integerized_feature(column_name, bucket_size, combiner="sum", dtype=v1.int64):
    """Returns a categorical_column_with_identity. Raises ValueError for a dtype that is not an integer type."""
    del combiner
    if not v1.as_dtype(dtype).is_integer:
        raise ValueError(f"{column_name}: dtype must be an integer. dtype: {dtype}")
    return column.categorical_column_with_identity(column_name, bucket_size)


def sparse_column_with_vocabulary_file(
    column_name, vocabulary_file, num_oov_buckets=0, vocab_size=None, default_value=-1, combiner="sum", dtype=v1.string
):
    """Returns a categorical_column_with_vocabulary_file."""
    del combiner
    default_value = None if num_oov_buckets else default_value
    return column.categorical_column_with_vocabulary_file(
        column_name, vocabulary_file, vocab_size, num_oov_buckets, default_value, dtype
    )


def weighted_sparse_column(sparse_id_column, weight_column_name, dtype=v1.float32):
    """Returns a weighted_categorical_column."""
    return column.weighted_categorical_column(sparse_id_column, weight_column_name, dtype)


def crossed_column(columns, hash_bucket_size, combiner="sum", hash_key=None):
    """Returns a crossed_column of names and columns. Columns of hashes are crossed by their names."""
    del combiner
    given = [each.key if hasattr(each, "hash_bucket_size") and hasattr(each, "key") else each for each in columns]
    return column.crossed_column(given, hash_bucket_size, hash_key)


def one_hot_column(sparse_id_column):
    """Returns an indicator_column."""
    return column.indicator_column(sparse_id_column)


def embedding_column(
    sparse_id_column,
    dimension,
    combiner="mean",
    initializer=None,
    ckpt_to_load_from=None,
    tensor_name_in_ckpt=None,
    max_norm=None,
    trainable=True,
):
    """Returns an embedding_column: a trained vector of size `dimension` for each category."""
    return column.embedding_column(
        sparse_id_column, dimension, combiner, initializer, ckpt_to_load_from, tensor_name_in_ckpt, max_norm, trainable
    )


def create_feature_spec_for_parsing(feature_columns):
    """Returns {name: feature} for v1.parse_example."""
    return column.make_parse_example_spec(list(feature_columns))


def input_from_feature_columns(
    columns_to_tensors, feature_columns, weight_collections=None, trainable=True, scope=None, cols_to_outs=None
):
    """Returns a dense tensor [batch, sum of the columns' sizes]. The scope is input_from_feature_columns."""
    with v1.variable_scope(scope, "input_from_feature_columns", list(columns_to_tensors.values())):
        return column.input_layer(
            columns_to_tensors, list(feature_columns), weight_collections, trainable, cols_to_outs
        )  # fmt: skip
