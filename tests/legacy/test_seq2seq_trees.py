"""contrib.seq2seq's gather_tree and tile_batch: what a beam search is put together from."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import seq2seq
from tf1ref.legacy.nn import rnn_cell

RANDOM = np.random.RandomState(11)


@pytest.fixture(autouse=True)
def graph():
    with v1.Graph().as_default():
        yield


def tree_by_hand(steps, parents, lengths, end):
    beams = np.full_like(steps, end)
    for b, k in np.ndindex(*steps.shape[1:]):
        place = k
        for t in reversed(range(min(lengths[b], len(steps)))):
            beams[t, b, k], place = steps[t, b, place], parents[t, b, place]
        ends = np.flatnonzero(beams[:, b, k] == end)
        beams[ends[0] if len(ends) else len(steps) :, b, k] = end
    return beams


@pytest.mark.slow
def test_gather_tree(flow):
    steps, parents = RANDOM.randint(4, size=(6, 5, 3)), RANDOM.randint(3, size=(6, 5, 3))
    lengths = np.array([6, 2, 4, 0, 9])
    with v1.Session() as sess:
        found = sess.run(seq2seq.gather_tree(steps, parents, lengths, 3))
        np.testing.assert_array_equal(found, tree_by_hand(steps, parents, lengths, 3))
        parents[1, 2, 0] = parents[2, 2] = 3
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"parent id 3 at \(batch, time, beam\) == \(2, 1, 0\)"
        ):
            sess.run(seq2seq.gather_tree(steps, parents, lengths, 3))
    with pytest.raises(ValueError, match="rank"):
        seq2seq.gather_tree(steps[0], parents[0], lengths, 3)


def test_tile_batch():
    known, unknown = v1.constant([[1, 2], [3, 4]]), v1.placeholder(v1.int32, [None, 2])
    one, pair = seq2seq.tile_batch(known, 3), seq2seq.tile_batch(rnn_cell.LSTMStateTuple(known, unknown), 2)
    assert one.get_shape().as_list() == [6, 2] and pair.h.get_shape().as_list() == [None, 2]
    with v1.Session() as sess:
        one, pair = sess.run([one, pair], {unknown: [[5, 6]]})
    assert one[:, 0].tolist() == [1, 1, 1, 3, 3, 3] and pair.h.tolist() == [[5, 6], [5, 6]]
    for wrong in (v1.constant(1), v1.placeholder(v1.int32)):
        with pytest.raises(ValueError, match="rank"):
            seq2seq.tile_batch(wrong, 2)
