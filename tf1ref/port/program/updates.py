"""What a training step does after its gradients: optimizers' kernels and assignments, as statements."""

from dataclasses import dataclass, field

from tf1ref.artifacts.graph import constants, graphs
from tf1ref.port import calls, names, raw
from tf1ref.port.bodies import Body, Holes, Statement
from tf1ref.port.nodes import Node
from tf1ref.port.program import clipping, reach, repeats

# A node of this op stands for what a step answers besides the model; its name is the key.
ANSWER = "answer"
PLAIN = ("Identity", "NoOp", "Const", "StopGradient")
SLOTS = {
    "var", "accum", "accum_update", "m", "v", "vhat", "ms", "mg", "mom", "linear", "gradient_accumulator",
    "gradient_squared_accumulator",
}  # fmt: skip
# How a loop calls the elements of lists of variables, by the last part of their names.
CALLED = {"ExponentialMovingAverage": "average"}


def gradients_word(call):
    """Returns the name of the list of gradients of a step's call number `call`."""
    return f"gradients_{call + 1}" if call else "gradients"


@dataclass
class Attributes:
    """What the Trainer has. `variables`: {name: attribute} of those that statements name; `lists`: {names: attribute}.

    `trained`: {names of variables: attribute} of the lists that gradients are taken of.
    words: {variable: how the script calls it}.
    """

    variables: dict = field(default_factory=dict)
    lists: dict = field(default_factory=dict)
    trained: dict = field(default_factory=dict)
    taken: set = field(default_factory=lambda: {"model"})
    words: dict = field(default_factory=dict)

    def attribute(self, name):
        """Returns "self.<attribute>" of the variable `name`."""
        if name not in self.variables:
            word = names.of_variable(name, self.words)
            self.variables[name] = names.free_attribute(names.identifier(word), self.taken)
        return f"self.{self.variables[name]}"

    def list(self, variables, word):
        """Returns the text of a list of `variables`, such as "self.trained[1:]". word: the name of a new one."""
        for whole, attribute in self.trained.items():
            if set(variables) <= set(whole):
                at = whole.index(variables[0])
                if whole[at : at + len(variables)] == variables:
                    return f"self.{attribute}{span(at, len(variables), len(whole))}"
        if variables not in self.lists:
            self.lists[variables] = names.free_attribute(word, self.taken)
        return f"self.{self.lists[variables]}"


def span(at, count, of):
    """Returns the text of a slice of `count` from `at` on, of a list of `of`."""
    first, last = str(at) if at else "", str(at + count) if at + count < of else ""
    return f"[{first}:{last}]" if first or last else ""


def statements(step, nodes, given, attributes, keys):
    """Returns (the Statements between the gradients of a steps.Step and its end, {key: text} of what it answers then).

    `nodes`: all of the graph; `given`: {source: text} of what the step has by then; `keys`: {tensor: key}.
    """
    holes, used = Holes(), {}
    last = [Node(f" {keys[name]}", ANSWER, [graphs.tensor(name)]) for name in step.late]
    nodes = {**nodes, **{node.name: node for node in last}}
    calls_ = [list(gradient.tensors) for gradient in step.gradients]
    # Of a gradient in rows the values are clipped.
    calls_ = [[s for s in call if not gradient.tensors[s][1].endswith("indices")]
              for call, gradient in zip(calls_, step.gradients)]  # fmt: skip
    for call, gradient in zip(calls_, step.gradients):
        call.sort(key=lambda s, g=gradient: g.trained.index(g.tensors[s][0]))
    found = clipping.collapsed([*step.updates, *last], nodes, calls_)
    found = clipping.needed(found, {node.name for node in found if node.op == ANSWER or _is_write(node)})
    for node in found:
        for source in node.inputs:
            used[source] = used.get(source, 0) + 1
    body = _Updates({**nodes, **{node.name: node for node in found}}, given, holes, used, step, attributes)
    body.all(found)
    for s in body.statements:
        s.text = holes.filled(s.text)
    return body.statements, {key: holes.filled(text) for key, text in body.answers.items()}


