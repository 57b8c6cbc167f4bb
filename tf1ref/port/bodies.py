"""The statements of one function: nodes in their order, where short ones are written inside those that read them."""

import re
from dataclasses import dataclass, field

import tensorflow as tf

from tf1ref.port import calls, literals, names, raw
from tf1ref.port.expressions import DROPOUT, LOSSES, PARSES, Expression, Writer
from tf1ref.port.flow import functions

DEEPEST = 2  # the most calls inside calls
LONGEST = 84  # a value may be written into a statement of at most this many characters
# Results of one call that get a name each. The rows of an array stay a list earlier.
MOST_TARGETS, MOST_ROWS = 8, 3
HOLE = re.compile("\ue000(\\d+)\ue001")
HOLE_WIDTH = 6


@dataclass
class Statement:
    """The statement `targets = text  # comment`. `indent`: steps further in than the function's first line."""

    text: str
    comment: tuple = ()
    indent: int = 0


@dataclass
class Holes:
    """Literals of a class that differ between its instances: [(keyword, text)].

    The text has numbered marks for them.
    """

    found: list = field(default_factory=list)

    def mark(self, keyword, text):
        """Notes a literal and returns its mark."""
        self.found.append((keyword, text))
        return f"\ue000{len(self.found) - 1}\ue001"

    def filled(self, text):
        """Returns `text` with its literals in the place of their marks."""
        return HOLE.sub(lambda m: self.found[int(m[1])][1], text)


def length(text):
    """Returns the approximate length of `text` when its holes are filled."""
    return len(HOLE.sub("x" * HOLE_WIDTH, text))


class Body:
    """Writes `nodes` as statements. `given`: {source: text} of the function's values. `used`: {source: times read}."""

    def __init__(self, every, given, holes, used, taken=()):
        self.every, self.given, self.holes, self.used = every, dict(given), holes, used
        self.taken = set(taken) | {text for text in given.values() if text.isidentifier()}
        self.pending, self.statements, self.words = {}, [], {}
        self.writer = Writer(self.value, self.constant, holes.mark, self.kind)

    def kind(self, source):
        """Returns (DType, TensorShape) of a tensor."""
        node = self.every[source[0]]
        return node.dtypes[source[1]], node.shapes[source[1]]

    def constant(self, source):
        """Returns the array of a constant that is written out, or None for another source."""
        node = self.every[source[0]]
        return None if source in self.given or node.weight or node.value is None else node.value

    def value(self, source):
        """Returns the Expression of a tensor that this function has."""
        if source in self.pending:
            return self.pending[source]
        if source in self.given:
            return Expression(self.given[source])
        return Expression(self.holes.mark("value", literals.constant(self.constant(source), self.kind(source)[0])))

    def add(self, node):
        """Writes one Node."""
        if node.parts:
            functions.write(self, node)
            return
        expression = self.writer.expression(node)
        while expression.depth > DEEPEST or length(expression.text) > LONGEST:
            if not self._name_one(node.inputs):
                break
            expression = self.writer.expression(node)
        self.consume(node.inputs)
        self.result(node, expression)

    def within(self, parameters, used, taken):
        """Returns the Body of a function inside this one. `parameters`: {source: name}."""
        return Body(self.every, {**self.given, **parameters}, self.holes, used, taken)

    def say(self, text, indent=0):
        """Writes a line of its own."""
        self.statements.append(Statement(text, indent=indent))

    def consume(self, sources):
        """Forgets the expressions of `sources`, which now stand inside their only reader."""
        for source in sources:
            self.pending.pop(source, None)

    def result(self, node, expression):
        """Names the result of `expression`, or keeps the expression for its only reader."""
        sources = [(node.name, i) for i in range(len(node.dtypes))]
        flat = not node.op.startswith("tf.") and raw.unpacks(node)
        parts = [f"[{key}]" for key in node.attrs["features"]] if node.op in PARSES else [""]
        parts = parts if node.op.startswith("tf.") else raw.parts(node)
        read = [i for i, source in enumerate(sources) if self.used.get(source)]
        if len(read) == 1:
            part = parts[read[0]]
            whole = Expression(expression.inside(9) + part, 9, expression.depth) if part else expression
            self.keep(sources[read[0]], whole, once=not _stateful(node))
        elif read and flat and len(sources) <= (MOST_ROWS if node.op == "Unpack" else MOST_TARGETS):
            targets = [self.local(source) if self.used.get(source) else "_" for source in sources]
            self.statements.append(Statement(f"{', '.join(targets)} = {expression.text}"))
        else:
            target = names.free(names.local(node.name), self.taken)
            self.statements.append(Statement(f"{target} = {expression.text}"))
            self.given.update((source, target + part) for source, part in zip(sources, parts))

    def keep(self, source, expression, once=True):
        """Makes `expression` the value of `source`: kept for its only reader, or under a name."""
        if once and self.used.get(source) == 1:
            self.pending[source] = expression
        else:
            self._assign(source, expression.text)

    def keep_call(self, source, text):
        """Keeps a call as `keep` does. The call is not a part of another expression."""
        if self.used.get(source) == 1 and length(text) <= LONGEST:
            self.pending[source] = Expression(text, depth=DEEPEST)
        else:
            self.say(f"{self.local(source)} = {text}")

    def named(self, source):
        """Returns a name that holds `source` and may be assigned again, because nothing else reads it."""
        if source in self.pending:
            self._assign(source, self.pending.pop(source).text)
        text = self.given.get(source)
        if text and text.isidentifier() and self.used.get(source) == 1:
            return text
        text = self.needed(source)
        name = self.local(source)
        self.statements.append(Statement(f"{name} = {text}"))
        return name

    def needed(self, source):
        """Returns the text of a tensor in a place that needs a plain value, such as a result."""
        return self.writer.tensor(source, "value").text

    def name_all(self, sources):
        """Gives a name to each of `sources` that is still an expression."""
        while self._name_one(sources):
            pass

    def _name_one(self, sources):
        """Turns the longest pending expression among `sources` into a statement. Returns False without any."""
        waiting = [s for s in dict.fromkeys(sources) if s in self.pending]
        if not waiting:
            return False
        source = max(waiting, key=lambda s: (self.pending[s].depth, length(self.pending[s].text)))
        self._assign(source, self.pending.pop(source).text)
        return True

    def _assign(self, source, text):
        node = self.every[source[0]]
        before = self.kind(node.inputs[0])[1] if node.inputs else tf.TensorShape(None)
        shape = node.shapes[source[1]]
        comment = _shape(shape) if shape.rank and (before.rank is None or _shape(before) != _shape(shape)) else ()
        self.statements.append(Statement(f"{self.local(source)} = {text}", comment))

    def local(self, source):
        """Returns a new name for `source`, which is used from now on. `words` has preferred names."""
        node = self.every[source[0]]
        word = calls.output(node.op, source[1]) or names.local(source[0])
        word = "tensor_array" if node.op.startswith("tf.TensorArray") else word
        word = {**dict.fromkeys(LOSSES, "cross_entropy"), DROPOUT: "dropout"}.get(node.op, word)
        given = self.words.get(source, word)
        name = names.free(word if given in self.taken | names.RESERVED else given, self.taken)
        self.given[source] = name
        return name


def _shape(shape):
    sizes = shape.as_list()
    return tuple(("B" if i == 0 else "?") if n is None else str(n) for i, n in enumerate(sizes))


def _stateful(node):
    return {"seed", "seed2"} <= node.attrs.keys()
