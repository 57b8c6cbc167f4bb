"""Lookup tables as constants: what a table answers follows from its keys and values, which a file or the graph holds.

A key is looked for in the sorted hashes of all keys (in the sorted keys where they are numbers), and compared with what
is found there: so a lookup costs log(n), and no state. Tables that change (MutableHashTable) stay what they are.
"""

import os
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.meta_graph_pb2 import AssetFileDef

from tf1ref.artifacts.graph import effects, graphs
from tf1ref.artifacts.graph.graphs import tensor
from tf1ref.errors import InputError, one_line

TABLES = ("HashTable", "HashTableV2")
FINDS, SIZES = ("LookupTableFind", "LookupTableFindV2"), ("LookupTableSize", "LookupTableSizeV2")
FROM_TENSORS = ("InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2")
FROM_FILE = ("InitializeTableFromTextFile", "InitializeTableFromTextFileV2")
WHOLE_LINE, LINE_NUMBER = -2, -1  # what key_index and value_index mean below 0
MOST = 10**6  # entries of a table that becomes constants
MOST_BYTES = 256 << 20  # of the file of one
BUCKETS = 2**62
ASSETS = "saved_model_assets"


class Table(NamedTuple):
    """The entries of a table, each key once."""

    keys: np.ndarray
    values: np.ndarray


def inlined(graph: graphs.Graph, message) -> graphs.Graph:
    """Returns `graph` with constants in the place of its tables; those of which it says in a note why not stay.

    `message`: the whole GraphDef or MetaGraphDef, which says what initializes them. Assets lie beside `graph.where`.
    """
    nodes = {n.name: n for n in graph.graph_def.node}
    wanted = dict.fromkeys(_table(nodes, n) for n in graph.graph_def.node if n.op in (*FINDS, *SIZES))
    found, notes = {}, []
    for name in filter(None, wanted):
        try:
            found[name] = _entries(name, graph, message)
        except InputError as e:
            notes.append(f"{effects.TABLE}{name} cannot become constants: {e}")
    if not found:
        return graphs.Graph(graph.graph_def, graph.where, graph.notes + notes)
    there, result = set(nodes), v1.GraphDef(versions=graph.graph_def.versions, library=graph.graph_def.library)
    for node in graph.graph_def.node:
        table = found.get(_table(nodes, node)) if node.op in (*FINDS, *SIZES) else None
        result.node.extend(_looked_up(node, table, there) if table else [node])
    sizes = ", ".join(f"{name}, {len(table.keys):,} entries" for name, table in found.items())
    return graphs.Graph(result, graph.where, [*graph.notes, *notes, f"tables that became constants: {sizes}"])


def _table(nodes, node):
    """The name of the table that `node` asks, or ""."""
    name = tensor(node.input[0])[0] if node.input else ""
    for _ in range(8):
        found = nodes.get(name)
        if found is None or found.op in TABLES:
            return name if found is not None else ""
        if found.op not in ("Identity", "Enter", "RefIdentity", "RefEnter") or not found.input:
            return ""
        name = tensor(found.input[0])[0]
    return ""


def _entries(name, graph, message):
    """The Table `name`. Raises InputError, without the file's name, where its entries are not to be had."""
    whole = getattr(message, "graph_def", message)
    nodes = {n.name: n for n in whole.node}
    ops = (*FROM_TENSORS, *FROM_FILE)
    made = [n for n in whole.node if n.op in ops and n.input and _table(nodes, n) == name]
    if len(made) != 1:
        raise InputError(f"{len(made)} ops initialize it")
    if made[0].op in FROM_FILE:
        keys, values = _from_file(made[0], nodes, graph, message)
    else:
        keys, values = _evaluated(graph.but(whole), made[0].input[1:3])
    if not 0 < len(keys) <= MOST or len(keys) != len(values) or values.ndim != 1:
        raise InputError(f"it has {len(keys):,} entries; from 1 to {MOST:,} can be")
    return _unique(keys, values)


