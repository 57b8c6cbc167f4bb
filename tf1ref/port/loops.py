"""Layers of one class, each fed by the one before, as a list and a loop over it."""

import re
from dataclasses import dataclass

from tf1ref.port import literals, names
from tf1ref.port.bodies import Statement
from tf1ref.port.nodes import Node

FEWEST = 3  # fewer layers get no loop
PERIODS = (1, 2, 3, 4)  # how many layers one turn of a loop may have
PLAIN = re.compile(r"[\w/.-]*", re.ASCII)


@dataclass
class Run:
    """Children of a tree.Module, one after the other, whose classes repeat every `period` children."""

    children: list
    period: int

    @property
    def inputs(self):
        """Returns the inputs of the first child."""
        return self.children[0].inputs

    def numbered(self, of):
        """Returns how many of the lists have scopes that count up, and one more when all start at the same number."""
        lists = [[of[id(c)][1].module.scope for c in self.children[k :: self.period]] for k in range(self.period)]
        found = [_numbered(scopes) for scopes in lists if scopes]
        return sum(f is not None for f in found) + (len({f and f[1] for f in found}) == 1)


def planned(items, of, used):
    """Returns `items` with Runs in place of repeated children. `of`: {id of a child: (Class, Written)}."""
    found, at = [], 0
    while at < len(items):
        best = _longest(items, at, of, used)
        # The first layer may only look like the next ones: conv_0, then (conv_1a, conv_1b), ...
        later = _longest(items, at + 1, of, used)
        waits = len(later.children) >= len(best.children) and later.numbered(of) > best.numbered(of)
        if len(best.children) >= max(FEWEST, 2 * best.period) and not waits:
            found.append(best)
            at += len(best.children)
        else:
            found.append(items[at])
            at += 1
    return found


def _longest(items, at, of, used):
    return max((_run(items, at, period, of, used) for period in PERIODS), key=lambda r: len(r.children))


def _run(items, at, period, of, used):
    """Returns the longest Run of whole turns that begins at `at`."""
    children = []
    for item in items[at:]:
        if isinstance(item, Node) or item.rep or len(item.inputs) != 1 or len(item.outputs) != 1:
            break
        if children and (item.inputs != children[-1].outputs or used.get(item.inputs[0]) != 1):
            break
        if len(children) >= period and of[id(item)][0] is not of[id(children[-period])][0]:
            break
        children.append(item)
    return Run(children[: len(children) // period * period], period)


def construct(run, of, prefix, root, taken, holes):
    """Returns (Statements that make the lists of a Run's layers, the attributes of the lists)."""
    statements, attributes = [], []
    for k in range(run.period):
        layers = [of[id(child)] for child in run.children[k :: run.period]]
        attribute = names.free_attribute(_common(layers), taken)
        attributes.append(attribute)
        statements.append(Statement(f"self.{attribute} = [{_layers(layers, prefix, root, holes)}]"))
    return statements, attributes


def loop(run, attributes, body):
    """Writes the loop over the lists `attributes` into `body`."""
    source = run.inputs[0]
    value = body.named(source)
    words = [names.free(names.local(a), body.taken) for a in attributes]
    lists = [f"self.{a}" for a in attributes]
    over = f"zip({', '.join(lists)})" if len(lists) > 1 else lists[0]
    body.statements.append(Statement(f"for {', '.join(words)} in {over}:"))
    call = value
    for word in words:
        call = f"{word}({call})"
    body.statements.append(Statement(f"{value} = {call}", indent=1))
    body.given[run.children[-1].outputs[0]] = value


def _layers(layers, prefix, root, holes):
    """Returns the text between the brackets of a list of layers.

    It is a comprehension over a number when the scopes have one.
    """
    rests = [written.prefix.removeprefix(prefix) for _, written in layers]
    given = [made.given(written) for made, written in layers]
    columns = {name: [dict(row)[name] for row in given] for name, _ in given[0]}
    numbered = _numbered(rests)
    made, fixed = layers[0][0], all(len(set(texts)) == 1 for texts in columns.values())
    if numbered is None and fixed and all(rests) and all(PLAIN.fullmatch(rest) for rest in rests):
        options = "".join(made.argument(name, holes.mark(name, texts[0])) for name, texts in columns.items())
        names_ = holes.mark("names", f"[{', '.join(map(literals.quoted, rests))}]")
        return f"{made.name}(arrays, {'name' if root else 'scope + name'}{options}) for name in {names_}"
    if numbered is None:
        return ", ".join(
            _call(made, rest, [(n, holes.mark(n, t)) for n, t in row], root)
            for (made, _), rest, row in zip(layers, rests, given)
        )
    head, first, tail = numbered
    fixed = {name: holes.mark(name, texts[0]) for name, texts in columns.items() if len(set(texts)) == 1}
    lists = {n: holes.mark(n, f"[{', '.join(texts)}]") for n, texts in columns.items() if n not in fixed}
    scope = f'f"{head}{{i}}{tail}"'
    options = "".join(made.argument(n, fixed[n]) if n in fixed else f", {n}={n}" for n in columns)
    numbers = f"range({first}, {first + len(layers)})" if first else f"range({len(layers)})"
    over = f"i, {', '.join(lists)} in zip({numbers}, {', '.join(lists.values())})" if lists else f"i in {numbers}"
    return f"{made.name}(arrays, {scope if root else f'scope + {scope}'}{options}) for {over}"


def _call(made, rest, row, root):
    scope = literals.quoted(rest) if root or not rest else f"scope + {literals.quoted(rest)}"
    scope = scope if rest or root else "scope"
    return f"{made.name}(arrays, {scope}{''.join(made.argument(n, t) for n, t in row)})"


def _numbered(rests):
    """Returns (head, first number, tail) of texts head + number + tail with consecutive numbers, else None."""
    if not all(PLAIN.fullmatch(rest) for rest in rests):
        return None
    for found in re.finditer(r"\d+", rests[0]):
        head, first, tail = rests[0][: found.start()], int(found[0]), rests[0][found.end() :]
        if rests == [f"{head}{first + i}{tail}" for i in range(len(rests))]:
            return head, first, tail
    return None


def _common(layers):
    """Returns a name for layers: what the last parts of their scopes have in common."""
    scopes = [written.module.scope for _, written in layers]
    first, *others = (names.identifier(s.rsplit("/", 1)[-1]).split("_") for s in scopes)
    words = [w for w in first if not w.isdigit() and all(w in other for other in others)]
    return "_".join(words) or layers[0][0].name
