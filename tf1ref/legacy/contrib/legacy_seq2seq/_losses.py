"""The losses of legacy_seq2seq, and the model of several buckets."""

import tensorflow.compat.v1 as v1


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


def model_with_buckets(
    encoder_inputs,
    decoder_inputs,
    targets,
    weights,
    buckets,
    seq2seq,
    softmax_loss_function=None,
    per_example_loss=False,
    name=None,
):
    """Builds one model for each bucket, all with the same weights. Returns (outputs of each, loss of each).

    buckets: pairs of (steps of the encoder, steps of the decoder), the largest one last. seq2seq(encoder inputs,
    decoder inputs) returns (list of logits, state). per_example_loss: losses of [batch] instead of scalars.
    Raises ValueError for fewer inputs, targets or weights than the last bucket has.
    """
    encoder_steps, decoder_steps = buckets[-1]
    needed = {"encoder_inputs": encoder_steps, "targets": decoder_steps, "weights": decoder_steps}
    for (what, count), given in zip(needed.items(), (encoder_inputs, targets, weights)):
        if len(given) < count:
            raise ValueError(f"Length of {what} ({len(given)}) must be at least that of last bucket ({count}).")
    loss = sequence_loss_by_example if per_example_loss else sequence_loss
    outputs, losses = [], []
    with v1.name_scope(name, "model_with_buckets", [*encoder_inputs, *decoder_inputs, *targets, *weights]):
        for number, (encoded, decoded) in enumerate(buckets):
            with v1.variable_scope(v1.get_variable_scope(), reuse=True if number > 0 else None):
                logits, _ = seq2seq(encoder_inputs[:encoded], decoder_inputs[:decoded])
                outputs.append(logits)
                losses.append(
                    loss(logits, targets[:decoded], weights[:decoded], softmax_loss_function=softmax_loss_function)
                )
    return outputs, losses
