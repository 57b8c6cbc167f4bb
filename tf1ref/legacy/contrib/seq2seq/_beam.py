"""tf.contrib.seq2seq.BeamSearchDecoder keeps the best `beam_width` sequences of each example."""

from collections import namedtuple

import numpy as np
import tensorflow.compat.v1 as v1
from tensorflow.python.framework import tensor_util
from tensorflow.python.util import nest

from tf1ref.legacy.contrib.seq2seq._beam_tree import gather_tree, sorted_array
from tf1ref.legacy.contrib.seq2seq._decoder import Decoder, check_cell_and_layer, rnn_output_size
from tf1ref.legacy.contrib.seq2seq._helpers import embedding_function, start_and_end
from tf1ref.legacy.contrib.seq2seq._wrapper import AttentionWrapperState


class BeamSearchDecoderState(
    namedtuple(
        "BeamSearchDecoderState", ("cell_state", "log_probs", "finished", "lengths", "accumulated_attention_probs")
    )
):
    """The state of a beam search, all [batch, beam_width, ...]. lengths: int64, including the end token."""

    __slots__ = ()


class BeamSearchDecoderOutput(namedtuple("BeamSearchDecoderOutput", ("scores", "predicted_ids", "parent_ids"))):
    """One step: the scores and ids of the best continuations, and the beam that each of them continues."""

    __slots__ = ()


class FinalBeamSearchDecoderOutput(
    namedtuple("FinalBeamDecoderOutput", ("predicted_ids", "beam_search_decoder_output"))
):
    """predicted_ids: [batch, time, beam_width], with the best beam first, and end tokens after the end."""

    __slots__ = ()


def tile_batch(t, multiplier, name=None):
    """Repeats each row of the tensors, [batch, ...], `multiplier` times in a row.

    Raises ValueError for a tensor of unknown rank and for a scalar.
    """

    def tiled(each):
        each = v1.convert_to_tensor(each, name="t")
        if not each.get_shape().ndims:
            raise ValueError("t must have statically known rank, of 1 or more")
        known = each.get_shape().as_list()
        rows = v1.tile(v1.expand_dims(each, 1), [1, multiplier, *[1] * (len(known) - 1)])
        rows = v1.reshape(rows, v1.concat([[v1.shape(each)[0] * multiplier], v1.shape(each)[1:]], 0))
        rows.set_shape([None if known[0] is None else known[0] * multiplier, *known[1:]])
        return rows

    with v1.name_scope(name, "tile_batch"):
        return nest.map_structure(tiled, t)


