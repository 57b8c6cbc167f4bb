"""tf.contrib.legacy_seq2seq: losses and decoders over lists of steps, from before dynamic_rnn."""

import tensorflow.compat.v1 as v1
from tensorflow.python.util import nest

from tf1ref.legacy.contrib.rnn._projections import EmbeddingWrapper, OutputProjectionWrapper


def sequence_loss_by_example(
    logits, targets, weights, average_across_timesteps=True, softmax_loss_function=None, name=None
):
    """Returns the weighted cross entropy of each example, [batch].

    logits, targets, weights: lists with one tensor for each step, of [batch, classes], [batch] and [batch].
    average_across_timesteps: divides by the sum of the weights plus 1e-12. softmax_loss_function(labels=...,
    logits=...) replaces the sparse softmax cross entropy. Raises ValueError for lists of different lengths.
    """
    if not len(logits) == len(targets) == len(weights):
        raise ValueError(
            f"Lengths of logits, weights, and targets must be the same {len(logits)}, {len(weights)}, {len(targets)}."
        )
    with v1.name_scope(name, "sequence_loss_by_example", [*logits, *targets, *weights]):
        terms = []
        for logit, target, weight in zip(logits, targets, weights):
            if softmax_loss_function is None:
                labels = v1.reshape(target, [-1])
                loss = v1.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logit)
            else:
                loss = softmax_loss_function(labels=target, logits=logit)
            terms.append(loss * weight)
        total = v1.add_n(terms)
        if average_across_timesteps:
            # This avoids a division by zero where all weights are 0.
            total /= v1.add_n(weights) + 1e-12
        return total


def sequence_loss(
    logits,
    targets,
    weights,
    average_across_timesteps=True,
    average_across_batch=True,
    softmax_loss_function=None,
    name=None,
):
    """Returns the sum of sequence_loss_by_example over the batch, a scalar. average_across_batch makes it the mean."""
    with v1.name_scope(name, "sequence_loss", [*logits, *targets, *weights]):
        cost = v1.reduce_sum(
            sequence_loss_by_example(logits, targets, weights, average_across_timesteps, softmax_loss_function)
        )
        return cost / v1.cast(v1.shape(targets[0])[0], cost.dtype) if average_across_batch else cost


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
    import copy

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

    output_projection: (weights, biases) that turn outputs into num_symbols logits.
    feed_previous: the next input is the most likely symbol.
    """
    with v1.variable_scope(scope or "embedding_rnn_decoder"):
        embedding = v1.get_variable("embedding", [num_symbols, embedding_size])

        def likeliest(previous, _):
            if output_projection is not None:
                previous = v1.nn.xw_plus_b(previous, *output_projection)
            embedded = v1.nn.embedding_lookup(embedding, v1.argmax(previous, 1))
            return embedded if update_embedding_for_previous else v1.stop_gradient(embedded)

        inputs = [v1.nn.embedding_lookup(embedding, ids) for ids in decoder_inputs]
        return rnn_decoder(inputs, initial_state, cell, likeliest if feed_previous else None)


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
    import copy

    with v1.variable_scope(scope or "embedding_rnn_seq2seq", dtype=dtype) as whole:
        encoder = EmbeddingWrapper(copy.deepcopy(cell), num_encoder_symbols, embedding_size)
        _, state = v1.nn.static_rnn(encoder, encoder_inputs, dtype=dtype or whole.dtype)
        if output_projection is None:
            cell = OutputProjectionWrapper(cell, num_decoder_symbols)
        arguments = cell, num_decoder_symbols, embedding_size, output_projection
        if isinstance(feed_previous, bool):
            return embedding_rnn_decoder(decoder_inputs, state, *arguments, feed_previous=feed_previous)

        def decoder(fed, reuse):
            with v1.variable_scope(v1.get_variable_scope(), reuse=reuse):
                found, last = embedding_rnn_decoder(
                    decoder_inputs, state, *arguments, feed_previous=fed, update_embedding_for_previous=False
                )
                return found + nest.flatten(last)

        flat = v1.cond(feed_previous, lambda: decoder(True, None), lambda: decoder(False, True))
        count = len(decoder_inputs)
        return flat[:count], nest.pack_sequence_as(state, flat[count:])
