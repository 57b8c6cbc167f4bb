"""What tf.raw_ops takes and returns: its names of arguments, attributes that must be given, parts of results."""

import functools
import inspect

import tensorflow as tf

from tf1ref.errors import InputError
from tf1ref.port import calls, literals

UNSEEDED = "SEED"  # the constant in the written file for random ops without a seed in the graph


@functools.cache
def keywords(op):
    """Returns {name in the OpDef: keyword of tf.raw_ops}. Some inputs and attributes have another name there."""
    definition = calls.definition(op)
    names = [a.name for a in definition.input_arg]
    names += [a.name for a in definition.attr if a.name not in calls.inferred(op)]
    taken = [p for p in inspect.signature(getattr(tf.raw_ops, op)).parameters if p != "name"]
    found = {name: name for name in names if name in taken}
    left = [name for name in names if name not in found], [p for p in taken if p not in found]
    return {**found, **dict(zip(*left))}


def attributes(node):
    """Returns [(keyword, text)] of a Node's attributes that differ from the defaults of its op.

    Raises InputError for one that cannot be written.
    """
    found, renamed = [], keywords(node.op)
    for attribute in calls.definition(node.op).attr:
        name = attribute.name
        if name in calls.inferred(node.op) or name not in node.attrs or name not in renamed:
            continue
        if node.attrs[name] == attribute.default_value:
            continue
        text = literals.attribute(node.attrs[name])
        if text is None:
            raise InputError(f"{node.name}: {node.op}: its attribute {name} cannot be written as Python")
        found.append((renamed[name], text))
    if unseeded(node):
        found.append(("seed", UNSEEDED))
    return found


def unseeded(node):
    """Returns True for a random op without a seed of its own."""
    return {"seed", "seed2"} <= node.attrs.keys() and not node.attrs["seed"].i | node.attrs["seed2"].i


def parts(node):
    """Returns how to get each output of the Node from the call's result: "", "[1]", ".indices", ".outputs[0]"."""
    outputs = calls.definition(node.op).output_arg
    found = []
    for output in outputs:
        field = f".{output.name}" if len(outputs) > 1 else ""
        if not (output.number_attr or output.type_list_attr):
            found.append(field)
            continue
        attribute = node.attrs[output.number_attr or output.type_list_attr]
        count = attribute.i if output.number_attr else len(attribute.list.type)
        found += [f"{field}[{i}]" for i in range(count)]
    return found


def unpacks(node):
    """Returns True when the result of the call is a flat sequence of all outputs."""
    outputs = calls.definition(node.op).output_arg
    lists = [bool(o.number_attr or o.type_list_attr) for o in outputs]
    return lists == [True] or (len(lists) > 1 and not any(lists))
