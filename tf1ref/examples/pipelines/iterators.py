"""Datasets in a graph: slices of tensors, and four kinds of iterators

Source: S4 631-662, S2 229-232
TF1: a dataset is a part of the graph, and an op, get_next(), asks an iterator for its next element. A one-shot iterator
    begins by itself and ends for good. The dataset of an initializable one may have placeholders, which are fed when it
    begins. A reinitializable one begins with any dataset of one structure of elements. For a feedable one, a handle
    that is fed says which of several iterators answers; each keeps its place.
Now: `for element in dataset`, or iter() and next(); a dataset made anew is the initialization.
Errata: none found. (S4's program is TensorFlow 2's; S2's two have one-shot iterators.)
See: https://www.tensorflow.org/guide/data
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

FEATURES = (12, 23, 10, 17)
LABELS = (0, 1, 1, 0)
OTHER_FEATURES = (5, 6)
OTHER_LABELS = (1, 0)
TURNS = (0, 1, 0, 1, 0)  # the dataset, of two, that the feedable iterator asks

EXPECTED = {
    "forward/one_shot": exactly([[12, 0], [23, 1], [10, 1], [17, 0]]),  # the four pairs that S4 prints
    "forward/initializable": exactly([[12, 0], [23, 1], [10, 1], [17, 0], [5, 1], [6, 0]]),
    "forward/reinitializable": exactly([[5, 1], [6, 0], [12, 0], [23, 1], [10, 1], [17, 0]]),
    "forward/feedable": exactly([[12, 0], [5, 1], [23, 1], [6, 0], [10, 1]]),
}


def to_the_end(sess, element):
    """Runs get_next's pair until the dataset ends, which a graph reports by OutOfRangeError. Returns the pairs."""
    pairs = []
    while True:
        try:
            pairs.append(sess.run(element))
        except v1.errors.OutOfRangeError:
            return pairs


def build_graph():
    """Adds two datasets and an iterator of each kind to the default graph."""
    one = v1.data.Dataset.from_tensor_slices((v1.constant(FEATURES), v1.constant(LABELS)))
    other = v1.data.Dataset.from_tensor_slices((v1.constant(OTHER_FEATURES), v1.constant(OTHER_LABELS)))
    # Fed values stay out of the GraphDef, which has room for 2 GB.
    fed = v1.placeholder(v1.int32, [None]), v1.placeholder(v1.int32, [None])
    initializable = v1.data.make_initializable_iterator(v1.data.Dataset.from_tensor_slices(fed))
    types, shapes = v1.data.get_output_types(one), v1.data.get_output_shapes(one)
    structured = v1.data.Iterator.from_structure(types, shapes)
    handle = v1.placeholder(v1.string, [])
    answers = [v1.data.make_one_shot_iterator(dataset).string_handle() for dataset in (one, other)]
    return {
        "one_shot": v1.data.make_one_shot_iterator(one).get_next(),
        "fed": fed,
        "initialize": initializable.initializer,
        "initializable": initializable.get_next(),
        "begin": [structured.make_initializer(one), structured.make_initializer(other)],
        "reinitializable": structured.get_next(),
        "handle": handle,
        "answers": answers,
        "feedable": v1.data.Iterator.from_string_handle(handle, types, shapes).get_next(),
    }


def run_graph():
    """get_next() is called once, while the graph is built, because every call adds an op."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        pairs = {"one_shot": to_the_end(sess, graph["one_shot"])}
        pairs["initializable"] = []
        for values in ((FEATURES, LABELS), (OTHER_FEATURES, OTHER_LABELS)):
            sess.run(graph["initialize"], dict(zip(graph["fed"], values)))
            pairs["initializable"] += to_the_end(sess, graph["initializable"])
        pairs["reinitializable"] = []
        for begin in reversed(graph["begin"]):
            sess.run(begin)
            pairs["reinitializable"] += to_the_end(sess, graph["reinitializable"])
        handles = sess.run(graph["answers"])
        pairs["feedable"] = [sess.run(graph["feedable"], {graph["handle"]: handles[turn]}) for turn in TURNS]
    return {f"forward/{kind}": np.array(found) for kind, found in pairs.items()}


def slices(features, labels):
    """Returns a dataset of the pairs along the first axis: tensors or arrays, all of the same length."""
    return tf.data.Dataset.from_tensor_slices((tf.constant(features), tf.constant(labels)))


@tf.function
def pairs_of(dataset):
    """Returns all pairs of a dataset, int32 (n, 2): the loop over it is a part of the function's graph."""
    found = tf.TensorArray(tf.int32, size=0, dynamic_size=True)
    for pair in dataset:
        found = found.write(found.size(), tf.stack(pair))
    return found.stack()  # n pairs (2,) -> (n, 2)


def run_function():
    """A dataset can be read again and again. A Python iterator keeps a place in it."""
    one, other = slices(FEATURES, LABELS), slices(OTHER_FEATURES, OTHER_LABELS)
    iterators = iter(one), iter(other)
    return {
        "forward/one_shot": np.array(list(one.as_numpy_iterator())),
        "forward/initializable": np.concatenate([pairs_of(one).numpy(), pairs_of(other).numpy()]),
        "forward/reinitializable": np.concatenate([pairs_of(dataset).numpy() for dataset in (other, one)]),
        "forward/feedable": np.array([tf.stack(next(iterators[turn])).numpy() for turn in TURNS]),
    }
