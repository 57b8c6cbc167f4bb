"""What a recording says of a graph besides its nodes: the gradients that were asked for, and where inputs enter.

Evaluations of a program that is recorded for a port draw other random numbers than its training: in a session, all runs
draw from one generator, and in TensorFlow 2 an evaluation has its own.
"""

import re
import sys
import types
import weakref

import numpy as np

from tf1ref.compat import importer

WRITES = re.compile(r"(Resource)?(Sparse)?(Apply\w+|Scatter\w+)|Assign(Add|Sub)?|Assign(Add|Sub)?VariableOp")
# These bring the next examples into a run. A recording has their values beside the feeds.
SOURCES = re.compile(r"(\w*Queue(Dequeue\w*))|IteratorGetNext\w*|IteratorV2GetNext|\w*ReaderRead(UpTo)?(V2)?")

DRAWS = {"RandomUniform": "random", "RandomStandardNormal": "standard_normal", "TruncatedNormal": "standard_normal"}


class Gradients:
    """Records each call of tf.gradients, also those of optimizers. `calls`: {id of a graph: [what is recorded]}."""

    def __init__(self):
        self.calls = {}

    def install(self):
        """Records all calls from now on."""
        from tensorflow.python.framework import ops
        from tensorflow.python.ops import gradients_util

        plain = gradients_util._GradientsHelper

        def helper(ys, xs, grad_ys=None, *args, **kwargs):
            found = plain(ys, xs, grad_ys, *args, **kwargs)
            started = any(g is not None for g in (grad_ys if isinstance(grad_ys, (list, tuple)) else [grad_ys]))
            call = {
                "ys": [t.name for t in _listed(ys)],
                "xs": [getattr(x, "op", x).name for x in _listed(xs)],
                "gradients": [_names(g) for g in found],
                "started": started,
            }
            self.calls.setdefault(id(ops.get_default_graph()), []).append(call)
            return found

        gradients_util._GradientsHelper = helper


def _listed(values):
    return list(values) if isinstance(values, (list, tuple)) else [values]


def _names(gradient):
    """Returns [tensor name], [values, indices] for rows of a table, or [] for a missing gradient."""
    parts = [getattr(gradient, "values", None), getattr(gradient, "indices", None)]
    parts = [gradient] if parts[0] is None else parts
    return [part.name for part in parts if hasattr(part, "name")]


def before(ops):
    """Returns the Operations that `ops` need, and `ops`."""
    found, stack = {}, list(ops)
    while stack:
        op = stack.pop()
        if op.name not in found:
            found[op.name] = op
            stack += [t.op for t in op.inputs] + list(op.control_inputs)
    return list(found.values())


def given(ops, graph):
    """Returns the tensors by which `ops` take examples from queues, iterators and readers."""
    found = [t for op in before(ops) if SOURCES.fullmatch(op.type) for t in op.outputs]
    return [t for t in found if graph.is_fetchable(t)]


def called(graph):
    """Returns {name of a tensor or op of `graph`: the program's own word for it}.

    Words are globals of the script, then variables of the functions that run now, from the outermost on. Attributes of
    the program's own objects and what its dicts hold have words, too.
    """
    import tensorflow as tf

    found = {}
    for scope in [vars(sys.modules["__main__"]), *_locals(sys._getframe())]:
        words = [(word, value) for word, value in scope.items() if word[:1] != "_"]
        # A word for its module or object would be longer than an expert's.
        words += [entry for _, value in words if _is_own(value) for entry in vars(value).items()]
        # Scripts keep weights and biases in dicts.
        for word, value in [(word, value) for word, value in words if isinstance(value, dict)]:
            words += [(f"{word}_{key}", inner) for key, inner in value.items() if isinstance(key, str)]
        for word, value in words:
            if isinstance(value, (tf.Tensor, tf.Operation, tf.Variable)) and getattr(value, "graph", None) is graph:
                found.setdefault(value.name, word)
    return found


def _locals(frame):
    """Returns the variables of the program's functions that have called `frame`, the outermost first."""
    found = []
    while frame is not None:
        if importer.is_own_file(frame.f_code.co_filename) and frame.f_locals is not frame.f_globals:
            found.insert(0, dict(frame.f_locals))
        frame = frame.f_back
    return found


def _is_own(value):
    """Returns whether `value` is a module of the program, or an object of one of its classes."""
    module = value if isinstance(value, types.ModuleType) else sys.modules.get(type(value).__module__)
    own = module is sys.modules["__main__"] or importer.is_own_file(getattr(module, "__file__", None) or "")
    return own and hasattr(value, "__dict__")


