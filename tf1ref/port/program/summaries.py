"""The summaries that training steps fetch: what each shows, its code, and what the recording says that it showed."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf.message import DecodeError

from tf1ref.artifacts.graph import constants, effects
from tf1ref.port import layout, literals

KINDS = {"ScalarSummary": "scalar", "HistogramSummary": "histogram"}
READS = ("Identity", "ReadVariableOp")


@dataclass(frozen=True)
class Summary:
    """One summary. `kind`: that of tf.summary, or "". `tensor`: what it shows. `variable`: the one that this reads."""

    kind: str
    tag: str
    tensor: str
    variable: str = ""


def of(ops, fetches):
    """Returns the Summaries in `fetches`, names of tensors. `ops`: {name: Operation}."""
    found, stack = {}, [ops[name.partition(":")[0]] for name in fetches if name.partition(":")[0] in ops][::-1]
    while stack:
        op = stack.pop()
        if op.type in ("MergeSummary", "Identity"):
            stack += [t.op for t in op.inputs][::-1]
        elif op.type.endswith("Summary") and len(op.inputs) == 2:
            found[op.name] = _summary(op)
    return list(found.values())


def asking(ops, given):
    """Returns the names of the ops that ask a queue or a table how it is, such as how full, and of those after them.

    given: names of ops whose outputs were recorded. What they lead to does not ask.
    """
    states = [name for names in effects.state(op.node_def for op in ops.values()).values() for name in names]
    found = set(states) - given
    for name, op in ops.items():
        if name not in given and any(t.op.name in found for t in op.inputs):
            found.add(name)
    return found


def _summary(op):
    tag, value = op.inputs
    named = tf.make_ndarray(tag.op.get_attr("value")) if tag.op.type == "Const" else np.array(b"")
    source = value.op
    while source.type in READS:
        source = source.inputs[0].op
    variable = source.name if source.type in constants.VARIABLES else ""
    kind = KINDS.get(op.type, "") if not named.ndim and named.item() else ""
    return Summary(kind, named.item().decode(errors="replace") if kind else op.name, value.name, variable)


def method(made, attributes):
    """Returns the lines of Trainer.summarize, or an empty list when no step shows anything."""
    steps = [step for step in made.training.steps if step.summaries]
    lines, several = [], len(made.training.steps) > 1
    for summary in dict.fromkeys(summary for step in steps for summary in step.summaries):
        key = literals.quoted(made.keys.get(summary.tensor, ""))
        value = attributes.attribute(summary.variable) if summary.variable else f"values[{key}]"
        if several and not summary.variable:
            lines += layout.statement(f"if {key} in values:", 2)
        call = f"tf.summary.{summary.kind}({literals.quoted(summary.tag)}, {value}, step=step)"
        lines += layout.statement(call, 3 if several and not summary.variable else 2)
    if not lines:
        return []
    said = '"""Writes the summaries of a step, which returned `values`, to the default writer."""'
    return ["", "    def summarize(self, values, step):", f"        {said}", *lines]


def recorded(step, run, keys):
    """Returns ({key: what a scalar showed}, {key: [least, greatest] of a histogram}) of a Run of `step`."""
    shown = {}
    for value in run.fetches.values():
        if value.dtype.kind == "S" and not value.ndim:
            try:
                # Not item(): NumPy would take zeros at the end for padding.
                shown.update((v.tag, v) for v in v1.Summary.FromString(value.tobytes()).value)
            except DecodeError:
                continue
    scalars, ranges = {}, {}
    for summary in step.summaries:
        found = shown.get(summary.tag)
        if summary.variable or found is None or summary.tensor not in keys:
            continue
        if summary.kind == "scalar":
            scalars[keys[summary.tensor]] = np.float32(found.simple_value)
        else:
            ranges[keys[summary.tensor]] = np.array([found.histo.min, found.histo.max])
    return scalars, ranges
