"""The names and types of a node's outputs, from the definition of its op or function. Nothing is imported."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from tf1ref.artifacts.graph import registry
from tf1ref.data.formats import protos

BATCH_NORM = re.compile(r"_?FusedBatchNorm(V2|V3|Ex)?")
# The second output of these says which input arrived: it belongs to the branches, not to the answer.
MERGES = ("Merge", "RefMerge")
HANDLES = ("resource", "variant")
# The most outputs: a foreign file may claim any number.
MOST = 1 << 16

if TYPE_CHECKING:
    import tensorflow as tf


class Output(NamedTuple):
    """One output of a node: its name, numbered in a list, and its type, or None where unknown."""

    name: str
    dtype: "tf.DType | None"


def outputs(node: protos.NodeDef, functions: Mapping | None = None) -> list[Output]:
    """Returns every Output of a NodeDef. `functions`: {name: FunctionDef}. Returns an empty list for an unknown op."""
    definition = registry.definition(node.op)
    if definition is None and functions and node.op in functions:
        definition = functions[node.op].signature
    found = []
    for output in definition.output_arg if definition is not None else ():
        if output.type_list_attr:
            kinds = list(node.attr[output.type_list_attr].list.type) if output.type_list_attr in node.attr else []
        else:
            kind = output.type or (node.attr[output.type_attr].type if output.type_attr in node.attr else 0)
            count = node.attr[output.number_attr].i if output.number_attr else 1
            kinds = [kind] * min(count, MOST)
        listed = bool(output.type_list_attr or output.number_attr)
        found += [Output(f"{output.name}_{i}" if listed else output.name, _dtype(k)) for i, k in enumerate(kinds)]
    return found


def answers(node: protos.NodeDef, graph_def: protos.GraphDef) -> dict[str, str]:
    """Returns {key: tensor name} of all outputs of a NodeDef: "best/values", "best/indices" for a TopKV2 best.

    An op with one output has its own name as key. For a batch norm the moments are left out, and so are handles that a
    loop passes on. Of a condition only the value is included.
    """
    known = registry.definition(node.op) is not None
    found = outputs(node, {} if known else {f.signature.name: f for f in graph_def.library.function})
    if len(found) < 2 or node.op in MERGES or BATCH_NORM.fullmatch(node.op):
        return {node.name: f"{node.name}:0"}
    kept = [(i, o) for i, o in enumerate(found) if o.dtype is None or o.dtype.name not in HANDLES] or [(0, found[0])]
    return {f"{node.name}/{output.name}": f"{node.name}:{i}" for i, output in kept}


def _dtype(number):
    import tensorflow as tf

    try:
        return tf.as_dtype(number).base_dtype if number else None
    except TypeError:
        return None
