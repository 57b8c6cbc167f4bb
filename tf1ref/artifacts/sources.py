"""What can be frozen: a checkpoint, a SavedModel, a GraphDef without variables, a program's build_graph."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.core.protobuf.struct_pb2 import TypeSpecProto

from tf1ref.artifacts import Program
from tf1ref.artifacts.formats import checkpoint, indexes, recognise
from tf1ref.artifacts.formats.checkpoint import Values
from tf1ref.artifacts.graph import graphs
from tf1ref.errors import InputError, nearest, one_line

SERVING = "serving_default"
SPARSE = ("indices", "values", "dense_shape")


@dataclass
class Source:
    """A source. `where`: the file of the graph, for messages. `message`: its GraphDef or MetaGraphDef.

    read(variables, ema): returns the values of NodeDefs, a mapping with the `averaged` names. inputs, outputs: names of
    tensors in a signature. endpoints: {name: tensor name}, further names for outputs.
    """

    where: str
    message: object
    read: Callable
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    endpoints: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)

    @property
    def graph_def(self):
        """The graph as it was saved, with the ops of training and saving, and devices."""
        return getattr(self.message, "graph_def", self.message)

    @property
    def graph(self):
        """The GraphDef as a graphs.Graph."""
        return graphs.Graph(self.graph_def, self.where)


def find(source, signature="", tags=None, values=""):
    """Returns the Source of a path or a Program. `values`: a checkpoint's prefix, for the weights of a Program.

    signature, tags: those of a SavedModel. With tags None, the usual ones are tried. Raises InputError when nothing or
    several things fit.
    """
    if isinstance(source, Program):
        check_options(source.name, signature, tags)
        return _built(source, values)
    source = os.fspath(source)
    if values:
        raise InputError(f"{source}: --checkpoint goes with an example, chapter.name; `tf1ref list` shows all")
    if _is_checkpoint(source):
        check_options(source, signature, tags)
        model = checkpoint.find(source)
        return Source(model.where, model.meta_graph, model.values)
    found = recognise.recognise(source, lean=True)
    if found.kind.startswith("SavedModel"):
        return _saved_model(found, signature, tags)
    check_options(source, signature, tags)
    if not found.graphs:
        raise InputError(
            f"{source}: {found.kind} without a graph: give a checkpoint with its .meta, a SavedModel, a .pb"
        )
    return Source(found.path, found.graphs[0], _NoValues(found.path))


def check_options(where, signature="", tags=None):
    """Raises InputError when a signature or tags are asked of `where`, which is not a SavedModel."""
    if signature or tags is not None:
        option = "--signature" if signature else "--tags"
        raise InputError(f"{where}: {option} is for a SavedModel, which this is not: leave it out")


def _is_checkpoint(source):
    """Returns True for what a Saver wrote, and for a missing file, on which the checkpoint's reader reports."""
    if os.path.isdir(source):
        there = [source, *(e.path for e in os.scandir(source) if e.is_dir())]
        return not any(os.path.isfile(os.path.join(d, name)) for d in there for name in recognise.MODELS)
    if not os.path.exists(source):
        return True
    named = indexes.PART.search(source) or indexes.SHARD.search(source)
    return bool(named) or os.path.isfile(source + ".meta")


class _NoValues:
    """Reads the variables of a file that has no values. It succeeds only for an empty list of variables."""

    def __init__(self, where):
        self.where = where

    def __call__(self, variables, ema=False):
        if variables:
            names = ", ".join(v.name for v in variables[:4]) + ", ..." * (len(variables) > 4)
            raise InputError(
                f"{self.where}: the outputs need the variables {names}, which have no values here: "
                "freeze the checkpoint or SavedModel that holds them"
            )
        return Values("")


def _saved_model(found, signature, tags):
    metas = {tuple(sorted(m.meta_info_def.tags)): m for m in found.graphs}
    meta, notes = _tagged(found.path, metas, tags)
    there = meta.signature_def
    if signature and signature not in there:
        listed = f": there are {', '.join(sorted(there))}" if there else " nor any other: name --outputs"
        raise InputError(f"{found.path}: holds no signature {signature!r}{nearest(signature, there)}{listed}")
    usable = {name: s for name, s in there.items() if s.outputs and not name.startswith("__")}
    signature = signature or (SERVING if SERVING in usable else "") or next(iter(sorted(usable)), "")
    if len(usable) > 1:
        others = ", ".join(sorted(usable.keys() - {signature}))
        notes.append(f"signature {signature}; there are {others} too: --signature")
    source = Source(found.path, meta, _NoValues(found.path), notes=notes)
    if found.index:
        names = checkpoint.saved_names(meta)
        source.read = lambda variables, ema=False: Values.of(variables, found.index.prefix, names, ema)
    if signature:
        source.inputs = list(ends(there[signature].inputs).values())
        source.outputs = list(ends(there[signature].outputs).values())
    return source


