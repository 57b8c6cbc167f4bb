"""Several ops that one function of TensorFlow makes become one node, such as a batch norm or a loss."""

from collections import ChainMap

import numpy as np
import tensorflow as tf

from tf1ref.port import calls, literals
from tf1ref.port.expressions import BATCH_NORM, CROSS_ENTROPY, DROPOUT, PARSES, SIGMOID, SPARSE
from tf1ref.port.nodes import ADDS, Node

SELECTS = ("Select", "SelectV2")


def found(program, outside=()):
    """Makes one node of each pattern, in `program` and in the functions inside.

    outside: Nodes around a function, which it may read. They are no part of a pattern in it.
    """
    around = {node.name: node for node in outside}
    for node in program.nodes.values():
        for part in node.parts:
            found(part, [*around.values(), *program.nodes.values(), *part.parameters])
    read = {name for node in program.nodes.values() for name, _ in node.inputs}.difference(program.nodes)
    others = {name: Node(name, "Outside", dtypes=around[name].dtypes, shapes=around[name].shapes) for name in read}
    for make in (batch_norms, cross_entropies, sparse_cross_entropies, sigmoid_cross_entropies, parsed_examples):
        make(program, ChainMap(program.nodes, others))
        program.prune()


def stops(program):
    """Leaves out each StopGradient of an input of a Program: a training step has no gradient of its inputs."""
    stops = [node for node in program.nodes.values() if node.op == "StopGradient" and node.inputs[0][0] in program.fed]
    inner = {source for node in program.nodes.values() if node.parts for source in node.inputs}
    stopped = {(node.name, 0): node.inputs[0] for node in stops if (node.name, 0) not in inner}
    for node in program.nodes.values():
        node.inputs = [stopped.get(source, source) for source in node.inputs]
    program.outputs = {key: stopped.get(source, source) for key, source in program.outputs.items()}
    program.prune()


def batch_norms(program, nodes):
    """Makes one node of x * m + (offset - mean * m), m = rsqrt(variance + epsilon) * scale, as in tf.nn.

    nodes: those of `program`, and what stands for those outside, here as below.
    The sum or product of two terms has the same bits in either order.
    """
    readers = program.readers()
    ends = set(program.outputs.values())
    for node in list(program.nodes.values()):
        inputs = node.op in ADDS and _Match(nodes, readers, ends).match(node)
        if inputs:
            program.nodes[node.name] = Node(node.name, BATCH_NORM, inputs, dtypes=node.dtypes, shapes=node.shapes)


def cross_entropies(program, nodes):
    """Makes one node of a SoftmaxCrossEntropyWithLogits and the reshapes by which tf.nn takes more dimensions."""
    readers = program.readers()
    ends = set(program.outputs.values())
    for node in list(program.nodes.values()):
        core = node.op == "Reshape" and nodes[node.inputs[0][0]]
        if not core or core.op != "SoftmaxCrossEntropyWithLogits" or node.inputs[0][1]:
            continue
        rows = [nodes[source[0]] for source in core.inputs]
        if (core.name, 0) in ends or len(readers[core.name, 0]) != 1 or not all(_is_rows(nodes, row) for row in rows):
            continue
        logits, labels = (row.inputs[0] for row in rows)
        nodes[node.name] = Node(node.name, CROSS_ENTROPY, [labels, logits], dtypes=node.dtypes, shapes=node.shapes)


def sparse_cross_entropies(program, nodes):
    """Renames each SparseSoftmaxCrossEntropyWithLogits of a matrix for which tf.nn makes this op and no other."""
    readers = program.readers()
    ends = set(program.outputs.values())
    for node in list(program.nodes.values()):
        if node.op != "SparseSoftmaxCrossEntropyWithLogits" or (node.name, 1) in ends | readers.keys():
            continue
        logits, labels = node.inputs
        ranks = [nodes[name].shapes[index].rank for name, index in (logits, labels)]
        # A half is computed as a float there.
        if ranks == [2, 1] and node.dtypes[0] in (tf.float32, tf.float64):
            made = Node(node.name, SPARSE, [labels, logits], dtypes=node.dtypes[:1], shapes=node.shapes[:1])
            nodes[node.name] = made
    for node in list(program.nodes.values()):
        inputs = node.op == "Reshape" and node.inputs[0] not in ends and _of_rows(nodes, readers, node)
        if inputs:
            nodes[node.name] = Node(node.name, SPARSE, inputs, dtypes=node.dtypes, shapes=node.shapes)


