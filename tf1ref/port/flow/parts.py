"""Parts of a graph: what some tensors need, in order, and what a part takes from outside."""

from tf1ref.errors import InputError


def needed(nodes, sources):
    """Returns those of {name: Node} from which `sources` are computed."""
    wanted, stack = set(), [name for name, _ in sources]
    while stack:
        name = stack.pop()
        if name in nodes and name not in wanted:
            wanted.add(name)
            stack += [source for source, _ in nodes[name].inputs]
    return {name: node for name, node in nodes.items() if name in wanted}


def ordered(nodes, where=""):
    """Returns {name: Node} with each node after what it reads, and otherwise in the given order.

    Raises InputError when they form a circle.
    """
    found, waiting = {}, set()
    for start in nodes:
        stack = [start]
        while stack:
            name = stack[-1]
            before = [s for s, _ in nodes[name].inputs if s in nodes and s not in found]
            if name in found or not before:
                found.setdefault(name, nodes[name])
                waiting.discard(stack.pop())
            elif name in waiting:
                raise InputError(f"{where}: damaged: {name} depends on itself")
            else:
                waiting.add(name)
                stack += before[::-1]
    return found


def written(node):
    """Returns True for a constant that is written out where it is read."""
    return node.value is not None and not node.weight


def captured(functions, nodes):
    """Returns the sources that the Parts take from outside. Constants that are written out move into the Parts."""
    found = {}
    for part in functions:
        own = {node.name for node in part.parameters}
        inside = [s for node in part.nodes.values() for s in node.inputs]
        for source in [*inside, *part.results]:
            if source[0] in part.nodes or source[0] in own:
                continue
            if source[0] in nodes and written(nodes[source[0]]):
                part.nodes = {source[0]: nodes[source[0]], **part.nodes}
            else:
                found[source] = None
    return list(found)


def everything(nodes):
    """Returns {name: Node} of `nodes` and of all nodes inside them."""
    found = dict(nodes)
    for node in nodes.values():
        for part in node.parts:
            found.update(everything(part.nodes))
            found.update((parameter.name, parameter) for parameter in part.parameters)
    return found


def replace(part, new):
    """Puts {source: source} in the place of what the nodes of `part`, and those within, read."""
    for node in part.nodes.values():
        node.inputs = [new.get(source, source) for source in node.inputs]
        for inner in node.parts:
            replace(inner, new)
    part.results = [new.get(source, source) for source in part.results]


def free(name, taken):
    """Returns `name`, or the first of `name_1`, `name_2`, ... that is not in `taken`."""
    found, count = name, 0
    while found in taken:
        count += 1
        found = f"{name}_{count}"
    return found