def _tagged(path, metas, tags):
    listed = "; ".join(map(_shown, sorted(metas)))
    if tags is not None:
        if tuple(sorted(tags)) not in metas:
            raise InputError(f"{path}: holds no graph with the tags {_shown(tags)}: there are {listed}")
        return metas[tuple(sorted(tags))], []
    if len(metas) == 1:
        return next(iter(metas.values())), []
    # The graph of a TF Hub module for inference has no tag.
    for usual in (("serve",), ()):
        if usual in metas:
            return metas[usual], [f"tags {_shown(usual)}; there are graphs with other tags: {listed}: --tags"]
    raise InputError(f"{path}: holds {len(metas)} graphs: choose one by --tags: {listed}")


def _shown(tags):
    return ",".join(tags) or '""'


def ends(infos):
    """Returns {key: tensor name} of a signature's {key: TensorInfo}.

    A sparse tensor has the keys key/indices, key/values and key/dense_shape. A ragged one has key/values and
    key/row_splits, or key/row_splits_0 and so on when it is nested. Another tensor of several parts has key/0, key/1.
    """
    found = {}
    for key, info in sorted(infos.items()):
        encoding = info.WhichOneof("encoding")
        if encoding == "coo_sparse":
            names = [(part, getattr(info.coo_sparse, f"{part}_tensor_name")) for part in SPARSE]
        elif encoding == "composite_tensor":
            names = _components(info.composite_tensor)
        else:
            names = [("", info.name)]
        found.update({f"{key}/{part}" if part else key: name for part, name in names})
    return found


def _components(composite):
    """Returns [(part, tensor name)] of a TensorInfo.CompositeTensor."""
    names = [component.name for component in composite.components]
    parts = [str(i) for i in range(len(names))]
    if composite.type_spec.type_spec_class == TypeSpecProto.RAGGED_TENSOR_SPEC and len(names) > 1:
        splits = [f"row_splits_{i}" for i in range(len(names) - 1)]
        parts = ["values", *(splits if len(splits) > 1 else ["row_splits"])]
    return list(zip(parts, names))


def _built(program, prefix):
    """Returns the Source of a Program's graph, with the values of the checkpoint `prefix` or its initial ones."""
    name, module = program.name, program.load()
    if not hasattr(module, "build_graph"):
        raise InputError(f"{name}: builds no graph to freeze: choose another, `tf1ref list` shows all")
    with v1.Graph().as_default() as graph:
        v1.set_random_seed(getattr(module, "SEED", None))
        try:
            endpoints = module.build_graph()
        # The example itself may raise anything.
        except Exception as e:
            kind = type(e).__name__
            raise InputError(f"{name}: its build_graph cannot be called alone ({kind}: {one_line(e)})") from e
        graph_def = graph.as_graph_def()
        fresh = None if prefix else _first_values(graph, name)
    named = {key: t.name for key, t in endpoints.items() if isinstance(getattr(t, "name", None), str)}
    source = Source(name, graph_def, None, endpoints={k: n for k, n in named.items() if ":" in n})
    if prefix:
        model = checkpoint.find(prefix).prefix if os.path.isdir(prefix) else indexes.PART.sub("", prefix)
        source.read = lambda variables, ema=False: Values.of(variables, model, {}, ema)
    else:
        source.read = lambda variables, ema=False: fresh.chosen(variables)
        source.notes.append(f"the weights are those {name} starts from, with its seed: --checkpoint gives trained ones")
    return source


class _Fresh(dict):
    """The values of variables that were just initialized."""

    averaged = ()

    def chosen(self, variables):
        lacking = [v.name for v in variables if v.name not in self]
        if lacking:
            raise InputError(f"{lacking[0]}: the variable is in no collection: choose outputs that do without it")
        return _Fresh({v.name: self[v.name] for v in variables})


def _first_values(graph, where):
    """Returns the initial values of the variables of `graph`, on whatever device they are."""
    variables = v1.global_variables() + v1.local_variables()
    reads = {v.op.name: v.read_value().name for v in variables}
    initializers = [v.initializer.name for v in variables]
    with v1.Session(graph=graphs.Graph(graphs.bare(graph.as_graph_def()), where).imported()) as sess:
        try:
            sess.run([sess.graph.get_operation_by_name(i) for i in initializers])
            return _Fresh(sess.run(reads))
        except tf.errors.OpError as e:
            raise InputError(f"{where}: its variables cannot be initialised alone: {one_line(e)}") from e
