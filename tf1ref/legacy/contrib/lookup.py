"""tf.contrib.lookup: tables from strings to ids and back. tf.tables_initializer() fills them."""

import tensorflow.compat.v1 as v1
from tensorflow.python.ops import lookup_ops
from tensorflow.python.ops.lookup_ops import DenseHashTable as MutableDenseHashTable
from tensorflow.python.ops.lookup_ops import (
    FastHashSpec,
    HasherSpec,
    IdTableWithHashBuckets,
    KeyValueTensorInitializer,
    LookupInterface,
    MutableHashTable,
    StrongHashSpec,
    TextFileIdTableInitializer,
    TextFileIndex,
    TextFileInitializer,
    TextFileStringTableInitializer,
)

__all__ = [
    "FastHashSpec", "HashTable", "HasherSpec", "IdTableWithHashBuckets", "KeyValueTensorInitializer",
    "LookupInterface", "MutableDenseHashTable", "MutableHashTable", "StrongHashSpec", "TextFileIdTableInitializer",
    "TextFileIndex", "TextFileInitializer", "TextFileStringTableInitializer", "index_table_from_file",
    "index_table_from_tensor", "index_to_string", "index_to_string_table_from_file",
    "index_to_string_table_from_tensor", "string_to_index", "string_to_index_table_from_file",
    "string_to_index_table_from_tensor",
]  # fmt: skip


class HashTable(lookup_ops.StaticHashTableV1):
    """A table that its initializer fills once. Tables with the same shared_name are one table for all sessions."""

    def __init__(self, initializer, default_value, shared_name=None, name=None):
        self._given_name = shared_name
        super().__init__(initializer, default_value, name=name)

    def _create_resource(self):
        if self._given_name is not None:
            self._shared_name = self._given_name
        return super()._create_resource()

    init = property(lambda self: self.initializer)


def index_table_from_file(
    vocabulary_file=None,
    num_oov_buckets=0,
    vocab_size=None,
    default_value=-1,
    hasher_spec=FastHashSpec,
    key_dtype=v1.string,
    name=None,
    key_column_index=TextFileIndex.WHOLE_LINE,
    value_column_index=TextFileIndex.LINE_NUMBER,
    delimiter="\t",
):
    """Returns a table from the lines of a file, or from one of its columns, to their numbers (int64, from 0).

    A key that is not in the table has the value default_value. With num_oov_buckets it gets one of that many ids after
    the last one instead. Raises ValueError without a file, and for negative numbers.
    """
    return _with_init(
        lookup_ops.index_table_from_file(
            vocabulary_file, num_oov_buckets, vocab_size, default_value, hasher_spec, key_dtype, name,
            key_column_index, value_column_index, delimiter,
        )
    )  # fmt: skip


def index_table_from_tensor(
    mapping, num_oov_buckets=0, default_value=-1, hasher_spec=FastHashSpec, dtype=v1.string, name=None
):
    """index_table_from_file with a vector of keys in place of a file.

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     ids = index_table_from_tensor(["a", "b"]).lookup(v1.constant(["b", "c"]))
    ...     sess.run(v1.tables_initializer())
    ...     print(sess.run(ids))
    [ 1 -1]
    """
    if mapping is None:
        raise ValueError("mapping must be specified.")
    return _with_init(
        lookup_ops.index_table_from_tensor(mapping, num_oov_buckets, default_value, hasher_spec, dtype, name)
    )


def index_to_string_table_from_file(
    vocabulary_file,
    vocab_size=None,
    default_value="UNK",
    name=None,
    key_column_index=TextFileIndex.LINE_NUMBER,
    value_column_index=TextFileIndex.WHOLE_LINE,
    delimiter="\t",
):
    """Returns a table from line numbers (int64) to the lines of a file, or to one of its columns."""
    return _with_init(
        lookup_ops.index_to_string_table_from_file(
            vocabulary_file, vocab_size, default_value, name, key_column_index, value_column_index, delimiter
        )
    )


def index_to_string_table_from_tensor(mapping, default_value="UNK", name=None):
    """index_to_string_table_from_file with a vector of strings in place of a file."""
    if mapping is None:
        raise ValueError("mapping must be specified.")
    return _with_init(lookup_ops.index_to_string_table_from_tensor(mapping, default_value, name))


def string_to_index_table_from_file(
    vocabulary_file=None,
    num_oov_buckets=0,
    vocab_size=None,
    default_value=-1,
    hasher_spec=FastHashSpec,
    name=None,
):
    """The older name of index_table_from_file."""
    return index_table_from_file(vocabulary_file, num_oov_buckets, vocab_size, default_value, hasher_spec, name=name)


def string_to_index_table_from_tensor(
    mapping, num_oov_buckets=0, default_value=-1, hasher_spec=FastHashSpec, name=None
):
    """The older name of index_table_from_tensor."""
    return index_table_from_tensor(mapping, num_oov_buckets, default_value, hasher_spec, name=name)


def string_to_index(tensor, mapping, default_value=-1, name=None):
    """Returns the positions (int64) of the tensor's strings in `mapping`, by a table that is used only here."""
    return index_table_from_tensor(mapping, default_value=default_value, name=name).lookup(tensor)


def index_to_string(tensor, mapping, default_value="UNK", name=None):
    """Returns the strings of `mapping` at the positions `tensor` (int64), by a table that is used only here."""
    return index_to_string_table_from_tensor(mapping, default_value, name).lookup(tensor)


def _with_init(table):
    """Returns the table with `init`, the older name of its initializer."""
    if not hasattr(table, "init"):
        table.init = table.initializer
    return table
