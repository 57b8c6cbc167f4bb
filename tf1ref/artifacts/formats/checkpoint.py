"""A checkpoint as a source: its files, its graph, and the values of its variables."""

import functools
import glob
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf.message import DecodeError
from tensorflow.python.eager import context

from tf1ref.artifacts.formats import recognise
from tf1ref.artifacts.formats.indexes import PART, SHARD
from tf1ref.artifacts.graph.graphs import tensor
from tf1ref.artifacts.graph.shapes import shape_of
from tf1ref.errors import InputError, nearest, one_line

SHADOW = "/ExponentialMovingAverage"  # v1.train.ExponentialMovingAverage adds this to a name


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint. `prefix` is what Saver.save returned. PREFIX.meta has the graph, .index and .data-* the values."""

    prefix: str

    @property
    def where(self):
        """The file that holds the graph, for messages."""
        return self.prefix + ".meta"

    @functools.cached_property
    def meta_graph(self):
        """The MetaGraphDef. Raises InputError when the file is not such a message or holds no graph."""
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
        """The GraphDef as it was saved, with the ops of training and saving, and devices."""
        return self.meta_graph.graph_def

    def values(self, variables, ema=False):
        """Returns the Values of the NodeDefs `variables`, as Values.of does."""
        return Values.of(variables, self.prefix, saved_names(self.meta_graph), ema)


class Values(Mapping):
    """{node name: array}. Each array is read when it is asked for, since all of them at once may be large.

    averaged: names of the variables that have a moving average in the checkpoint.
    """

    def __init__(self, prefix):
        self.prefix, self.averaged, self._keys = prefix, [], {}

    @classmethod
    def of(cls, variables, prefix, names, ema=False):
        """Returns the Values of the NodeDefs `variables` in the checkpoint `prefix`.

        names: {variable: (key, slice)} for variables that are saved under other names. ema: takes moving averages
        instead.
        Raises InputError for variables that are missing, shapes that differ, and damaged files.
        """
        values = cls(prefix)
        if not variables:
            return values
        there = values._there()
        keys = {v.name: names.get(v.name, (v.attr["shared_name"].s.decode() or v.name, "")) for v in variables}
        shadows = {name: key + SHADOW for name, (key, _) in keys.items() if key + SHADOW in there}
        values.averaged = list(shadows)
        if ema:
            keys.update((name, (shadow, keys[name][1])) for name, shadow in shadows.items())
        lacking = [name for name, (key, _) in keys.items() if key not in there]
        if lacking:
            raise InputError(
                f"{prefix}: holds no value for {', '.join(lacking)}, which the outputs need: "
                "save these too, or choose outputs that do without"
            )
        values._keys = {v.name: (*keys[v.name], v) for v in variables}
        for key, part, v in values._keys.values():
            if not part:
                values._shape(v, there[key])
        return values

    def __getitem__(self, name):
        key, part, v = self._keys[name]
        # The default graph may be any.
        with context.eager_mode():
            try:
                (tensor_,) = tf.raw_ops.RestoreV2(
                    prefix=pattern(self.prefix),
                    tensor_names=[key],
                    shape_and_slices=[part],
                    dtypes=[v.attr["dtype"].type],
                )
            except tf.errors.OpError as e:
                raise InputError(f"{self.prefix}: damaged or incomplete: {one_line(e)}") from e
        # numpy() would copy it. asarray(...) fails for a scalar of bfloat16.
        array = np.asarray(tensor_ if tensor_.ndim else tensor_.numpy())
        # Saver(reshape=True) allows another shape.
        return array.reshape(self._shape(v, array.shape))

    def __contains__(self, name):
        # Mapping's own method would read the value.
        return name in self._keys

    def __iter__(self):
        return iter(self._keys)

    def __len__(self):
        return len(self._keys)

    def _there(self):
        try:
            return reader(self.prefix).get_variable_to_shape_map()
        except (tf.errors.OpError, ValueError, RuntimeError) as e:
            raise InputError(f"{self.prefix}: cannot be read as a checkpoint: {one_line(e)}") from e

    def _shape(self, variable, found):
        shape = tf.TensorShape(shape_of(variable.attr["shape"].shape))
        if not shape.is_fully_defined() or shape == found:
            return found
        if shape.num_elements() != math.prod(found):
            raise InputError(
                f"{self.prefix}: {variable.name} is {list(found)}, {shape.as_list()} in the graph: "
                "these files do not belong together"
            )
        return shape


def find(source):
    """Returns the Checkpoint at `source`: a prefix, one of its files, or a folder, of which the latest one is taken.

    Raises InputError when it does not exist or one of its files is missing.
    """
    source = os.fspath(source)
    prefix = recognise.latest(source) if os.path.isdir(source) else SHARD.sub("", PART.sub("", source))
    files = glob.glob(glob.escape(prefix) + ".*") + [p for p in (prefix,) if os.path.isfile(p)]
    found = {"data" if PART.search(f) and "data-" in PART.search(f)[1] else f[len(prefix) + 1 :] for f in files}
    if _pieces(prefix):
        # This is the old format, in several files.
        found.add("")
    if not found & {"meta", "index", "data", ""} or (os.path.isfile(source) and found == {""}):
        others = {
            PART.sub("", os.path.basename(f))
            for f in glob.glob(os.path.join(glob.escape(os.path.dirname(prefix)), "*.meta"))
        }
        near = nearest(os.path.basename(prefix), sorted(others))
        reason = "is not a checkpoint" if os.path.exists(source) else f"no such file or checkpoint{near}"
        raise InputError(f"{source}: {reason}: give PREFIX of PREFIX.meta and PREFIX.index, or their folder")
    # In the old format one file, named as the prefix, replaces index and data.
    for part in ("meta",) if "" in found else ("meta", "index", "data"):
        if part not in found:
            name = f"{prefix}.data-*" if part == "data" else f"{prefix}.{part}"
            raise InputError(f"{name}: missing: a checkpoint needs .meta, .index and .data-* side by side")
    return Checkpoint(prefix)


def _pieces(prefix):
    return [p for p in glob.glob(glob.escape(prefix) + "-*-of-*") if SHARD.sub("", p) == prefix]


def reader(prefix):
    """Returns TensorFlow's reader of a checkpoint, whose prefix may end with a slash. Raises what TensorFlow does."""
    # tf.train.load_checkpoint would take such a prefix for a folder, and ask its state file.
    return v1.train.NewCheckpointReader(pattern(prefix))


