"""The loss of a sequence: a weighted cross entropy for each step

Source: S3 857-881
TF1: contrib has it twice: legacy_seq2seq for lists of steps, seq2seq for one tensor of [batch, steps, classes].
Now: neither is left; both are a few lines around the sparse softmax cross entropy.
Errata: S3 defines the weights w_2 and does not use them. With one step in the list they would not show in
    sequence_loss_by_example, which divides by what it multiplied with. In sequence_loss they weigh the mean, which for
    these numbers stays the same. Both are shown here, and weights that leave out steps.
See: https://www.tensorflow.org/addons/api_docs/python/tfa/seq2seq/sequence_loss
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly
from tf1ref.legacy.contrib import legacy_seq2seq, seq2seq

LOGITS = (
    (0.1, 0.2, 0.3, 0.4),
    (0.2, 0.1, 0.4, 0.3),
    (0.4, 0.3, 0.2, 0.1),
    (0.3, 0.2, 0.1, 0.4),
    (0.1, 0.4, 0.3, 0.2),
)
TARGETS = (1, 2, 1, 3, 3)
EVEN = (1.0, 1.0, 1.0, 1.0, 1.0)
RISING = (1.0, 2.0, 3.0, 4.0, 5.0)
MASK = (1.0, 1.0, 0.0, 0.0, 0.0)  # a series of two steps, padded to five

EACH = [1.4425356, 1.2425356, 1.3425356, 1.2425356, 1.4425356]
EXPECTED = {
    "forward/by_example": exactly(EACH),
    "forward/by_example_rising": exactly(EACH),
    "forward/mean": exactly(1.3425356),
    "forward/each_step": exactly(EACH),
    "forward/mean_rising": exactly(1.3425356),
    "forward/mean_masked": exactly((1.4425356 + 1.2425356) / 2),
}


def build_graph():
    """Adds the losses to the default graph, by name."""
    # S3 has constants. The session's graph optimizer turns their division into a multiplication, which is off by 1
    # ULP.
    logits, targets, even, rising, mask = (
        v1.placeholder_with_default(v1.constant(values), np.shape(values))
        for values in (LOGITS, TARGETS, EVEN, RISING, MASK)
    )
    batch = v1.expand_dims(logits, 0), v1.expand_dims(targets, 0)  # a batch of one
    by_example, sequence_loss = legacy_seq2seq.sequence_loss_by_example, seq2seq.sequence_loss
    return {
        "by_example": by_example([logits], [targets], [even]),
        "by_example_rising": by_example([logits], [targets], [rising]),
        "mean": sequence_loss(*batch, v1.expand_dims(even, 0)),
        "each_step": sequence_loss(*batch, v1.expand_dims(even, 0), average_across_timesteps=False),
        "mean_rising": sequence_loss(*batch, v1.expand_dims(rising, 0)),
        "mean_masked": sequence_loss(*batch, v1.expand_dims(mask, 0)),
    }


def run_graph():
    """Nothing is trained. One run fetches every loss."""
    with v1.Graph().as_default(), v1.Session() as sess:
        return {f"forward/{key}": np.array(value) for key, value in sess.run(build_graph()).items()}


def losses_of(logits, targets, weights):
    """Returns the weighted cross entropies (n,) of logits (n, classes)."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits) * weights


@tf.function
def by_example(logits, targets, weights):
    """Returns the loss (n,) of one step of many examples (n, classes)."""
    return losses_of(logits, targets, weights) / (weights + 1e-12)


@tf.function
def mean(logits, targets, weights):
    """Returns the loss of many steps of one example (steps, classes), a scalar."""
    return tf.reduce_sum(losses_of(logits, targets, weights)) / (tf.reduce_sum(weights) + 1e-12)


@tf.function
def each_step(logits, targets, weights):
    """Returns the loss (steps,) of many steps of one example, averaged over the batch of one."""
    return losses_of(logits, targets, weights) / (weights + 1e-12)


def run_function():
    """The two contrib functions divide by different sums."""
    numbers = tf.constant(LOGITS), tf.constant(TARGETS)
    even, rising, mask = tf.constant(EVEN), tf.constant(RISING), tf.constant(MASK)
    results = {
        "by_example": by_example(*numbers, even),
        "by_example_rising": by_example(*numbers, rising),
        "mean": mean(*numbers, even),
        "each_step": each_step(*numbers, even),
        "mean_rising": mean(*numbers, rising),
        "mean_masked": mean(*numbers, mask),
    }
    return {f"forward/{key}": value.numpy() for key, value in results.items()}
