"""A lookup table as an expression of its entries: a search among the sorted hashes of all keys.

Keys that are numbers are sorted themselves. The found key is compared with the one that was asked, so a lookup takes
log(n) and needs no state.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import graphs
from tf1ref.errors import InputError

FINDS, SIZES = ("LookupTableFind", "LookupTableFindV2"), ("LookupTableSize", "LookupTableSizeV2")
BUCKETS = 2**62


class Table(NamedTuple):
    """The entries of a table, each key once."""

    keys: np.ndarray
    values: np.ndarray


def nodes(node, table, there):
    """Returns the NodeDefs that replace `node`, the last one under its name."""
    with v1.Graph().as_default() as graph:
        if node.op in SIZES:
            tf.constant(len(table.keys), tf.int64, name="answer")
        else:
            _build(table, *(tf.as_dtype(node.attr[t].type) for t in ("Tin", "Tout")))
    given = dict(zip(("keys", "default"), node.input[1:3]))
    names = {n.name: graphs.free(f"{node.name}/{n.name}", there) for n in graph.as_graph_def().node}
    names["answer"] = node.name
    made = [n for n in graph.as_graph_def().node if n.name not in given]
    for one in made:
        one.input[:] = [given[i] if i in given else _renamed(i, names) for i in one.input]
        one.name = names[one.name]
    made[-1].input.extend(i for i in node.input if i[0] == "^")
    return made


def _renamed(reference, names):
    name, colon, index = reference.partition(":")
    return names[name] + colon + index


def _build(table, key_type, value_type):
    """Adds a look-up of `keys` in `table`, a Table, to the default graph. `default` stands for missing keys."""
    keys, default = v1.placeholder(key_type, name="keys"), v1.placeholder(value_type, [], name="default")
    flat = tf.reshape(keys, [-1])
    if key_type == tf.string:
        hashes, wanted = _hashes(table.keys), tf.strings.to_hash_bucket_fast(flat, BUCKETS)
    else:
        hashes, wanted = table.keys.astype(np.int64), tf.cast(flat, tf.int64)
    order = np.argsort(hashes, kind="stable")
    place = tf.raw_ops.LowerBound(sorted_inputs=hashes[order][None], values=wanted[None], out_type=tf.int32)[0]
    place = tf.minimum(place, len(order) - 1)
    there = tf.equal(tf.gather(tf.constant(table.keys[order], key_type), place), flat)
    values = tf.gather(tf.constant(table.values[order], value_type), place)
    answer = tf.where(there, values, tf.fill(tf.shape(flat), default))
    tf.reshape(answer, tf.shape(keys), name="answer")


def _hashes(keys):
    with v1.Graph().as_default(), v1.Session() as sess:
        hashes = sess.run(tf.strings.to_hash_bucket_fast(tf.constant(keys, tf.string), BUCKETS))
    if len(np.unique(hashes)) < len(keys):
        raise InputError("two of its keys have one hash")
    return hashes
