"""What graphs answer: inputs that are made for placeholders, runs of a graph, and the first tensor that differs."""

import functools
import itertools
import math
import operator
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import feeds, held, layouts, memory
from tf1ref.artifacts.graph.constants import variables
from tf1ref.artifacts.graph.graphs import all_nodes, copy
from tf1ref.errors import one_line

SEED = 20160413
MOST_INDICES = 4  # the side of a sparse tensor that is made up
SIZES = (2, 1)  # unknown dimensions get these; a batch of two shows more, but some ops take only one
# The most bytes to feed in one run, besides those that the session holds already.
TOGETHER = 64 << 20
PIXELS = (8, 32, 224)  # the side of a picture when two pixels were refused
BATCHES = (8, 64)  # what unknown dimensions get when all that was refused: a graph may read row 4 of its batch
MOST_ELEMENTS = 1 << 20  # in one input of such a batch
# In ms: a loop whose end depends on an input may never reach it.
TIMEOUT = 60_000

# A made input may cause these: the op refuses it. Any other error is the graph's own.
REFUSALS = (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError, tf.errors.DeadlineExceededError)


# Only a GPU has a kernel of this op, so another input changes nothing.
NO_KERNEL = "No OpKernel was registered"


class Refused(Exception):
    """The graph cannot run on these inputs. The message is one line with the op's reason."""


class Input(NamedTuple):
    """A tensor that is fed with a made array. `part`, `sides`, `features`: the results of these functions of feeds."""

    name: str
    dtype: tf.DType
    shape: tf.TensorShape
    part: str = ""
    sides: tuple = ()
    features: tuple = ()


def fed(tensors):
    """Returns an Input for each tensor of a graph, with the shape and the features that its readers need."""
    return [
        Input(t.name, t.dtype, feeds.likely(t), feeds.part(t), tuple(feeds.sides(t)), tuple(feeds.features(t)))
        for t in tensors
    ]


def placeholders(graph):
    """Returns the tensors of `graph` that must be fed, in its order."""
    found = [op for op in graph.get_operations() if op.type.startswith("Placeholder")]
    # The default of a sparse tensor's shape has unknown sizes, and these end the process.
    needed = [op for op in found if op.type != "PlaceholderWithDefault" or feeds.part(op.outputs[0]) == "shape"]
    return [op.outputs[0] for op in needed]


def inputs(tensors, seed=SEED, enough=None):
    """Yields feeds {tensor name: array} to try, made with `seed` for each unknown size, rank and flag.

    tensors: Inputs, or tensors of a graph. enough: a function. While it returns False, larger pictures follow, since an
    input of four unknown sizes may need more than two pixels. Larger batches come last.
    Floats are normal, and scalars are 0.5 (a rate or probability of dropout). Integers go from 1 to the unknown size (a
    length, an id). Flags are all off, then all on. A wholly unknown shape is a scalar, then a vector.
    """
    tensors = [t if isinstance(t, Input) else Input(t.name, t.dtype, t.shape) for t in tensors]
    sizes = SIZES if any(not t.shape.is_fully_defined() for t in tensors) else SIZES[:1]
    ranks = (0, 1) if any(t.shape.rank is None for t in tensors) else (0,)
    flags = (False, True) if any(t.dtype == tf.bool for t in tensors) else (False,)

    def made(these, rank, size, flag=False):
        random = np.random.default_rng(seed)
        return {t.name: _array(t, [size] * rank, size, flag, random) for t in these}

    for size, rank, flag in itertools.product(sizes, ranks, flags):
        yield made(tensors, rank, size, flag)
    for size in PIXELS if any((t.shape.rank or 0) >= 3 and None in t.shape.as_list()[1:] for t in tensors) else ():
        if enough and not enough():
            yield made([_sized(t, size) for t in tensors], 0, 1)
    for size in BATCHES if len(sizes) > 1 else ():
        small = all(math.prod(_filled(t.shape, size)) <= MOST_ELEMENTS for t in tensors)
        if enough and small and not enough():
            yield made(tensors, max(ranks), size)


def _filled(shape, size):
    """Returns the sizes of `shape`, `size` for each that is unknown."""
    return [size if d is None else d for d in shape.as_list()] if shape.rank is not None else [size]


