"""What graphs answer: inputs made from placeholders, runs of a graph, and the first tensor that differs."""

import itertools
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import feeds, layouts, memory
from tf1ref.artifacts.graph.constants import variables
from tf1ref.artifacts.graph.graphs import all_nodes, copy
from tf1ref.errors import one_line

SEED = 20160413
MOST_INDICES = 4  # a side of a sparse tensor that is made up
SIZES = (2, 1)  # for unknown dimensions: a batch of two shows more, some ops take one only
TOGETHER = 64 << 20  # bytes of values that are fed in one run, beside those the session holds already
PIXELS = (8, 32, 224)  # a side of a picture, where two pixels were refused
TIMEOUT = 60_000  # ms: a loop whose end depends on an input may never come to it

# What a made input may cause: the op says no. Any other error is the graph's own.
REFUSALS = (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError, tf.errors.DeadlineExceededError)


NO_KERNEL = "No OpKernel was registered"  # of an op that only a GPU has: no input changes that


class Refused(Exception):
    """The graph cannot be run on these inputs. One line: what said no."""


class Input(NamedTuple):
    """What an array is made for: a tensor that is fed. `part`, `sides`: what feeds.part and feeds.sides say of it."""

    name: str
    dtype: tf.DType
    shape: tf.TensorShape
    part: str = ""
    sides: tuple = ()


def fed(tensors):
    """Returns an Input for each tensor of a graph, with the shape that those who read it need."""
    return [Input(t.name, t.dtype, feeds.likely(t), feeds.part(t), tuple(feeds.sides(t))) for t in tensors]


def placeholders(graph):
    """Returns the tensors of `graph` that must be fed, in its order."""
    found = [op for op in graph.get_operations() if op.type.startswith("Placeholder")]
    # The default of a sparse tensor's shape has unknown sizes, which end the process.
    needed = [op for op in found if op.type != "PlaceholderWithDefault" or feeds.part(op.outputs[0]) == "shape"]
    return [op.outputs[0] for op in needed]


def inputs(tensors, seed=SEED, enough=None):
    """Yields feeds {tensor name: array} to try, made with `seed` for each unknown size, rank and flag.

    `tensors`: Inputs, or tensors of a graph. Larger pictures follow as long as it is not `enough`: what has a shape of
    four sizes and does not say them may need more than two pixels.

    Floats are normal, scalars 0.5 (a rate or a probability of dropout), integers from 1 to the unknown size
    (a length, an id), flags all off, then all on; a wholly unknown shape is a scalar, then a vector.
    """
    sizes = SIZES if any(not t.shape.is_fully_defined() for t in tensors) else SIZES[:1]
    ranks = (0, 1) if any(t.shape.rank is None for t in tensors) else (0,)
    flags = (False, True) if any(t.dtype == tf.bool for t in tensors) else (False,)
    for size, rank, flag in itertools.product(sizes, ranks, flags):
        random = np.random.default_rng(seed)
        yield {t.name: _array(t, [size] * rank, size, flag, random) for t in tensors}
    for size in PIXELS if any((t.shape.rank or 0) >= 3 and None in t.shape.as_list()[1:] for t in tensors) else ():
        if enough and not enough():
            random = np.random.default_rng(seed)
            yield {t.name: _array(_sized(t, size), [], 1, False, random) for t in tensors}


def _sized(t, size):
    """An Input like `t`, one picture of `size` pixels where it does not say more."""
    sizes = t.shape.as_list() if t.shape.rank else []
    known = [d or (size if i else 1) for i, d in enumerate(sizes)] if len(sizes) >= 3 else [d or 1 for d in sizes]
    return Input(t.name, t.dtype, tf.TensorShape(known))


