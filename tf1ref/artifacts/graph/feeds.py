"""What readers need of inputs: a shape such as a matrix's or a picture's, parts of a sparse tensor, tf.Examples."""

import math
import re
from typing import NamedTuple

import numpy as np
import tensorflow as tf

FAR = 8  # the most ops between an input and one that needs a shape
SAME = re.compile(
    r"Identity|StopGradient|Cast|Relu6?|Elu|Selu|LeakyRelu|Sigmoid|Tanh|Softplus|Abs|Neg|Exp|Log|Sqrt|Square|Rsqrt|Sign"
    r"|(Log)?Softmax|PlaceholderWithDefault|PreventGradient|CheckNumerics|Snapshot|Floor|Round|ClipByValue"
)
PICTURES = re.compile(
    r"(Max|Avg)Pool|LRN|FusedBatchNorm(V2|V3)?|Resize(Bilinear|NearestNeighbor|Area|Bicubic)|SpaceToDepth|DepthToSpace"
    r"|CropAndResize|ExtractImagePatches|MaxPoolWithArgmax"
)
MIXED = re.compile(r"Add|AddV2|Sub|Mul|Maximum|Minimum|RealDiv|SquaredDifference")
REDUCED = re.compile(r"Mean|Sum|Max|Min|Prod|All|Any")
# tf.matmul makes a BatchMatMul when a rank is unknown.
MATRICES = re.compile(r"MatMul|BatchMatMul(V2|V3)?")
SPLITS = re.compile(r"(.*\brow_splits_)(\d+)")  # the inputs of v1.ragged.placeholder
PART = re.compile(r"(?:.*_)?(indices|shape)")  # names that ops of sparse tensors give to the parts of one
PARSES = re.compile(r"Parse(Single)?Example(V2)?")
MOVES = re.compile(r"Identity|Reshape|ExpandDims|Squeeze|StridedSlice|Slice|Gather(V2)?")
KEYS = (
    ("sparse_keys", "sparse_types"),
    ("ragged_keys", "ragged_value_types"),
)  # where a feature has any number of values
MANY = 2  # values of a feature that has any number
MOST_VALUES = 10**6  # in one record; a foreign file may claim any number


def likely(tensor: tf.Tensor) -> tf.TensorShape:
    """Returns the shape of an input, with what its readers need."""
    found, seen, layer = tensor.shape, set(), [tensor]
    for _ in range(FAR):
        following = []
        for one in layer:
            for op in one.consumers():
                if op.name in seen:
                    continue
                seen.add(op.name)
                needed = _needed(op, one)
                if needed is not None and found.is_compatible_with(needed):
                    found = found.merge_with(needed)
                if SAME.fullmatch(op.type) or (MIXED.fullmatch(op.type) and _keeps_rank(op, one)):
                    following += op.outputs[:1]
        layer = following
    return found


def part(tensor: tf.Tensor) -> str:
    """Returns "indices" or "shape" when an input is that part of a sparse tensor, else "".

    Kernels of sparse tensors end the process when the parts do not fit. For a ragged tensor, whose inputs TensorFlow
    names, it returns "splits" for the splits of its values, and "outer splits" for those of other splits.
    """
    split = SPLITS.fullmatch(tensor.op.name)
    if split and tensor.dtype.is_integer:
        names = [op.name for op in tensor.graph.get_operations() if op.type == "Placeholder"]
        return "outer splits" if f"{split[1]}{int(split[2]) + 1}" in names else "splits"
    for op in tensor.consumers():
        arguments = [a.name for a in op.op_def.input_arg]
        if "Sparse" in op.type and len(arguments) == len(op.inputs):
            found = PART.fullmatch(arguments[next(i for i, t in enumerate(op.inputs) if t is tensor)])
            if found:
                return found[1]
    return ""


def sides(tensor: tf.Tensor) -> list[int | None]:
    """Returns the sizes of a sparse tensor that are known from the input `tensor`, the default of its shape."""
    default = tf.get_static_value(tensor.op.inputs[0]) if tensor.op.type == "PlaceholderWithDefault" else None
    return [] if default is None else [int(n) if n >= 0 else None for n in default.ravel()]


class Feature(NamedTuple):
    """A feature of a tf.Example: its key, its type, and how many values it has."""

    key: bytes
    dtype: tf.DType
    size: int


