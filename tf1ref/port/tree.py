"""Scopes as modules: which scopes of a graph become a tf.Module with a call, and what the call takes and returns."""

from dataclasses import dataclass, field

from tf1ref.port.flow import unrolled
from tf1ref.port.names import COUNTER
from tf1ref.port.nodes import Node


@dataclass
class Module:
    """A scope that becomes a tf.Module. `items`: Nodes and Modules in the order of computation.

    weights: Nodes of its own variables and large constants. inputs, outputs: the tensors that its call takes and
    returns.

    rep: the Module that stands for all calls of a scope that is called several times. aligned: the nodes in the order
    that all these calls have.
    """

    scope: str
    nodes: list = field(default_factory=list)
    children: list = field(default_factory=list)
    weights: list = field(default_factory=list)
    items: list = field(default_factory=list)
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    rep: object = None
    aligned: list = field(default_factory=list)

    def everything(self):
        """Returns the computing Nodes of this scope and of the scopes inside."""
        return [*self.nodes, *(node for child in self.children for node in child.everything())]

    def all_weights(self):
        """Returns the weights of this scope and of the scopes inside."""
        return [*self.weights, *(w for child in self.children for w in child.all_weights())]


def tree(program):
    """Returns the root Module of a Program."""
    fed = {name for name, _ in program.inputs.values()}
    computing = [n for n in program.nodes.values() if n.value is None and n.name not in fed]
    order = {node.name: i for i, node in enumerate(computing)}
    owners = _owners(program, computing)
    scopes = sorted({s for owner in owners.values() for s in _above(owner)} - {""})
    places = {node.name: _place(node.name, set(scopes)) for node in computing}
    following = _Following(_following(program, order), _methods(program), program)
    root = _grown(Module("", nodes=computing), [s for s in scopes if s], places, following)
    if not root.nodes and len(root.children) == 1:
        root.nodes, root.children = root.children[0].nodes, root.children[0].children
    modules = {}
    _index(root, modules)
    called = {name: c.rep for c in root.children if c.rep for n in c.nodes for name, _ in n.inputs}
    for weight, owner in owners.items():
        if weight in called:
            called[weight].weights.append(program.nodes[weight])
            continue
        module = next(modules[s] for s in [*_above(owner)[::-1], ""] if s in modules)
        module.weights.append(program.nodes[weight])
    _ends(root, program, order)
    return root


def _owners(program, computing):
    """Returns {weight: scope}: the deepest scope with all its readers, or the one named as the weight's scope."""
    found = {}
    for node in computing:
        for name, _ in node.inputs:
            if program.nodes[name].weight:
                parts = node.name.split("/")[:-1]
                found[name] = _common(found[name], parts) if name in found else parts
    for name, _ in program.outputs.values():
        if program.nodes[name].weight:
            found[name] = []
    return {name: "/".join(parts[: _named_as(parts, name)]) for name, parts in found.items()}


def _named_as(parts, name):
    """Returns how many of the scope's `parts` lead to the last one with the name of the weight's scope."""
    own = name.split("/")[:-1]
    if not own:
        return len(parts)
    return next(
        (i + 1 for i in range(len(parts) - 1, -1, -1) if COUNTER.sub("", parts[i]) == COUNTER.sub("", own[-1])),
        len(parts),
    )


def _common(a, b):
    count = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return a[:count]


def _above(scope):
    """Returns ["a", "a/b"] for "a/b"."""
    parts = scope.split("/") if scope else []
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


def _place(name, scopes):
    """Returns the deepest of `scopes` that contains the node. The node "conv1" is in the scope "conv1"."""
    return next((s for s in _above(name)[::-1] if s in scopes), "")


class _Following(dict):
    """{node: what reads it}. `methods`: {node: names of the methods that compute it}. `program`: the Program."""

    def __init__(self, found, methods, program):
        super().__init__(found)
        self.methods, self.program = methods, program


def _methods(program):
    found = {}
    for name, part in program.by_method().items() if program.methods else ():
        for node in part.nodes:
            found[node] = (*found.get(node, ()), name)
    return found


def _following(program, order):
    found = {name: [] for name in order}
    for node in program.nodes.values():
        for source, _ in node.inputs:
            if source in found and node.name in order:
                found[source].append(node.name)
    return found


def _grown(module, scopes, places, following):
    """Moves nodes of `module` into children: scopes that can be computed as one step among the others."""
    names = {node.name for node in module.nodes}
    groups = {name: (name,) for name in names}
    candidates = [s for s in scopes if not any(s != o and s.startswith(o + "/") for o in scopes)]
    accepted, rest = [], set(scopes)
    calls = [] if module.scope else _shared(module.nodes, groups, following, names)
    called = {n.name for _, several in calls for call in several for n in call}
    while candidates:
        scope = candidates.pop(0)
        rest.discard(scope)
        inner = [s for s in rest if s.startswith(scope + "/")]
        nodes = [n for n in module.nodes if places[n.name] in (scope, *inner) and n.name not in called]
        own = [n for n in nodes if places[n.name] == scope]
        several = [] if inner else _several(own, groups, following, names)
        if several:
            calls.append((scope, several))
            groups.update(_grouped(several))
            continue
        only = not own and len(_top(inner)) == 1
        if not nodes or only or _reads_lists(nodes, following) or not _is_one_step(nodes, groups, following, names):
            candidates += sorted(_top(inner))
            continue
        accepted.append((scope, nodes, inner))
        group = tuple(n.name for n in nodes)
        groups.update(dict.fromkeys(group, group))
    taken = {n.name for _, nodes, _ in accepted for n in nodes}
    taken |= {n.name for _, several in calls for call in several for n in call}
    module.nodes = [n for n in module.nodes if n.name not in taken]
    module.children = [_grown(Module(s, nodes=n), sorted(i), places, following) for s, n, i in accepted]
    for scope, several in calls:
        module.children += _calls(scope, several, following.program)
    return module


