"""Finds which outputs, inputs, fed arrays and tensors of two artifacts correspond."""

import os

import numpy as np
import tensorflow as tf

from tf1ref.artifacts import CheckFailed, guesses, models
from tf1ref.artifacts.formats import weights
from tf1ref.artifacts.graph import answers, graphs, shapes
from tf1ref.artifacts.graph.graphs import tensor
from tf1ref.errors import InputError, nearest


def outputs(a, b, names):
    """Returns ({key: tensor of A}, {key: tensor of B}), in the same order."""
    if names:
        one, other = models.asked(a, names), models.asked(b, names)
        if len(one) != len(other):
            has = " and ".join(f"{', '.join(found.values())} in {m.path}" for m, found in ((a, one), (b, other)))
            raise InputError(f"{', '.join(names)}: {has}: name tensors, such as {next(iter(one.values()))}")
        return one, other
    first, second = (a, b) if a.outputs else (b, a)
    if not first.outputs:
        guess = guesses.guess(a.graph, a.values)
        first.outputs = guess.outputs
        first.notes.append(guess.note)
    found = {key: _partner(second, key, name) for key, name in first.outputs.items()}
    if len(found) == len(second.outputs) == 1 and None in found.values():
        found = dict(zip(found, second.outputs.values()))
    lacking = [key for key, name in found.items() if name is None]
    if lacking:
        has = ", ".join(second.outputs) or ", ".join(graphs.likely_outputs(second.graph_def))
        raise InputError(f"{second.path}: has no output {lacking[0]!r}, {first.path} has: --outputs; it has {has}")
    return (first.outputs, found) if first is a else (found, first.outputs)


def inputs(artifact, other, outputs, names=()):
    """Returns {key: tensor name} of what is fed, so that `artifact` computes `outputs` as `other` computes its own.

    names: the inputs; without them the signature of either one decides, else the placeholders that the outputs need.
    """
    if names:
        return models.fed(artifact, names)
    wanted = {**_fed(other), **_fed(artifact)}
    nodes = {node.name for node in artifact.graph_def.node}
    return {key: name for key, name in wanted.items() if tensor(name)[0] in nodes}


def _fed(artifact):
    """Returns {key: tensor name} of a signature, else of all placeholders."""
    placeholders = [n.name for n in artifact.graph_def.node if n.op in ("Placeholder", "PlaceholderV2")]
    return artifact.inputs or {name: f"{name}:0" for name in placeholders}


def matched(a, b):
    """Returns {tensor fed in A: tensor fed in B}, matched by key, by name, or as the only ones left."""
    names = {name: key for key, name in b.inputs.items()}
    found = {}
    for key, name in a.inputs.items():
        other = b.inputs.get(key) or (name if name in names else None)
        if other:
            found[name] = other
    taken = set(found.values())
    left = [n for n in a.inputs.values() if n not in found], [n for n in names if n not in taken]
    if len(left[0]) == len(left[1]) == 1:
        found[left[0][0]] = left[1][0]
    elif any(left):
        only = [f"only {m.where} is fed {', '.join(names)}" for m, names in zip((a, b), left) if names]
        raise InputError(f"the inputs of the two do not match: {'; '.join(only)}: name --outputs that need the same")
    return found


def specs(a, b, pairs):
    """Returns an answers.Input for each pair, by A's name, with all that either one says about its shape."""
    first, second = (one.seen or one.imported() for one in (a, b))
    found = []
    for name, other in pairs.items():
        one, two = first.get_tensor_by_name(name), second.get_tensor_by_name(other)
        if one.dtype != two.dtype or not one.shape.is_compatible_with(two.shape):
            kinds = [f"{t.dtype.name} {_text(t.shape)}" for t in (one, two)]
            raise CheckFailed(f"input {name} is {kinds[0]} in {a.where}, {kinds[1]} in {b.where}")
        here, there = answers.fed([one, two])
        shape = here.shape.merge_with(there.shape) if here.shape.is_compatible_with(there.shape) else here.shape
        found.append(here._replace(name=name, shape=shape))
    return found


def _text(shape):
    return shapes.text(None if shape.rank is None else shape.as_list())


def given(feeds, a, b, pairs, wanted):
    """Returns {tensor of A: array} of feeds by keys or tensor names of A or B. Raises InputError for other names."""
    names = {other: name for name, other in pairs.items()} | {name: name for name in pairs}
    names.update({name.removesuffix(":0"): full for name, full in list(names.items())})
    names.update({key: names[name] for m in (b, a) for key, name in m.inputs.items()})
    types, found = {s.name: s for s in wanted}, {}
    for name, array in feeds.items():
        if name not in names:
            raise InputError(f"--feeds: {name!r} is no input{nearest(name, names)}; there are {', '.join(a.inputs)}")
        spec = types[names[name]]
        if not spec.shape.is_compatible_with(array.shape):
            raise InputError(f"--feeds: {name} has the shape {list(array.shape)}, the input takes {_text(spec.shape)}")
        if array.dtype.kind != np.dtype(spec.dtype.as_numpy_dtype).kind:
            raise InputError(f"--feeds: {name} is {array.dtype}, the input takes {spec.dtype.name}")
        found[names[name]] = array
    return found


def load_feeds(path):
    """Returns {name: array} of an .npz. Raises InputError for another file, and for pickled objects."""
    if weights.kind(path) != "npz":
        reason = "is no .npz" if os.path.exists(path) else "no such file"
        raise InputError(f"--feeds {path}: {reason}: write one with numpy.savez(path, **{{'x': array}})")
    found = weights.read(path, "npz")
    return {name: a.astype(bytes).astype(object) if a.dtype.kind in "SU" else a for name, a in found.items()}


def common(a, b):
    """Returns the names of the tensors that both graphs have and a session can fetch, in the order of A."""
    first, second = (one.seen or one.imported() for one in (a, b))
    there = {t.name: t for op in second.get_operations() for t in op.outputs}
    unreachable = _within(first) | _within(second)
    fed = {*a.inputs.values()}
    names = []
    for op in first.get_operations():
        for t in op.outputs:
            reachable = t.name in there and op.name not in unreachable and t.name not in fed
            if reachable and _is_value(t) and _is_value(there[t.name]):
                names.append(t.name)
    return names


def _partner(artifact, key, name):
    """Returns the tensor of `artifact` for another one's output `key`, `name`: by key, then by the tensor's name."""
    if key in artifact.outputs:
        return artifact.outputs[key]
    nodes = {node.name for node in artifact.graph_def.node}
    return name if tensor(name)[0] in nodes else f"{key}:0" if key in nodes else None


def _is_value(t):
    return t.dtype.base_dtype not in (tf.resource, tf.variant)


def _within(graph):
    """Returns the names of ops in loops and branches of v1 control flow.

    They cannot be fetched from a branch that does not run.
    """
    depth = {}
    for op in graph.get_operations():
        above = [t.op for t in op.inputs]
        kind = op.type.removeprefix("Ref")
        loop = _closes_loop(op) if kind == "Merge" else kind == "Switch" and _closes_loop(above[0])
        change = 0 if loop else {"Enter": 1, "Switch": 1, "Exit": -1, "Merge": -1}.get(kind, 0)
        depth[op.name] = change + max((depth.get(o.name, 0) for o in [*above, *op.control_inputs]), default=0)
    return {name for name, levels in depth.items() if levels > 0}


def _closes_loop(op):
    return any(t.op.type.removeprefix("Ref") == "NextIteration" for t in op.inputs)