def features(tensor: tf.Tensor) -> list[Feature]:
    """Returns the Features that an op parses out of the strings `tensor`.

    Returns an empty list when none does, and for more than MOST_VALUES values.
    """
    op = _parser(tensor)
    if op is None:
        return []
    there = {attribute.name for attribute in op.op_def.attr}
    found = [Feature(k, t, MANY) for keys, types in KEYS if types in there for k, t in _keyed(op, keys, types)]
    shapes = map(tf.TensorShape, op.get_attr("dense_shapes"))
    for (key, dtype), shape in zip(_keyed(op, "dense_keys", "Tdense"), shapes):
        sizes = [MANY if d is None else d for d in shape.as_list()] if shape.rank is not None else []
        found.append(Feature(key, dtype, math.prod(sizes)))
    return found if sum(feature.size for feature in found) <= MOST_VALUES else []


def record(wanted: list[Feature], random: np.random.Generator) -> bytes:
    """Returns a tf.Example with the Features `wanted`: normal numbers, integers of 1 and 2, strings "a"."""
    example = tf.train.Example()
    for key, dtype, size in wanted:
        feature = example.features.feature[key.decode(errors="replace")]
        if dtype == tf.string:
            feature.bytes_list.value.extend([b"a"] * size)
        elif dtype == tf.int64:
            feature.int64_list.value.extend(random.integers(1, 3, size))
        else:
            feature.float_list.value.extend(random.standard_normal(size))
    return example.SerializeToString(deterministic=True)


def _parser(tensor):
    """Returns the op that parses the strings `tensor`, which may be moved first, or None."""
    layer = [tensor]
    for _ in range(FAR):
        readers = [op for one in layer for op in one.consumers() if op.inputs[0] is one]
        found = next((op for op in readers if PARSES.fullmatch(op.type)), None)
        if found is not None:
            return found
        layer = [op.outputs[0] for op in readers if MOVES.fullmatch(op.type)]
    return None


def _keyed(op, keys, types):
    """Returns (key, type) of each feature. `keys`: an attribute of `op`, or inputs that are constants."""
    if keys in {attribute.name for attribute in op.op_def.attr}:
        return list(zip(op.get_attr(keys), op.get_attr(types)))
    place, found = 0, []
    for argument in op.op_def.input_arg:
        listed = argument.type_list_attr
        count = len(op.get_attr(listed)) if listed else op.get_attr(argument.number_attr) if argument.number_attr else 1
        if argument.name == keys:
            values = [tf.get_static_value(t) for t in op.inputs[place : place + count]]
            found = [key for value in values if value is not None for key in np.ravel(value)]
        place += count
    return list(zip(found, op.get_attr(types)))


def _needed(op, tensor):
    """Returns the shape that `op` needs of `tensor`, or None when it is unknown."""
    place = next(i for i, t in enumerate(op.inputs) if t is tensor)
    other = [t.shape for t in op.inputs]
    if op.type in ("Conv2D", "DepthwiseConv2dNative", "Conv3D") and place == 0:
        rank = 5 if op.type == "Conv3D" else 4
        channels = other[1][rank - 2] if other[1].rank == rank else None
        last = not op.get_attr("data_format").startswith(b"NC")
        inner = [None] * (rank - 2)
        return tf.TensorShape([None, *inner, channels] if last else [None, channels, *inner])
    if PICTURES.fullmatch(op.type) and place == 0:
        return tf.TensorShape([None] * 4)
    if op.type == "BatchNormWithGlobalNormalization" and place == 0:
        return tf.TensorShape([None, None, None, other[1][0] if other[1].rank == 1 else None])
    if MATRICES.fullmatch(op.type):
        names = ("adj_x", "adj_y") if "Batch" in op.type else ("transpose_a", "transpose_b")
        turned = [op.get_attr(name) for name in names]
        own, partner = turned[place], turned[1 - place]
        shared = int(partner) if place == 0 else 1 - int(partner)
        inner = other[1 - place][shared] if other[1 - place].rank == 2 else None
        sizes = [None, inner] if place == 0 else [inner, None]
        return tf.TensorShape(sizes[::-1] if own else sizes)
    if op.type == "BiasAdd" and place == 0 and tensor.shape.rank is None and other[1].rank == 1:
        return tf.TensorShape([None, other[1][0]])
    if REDUCED.fullmatch(op.type) and place == 0:
        axes = tf.get_static_value(op.inputs[1])
        if axes is not None and axes.size and axes.min() >= 0 and tensor.shape.rank is None:
            return tf.TensorShape([None] * (int(axes.max()) + 1))
    return None


def _keeps_rank(op, tensor):
    """Returns True when the other operand is broadcast to `tensor`, and not the reverse."""
    others = [t.shape.rank for t in op.inputs if t is not tensor]
    return bool(others) and others[0] is not None and others[0] <= (tensor.shape.rank or 1)
