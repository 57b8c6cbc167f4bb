"""Modules as classes: scopes of the same structure become one class, and differences become arguments."""

import collections
import re
from dataclasses import dataclass, field

import tensorflow as tf

from tf1ref.port import literals, loops, names
from tf1ref.port.bodies import HOLE, Body, Holes, Statement, length
from tf1ref.port.expressions import Expression
from tf1ref.port.flow import unrolled
from tf1ref.port.nodes import Node

# npz has no other small types. Values of such types are stored as these, bit for bit.
BITS = {1: tf.uint8, 2: tf.uint16, 4: tf.uint32}
ODD = (tf.bfloat16, tf.qint8, tf.quint8, tf.qint16, tf.quint16, tf.qint32)
# An argument of a call that is left out where it has the default of its class: default, words, number of the hole.
OPTION = re.compile("\ue002([^\ue003]*)\ue003(, \\w+=\ue000(\\d+)\ue001)")
LETTERS = ("x", "y", "z")


@dataclass
class Written:
    """A tree.Module as text with holes. `init`, `body`: Statements. `result`: the text that it returns.

    methods: for the root, {name: (its body, {key: text})}.
    """

    module: object
    prefix: str
    parameters: list
    init: list
    body: list
    result: str
    holes: Holes
    methods: dict = field(default_factory=dict)

    def skeleton(self):
        """Returns what two modules of one class have in common."""
        lines = [(s.text, s.indent) for s in [*self.init, *self.body]]
        return tuple(self.parameters), tuple(lines), self.result, tuple(k for k, _ in self.holes.found)


@dataclass
class Class:
    """A class to write. `arguments`: {name: hole numbers}. `constants`: {hole number: text}.

    defaults: {argument: text} of those that most members have alike.
    """

    name: str
    members: list
    arguments: dict = field(default_factory=dict)
    constants: dict = field(default_factory=dict)
    defaults: dict = field(default_factory=dict)

    def filled(self, text):
        """Returns `text` with its holes filled. What differs between members becomes self.<argument>."""
        text = OPTION.sub(lambda m: "" if self.constants[int(m[3])] == m[1] else m[2], text)
        return HOLE.sub(lambda m: self.constants[int(m[1])], text)

    def argument(self, name, text):
        """Returns ", name=text" for a call, to be left out where a hole `text` is filled with the default."""
        return f"\ue002{self.defaults[name]}\ue003, {name}={text}" if name in self.defaults else f", {name}={text}"

    @property
    def parameters(self):
        """Returns the parameters of __init__ as text, those without a default first."""
        found = sorted(self.arguments, key=lambda name: name in self.defaults)
        return [f"{name}={self.defaults[name]}" if name in self.defaults else name for name in found]

    def given(self, member):
        """Returns [(argument, text)] of the arguments that make `member`."""
        return [(name, member.holes.found[numbers[0]][1]) for name, numbers in self.arguments.items()]

    def comment(self, i):
        """Returns the shape after statement `i`. A size that differs between the members is unknown."""
        shapes = [member.body[i].comment for member in self.members]
        if len({len(s) for s in shapes}) != 1 or not shapes[0]:
            return ""
        sizes = [column[0] if len(set(column)) == 1 else "?" for column in zip(*shapes)]
        return f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"


def classes(root, program, root_names):
    """Returns (the Classes of all modules but the root, each after those that it needs; the root's Class).

    root_names: {source: name} of the inputs of the program.
    """
    levels, of, found, taken = {}, {}, [], {"Model"}
    _levels(root, levels)
    for level in sorted(levels):
        groups = {}
        for module in levels[level]:
            given = root_names if module is root else dict(zip(module.inputs, _letters(len(module.inputs))))
            written = _written(module, program, given, of)
            groups.setdefault(written.skeleton(), []).append(written)
        for members in groups.values():
            word = names.class_name([m.module.scope for m in members])
            made = _class("Model" if members[0].module is root else names.free(word, taken), members)
            found.append(made)
            of.update((id(w.module), (made, w)) for w in members)
    return found[:-1], found[-1]


def _levels(module, levels):
    # Of a scope that is called several times one call is written.
    children = [child for child in module.children if child.rep is None or child.rep is child]
    height = 1 + max((_levels(child, levels) for child in children), default=-1)
    levels.setdefault(height, []).append(module)
    return height


def _letters(count):
    return LETTERS[:count] if count <= len(LETTERS) else [f"x{i + 1}" for i in range(count)]


def _class(name, members):
    made, taken, same = Class(name, members), {"arrays", "scope", "self"}, {}
    for i, (keyword, text) in enumerate(members[0].holes.found):
        texts = tuple(m.holes.found[i][1] for m in members)
        if len(set(texts)) == 1:
            made.constants[i] = text
            continue
        if (keyword, texts) not in same:
            attribute = names.attribute(keyword)
            taken_here = taken | {s.text.partition(" = ")[0].removeprefix("self.") for s in members[0].init}
            same[keyword, texts] = names.free(attribute, taken_here)
            taken.add(same[keyword, texts])
        argument = same[keyword, texts]
        made.arguments.setdefault(argument, []).append(i)
        text, count = collections.Counter(texts).most_common(1)[0]
        if count * 2 > len(texts) and not HOLE.search(text):
            made.defaults[argument] = text
        made.constants[i] = f"self.{argument}"
    return made


