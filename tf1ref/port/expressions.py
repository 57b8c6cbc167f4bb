"""One op as a Python expression: an operator, the public call of the table, or tf.raw_ops."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tf1ref.errors import InputError
from tf1ref.port import calls, literals, raw
from tf1ref.port.flow import arrays

# These are not ops: patterns.py makes each of them from several ops.
BATCH_NORM = "tf.nn.batch_normalization"
DROPOUT = "tf.nn.dropout"
# The first takes a text, the second a vector of texts.
PARSES = ("tf.io.parse_single_example", "tf.io.parse_example")
CROSS_ENTROPY = "tf.nn.softmax_cross_entropy_with_logits"
SPARSE = "tf.nn.sparse_softmax_cross_entropy_with_logits"
SIGMOID = "tf.nn.sigmoid_cross_entropy_with_logits"
LOSSES = (CROSS_ENTROPY, SPARSE, SIGMOID)
# program/clipping.py makes these of several ops.
CLIP_NORM, CLIP_VALUE = "tf.clip_by_norm", "tf.clip_by_value"
WINDOWS = ("strides", "ksize")
# Calls of these take a size for each dimension, and no shorter form.
WHOLE_WINDOWS = ("DepthwiseConv2dNative", "Conv3D")
# program/initializers.py makes these of a draw, its scale and its shift.
DRAWS = {
    "TruncatedNormal": "tf.random.truncated_normal",
    "RandomStandardNormal": "tf.random.normal",
    "RandomUniform": "tf.random.uniform",
}


@dataclass
class Expression:
    """An expression. `text`: Python. `level`: how tightly its outermost operator binds.

    `depth`: the depth of its calls. `plain`: its text in a place that takes a list, or "" when that is the same.
    """

    text: str
    level: int = calls.ATOM
    depth: int = 0
    plain: str = ""

    def inside(self, level, right=False):
        """Returns the text as an operand of an operator that binds at `level`."""
        return f"({self.text})" if self.level < level + right or self.level <= 3 else self.text


class Writer:
    """Writes nodes as expressions. `value(source)`: a tensor's Expression. `constant(source)`: its array or None.

    hole(keyword, text): notes a literal that another instance of a class may have otherwise, and returns its mark.
    """

    def __init__(self, value, constant, hole, shape):
        self.value, self.constant, self.hole, self.shape = value, constant, hole, shape
        # {name of a list: its length} of lists that the code makes.
        self.lists = {}

    def listed(self, texts):
        """Returns the text of a list of `texts`, or the name of the list whose elements they are.

        Of a name that lists does not have, the elements are all.
        """
        name = texts[0].removesuffix("[0]") if texts else ""
        if name.isidentifier() and len(texts) > 1 and texts == [f"{name}[{i}]" for i in range(len(texts))]:
            return name if self.lists.get(name, len(texts)) == len(texts) else f"{name}[:{len(texts)}]"
        return f"[{', '.join(texts)}]"

    def expression(self, node):
        """Returns the Expression of a Node. Raises InputError for an op without a call."""
        if node.op == BATCH_NORM:
            return self._batch_norm(node)
        if node.op in LOSSES:
            labels, logits = (self.tensor(source) for source in node.inputs)
            depth = max(labels.depth, logits.depth) + 1
            return Expression(f"{node.op}(labels={labels.text}, logits={logits.text})", depth=depth)
        if node.op == DROPOUT:
            x, rate = self.tensor(node.inputs[0]), self.written(node.inputs[1], "rate")
            seed = self.hole("seed", str(node.attrs["seed2"].i))
            return Expression(f"{DROPOUT}({x.text}, {rate.text}, seed={seed})", depth=max(x.depth, rate.depth) + 1)
        if node.op in PARSES:
            examples, features = self.tensor(node.inputs[0]), node.attrs["features"]
            text = ", ".join(f"{key}: {feature}" for key, feature in features.items())
            return Expression(f"{node.op}({examples.text}, {{{text}}})", depth=examples.depth + 1)
        if node.op in (CLIP_NORM, CLIP_VALUE):
            found = [self.tensor(node.inputs[0]), *(self.written(s, "limit") for s in node.inputs[1:])]
            return Expression(f"{node.op}({', '.join(e.text for e in found)})", depth=max(e.depth for e in found) + 1)
        if node.op in DRAWS.values():
            return self._draw(node)
        if node.op.startswith(arrays.NEW):
            text, depth = arrays.expression(self, node)
            return Expression(text, depth=depth)
        return self._operator(node) or self._slice(node) or self._filled(node) or self._row(node) or self._raw(node)

    def tensor(self, source, keyword="x"):
        """Returns the Expression of `source` in a place that needs a tensor. A constant becomes tf.constant."""
        array = self.constant(source)
        if array is None:
            return self.value(source)
        return Expression(self.hole(keyword, literals.constant(array, tf.as_dtype(self._kind(source)))))

    def written(self, source, keyword):
        """Returns the Expression of `source` in a place that takes Python's numbers and lists."""
        array = self.constant(source)
        if array is None:
            found = self.value(source)
            return Expression(found.plain, depth=found.depth - 1) if found.plain else found
        kind = tf.as_dtype(self._kind(source))
        if kind not in literals.DEFAULTS or not np.size(array):
            return self.tensor(source, keyword)
        return Expression(self.hole(keyword, literals.plain(array)))

    def _list(self, found):
        texts = [e.text for e in found]
        name = texts[0].removesuffix("[0]") if texts else ""
        return self.listed(texts) if name in self.lists else f"[{', '.join(texts)}]"

    def _kind(self, source):
        return self.shape(source)[0]

    def _operator(self, node):
        sign, level = calls.OPERATORS.get(node.op, (None, 0))
        kind = self._kind(node.inputs[0]) if node.inputs else None
        if node.op == "Neg":
            return Expression(f"-{self.value(node.inputs[0]).inside(7)}", 7, self.value(node.inputs[0]).depth)
        number = kind is not None and (kind.is_floating or kind.is_complex or kind.is_integer)
        if sign is None or not number or (sign == "/" and kind.is_integer) or kind.is_quantized:
            return None
        constants = [self.constant(source) for source in node.inputs]
        # Only a scalar beside a tensor is certain to take that tensor's type in Python's own operators.
        plain = [a is not None and not a.ndim for a in constants]
        plain[1] = plain[1] and constants[0] is None
        words = ("left", "right")
        a, b = (
            Expression(self.hole(word, literals.plain(c))) if simple else self.tensor(source, word)
            for c, simple, source, word in zip(constants, plain, node.inputs, words)
        )
        text = f"{a.inside(level)} {sign} {b.inside(level, right=True)}"
        return Expression(text, level, max(a.depth, b.depth))

    def _slice(self, node):
        if node.op != "StridedSlice":
            return None
        numbers = [self.constant(source) for source in node.inputs[1:]]
        # In brackets TensorFlow makes int32 of a number.
        if any(a is None or np.size(a) and np.abs(a.astype(float)).max() >= 2**31 for a in numbers):
            return None
        bits = {n.removesuffix("_mask"): node.attrs[n].i for n in node.attrs if n.endswith("_mask")}
        parts = []
        for i, (first, last, step) in enumerate(zip(*numbers)):
            here = {name for name, mask in bits.items() if mask >> i & 1}
            if here & {"ellipsis", "new_axis"}:
                parts.append("..." if "ellipsis" in here else "tf.newaxis")
            elif "shrink_axis" in here:
                parts.append(self.hole("index", str(first)))
            else:
                begin = "" if "begin" in here else self.hole("start", str(first))
                end = "" if "end" in here else self.hole("stop", str(last))
                parts.append(f"{begin}:{end}" + (f":{self.hole('step', str(step))}" if step != 1 else ""))
        value = self.tensor(node.inputs[0])
        return Expression(f"{value.inside(calls.ATOM)}[{', '.join(parts) or '...'}]", depth=value.depth)

    def _row(self, node):
        row = calls.rows().get(node.op)
        if row is None or (node.op == "MatMul" and not self._is_matrix(node)):
            return None
        function, arguments = row
        inputs, _ = calls.grouped(node)
        if not calls.unnamed_defaults(node, {name for _, marker, name, _ in arguments if marker == "@"}):
            return None
        words, depth = [], 0
        for keyword, marker, name, default in arguments:
            if marker == "@":
                text = self._attribute(node, name, default)
                if text is None or text == default:
                    continue
                words.append((keyword, self._said(node, keyword or name, text)))
                continue
            if keyword == "axis" and node.op in calls.REDUCTIONS and self._is_all(*node.inputs):
                continue
            found = [self._input(source, marker, name) for source in inputs[name]]
            depth = max([depth, *(e.depth for e in found)])
            text = self._list(found) if marker == "[" else found[0].text
            words.append((keyword, text))
        text = ", ".join(f"{keyword}={word}" if keyword else word for keyword, word in words)
        return Expression(f"{function}({text})", depth=depth + 1, plain=self._sizes(node))

    def _sizes(self, node):
        """Returns the text of a list of numbers, some of them tensors, which a shape may be, or ""."""
        if node.op != "Pack" or self._kind(node.inputs[0]) != tf.int32 or node.attrs["axis"].i:
            return ""
        if any(self.shape(source)[1].rank != 0 for source in node.inputs):
            return ""
        return self._list([self.written(source, "size") for source in node.inputs])

    def _is_all(self, source, axes):
        """Returns whether the constant `axes` are all dimensions of `source`, in their order."""
        rank, axes = self.shape(source)[1].rank, self.constant(axes)
        return bool(rank) and axes is not None and np.array_equal(np.ravel(axes), range(rank))

    def _said(self, node, keyword, text):
        if node.op == "DepthwiseConv2dNative" and keyword == "strides" and text[:4] == "[1, " and text[-4:] == ", 1]":
            return "[1, " + ", ".join(self.hole(keyword, size) for size in text[4:-4].split(", ")) + ", 1]"
        return self.hole(keyword, text)

    def _input(self, source, marker, name):
        return self.written(source, name) if marker == "$" else self.tensor(source, name)

    def _attribute(self, node, name, default):
        if name not in node.attrs:
            return None
        text = literals.attribute(node.attrs[name])
        if name in WINDOWS and node.op not in WHOLE_WINDOWS:
            sizes, last = list(node.attrs[name].list.i), node.attrs["data_format"].s not in (b"NCHW", b"NCDHW")
            inner = sizes[1:-1] if last else sizes[2:]
            if [sizes[0], sizes[-1] if last else sizes[1]] == [1, 1] and inner:
                return str(inner[0]) if len(set(inner)) == 1 else str(inner)
        return text

    def _is_matrix(self, node):
        return any(self.shape(source)[1].rank == 2 for source in node.inputs)

    def _batch_norm(self, node):
        *sources, epsilon = node.inputs
        found = [self.tensor(source) for source in sources]
        words = [e.text for e in found] + ["None"] * (len(found) == 4)
        words.append(self.hole("epsilon", literals.plain(self.constant(epsilon))))
        return Expression(f"{BATCH_NORM}({', '.join(words)})", depth=max(e.depth for e in found) + 1)

    def _draw(self, node):
        """Writes a draw of tf.random. Numbers that a draw has without being told are left out."""
        shape, *ends = (self.written(source, "value") for source in node.inputs)
        names = ("minval", "maxval") if node.op.endswith("uniform") else ("mean", "stddev")
        left_out = [self.constant(source) == plain for source, plain in zip(node.inputs[1:], (0, 1))]
        words = [f"{n}={e.text}" for n, e, usual in zip(names, ends, left_out) if not usual]
        depth = 1 + max(e.depth for e in ends)
        return Expression(f"{node.op}({', '.join([shape.text, *words])}, seed={node.attrs['seed'].i})", depth=depth)

    def _filled(self, node):
        """Writes a tf.fill of zeros or ones as these."""
        shape, value = (self.constant(source) for source in node.inputs) if node.op == "Fill" else (None, None)
        if value is None or value.dtype.kind not in "fi" or not literals.zeros_or_ones([], value, node.dtypes[0]):
            return None
        dims = self.written(node.inputs[0], "shape")
        return Expression(literals.zeros_or_ones(dims.text, value, node.dtypes[0]), depth=dims.depth + 1)

    def _raw(self, node):
        if getattr(tf.raw_ops, node.op, None) is None:
            raise InputError(f"{node.name}: no call of TensorFlow 2 stands for {node.op}: name --outputs before it")
        inputs, lists = calls.grouped(node)
        words, depth, renamed = [], 0, raw.keywords(node.op)
        for name, sources in inputs.items():
            found = [self.written(source, name) for source in sources]
            depth = max([depth, *(e.depth for e in found)])
            text = self._list(found) if name in lists else found[0].text
            words.append(f"{renamed[name]}={text}")
        for keyword, text in raw.attributes(node):
            words.append(f"{keyword}={text if text == raw.UNSEEDED else self.hole(keyword, text)}")
        return Expression(f"tf.raw_ops.{node.op}({', '.join(words)})", depth=depth + 1)
