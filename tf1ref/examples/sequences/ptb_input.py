"""The Penn Treebank: words as ids, and batches of words with the next ones

Source: S3 3945-4000
TF1: ptb_producer keeps places in a queue that a thread fills; every run takes the next place.
Now: a dataset of places, mapped to slices; a loop takes them.
Errata: S3 does not say where its reader comes from: it is in a clone of a repository on the path. Here it is the module
    tf1ref.legacy.models.rnn.ptb.reader, and the corpus may be a generated one.
See: Marcus et al., Building a Large Annotated Corpus of English, https://aclanthology.org/J93-2004
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly
from tf1ref.data import ptb
from tf1ref.legacy.models.rnn.ptb import reader as ptb_reader

STEPS = 3
BATCH_SIZE = 4
NUM_STEPS = 5

# What S3 prints is of the real corpus. The last two hold for any.
EXPECTED = {
    "words": exactly(929589, real="ptb"),
    "first": exactly([9970, 9971, 9972, 9974, 9975, 9976, 9980, 9981, 9982, 9983], real="ptb"),
    "steps/x": exactly(
        [
            [[9970, 9971, 9972, 9974, 9975], [332, 7147, 328, 1452, 8595], [1969, 0, 98, 89, 2254], [3, 3, 2, 14, 24]],
            [
                [9976, 9980, 9981, 9982, 9983],
                [59, 1569, 105, 2231, 1],
                [0, 312, 1641, 4, 1063],
                [198, 150, 2262, 10, 0],
            ],
            [[9984, 9986, 9987, 9988, 9989], [895, 1, 5574, 4, 618], [8, 713, 0, 264, 820], [507, 74, 2619, 0, 1]],
        ],
        real="ptb",
    ),
    "steps/y": exactly(
        [
            [[9971, 9972, 9974, 9975, 9976], [7147, 328, 1452, 8595, 59], [0, 98, 89, 2254, 0], [3, 2, 14, 24, 198]],
            [
                [9980, 9981, 9982, 9983, 9984],
                [1569, 105, 2231, 1, 895],
                [312, 1641, 4, 1063, 8],
                [150, 2262, 10, 0, 507],
            ],
            [[9986, 9987, 9988, 9989, 9991], [1, 5574, 4, 618, 2], [713, 0, 264, 820, 2], [74, 2619, 0, 1, 8]],
        ],
        real="ptb",
    ),
    "final/next_words": exactly(1.0),
    "final/goes_on": exactly(1.0),
}


def figures(trace):
    """Adds the share of y that is one word ahead of x, and the share of x that begins where y before it ended."""
    x, y = trace["steps/x"], trace["steps/y"]
    trace["final/next_words"] = np.mean(y[:, :, :-1] == x[:, :, 1:])
    trace["final/goes_on"] = np.mean(x[1:, :, 0] == y[:-1, :, -1])
    return trace


def build_graph():
    """Adds the queue of the training words to the default graph."""
    x, y = ptb_reader.ptb_producer(ptb.load().train, BATCH_SIZE, NUM_STEPS)
    return {"x": x, "y": y}


def run_graph(steps=STEPS):
    """The queue runner adds positions in the background. The coordinator ends it."""
    corpus = ptb.load()
    ptb.epoch_size(len(corpus.train), BATCH_SIZE, NUM_STEPS)
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        coord = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(sess=sess, coord=coord)
        rows = [sess.run(graph) for _ in range(steps)]
        coord.request_stop()
        coord.join(threads, stop_grace_period_secs=10)
    trace = {f"steps/{key}": np.array([row[key] for row in rows]) for key in ("x", "y")}
    return figures({**trace, "words": len(corpus.train), "first": corpus.train[:10]})


def batches(ids):
    """Returns a dataset of (x, y), int32 (4, 5) each, for ever."""
    places = ptb.epoch_size(len(ids), BATCH_SIZE, NUM_STEPS)
    length = len(ids) // BATCH_SIZE
    data = tf.reshape(tf.constant(ids[: BATCH_SIZE * length]), [BATCH_SIZE, length])  # (4 * length,) -> (4, length)

    def cut(place):
        start = place * NUM_STEPS
        return data[:, start : start + NUM_STEPS], data[:, start + 1 : start + NUM_STEPS + 1]

    return tf.data.Dataset.range(places).repeat().map(cut)


def run_function(steps=STEPS):
    """Nothing runs in the background, so nothing has to be ended."""
    corpus = ptb.load()
    rows = list(batches(corpus.train).take(steps).as_numpy_iterator())
    trace = {key: np.array(values) for key, values in zip(("steps/x", "steps/y"), zip(*rows))}
    return figures({**trace, "words": len(corpus.train), "first": corpus.train[:10]})
