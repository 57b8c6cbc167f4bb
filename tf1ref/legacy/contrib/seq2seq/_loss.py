"""tf.contrib.seq2seq.sequence_loss."""

import tensorflow.compat.v1 as v1


def sequence_loss(
    logits,
    targets,
    weights,
    average_across_timesteps=True,
    average_across_batch=True,
    softmax_loss_function=None,
    name=None,
    sum_over_timesteps=False,
    sum_over_batch=False,
):
    """Returns the weighted cross entropy of logits [batch, steps, classes] and targets [batch, steps].

    Each of the two axes is averaged (divided by the sum of the weights plus 1e-12), summed, or kept.
    Raises ValueError for other ranks, and for an axis that is both averaged and summed.
    """
    if len(logits.get_shape()) != 3:
        raise ValueError("Logits must be a [batch_size x sequence_length x logits] tensor")
    if len(targets.get_shape()) != 2:
        raise ValueError("Targets must be a [batch_size x sequence_length] tensor")
    if len(weights.get_shape()) != 2:
        raise ValueError("Weights must be a [batch_size x sequence_length] tensor")
    if average_across_timesteps and sum_over_timesteps or average_across_batch and sum_over_batch:
        raise ValueError("average_across_... and sum_over_... cannot both be set for one axis")
    with v1.name_scope(name, "sequence_loss", [logits, targets, weights]):
        classes = v1.shape(logits)[2]
        flat, labels = v1.reshape(logits, [-1, classes]), v1.reshape(targets, [-1])
        if softmax_loss_function is None:
            losses = v1.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=flat)
        else:
            losses = softmax_loss_function(labels=labels, logits=flat)
        losses *= v1.reshape(weights, [-1])
        if average_across_timesteps and average_across_batch:
            return v1.div(v1.reduce_sum(losses), v1.reduce_sum(weights) + 1e-12)
        if sum_over_timesteps and sum_over_batch:
            count = v1.cast(v1.count_nonzero(weights), losses.dtype)
            return v1.div(v1.reduce_sum(losses), count + 1e-12)
        losses = v1.reshape(losses, v1.shape(logits)[0:2])
        if average_across_timesteps or average_across_batch:
            axis = 0 if average_across_batch else 1
            return v1.div(v1.reduce_sum(losses, axis=[axis]), v1.reduce_sum(weights, axis=[axis]) + 1e-12)
        if sum_over_timesteps or sum_over_batch:
            axis = 0 if sum_over_batch else 1
            count = v1.cast(v1.count_nonzero(weights, axis=[axis]), losses.dtype)
            return v1.div(v1.reduce_sum(losses, axis=[axis]), count + 1e-12)
        return losses
