"""Folds batch norms of inference into the weights before them: conv(x, W) * s + t is conv(x, W * s) + t.

Here s = gamma / sqrt(variance + epsilon) and t = beta - mean * s (Jacob et al., 2017, section 3.2). The arithmetic
differs, so the answers are close, but not equal to the bit.
"""

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import graphs, registry
from tf1ref.artifacts.graph.constants import constant
from tf1ref.artifacts.graph.definitions import BATCH_NORM
from tf1ref.artifacts.graph.graphs import tensor
from tf1ref.artifacts.graph.shapes import attr

CONVOLUTIONS, PRODUCTS = ("Conv2D", "DepthwiseConv2dNative"), ("Conv2D", "DepthwiseConv2dNative", "MatMul")
FLOAT = tf.float32.as_datatype_enum
# Folding may change an answer by this share of its largest number.
NEAR = 1e-4
EPSILON = 1e-4  # the default of a batch norm without this attribute (tensorflow/core/ops/nn_ops.cc)


def folded(graph, outputs):
    """Returns (GraphDef, number of folded ones) of a frozen graphs.Graph.

    It folds batch norms of one op, and factors for each channel.
    """
    graph = graph.but(graphs.copy(graph.graph_def))
    norms = _Norms(graph, {tensor(t)[0] for t in outputs})
    found = [job for node in list(graph.graph_def.node) for job in norms.jobs(node)]
    if found:
        values = _evaluated(graph, {t for job in found for t in job["constants"]})
        for job in found:
            norms.fold(job, [values[t] for t in job["constants"]])
    return graph.pruned(outputs), len(found)


def difference(expected, reached):
    """Returns "" when two {tensor name: array} are as close as folding allows, else where they are not."""
    for name, a in expected.items():
        a, b = np.asarray(a), np.asarray(reached[name])
        if a.dtype.kind != "f" or a.shape != b.shape:
            same = a.shape == b.shape and bool(np.all(a == b))
            far, largest = (0.0 if same else np.inf), 1.0
        else:
            both = np.isfinite(a) & np.isfinite(b)
            same = np.array_equal(a[~both], b[~both], equal_nan=True)
            far = float(np.max(np.abs(a - b)[both], initial=0.0)) if same else np.inf
            largest = float(np.max(np.abs(a[both]), initial=0.0))
        if far > NEAR * largest:
            return f"{name}: off by {far:.3g}, its numbers reach {largest:.3g}: folding changed more than rounding"
    return ""


