"""Updates that start from what a variable holds, such as moving averages: that part is computed at the update."""

from tf1ref.artifacts.graph import constants
from tf1ref.port.flow.frames import FLOW


def chains(ops, reached, writes, kept):
    """Returns {name of a write: the names of ops between its variable and itself}, where nothing else needs these.

    ops: {name: Operation}. reached: the names of all ops that the step needs. writes: names. kept: names of ops that
    stay in the model.
    """
    readers = {}
    for name in reached:
        for tensor in ops[name].inputs:
            readers.setdefault(tensor.op.name, set()).add(name)
    found = {}
    for name in writes:
        write = ops[name]
        if (
            write.type.startswith("Assign")
            and len(write.inputs) == 2
            and write.inputs[0].op.type in constants.VARIABLES
        ):
            found[name] = _chain(write, readers, kept)
    return found


def _chain(write, readers, kept):
    """Returns the names of the ops that lead from the variable of `write` to its value and to nothing else."""
    alone, stack = {write.name}, [write.inputs[1].op]
    while stack:
        op = stack.pop()
        if op.name in kept or op.type.removeprefix("Ref") in FLOW or not readers[op.name] <= alone:
            continue
        alone.add(op.name)
        stack += [tensor.op for tensor in op.inputs]
    variable = write.inputs[0].op
    reads = {op.name for t in variable.outputs for op in t.consumers() if op.type in ("Identity", "ReadVariableOp")}
    found, stack = {variable.name, *reads}, [variable, *(write.graph.get_operation_by_name(name) for name in reads)]
    while stack:
        for tensor in stack.pop().outputs:
            for op in tensor.consumers():
                if op.name in alone - found:
                    found.add(op.name)
                    stack.append(op)
    return (found & alone) - {write.name}


def after_each_other(ops, found, needs):
    """Adds to `needs` {name: names} that a second update of a variable starts from what the first one made of it.

    In a session this is a race that the order of the graph wins most often: real pictures before made ones.
    """
    last = {}
    for name in ops:
        if name not in found:
            continue
        before = last.get(ops[name].inputs[0].op.name)
        mine = (found[name] | {name}) & needs.keys()
        if before and not _leads(name, before, needs):
            for each in mine:
                needs[each].add(before)
        last[ops[name].inputs[0].op.name] = name


def _leads(name, to, needs):
    seen, stack = set(), [to]
    while stack:
        at = stack.pop()
        if at not in seen:
            seen.add(at)
            stack += needs.get(at, ())
    return name in seen
