"""What the halves of an example compute, kept for all tests of the example that run one after the other."""

import ast
import inspect
import sys
import unittest.mock
from typing import NamedTuple

import tensorflow.compat.v1 as v1

from tf1ref import catalog, parity

STEPS = 20
# A helper trains a network to stand in for a file; that is in neither half.
STAND_INS = ("tf1ref.examples.transfer._body",)


class Run(NamedTuple):
    """A run of a graph half: its trace, and the names of the variables and slots that its optimizers moved."""

    trace: dict
    trained: set
    slots: set


_kept: dict = {}


def graph(name, steps=STEPS, **changes):
    """The trace of the graph half with constants changed."""
    return graph_run(name, steps, **changes).trace


def graph_run(name, steps=STEPS, **changes):
    """The Run of the graph half with constants changed."""
    return _once(name, "run_graph", steps, changes, _watched)


def function(name, steps=STEPS, **changes):
    """The trace of the function half with constants changed."""
    return _once(name, "run_function", steps, changes, parity.trace_of)


def _once(name, half, steps, changes, run):
    if _kept.get("name") != name:  # one example's traces at a time: a whole network's are hundreds of megabytes
        _kept.clear()
        _kept["name"] = name
    program = getattr(catalog.load(name, changes), half)
    steps = steps if "steps" in inspect.signature(program).parameters else None
    key = half, steps, tuple(sorted(changes.items()))
    if key not in _kept:
        _kept[key] = run(program, steps, name)
    return _kept[key]


def _watched(program, steps, name):
    trained, slots, apply_gradients = set(), set(), v1.train.Optimizer.apply_gradients

    def watched(self, grads_and_vars, *arguments, **named):
        pairs = list(grads_and_vars)
        op = apply_gradients(self, pairs, *arguments, **named)
        if not _within(STAND_INS):
            moved = [variable for gradient, variable in pairs if gradient is not None]
            found = [self.get_slot(variable, slot) for variable in moved for slot in self.get_slot_names()]
            trained.update(variable.op.name for variable in moved)
            slots.update(slot.op.name for slot in found if slot is not None)
        return op

    with unittest.mock.patch.object(v1.train.Optimizer, "apply_gradients", watched):
        return Run(parity.trace_of(program, steps, name), trained, slots)


def _within(modules):
    frame = sys._getframe()
    while frame and frame.f_globals.get("__name__") not in modules:
        frame = frame.f_back
    return frame is not None


def unnamed(names, trace, *kinds):
    """Those of the variables `names` of which no key of these kinds ends with the name, or with what a scope is in."""
    keys = ["/" + rest for kind, _, rest in (key.partition("/") for key in trace) if kind in kinds]
    return {name for name in names if not any(k.endswith("/" + name) or ("/" + name).endswith(k) for k in keys)}


def names_read(path, function):
    """The names that a function of a file reads, and all that it reaches in this file reads."""
    tree, read, waiting = ast.parse(path.read_text()), set(), [function]
    defined = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets = [n for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)]
            defined.update({target.id: node.value for target in targets})
    while waiting:
        found = {n.id for n in ast.walk(defined[waiting.pop()]) if isinstance(n, ast.Name)} - read
        read |= found
        waiting += found & defined.keys()
    return read