def _sized(t, size):
    """Returns an Input like `t`, for one picture of `size` pixels where sizes are unknown."""
    sizes = t.shape.as_list() if t.shape.rank else []
    known = [d or (size if i else 1) for i, d in enumerate(sizes)] if len(sizes) >= 3 else [d or 1 for d in sizes]
    return t._replace(shape=tf.TensorShape(known))


class Model:
    """A graph that is imported once, and runs in a new session for each feed, without graph optimizers.

    fetches: tensor names. values: {variable: array} to assign first. inputs: the tensors to feed.
    seen: `graph` as it was imported before, which serves when nothing has to be changed in it.
    Random ops without a seed get one, the same in every model, so that dropout can be compared. Where there are random
    ops, loops run one turn after the other.
    Raises InputError when the graphs.Graph `graph` cannot be imported.
    """

    def __init__(self, graph, fetches, values=None, seen=None):
        self.where, values = graph.where, values or {}
        graph_def, renamed = layouts.channels_last(_seeded(graph.graph_def))
        there, large = variables(graph.graph_def), held.variables(graph.graph_def)
        serves = seen is not None and not (there or large) and graph_def == graph.graph_def
        self.graph = seen if serves else graph.but(graph_def).imported()
        self.inputs = placeholders(self.graph)
        given = [v for v in there if v.name in values]
        with self.graph.as_default():
            self.fetched = {name: _readable(self.graph, renamed.get(name, name)) for name in fetches}
            reads = [(v.name, v, functools.partial(operator.getitem, values, v.name)) for v in given]
            reads += [(name, node, functools.partial(held.array, node)) for name, node in large.items()]
            self.assigned = [(*assignment(self.graph, name, node), read) for name, node, read in reads]

    def answers(self, feed):
        """Returns {tensor name: array} for `feed` {tensor name: array}.

        Raises Refused when an op rejects a fed value, and tf.errors.OpError when the graph does not run here.
        """
        options = v1.RunOptions(timeout_in_ms=TIMEOUT)
        with v1.Session(graph=self.graph, config=_as_written()) as sess:
            assign(sess, ((op, placeholder, read()) for op, placeholder, read in self.assigned))
            try:
                with memory.bounded():
                    return sess.run(self.fetched, feed, options=options)
            except (*REFUSALS, ValueError, TypeError) as e:
                if NO_KERNEL in str(e):
                    raise
                raise Refused(one_line(e)) from e
            finally:
                drop(sess, (pair for *pair, _ in self.assigned))


def assignment(graph, name, node):
    """Adds an assignment to a variable, of the type of `node`. Returns (op, placeholder of the value).

    A constant would count towards 2 GB.
    """
    tensor = graph.get_tensor_by_name(f"{name}:0")
    placeholder = v1.placeholder(tf.as_dtype(node.attr["dtype"].type))
    if tensor.dtype == tf.resource:
        return tf.raw_ops.AssignVariableOp(resource=tensor, value=placeholder), placeholder
    return tf.raw_ops.Assign(ref=tensor, value=placeholder, validate_shape=False).op, placeholder


def assign(sess, found):
    """Runs the assignments, an iterable of (op, placeholder, array), in few runs: each run inspects the whole graph.

    A variable takes the memory of an aligned array over. `drop` gives it back.
    """
    ops, feed, size = [], {}, 0
    for op, placeholder, array in found:
        ops.append(op)
        feed[placeholder] = array
        size += np.asarray(array).nbytes
        if size > TOGETHER:
            sess.run(ops, feed)
            ops, feed, size = [], {}, 0
    if ops:
        sess.run(ops, feed)


def drop(sess, found):
    """Empties variables, (op, placeholder) each. A closed session would keep the arrays until the next session runs."""
    ops, feed = [], {}
    for op, placeholder in found:
        ops.append(op)
        feed[placeholder] = np.zeros(0, placeholder.dtype.as_numpy_dtype)
    if ops:
        sess.run(ops, feed)


