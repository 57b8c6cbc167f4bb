"""The table reader against tables whose bytes are given, and against TensorFlow's reader of whole checkpoints."""

import random
import struct

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.formats import indexes, sstable
from tf1ref.artifacts.formats.sstable import Damaged
from tf1ref.errors import InputError


@pytest.mark.parametrize(
    ("packed", "plain"),
    [
        (b"\x05\x10hello", b"hello"),
        (b"\x00", b""),
        # A literal "ab", then a copy of 7 bytes from 2 back: the format's own example of a run.
        (b"\x09\x04ab" + bytes([(7 - 4) << 2 | 1, 2]), b"ababababa"),
        (b"\x06\x08abc" + bytes([(3 - 1) << 2 | 2, 3, 0]), b"abcabc"),
        (b"\x06\x08abc" + bytes([(3 - 1) << 2 | 3, 3, 0, 0, 0]), b"abcabc"),
        (b"\xc8\x01\xf0\xc7" + b"x" * 200, b"x" * 200),  # a length of its own byte
    ],
)
def test_snappy(packed, plain):
    assert sstable.unsnappy(packed) == plain


@pytest.mark.parametrize(
    "packed",
    [b"", b"\x05\x10hell", b"\x04\x10hello", b"\xff\xff\xff\xff\x0f\x00", b"\x04\x00a\x01\x05", b"\x80" * 12],
)
def test_snappy_that_cannot_be(packed):
    with pytest.raises(Damaged):
        sstable.unsnappy(packed)


def test_an_old_checkpoint_whose_blocks_are_packed(tmp_path):
    """TF's Save op writes the V1 format; long names that repeat make its list of tensors worth packing."""
    names = [f"a_layer_with_a_long_name/and_a_scope/weights_{i}" for i in range(40)]
    arrays = [np.full((2, i + 1), i, np.float32) for i in range(40)]
    path = str(tmp_path / "old")
    tf.raw_ops.Save(filename=path, tensor_names=names, data=[tf.constant(a) for a in arrays])
    assert indexes.version(path) == 1
    index = indexes.read(path)
    shapes = v1.train.NewCheckpointReader(path).get_variable_to_shape_map()
    assert {t.name: t.shape for t in index.tensors} == shapes and len(shapes) == 40
    assert {t.dtype for t in index.tensors} == {"float32"}
    assert sum(t.parameters for t in index.tensors) == sum(a.size for a in arrays)
    assert sum(t.bytes for t in index.tensors) == sum(a.nbytes for a in arrays)


def test_a_v2_index_says_what_tensorflows_reader_says(tmp_path):
    """Many names, so that the index has several blocks and shared prefixes; all kinds of types."""
    rng, prefix = random.Random(1), str(tmp_path / "new")
    dtypes = [tf.float32, tf.float64, tf.int32, tf.int64, tf.bool, tf.uint8, tf.half, tf.complex64, tf.bfloat16]
    made = {}
    for i in range(300):
        shape = [rng.randrange(4) for _ in range(rng.randrange(4))]
        made[f"scope_{i % 7}/{'deep/' * (i % 5)}v{i}"] = tf.cast(tf.ones(shape), dtypes[i % len(dtypes)])
    made["words"] = tf.constant(["one", "three"])
    names = sorted(made)
    values = [made[n] for n in names]
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)
    index, reader = indexes.read(prefix), tf.train.load_checkpoint(prefix)
    assert {t.name: t.shape for t in index.tensors} == reader.get_variable_to_shape_map()
    types = {name: dtype.name for name, dtype in reader.get_variable_to_dtype_map().items()}
    assert {t.name: t.dtype for t in index.tensors} == types
    assert index.version == 2 and not index.objects and {t.slices for t in index.tensors} == {1}


def test_shards_and_slices(tmp_path):
    """A Saver for several devices writes several files; a partitioned variable is one tensor in pieces."""
    with v1.Graph().as_default(), v1.Session(config=v1.ConfigProto(allow_soft_placement=True)) as sess:
        with v1.device("/cpu:0"):
            v1.get_variable("w", [6, 2], partitioner=v1.fixed_size_partitioner(3), initializer=v1.ones_initializer())
        with v1.device("/cpu:1"):
            v1.get_variable("b", [5], initializer=v1.zeros_initializer())
        sess.run(v1.global_variables_initializer())
        prefix = v1.train.Saver(sharded=True).save(sess, str(tmp_path / "parts"))
    index = indexes.read(prefix)
    w, b = {t.name: t for t in index.tensors}["w"], {t.name: t for t in index.tensors}["b"]
    assert (w.shape, w.parameters, w.bytes, w.slices) == ([6, 2], 12, 48, 3)
    assert (b.shape, b.slices) == ([5], 1) and w.shards and b.shards
    assert len(index.files) == 1 + len({s for t in index.tensors for s in t.shards})


def test_tf2s_checkpoints_are_told_apart(tmp_path):
    path = tf.train.Checkpoint(v=tf.Variable([1.0, 2.0])).write(str(tmp_path / "objects"))
    index = indexes.read(path)
    assert index.objects and [t.shape for t in index.tensors] == [[2]]


def test_a_tensor_that_does_not_fit_its_file(tmp_path):
    prefix = str(tmp_path / "c")
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=["v"], shape_and_slices=[""], tensors=[tf.ones([100])])
    data = tmp_path / "c.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:399])
    with pytest.raises(InputError, match="v ends at byte 400 of c.data-00000-of-00001, which has 399"):
        indexes.read(prefix)
    data.unlink()
    with pytest.raises(InputError, match=r"c.data-\*: missing"):
        indexes.read(prefix)


def test_every_bit_of_a_table_counts(tmp_path):
    """Each block has its checksum: a flipped bit is damage, or is in a block that is not needed."""
    prefix = str(tmp_path / "c")
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=["v"], shape_and_slices=[""], tensors=[tf.ones([100])])
    path = tmp_path / "c.index"
    whole = path.read_bytes()
    unnoticed = []
    for place in range(len(whole) - sstable.FOOTER):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            indexes.read(prefix)
        except InputError as e:
            assert "c.index: damaged: " in str(e)
        else:
            unnoticed.append(place)
    # The block between data and index names filters. It is empty here (its end and its trailer) and never read.
    assert unnoticed == list(range(unnoticed[0], unnoticed[0] + 8 + sstable.TRAILER))


def test_a_handle_far_outside():
    huge = bytes([0xFF] * 8 + [0x7F])
    footer = (b"\x00\x00" + huge + b"\x01").ljust(40, b"\0") + sstable.MAGIC
    with pytest.raises(Damaged, match="cut short"):
        list(sstable.entries(b"x" * 100 + footer))
    with pytest.raises(Damaged, match="longer than 64 bits"):
        list(sstable.entries(b"\xff" * 40 + sstable.MAGIC))


def test_a_block_whose_entries_do_not_fit():
    block = b"\x00\x01\xff\x01k" + struct.pack("<II", 0, 1)
    with pytest.raises(Damaged, match="longer than its block"):
        list(sstable._block(block))
    with pytest.raises(Damaged, match="more restarts than bytes"):
        list(sstable._block(struct.pack("<I", 10**6)))
