"""Renames weights and writes them by name: npz, text, a checkpoint of names or one of objects."""

import functools
import operator
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph
from tensorflow.python.eager import context

from tf1ref.artifacts.convert import files as convert_files
from tf1ref.artifacts.convert.models import NAME, STATE
from tf1ref.artifacts.formats import recognise, weights
from tf1ref.artifacts.formats.indexes import OBJECTS
from tf1ref.artifacts.graph import memory
from tf1ref.errors import InputError, nearest

COUNTER = "save_counter"  # tf.train.Checkpoint.restore expects one
# A session takes time that grows with the square of what it is fed: for 16,000 arrays 17 s, as constants 2 s.
MOST_FED = 1000


@dataclass
class Account:
    """What became of each name.

    matched: {name in the source: name in the target}. unmatched: names of the target. unused: names of the source.
    """

    matched: dict
    unmatched: list = field(default_factory=list)
    unused: list = field(default_factory=list)


def renamed(arrays, maps, where):
    """Returns {new name: array} from {old name: array}, and the Account. maps: {old: new}.

    Raises InputError for an old name that does not exist, and when two variables would get one name.

    >>> arrays, account = renamed({"a/w": np.zeros(2)}, {"a/w": "b/w"}, "model")
    >>> list(arrays), account.matched
    (['b/w'], {'a/w': 'b/w'})
    """
    lacking = [old for old in maps if old not in arrays]
    if lacking:
        raise InputError(f"{where}: holds no {lacking[0]!r} to map{nearest(lacking[0], arrays)}")
    names = {old: maps.get(old, old) for old in arrays}
    twice = [new for new, count in Counter(names.values()).items() if count > 1]
    if twice:
        raise InputError(f"{where}: two variables would be called {twice[0]!r}: map them to names of their own")
    return weights.Lazy.of(arrays, {new: old for old, new in names.items()}), Account(names)


def checkpoint(arrays, folder):
    """Writes {name: array} as a folder with a V2 checkpoint of names, without a graph."""
    _save(arrays, folder)


def objects(arrays, folder):
    """Writes {name: array} as a checkpoint of objects. layer/w becomes the attribute w of the attribute layer."""
    tree = TrackableObjectGraph()
    tree.nodes.add()
    found, children = {}, {}
    for name in [*sorted(arrays), COUNTER]:
        place = 0
        for part in name.split("/"):
            child = children.setdefault((place, part), len(tree.nodes))
            if child == len(tree.nodes):
                tree.nodes[place].children.add(node_id=child, local_name=part)
                tree.nodes.add()
            place = child
        at = tree.nodes[place]
        key = name.replace(".", "..") + weights.VALUE
        at.attributes.add(name="VARIABLE_VALUE", full_name=name, checkpoint_key=key)
        found[key] = functools.partial(_or_one, arrays, name)
    found[OBJECTS] = lambda: np.array(tree.SerializeToString(deterministic=True), object)
    _save(weights.Lazy(found), folder)


def _or_one(arrays, name):
    return arrays[name] if name in arrays else np.int64(1)


@dataclass
class Like:
    """A checkpoint of objects whose tree a new one gets. `keys`: {key: (path, full name)}. `values`: all its arrays."""

    where: str
    keys: dict
    values: dict


def like(path):
    """Returns the Like of a checkpoint. Raises InputError when it is not a checkpoint of objects."""
    found = recognise.recognise(path)
    if not found.index or not found.index.objects:
        raise InputError(f"--like {path}: no checkpoint of objects: save the new model with tf.train.Checkpoint first")
    values = weights.raw(found.index.prefix)
    tree = weights.tree(values[OBJECTS], found.path)
    attributes = [a for node in tree.nodes for a in node.attributes if a.checkpoint_key in values]
    attributes = [a for a in attributes if a.checkpoint_key != COUNTER + weights.VALUE]
    keys = {a.checkpoint_key: (weights.path_of(a.checkpoint_key), a.full_name) for a in attributes}
    return Like(found.path, keys, values)