def difference(expected, reached):
    """Returns "" when two {tensor name: array} are equal to the bit, else where they differ first.

    >>> difference({"y": np.float32([1])}, {"y": np.float32([1])})
    ''
    """
    for name, a in expected.items():
        a, b = np.asarray(a), np.asarray(reached[name])
        if a.dtype != b.dtype or a.shape != b.shape:
            kinds = [f"{x.dtype}{list(x.shape)}" for x in (a, b)]
            return f"{name}: {kinds[0]} in the session, {kinds[1]} in what was written"
        unequal = a != b if a.dtype.hasobject else (_bytes(a) != _bytes(b)).any(axis=-1)
        if np.any(unequal):
            place = tuple(int(i) for i in np.argwhere(unequal)[0])
            return (
                f"{name}: {np.count_nonzero(unequal)} of {a.size} elements differ, the first at "
                f"{list(place)}: {a[place]} in the session, {b[place]} in what was written"
            )
    return ""


def tells_nothing(answers):
    """Returns True when equal `answers` prove nothing: they have no elements, or no number other than NaN.

    >>> tells_nothing({"y": np.float32([np.nan])})
    True
    """
    arrays = [np.asarray(a) for a in answers.values()]
    return all(a.size == 0 or (a.dtype.kind == "f" and np.isnan(a).all()) for a in arrays)


def _array(tensor, unknown, size, flag, random):
    shape = unknown if tensor.shape.rank is None else _filled(tensor.shape, size)
    dtype = tensor.dtype
    if "splits" in tensor.part:
        return np.array([0, 1, size if tensor.part == "splits" else 2], dtype.as_numpy_dtype)
    if tensor.part and dtype.is_integer:
        return _of_sparse(tensor.part, shape, tensor.sides)
    if dtype == tf.bool:
        return np.full(shape, flag)
    if dtype == tf.string:
        return _strings(shape, tensor.features, random)
    if dtype in (tf.uint8, tf.int8):
        return random.integers(0, 128, shape).astype(dtype.as_numpy_dtype)
    if dtype.is_integer:
        return random.integers(1, size + 1, shape).astype(dtype.as_numpy_dtype) if shape else size
    if dtype.is_floating or dtype.is_complex:
        return (random.standard_normal(shape) if shape else np.array(0.5)).astype(dtype.as_numpy_dtype)
    return np.zeros(shape, dtype.as_numpy_dtype)


def _strings(shape, features, random):
    """Returns empty strings, or tf.Examples where an op parses `features` out of them."""
    found = np.full(shape, b"", object)
    for place in np.ndindex(*shape) if features else ():
        found[place] = feeds.record(features, random)
    return found


def _of_sparse(part, shape, sides):
    """Returns indices (0, 0), (0, 1), ... of a sparse tensor, or a shape that has room for them."""
    if part == "shape":
        known = [n or MOST_INDICES for n in sides]
        return np.array(known if len(known) == np.prod(shape) else np.full(shape, MOST_INDICES), np.int64)
    found = np.zeros(shape, np.int64)
    if found.ndim == 2 and found.shape[1]:
        found[:, -1] = np.arange(len(found)) % MOST_INDICES
    return found


def _seeded(graph_def):
    graph_def = copy(graph_def)
    nodes = list(all_nodes(graph_def))
    draws = [node for node in nodes if {"seed", "seed2"} <= node.attr.keys()]
    for node in draws:
        if not node.attr["seed"].i | node.attr["seed2"].i:
            node.attr["seed"].i = SEED
    for node in nodes if draws else ():
        # Turns of a loop that run at once race for the numbers of a random op, and its seed determines nothing.
        if "parallel_iterations" in node.attr:
            node.attr["parallel_iterations"].i = 1
    return graph_def


def _as_written():
    """Returns a session that runs the graph as it is. Optimizers fold constants, which changes the last bits."""
    config = v1.ConfigProto(allow_soft_placement=True)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = v1.OptimizerOptions.L0
    return config


def _readable(graph, name):
    tensor = graph.get_tensor_by_name(name)
    if tensor.dtype != tf.resource or tensor.op.type != "VarHandleOp":
        return tensor
    return tf.raw_ops.ReadVariableOp(resource=tensor, dtype=tensor.op.get_attr("dtype"))


def _bytes(a):
    return np.ascontiguousarray(a).reshape(*a.shape, 1).view(np.uint8)
