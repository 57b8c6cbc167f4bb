"""tf.contrib.seq2seq's monotonic attention (Raffel et al., 2017), which never looks back at earlier steps."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.seq2seq._attention import (
    BaseAttentionMechanism,
    additive_score,
    multiplicative_score,
    safe_cumprod,
)
from tf1ref.legacy.layers import Dense


def monotonic_attention(p_choose_i, previous_attention, mode):
    """Returns the attention [batch, time]: where a walk from the last place stops, if it stops at i with p_choose_i.

    mode: "recursive" is exact and goes step by step. "parallel" is a closed form, and is not exact for long memories
    and probabilities near 0 and 1. "hard" is for probabilities of 0 and 1. Raises ValueError for another mode.
    """
    p = v1.convert_to_tensor(p_choose_i, name="p_choose_i")
    before = v1.convert_to_tensor(previous_attention, name="previous_attention")
    if mode == "recursive":
        # q[i] = (1 - p[i - 1]) q[i - 1] + before[i] is the probability to reach i.
        passed = v1.concat([v1.ones_like(p[:, :1]), 1 - p[:, :-1]], 1)
        come = v1.scan(
            lambda q, step: step[0] * q + step[1], (v1.transpose(passed), v1.transpose(before)), v1.zeros_like(p[:, 0])
        )
        return p * v1.transpose(come)
    if mode == "parallel":
        passed = safe_cumprod(1 - p, axis=1, exclusive=True)
        return p * passed * v1.cumsum(before / v1.clip_by_value(passed, 1e-10, 1.0), axis=1)
    if mode == "hard":
        p *= v1.cumsum(before, axis=1)
        return p * v1.cumprod(1 - p, axis=1, exclusive=True)
    raise ValueError("mode must be 'recursive', 'parallel', or 'hard'.")


class _MonotonicAttention(BaseAttentionMechanism):
    """A mechanism that stops at a step with probability sigmoid(score + `attention_score_bias`).

    sigmoid_noise: the standard deviation of noise that is added to the scores first. It starts at the memory's first
    step.
    """

    def __init__(self, query_layer, memory, lengths, noise, seed, bias, mode, mask_value, num_units, dtype, name):
        def probability_fn(score, previous):
            if noise > 0:
                score += noise * v1.random_normal(v1.shape(score), dtype=score.dtype, seed=seed)
            chosen = v1.cast(score > 0, score.dtype) if mode == "hard" else v1.sigmoid(score)
            return monotonic_attention(chosen, previous, mode)

        super().__init__(
            query_layer,
            memory,
            probability_fn,
            lengths,
            Dense(num_units, name="memory_layer", use_bias=False, dtype=dtype),
            score_mask_value=mask_value,
            name=name,
        )
        self._num_units, self._score_bias_init, self._name = num_units, bias, name

    def initial_alignments(self, batch_size, dtype):
        return v1.one_hot(v1.zeros([batch_size], v1.int32), self._alignments_size, dtype=dtype)

    def _aligned(self, score, state):
        alignments = self._probability_fn(score, state)
        return alignments, alignments

    def _bias(self, dtype):
        start = v1.constant_initializer(self._score_bias_init)
        return v1.get_variable("attention_score_bias", [], dtype, start)


class BahdanauMonotonicAttention(_MonotonicAttention):
    """Monotonic attention with BahdanauAttention's scores."""

    def __init__(
        self,
        num_units,
        memory,
        memory_sequence_length=None,
        normalize=False,
        score_mask_value=None,
        sigmoid_noise=0.0,
        sigmoid_noise_seed=None,
        score_bias_init=0.0,
        mode="parallel",
        dtype=None,
        name="BahdanauMonotonicAttention",
    ):
        dtype = dtype or v1.float32
        query_layer = Dense(num_units, name="query_layer", use_bias=False, dtype=dtype)
        super().__init__(
            query_layer, memory, memory_sequence_length, sigmoid_noise, sigmoid_noise_seed, score_bias_init, mode,
            score_mask_value, num_units, dtype, name,
        )  # fmt: skip
        self._normalize = normalize

    def __call__(self, query, state):
        with v1.variable_scope(None, "bahdanau_monotonic_attention", [query]):
            query = self._query_layer(query)
            score = additive_score(query, self._keys, self._num_units, self._normalize) + self._bias(query.dtype)
        return self._aligned(score, state)


class LuongMonotonicAttention(_MonotonicAttention):
    """Monotonic attention with LuongAttention's scores."""

    def __init__(
        self,
        num_units,
        memory,
        memory_sequence_length=None,
        scale=False,
        score_mask_value=None,
        sigmoid_noise=0.0,
        sigmoid_noise_seed=None,
        score_bias_init=0.0,
        mode="parallel",
        dtype=None,
        name="LuongMonotonicAttention",
    ):
        super().__init__(
            None, memory, memory_sequence_length, sigmoid_noise, sigmoid_noise_seed, score_bias_init, mode,
            score_mask_value, num_units, dtype or v1.float32, name,
        )  # fmt: skip
        self._scale = scale

    def __call__(self, query, state):
        with v1.variable_scope(None, "luong_monotonic_attention", [query]):
            score = multiplicative_score(query, self._keys, self._scale) + self._bias(query.dtype)
        return self._aligned(score, state)
