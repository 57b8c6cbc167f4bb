"""Reads weights by name from checkpoints of names or of objects, npz, text, and constants of a graph.

The text says every number in full, so that it can be read back to the bit:

    # tf1ref weights 1
    layer/w float32 [2, 2]
    0.5 -1.25 3.0 0.1
"""

import contextlib
import functools
import io
import operator
import os
import re
import zipfile
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from tf1ref.artifacts.formats import checkpoint, foreign
from tf1ref.artifacts.formats.indexes import OBJECTS
from tf1ref.artifacts.graph import effects, graphs, held
from tf1ref.artifacts.graph.graphs import tensor
from tf1ref.artifacts.graph.shapes import dtype_name
from tf1ref.errors import InputError, one_line

HEADER = "# tf1ref weights 1"
LINE = re.compile(r"(\S+) (\w+) \[([\d, ]*)\]")
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
ZIP = b"PK\x03\x04"
READ = re.compile(r"(.*/)?(read|Read|\w*ReadVariableOp(_\d+)?)")
PER_LINE = 8
NUMBERS = "fiubc"  # numpy's kinds that are written as text


class Lazy(Mapping):
    """{name: array}. Each array is read when it is asked for. `reads`: {name: function that returns the array}."""

    def __init__(self, reads):
        self._reads = reads

    @classmethod
    def of(cls, arrays, names):
        """Returns the Lazy of {name: key in the mapping `arrays`}."""
        return cls({name: functools.partial(operator.getitem, arrays, key) for name, key in names.items()})

    def __getitem__(self, name):
        return self._reads[name]()

    def __contains__(self, name):
        # Mapping's own method would read the value.
        return name in self._reads

    def __iter__(self):
        return iter(self._reads)

    def __len__(self):
        return len(self._reads)


def kind(path):
    """Returns "npz" or "text" when a file starts as one, and "" otherwise."""
    if not os.path.isfile(path):
        return ""
    try:
        with open(path, "rb") as f:
            start = f.read(len(HEADER))
    except OSError as e:
        raise InputError(f"{path}: cannot be read: {e.strerror or e}") from e
    known = foreign.named(path, start) if start.startswith(ZIP) else ""
    if known:
        raise InputError(f"{path}: {known}")
    return "npz" if start.startswith(ZIP) else "text" if start == HEADER.encode() else ""


def read(path, kind):
    """Returns {name: array} of an npz or text file. Raises InputError for damage, and for pickled objects."""
    return _npz(path) if kind == "npz" else _text(path)


def saved(prefix):
    """Returns the Lazy {name: array} of a checkpoint.

    In a checkpoint of objects the names are those of its variables, or paths (layer/w) when two variables have one
    name.
    Raises InputError when it cannot be read.
    """
    found = raw(prefix)
    if OBJECTS not in found:
        return found
    objects = tree(found[OBJECTS], prefix)
    names = {name: key for key, name in object_names(objects).items() if key in found}
    return Lazy.of(found, {name: names[name] for name in sorted(names)})


def raw(prefix):
    """Returns the Lazy {key: array} of everything in a checkpoint, by its own keys. Raises InputError as `saved`."""
    with _damage(prefix):
        reader = checkpoint.reader(os.fspath(prefix))
        names = sorted(reader.get_variable_to_shape_map())

    def read(name):
        with _damage(prefix):
            return reader.get_tensor(name)

    return Lazy({name: functools.partial(read, name) for name in names})


@contextlib.contextmanager
def _damage(prefix):
    try:
        yield
    except (tf.errors.OpError, ValueError, RuntimeError) as e:
        raise InputError(f"{prefix}: damaged or incomplete: {one_line(e)}") from e


def tree(packed, prefix):
    """Returns the TrackableObjectGraph in a checkpoint's bytes. Raises InputError when they hold something else."""
    try:
        return TrackableObjectGraph.FromString(packed)
    except (DecodeError, TypeError) as e:
        raise InputError(f"{prefix}: damaged: its tree of objects cannot be read: {one_line(e)}") from e


def object_names(objects):
    """Returns {key in the checkpoint: name} of a tree's variables: full names, or paths where these are not unique."""
    attributes = [a for node in objects.nodes for a in node.attributes if a.name == "VARIABLE_VALUE"]
    attributes = [a for a in attributes if a.checkpoint_key != f"save_counter{VALUE}"]
    full = [a.full_name for a in attributes]
    if all(full) and len(set(full)) == len(full):
        return {a.checkpoint_key: a.full_name for a in attributes}
    return {a.checkpoint_key: path_of(a.checkpoint_key) for a in attributes}


def path_of(key):
    """Returns "layer/w" for "layer/w/.ATTRIBUTES/VARIABLE_VALUE".

    >>> path_of("layer/w/.ATTRIBUTES/VARIABLE_VALUE")
    'layer/w'
    """
    return key.removesuffix(VALUE).replace(".S", "/").replace("..", ".")


