"""Turns lookup tables into constants. A table's answers follow from its keys and values, in a file or the graph.

Tables that change (MutableHashTable) stay as they are. A SavedModel can keep its tables, with the ops that fill them.
"""

import os
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.meta_graph_pb2 import AssetFileDef

from tf1ref.artifacts.graph import calls, constants, effects, graphs, held, lookups
from tf1ref.artifacts.graph.graphs import tensor
from tf1ref.artifacts.graph.lookups import FINDS, SIZES, Table
from tf1ref.errors import InputError, one_line

TABLES = ("HashTable", "HashTableV2")
FROM_TENSORS = ("InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2")
FROM_FILE = ("InitializeTableFromTextFile", "InitializeTableFromTextFileV2")
WHOLE_LINE, LINE_NUMBER = -2, -1  # the meanings of key_index and value_index below 0
MOST = 10**6  # the most entries of a table that becomes constants
MOST_BYTES = 256 << 20  # the most bytes in the file of a table
ASSETS = "saved_model_assets"


@dataclass
class Tables:
    """The tables that a graph asks. `graph`: the same without calls that take a table. `whole`: all of its file, too.

    entries: {name: Table}. starts: {name: NodeDef that fills it}. files: {name: path of the asset from which it is
    read}.
    notes: why other tables cannot become constants.
    """

    graph: graphs.Graph
    whole: graphs.Graph
    entries: dict[str, Table] = field(default_factory=dict)
    starts: dict[str, v1.NodeDef] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def find(graph: graphs.Graph, message) -> Tables:
    """Returns the Tables of `graph`. `message`: its GraphDef or MetaGraphDef, which says what fills them.

    Assets lie beside `graph.where`.
    """
    whole = graph.but(getattr(message, "graph_def", message))
    if not any(n.op in TABLES for n in graph.graph_def.node):
        return Tables(graph, whole)
    found = Tables(calls.inlined(graph, _takes_table), calls.inlined(whole, _takes_table))
    nodes = _nodes(found.graph)
    wanted = dict.fromkeys(_table(nodes, n.input[0]) for n in nodes.values() if n.op in (*FINDS, *SIZES) and n.input)
    for name in filter(None, wanted):
        try:
            _fill(found, name, message)
        except InputError as e:
            found.notes.append(f"{effects.TABLE}{name} cannot become constants: {e}")
    return found


def inlined(found: Tables) -> graphs.Graph:
    """Returns the graph of `found` with constants in place of its tables. A note says why others stay."""
    graph, notes = found.graph, found.graph.notes + found.notes
    if not found.entries:
        return graphs.Graph(graph.graph_def, graph.where, notes)
    nodes, result = _nodes(graph), v1.GraphDef(versions=graph.graph_def.versions, library=graph.graph_def.library)
    there = set(nodes)
    for node in graph.graph_def.node:
        table = found.entries.get(_table(nodes, node.input[0])) if node.op in (*FINDS, *SIZES) else None
        result.node.extend(lookups.nodes(node, table, there) if table else [node])
    return graphs.Graph(result, graph.where, [*notes, f"tables that became constants: {_sizes(found)}"])


def kept(found: Tables) -> tuple[graphs.Graph, dict[str, str]]:
    """Returns the graph of `found` with the ops that fill its tables, and {name of the Const of a file: its path}."""
    graph, files = found.graph, {}
    result, there = graphs.copy(graph.graph_def), {n.name for n in graph.graph_def.node}
    library = {f.signature.name for f in result.library.function}
    for name, start in found.starts.items():
        start = graphs.copy(start)
        if name in found.files:
            file = result.node.add()
            files[graphs.free(f"{start.name}/file", there)] = found.files[name]
            start.input[:] = [start.input[0], list(files)[-1]]
            value = os.path.abspath(found.files[name]).encode()
            constants.constant(file, start.input[1], value, tf.string.as_datatype_enum)
        else:
            start.input[:] = [i for i in start.input if i[0] != "^"]
        before = graphs.bare(found.whole.pruned(start.input[1:] if name not in found.files else []))
        result.node.extend([n for n in [*before.node, start] if n.name not in there])
        result.library.function.extend([f for f in before.library.function if f.signature.name not in library])
        there.update(n.name for n in result.node)
        library.update(f.signature.name for f in result.library.function)
    notes = [*graph.notes, *found.notes, f"tables that are kept, with what fills them: {_sizes(found)}"]
    return graphs.Graph(result, graph.where, notes), files