def _written(module, program, given, of):
    root = not module.scope
    methods = program.by_method() if root else {}
    holes, taken, prefix = Holes(), {"arrays", "scope", *methods}, _prefix(module)
    init, values = [], dict(given)
    words_ = {name: word for (name, index), word in program.words.items() if not index} if root else {}
    called = {weight.name: names.of_variable(weight.name, words_) for weight in module.weights}
    distinct = names.distinct(list(called.values()))
    for weight in module.weights:
        attribute = names.free_attribute(distinct[called[weight.name]], taken)
        init.append(Statement(f"self.{attribute} = {_weight(weight, program, prefix, root)}"))
        values[weight.name, 0] = f"self.{attribute}"
    made = _Made(program, values, holes, of, prefix, root, taken, init, {})
    written = Written(module, prefix, list(given.values()), init, [], "", holes)
    if not root:
        body = made.body(module.items, module.outputs, given.values())
        written.body, written.result = body.statements, ", ".join(body.needed(source) for source in module.outputs)
        return written
    planned, shared = not program.overlaps, program.shared
    for method, part in methods.items():
        words, common = [given[source] for source in part.inputs.values()], {}
        own = set(part.nodes)
        if shared and method != shared.name and shared.nodes & own:
            own, common = own - shared.nodes, shared.outputs
        items = [item for item in module.items if _everything(item)[0].name in own]
        before = [given[source] for source in methods[shared.name].inputs.values()] if common else []
        call = f"self.{shared.name}({', '.join(before)})" if common else ""
        alone = planned or (shared is not None and method == shared.name)
        body = made.body(items, list(part.outputs.values()), words, alone, common, call)
        results = {key: body.needed(source) for key, source in part.outputs.items()}
        written.methods[method] = body.statements, results
    written.body = [s for body, _ in written.methods.values() for s in body]
    return written


def _everything(item):
    return [item] if isinstance(item, Node) else item.everything()


@dataclass
class _Made:
    """What the methods of one class share. `attributes`: {id of a child: its attribute}."""

    program: object
    values: dict
    holes: Holes
    of: dict
    prefix: str
    root: bool
    taken: set
    init: list
    attributes: dict

    def body(self, items, outputs, words, planned=True, common=None, call=""):
        """Returns the Body that computes `items`. planned: turns layers in a row into a loop.

        common: {word: source} of what the text `call` returns, with which the Body begins.
        """
        uses = _uses(items, outputs)
        body = Body(self.program.every(), self.values, self.holes, uses, words)
        if self.root:
            body.words.update(self.program.words)
        if common:
            body.words.update((source, word) for word, source in common.items())
            body.say(f"{', '.join(body.local(source) for source in common.values())} = {call}")
        items = loops.planned(items, self.of, uses) if planned else items
        for item in unrolled.planned(items, self.program):
            if isinstance(item, Node):
                body.add(item)
            elif isinstance(item, unrolled.Turns):
                unrolled.write(item, [self._attribute(child) for child in item.turn(0)], body)
            elif isinstance(item, loops.Run):
                made, attributes = loops.construct(item, self.of, self.prefix, self.root, self.taken, self.holes)
                self.init += made
                loops.loop(item, attributes, body)
            else:
                _call(body, item, self._attribute(item))
        return body

    def _attribute(self, child):
        child = child.rep or child
        if id(child) not in self.attributes:
            attribute = self.attributes[id(child)] = names.free_attribute(child.scope, self.taken)
            made = _construction(*self.of[id(child)], self.prefix, self.root, self.holes)
            self.init.append(Statement(f"self.{attribute} = {made}"))
        return self.attributes[id(child)]


def _uses(items, outputs):
    """Returns how often each tensor is read: by a Node, by a child as a whole, or as a result."""
    found = {}
    for source in [*(source for item in items for source in item.inputs), *outputs]:
        found[source] = found.get(source, 0) + 1
    return found


def _call(body, child, attribute):
    found = [body.writer.tensor(source) for source in child.inputs]
    if any(length(e.text) > 40 or e.depth > 1 for e in found):
        body.name_all(child.inputs)
        found = [body.writer.tensor(source) for source in child.inputs]
    text = f"self.{attribute}({', '.join(e.text for e in found)})"
    depth = 1 + max((e.depth for e in found), default=0)
    if len(child.outputs) == 1:
        body.keep(child.outputs[0], Expression(text, depth=depth))
        return
    targets = [body.local(source) if body.used.get(source) else "_" for source in child.outputs]
    body.statements.append(Statement(f"{', '.join(targets)} = {text}"))


def _prefix(module):
    """Returns the scope of all weights of `module`, with a slash at its end."""
    parts = [w.name.split("/")[:-1] for w in module.all_weights()]
    common = parts[0] if parts else []
    for other in parts[1:]:
        count = next((i for i, (x, y) in enumerate(zip(common, other)) if x != y), min(len(common), len(other)))
        common = common[:count]
    return "".join(p + "/" for p in common) if module.scope else ""


def _name(name, prefix, root):
    text = literals.quoted(name.removeprefix(prefix))
    if root:
        return text
    return f"scope + {text}" if name != prefix else "scope"


def _weight(weight, program, prefix, root):
    name, kind = _name(weight.name, prefix, root), weight.dtypes[0]
    if kind in ODD:
        value = f"tf.bitcast(arrays[{name}], {literals.dtype(kind)})"
        return f"tf.Variable({value}, name={name})" if weight.name in program.trained else value
    return f"variable(arrays, {name})" if weight.name in program.trained else f"tf.constant(arrays[{name}])"


def _construction(made, written, prefix, root, holes):
    words = f"{made.name}(arrays, {_name(written.prefix, prefix, root)}"
    words += "".join(made.argument(name, holes.mark(name, text)) for name, text in made.given(written))
    return f"{words})"
