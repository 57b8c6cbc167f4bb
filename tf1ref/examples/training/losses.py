"""Losses by hand and built in: square error, cross entropies, softmax

Source: S4 1469-1725 (and 54-105, 775-795), S0 544-620, S3 1010-1076, S2 289-299
TF1: tf.nn's ops keep the name of every argument; tf.losses adds the mean to the collection "losses" by itself.
    It also casts to float32.
Now: tf.nn has all but the weighted one unchanged in name; there is no collection, a loss is what is returned.
Errata: S0's cross entropy lacks the minus in its formula. Its code averages over examples and classes alike, so its
    loss is the usual one divided by the number of classes. Its 1e-10 is typed with an l. S0 calls the built-in op's
    result the loss. It is one number an example, and has to be averaged. S3's first softmax sums over axis 0, which is
    right for a vector and wrong for a batch. The second one does not subtract the largest logit, so exp overflows (from
    710 on in float64). S4 passes labels and logits by place. TF1 refuses that: they have to be named.
See: https://www.tensorflow.org/api_docs/python/tf/compat/v1/losses
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

LABEL = (1.0, 0.0)
GUESSES = ((0.6, 0.4), (0.8, 0.2))
CLASSES = (0, 1, 2, 0, 1)
LOGITS = ((12, 3, 2), (3, 10, 1), (1, 2, 5), (4, 6.5, 1.2), (3, 6, 1))
IRIS_LOGITS = (1.0099998, 2.008, -0.6600003)
ROUNDED_LOGITS = (1.01, 2.01, -0.66)
TINY = 1e-10
POSITIVE_WEIGHT = 3.0
# Beside it exp overflows in float32: a loss that takes the largest logit off first does not.
LARGE_LOGIT = 100.0

FIVE_LOSSES = [1.68795487e-04, 1.03475622e-03, 6.58839038e-02, 2.58349207e00, 5.49852354e-02]
EXPECTED = {
    "forward/guess1": exactly(0.5108256, 7),
    "forward/guess2": exactly(0.22314353, 7),
    "forward/softmax_cross_entropy": exactly(FIVE_LOSSES, 8),
    "forward/by_hand": exactly(FIVE_LOSSES, 8),
    "forward/iris_softmax": exactly([0.2563381, 0.69540703, 0.04825489], 7),
    "forward/rounded_softmax": exactly([0.25598174, 0.69583046, 0.0481878], 7),
    "forward/arange_softmax": exactly([0.01165623, 0.03168492, 0.08612854, 0.23412166, 0.63640865], 7),
}


def cross_entropy(labels, probabilities):
    """Adds -sum(labels * ln(probabilities)) over the last axis; a probability of 0 counts as TINY."""
    clipped = v1.clip_by_value(probabilities, TINY, 1.0)
    return -v1.reduce_sum(labels * v1.log(clipped), axis=-1)  # (..., classes) -> (...)


def build_graph():
    """Adds every loss of the notes to the default graph, on constants. The five logits are float64, as in S4."""
    logits = v1.constant(LOGITS, v1.float64, name="logits")
    labels = v1.one_hot(CLASSES, 3, dtype=v1.float64)  # (n,) -> (n, 3)
    label = v1.constant(LABEL)
    large = v1.constant([LARGE_LOGIT, 0.0])
    softmax = v1.nn.softmax(logits)
    by_hand = cross_entropy(labels, softmax)
    built_in = v1.nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits)  # (n, 3) -> (n,)
    difference = labels - softmax
    return {
        "forward/guess1": cross_entropy(label, v1.constant(GUESSES[0])),
        "forward/guess2": cross_entropy(label, v1.constant(GUESSES[1])),
        "forward/certainly_wrong": cross_entropy(label, v1.constant([0.0, 1.0])),
        "forward/by_hand": by_hand,
        "forward/softmax_cross_entropy": built_in,
        "forward/sparse": v1.nn.sparse_softmax_cross_entropy_with_logits(labels=list(CLASSES), logits=logits),
        "forward/mean": v1.reduce_mean(built_in),
        "forward/log_softmax": v1.nn.log_softmax(logits),
        "forward/sigmoid": v1.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits),
        "forward/weighted": v1.nn.weighted_cross_entropy_with_logits(
            labels=labels, logits=logits, pos_weight=POSITIVE_WEIGHT
        ),
        "forward/mse": v1.reduce_mean(v1.square(difference)),
        "forward/mse_of_tf_losses": v1.losses.mean_squared_error(labels, softmax),
        "forward/iris_softmax": v1.nn.softmax(v1.constant(IRIS_LOGITS)),
        "forward/rounded_softmax": v1.nn.softmax(v1.constant(ROUNDED_LOGITS)),
        "forward/arange_softmax": v1.nn.softmax(v1.range(5.0)),
        "forward/large": v1.stack(  # two scalars -> (2,)
            [
                -v1.log(v1.exp(large[1]) / v1.reduce_sum(v1.exp(large))),
                v1.nn.sparse_softmax_cross_entropy_with_logits(labels=1, logits=large),
            ]
        ),
        "gradient/logits": v1.gradients(built_in, logits)[0],
        "gradient/logits_by_hand": v1.gradients(by_hand, logits)[0],
    }


def run_graph():
    """One run fetches them all."""
    with v1.Graph().as_default(), v1.Session() as sess:
        return sess.run(build_graph())


class Losses(tf.Module):
    """The same losses as functions of tensors."""

    @staticmethod
    def cross_entropy(labels, probabilities):
        """-sum(labels * ln(probabilities)) over the last axis; a probability of 0 counts as TINY."""
        clipped = tf.clip_by_value(probabilities, TINY, 1.0)
        return -tf.reduce_sum(labels * tf.math.log(clipped), axis=-1)  # (..., classes) -> (...)

    @staticmethod
    def mean_squared_error(labels, predictions):
        """What tf.losses.mean_squared_error computes: in float32 whatever it is given, the sum over the number."""
        squares = tf.math.squared_difference(tf.cast(predictions, tf.float32), tf.cast(labels, tf.float32))
        return tf.math.divide_no_nan(tf.reduce_sum(squares), tf.cast(tf.size(squares), tf.float32))

    @tf.function
    def of_guesses(self, label, guess1, guess2):
        """Returns the losses of two guesses and of one that gives the right class no chance at all."""
        return {
            "forward/guess1": self.cross_entropy(label, guess1),
            "forward/guess2": self.cross_entropy(label, guess2),
            "forward/certainly_wrong": self.cross_entropy(label, tf.constant([0.0, 1.0])),
        }

    @tf.function
    def of_logits(self, classes, logits):
        """Losses of a batch, one number an example (n,) or an element (n, 3), and the means."""
        labels = tf.one_hot(classes, 3, dtype=tf.float64)  # (n,) -> (n, 3)
        softmax = tf.nn.softmax(logits)
        losses = tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits)  # (n, 3) -> (n,)
        return {
            "forward/by_hand": self.cross_entropy(labels, softmax),
            "forward/softmax_cross_entropy": losses,
            "forward/sparse": tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=logits),
            "forward/mean": tf.reduce_mean(losses),
            "forward/log_softmax": tf.nn.log_softmax(logits),
            "forward/sigmoid": tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits),
            "forward/weighted": tf.nn.weighted_cross_entropy_with_logits(
                labels=labels, logits=logits, pos_weight=POSITIVE_WEIGHT
            ),
            "forward/mse": tf.reduce_mean(tf.square(labels - softmax)),
            "forward/mse_of_tf_losses": self.mean_squared_error(labels, softmax),
        }

    @tf.function
    def gradients(self, classes, logits):
        """Returns what the built-in loss and the one by hand give back to the logits: both softmax - labels."""
        labels = tf.one_hot(classes, 3, dtype=tf.float64)  # (n,) -> (n, 3)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(logits)
            built_in = tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits)  # (n, 3) -> (n,)
            by_hand = self.cross_entropy(labels, tf.nn.softmax(logits))
        return {
            "gradient/logits": tape.gradient(built_in, logits),
            "gradient/logits_by_hand": tape.gradient(by_hand, logits),
        }

    @tf.function
    def of_large(self, large):
        """The loss of the class whose logit is 0 beside a large one: by hand it is infinite, built in it is right."""
        by_hand = -tf.math.log(tf.exp(large[1]) / tf.reduce_sum(tf.exp(large)))
        built_in = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=1, logits=large)
        return {"forward/large": tf.stack([by_hand, built_in])}  # two scalars -> (2,)


def run_function():
    """Four calls; what one returns is a plain dict of tensors."""
    losses = Losses()
    classes, logits = tf.constant(CLASSES), tf.constant(LOGITS, tf.float64)
    results = losses.of_guesses(tf.constant(LABEL), tf.constant(GUESSES[0]), tf.constant(GUESSES[1]))
    results |= losses.of_logits(classes, logits) | losses.gradients(classes, logits)
    results |= losses.of_large(tf.constant([LARGE_LOGIT, 0.0]))
    softmax = tf.function(tf.nn.softmax)
    for name, each in (("iris", IRIS_LOGITS), ("rounded", ROUNDED_LOGITS), ("arange", range(5))):
        results[f"forward/{name}_softmax"] = softmax(tf.constant(list(each), tf.float32))
    return {key: value.numpy() for key, value in results.items()}