class _Norms:
    """A frozen graph while its batch norms are folded."""

    def __init__(self, graph, kept):
        self.graph, self.graph_def = graph, graph.graph_def
        self.nodes = {n.name: n for n in self.graph_def.node}
        self.known, self.taken = {}, set()
        # The user reads an output, too.
        self.readers = dict.fromkeys(kept, 2)
        for node in self.graph_def.node:
            for reference in node.input:
                key = tensor(reference)[0]
                self.readers[key] = self.readers.get(key, 0) + 1

    def jobs(self, node):
        """Yields what can be folded at `node`, at most once: the op before it, and the constants that it takes."""
        norm = BATCH_NORM.fullmatch(node.op) and "is_training" in node.attr and not node.attr["is_training"].b
        if norm and attr(node, "T").type == FLOAT:
            last, bias = self._sole(node.input[0]), None
            if last is not None and last.op == "BiasAdd" and self._constant(last.input[1]):
                last, bias = self._sole(last.input[0]), last.input[1]
            candidates = [(last, [*node.input[1:5]], bias)]
        elif node.op == "Mul" and attr(node, "T").type == FLOAT and len(node.input) == 2:
            pairs = [node.input, node.input[::-1]]
            candidates = [(self._sole(product), [factor], None) for product, factor in pairs]
        else:
            return
        for last, taken, bias in candidates:
            ops = CONVOLUTIONS if norm else PRODUCTS
            if last is None or last.op not in ops or last.name in self.taken:
                continue
            constants = [last.input[1], *taken, *([bias] if bias else [])]
            if all(self._constant(c) for c in constants) and (norm or self._per_channel(last, taken[0])):
                self.taken.add(last.name)
                yield {"node": node, "product": last, "constants": constants, "bias": bias, "norm": norm}
                return

    def fold(self, job, values):
        """Rewrites one job. `values`: those of its constants, the weights first."""
        node, product, weights = job["node"], job["product"], values[0].astype(np.float64)
        shift = None
        if job["norm"]:
            gamma, beta, mean, variance, *bias = (v.astype(np.float64) for v in values[1:])
            epsilon = node.attr["epsilon"].f if "epsilon" in node.attr else EPSILON
            scale = gamma / np.sqrt(variance + epsilon)
            shift = beta + ((bias[0] if bias else 0.0) - mean) * scale
        else:
            scale = values[1].astype(np.float64).ravel()
        name = self._add(f"{product.name}/folded_weights", weights * _along(product, scale, weights.shape))
        product.input[1] = name
        layout = attr(product, "data_format").s or b"NHWC"
        controls = [i for i in node.input if i[0] == "^"]
        node.attr.clear()
        node.attr["T"].type = FLOAT
        node.op, node.input[:] = "Identity", [product.name, *controls]
        if shift is not None:
            node.op = "BiasAdd"
            node.attr["data_format"].s = layout
            node.input.insert(1, self._add(f"{node.name}/folded_bias", shift))

    def _add(self, name, array):
        node = self.graph_def.node.add()
        constant(node, graphs.free(name, self.nodes), array.astype(np.float32), FLOAT)
        self.nodes[node.name] = node
        return node.name

    def _sole(self, reference):
        """Returns the node that `reference` names, if nothing else reads it."""
        name, index = tensor(reference)
        return self.nodes[name] if not index and self.readers.get(name) == 1 else None

    def _per_channel(self, product, factor):
        """Returns True when a constant has a factor for each channel, which is the last axis: [c] or [1, ..., c]."""
        shape = self._shape(factor)
        last = attr(product, "data_format").s in (b"", b"NHWC") or product.op == "MatMul"
        channels = self._channels(product)
        return last and shape is not None and channels is not None and shape in ([channels], [1, 1, 1, channels])

    def _channels(self, product):
        weights = self._shape(product.input[1])
        if weights is None:
            return None
        if product.op == "DepthwiseConv2dNative":
            return weights[2] * weights[3]
        return weights[0] if attr(product, "transpose_b").b else weights[-1]

    def _shape(self, reference):
        if not hasattr(self, "imported"):
            self.imported = self.graph.imported()
        shape = self.imported.get_tensor_by_name(":".join(map(str, tensor(reference)))).shape
        return shape.as_list() if shape.is_fully_defined() else None

    def _constant(self, reference):
        """Returns True when a tensor depends only on constants."""
        stack = [tensor(reference)[0]]
        while stack:
            name = stack[-1]
            node = self.nodes.get(name)
            if name in self.known or node is None:
                self.known.setdefault(stack.pop(), False)
                continue
            inputs = [tensor(i)[0] for i in node.input]
            definition = registry.definition(node.op)
            plain = (
                definition is not None and not definition.is_stateful and node.op not in ("Switch", "Merge", "Enter")
            )
            missing = [i for i in inputs if i not in self.known] if plain and node.op != "Const" else []
            if missing and len(stack) < 1000:
                stack += missing
            else:
                self.known[stack.pop()] = plain and (
                    node.op == "Const" or bool(inputs) and all(map(self.known.get, inputs))
                )
        return self.known[tensor(reference)[0]]


def _along(product, scale, shape):
    """Returns `scale`, for each channel of `product`, in a shape that multiplies its weights."""
    if product.op == "DepthwiseConv2dNative":
        return scale.reshape(shape[2:])
    return scale[:, None] if attr(product, "transpose_b").b else scale


def _evaluated(graph, references):
    """Returns {reference: array} of tensors that depend only on constants."""
    imported = graph.but(graph.pruned(references)).imported()
    with v1.Session(graph=imported) as sess:
        return sess.run({t: imported.get_tensor_by_name(":".join(map(str, tensor(t)))) for t in references})
