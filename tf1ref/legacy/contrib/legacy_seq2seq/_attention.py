"""The decoders of legacy_seq2seq that look at the encoder's outputs (Vinyals et al., 2014, arXiv:1412.7449)."""

import contextlib
import copy

import tensorflow.compat.v1 as v1
from tensorflow.python.util import nest

from tf1ref.legacy.contrib.legacy_seq2seq._decoders import either, embedded, likeliest
from tf1ref.legacy.contrib.rnn._projections import EmbeddingWrapper, OutputProjectionWrapper
from tf1ref.legacy.nn.rnn_cell._linear_map import Linear


class _Heads:
    """Reads [batch, length, size] with several heads. A call takes a query and returns one [batch, size] for each head.

    The score of a row is v . tanh(row W + query U + b), and softmax of the scores weighs the rows. W is the variable
    AttnW_0 of head 0, v is AttnV_0, and U and b are the kernel and the bias below Attention_0.
    """

    def __init__(self, states, heads, dtype):
        length, self._size = states.get_shape().as_list()[1:]
        self._length, self._dtype = v1.shape(states)[1] if length is None else length, dtype
        # A convolution of 1 by 1 is the product of each row with W.
        self._rows = v1.reshape(states, [-1, self._length, 1, self._size])
        self._features, self._vectors = [], []
        for head in range(heads):
            kernel = v1.get_variable(f"AttnW_{head}", [1, 1, self._size, self._size], dtype)
            self._features.append(v1.nn.conv2d(self._rows, kernel, [1, 1, 1, 1], "SAME"))
            self._vectors.append(v1.get_variable(f"AttnV_{head}", [self._size], dtype))

    def zeros(self, batch):
        """Returns what the heads have read before the first step."""
        shape = v1.stack([batch, self._size])
        read = [v1.zeros(shape, self._dtype) for _ in self._vectors]
        for each in read:
            each.set_shape([None, self._size])
        return read

    def __call__(self, query):
        if nest.is_nested(query):
            query = v1.concat(nest.flatten(query), 1)
        return [self._read(query, head) for head in range(len(self._vectors))]

    def _read(self, query, head):
        with v1.variable_scope(f"Attention_{head}"):
            asked = v1.reshape(Linear(query, self._size, True)(query), [-1, 1, 1, self._size])
            hidden = v1.tanh(self._features[head] + v1.cast(asked, self._dtype))
            scores = v1.reduce_sum(self._vectors[head] * hidden, [2, 3])
            # The softmax is one of float32, whatever the dtype is.
            weights = v1.cast(v1.nn.softmax(v1.cast(scores, v1.float32)), self._dtype)
            summed = v1.reduce_sum(v1.reshape(weights, [-1, self._length, 1, 1]) * self._rows, [1, 2])
            return v1.reshape(summed, [-1, self._size])


def attention_decoder(
    decoder_inputs,
    initial_state,
    attention_states,
    cell,
    output_size=None,
    num_heads=1,
    loop_function=None,
    dtype=None,
    scope=None,
    initial_state_attention=False,
):
    """Unrolls a cell that reads attention_states, [batch, length, size], in each step. Returns (outputs, last state).

    A matrix joins a step's input and what was read last. The cell runs on that, and its new state reads. Another matrix
    turns the cell's output and what was read into [batch, output_size]. output_size: None takes the cell's.
    loop_function(output, number) makes the next input. initial_state_attention: reads before the first step, too.
    Raises ValueError for an empty list of inputs, for num_heads below 1, and for sizes that are not known.
    """
    if not decoder_inputs:
        raise ValueError("Must provide at least 1 input to attention decoder.")
    if num_heads < 1:
        raise ValueError("With less than 1 heads, use a non-attention decoder.")
    if attention_states.get_shape().as_list()[2] is None:
        raise ValueError(f"Shape[2] of attention_states must be known: {attention_states.get_shape()}")
    size = cell.output_size if output_size is None else output_size
    with v1.variable_scope(scope or "attention_decoder", dtype=dtype) as scope:
        batch = v1.shape(decoder_inputs[0])[0]
        heads = _Heads(attention_states, num_heads, scope.dtype)
        read, state, outputs = heads.zeros(batch), initial_state, []
        if initial_state_attention:
            read = heads(initial_state)
        for number, inputs in enumerate(decoder_inputs):
            if number > 0:
                v1.get_variable_scope().reuse_variables()
                if loop_function is not None:
                    with v1.variable_scope("loop_function", reuse=True):
                        inputs = loop_function(outputs[-1], number)
            output, state = cell(_joined([inputs, *read], _depth(inputs), scope.dtype), state)
            again = number == 0 and initial_state_attention
            with v1.variable_scope(v1.get_variable_scope(), reuse=True) if again else contextlib.nullcontext():
                read = heads(state)
            with v1.variable_scope("AttnOutputProjection"):
                outputs.append(_joined([output, *read], size, scope.dtype))
        return outputs, state