def constants(path, graph_def):
    """Returns {name: array} of what was a variable before it was frozen: the Consts that a read of a variable reads.

    For a graph without such reads it returns all Consts of floats with more than one element. Raises InputError for a
    graph without those, too.
    """
    effects.check_constants(graphs.Graph(graph_def, path))
    nodes = {node.name: node for node in graph_def.node if node.op == "Const"}
    reads = [n for n in graph_def.node if n.op == "Identity" and READ.fullmatch(n.name) and n.input]
    names = dict.fromkeys(name for name in (tensor(n.input[0])[0] for n in reads) if name in nodes)
    reads = {name: _reading(nodes[name], path) for name in sorted(names or nodes)}
    if names:
        return Lazy(reads)
    found = {name: read for name, read in reads.items() if _is_weight(nodes[name], read)}
    if not found:
        raise InputError(f"{path}: holds no weights: no constant in it was a variable; give the checkpoint")
    return Lazy(found)


def _reading(node, path):
    """Returns the function that returns the value of a Const. One that is in memory is read now."""
    if held.is_held(node):
        return functools.partial(held.array, node)
    try:
        value = tf.make_ndarray(node.attr["value"].tensor)
    except (TypeError, ValueError) as e:
        raise InputError(f"{path}: damaged: a constant cannot be read: {one_line(e)}") from e
    return lambda: value


def _is_weight(node, read):
    """Returns True for floats with more than one element."""
    if held.is_held(node):
        return "float" in dtype_name(node.attr["dtype"].type)
    return read().size > 1 and np.issubdtype(read().dtype, np.inexact)


def npz_bytes(arrays):
    """Returns an npz of {name: array} without a pickle. The same arrays give the same bytes."""
    packed = io.BytesIO()
    write_npz(arrays, packed)
    return packed.getvalue()


def write_npz(arrays, file):
    """Writes what npz_bytes returns to an open file, one array at a time."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as z:
        for name in sorted(arrays):
            with z.open(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), "w", force_zip64=True) as f:
                np.lib.format.write_array(f, _plain(arrays[name], name), allow_pickle=False)


def write_text(arrays, file):
    """Writes {name: array} as text to an open file. Each number has the fewest digits that restore its bits.

    >>> write_text({"w": np.float32([0.1, 2])}, found := io.BytesIO())
    >>> print(found.getvalue().decode().strip())
    # tf1ref weights 1
    w float32 [2]
    0.1 2.0
    """
    file.write(f"{HEADER}\n".encode())
    for name in sorted(arrays):
        array = _plain(arrays[name], name)
        if array.dtype.kind not in NUMBERS:
            raise InputError(f"{name}: {array.dtype} cannot be written as numbers: convert to npz")
        file.write(f"{name} {array.dtype} {list(array.shape)}\n".encode())
        flat = array.reshape(-1)
        for i in range(0, flat.size, PER_LINE):
            file.write((" ".join(map(_word, flat[i : i + PER_LINE])) + "\n").encode())


def _word(x):
    if x.dtype.kind == "f" and np.isnan(x):
        # The name of a NaN does not hold its bits.
        return "0x" + x.tobytes()[::-1].hex()
    return str(x)


def _number(word, dtype):
    if word.startswith("0x"):
        return np.frombuffer(bytes.fromhex(word[2:])[::-1], dtype)[0]
    number = dtype.type({"True": 1, "False": 0}.get(word, word))
    # NumPy 1 takes the low bits of a number that is too large.
    if dtype.kind in "iu" and int(number) != int(word):
        raise OverflowError(f"{word} is out of bounds for {dtype}")
    return number


def _plain(array, name):
    """Returns an array in a form that npz holds without a pickle. Raises InputError for types such as bfloat16."""
    array = np.asarray(array)
    if array.dtype.hasobject:
        array = array.astype(bytes)
    if array.dtype.kind == "V" or array.dtype.isbuiltin == 2:
        raise InputError(f"{name}: numpy has no {array.dtype}: convert to a checkpoint")
    return array


def _npz(path):
    with _no_npz(path):
        # It stays open as long as the Lazy may read.
        z = np.load(path, allow_pickle=False)
        names = z.files

    def read(name):
        with _no_npz(path):
            return z[name]

    return Lazy({name: functools.partial(read, name) for name in names})


@contextlib.contextmanager
def _no_npz(path):
    try:
        yield
    except (ValueError, OSError, EOFError, KeyError, NotImplementedError, RuntimeError, zipfile.BadZipFile) as e:
        raise InputError(f"{path}: cannot be read as an npz without pickled objects: {one_line(e)}") from e
    except MemoryError as e:
        raise InputError(f"{path}: damaged: it claims more than memory holds: {one_line(e)}") from e


def _text(path):
    with open(path, "rb") as f:
        lines = f.read().decode(errors="replace").splitlines()[1:]
    found, words, name, shape, dtype = {}, [], None, (), None

    def done():
        if name is not None:
            found[name] = np.array([_number(w, dtype) for w in words], dtype).reshape(shape)

    for number, line in enumerate(lines, 2):
        head = LINE.fullmatch(line)
        try:
            if head:
                done()
                name, dtype, words = head[1], np.dtype(head[2]), []
                if dtype.kind not in NUMBERS:
                    raise ValueError(f"{dtype} is no type of numbers")
                shape = tuple(int(d) for d in head[3].split(",") if d.strip())
            else:
                words += line.split()
        except (ValueError, TypeError, OverflowError) as e:
            raise InputError(f"{path}: line {number}: damaged: {one_line(e)}") from e
    try:
        done()
    except (ValueError, TypeError, OverflowError) as e:
        raise InputError(f"{path}: {name}: damaged: {one_line(e)}") from e
    return found