class Model:
    """A graph to ask: imported once, run in a new session for each feed, as written (no graph optimizers).

    `fetches`: tensor names; `values`: {variable: array} to assign first. `inputs`: the tensors to be fed.
    Random ops without a seed get one, the same in every model, so that dropout can be compared.
    Raises InputError when the graphs.Graph `graph` cannot be imported.
    """

    def __init__(self, graph, fetches, values=None):
        self.where, self.values = graph.where, values or {}
        graph_def, renamed = layouts.channels_last(_seeded(graph.graph_def))
        self.graph = graph.but(graph_def).imported()
        self.inputs = placeholders(self.graph)
        with self.graph.as_default():
            self.fetched = {name: _readable(self.graph, renamed.get(name, name)) for name in fetches}
            self.assigned = [_assign(self.graph, v) for v in variables(graph.graph_def) if v.name in self.values]

    def answers(self, feed):
        """Returns {tensor name: array} for `feed` {tensor name: array}.

        Raises Refused when an op rejects what it is fed; tf.errors.OpError when the graph does not run here.
        """
        options = v1.RunOptions(timeout_in_ms=TIMEOUT)
        with v1.Session(graph=self.graph, config=_as_written()) as sess:
            assign(sess, [(op, placeholder, self.values[name]) for name, placeholder, op in self.assigned])
            try:
                with memory.bounded():
                    return sess.run(self.fetched, feed, options=options)
            except (*REFUSALS, ValueError, TypeError) as e:
                if NO_KERNEL in str(e):
                    raise
                raise Refused(one_line(e)) from e


def assign(sess, found):
    """Runs the assignments [(op, placeholder, array)]: each run costs a look at the whole graph, so few of them."""
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


def difference(expected, reached):
    """Returns "" when two {tensor name: array} are equal to the bit, else where they differ first."""
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
    """True when equal `answers` prove nothing: no elements, or not a number among them."""
    arrays = [np.asarray(a) for a in answers.values()]
    return all(a.size == 0 or (a.dtype.kind == "f" and np.isnan(a).all()) for a in arrays)


def _array(tensor, unknown, size, flag, random):
    shape = unknown if tensor.shape.rank is None else [size if d is None else d for d in tensor.shape.as_list()]
    dtype = tensor.dtype
    if "splits" in getattr(tensor, "part", ""):
        return np.array([0, 1, size if tensor.part == "splits" else 2], dtype.as_numpy_dtype)
    if getattr(tensor, "part", "") and dtype.is_integer:
        return _of_sparse(tensor.part, shape, tensor.sides)
    if dtype == tf.bool:
        return np.full(shape, flag)
    if dtype == tf.string:
        return np.full(shape, b"", object)
    if dtype in (tf.uint8, tf.int8):
        return random.integers(0, 128, shape).astype(dtype.as_numpy_dtype)
    if dtype.is_integer:
        return random.integers(1, size + 1, shape).astype(dtype.as_numpy_dtype) if shape else size
    if dtype.is_floating or dtype.is_complex:
        return (random.standard_normal(shape) if shape else np.array(0.5)).astype(dtype.as_numpy_dtype)
    return np.zeros(shape, dtype.as_numpy_dtype)


def _of_sparse(part, shape, sides):
    """Indices (0, 0), (0, 1), ... of a sparse tensor, or its shape, in which there is room for them."""
    if part == "shape":
        known = [n or MOST_INDICES for n in sides]
        return np.array(known if len(known) == np.prod(shape) else np.full(shape, MOST_INDICES), np.int64)
    found = np.zeros(shape, np.int64)
    if found.ndim == 2 and found.shape[1]:
        found[:, -1] = np.arange(len(found)) % MOST_INDICES
    return found


def _seeded(graph_def):
    graph_def = copy(graph_def)
    for node in all_nodes(graph_def):
        if {"seed", "seed2"} <= node.attr.keys() and not node.attr["seed"].i | node.attr["seed2"].i:
            node.attr["seed"].i = SEED
    return graph_def


def _as_written():
    """A session that runs the graph as it is: optimizers fold constants and so change the last bits."""
    config = v1.ConfigProto(allow_soft_placement=True)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = v1.OptimizerOptions.L0
    return config


def _readable(graph, name):
    tensor = graph.get_tensor_by_name(name)
    if tensor.dtype != tf.resource or tensor.op.type != "VarHandleOp":
        return tensor
    return tf.raw_ops.ReadVariableOp(resource=tensor, dtype=tensor.op.get_attr("dtype"))


def _assign(graph, variable):
    """Adds an assignment; returns (name, placeholder of the value, op). A constant counts against 2 GB."""
    tensor = graph.get_tensor_by_name(variable.name + ":0")
    placeholder = v1.placeholder(tf.as_dtype(variable.attr["dtype"].type))
    if tensor.dtype == tf.resource:
        return variable.name, placeholder, tf.raw_ops.AssignVariableOp(resource=tensor, value=placeholder)
    return (
        variable.name,
        placeholder,
        tf.raw_ops.Assign(ref=tensor, value=placeholder, validate_shape=False).op,
    )


def _bytes(a):
    return np.ascontiguousarray(a).reshape(*a.shape, 1).view(np.uint8)