def _joined(parts, size, dtype):
    parts = [v1.cast(part, dtype) for part in parts]
    return Linear(parts, size, True)(parts)


def _depth(inputs):
    depth = inputs.get_shape().with_rank(2).as_list()[1]
    if depth is None:
        raise ValueError(f"Could not infer input size from input: {inputs.name}")
    return depth


def embedding_attention_decoder(
    decoder_inputs,
    initial_state,
    attention_states,
    cell,
    num_symbols,
    embedding_size,
    num_heads=1,
    output_size=None,
    output_projection=None,
    feed_previous=False,
    update_embedding_for_previous=True,
    dtype=None,
    scope=None,
    initial_state_attention=False,
):
    """attention_decoder over ids, one [batch] for each step, which are looked up in the variable `embedding`.

    The other arguments are those of embedding_rnn_decoder. Raises ValueError for biases of an output_projection that
    are not [num_symbols].
    """
    if output_projection is not None:
        v1.convert_to_tensor(output_projection[1], dtype=dtype).get_shape().assert_is_compatible_with([num_symbols])
    with v1.variable_scope(scope or "embedding_attention_decoder", dtype=dtype):
        embedding = v1.get_variable("embedding", [num_symbols, embedding_size])
        loop = likeliest(embedding, output_projection, update_embedding_for_previous) if feed_previous else None
        return attention_decoder(
            list(embedded(embedding, decoder_inputs)), initial_state, attention_states, cell,
            output_size=output_size, num_heads=num_heads, loop_function=loop,
            initial_state_attention=initial_state_attention,
        )  # fmt: skip


def embedding_attention_seq2seq(
    encoder_inputs,
    decoder_inputs,
    cell,
    num_encoder_symbols,
    num_decoder_symbols,
    embedding_size,
    num_heads=1,
    output_projection=None,
    feed_previous=False,
    dtype=None,
    scope=None,
    initial_state_attention=False,
):
    """embedding_rnn_seq2seq whose decoder reads the encoder's outputs. Returns (outputs, last state).

    Without output_projection the outputs are logits. feed_previous: a bool, or a tensor that decides when the graph
    runs.
    """
    with v1.variable_scope(scope or "embedding_attention_seq2seq", dtype=dtype) as whole:
        encoder = EmbeddingWrapper(copy.deepcopy(cell), num_encoder_symbols, embedding_size)
        encoded, state = v1.nn.static_rnn(encoder, encoder_inputs, dtype=whole.dtype)
        attended = v1.concat([v1.reshape(each, [-1, 1, cell.output_size]) for each in encoded], 1)
        size = None
        if output_projection is None:
            cell, size = OutputProjectionWrapper(cell, num_decoder_symbols), num_decoder_symbols

        def decoder(fed, update=True):
            return embedding_attention_decoder(
                decoder_inputs, state, attended, cell, num_decoder_symbols, embedding_size, num_heads, size,
                output_projection, fed, update, initial_state_attention=initial_state_attention,
            )  # fmt: skip

        return either(feed_previous, decoder)
