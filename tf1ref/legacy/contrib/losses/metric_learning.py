"""tf.contrib.losses.metric_learning: losses of embeddings, [batch, size], by the distances between examples.

Labels are [batch]. Two examples with the same label are a positive pair, others are a negative one.
"""

import tensorflow.compat.v1 as v1

__all__ = ["contrastive_loss", "lifted_struct_loss", "npairs_loss", "npairs_loss_multilabel", "triplet_semihard_loss"]


def contrastive_loss(labels, embeddings_anchor, embeddings_positive, margin=1.0):
    """Returns the mean of y * d^2 + (1 - y) * max(margin - d, 0)^2 (Hadsell et al., 2006).

    labels: y, [batch], 1 for a positive pair of the two embeddings, else 0. d: their Euclidean distance.
    """
    distances = v1.sqrt(v1.reduce_sum(v1.squared_difference(embeddings_anchor, embeddings_positive), 1))
    labels = v1.cast(labels, v1.float32)
    near = labels * v1.square(distances)
    far = (1.0 - labels) * v1.square(v1.maximum(margin - distances, 0.0))
    return v1.reduce_mean(near + far, name="contrastive_loss")


def triplet_semihard_loss(labels, embeddings, margin=1.0):
    """Returns the mean of max(margin + d(a, p) - d(a, n), 0) over all positive pairs (Schroff et al., 2015).

    n is the nearest negative example that is farther from a than p is. Where no negative example is farther than p, n
    is the farthest one.
    d: the squared Euclidean distance.
    """
    distances = _distances(embeddings, squared=True)
    same = _same_label(labels)
    others = v1.cast(v1.logical_not(same), v1.float32)
    # [a, p, n]: n is a negative example for a, and farther away than p.
    farther = v1.logical_and(
        v1.logical_not(same)[:, None, :], v1.greater(distances[:, None, :], distances[:, :, None])
    )  # fmt: skip
    nearest = _least(v1.tile(distances[:, None, :], [1, v1.size(labels), 1]), v1.cast(farther, v1.float32))
    farthest = _most(distances, others)
    negative = v1.where(v1.reduce_any(farther, 2), nearest, v1.tile(farthest[:, None], [1, v1.size(labels)]))
    positives = _positives(same)
    losses = v1.multiply(v1.add(margin, distances - negative), positives)
    return v1.truediv(
        v1.reduce_sum(v1.maximum(losses, 0.0)), v1.reduce_sum(positives), name="triplet_semihard_loss"
    )  # fmt: skip


def lifted_struct_loss(labels, embeddings, margin=1.0):
    """Returns the lifted structured loss (Song et al., 2016).

    The loss of a positive pair (i, j) is `max(d(i, j) + log(s), 0)^2 / 4`. d is the Euclidean distance, and s the sum
    of exp(margin - d) over the negatives of i and of j. The sum is divided by half of the number of positive pairs.
    """
    distances = _distances(embeddings, squared=False)
    same = _same_label(labels)
    others = v1.cast(v1.logical_not(same), v1.float32)
    room = margin - distances
    most = _most(room, others)[:, None]
    most = v1.maximum(most, v1.transpose(most))
    # [i, j]: the sum over the negatives k of i. The greatest exponent is taken out, so that nothing overflows.
    powers = v1.exp(room[:, None, :] - most[:, :, None]) * others[:, None, :]
    sums = v1.reduce_sum(powers, 2)
    losses = v1.add(most + v1.log(sums + v1.transpose(sums)), distances)
    positives = _positives(same)
    total = v1.reduce_sum(v1.square(v1.maximum(v1.multiply(losses, positives), 0.0)))
    return v1.truediv(0.25 * total, v1.reduce_sum(positives) / 2.0, name="liftedstruct_loss")