class _Updates(Body):
    """Statements of a step, with reads and writes of variables."""

    def __init__(self, every, given, holes, used, step, attributes):
        super().__init__(every, given, holes, used, {"self", "tape", "values", "variable", "gradient"})
        self.taken |= {gradients_word(i) for i in range(len(step.gradients))}
        self.step, self.attributes, self.answers = step, attributes, {}
        # {variable: its name in a loop}; {source: (list of gradients, index, part)}; {list: its length}.
        self.turn, self.listed, self.lengths = {}, {}, {}
        for call, gradient in enumerate(step.gradients):
            self.lengths[gradients_word(call)] = len(gradient.trained)
            for source, (name, part) in gradient.tensors.items():
                self.listed[source] = gradients_word(call), gradient.trained.index(name), part

    def all(self, nodes):
        """Writes the nodes of a step, those that are alike as loops."""
        self.later = nodes
        for node in nodes:
            if node.op == clipping.GLOBAL:
                self._list_clipped(node)
        found = repeats.Finder(nodes, self.every, self.listed, self.variable, _is_write).repeats()
        last = {repeat.writes[-1].name: repeat for repeat in found}
        inner = set().union(*(repeat.inner for repeat in found))
        for i, node in enumerate(nodes):
            self.later = nodes[i + 1 :]
            if node.name in last:
                self.repeat(last[node.name])
            elif node.name not in inner:
                self.update(node)

    def value(self, source):
        """Returns the Expression of a tensor; of a variable, what it holds at this line."""
        variable = self.variable(source)
        if variable and source not in self.pending and source not in self.given:
            self.given[source] = self.attribute(variable)
        return super().value(source)

    def attribute(self, variable):
        """Returns the text of a variable."""
        return self.turn.get(variable) or self.attributes.attribute(variable)

    def constant(self, source):
        """Returns the array of a constant that is written out, else None."""
        return None if self.variable(source) else super().constant(source)

    def variable(self, source):
        """Returns the name of the variable that `source` is, reads, or is what was written to; or None."""
        node = self.every[source[0]]
        while node.op in ("Identity", "ReadVariableOp") or _is_write(node):
            node = self.every[node.inputs[0][0]]
        return node.name if node.op in constants.VARIABLES else None

    def update(self, node):
        """Writes one node."""
        if node.op in PLAIN or node.op in constants.VARIABLES or node.op == "ReadVariableOp":
            source = node.inputs[0] if node.inputs else None
            if node.op != "NoOp" and source and not self.variable(source):
                value = self.writer.tensor(source)
                self.consume([source])
                self.keep((node.name, 0), value)
        elif node.op == clipping.GLOBAL:
            self._clip(node)
        elif node.op == ANSWER:
            self._answer(node)
        elif not _is_write(node):
            self.add(node)
        else:
            self.name_all([s for s in list(self.pending) if s not in node.inputs])
            (self.apply if "Apply" in node.op else self.assign)(node)

    def _answer(self, node):
        """Notes what a step answers when its writes are done."""
        (source,) = node.inputs
        read = ".read_value()" if self.variable(source) and source not in self.pending else ""
        self.answers[node.name[1:]] = self.needed(source) + read
        self.consume([source])

    def apply(self, node):
        """Writes a kernel of an optimizer."""
        inputs, _ = calls.grouped(node)
        words = []
        for word, sources in inputs.items():
            variable = self.variable(sources[0]) if word in SLOTS else None
            text = f"{self.attribute(variable)}.handle" if variable else self.writer.written(sources[0], word).text
            words.append(f"{word}={text}")
        # A function runs its writes one after the other, with locks or without.
        words += [f"{word}={text}" for word, text in raw.attributes(node) if word != "use_locking"]
        self.consume(node.inputs)
        op = node.op if node.op.startswith("Resource") else f"Resource{node.op}"
        self.statements.append(Statement(f"tf.raw_ops.{op}({', '.join(words)})"))

    def assign(self, node):
        """Writes an assignment."""
        variable = self.attribute(self.variable(node.inputs[0]))
        if "Scatter" in node.op:
            inputs, _ = calls.grouped(node)
            words = [f"resource={variable}.handle"]
            words += [f"{w}={self.writer.tensor(s[0], w).text}" for w, s in list(inputs.items())[1:]]
            op = node.op if node.op.startswith("Resource") else f"Resource{node.op}"
            self.consume(node.inputs)
            self.statements.append(Statement(f"tf.raw_ops.{op}({', '.join(words)})"))
            return
        verb = {"AssignAdd": "assign_add", "AssignSub": "assign_sub"}.get(node.op.removesuffix("VariableOp"), "assign")
        value = self.writer.written(node.inputs[1], "value")
        self.consume(node.inputs)
        self.statements.append(Statement(f"{variable}.{verb}({value.text})"))

    def _list_clipped(self, node):
        """Makes the outputs of a clipping a list of gradients."""
        word, _, _ = self.listed[node.inputs[0]]
        self.lengths[node.name] = self.lengths[word]
        for i, source in enumerate(node.inputs[:-1]):
            self.listed[node.name, i] = node.name, i, self.listed[source][2]

    def _clip(self, node):
        """Writes tf.clip_by_global_norm. Its result has the gradients' name where nothing reads those any more."""
        word, _, _ = self.listed[node.inputs[0]]
        limit = self.writer.written(node.inputs[-1], "limit").text
        read = {s for other in self.later for s in other.inputs if s[0] != node.name}
        again = any(s in read and self.listed[s][0] == word for s in node.inputs[:-1])
        target = names.free("clipped", self.taken) if again else word
        norm = (node.name, len(node.inputs) - 1)
        self.words[norm] = "global_norm"
        named = self.local(norm) if self.used.get(norm) else "_"
        self.consume(node.inputs)
        self.say(f"{target}, {named} = {node.op}({word}, {limit})")
        for i in range(len(node.inputs) - 1):
            self.given[node.name, i] = f"{target}[{i}]{self.listed[node.name, i][2]}"
        self.lengths[target] = self.lengths[word]
        self.target = {**getattr(self, "target", {}), node.name: target}

    def repeat(self, found):
        """Writes a repeats.Repeat as a loop."""
        self.name_all(list(self.pending))
        before, turn, taken = dict(self.given), self.turn, set(self.taken)
        self.given = {s: text for s, text in before.items() if not self.variable(s)}
        over, targets = [], []
        slots = self._slots(found.writes[0])
        for column in found.varying:
            listed, target = self._listed(column) if column.word else self._variables(column, slots)
            target = names.free(target, taken) if target in targets else target
            over.append(listed)
            targets.append(target)
            if column.word:
                self.given.update(
                    (s, target + part) for s, (word, index, part) in self.listed.items()
                    if (word, index) == (column.word, column.entries[0])
                )  # fmt: skip
            else:
                self.turn = {**self.turn, column.entries[0]: target}
        listed = over[0] if len(over) == 1 else f"zip({', '.join(over)})"
        self.say(f"for {', '.join(targets)} in {listed}:")
        start = len(self.statements)
        for node in [*found.own[0], found.writes[0]]:
            self.update(node)
        for statement in self.statements[start:]:
            statement.indent += 1
        self.given, self.turn = before, turn

    def _listed(self, column):
        """Returns (the text of a list of gradients, the name of one in a loop)."""
        word = getattr(self, "target", {}).get(column.word, column.word)
        number = word.removeprefix("gradients")
        text = word + span(column.entries[0], len(column.entries), self.lengths[column.word])
        return text, f"gradient{number}" if number != word else "gradient"

    def _slots(self, write):
        """Returns {variable: argument} of an optimizer's kernel."""
        if "Apply" not in write.op:
            return {}
        inputs, _ = calls.grouped(write)
        found = {self.variable(sources[0]): word for word, sources in inputs.items() if word in SLOTS}
        return {variable: word for variable, word in found.items() if word != "var"}

    def _variables(self, column, slots):
        """Returns (the text of a list of variables, the name of one in a loop)."""
        variables, last = tuple(column.entries), column.entries[0].rpartition("/")[2]
        word = slots.get(variables[0])
        if not word and not any(set(variables) <= set(whole) for whole in self.attributes.trained):
            word = CALLED.get(last) or names.local(last)
        text = self.attributes.list(variables, word if slots.get(variables[0]) else f"{word or 'variable'}s")
        return text, word or "variable"


def _is_write(node):
    return reach.WRITES.fullmatch(node.op) is not None
