"""Cells that a script calls several times in one scope, as at each step of static_rnn, and the loop of the calls."""

import math
from dataclasses import dataclass

from tf1ref.port import names

FEWEST = 3  # fewer turns get no loop
LISTS = ("Unpack", "Split")
PERIODS = (1, 2, 3, 4)  # how many cells one turn of a loop may have


def divided(nodes, program):
    """Returns the calls that the Nodes of one scope are, each as a list in the same order, or an empty list.

    TensorFlow counts the ops of a scope: the second call of a cell has MatMul_1, where the first has MatMul.
    """
    by_name = {}
    for node in nodes:
        word = names.COUNTER.sub("", node.name)
        by_name.setdefault(word, []).append((int(node.name[len(word) + 1 :] or 0), node))
    if any(node.parts for node in nodes) or not any(_weight(s, program) for node in nodes for s in node.inputs):
        return []
    most = math.gcd(*map(len, by_name.values()))
    for count in range(most, 1, -1):
        if most % count:
            continue
        found = [[] for _ in range(count)]
        for counted in by_name.values():
            each = len(counted) // count
            for i, (_, node) in enumerate(sorted(counted, key=lambda pair: pair[0])):
                found[i // each].append(node)
        if len({_said(call, program) for call in found}) == 1:
            return found
    return []


def shared(nodes, program):
    """Returns [(scope, calls)] of scopes that differ in a counter and read the same weights, as with reuse=True."""
    readers = {}
    for node in nodes:
        for source in node.inputs:
            if _weight(source, program):
                readers.setdefault(source[0], set()).add(node.name.rpartition("/")[0])
    tops = dict.fromkeys(_tops(scopes) for scopes in readers.values())
    found = []
    for scopes in filter(None, tops):
        calls = [[n for n in nodes if n.name.startswith(scope + "/")] for scope in scopes]
        for call, scope in zip(calls, scopes):
            call.sort(key=lambda node, scope=scope: node.name[len(scope) :])
        plain = len(calls[0]) > 1 and not any(node.parts for call in calls for node in call)
        if plain and len({_said(call, program) for call in calls}) == 1:
            found.append((scopes[0], calls))
    return found


def _tops(scopes):
    """Returns the scopes up to the part in which they differ, when that is a counter, or None."""
    parts = [scope.split("/") for scope in scopes]
    at = next((i for i, column in enumerate(zip(*parts)) if len(set(column)) > 1), None)
    if at is None or len({names.COUNTER.sub("", p[at]) for p in parts}) > 1:
        return None
    return tuple(sorted({"/".join(p[: at + 1]) for p in parts}, key=lambda scope: (len(scope), scope)))


def representative(calls, program):
    """Returns the index of the call whose inputs differ most: the first may start from one tensor twice.

    Returns -1 where another call tells inputs apart that this one does not.
    """
    patterns = [_pattern(call, program) for call in calls]
    best = max(range(len(calls)), key=lambda i: len(set(patterns[i])))
    fits = all(len(set(zip(patterns[best], other))) == len(set(patterns[best])) for other in patterns)
    return best if fits else -1


def ends(modules, outside):
    """Gives modules that are calls of one cell the inputs and outputs of the first of them, in their places.

    modules: the representative first. outside: the sources that something else reads.
    """
    first, wanted = modules[0], set()
    at = {node.name: i for i, node in enumerate(first.aligned)}
    for module in modules:
        mine = {node.name: i for i, node in enumerate(module.aligned)}
        wanted |= {(mine[name], index) for name, index in outside if name in mine}
    places = [
        next((at[n.name], i) for n in first.everything() for i, s in enumerate(n.inputs) if s == source)
        for source in first.inputs
    ]
    for module in modules:
        module.inputs = [module.aligned[node].inputs[i] for node, i in places]
        module.outputs = [(module.aligned[node].name, index) for node, index in sorted(wanted)]


def _weight(source, program):
    return program.nodes[source[0]].weight


def _said(call, program):
    """Returns what two calls of one cell have in common."""
    at = {node.name: i for i, node in enumerate(call)}
    found = []
    for node in call:
        attrs = {k: v.SerializeToString(deterministic=True) for k, v in node.attrs.items() if k[0] != "_"}
        inputs = [(at[name], i) if name in at else _outer(program.nodes[name]) for name, i in node.inputs]
        found.append((node.op, tuple(sorted(attrs.items())), tuple(inputs)))
    return tuple(found)


def _outer(node):
    if node.weight:
        return node.name
    return None if node.value is None else (str(node.value.dtype), node.value.shape, node.value.tobytes())


def _pattern(call, program):
    """Returns the sources from outside that a call reads, in their order."""
    mine = {node.name for node in call}
    return [s for node in call for s in node.inputs if s[0] not in mine and _outer(program.nodes[s[0]]) is None]


@dataclass
class Turns:
    """Calls of cells that repeat every `period`. carried: {(call, output): the source with which it starts}.

    elements: {(call, input): the node whose outputs they are}. Other inputs are the same in each turn.
    """

    calls: list
    period: int
    carried: dict
    elements: dict

    def turn(self, number):
        """Returns the calls of one turn."""
        return self.calls[number * self.period : (number + 1) * self.period]


def planned(items, program):
    """Returns `items` with Turns in place of calls that repeat. items: Nodes and Modules, in their order."""
    found, at = [], 0
    while at < len(items):
        options = (_turns(items, at, period, program) for period in PERIODS)
        best = next((o for o in options if o), None)
        found.append(best or items[at])
        at += len(best.calls) if best else 1
    return found


def _turns(items, at, period, program):
    """Returns the Turns that begin at `at`, or None."""
    cells = [getattr(item, "rep", None) for item in items[at:]]
    count = 0
    while count < len(cells) and cells[count] is not None and cells[count] is cells[count % period]:
        count += 1
    count //= period
    if count < FEWEST or (period > 1 and len({id(c) for c in cells[:period]}) < period):
        return None
    turns = Turns(items[at : at + count * period], period, {}, {})
    for call in range(period):
        for i in range(len(cells[call].inputs)):
            if not _place(turns, call, i, count, program):
                return None
    return turns


def _place(turns, call, i, count, program):
    """Finds where an input comes from in each turn; returns False when that is no loop."""
    column = [turns.turn(t)[call].inputs[i] for t in range(count)]
    if len(set(column)) == 1:
        return True
    if any(all(column[t] in turns.turn(t)[other].outputs for t in range(count)) for other in range(call)):
        return True
    for other in range(call, turns.period):
        for j, _ in enumerate(turns.turn(0)[other].outputs):
            if all(column[t] == turns.turn(t - 1)[other].outputs[j] for t in range(1, count)):
                return turns.carried.setdefault((other, j), column[0]) == column[0]
    node = program.nodes[column[0][0]]
    elements = [(node.name, t) for t in range(count)]
    if node.op in LISTS and len(node.dtypes) == count and column == elements:
        turns.elements[call, i] = node.name
        return True
    return False


def write(turns, attributes, body):
    """Writes Turns as a loop into `body`. attributes: those of the cells of one turn."""
    _Loop(turns, attributes, body).write()


class _Loop:
    """The text of a loop. `names`: {(call, output): what the loop assigns}."""

    def __init__(self, turns, attributes, body):
        self.turns, self.attributes, self.body = turns, attributes, body
        self.count = len(turns.calls) // turns.period
        self.first, self.last = turns.turn(0), turns.turn(self.count - 1)
        # How often other code reads what the calls answer.
        self.left = dict(body.used)
        for call in turns.calls:
            for source in call.inputs:
                self.left[source] -= 1

    def write(self):
        """Writes what comes before the loop, the loop, and notes the names of its results."""
        body, turns = self.body, self.turns
        for call in self.first:
            body.name_all(call.inputs)
        self.names = {key: body.named(source) for key, source in turns.carried.items()}
        lists = self._lists()
        for name in lists.values():
            body.say(f"{name} = []")
        words = {name: names.free("x_t", body.taken) for name in dict.fromkeys(turns.elements.values())}
        over = [self._elements(name) for name in words]
        listed = over[0] if len(over) == 1 else f"zip({', '.join(over)})"
        body.say(f"for {', '.join(words.values())} in {listed}:" if words else f"for _ in range({self.count}):")
        for number in range(turns.period):
            self._call(number, words, lists)
        for (number, j), name in self.names.items():
            body.given[self.last[number].outputs[j]] = name
        for (number, j), name in lists.items():
            body.writer.lists[name] = self.count
            body.given.update((turns.turn(t)[number].outputs[j], f"{name}[{t}]") for t in range(self.count))

    def _lists(self):
        """Returns {(call, output): name of a list} of what is read of other turns than the last."""
        found = {}
        for number, cell in enumerate(self.first):
            for j in range(len(cell.outputs)):
                before = [self.turns.turn(t)[number].outputs[j] for t in range(self.count - 1)]
                if any(self.left.get(source, 0) > 0 for source in before):
                    found[number, j] = names.free("outputs", self.body.taken)
        return found

    def _elements(self, name):
        """Returns the text of the list of a node's outputs."""
        texts = [self.body.given[name, i] for i in range(self.count)]
        return self.body.writer.listed(texts)

    def _call(self, number, words, lists):
        cell, body, found = self.first[number], self.body, []
        for i, source in enumerate(cell.inputs):
            inner = [(q, c.outputs.index(source)) for q, c in enumerate(self.first[:number]) if source in c.outputs]
            before = [key for key in self.turns.carried if self._follows(key, number, i)]
            if (number, i) in self.turns.elements:
                found.append(words[self.turns.elements[number, i]])
            elif inner or before:
                found.append(self.names[(inner or before)[0]])
            else:
                found.append(body.needed(source))
        targets = []
        for j, source in enumerate(cell.outputs):
            key = number, j
            inner = any(source in other.inputs for other in self.first[number + 1 :])
            if key not in self.names and (inner or key in lists or self.left.get(self.last[number].outputs[j], 0) > 0):
                self.names[key] = body.local(source)
            targets.append(self.names.get(key, "_"))
        body.say(f"{', '.join(targets)} = self.{self.attributes[number]}({', '.join(found)})", 1)
        for (q, j), name in lists.items():
            if q == number:
                body.say(f"{name}.append({self.names[q, j]})", 1)

    def _follows(self, key, number, i):
        """Returns whether input `i` of a call is the output `key` of the turn before."""
        return self.turns.turn(1)[number].inputs[i] == self.turns.turn(0)[key[0]].outputs[key[1]]
