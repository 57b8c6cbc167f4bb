"""What a recording says of a graph besides its nodes: the gradients that were asked for, and where inputs enter."""

import re
import sys

WRITES = re.compile(r"(Resource)?(Sparse)?(Apply\w+|Scatter\w+)|Assign(Add|Sub)?|Assign(Add|Sub)?VariableOp")
# These bring the next examples into a run. A recording has their values beside the feeds.
SOURCES = re.compile(r"(\w*Queue(Dequeue\w*))|IteratorGetNext\w*|IteratorV2GetNext|\w*ReaderRead(UpTo)?(V2)?")


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
    """Returns {name of a tensor or op of `graph`: the program's own variable for it}."""
    found = {}
    for word, value in list(vars(sys.modules["__main__"]).items()):
        if getattr(value, "graph", None) is graph and isinstance(getattr(value, "name", None), str) and word[:1] != "_":
            found.setdefault(value.name, word)
    return found


def restores(op):
    """Returns whether `op` assigns what a checkpoint holds."""
    return any(t.op.type.startswith("Restore") or t.op.name.startswith("save") for t in op.inputs)
