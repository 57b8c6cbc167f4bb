"""contrib.seq2seq's beam search: against all the sequences there are, counted out in numpy."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy import layers
from tf1ref.legacy.contrib import seq2seq
from tf1ref.legacy.nn import rnn_cell

RANDOM = np.random.RandomState(11)
WORDS, END, STEPS = 4, 3, 4
# Logits of the next word by the last two: what a beam decodes depends on the state it carries along.
TABLE = (2 * RANDOM.randn(WORDS, WORDS, WORDS)).astype("float32")
STARTS = np.int32([0, 2])
MEMORY = RANDOM.rand(2, 3, WORDS).astype("float32")


@pytest.fixture(autouse=True)
def graph():
    with v1.Graph().as_default():
        v1.set_random_seed(5)
        yield


class Trigrams(rnn_cell.RNNCell):
    """State: the word before, one-hot."""

    state_size = output_size = WORDS

    def call(self, inputs, state):
        return v1.einsum("bi,bj,ijk->bk", state, inputs, v1.constant(TABLE)), inputs


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def all_sequences(start, steps=STEPS):
    """Yields (ids up to and with END, log probability) of every sequence of at most `steps` words."""
    logs = log_softmax(TABLE.astype("float64"))
    for length in range(1, steps + 1):
        for ids in itertools.product(range(WORDS), repeat=length):
            if END in ids[:-1] or (length < steps and ids[-1] != END):
                continue
            before, last, total = start, start, 0.0
            for word in ids:
                total, before, last = total + logs[before, last, word], last, word
            yield ids, total


def search(width, steps=STEPS, **options):
    state = v1.constant(np.repeat(np.eye(WORDS, dtype="float32")[STARTS], width, 0))
    decoder = seq2seq.BeamSearchDecoder(
        Trigrams(), np.eye(WORDS, dtype="float32"), STARTS, END, state, width, **options
    )  # fmt: skip
    with v1.Session() as sess:
        return sess.run(seq2seq.dynamic_decode(decoder, maximum_iterations=steps))


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [0.0, 1.3])
def test_with_all_beams_it_finds_all_sequences_in_order(flow, penalty):
    count = len(list(all_sequences(0)))
    assert count == 1 + 3 + 9 + 27 * 4
    outputs, state, _ = search(count, length_penalty_weight=penalty)
    assert isinstance(outputs, seq2seq.FinalBeamSearchDecoderOutput)
    assert outputs.predicted_ids.shape == (2, STEPS, count)
    scores = outputs.beam_search_decoder_output.scores[:, -1]
    assert (np.diff(scores) <= 0).all()
    for row, start in enumerate(STARTS):
        totals = {(*ids, *[END] * (STEPS - len(ids))): (total, len(ids)) for ids, total in all_sequences(start)}
        found = [tuple(ids) for ids in outputs.predicted_ids[row].T]
        assert set(found) == set(totals) and len(set(found)) == count
        # The step that says END does not count it yet.
        counted = [totals[ids][1] - (ids[-1] == END and END not in ids[:-1]) for ids in found]
        expected = [totals[ids][0] / ((5 + length) / 6) ** penalty for ids, length in zip(found, counted)]
        np.testing.assert_allclose(scores[row], expected, rtol=1e-5)
        np.testing.assert_allclose(state.log_probs[row], [totals[ids][0] for ids in found], rtol=1e-5)
        # The end token of a sequence that came to its end counts; what follows it does not.
        assert state.lengths[row].tolist() == [totals[ids][1] for ids in found]
        assert state.finished[row].tolist() == [END in ids for ids in found]


@pytest.mark.parametrize("weight", [0.6, 1.3])
def test_the_length_penalty_is_of_two_powers_of_tensorflow(weight):
    """The original divides tf.pow(5 + length, weight) by tf.pow(6, weight), both in float32."""
    log_probs, lengths = -RANDOM.rand(1, 2, 50).astype("float32"), np.arange(100).reshape(1, 2, 50)
    options = SimpleNamespace(_length_penalty_weight=weight, _coverage_penalty_weight=0.0)
    scores = seq2seq.BeamSearchDecoder._scores(options, v1.constant(log_probs), v1.constant(lengths), None, None)
    powers = [v1.pow(v1.constant(base, v1.float32), v1.constant(weight)) for base in (5.0 + lengths, 6.0)]
    with v1.Session() as sess:
        scores, (long, six) = sess.run([scores, powers])
    assert np.array_equal(scores, log_probs / (long / six))


def test_few_beams_by_hand(flow):
    """Each step keeps the best `width` of the continuations of what was kept: never more than a list in Python."""
    width, logs = 3, log_softmax(TABLE.astype("float64"))
    outputs, state, _ = search(width)
    for row, start in enumerate(STARTS):
        beams = [((), 0.0)]
        for _ in range(STEPS):
            grown = []
            for ids, total in beams:
                if END in ids:
                    grown.append((ids, total))
                    continue
                before, last = [start, start, *ids][-2:]
                grown += [((*ids, word), total + logs[before, last, word]) for word in range(WORDS)]
            beams = sorted(grown, key=lambda beam: -beam[1])[:width]
        ids = [tuple(each) for each in outputs.predicted_ids[row].T]
        assert ids == [(*each, *[END] * (len(ids[0]) - len(each))) for each, _ in beams]
        np.testing.assert_allclose(state.log_probs[row], [total for _, total in beams], rtol=1e-5)


def test_beams_for_which_there_is_no_sequence_yet():
    _, state, _ = search(WORDS + 2, steps=1)
    assert np.isfinite(state.log_probs).tolist() == [[True] * WORDS + [False] * 2] * 2
    assert state.lengths.tolist() == [[1] * WORDS + [0] * 2] * 2 and state.finished[:, WORDS:].all()


def test_one_beam_is_greedy():
    outputs, _, _ = search(1)
    start = v1.constant(np.eye(WORDS, dtype="float32")[STARTS])
    helper = seq2seq.GreedyEmbeddingHelper(np.eye(WORDS, dtype="float32"), STARTS, END)
    decoder = seq2seq.BasicDecoder(Trigrams(), helper, start)
    with v1.Session() as sess:
        greedy, _, lengths = sess.run(seq2seq.dynamic_decode(decoder, maximum_iterations=STEPS))
    for row in range(2):
        length = lengths[row]
        assert outputs.predicted_ids[row, :length, 0].tolist() == greedy.sample_id[row, :length].tolist()


class Looking(rnn_cell.RNNCell):
    """Within an AttentionWrapper: the query is the word that is read."""

    state_size = output_size = WORDS

    def call(self, inputs, state):
        return inputs[:, :WORDS], state + inputs[:, :WORDS]


def attended_sequences(start, memory, kernel, weight):
    """Returns (score, ids, alignments of each step) of all sequences of at most 3 words."""
    entries = []
    for length in (1, 2, 3):
        for ids in itertools.product(range(WORDS), repeat=length):
            if END in ids[:-1] or (length < 3 and ids[-1] != END):
                continue
            total, looked = 0.0, []
            for word, said in zip([start, *ids[:-1]], ids):
                aligned = np.exp(3 * memory[:, word])
                looked.append(aligned / aligned.sum())
                total += log_softmax(looked[-1] @ memory @ kernel)[said]
            covered = np.log(np.minimum(np.sum(looked, 0), 1)).sum()
            # Only where a sequence was finished before the last step.
            entries.append((total + weight * covered * (length < 3), ids, looked))
    return entries


@pytest.mark.slow
@pytest.mark.parametrize("weight", [0.0, 0.7])
def test_attention_its_history_and_the_coverage_penalty(flow, weight):
    width = 4**2 + 5
    tiled = seq2seq.tile_batch(v1.constant(MEMORY), width)
    identity = v1.constant_initializer(np.eye(WORDS))
    with v1.variable_scope("", initializer=identity):
        mechanism = seq2seq.LuongAttention(WORDS, tiled, seq2seq.tile_batch(v1.constant([3, 2]), width))
    cell = seq2seq.AttentionWrapper(Looking(), mechanism, alignment_history=True)
    kernel = RANDOM.randn(WORDS, WORDS).astype("float32")
    layer = layers.Dense(WORDS, use_bias=False, kernel_initializer=v1.constant_initializer(kernel))

    def decode(sort):
        decoder = seq2seq.BeamSearchDecoder(
            cell, 3 * np.eye(WORDS, dtype="float32"), STARTS, END, cell.zero_state(2 * width, v1.float32), width, layer,
            coverage_penalty_weight=weight, reorder_tensor_arrays=sort,
        )  # fmt: skip
        return seq2seq.dynamic_decode(decoder, maximum_iterations=3)

    decoded, raw = decode(True), decode(False)[1].cell_state.alignment_history
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        (outputs, state, _), raw = sess.run([decoded, raw.stack()])
    history, raw = (each.reshape(3, 2, width, 3) for each in (state.cell_state.alignment_history, raw))
    parents = outputs.beam_search_decoder_output.parent_ids
    for row, memory in enumerate((MEMORY[0], MEMORY[1, :2])):
        entries = attended_sequences(STARTS[row], memory, kernel, weight)
        best = sorted(entries, key=lambda entry: -entry[0])[:width]
        by_ids = {ids: (score, looked) for score, ids, looked in entries}
        for beam in range(width):
            length = state.lengths[row, beam]
            ids = tuple(outputs.predicted_ids[row, :length, beam].tolist())
            score, looked = by_ids[ids]
            assert outputs.beam_search_decoder_output.scores[row, -1, beam] == pytest.approx(score, rel=1e-4)
            place = beam
            for step in reversed(range(3)):
                # What a step writes lies where its parents were; TF 1.15 sorts it as if it lay where its children are.
                if step < length:
                    np.testing.assert_array_equal(history[step, row, beam], raw[step, row, place])
                place = parents[row, step, place]
                if step < length:
                    np.testing.assert_allclose(raw[step, row, place, : len(memory)], looked[step], rtol=1e-4)
        if weight == 0:
            scores = outputs.beam_search_decoder_output.scores[row, -1]
            np.testing.assert_allclose(scores, [score for score, *_ in best], rtol=1e-4)


@pytest.mark.slow
def test_a_stack_with_attention_below(flow):
    """One beam of a stack of cells, state within state, is greedy; its state is the encoder's to start with."""
    drawn = np.random.RandomState(1)
    encoded = (rnn_cell.LSTMStateTuple(*[v1.constant(drawn.randn(2, 5).astype("float32")) for _ in "ch"]),) * 2
    table = v1.get_variable("table", [WORDS, 6])

    def decode(width):
        tiled = seq2seq.tile_batch(encoded, width)
        mechanism = seq2seq.BahdanauAttention(5, seq2seq.tile_batch(v1.constant(MEMORY), width))
        below = seq2seq.AttentionWrapper(rnn_cell.LSTMCell(5), mechanism, 5, output_attention=False)
        stack = rnn_cell.MultiRNNCell([below, rnn_cell.ResidualWrapper(rnn_cell.LSTMCell(5))])
        zero = stack.zero_state(2 * width, v1.float32)
        start = (zero[0].clone(cell_state=tiled[0]), tiled[1])
        layer = layers.Dense(WORDS, name="projection")
        if width == 1:
            helper = seq2seq.GreedyEmbeddingHelper(table, STARTS, END)
            return seq2seq.BasicDecoder(stack, helper, start, layer)
        return seq2seq.BeamSearchDecoder(stack, table, STARTS, END, start, width, layer)

    with v1.variable_scope("net", initializer=v1.random_normal_initializer(seed=4)):
        greedy, _, lengths = seq2seq.dynamic_decode(decode(1), maximum_iterations=5)
    count = len(v1.global_variables())
    with v1.variable_scope("net", reuse=True):
        beams, state, _ = seq2seq.dynamic_decode(decode(12), maximum_iterations=5)
    assert len(v1.global_variables()) == count
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        greedy, lengths, beams, state = sess.run([greedy, lengths, beams, state])
    logs = log_softmax(greedy.rnn_output.astype("float64"))
    for row, length in enumerate(lengths):
        ids = greedy.sample_id[row, :length]
        total = logs[row, np.arange(length), ids].sum()
        # Among the beams is the greedy one, with its own probability; none before it has a smaller one.
        found = [(beams.predicted_ids[row, :length, beam] == ids).all() for beam in range(12)]
        assert state.log_probs[row, found.index(True)] == pytest.approx(total, rel=1e-4)
        assert state.log_probs[row, 0] >= total - 1e-4


def test_what_does_not_fit():
    cell, eye = Trigrams(), np.eye(WORDS, dtype="float32")
    state = v1.zeros([6, WORDS])
    make = seq2seq.BeamSearchDecoder
    for build, kind, says in (
        (lambda: make(cell, eye, STARTS, END, v1.zeros([2, WORDS]), 3), ValueError, "tile_batch"),
        (lambda: make(cell, eye, 1, END, state, 3), ValueError, "start_tokens must be a vector"),
        (lambda: make(cell, eye, STARTS, [END], state, 3), ValueError, "end_token must be a scalar"),
        (lambda: make(3, eye, STARTS, END, state, 3), TypeError, "not an RNNCell"),
        (lambda: make(cell, eye, STARTS, END, state, 3, output_layer=len), TypeError, "must be a Layer"),
        (lambda: make(cell, eye, STARTS, END, v1.placeholder(v1.float32), 3), ValueError, "known rank"),
        (
            lambda: make(cell, eye, STARTS, END, state, 3, coverage_penalty_weight=0.1).initialize(),
            ValueError,
            "no cell is attentional",
        ),
    ):
        with pytest.raises(kind, match=says):
            build()