def _sizes(found):
    return ", ".join(f"{name}, {len(table.keys):,} entries" for name, table in found.entries.items())


def _nodes(graph):
    return {n.name: n for n in graph.graph_def.node}


def _takes_table(nodes, node):
    return any(_table(nodes, i) for i in node.input if i[0] != "^")


def _table(nodes, reference):
    """Returns the name of the table whose handle `reference` is, or ""."""
    name = tensor(reference)[0]
    for _ in range(8):
        found = nodes.get(name)
        if found is None or found.op in TABLES:
            return name if found is not None else ""
        if found.op not in ("Identity", "Enter", "RefIdentity", "RefEnter") or not found.input:
            return ""
        name = tensor(found.input[0])[0]
    return ""


def _fill(found, name, message):
    """Adds the entries of the table `name` to `found`. Raises InputError, without the file's name, when it has none."""
    nodes = _nodes(found.whole)
    ops = (*FROM_TENSORS, *FROM_FILE)
    made = [n for n in nodes.values() if n.op in ops and n.input and _table(nodes, n.input[0]) == name]
    if len(made) != 1:
        raise InputError(f"{len(made)} ops initialize it")
    if made[0].op in FROM_FILE:
        path = _asset(_source(tensor(made[0].input[1])[0], nodes), found.whole, message)
        keys, values = _from_file(made[0], path, nodes[name])
        found.files[name] = path
    else:
        keys, values = _evaluated(found.whole, made[0].input[1:3])
    if not 0 < len(keys) <= MOST or len(keys) != len(values) or values.ndim != 1:
        raise InputError(f"it has {len(keys):,} entries; from 1 to {MOST:,} can be")
    found.entries[name], found.starts[name] = _unique(keys, values), made[0]


def _source(name, nodes):
    """Returns the node whose value `name` has. TensorFlow 2 keeps the path of an asset in a variable."""
    node = nodes.get(name)
    if node is not None and node.op == "ReadVariableOp":
        variable = tensor(node.input[0])[0]
        given = [n for n in nodes.values() if n.op == "AssignVariableOp" and tensor(n.input[0])[0] == variable]
        return tensor(given[0].input[1])[0] if len(given) == 1 else name
    return name


def _unique(keys, values):
    seen = {}
    for key, value in zip(keys.tolist(), values.tolist()):
        before = seen.setdefault(key, value)
        # NaN is not equal to itself.
        if before is not value and before != value:
            raise InputError(f"it has two values for the key {key!r}")
    first = {key: i for i, key in reversed(list(enumerate(keys.tolist())))}
    order = sorted(first.values())
    return Table(keys[order], values[order])


def _evaluated(graph, references):
    """Returns the arrays of tensors that depend only on constants."""
    part = graph.but(graphs.bare(graph.pruned(references)))
    for node in part.graph_def.node:
        if effects.decision(node) != effects.COMPUTES or node.op.startswith(("Placeholder", "Var")):
            raise InputError(f"its entries depend on {node.name} ({node.op})")
    effects.check_constants(part)
    imported = part.but(held.filled(part.graph_def)).imported()
    try:
        with v1.Session(graph=imported) as sess:
            return [np.asarray(a) for a in sess.run([":".join(map(str, tensor(r))) for r in references])]
    except (tf.errors.OpError, ValueError) as e:
        raise InputError(f"its entries cannot be computed: {one_line(e)}") from e


def _from_file(node, path, table):
    """Returns the keys and values that the op `node` reads from `path` for the HashTable `table`. Both are NodeDefs."""
    if os.path.getsize(path) > MOST_BYTES:
        raise InputError(f"assets/{os.path.basename(path)} has {os.path.getsize(path):,} bytes")
    with open(path, "rb") as file:
        lines = file.read().replace(b"\r", b"").split(b"\n")
    lines = lines[:-1] if lines[-1:] == [b""] else lines
    first = node.attr["offset"].i if "offset" in node.attr else 0
    most = node.attr["vocab_size"].i if "vocab_size" in node.attr else -1
    lines = lines[:most] if most >= 0 else lines
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
        # numpy would turn these bytes into a number.
        return np.array([*words, None], object)[:-1]
    return np.array([dtype.as_numpy_dtype(word) for word in words])


def _asset(name, graph, message):
    """Returns the path of the asset for the Const `name`: a file beside the SavedModel, whatever its path says."""
    for asset in _asset_files(message):
        if tensor(asset.tensor_info.name)[0] == name:
            file = os.path.basename(asset.filename)
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
