"""contrib.lookup: tables of files and tensors, there and back."""

import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import lookup

WORDS = ["emerson", "lake", "palmer"]


@pytest.fixture(autouse=True)
def session():
    with v1.Graph().as_default(), v1.Session() as session:
        yield session


@pytest.fixture
def vocabulary(tmp_path):
    (tmp_path / "words.txt").write_text("\n".join(WORDS) + "\n")
    return str(tmp_path / "words.txt")


def test_from_strings_to_ids_and_back(session, vocabulary):
    strings, ids = v1.constant([*WORDS[::-1], "and"]), v1.constant([2, 0, 7], v1.int64)
    mapping = v1.constant(WORDS)
    to_ids = [
        lookup.index_table_from_tensor(mapping), lookup.index_table_from_tensor(mapping=mapping, default_value=9),
        lookup.index_table_from_file(vocabulary), lookup.index_table_from_file(vocabulary, vocab_size=2),
        lookup.index_table_from_file(vocabulary_file=vocabulary, num_oov_buckets=1),
        lookup.string_to_index_table_from_tensor(mapping), lookup.string_to_index_table_from_file(vocabulary),
    ]  # fmt: skip
    to_strings = [
        lookup.index_to_string_table_from_tensor(mapping),
        lookup.index_to_string_table_from_file(vocabulary, default_value="<unk>"),
    ]
    once = [lookup.string_to_index(strings, mapping), lookup.index_to_string(ids, mapping)]
    session.run(v1.tables_initializer())
    found = session.run([table.lookup(strings) for table in to_ids])
    assert [each.tolist() for each in found] == [
        [2, 1, 0, -1], [2, 1, 0, 9], [2, 1, 0, -1], [-1, 1, 0, -1], [2, 1, 0, 3], [2, 1, 0, -1], [2, 1, 0, -1],
    ]  # fmt: skip
    assert session.run(to_ids[4].size()) == 4
    found = session.run([table.lookup(ids) for table in to_strings])
    assert [each.tolist() for each in found] == [[b"palmer", b"emerson", b"UNK"], [b"palmer", b"emerson", b"<unk>"]]
    assert [each.tolist() for each in session.run(once)] == [[2, 1, 0, -1], [b"palmer", b"emerson", b"UNK"]]


def test_buckets_take_what_is_not_known(session):
    table = lookup.index_table_from_tensor(WORDS, num_oov_buckets=5)
    table.init.run()
    ids = session.run(table.lookup(v1.constant([f"word {n}" for n in range(40)] + ["lake"])))
    assert set(ids[:40]) == {3, 4, 5, 6, 7} and ids[40] == 1


def test_each_table_has_its_init(session):
    tables = [
        lookup.index_table_from_tensor(WORDS),
        lookup.HashTable(lookup.KeyValueTensorInitializer(["emerson", "lake"], [10, 20]), -1),
    ]
    with pytest.raises(tf.errors.FailedPreconditionError):
        session.run(tables[0].lookup(v1.constant(["lake"])))
    for table in tables:
        table.init.run()
    assert [session.run(t.lookup(v1.constant(["lake", "x"]))).tolist() for t in tables] == [[1, -1], [20, -1]]
    keys, values = session.run(tables[1].export())
    assert sorted(zip(keys.tolist(), values.tolist())) == [(b"emerson", 10), (b"lake", 20)]


def test_tables_that_change(session):
    table = lookup.MutableHashTable(key_dtype=v1.string, value_dtype=v1.int64, default_value=-1)
    dense = lookup.MutableDenseHashTable(v1.int64, v1.int64, default_value=-1, empty_key=-2, deleted_key=-3)
    session.run(table.insert(v1.constant(["a", "b"]), v1.constant([1, 2], v1.int64)))
    session.run(table.insert(v1.constant(["b"]), v1.constant([5], v1.int64)))
    session.run(dense.insert(v1.constant([4], v1.int64), v1.constant([8], v1.int64)))
    assert session.run(table.lookup(v1.constant(["a", "b", "c"]))).tolist() == [1, 5, -1]
    assert session.run([table.size(), dense.lookup(v1.constant([4, 5], v1.int64))])[1].tolist() == [8, -1]


def test_what_is_not_given():
    for build in (lookup.index_table_from_tensor, lookup.index_to_string_table_from_tensor):
        with pytest.raises(ValueError, match="mapping must be specified"):
            build(None)
    with pytest.raises(ValueError, match="vocabulary_file"):
        lookup.index_table_from_file(None)
    with pytest.raises(TypeError):
        lookup.index_table_from_tensor(WORDS).lookup(v1.constant([1]))
