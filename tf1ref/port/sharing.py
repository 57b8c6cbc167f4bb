"""What the methods of a model have in common becomes a method of its own, such as the logits."""

from tf1ref.port import names
from tf1ref.port.nodes import Shared

FEWEST = 2  # nodes
MOST = 4  # results


def shared(program):
    """Returns the Shared part of the methods of a Program, or None where they have no one part in common."""
    users = {}
    for method, part in program.by_method().items():
        for node in part.nodes.values():
            if node.value is None and node.name not in program.fed:
                users.setdefault(node.name, set()).add(method)
    several = set().union(*(methods for methods in users.values() if len(methods) > 1))
    # What a node needs is used by all that use the node.
    nodes = {name for name, methods in users.items() if methods == several}
    if len(nodes) < FEWEST:
        return None
    read = [s for node in program.nodes.values() if node.name not in nodes for s in node.inputs]
    results = dict.fromkeys(s for s in [*read, *program.outputs.values()] if s[0] in nodes)
    if len(results) > MOST:
        return None
    called, taken = {**program.words, **{source: key for key, source in program.outputs.items()}}, set()
    outputs = {names.free(called.get(s) or names.local(s[0]), taken): s for s in results}
    word = next(iter(outputs)) if len(outputs) == 1 and next(iter(results)) in called else "forward"
    return Shared(names.free(word, {*program.methods, *names.MODULE}), outputs, nodes)
