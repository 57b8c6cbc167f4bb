"""tf.contrib.seq2seq's attention mechanisms, which compute how well each step of a memory fits a query.

Bahdanau et al. (2015): v . tanh(keys + query layer(query)). Luong et al. (2015): keys . query.
"""

import math

import numpy as np
import tensorflow.compat.v1 as v1
from tensorflow.python.util import nest

from tf1ref.legacy._layer import Layer
from tf1ref.legacy.layers import Dense
from tf1ref.legacy.nn.rnn_cell._base import zeros


class AttentionMechanism:
    """The base class: mechanism(query, state) -> (alignments, next state), both [batch, time of the memory]."""


class BaseAttentionMechanism(AttentionMechanism):
    """A mechanism with a memory of [batch, time, depth]. It has `values`, 0 after their lengths, and `keys`.

    The memory layer computes the keys. probability_fn(score, state) turns scores into alignments. Scores after
    memory_sequence_length are score_mask_value (default: -inf). custom_key_value_fn(keys, values) returns replacements
    for both. Raises TypeError for a layer that is not a Layer and for a probability_fn that cannot be called, and
    ValueError for a memory of unknown depth.
    """

    def __init__(
        self,
        query_layer,
        memory,
        probability_fn,
        memory_sequence_length=None,
        memory_layer=None,
        check_inner_dims_defined=True,
        score_mask_value=None,
        custom_key_value_fn=None,
        name=None,
    ):
        for what, layer in (("query_layer", query_layer), ("memory_layer", memory_layer)):
            if layer is not None and not isinstance(layer, Layer):
                raise TypeError(f"{what} is not a Layer: {type(layer).__name__}")
        _check_callable(probability_fn)
        self._query_layer, self._memory_layer = query_layer, memory_layer
        self._lengths, self._mask_value, self._given_fn = memory_sequence_length, score_mask_value, probability_fn
        with v1.name_scope(name, "BaseAttentionMechanismInit"):
            self._values = _masked_memory(memory, memory_sequence_length, check_inner_dims_defined)
            self._keys = memory_layer(self._values) if memory_layer is not None else self._values
            self.dtype = memory_layer.dtype if memory_layer is not None else self._keys.dtype
            if custom_key_value_fn is not None:
                self._keys, self._values = custom_key_value_fn(self._keys, self._values)
            known = self._keys.get_shape().as_list()
            self._batch_size, self._alignments_size = (
                v1.shape(self._keys)[axis] if known[axis] is None else known[axis] for axis in (0, 1)
            )

    memory_layer = property(lambda self: self._memory_layer)
    query_layer = property(lambda self: self._query_layer)
    values = property(lambda self: self._values)
    keys = property(lambda self: self._keys)
    batch_size = property(lambda self: self._batch_size)
    alignments_size = property(lambda self: self._alignments_size)
    state_size = property(lambda self: self._alignments_size)

    def _probability_fn(self, score, state):
        if self._lengths is not None:
            message = "All values in memory_sequence_length must be greater than zero."
            with v1.control_dependencies([v1.assert_positive(self._lengths, message=message)]):
                mask = v1.sequence_mask(self._lengths, maxlen=v1.shape(score)[1])
            masked = -np.inf if self._mask_value is None else self._mask_value
            score = v1.where(mask, score, masked * v1.ones_like(score))
        return self._given_fn(score, state)

    def initial_alignments(self, batch_size, dtype):
        """Returns zeros of [batch_size, time of the memory]."""
        return zeros(self._alignments_size, batch_size, dtype)

    def initial_state(self, batch_size, dtype):
        """Returns the state to start from, which is the initial alignments."""
        return self.initial_alignments(batch_size, dtype)


class BahdanauAttention(BaseAttentionMechanism):
    """Additive attention. Query and memory each go through a matrix of num_units, and `attention_v` compares them.

    normalize: v is g * v / |v|, and a bias is added inside the tanh (Salimans and Kingma, 2016).
    """

    def __init__(
        self,
        num_units,
        memory,
        memory_sequence_length=None,
        normalize=False,
        probability_fn=None,
        score_mask_value=None,
        dtype=None,
        custom_key_value_fn=None,
        name="BahdanauAttention",
    ):
        dtype, probability_fn = dtype or v1.float32, probability_fn or v1.nn.softmax
        super().__init__(
            Dense(num_units, name="query_layer", use_bias=False, dtype=dtype),
            memory,
            _stateless(probability_fn),
            memory_sequence_length,
            Dense(num_units, name="memory_layer", use_bias=False, dtype=dtype),
            score_mask_value=score_mask_value,
            custom_key_value_fn=custom_key_value_fn,
            name=name,
        )
        self._num_units, self._normalize, self._name = num_units, normalize, name

    def __call__(self, query, state):
        with v1.variable_scope(None, "bahdanau_attention", [query]):
            score = additive_score(self._query_layer(query), self._keys, self._num_units, self._normalize)
        alignments = self._probability_fn(score, state)
        return alignments, alignments