def _several(nodes, groups, following, names):
    """Returns the calls that the nodes of one scope are, each of which is one step, or an empty list."""
    found = unrolled.divided(nodes, following.program)
    return found if found and _are_steps(found, groups, following, names) else []


def _are_steps(calls, groups, following, names):
    mine = {**groups, **_grouped(calls)}
    steps = all(_is_one_step(call, mine, following, names) for call in calls)
    return steps and unrolled.representative(calls, following.program) >= 0


def _grouped(calls):
    return {n.name: tuple(n.name for n in call) for call in calls for n in call}


def _shared(nodes, groups, following, names):
    """Returns [(scope, calls)] of scopes with the same weights, each call of which is one step."""
    accepted, taken = [], set()
    for scope, calls in unrolled.shared(nodes, following.program):
        found = _grouped(calls)
        if not taken & found.keys() and _are_steps(calls, groups, following, names):
            accepted.append((scope, calls))
            groups.update(found)
            taken |= found.keys()
    return accepted


def _calls(scope, several, program):
    """Returns a Module for each call of a scope."""
    made = [Module(scope, nodes=call, aligned=call) for call in several]
    rep = made[unrolled.representative(several, program)]
    for module in made:
        module.rep = rep
    return made


def _reads_lists(nodes, following):
    """Returns whether `nodes` read the elements of a list from outside: a module takes whole tensors."""
    mine = {n.name for n in nodes}
    read = [name for name, _ in {s for n in nodes for s in n.inputs} if name not in mine]
    lists = [name for name in read if following.program.nodes[name].op in unrolled.LISTS]
    return any(lists.count(name) >= unrolled.FEWEST for name in lists)


def _top(scopes):
    return [s for s in scopes if not any(s != o and s.startswith(o + "/") for o in scopes)]


def _is_one_step(nodes, groups, following, names):
    """Returns True when nothing outside of `nodes` both follows and precedes them, and the same methods use all."""
    inside = {n.name for n in nodes}
    if len({following.methods.get(name) for name in inside}) > 1:
        return False
    stack = [f for n in inside for f in following[n] if f not in inside and f in names]
    seen = set()
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        if name in inside:
            return False
        seen.update(groups[name])
        if inside & set(groups[name]):
            return False
        stack += [f for n in groups[name] for f in following[n] if f in names]
    return True


def _index(module, found):
    if module.rep is None or module.rep is module:
        found[module.scope] = module
    for child in module.children:
        _index(child, found)


def _ends(module, program, order):
    """Finds items, inputs and outputs of `module` and of the modules inside."""
    for child in module.children:
        _ends(child, program, order)
    everything = {node.name for node in module.everything()}
    owned = {w.name for w in module.all_weights()}
    read = dict.fromkeys(source for node in module.everything() for source in node.inputs)
    module.inputs = [s for s in read if s[0] not in everything | owned and _passed(program.nodes[s[0]])]
    outside = {s for n in program.nodes.values() if n.name not in everything for s in n.inputs}
    outside |= set(program.outputs.values())
    module.outputs = sorted((s for s in outside if s[0] in everything), key=lambda s: (order[s[0]], s[1]))
    _same_ends(module.children, program)
    module.items = _ordered(module, order)


def _same_ends(children, program):
    """Gives the calls of a scope the same inputs and outputs."""
    for rep in {id(c.rep): c.rep for c in children if c.rep}.values():
        calls = [rep, *(c for c in children if c.rep is rep and c is not rep)]
        inside = {n.name: call for call in calls for n in call.nodes}
        outside = {s for n in program.nodes.values() for s in n.inputs if inside.get(s[0]) is not inside.get(n.name)}
        unrolled.ends(calls, outside | set(program.outputs.values()))


def _passed(node):
    """Returns True for a tensor that a call must be given. Constants that are written out need not be."""
    return bool(node.weight) or node.value is None


def _ordered(module, order):
    """Returns nodes and children, each after what it reads, and otherwise in the order of the graph."""
    items = [*module.nodes, *module.children]
    inside = {id(item): [item] if isinstance(item, Node) else item.everything() for item in items}
    owner = {node.name: id(item) for item in items for node in inside[id(item)]}
    first = {id(item): min(order[n.name] for n in inside[id(item)]) for item in items}
    needs = {
        id(item): {owner[s] for n in inside[id(item)] for s, _ in n.inputs if s in owner} - {id(item)} for item in items
    }
    waiting, done, found = sorted(items, key=lambda item: first[id(item)]), set(), []
    while waiting:
        item = next(i for i in waiting if needs[id(i)] <= done)
        waiting.remove(item)
        done.add(id(item))
        found.append(item)
    return found