class BeamSearchDecoder(Decoder):
    """Beam search. The logits are the cell's outputs, or output_layer's for these.

    start_tokens: [batch]. initial_state and the memory of an attention have batch * beam_width rows, by tile_batch.
    A score is the log probability divided by ((5 + length) / 6) ** length_penalty_weight. A finished sequence gets
    coverage_penalty_weight times its coverage penalty in addition (Wu et al., 2016).
    reorder_tensor_arrays: returns TensorArrays of the last state, such as alignment_history, as tensors in the order of
    the beams.
    Raises TypeError for an object that is not a cell or a Layer. Raises ValueError for start_tokens that are not a
    vector, an end_token that is not a scalar, states without batch * beam_width rows, and a coverage penalty without
    attention.
    """

    def __init__(
        self,
        cell,
        embedding,
        start_tokens,
        end_token,
        initial_state,
        beam_width,
        output_layer=None,
        length_penalty_weight=0.0,
        coverage_penalty_weight=0.0,
        reorder_tensor_arrays=True,
    ):
        check_cell_and_layer(cell, output_layer)
        self._cell, self._output_layer, self._beam_width = cell, output_layer, beam_width
        self._embedding_fn = embedding_function(embedding)
        self._start_tokens, self._end_token = start_and_end(start_tokens, end_token)
        self._length_penalty_weight, self._coverage_penalty_weight = length_penalty_weight, coverage_penalty_weight
        self._reorder_tensor_arrays = reorder_tensor_arrays
        self._batch_size = v1.size(self._start_tokens)
        self._initial_cell_state = self._split_state(initial_state)
        self._start_tokens = v1.tile(v1.expand_dims(self._start_tokens, 1), [1, beam_width])
        self._start_inputs = self._embedding_fn(self._start_tokens)

    batch_size = property(lambda self: self._batch_size)
    tracks_own_finished = property(lambda self: True)

    @property
    def output_size(self):
        return BeamSearchDecoderOutput(*[v1.TensorShape([self._beam_width])] * 3)

    @property
    def output_dtype(self):
        dtype = nest.flatten(self._initial_cell_state)[0].dtype
        scores = nest.map_structure(lambda _: dtype, rnn_output_size(self._cell, self._output_layer))
        return BeamSearchDecoderOutput(scores, v1.int32, v1.int32)

    def initialize(self, name=None):
        dtype = nest.flatten(self._initial_cell_state)[0].dtype
        first = v1.one_hot(v1.zeros([self._batch_size], v1.int32), self._beam_width, on_value=True, off_value=False)
        # All beams are equal at the start. Only the first one may continue; the others count as finished.
        start = v1.where(first, v1.zeros_like(first, dtype), v1.cast(v1.fill(v1.shape(first), -np.inf), dtype))
        state = BeamSearchDecoderState(
            cell_state=self._initial_cell_state,
            log_probs=start,
            finished=v1.logical_not(first),
            lengths=v1.zeros_like(first, v1.int64),
            accumulated_attention_probs=self._attention(self._initial_cell_state),
        )
        return state.finished, self._start_inputs, state

    def _attention(self, cell_state):
        """Returns the mean of the alignments, [batch, beam_width, time], or () when there is no coverage penalty."""
        if self._coverage_penalty_weight == 0.0:
            return ()
        states = cell_state if type(cell_state) is tuple else (cell_state,)
        found = [state.alignments for state in states if isinstance(state, AttentionWrapperState)]
        if not found:
            raise ValueError("coverage_penalty_weight must be 0.0 if no cell is attentional.")
        return _mean([_mean(each) if isinstance(each, tuple) else each for each in found])

    def finalize(self, outputs, final_state, sequence_lengths):
        # Beams change places, so the loop's own lengths are not those of the beams.
        longest = v1.cast(v1.reduce_max(final_state.lengths, axis=1), v1.int32)
        ids = gather_tree(outputs.predicted_ids, outputs.parent_ids, longest, self._end_token)
        if self._reorder_tensor_arrays:
            final_state = final_state._replace(
                cell_state=nest.map_structure(
                    lambda each: sorted_array(each, outputs.parent_ids, final_state.lengths), final_state.cell_state
                )
            )
        return FinalBeamSearchDecoderOutput(ids, outputs), final_state

    def step(self, time, inputs, state, name=None):
        with v1.name_scope(name, "BeamSearchDecoderStep"):
            inputs = nest.map_structure(self._merged, inputs)
            logits, cell_state = self._cell(inputs, self._merge_state(state.cell_state))
            logits = self._split(logits, logits.get_shape()[1:])
            cell_state = self._split_state(cell_state)
            if self._output_layer is not None:
                logits = self._output_layer(logits)
            output, state = self._best(logits, cell_state, state)
            inputs = v1.cond(
                v1.reduce_all(state.finished),
                lambda: self._start_inputs,
                lambda: self._embedding_fn(output.predicted_ids),
            )
        return output, state, inputs, state.finished

    def _best(self, logits, cell_state, state):
        """Returns the output and next state of a step, from logits of [batch, beam_width, words]."""
        words = logits.get_shape().as_list()[-1]
        words = v1.shape(logits)[-1] if words is None else words
        going = v1.cast(v1.logical_not(state.finished), v1.int64)
        is_end = v1.one_hot(self._end_token, words, on_value=True, off_value=False)
        log_probs = v1.expand_dims(state.log_probs, 2) + _masked(v1.nn.log_softmax(logits), is_end, state.finished)
        lengths = v1.expand_dims(state.lengths, 2) + v1.expand_dims(going, 2) * v1.cast(
            v1.logical_not(is_end), v1.int64
        )  # fmt: skip
        attended = state.accumulated_attention_probs
        if self._coverage_penalty_weight != 0.0:
            attention = self._attention(cell_state)
            attended += attention * v1.cast(v1.expand_dims(going, 2), attention.dtype)
        scores = self._scores(log_probs, lengths, state.finished, attended)
        flat = v1.reshape(scores, [self._batch_size, -1])
        scores, places = v1.nn.top_k(flat, k=self._beam_width)
        parents = places // words

        def chosen(each, index=parents):
            return v1.gather(each, index, axis=1, batch_dims=1)

        ids, was_finished = places % words, chosen(state.finished)
        next_state = BeamSearchDecoderState(
            cell_state=nest.map_structure(lambda each: chosen(each) if _has_beams(each) else each, cell_state),
            log_probs=chosen(v1.reshape(log_probs, v1.shape(flat)), places),
            finished=v1.logical_or(was_finished, v1.equal(ids, self._end_token)),
            lengths=chosen(state.lengths) + v1.cast(v1.logical_not(was_finished), v1.int64),
            accumulated_attention_probs=nest.map_structure(chosen, attended),
        )
        for each in (scores, ids, parents, *next_state[1:4]):
            each.set_shape([tensor_util.constant_value(self._batch_size), self._beam_width])
        return BeamSearchDecoderOutput(scores, ids, parents), next_state

    def _scores(self, log_probs, lengths, finished, attended):
        scores, weight = log_probs, self._length_penalty_weight
        if v1.is_tensor(weight) or weight != 0:
            # Both powers are TensorFlow's: Python's power of 6.0 differs by up to 2 ULP.
            weight = v1.convert_to_tensor(weight, log_probs.dtype)
            scores = log_probs / v1.div((5.0 + v1.cast(lengths, weight.dtype)) ** weight, 6.0**weight)
        if self._coverage_penalty_weight == 0.0:
            return scores
        # Steps that got no attention at all are padding.
        attended = v1.where(v1.equal(attended, 0.0), v1.ones_like(attended), attended)
        penalty = v1.reduce_sum(v1.log(v1.minimum(attended, 1.0)), 2) * v1.cast(finished, attended.dtype)
        return scores + v1.expand_dims(penalty * self._coverage_penalty_weight, 2)

    def _split_state(self, state):
        return nest.map_structure(
            lambda each, size: self._split(each, _shape(size)) if _rank(each) >= 1 else each,
            state,
            self._cell.state_size,
        )

    def _merge_state(self, state):
        return nest.map_structure(lambda each: self._merged(each) if _rank(each) >= 2 else each, state)

    def _split(self, each, size):
        """Returns [batch * beam_width, *size] as [batch, beam_width, *size]."""
        batch = tensor_util.constant_value(self._batch_size)
        given = each.get_shape().as_list()[0]
        if given is not None and batch is not None and given != batch * self._beam_width:
            raise ValueError(
                f"{each.name} has {given} rows, not batch size {batch} * beam width {self._beam_width}. Perhaps you "
                "forgot to create a zero_state with batch_size=encoder_batch_size * beam_width, or tile_batch?"
            )
        rows = v1.reshape(each, v1.concat([[self._batch_size, self._beam_width], v1.shape(each)[1:]], 0))
        rows.set_shape(v1.TensorShape([batch, self._beam_width]).concatenate(size))
        return rows

    def _merged(self, each):
        batch = tensor_util.constant_value(self._batch_size)
        rows = v1.reshape(each, v1.concat([[self._batch_size * self._beam_width], v1.shape(each)[2:]], 0))
        rows.set_shape(
            v1.TensorShape([None if batch is None else batch * self._beam_width]).concatenate(each.get_shape()[2:])
        )
        return rows


def _masked(log_probs, is_end, finished):
    """Returns the log probabilities. For finished sequences, all probability is on the end token."""
    only_end = v1.where(is_end, v1.zeros_like(log_probs[0, 0]), v1.fill(v1.shape(is_end), log_probs.dtype.min))
    shape = v1.shape(log_probs)
    ended = v1.tile(v1.expand_dims(finished, 2), [1, 1, shape[2]])
    return v1.where(ended, v1.tile(v1.reshape(only_end, [1, 1, -1]), [shape[0], shape[1], 1]), log_probs)


def _mean(tensors):
    return tensors[0] if len(tensors) == 1 else v1.reduce_mean(v1.stack(tensors, -1), -1)


def _rank(each):
    """Returns the rank of a tensor, or 0 for a TensorArray. Raises ValueError when it is unknown."""
    if isinstance(each, v1.TensorArray):
        return 0
    if each.get_shape().ndims is None:
        raise ValueError(f"Expected tensor ({each}) to have known rank, but ndims == None.")
    return each.get_shape().ndims


def _has_beams(each):
    return _rank(each) >= 2


def _shape(size):
    return v1.TensorShape([tensor_util.constant_value(size)] if v1.is_tensor(size) else size)