def _unique(keys, values):
    seen = {}
    for key, value in zip(keys.tolist(), values.tolist()):
        before = seen.setdefault(key, value)
        if before is not value and before != value:  # NaN is not itself
            raise InputError(f"it has two values for the key {key!r}")
    first = {key: i for i, key in reversed(list(enumerate(keys.tolist())))}
    order = sorted(first.values())
    return Table(keys[order], values[order])


def _evaluated(graph, references):
    """The arrays of tensors that depend on constants alone."""
    part = graph.but(graphs.bare(graph.pruned(references)))
    for node in part.graph_def.node:
        if effects.decision(node) != effects.COMPUTES or node.op.startswith(("Placeholder", "Var")):
            raise InputError(f"its entries depend on {node.name} ({node.op})")
    effects.check_constants(part)
    imported = part.imported()
    try:
        with v1.Session(graph=imported) as sess:
            return [np.asarray(a) for a in sess.run([":".join(map(str, tensor(r))) for r in references])]
    except (tf.errors.OpError, ValueError) as e:
        raise InputError(f"its entries cannot be computed: {one_line(e)}") from e


def _from_file(node, nodes, graph, message):
    path = _asset(tensor(node.input[1])[0], graph, message)
    if os.path.getsize(path) > MOST_BYTES:
        raise InputError(f"assets/{os.path.basename(path)} has {os.path.getsize(path):,} bytes")
    with open(path, "rb") as file:
        lines = file.read().replace(b"\r", b"").split(b"\n")
    lines = lines[:-1] if lines[-1:] == [b""] else lines
    first = node.attr["offset"].i if "offset" in node.attr else 0
    most = node.attr["vocab_size"].i if "vocab_size" in node.attr else -1
    lines = lines[:most] if most >= 0 else lines
    table = nodes[_table(nodes, node)]
    delimiter = node.attr["delimiter"].s if "delimiter" in node.attr else b"\t"
    kinds = [(node.attr[f"{w}_index"].i, tf.as_dtype(table.attr[f"{w}_dtype"].type)) for w in ("key", "value")]
    try:
        return [_column(lines, index, dtype, delimiter or b"\t", first) for index, dtype in kinds]
    except (ValueError, IndexError, OverflowError) as e:
        raise InputError(f"assets/{os.path.basename(path)} is no table of its types: {one_line(e)}") from e


def _column(lines, index, dtype, delimiter, first):
    if index == LINE_NUMBER:
        return np.arange(first, first + len(lines)).astype(dtype.as_numpy_dtype)
    words = lines if index == WHOLE_LINE else [line.split(delimiter)[index] for line in lines]
    if dtype == tf.string:
        return np.array([*words, None], object)[:-1]  # numpy would make a number of bytes of them
    return np.array([dtype.as_numpy_dtype(word) for word in words])


def _asset(name, graph, message):
    """The path of the asset that the Const `name` stands for: a file beside the SavedModel, whatever its path says."""
    for held in _asset_files(message):
        if tensor(held.tensor_info.name)[0] == name:
            file = os.path.basename(held.filename)
            path = os.path.join(os.path.dirname(graph.where), "assets", file)
            if not file or os.path.islink(path) or not os.path.isfile(path):
                raise InputError(f"assets/{file}: missing")
            return path
    raise InputError("its file is no asset of a SavedModel")


def _asset_files(message):
    if not isinstance(message, v1.MetaGraphDef):
        return []
    values = message.collection_def[ASSETS].any_list.value if ASSETS in message.collection_def else ()
    try:
        return [*message.asset_file_def, *(AssetFileDef.FromString(v.value) for v in values)]
    except DecodeError:
        return list(message.asset_file_def)


def _looked_up(node, table, there):
    """The NodeDefs that answer in the place of `node`, the last one under its name."""
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
    """Adds to the default graph what looks `keys` up in `table`, a Table, with `default` for what is not there."""
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
