"""Loops without the variables that only TensorFlow needed: a count of the turns beside a counter of the program's own.

tf.nn.dynamic_rnn makes such a loop: tf.while_loop counts its turns, and the program its time steps.
"""

import numpy as np

from tf1ref.port.flow import parts
from tf1ref.port.nodes import ADDS, LOOP


def merged(program):
    """Leaves superfluous variables out of each loop of a Program, also inside functions."""
    every = program.every()
    new = _scope(program.nodes, every)
    program.outputs = {key: new.get(source, source) for key, source in program.outputs.items()}
    program.nodes = parts.needed(program.nodes, program.outputs.values())


def _scope(nodes, every):
    """Merges the loops among {name: Node} and within; returns {source: what it is now}, also for results."""
    new = {}
    for node in nodes.values():
        for part in node.parts:
            inner = _scope(part.nodes, every)
            part.results = [inner.get(source, source) for source in part.results]
        if node.op == LOOP:
            new.update(_loop(node, every))
    for node in nodes.values():
        node.inputs = [new.get(source, source) for source in node.inputs]
        for part in node.parts:
            parts.replace(part, new)
    return new


def _loop(node, every):
    """Makes one variable of each two that count alike; returns {output of the loop: the one that it is now}."""
    same = {}
    for later in range(node.own):
        for first in range(later):
            if first not in same and _alike(node, first, later, every):
                same[later] = first
                break
    if not same:
        return {}
    for part in node.parts:
        names = [parameter.name for parameter in part.parameters]
        parts.replace(part, {(names[later], 0): (names[first], 0) for later, first in same.items()})
    kept = [i for i in range(node.own) if i not in same]
    test, body = node.parts
    body.results = [body.results[i] for i in kept]
    test.results = [_once(test, test.results[0], every)]
    for part in node.parts:
        part.parameters = [part.parameters[i] for i in kept]
        part.prune()
    node.dtypes, node.shapes = ([found[i] for i in kept] for found in (node.dtypes, node.shapes))
    starts = [node.inputs[i] for i in kept]
    node.inputs, count, node.own = starts + parts.captured(node.parts, every), node.own, len(kept)
    return {(node.name, i): (node.name, kept.index(same.get(i, i))) for i in range(count)}


def _alike(node, one, other, every):
    """Returns whether two variables of a loop start at the same number and grow by the same number in each turn."""
    grows = [_growth(node.parts[1], i, every) for i in (one, other)]
    starts = [node.inputs[i] for i in (one, other)]
    same = node.dtypes[one] == node.dtypes[other] and _same(*starts, every)
    return same and None not in grows and _same(*grows, every)


def _growth(body, number, every):
    """Returns the source that a variable adds to itself in each turn, or None when the body does something else."""
    end, start = every[body.results[number][0]], (body.parameters[number].name, 0)
    if end.op not in ADDS or start not in end.inputs:
        return None
    return end.inputs[1 - end.inputs.index(start)]


def _same(one, other, every):
    """Returns whether two sources are one, or two equal numbers."""
    values = [every[name].value for name, _ in (one, other) if parts.written(every[name])]
    equal = len(values) == 2 and not any(np.ndim(v) for v in values) and values[0].item() == values[1].item()
    return one == other or equal


def _once(test, source, every):
    """Returns one of the two inputs of a LogicalAnd that say the same, else `source`."""
    node = test.nodes.get(source[0])
    pair = [test.nodes.get(name) for name, _ in node.inputs] if node and node.op == "LogicalAnd" else [None]
    if None in pair or pair[0].op != pair[1].op or pair[0].attrs != pair[1].attrs:
        return source
    same = all(_same(a, b, every) for a, b in zip(*(n.inputs for n in pair), strict=True))
    return node.inputs[0] if same else source
