"""The recurrent networks of legacy_seq2seq without attention. Inputs are lists with one tensor for each step."""

import copy

import tensorflow.compat.v1 as v1
from tensorflow.python.util import nest

from tf1ref.legacy.contrib.rnn._projections import EmbeddingWrapper, OutputProjectionWrapper


def rnn_decoder(decoder_inputs, initial_state, cell, loop_function=None, scope=None):
    """Unrolls a cell over a list of inputs. Returns (outputs, last state).

    loop_function(output, number) makes the next input from the last output, from the second step on.
    """
    with v1.variable_scope(scope or "rnn_decoder"):
        state, outputs, previous = initial_state, [], None
        for number, inputs in enumerate(decoder_inputs):
            if loop_function is not None and previous is not None:
                with v1.variable_scope("loop_function", reuse=True):
                    inputs = loop_function(previous, number)
            if number > 0:
                v1.get_variable_scope().reuse_variables()
            output, state = cell(inputs, state)
            outputs.append(output)
            previous = output if loop_function is not None else None
        return outputs, state


def basic_rnn_seq2seq(encoder_inputs, decoder_inputs, cell, dtype=v1.float32, scope=None):
    """Encodes one list of inputs, and decodes another one from the last state. Both have weights of their own."""
    with v1.variable_scope(scope or "basic_rnn_seq2seq"):
        _, state = v1.nn.static_rnn(copy.deepcopy(cell), encoder_inputs, dtype=dtype)
        return rnn_decoder(decoder_inputs, state, cell)


def tied_rnn_seq2seq(encoder_inputs, decoder_inputs, cell, loop_function=None, dtype=v1.float32, scope=None):
    """basic_rnn_seq2seq in which the encoder and the decoder share their weights."""
    with v1.variable_scope("combined_tied_rnn_seq2seq"):
        scope = scope or "tied_rnn_seq2seq"
        _, state = v1.nn.static_rnn(cell, encoder_inputs, dtype=dtype, scope=scope)
        v1.get_variable_scope().reuse_variables()
        return rnn_decoder(decoder_inputs, state, cell, loop_function, scope)


def embedding_rnn_decoder(
    decoder_inputs,
    initial_state,
    cell,
    num_symbols,
    embedding_size,
    output_projection=None,
    feed_previous=False,
    update_embedding_for_previous=True,
    scope=None,
):
    """rnn_decoder over ids, one [batch] for each step, which are looked up in the variable `embedding`.

    output_projection: (weights, biases) that turn outputs into num_symbols logits. Raises ValueError for other shapes.
    feed_previous: the next input is the most likely symbol.
    """
    with v1.variable_scope(scope or "embedding_rnn_decoder") as scope:
        check_projection(output_projection, num_symbols, scope.dtype)
        embedding = v1.get_variable("embedding", [num_symbols, embedding_size])
        loop = likeliest(embedding, output_projection, update_embedding_for_previous) if feed_previous else None
        return rnn_decoder(embedded(embedding, decoder_inputs), initial_state, cell, loop)


def embedding_rnn_seq2seq(
    encoder_inputs,
    decoder_inputs,
    cell,
    num_encoder_symbols,
    num_decoder_symbols,
    embedding_size,
    output_projection=None,
    feed_previous=False,
    dtype=None,
    scope=None,
):
    """basic_rnn_seq2seq over ids on both sides. Without output_projection the outputs are logits.

    feed_previous: a bool, or a tensor that decides when the graph runs.
    """
    with v1.variable_scope(scope or "embedding_rnn_seq2seq", dtype=dtype) as whole:
        encoder = EmbeddingWrapper(copy.deepcopy(cell), num_encoder_symbols, embedding_size)
        _, state = v1.nn.static_rnn(encoder, encoder_inputs, dtype=dtype or whole.dtype)
        if output_projection is None:
            cell = OutputProjectionWrapper(cell, num_decoder_symbols)

        def decoder(fed, update=True):
            return embedding_rnn_decoder(
                decoder_inputs, state, cell, num_decoder_symbols, embedding_size, output_projection, fed, update
            )

        return either(feed_previous, decoder)


def embedding_tied_rnn_seq2seq(
    encoder_inputs,
    decoder_inputs,
    cell,
    num_symbols,
    embedding_size,
    num_decoder_symbols=None,
    output_projection=None,
    feed_previous=False,
    dtype=None,
    scope=None,
):
    """embedding_rnn_seq2seq in which both sides share the embedding and the cell's weights.

    num_decoder_symbols: the number of logits; None takes num_symbols. Raises ValueError for an output_projection that
    does not give num_symbols logits.
    """
    with v1.variable_scope(scope or "embedding_tied_rnn_seq2seq", dtype=dtype) as whole:
        check_projection(output_projection, num_symbols, whole.dtype)
        embedding = v1.get_variable("embedding", [num_symbols, embedding_size], dtype=whole.dtype)
        encoded, decoded = list(embedded(embedding, encoder_inputs)), list(embedded(embedding, decoder_inputs))
        if output_projection is None:
            cell = OutputProjectionWrapper(cell, num_symbols if num_decoder_symbols is None else num_decoder_symbols)

        def decoder(fed, update=True):
            loop = likeliest(embedding, output_projection, update) if fed else None
            return tied_rnn_seq2seq(encoded, decoded, cell, loop, whole.dtype)

        return either(feed_previous, decoder)


def either(feed_previous, decoder):
    """Returns decoder(feed_previous), or for a tensor the one of both decoders that it chooses in each run."""
    if isinstance(feed_previous, bool):
        return decoder(feed_previous)
    made = []

    def branch(fed, reuse):
        with v1.variable_scope(v1.get_variable_scope(), reuse=reuse):
            outputs, state = decoder(fed, False)
        made.append((len(outputs), state))
        return outputs + nest.flatten(state)

    flat = v1.cond(feed_previous, lambda: branch(True, None), lambda: branch(False, True))
    count, state = made[0]
    return flat[:count], nest.pack_sequence_as(state, flat[count:])


def embedded(embedding, steps):
    """Returns the rows of each step's ids, one after the other, as the decoder asks for them."""
    return (v1.nn.embedding_lookup(embedding, ids) for ids in steps)


def likeliest(embedding, output_projection, update):
    """Returns the loop function that embeds the most likely symbol. update: whether gradients reach its row."""

    def loop_function(previous, _):
        if output_projection is not None:
            previous = v1.nn.xw_plus_b(previous, *output_projection)
        found = v1.nn.embedding_lookup(embedding, v1.argmax(previous, 1))
        return found if update else v1.stop_gradient(found)

    return loop_function


def check_projection(output_projection, symbols, dtype):
    """Raises ValueError for weights and biases that do not give `symbols` logits. None passes."""
    if output_projection is not None:
        for value, shape in zip(output_projection, ([None, symbols], [symbols])):
            v1.convert_to_tensor(value, dtype=dtype).get_shape().assert_is_compatible_with(shape)
