"""contrib.seq2seq's decoders and helpers: against dynamic_rnn, and against numpy that steps the cell by hand."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy import layers
from tf1ref.legacy.contrib import seq2seq
from tf1ref.legacy.nn import rnn_cell

RANDOM = np.random.RandomState(3)
X = RANDOM.randn(4, 6, 3).astype("float32")
LENGTHS = np.int32([6, 2, 4, 1])
WORDS, DEPTH, UNITS = 7, 3, 5
EMBEDDING = RANDOM.randn(WORDS, DEPTH).astype("float32")
STARTS = np.int32([1, 2, 3])


@pytest.fixture(autouse=True)
def graph():
    with v1.Graph().as_default():
        v1.set_random_seed(5)
        yield


def run(fetches, feed=None):
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        return sess.run(fetches, feed)


def names():
    return [variable.op.name for variable in v1.global_variables()]


class Markov(rnn_cell.RNNCell):
    """Logits are a row of TABLE, by the symbol that is fed (one-hot): all a decoder does can be followed by hand."""

    state_size = output_size = WORDS

    def __init__(self, table):
        super().__init__()
        self.table = v1.constant(table)

    def call(self, inputs, state):
        return v1.matmul(inputs, self.table), state + inputs


@pytest.mark.slow
def test_fed_with_answers_it_is_dynamic_rnn(flow):
    cell = rnn_cell.BasicLSTMCell(UNITS)
    start = cell.zero_state(4, v1.float32)
    helper = seq2seq.TrainingHelper(X, LENGTHS)
    decoded, state, lengths = seq2seq.dynamic_decode(seq2seq.BasicDecoder(cell, helper, start), impute_finished=True)
    assert names() == ["decoder/basic_lstm_cell/kernel", "decoder/basic_lstm_cell/bias"]
    expected = v1.nn.dynamic_rnn(cell, X, LENGTHS, dtype=v1.float32)
    assert len(v1.global_variables()) == 2
    assert isinstance(decoded, seq2seq.BasicDecoderOutput)
    assert decoded.rnn_output.get_shape().as_list() == [4, None, UNITS]
    slopes = [
        v1.gradients([v1.reduce_sum(v1.square(outputs)) + v1.reduce_sum(last.c)], v1.trainable_variables())
        for outputs, last in ((decoded.rnn_output, state), expected)
    ]
    decoded, state, lengths, expected, slopes = run([decoded, state, lengths, expected, slopes])
    np.testing.assert_array_equal(decoded.rnn_output, expected[0])
    np.testing.assert_array_equal(state, expected[1])
    assert lengths.tolist() == LENGTHS.tolist()
    for one, other in zip(*slopes):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    # Past the end all is 0, whose likeliest is the first.
    np.testing.assert_array_equal(decoded.sample_id, decoded.rnn_output.argmax(2))


def test_time_major_and_at_most_so_many_steps(flow):
    cell = rnn_cell.GRUCell(UNITS)
    helper = seq2seq.TrainingHelper(X.transpose(1, 0, 2), LENGTHS, time_major=True)
    decoder = seq2seq.BasicDecoder(cell, helper, cell.zero_state(4, v1.float32))
    limit = v1.placeholder(v1.int32, [])
    outputs, _, lengths = seq2seq.dynamic_decode(decoder, output_time_major=True, maximum_iterations=limit, scope="d")
    assert names()[0] == "d/gru_cell/gates/kernel"
    expected, _ = v1.nn.dynamic_rnn(cell, X, LENGTHS, dtype=v1.float32)
    outputs, lengths, expected = run([outputs, lengths, expected], {limit: 3})
    assert outputs.rnn_output.shape == (3, 4, UNITS) and lengths.tolist() == [3, 2, 3, 1]
    # Not imputed: a sequence that is finished goes on, on inputs of its own that nobody should look at.
    for row, length in enumerate([3, 2, 3, 1]):
        np.testing.assert_array_equal(outputs.rnn_output[:length, row], expected[row, :length])


def greedy_by_hand(table, start, end, limit):
    ids = [start]
    while len(ids) <= limit and (len(ids) == 1 or ids[-1] != end):
        ids.append(int(table[ids[-1]].argmax()))
    return ids[1:]


def test_greedy_by_hand(flow):
    table = RANDOM.randn(WORDS, WORDS).astype("float32")
    end = greedy_by_hand(table, 1, -1, 4)[2]  # what is said third
    helper = seq2seq.GreedyEmbeddingHelper(np.eye(WORDS, dtype="float32"), STARTS, end)
    decoder = seq2seq.BasicDecoder(Markov(table), helper, v1.zeros([3, WORDS]))
    outputs, state, lengths = run(seq2seq.dynamic_decode(decoder, impute_finished=True, maximum_iterations=9))
    expected = [greedy_by_hand(table, start, end, 9) for start in STARTS]
    assert lengths.tolist() == [len(ids) for ids in expected] and max(lengths) > min(lengths)
    for row, ids in enumerate(expected):
        assert outputs.sample_id[row].tolist() == ids + [0] * (max(lengths) - len(ids))
        np.testing.assert_array_equal(outputs.rnn_output[row, : len(ids)], table[[STARTS[row], *ids[:-1]]])
        read = [STARTS[row], *ids[:-1]]
        np.testing.assert_array_equal(state[row], np.bincount(read, minlength=WORDS))


def test_output_layer_and_embedding_function(flow):
    cell, layer = rnn_cell.GRUCell(UNITS), layers.Dense(WORDS, name="projection")
    helper = seq2seq.GreedyEmbeddingHelper(lambda ids: v1.gather(EMBEDDING, ids), v1.constant(STARTS), 0)
    decoder = seq2seq.BasicDecoder(cell, helper, cell.zero_state(3, v1.float32), layer)
    assert decoder.output_size.rnn_output.as_list() == [WORDS] and decoder.output_dtype.sample_id == v1.int32
    outputs, _, _ = seq2seq.dynamic_decode(decoder, maximum_iterations=4)
    assert names()[-2:] == ["decoder/projection/kernel", "decoder/projection/bias"]
    # The same by calls of the cell, one after the other.
    ids, state, logits = v1.constant(STARTS), cell.zero_state(3, v1.float32), []
    for _ in range(4):
        output, state = cell(v1.gather(EMBEDDING, ids), state)
        logits.append(layer(output))
        ids = v1.argmax(logits[-1], 1, output_type=v1.int32)
    one, other = run([outputs.rnn_output, v1.stack(logits, 1)])
    np.testing.assert_allclose(one, other[:, : one.shape[1]], rtol=1e-6, atol=1e-7)


def test_samples_follow_their_probabilities():
    table = np.tile(np.log([0.0001, 0.1, 0.2, 0.7]), (4, 1)).astype("float32")

    class Table(Markov):
        state_size = output_size = 4

    def drawn(temperature):
        eye, starts = np.eye(4, dtype="float32"), np.ones(300, "int32")
        helper = seq2seq.SampleEmbeddingHelper(eye, starts, 0, softmax_temperature=temperature, seed=8)
        decoder = seq2seq.BasicDecoder(Table(table), helper, v1.zeros([300, 4]))
        ids = run(seq2seq.dynamic_decode(decoder, maximum_iterations=10)[0].sample_id)
        return np.bincount(ids.ravel(), minlength=4) / ids.size

    np.testing.assert_allclose(drawn(None), [0.0001, 0.1, 0.2, 0.7], atol=0.03)
    flat = np.sqrt([0.0001, 0.1, 0.2, 0.7])
    np.testing.assert_allclose(drawn(2.0)[1:], (flat / flat.sum())[1:], atol=0.04)
    assert drawn(0.01)[3] == 1


def test_a_helper_of_ones_own_functions(flow):
    """Counts down: reads its own state, and is finished at 0."""
    start = v1.constant([[2.0], [3.0], [1.0]])

    class Minus(rnn_cell.RNNCell):
        state_size = output_size = 1

        def call(self, inputs, state):
            return inputs - 1, state + inputs

    helpers = [
        seq2seq.CustomHelper(
            lambda: (v1.fill([3], False), start),
            lambda time, outputs, state: v1.cast(outputs[:, 0], v1.int32),
            lambda time, outputs, state, sample_ids: (sample_ids <= 0, outputs, state),
        ),
        seq2seq.InferenceHelper(
            lambda outputs: outputs, [1], v1.float32, start, lambda ids: v1.less_equal(ids[:, 0], 0)
        ),
    ]
    for helper in helpers:
        decoder = seq2seq.BasicDecoder(Minus(), helper, v1.zeros([3, 1]))
        outputs, state, lengths = run(seq2seq.dynamic_decode(decoder, impute_finished=True))
        assert outputs.rnn_output[..., 0].tolist() == [[1, 0, 0], [2, 1, 0], [0, 0, 0]]
        assert lengths.tolist() == [2, 3, 1] and state[:, 0].tolist() == [3, 6, 1]
        assert outputs.sample_id.reshape(3, 3).tolist() == outputs.rnn_output[..., 0].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("probability", [0.0, 1.0, 0.5])
def test_scheduled_sampling_of_embeddings(flow, probability):
    cell = Markov(np.eye(WORDS, dtype="float32") * 50)  # says what it hears
    heard = RANDOM.randint(WORDS, size=(40, 5))
    helper = seq2seq.ScheduledEmbeddingTrainingHelper(
        np.eye(WORDS, dtype="float32")[heard], [5] * 40, np.eye(WORDS, dtype="float32"), probability,
        seed=1, scheduling_seed=2,
    )  # fmt: skip
    decoder = seq2seq.BasicDecoder(cell, helper, v1.zeros([40, WORDS]))
    outputs = run(seq2seq.dynamic_decode(decoder)[0])
    said, drawn = outputs.rnn_output.argmax(2), outputs.sample_id
    assert abs((drawn >= 0).mean() - probability) < 0.15
    assert (said[:, 0] == heard[:, 0]).all() and set(drawn[drawn < 0]) <= {-1}
    following = np.where(drawn[:, :-1] >= 0, drawn[:, :-1], heard[:, 1:])
    np.testing.assert_array_equal(said[:, 1:], following)


@pytest.mark.slow
@pytest.mark.parametrize("parts", ["plain", "layer", "auxiliary"])
def test_scheduled_sampling_of_outputs(flow, parts):
    class Half(rnn_cell.RNNCell):
        state_size, output_size = 1, 2

        def call(self, inputs, state):
            return inputs[:, :2] / 2 + v1.reduce_sum(inputs[:, 2:], 1, keepdims=True), state

    x, more = RANDOM.randn(6, 5, 2).astype("float32"), RANDOM.randn(6, 5, 1).astype("float32")
    double = layers.Dense(2, use_bias=False, kernel_initializer=v1.constant_initializer(3 * np.eye(2)))
    helper = seq2seq.ScheduledOutputTrainingHelper(
        x, [5] * 6, 0.5, seed=4, next_input_layer=double if parts == "layer" else None,
        auxiliary_inputs=more if parts == "auxiliary" else None,
    )  # fmt: skip
    outputs = run(seq2seq.dynamic_decode(seq2seq.BasicDecoder(Half(), helper, v1.zeros([6, 1])))[0])
    beside = more if parts == "auxiliary" else np.zeros_like(more)
    own, expected = outputs.sample_id, [x[:, 0] / 2 + beside[:, 0]]
    assert own.dtype == np.int32 and 0 < own.mean() < 1
    for step in range(1, 5):
        read = expected[-1] * (3 if parts == "layer" else 1)
        expected.append(np.where(own[:, step - 1 : step] == 1, read, x[:, step]) / 2 + beside[:, step])
    np.testing.assert_allclose(outputs.rnn_output, np.stack(expected, 1), rtol=1e-5, atol=1e-6)


def test_what_does_not_fit():
    cell = rnn_cell.GRUCell(UNITS)
    helper, state = seq2seq.TrainingHelper(X, LENGTHS), cell.zero_state(4, v1.float32)
    for build, kind, says in (
        (lambda: seq2seq.dynamic_decode(cell), TypeError, "Expected decoder to be type Decoder"),
        (lambda: seq2seq.BasicDecoder(cell, cell, state), TypeError, "helper must be a Helper"),
        (lambda: seq2seq.BasicDecoder(3, helper, state), TypeError, "'cell' .* is not an RNNCell"),
        (lambda: seq2seq.BasicDecoder(cell, helper, state, len), TypeError, "output_layer must be a Layer"),
        (lambda: seq2seq.TrainingHelper(X, 3), ValueError, "sequence_length to be a vector"),
        (lambda: seq2seq.GreedyEmbeddingHelper(EMBEDDING, 1, 0), ValueError, "start_tokens must be a vector"),
        (lambda: seq2seq.GreedyEmbeddingHelper(EMBEDDING, [1], [0]), ValueError, "end_token must be a scalar"),
        (lambda: seq2seq.ScheduledEmbeddingTrainingHelper(X, LENGTHS, EMBEDDING, [[0.1]]), ValueError, "scalar or a"),
        (lambda: seq2seq.ScheduledOutputTrainingHelper(X, LENGTHS, 0.1, next_input_layer=len), TypeError, "a Layer"),
        (lambda: seq2seq.CustomHelper(len, len, len).batch_size, ValueError, "before initialize"),
        (
            lambda: seq2seq.dynamic_decode(seq2seq.BasicDecoder(cell, helper, state), maximum_iterations=[1]),
            ValueError,
            "maximum_iterations must be a scalar",
        ),
    ):
        with pytest.raises(kind, match=says):
            build()
