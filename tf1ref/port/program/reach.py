"""What ops of a graph need, and what needs them."""

import re

from tf1ref.artifacts.graph import constants

WRITES = re.compile(
    r"(Resource)?(Sparse)?Apply\w+|(Resource)?Scatter\w+|Assign(Add|Sub)?|Assign(Add|Sub)?VariableOp|CountUpTo"
)


def ancestors(names_, ops, control=True, ends=()):
    """Returns the names of what `names_` need, and `names_`. What `ends` need is left out."""
    found, stack = set(), list(names_)
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            if name not in ends:
                stack += [t.op.name for t in ops[name].inputs]
                stack += [o.name for o in ops[name].control_inputs] if control else []
    return found


def descendants(names_, ops):
    """Returns the names of the ops to which `names_` lead by data, with `names_`, in the order of the graph."""
    found = set(names_)
    for name, op in ops.items():
        if any(t.op.name in found for t in op.inputs):
            found.add(name)
    return found


def is_read(op):
    """Returns whether `op` reads a variable and does nothing else."""
    return op.type in ("Identity", "ReadVariableOp") and op.inputs[0].op.type in constants.VARIABLES
