"""Clipping of gradients: the ops that one function of TensorFlow makes become one node again."""

from dataclasses import replace

import numpy as np

from tf1ref.port.expressions import CLIP_NORM, CLIP_VALUE
from tf1ref.port.nodes import Node

GLOBAL = "tf.clip_by_global_norm"
# (op, inputs...): ops in place of one; a letter binds a tensor, a number is a constant, None is anything.
_SUM = ("Sum", ("Mul", "x", "x"), "axes")
_POSITIVE = ("Greater", _SUM, 0.0)
_NORM = ("Select", _POSITIVE, ("Sqrt", ("Select", _POSITIVE, _SUM, None)), _SUM)
BY_NORM = ("RealDiv", ("Mul", "x", "limit"), ("Maximum", _NORM, "limit"))
BY_VALUE = ("Maximum", ("Minimum", "x", "most"), "least")
BY_GLOBAL = (
    "AddV2",
    ("Mul", "limit", ("Minimum", ("RealDiv", 1.0, "norm"), ("RealDiv", 1.0, "limit"))),
    ("Sub", "norm", "norm"),
)
GLOBAL_NORM = ("Sqrt", ("Mul", ("Sum", "norms", None), 2.0))
SAME = {"SelectV2": "Select", "Add": "AddV2"}


def collapsed(nodes, every, calls):
    """Returns `nodes` (the updates of a step, in order) with a node of each clipping, and what they need.

    every: {name: Node} of the graph. calls: for each call of tf.gradients the tensors of its gradients, in order.
    A node of GLOBAL gives the clipped gradients and, last, their norm.
    """
    replaced, aliases = {}, {}
    for node in nodes:
        match = Match(every)
        if match.fits(BY_NORM, (node.name, 0)) and _all_axes(every, match.bound):
            inputs = [match.bound["x"], match.bound["limit"]]
            replaced[node.name] = replace(node, op=CLIP_NORM, inputs=inputs, attrs={})
        elif match.fits(BY_VALUE, (node.name, 0)) and match.constant("least") and match.constant("most"):
            inputs = [match.bound[word] for word in ("x", "least", "most")]
            replaced[node.name] = replace(node, op=CLIP_VALUE, inputs=inputs, attrs={})
        elif match.fits(BY_GLOBAL, (node.name, 0)):
            made, found = _by_global(node, nodes, every, calls, match)
            replaced |= made
            aliases |= found
    found = [replaced.get(node.name, node) for node in nodes]
    return [replace(node, inputs=[aliases.get(s, s) for s in node.inputs]) for node in found]


def needed(nodes, writes):
    """Returns those of `nodes`, in order, that the nodes `writes` (names) need by data, and the writes."""
    named = {node.name: node for node in nodes}
    found, stack = set(), [name for name in named if name in writes]
    while stack:
        name = stack.pop()
        if name in named and name not in found:
            found.add(name)
            stack += [source[0] for source in named[name].inputs]
    return [node for node in nodes if node.name in found]


def _by_global(node, nodes, every, calls, match):
    """Returns ({name: Node of GLOBAL}, {source: output of it}), or two empty ones for other gradients."""
    norm = Match(every)
    if not norm.fits(GLOBAL_NORM, match.bound["norm"]):
        return {}, {}
    parts = [every[source[0]] for source in every[norm.bound["norms"][0]].inputs]
    if not all(part.op == "L2Loss" for part in parts):
        return {}, {}
    clipped = {}
    for other in nodes:
        if other.op == "Mul" and match.through(other.inputs[1]) == (node.name, 0):
            clipped[match.through(other.inputs[0])] = (other.name, 0)
    gradients = [match.through(part.inputs[0]) for part in parts]
    readers = sum((node.name, 0) in map(match.through, other.inputs) for other in nodes if other.op != "Identity")
    if gradients not in calls or list(clipped) != gradients or readers != len(gradients):
        return {}, {}
    kinds = [every[source[0]] for source in [*gradients, match.bound["norm"]]]
    ends = [source[1] for source in [*gradients, match.bound["norm"]]]
    made = Node(
        node.name,
        GLOBAL,
        [*gradients, match.bound["limit"]],
        dtypes=[kind.dtypes[i] for kind, i in zip(kinds, ends)],
        shapes=[kind.shapes[i] for kind, i in zip(kinds, ends)],
    )
    aliases = {clipped[gradient]: (node.name, i) for i, gradient in enumerate(gradients)}
    return {node.name: made}, {**aliases, match.bound["norm"]: (node.name, len(gradients))}


def _all_axes(every, bound):
    axes, rank = every[bound["axes"][0]].value, every[bound["x"][0]].shapes[bound["x"][1]].rank
    return axes is not None and rank is not None and sorted(np.ravel(axes)) == list(range(rank))


class Match:
    """Compares a pattern with the graph. `bound`: {letter: source} of what it found."""

    def __init__(self, every):
        self.every, self.bound = every, {}

    def through(self, source):
        """Returns what an Identity gives on."""
        while self.every[source[0]].op == "Identity":
            source = self.every[source[0]].inputs[0]
        return source

    def fits(self, pattern, source):
        """Returns True when the tensor `source` is computed as `pattern` says."""
        source = self.through(source)
        node = self.every[source[0]]
        if pattern is None:
            return True
        if isinstance(pattern, str):
            return self._same(self.bound.setdefault(pattern, source), source)
        if isinstance(pattern, float):
            return node.value is not None and not node.value.ndim and node.value == pattern
        op, *inputs = pattern
        if SAME.get(node.op, node.op) != op or len(node.inputs) != len(inputs):
            return False
        return all(self.fits(part, s) for part, s in zip(inputs, node.inputs))

    def constant(self, letter):
        """Returns True when a letter stands for one number."""
        value = self.every[self.bound[letter][0]].value
        return value is not None and not value.ndim

    def _same(self, a, b):
        values = [self.every[source[0]].value for source in (a, b)]
        return a == b or (all(v is not None for v in values) and _bits(values[0]) == _bits(values[1]))


def _bits(value):
    return value.dtype, value.shape, value.tobytes()