def npairs_loss(labels, embeddings_anchor, embeddings_positive, reg_lambda=0.002, print_losses=False):
    """Returns the N-pairs loss: cross entropy of anchor * positive^T, and a penalty of the squares (Sohn, 2016).

    labels: [batch], the label of each pair. print_losses: prints both parts when they are computed.
    """
    return _npairs(
        v1.cast(_same_label(labels), v1.float32), embeddings_anchor, embeddings_positive, reg_lambda, print_losses
    )  # fmt: skip


def npairs_loss_multilabel(sparse_labels, embeddings_anchor, embeddings_positive, reg_lambda=0.002, print_losses=False):
    """Returns the N-pairs loss of examples with several labels: the target is the number of labels in common.

    sparse_labels: a list of SparseTensors, [classes], of type bool or of zeros and ones. Raises TypeError for others.
    """
    if not all(isinstance(each, v1.SparseTensor) for each in sparse_labels):
        raise TypeError(f"sparse_labels must be a list of SparseTensors, but got {sparse_labels}")
    dense = v1.stack([v1.cast(v1.sparse.to_dense(each, validate_indices=False), v1.float32) for each in sparse_labels])
    common = v1.reduce_sum(v1.minimum(dense[:, None, :], dense[None, :, :]), 2)
    return _npairs(common, embeddings_anchor, embeddings_positive, reg_lambda, print_losses)


def _npairs(common, anchor, positive, reg_lambda, print_losses):
    """common: [batch, batch], to be divided by the sum of each row."""
    squares = [v1.reduce_mean(v1.reduce_sum(v1.square(each), 1)) for each in (anchor, positive)]
    penalty = v1.multiply(0.25 * reg_lambda, v1.add(*squares), name="l2loss")
    targets = common / v1.reduce_sum(common, 1, keepdims=True)
    similarity = v1.matmul(anchor, positive, transpose_a=False, transpose_b=True)
    entropy = v1.nn.softmax_cross_entropy_with_logits(logits=similarity, labels=targets)
    entropy = v1.reduce_mean(entropy, name="xentropy")
    if print_losses:
        entropy = v1.Print(entropy, ["cross entropy:", entropy, "l2loss:", penalty])
    return penalty + entropy


def _same_label(labels):
    labels = v1.reshape(labels, [-1, 1])
    return v1.equal(labels, v1.transpose(labels))


def _positives(same):
    """Returns 1.0 for the pairs of one label, without those of an example with itself."""
    return v1.cast(same, v1.float32) - v1.eye(v1.shape(same)[0])


def _distances(embeddings, squared):
    """Returns the distances of all pairs, [batch, batch], with zeros on the diagonal."""
    # TF1 sums the transposed squares anew, along the other axis, and that order of summation shows in the last bits.
    turned = v1.transpose(embeddings)
    squares = v1.reduce_sum(v1.square(embeddings), axis=[1], keepdims=True)
    distances = v1.add(squares, v1.reduce_sum(v1.square(turned), axis=[0], keepdims=True)) - 2.0 * v1.matmul(
        embeddings, turned
    )  # fmt: skip
    # Rounding makes some of them less than zero.
    distances = v1.maximum(distances, 0.0)
    zero = v1.less_equal(distances, 0.0)
    if not squared:
        # The gradient of a square root is infinite at zero.
        distances = v1.sqrt(distances + v1.cast(zero, v1.float32) * 1e-16)
    distances = v1.multiply(distances, v1.cast(v1.logical_not(zero), v1.float32))
    return v1.multiply(distances, v1.ones_like(distances) - v1.eye(v1.shape(distances)[0]))


def _least(values, mask):
    """Returns the least of the last axis where the mask is 1, or the greatest of all where it is 0 throughout."""
    most = v1.reduce_max(values, -1, keepdims=True)
    return v1.squeeze(v1.reduce_min(v1.multiply(values - most, mask), -1, keepdims=True) + most, -1)


def _most(values, mask):
    """Returns the greatest of the last axis where the mask is 1, or the least of all where it is 0 throughout."""
    least = v1.reduce_min(values, -1, keepdims=True)
    return v1.squeeze(v1.reduce_max(v1.multiply(values - least, mask), -1, keepdims=True) + least, -1)