def writes_of(ops, graph):
    """Returns the writes that `ops` need and that train: all but first values, checkpoints and local counters."""
    import tensorflow.compat.v1 as v1

    first = {getattr(v.initializer, "name", "") for v in graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)}
    # Local variables are counters of metrics and epochs: what writes to them alone trains nothing.
    counters = {v.op.name for v in graph.get_collection(v1.GraphKeys.LOCAL_VARIABLES)}
    found = [(op, op.inputs[0].op.name) for op in before(ops) if WRITES.fullmatch(op.type)]
    return [
        op
        for op, variable in found
        # A variable of no collection has its first value from the op of this name.
        if not (op.name in {*first, f"{variable}/Assign"} or _restores(op) or variable in counters)
    ]


def uncollected(graph, known):
    """Returns {name: tensor of its value} of the variables of `graph` that are not among the names `known`."""
    found = {}
    for op in graph.get_operations():
        if op.name in known or not graph.is_fetchable(op):
            continue
        if op.type in ("Variable", "VariableV2"):
            found[op.name] = op.outputs[0]
        elif op.type == "VarHandleOp":
            reads = [o for o in op.outputs[0].consumers() if o.type == "ReadVariableOp" and not o.control_inputs]
            if reads:
                found[op.name] = reads[0].outputs[0]
    return found


def values_of(sess, named):
    """Returns {name: value} of those variables of `named` {name: tensor or variable} that have a value in a session.

    One run reads them all, because TensorFlow prepares its whole graph anew for every list of fetches.
    """
    import tensorflow as tf

    names = list(named)
    try:
        return dict(zip(names, sess.run(list(named.values()))))
    except tf.errors.FailedPreconditionError:
        halves = (names[: len(names) // 2], names[len(names) // 2 :]) if len(names) > 1 else ()
        return {name: value for half in halves for name, value in values_of(sess, {n: named[n] for n in half}).items()}


def _restores(op):
    """Returns whether `op` assigns what a checkpoint holds."""
    return any(t.op.type.startswith("Restore") or t.op.name.startswith("save") for t in op.inputs)


class Apart:
    """Runs evaluations. Numbers are fed in place of random ops, or a second session has the variables' values."""

    def __init__(self):
        self.random, self.others = np.random.default_rng(0), weakref.WeakKeyDictionary()

    def results(self, run, sess, targets, fetches, feeds):
        """Returns what run(feeds=, sess=) answers. `feeds`: {reference of a tensor: value}."""
        import tensorflow as tf

        reached = before([*targets, *(t.op for t in fetches)])
        draws = [op for op in reached if op.type in DRAWS]
        outer = [op for op in draws if _is_outside(op)]
        if len(outer) < len(draws) and not _leaves_traces(reached, sess.graph):
            try:
                other = self._other(sess)
                return run(feeds=self._drawn(other, outer, feeds), sess=other)
            # What has no value there, such as a table, has one in the program's own session.
            except tf.errors.OpError:
                pass
        return run(feeds=self._drawn(sess, outer, feeds))

    def _drawn(self, sess, draws, feeds):
        """Returns `feeds`, numbers for `draws`, and the examples that their shapes have taken.

        The shape of one may depend on what another one draws: that one must be fed by then, and not drawn.
        """
        feeds = dict(feeds)
        needs = {op: {o for o in before([op.inputs[0].op]) if o in draws} for op in draws}
        while draws:
            free = [op for op in draws if not needs[op].intersection(draws)]
            sizes = [op.inputs[0] for op in free]
            # Sizes of what a queue or an iterator gives: the run itself must not take another example.
            taken = [t for t in given([t.op for t in sizes], sess.graph) if t.ref() not in feeds]
            found = sess.run([*sizes, *taken], {ref.deref(): value for ref, value in feeds.items()})
            feeds.update((t.ref(), value) for t, value in zip(taken, found[len(sizes) :]))
            for op, shape in zip(free, found):
                numbers = getattr(self.random, DRAWS[op.type])(size=shape)
                feeds[op.outputs[0].ref()] = numbers.astype(op.outputs[0].dtype.as_numpy_dtype)
            draws = [op for op in draws if op not in free]
        return feeds

    def _other(self, sess):
        """Returns a session of the same graph, whose variables have the values of those of `sess`."""
        import tensorflow as tf
        import tensorflow.compat.v1 as v1

        if sess not in self.others:
            self.others[sess] = v1.Session(graph=sess.graph, config=sess._config)
        other = self.others[sess]
        for variable in [v for kind in ("variables", "local_variables") for v in sess.graph.get_collection(kind)]:
            try:
                value = sess.run(variable)
            except tf.errors.FailedPreconditionError:
                continue
            other.run(variable.initializer, {variable.initializer.inputs[1]: value})
        return other


def _is_outside(op):
    """Returns whether `op` is in no loop or branch: what is there can be neither fetched nor fed."""
    return op.graph.is_feedable(op.outputs[0]) and op.graph.is_fetchable(op.inputs[0])


def _leaves_traces(ops, graph):
    """Returns whether `ops` write to variables, or take examples that no other run gets."""
    return any(WRITES.fullmatch(op.type) for op in ops) or bool(given(ops, graph))