class LuongAttention(BaseAttentionMechanism):
    """Multiplicative attention. The memory goes through a matrix of num_units, which must be the query's depth.

    scale: scores are multiplied by the variable `attention_g`, which starts at 1. A call raises ValueError for another
    depth.
    """

    def __init__(
        self,
        num_units,
        memory,
        memory_sequence_length=None,
        scale=False,
        probability_fn=None,
        score_mask_value=None,
        dtype=None,
        custom_key_value_fn=None,
        name="LuongAttention",
    ):
        probability_fn = probability_fn or v1.nn.softmax
        super().__init__(
            None,
            memory,
            _stateless(probability_fn),
            memory_sequence_length,
            Dense(num_units, name="memory_layer", use_bias=False, dtype=dtype or v1.float32),
            score_mask_value=score_mask_value,
            custom_key_value_fn=custom_key_value_fn,
            name=name,
        )
        self._num_units, self._scale, self._name = num_units, scale, name

    def __call__(self, query, state):
        with v1.variable_scope(None, "luong_attention", [query]):
            score = multiplicative_score(query, self._keys, self._scale)
        alignments = self._probability_fn(score, state)
        return alignments, alignments


def additive_score(query, keys, num_units, normalize):
    """Returns Bahdanau's scores, [batch, time], of keys [batch, time, num_units] for a query [batch, num_units]."""
    v = v1.get_variable("attention_v", [num_units], query.dtype)
    added = keys + v1.expand_dims(query, 1)
    if normalize:
        start = v1.constant_initializer(math.sqrt(1.0 / num_units))
        g = v1.get_variable("attention_g", [], query.dtype, start)
        added += v1.get_variable("attention_b", [num_units], query.dtype, v1.zeros_initializer())
        v = g * v * v1.rsqrt(v1.reduce_sum(v1.square(v)))
    return v1.reduce_sum(v * v1.tanh(added), [2])


def bahdanau_score(processed_query, keys, normalize):
    """The same as TensorFlow 1's file had it: num_units is the last size of the keys."""
    return additive_score(processed_query, keys, keys.get_shape().as_list()[2], normalize)


def multiplicative_score(query, keys, scale):
    """Returns Luong's scores, [batch, time], of keys [batch, time, depth] for a query [batch, depth]."""
    depth, units = query.get_shape().as_list()[-1], keys.get_shape().as_list()[-1]
    if depth != units or depth is None:
        raise ValueError(
            f"Incompatible or unknown inner dimensions between query and keys. Query ({query.name}) has units: "
            f"{depth}. Keys ({keys.name}) have units: {units}. Perhaps you need to set num_units to the query's depth "
            f"({depth})?"
        )
    score = v1.squeeze(v1.matmul(v1.expand_dims(query, 1), keys, transpose_b=True), [1])
    return v1.get_variable("attention_g", [], query.dtype, v1.ones_initializer()) * score if scale else score


def hardmax(logits, name=None):
    """Returns 1 where the last axis of logits is largest (first of equals), and 0 elsewhere.

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     print(sess.run(hardmax(v1.constant([[1.0, 3.0, 2.0]]))))
    [[0. 1. 0.]]
    """
    with v1.name_scope(name, "Hardmax", [logits]):
        logits = v1.convert_to_tensor(logits, name="logits")
        known = logits.get_shape().as_list()[-1]
        return v1.one_hot(
            v1.argmax(logits, -1), v1.shape(logits)[-1] if known is None else known, dtype=logits.dtype
        )  # fmt: skip


def safe_cumprod(x, *args, **kwargs):
    """Returns cumprod of x in [0, 1] as exp(cumsum(log(x))), so that small factors do not make a gradient of 0 / 0.

    The other arguments are those of cumprod.
    """
    with v1.name_scope(None, "SafeCumprod", [x]):
        x = v1.convert_to_tensor(x, name="x")
        tiny = np.finfo(x.dtype.as_numpy_dtype).tiny
        return v1.exp(v1.cumsum(v1.log(v1.clip_by_value(x, tiny, 1)), *args, **kwargs))


def _stateless(probability_fn):
    _check_callable(probability_fn)
    return lambda score, _: probability_fn(score)


def _check_callable(probability_fn):
    if not callable(probability_fn):
        raise TypeError(f"probability_fn must be callable, saw type: {type(probability_fn).__name__}")


def _masked_memory(memory, lengths, check_inner_dims_defined):
    """Returns the memory with zeros after the lengths."""
    memory = nest.map_structure(lambda each: v1.convert_to_tensor(each, name="memory"), memory)
    for each in nest.flatten(memory) if check_inner_dims_defined else ():
        if not each.get_shape()[2:].is_fully_defined():
            raise ValueError(
                f"Expected memory {each.name} to have fully defined inner dims, but saw shape: {each.get_shape()}"
            )
    if lengths is None:
        return memory

    def masked(each):
        mask = v1.sequence_mask(lengths, maxlen=v1.shape(each)[1], dtype=each.dtype)
        for _ in range(each.get_shape().ndims - 2):
            mask = v1.expand_dims(mask, -1)
        return each * mask

    return nest.map_structure(masked, memory)
