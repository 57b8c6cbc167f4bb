"""tf.contrib.crf: a linear-chain CRF over tags (Lafferty et al., 2001), with its likelihood and Viterbi decoding.

inputs are unary scores of [batch, time, tags]. transition_params[i, j] is the score of tag j after tag i. Only the
first sequence_lengths[b] steps of a sequence count.
"""

import numpy as np
import tensorflow.compat.v1 as v1

from tf1ref.legacy.nn.rnn_cell._base import RNNCell

__all__ = [
    "CrfDecodeBackwardRnnCell", "CrfDecodeForwardRnnCell", "CrfForwardRnnCell", "crf_binary_score", "crf_decode",
    "crf_log_likelihood", "crf_log_norm", "crf_multitag_sequence_score", "crf_sequence_score", "crf_unary_score",
    "viterbi_decode",
]  # fmt: skip


def crf_log_likelihood(inputs, tag_indices, sequence_lengths, transition_params=None):
    """Returns (log probability [batch] of tag_indices [batch, time], transition_params).

    transition_params: [tags, tags]; without it they are the variable `transitions`.
    """
    tags = inputs.get_shape().as_list()[2]
    if transition_params is None:
        transition_params = v1.get_variable("transitions", [tags, tags])
    score = crf_sequence_score(inputs, tag_indices, sequence_lengths, transition_params)
    return score - crf_log_norm(inputs, sequence_lengths, transition_params), transition_params


def crf_sequence_score(inputs, tag_indices, sequence_lengths, transition_params):
    """Returns the scores [batch] of tag_indices: the sum of unary and transition scores, or 0 without steps."""
    unary = crf_unary_score(tag_indices, sequence_lengths, inputs)
    return unary + crf_binary_score(tag_indices, sequence_lengths, transition_params)


def crf_multitag_sequence_score(inputs, tag_bitmap, sequence_lengths, transition_params):
    """Returns log(sum(exp(score))), [batch], over all sequences of tags that tag_bitmap allows.

    tag_bitmap: [batch, time, tags] bool.
    """
    ruled_out = v1.fill(v1.shape(inputs), -np.inf)
    allowed = v1.where(v1.cast(tag_bitmap, v1.bool), inputs, v1.cast(ruled_out, inputs.dtype))
    return crf_log_norm(allowed, sequence_lengths, transition_params)


def crf_unary_score(tag_indices, sequence_lengths, inputs):
    """Returns the sums [batch] of the unary scores of tag_indices."""
    tags = v1.shape(inputs)[2]
    chosen = v1.reduce_sum(inputs * v1.one_hot(tag_indices, tags, dtype=inputs.dtype), 2)
    return v1.reduce_sum(v1.where(_inside(tag_indices, sequence_lengths), chosen, v1.zeros_like(chosen)), 1)


def crf_binary_score(tag_indices, sequence_lengths, transition_params):
    """Returns the sums [batch] of the transition scores of tag_indices."""
    transition_params = v1.convert_to_tensor(transition_params)
    tag_indices = v1.convert_to_tensor(tag_indices)
    pairs = v1.stack([tag_indices[:, :-1], tag_indices[:, 1:]], -1)
    scores = v1.gather_nd(transition_params, pairs)
    there = _inside(tag_indices, sequence_lengths)[:, 1:]
    return v1.reduce_sum(v1.where(there, scores, v1.zeros_like(scores)), 1)


def crf_log_norm(inputs, sequence_lengths, transition_params):
    """Returns log(sum(exp(score))), [batch], over all sequences of tags, or 0 for a sequence without steps."""
    lengths = v1.convert_to_tensor(sequence_lengths)
    _, alphas = v1.nn.dynamic_rnn(
        CrfForwardRnnCell(transition_params), inputs[:, 1:], _steps_left(lengths), inputs[:, 0], inputs.dtype
    )
    norm = v1.reduce_logsumexp(alphas, 1)
    return v1.where(lengths > 0, norm, v1.zeros_like(norm))


class _CrfCell(RNNCell):
    def __init__(self, transition_params):
        super().__init__()
        transition_params = v1.convert_to_tensor(transition_params)
        self._transitions = v1.expand_dims(transition_params, 0)
        self._tags = transition_params.get_shape().as_list()[0]

    state_size = output_size = property(lambda self: self._tags)


class CrfForwardRnnCell(_CrfCell):
    """One step of the forward recursion. State and output are log(sum(exp(score))) for each last tag."""

    def __call__(self, inputs, state, scope=None):
        alphas = inputs + v1.reduce_logsumexp(v1.expand_dims(state, 2) + self._transitions, 1)
        return alphas, alphas


class CrfDecodeForwardRnnCell(_CrfCell):
    """One step of Viterbi forwards. The output is the best tag before each tag (int32), the state the best score."""

    def __call__(self, inputs, state, scope=None):
        scores = v1.expand_dims(state, 2) + self._transitions
        return v1.argmax(scores, 1, output_type=v1.int32), inputs + v1.reduce_max(scores, 1)


class CrfDecodeBackwardRnnCell(RNNCell):
    """One step of Viterbi backwards. From the best tags before each, [batch, num_tags], it takes the state's one."""

    state_size = output_size = 1

    def __init__(self, num_tags):
        super().__init__()
        self._num_tags = num_tags

    def __call__(self, inputs, state, scope=None):
        tags = v1.gather(inputs, state, axis=1, batch_dims=1)
        return tags, tags


def crf_decode(potentials, transition_params, sequence_length):
    """Returns the tags [batch, time] (int32) with the highest score, and that score [batch].

    Tags after the end of a sequence are 0. The score of a sequence without steps is 0, too.
    """
    lengths = v1.convert_to_tensor(sequence_length)
    left, all_steps = _steps_left(lengths), v1.shape(potentials)[1]
    pointers, last = v1.nn.dynamic_rnn(
        CrfDecodeForwardRnnCell(transition_params), potentials[:, 1:], left, potentials[:, 0], v1.int32
    )
    best = v1.argmax(last, axis=1, output_type=v1.int32)[:, None]
    pointers = v1.reverse_sequence(pointers, left, seq_axis=1)
    cell = CrfDecodeBackwardRnnCell(potentials.get_shape().as_list()[2])
    tags, _ = v1.nn.dynamic_rnn(cell, pointers, left, best, v1.int32)
    tags = v1.reverse_sequence(v1.concat([best, tags[..., 0]], 1), left + 1, seq_axis=1)
    there = v1.sequence_mask(v1.maximum(lengths, 1), all_steps)
    score = v1.reduce_max(last, axis=1)
    return v1.where(there, tags, v1.zeros_like(tags)), v1.where(lengths > 0, score, v1.zeros_like(score))


def viterbi_decode(score, transition_params):
    """Returns the tags with the highest score, and that score, in NumPy. score: [time, tags]; tags: a list.

    >>> score = np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> viterbi_decode(score, np.zeros([2, 2]))[0]
    [0, 1, 1]
    """
    best, pointers = score[0], []
    for step in score[1:]:
        through = best[:, None] + transition_params
        pointers.append(through.argmax(0))
        best = step + through.max(0)
    tags = [int(best.argmax())]
    for pointer in reversed(pointers):
        tags.append(int(pointer[tags[-1]]))
    return tags[::-1], best.max()


def _inside(tag_indices, sequence_lengths):
    return v1.sequence_mask(sequence_lengths, v1.shape(tag_indices)[1])


def _steps_left(lengths):
    return v1.maximum(lengths - 1, 0)