def fitted(arrays, maps, model, where, partial=False):
    """Returns {key: array} of `model` (a Like), with `arrays` where names match, and the Account.

    A name is matched by `maps`, then by its path in the tree of objects, then by the full name of its variable.
    Raises InputError for shapes that differ and, unless `partial`, for a name of the model that stays unmatched.
    """
    lacking = [old for old in maps if old not in arrays]
    if lacking:
        raise InputError(f"{where}: holds no {lacking[0]!r} to map{nearest(lacking[0], arrays)}")
    sources = {new: old for old, new in maps.items()}
    sources.update({name: name for name in arrays if name not in maps and name not in sources})
    full = Counter(name for _, name in model.keys.values())
    account = Account({})
    found = {key: functools.partial(operator.getitem, model.values, key) for key in model.values}
    for key, (path, name) in model.keys.items():
        candidates = [path, *([name] if full[name] == 1 else [])]
        old = next((sources[c] for c in candidates if c in sources), None)
        if old is None:
            account.unmatched.append(path)
            continue
        _check(arrays[old], model.values[key], old, path, where)
        account.matched[old], found[key] = path, functools.partial(operator.getitem, arrays, old)
    account.unused = sorted(arrays.keys() - account.matched)
    for old, new in maps.items():
        if old not in account.matched:
            near = nearest(new, [name for pair in model.keys.values() for name in pair])
            raise InputError(f"--map {old}={new}: {model.where} holds no {new!r}{near}")
    if account.unmatched and not partial:
        raise InputError(_words(account, model.where, where))
    return weights.Lazy(found), account


def fit(found, folder):
    """Writes the {key: array} that fitted() returned."""
    _save(found, folder)


def _words(account, wanted, where):
    """Returns one line on an Account in which names of the model stayed unmatched."""
    unmatched, unused = (", ".join(n[:6]) + ", ..." * (len(n) > 6) for n in (account.unmatched, account.unused))
    count = f"{len(account.unmatched)} of {len(account.matched) + len(account.unmatched)}"
    return (
        f"{where}: nothing for {count} names of {wanted}: {unmatched}; unused: {unused or 'none'}: "
        "--map OLD=NEW, or --partial to leave them as they are"
    )


def _check(array, there, old, path, where):
    array, there = np.asarray(array), np.asarray(there)
    if array.shape != there.shape or array.dtype != there.dtype:
        kinds = [f"{a.dtype}{list(a.shape)}" for a in (array, there)]
        raise InputError(f"{where}: {old} is {kinds[0]}, {path} is {kinds[1]} in the new model")


def _save(arrays, folder):
    """Saves with the Savers' kernel, the keys in their order and each tensor as it is."""
    names = sorted(arrays)
    keys = {"prefix": str(folder / NAME), "tensor_names": names, "shape_and_slices": [""] * len(names)}
    with convert_files.writing(folder):
        folder.mkdir()
        (_save_fed if len(names) <= MOST_FED else _save_constants)(arrays, names, keys)
        (folder / "checkpoint").write_text(STATE)


def _save_fed(arrays, names, keys):
    # tf.constant would copy each array twice.
    found = [memory.as_aligned(arrays[name]) for name in names]
    with v1.Graph().as_default(), v1.Session() as sess:
        tensors = [v1.placeholder(_tensor_type(array, name), array.shape) for name, array in zip(names, found)]
        sess.run(tf.raw_ops.SaveV2(**keys, tensors=tensors), dict(zip(tensors, found)))


def _save_constants(arrays, names, keys):
    with context.eager_mode():
        found = ((name, arrays[name]) for name in names)
        tensors = [tf.constant(array, _tensor_type(array, name)) for name, array in found]
        tf.raw_ops.SaveV2(**keys, tensors=tensors)


def _tensor_type(array, name):
    """Returns the type of TensorFlow for an array. Raises InputError when it has none, such as for dates."""
    try:
        return tf.as_dtype(array.dtype)
    except TypeError as e:
        name = name.removesuffix(weights.VALUE)
        raise InputError(f"{name}: cannot be written: TensorFlow has no {array.dtype}: convert to npz") from e