def pattern(prefix):
    """Returns what TensorFlow's readers take for `prefix`. For an old checkpoint in several files this is a pattern."""
    if re.search(r"[*?\[\]\\]", prefix):
        raise InputError(
            f"{prefix}: TensorFlow takes * ? [ ] \\ in a checkpoint's name for a pattern: rename the file or folder"
        )
    alone = os.path.isfile(prefix) or os.path.isfile(prefix + ".index")
    return prefix if alone or not _pieces(prefix) else prefix + "-?????-of-?????"


def saved_names(meta):
    """Returns {variable: (name in the checkpoint, slice)} as the restore op of a MetaGraphDef reads them.

    The names differ when a Saver got a dict (moving averages), when variables are partitioned, and when TF2 saved
    objects.
    In the last case the restore op is the call of a function.
    """
    library = {f.signature.name: f for f in meta.graph_def.library.function}
    # One op may restore all variables: its list of names is read once, not once for each.
    lists: dict[str, list[str]] = {}
    nodes = {node.name: node for node in meta.graph_def.node}
    stack, seen, names = [tensor(meta.saver_def.restore_op_name)[0]], set(), {}
    while stack:
        node = nodes.get(stack.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        function = library.get(node.attr["f"].func.name) if "f" in node.attr else None
        if function is not None:
            arguments = {a.name: tensor(i)[0] for a, i in zip(function.signature.input_arg, node.input)}
            names.update(_assigned({n.name: n for n in function.node_def}, function.node_def, arguments, {}))
        elif node.op in ("Assign", "AssignVariableOp"):
            names.update(_assigned(nodes, [node], {}, lists))
        else:
            stack += [tensor(i)[0] for i in node.input if i[0] == "^"]
    return names


def _assigned(nodes, candidates, arguments, lists):
    """Yields (variable, (key, slice)) for each assignment of a restored value among `candidates`."""
    for node in candidates:
        if node.op in ("Assign", "AssignVariableOp") and len(node.input) > 1:
            saved = _restored(nodes, node.input[1], lists)
            if saved:
                name = tensor(node.input[0])[0]
                yield arguments.get(name, name), saved


def _restored(nodes, reference, lists):
    """Returns (key, slice) of the restored tensor `reference`. Returns None for another tensor or a damaged op."""
    name, index = tensor(reference)
    for _ in range(len(nodes)):
        node = nodes.get(name)
        if node is None or node.op not in ("Identity", "Reshape") or not node.input:
            break
        name, index = tensor(node.input[0])
    if node is None or node.op not in ("RestoreV2", "RestoreSlice", "Restore"):
        return None
    for name in (tensor(i)[0] for i in node.input[1:]):
        if name not in lists:
            lists[name] = _strings(nodes.get(name))
    found = [lists[tensor(i)[0]] for i in node.input[1:]]
    if not found or not all(found):
        return None
    # A list whose last strings are equal may be written without them.
    key, *part = (words[min(index, len(words) - 1)] for words in found[:2])
    return key, part[0] if part else ""


def _strings(node):
    return [s.decode(errors="replace") for s in node.attr["value"].tensor.string_val] if node is not None else []