def sigmoid_cross_entropies(program, nodes):
    """Makes one node of max(x, 0) - x * labels + log1p(exp(-abs(x))), with the choices of tf.nn."""
    for node in list(program.nodes.values()):
        inputs = _logistic(node, nodes) if node.op in ADDS else None
        if inputs:
            program.nodes[node.name] = Node(node.name, SIGMOID, inputs, dtypes=node.dtypes, shapes=node.shapes)


def _logistic(node, nodes):
    """Returns [labels, logits] of a sum that is a sigmoid cross entropy, or None."""

    def of(ops, source):
        return [*nodes[source[0]].inputs, None] if nodes[source[0]].op in ops else [None] * 4

    positive, product, *_ = of(("Sub",), node.inputs[0])
    exponential = of(("Log1p",), node.inputs[1])[0]
    below = exponential and of(("Exp",), exponential)[0]
    if not (positive and below):
        return None
    (chosen, x, zeros, _), (again, minus, other, _) = of(SELECTS, positive), of(SELECTS, below)
    if None in (x, minus) or chosen != again or other != x or of(("Neg",), minus)[0] != x:
        return None
    factors, compared = of(("Mul",), product), of(("GreaterEqual",), chosen)
    zero = nodes[zeros[0]]
    is_zero = zero.inputs == [x] if zero.op == "ZerosLike" else zero.value is not None and not zero.value.any()
    fits = is_zero and factors[0] == x and compared[:2] == [x, zeros]
    return [factors[1], x] if fits else None


def parsed_examples(program, nodes):
    """Makes one node of each op that parses tf.Examples whose features all have a fixed length."""
    for node in list(program.nodes.values()):
        features = _features(node, nodes) if node.op == "ParseExampleV2" else None
        if features:
            (source, *_), rank = node.inputs, nodes[node.inputs[0][0]].shapes[node.inputs[0][1]].rank
            made = Node(node.name, PARSES[rank], [source], [], {"features": features}, node.dtypes, node.shapes)
            program.nodes[node.name] = made


def _features(node, nodes):
    """Returns {key: feature}, both as text, of what a ParseExampleV2 reads, or None."""
    inputs, _ = calls.grouped(node)
    named = {name: nodes[inputs[name][0][0]].value for name in ("names", "sparse_keys", "ragged_keys", "dense_keys")}
    (name, index), keys = inputs["serialized"][0], named.pop("dense_keys")
    defaults = [nodes[name] for name, _ in inputs["dense_defaults"]]
    defaults = [nodes[d.inputs[0][0]].value if d.op == "Reshape" else d.value for d in defaults]
    empty = all(value is not None and not value.size for value in named.values())
    if not empty or keys is None or nodes[name].shapes[index].rank not in (0, 1):
        return None
    found = {}
    for key, value, kind, shape in zip(keys, defaults, node.dtypes, node.attrs["dense_shapes"].list.shape):
        if value is None or not literals.short(value):
            return None
        default = f", default_value={literals.plain(value)}" if value.size else ""
        shape = literals.shape(tf.TensorShape(shape))
        found[literals.string(key)] = f"tf.io.FixedLenFeature({shape}, {literals.dtype(kind)}{default})"
    return found


