"""A checkpoint as a source: which files belong to it, its graph, and the values of its variables."""

import functools
import glob
import os
import re
from dataclasses import dataclass

import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf.message import DecodeError

from tf1ref.artifacts.graphs import one_line, tensor
from tf1ref.errors import InputError, nearest

PART = re.compile(r"\.(meta|index|data-\d{5}-of-\d{5})$")


@dataclass(frozen=True)
class Checkpoint:
    """`prefix`: what Saver.save returned. PREFIX.meta holds the graph, .index and .data-* the values."""

    prefix: str

    @property
    def where(self):
        """The file that holds the graph, for messages."""
        return self.prefix + ".meta"

    @functools.cached_property
    def meta_graph(self):
        """The MetaGraphDef. Raises InputError when the file is no such message or holds no graph."""
        try:
            with open(self.where, "rb") as f:
                meta = v1.MetaGraphDef.FromString(f.read())
        except (OSError, DecodeError) as e:
            raise InputError(f"{self.where}: cannot be read as a meta graph: {one_line(e)}: save it again") from e
        if not meta.graph_def.node:
            raise InputError(f"{self.where}: holds no graph: save it again with write_meta_graph=True")
        return meta

    @property
    def graph_def(self):
        """The GraphDef as it was saved: with training, saving and device pins."""
        return self.meta_graph.graph_def

    def values(self, variables):
        """Returns {node name: array} of the NodeDefs `variables`.

        Raises InputError for variables that are not in the checkpoint, shapes that differ, and damaged files.
        """
        if not variables:
            return {}
        names = _saved_names(self.meta_graph)
        keys = [names.get(v.name, (v.attr["shared_name"].s.decode() or v.name, "")) for v in variables]
        there = self._there()
        lacking = [v.name for v, (key, _) in zip(variables, keys) if key not in there]
        if lacking:
            raise InputError(
                f"{self.prefix}: holds no value for {', '.join(lacking)}, which the outputs need: "
                "save these too, or choose outputs that do without"
            )
        arrays = self._read([k for k, _ in keys], [s for _, s in keys], [v.attr["dtype"].type for v in variables])
        return {v.name: self._shaped(v, array) for v, array in zip(variables, arrays)}

    def _there(self):
        try:
            return tf.train.load_checkpoint(self.prefix).get_variable_to_shape_map()
        except (tf.errors.OpError, ValueError, RuntimeError) as e:
            raise InputError(f"{self.prefix}: cannot be read as a checkpoint: {one_line(e)}") from e

    def _read(self, keys, slices, dtypes):
        with v1.Graph().as_default(), v1.Session() as sess:
            tensors = tf.raw_ops.RestoreV2(
                prefix=self.prefix, tensor_names=keys, shape_and_slices=slices, dtypes=dtypes
            )
            try:
                return sess.run(tensors)
            except tf.errors.OpError as e:
                raise InputError(f"{self.prefix}: damaged or incomplete: {one_line(e)}") from e

    def _shaped(self, variable, array):
        shape = tf.TensorShape(variable.attr["shape"].shape)
        if shape.is_fully_defined() and shape != array.shape:
            if shape.num_elements() != array.size:
                raise InputError(
                    f"{self.prefix}: {variable.name} is {list(array.shape)}, {shape.as_list()} in the graph: "
                    "these files do not belong together"
                )
            array = array.reshape(shape)  # Saver(reshape=True) allows it
        return array


def find(source):
    """Returns the Checkpoint that `source` names: a prefix, one of its files, or a folder (its latest one).

    Raises InputError when there is none, or one of its files is missing.
    """
    source = os.fspath(source)
    prefix = _latest(source) if os.path.isdir(source) else PART.sub("", source)
    files = glob.glob(glob.escape(prefix) + ".*") + [p for p in (prefix,) if os.path.isfile(p)]
    found = {"data" if PART.search(f) and "data-" in PART.search(f)[1] else f[len(prefix) + 1 :] for f in files}
    if not found & {"meta", "index", "data", ""} or (os.path.isfile(source) and found == {""}):
        others = {
            PART.sub("", os.path.basename(f))
            for f in glob.glob(os.path.join(glob.escape(os.path.dirname(prefix)), "*.meta"))
        }
        near = nearest(os.path.basename(prefix), sorted(others))
        reason = "is not a checkpoint" if os.path.exists(source) else f"no such file or checkpoint{near}"
        raise InputError(f"{source}: {reason}: give PREFIX of PREFIX.meta and PREFIX.index, or their folder")
    # The old format has one file, the prefix itself, in the place of index and data.
    for part in ("meta",) if "" in found else ("meta", "index", "data"):
        if part not in found:
            name = f"{prefix}.data-*" if part == "data" else f"{prefix}.{part}"
            raise InputError(f"{name}: missing: a checkpoint needs .meta, .index and .data-* side by side")
    return Checkpoint(prefix)


def _latest(folder):
    state = tf.train.get_checkpoint_state(folder)
    if state and state.model_checkpoint_path:
        named = state.model_checkpoint_path
        moved = os.path.join(folder, os.path.basename(named))  # the state file may hold another machine's paths
        return named if glob.glob(glob.escape(named) + ".*") else moved
    metas = sorted(glob.glob(os.path.join(glob.escape(folder), "*.meta")))
    if len(metas) == 1:
        return PART.sub("", metas[0])
    if metas:
        names = ", ".join(os.path.basename(m) for m in metas)
        raise InputError(f"{folder}: holds several checkpoints and no state file: give one of {names}")
    raise InputError(f"{folder}: holds no checkpoint (no file named checkpoint, no .meta): give another folder")


def _saved_names(meta):
    """Returns {variable: (name in the checkpoint, slice)} as the graph's Saver restores them.

    The names differ where a Saver was given a dict (moving averages) or variables are partitioned.
    """
    nodes = {node.name: node for node in meta.graph_def.node}
    stack, seen, names = [tensor(meta.saver_def.restore_op_name)[0]], set(), {}
    while stack:
        node = nodes.get(stack.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.op in ("Assign", "AssignVariableOp"):
            saved = _restored(nodes, node.input[1])
            if saved:
                names[tensor(node.input[0])[0]] = saved
        else:
            stack += [tensor(i)[0] for i in node.input if i[0] == "^"]
    return names


def _restored(nodes, reference):
    name, index = tensor(reference)
    while nodes[name].op in ("Identity", "Reshape"):
        name, index = tensor(nodes[name].input[0])
    node = nodes[name]
    if node.op not in ("RestoreV2", "RestoreSlice", "Restore"):
        return None
    keys = [_strings(nodes[tensor(i)[0]]) for i in node.input[1:]]
    return keys[0][index], keys[1][index] if len(keys) > 1 else ""


def _strings(node):
    return [s.decode() for s in tf.make_ndarray(node.attr["value"].tensor).ravel()]
