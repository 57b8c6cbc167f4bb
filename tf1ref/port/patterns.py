"""Several ops that one function of TensorFlow makes, as one node: batch normalization by its formula."""

from tf1ref.port.expressions import BATCH_NORM
from tf1ref.port.nodes import Node

ADDS = ("Add", "AddV2")


def batch_norms(program):
    """Makes x * m + (offset - mean * m), m = rsqrt(variance + epsilon) * scale, one node each, as tf.nn has it.

    Sums and products have the same bits in either order of two.
    """
    readers = program.readers()
    ends = set(program.outputs.values())
    for node in list(program.nodes.values()):
        inputs = node.op in ADDS and _Match(program.nodes, readers, ends).match(node)
        if inputs:
            program.nodes[node.name] = Node(node.name, BATCH_NORM, inputs, dtypes=node.dtypes, shapes=node.shapes)
    program.prune()


class _Match:
    def __init__(self, nodes, readers, ends):
        self.nodes, self.readers, self.ends = nodes, readers, ends

    def match(self, node):
        """Returns the inputs [x, mean, variance, offset, scale (or not), epsilon], or None."""
        for shift, scaled in _orders(node.inputs):
            sub, mul = self._inner(shift, ("Sub",)), self._inner(scaled, ("Mul",))
            mean_m = sub and self._inner(sub.inputs[1], ("Mul",))
            found = mean_m and self._factor(sub.inputs[0], mul, mean_m)
            if found:
                return found
        return None

    def _factor(self, offset, mul, mean_m):
        """The inputs of the batch norm whose factor m both products share."""
        if mul is None:
            return None
        for x, m in _orders(mul.inputs):
            for mean, other in _orders(mean_m.inputs):
                if m == other:
                    root = self._root(m)
                    if root:
                        variance, epsilon, scale = root
                        return [x, mean, variance, offset, *([scale] if scale else []), epsilon]
        return None

    def _root(self, m):
        node = self._inner(m, ("Mul", "Rsqrt"), times=2)
        if node is None:
            return None
        if node.op == "Rsqrt":
            return self._sum(node, None)
        for scale, root in _orders(node.inputs):
            inner = self._inner(root, ("Rsqrt",))
            if inner:
                return self._sum(inner, scale)
        return None

    def _sum(self, rsqrt, scale):
        node = self._inner(rsqrt.inputs[0], ADDS)
        if node is None:
            return None
        for variance, epsilon in _orders(node.inputs):
            value = self.nodes[epsilon[0]].value
            if value is not None and not value.ndim and not self.nodes[epsilon[0]].weight:
                return variance, epsilon, scale
        return None

    def _inner(self, source, ops, times=1):
        """The node of `source` where it is one of `ops` and nothing else reads it."""
        node = self.nodes.get(source[0])
        if node is None or node.op not in ops or source in self.ends or len(self.readers.get(source, ())) != times:
            return None
        return node


def _orders(pair):
    a, b = pair
    return (b, a), (a, b)