def _of_rows(nodes, readers, node):
    """Returns [labels, logits] of more dimensions, of which a Reshape gives the cross entropies, or None."""
    core, shape = nodes[node.inputs[0][0]], nodes[node.inputs[1][0]]
    if core.op != SPARSE or shape.op != "Shape" or len(readers[core.name, 0]) != 1:
        return None
    labels, logits = (nodes[name] for name, _ in core.inputs)
    if labels.op != "Reshape" or logits.op != "Reshape" or shape.inputs[0] != labels.inputs[0]:
        return None
    rows = nodes[logits.inputs[1][0]]
    first = nodes[rows.inputs[0][0]].value if rows.op == "Pack" else rows.value
    found = [labels.inputs[0], logits.inputs[0]]
    ranks = [nodes[name].shapes[index].rank for name, index in found]
    known = None not in ranks and ranks[1] == ranks[0] + 1
    return found if known and first is not None and np.ravel(first)[0] == -1 else None


def _is_rows(nodes, node):
    """Returns True for a reshape to rows that are as long as the last dimension."""
    if node.op != "Reshape":
        return False
    shape = nodes[node.inputs[1][0]]
    first = nodes[shape.inputs[0][0]] if shape.op == "ConcatV2" else None
    return first is not None and first.value is not None and first.value.tolist() == [-1]


def dropouts(program, seed):
    """Makes one node of each tf.nn.dropout, in `program` and in the functions inside. `seed`: that of the graph.

    The source is nn_ops.py: where(uniform >= rate, x / (1 - rate), 0), or x times a number for a rate that is one.
    """
    every = program.every()
    _dropouts(program, every, seed)


def _dropouts(program, every, seed):
    for node in list(program.nodes.values()):
        for part in node.parts:
            _dropouts(part, every, seed)
        found = node.op in SELECTS and _dropout(node, every, seed)
        if found:
            inputs, attrs = found
            made = Node(node.name, DROPOUT, inputs, attrs=attrs, dtypes=node.dtypes, shapes=node.shapes)
            program.nodes[node.name] = every[node.name] = made
    program.prune()


def _dropout(node, every, seed):
    """Returns ([x, rate], attributes of the draw) of a dropout that ends in `node`, or None."""
    kept, scaled, zero = (every[name] for name, _ in node.inputs)
    if kept.op != "GreaterEqual" or zero.value is None or zero.value.any() or scaled.op not in ("Mul", "RealDiv"):
        return None
    draw, (x, scale), rate = every[kept.inputs[0][0]], scaled.inputs, kept.inputs[1]
    if draw.op != "RandomUniform" or draw.attrs["seed"].i != seed or not _is_shape(every, draw.inputs[0], x):
        return None
    known = every[rate[0]].value
    if scaled.op == "Mul":
        fits = known is not None and every[scale[0]].value is not None and _scale(known) == every[scale[0]].value
    else:
        keep = every[scale[0]]
        fits = known is None and keep.op == "Sub" and keep.inputs[1] == rate and _is_one(every[keep.inputs[0][0]])
    return ([x, rate], {name: draw.attrs[name] for name in ("seed", "seed2")}) if fits else None


def _scale(rate):
    """Returns what tf.nn.dropout multiplies with, for a rate as it stands in the code."""
    if rate.ndim or rate.dtype not in (np.float16, np.float32, np.float64) or not 0 < rate < 1:
        return None
    return rate.dtype.type(1 / (1 - float(literals.plain(rate))))


def _is_one(node):
    return node.value is not None and not node.value.ndim and node.value == 1


def _is_shape(every, source, x):
    """Returns whether the tensor `source` is the shape of `x`."""
    node, shape = every[source[0]], every[x[0]].shapes[x[1]]
    if node.op == "Shape":
        return node.inputs[0] == x
    known = node.value is not None and shape.is_fully_defined()
    return known and tf.TensorShape(node.value.tolist()) == shape


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
        """Returns the inputs of the batch norm whose factor m is in both products."""
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
        """Returns the node of `source` when it is one of `ops` and nothing else reads it."""
        node = self.nodes.get(source[0])
        if node is None or node.op not in ops or source in self.ends or len(self.readers.get(source, ())) != times:
            return None
        return node


def _orders(pair):
    a, b = pair
    return (b, a), (a, b)
