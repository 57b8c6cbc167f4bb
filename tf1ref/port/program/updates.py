"""What a training step does after its gradients: optimizers' kernels and assignments, as statements."""

import re
from dataclasses import dataclass, field

from tf1ref.artifacts.graph import constants
from tf1ref.port import calls, names
from tf1ref.port.bodies import HOLE, Body, Holes, Statement
from tf1ref.port.program import training

PLAIN = ("Identity", "NoOp", "Const", "StopGradient")
SLOTS = {
    "var", "accum", "accum_update", "m", "v", "vhat", "ms", "mg", "mom", "linear", "gradient_accumulator",
    "gradient_squared_accumulator",
}  # fmt: skip


ONE = re.compile(r"\b(gradients\w*)\[(\d+)\]")


def gradients_word(call):
    """Returns the name of the list of gradients of a step's call number `call`."""
    return f"gradients_{call + 1}" if call else "gradients"


@dataclass
class Apply:
    """One application of an optimizer's kernel. `slots`: {argument: variable name}; `rest`: [(keyword, text)]."""

    op: str
    slots: dict
    gradient: dict
    rest: list


@dataclass
class Attributes:
    """What the Trainer has. `variables`: {name: attribute} of those that statements name; `lists`: {names: attribute}.

    `trained`: {names of variables: attribute} of the lists that gradients are taken of.
    """

    variables: dict = field(default_factory=dict)
    lists: dict = field(default_factory=dict)
    trained: dict = field(default_factory=dict)
    taken: set = field(default_factory=lambda: {"model"})

    def attribute(self, name):
        """Returns "self.<attribute>" of the variable `name`."""
        if name not in self.variables:
            self.variables[name] = names.free_attribute(name.replace("/", "_"), self.taken)
        return f"self.{self.variables[name]}"

    def list(self, variables, word):
        """Returns "self.<attribute>" of the list of slots `variables`."""
        if variables not in self.lists:
            self.lists[variables] = names.free_attribute(word, self.taken)
        return f"self.{self.lists[variables]}"


def statements(step, nodes, given, attributes):
    """Returns the Statements between the gradients of a training.Step and its end.

    `nodes`: all of the graph; `given`: {source: text} of what the step has by then.
    """
    holes, used = Holes(), {}
    for node in step.updates:
        for source in node.inputs:
            used[source] = used.get(source, 0) + 1
    body = _Updates(nodes, given, holes, used, step, attributes)
    for node in step.updates:
        body.update(node)
    body.flush()
    for s in body.statements:
        s.text = HOLE.sub(lambda m: holes.found[int(m[1])][1], s.text)
    return body.statements


class _Updates(Body):
    """Statements of a step, with reads and writes of variables."""

    def __init__(self, every, given, holes, used, step, attributes):
        super().__init__(every, given, holes, used, {"self", "tape", "values", "variable", "gradient"})
        self.taken |= {gradients_word(i) for i in range(len(step.gradients))}
        self.step, self.attributes, self.group = step, attributes, []

    def value(self, source):
        """Returns the Expression of a tensor; of a variable, what it holds at this line."""
        variable = self.variable(source)
        if variable and source not in self.pending and source not in self.given:
            self.given[source] = self.attributes.attribute(variable)
        return super().value(source)

    def constant(self, source):
        """Returns the array of a constant that is written out, else None."""
        return None if self.variable(source) else super().constant(source)

    def variable(self, source):
        """Returns the name of the variable that `source` is, reads, or is what was written to; or None."""
        node = self.every[source[0]]
        while node.op in ("Identity", "ReadVariableOp") or training.WRITES.fullmatch(node.op):
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
        elif not training.WRITES.fullmatch(node.op):
            self.add(node)
        elif "Apply" in node.op:
            self.apply(node)
        else:
            self.assign(node)

    def apply(self, node):
        """Writes a kernel of an optimizer, or keeps it for a loop of its like."""
        inputs, _ = calls.grouped(node)
        slots = {word: self.variable(s[0]) for word, s in inputs.items() if word in SLOTS and self.variable(s[0])}
        rest, gradient = [], {}
        for word, sources in inputs.items():
            if word not in slots:
                found = self.writer.written(sources[0], word).text
                if word in ("grad", "delta", "indices"):
                    gradient[word] = found
                else:
                    rest.append((word, HOLE.sub(lambda m: self.holes.found[int(m[1])][1], found)))
        self.consume(node.inputs)
        made = Apply(node.op, slots, gradient, rest)
        if self.group and not _alike(self.group[-1], made):
            self.flush()
        self.group.append(made)

    def assign(self, node):
        """Writes an assignment."""
        self.flush()
        self.name_all([s for s in list(self.pending) if s not in node.inputs])
        variable = self.attributes.attribute(self.variable(node.inputs[0]))
        if "Scatter" in node.op:
            inputs, _ = calls.grouped(node)
            words = [f"resource={variable}.handle"]
            words += [f"{w}={self.writer.tensor(s[0], w).text}" for w, s in list(inputs.items())[1:]]
            op = node.op if node.op.startswith("Resource") else f"Resource{node.op}"
            self.statements.append(Statement(f"tf.raw_ops.{op}({', '.join(words)})"))
            return
        verb = {"AssignAdd": "assign_add", "AssignSub": "assign_sub"}.get(node.op.removesuffix("VariableOp"), "assign")
        value = self.writer.written(node.inputs[1], "value")
        self.consume(node.inputs)
        self.statements.append(Statement(f"{variable}.{verb}({value.text})"))

    def flush(self):
        """Writes the applications that wait, as a loop where they are several."""
        group, self.group = self.group, []
        if not group:
            return
        one = group[0]
        op = one.op if one.op.startswith("Resource") else f"Resource{one.op}"
        call = self._looped(group) if len(group) > 1 else None
        looped = call is not None
        for made in group[:1] if looped else group:
            variables = {w: w if w != "var" else "variable" for w in made.slots}
            words = [
                (w, f"{variables[w] if looped else self.attributes.attribute(n)}.handle") for w, n in made.slots.items()
            ]
            parts = {w: ONE.sub("gradient", t) if looped else t for w, t in made.gradient.items()}
            words += [*made.rest, *parts.items()]
            order = [a.name for a in calls.definition(made.op).input_arg]
            words.sort(key=lambda pair: order.index(pair[0]))
            if looped:
                over = [self._list(group, w) for w in made.slots] + [gradients_word(call)]
                targets = ", ".join([*variables.values(), "gradient"])
                self.statements.append(Statement(f"for {targets} in zip({', '.join(over)}):"))
            text = f"tf.raw_ops.{op}({', '.join(f'{w}={t}' for w, t in words)})"
            self.statements.append(Statement(text, indent=int(looped)))

    def _list(self, group, word):
        variables = tuple(made.slots[word] for made in group)
        if word == "var":
            return f"self.{self.attributes.trained[variables]}"
        return self.attributes.list(variables, word)

    def _looped(self, group):
        """The number of the call of tf.gradients whose variables the group goes through in order, or None."""
        found = [set(ONE.findall(" ".join(made.gradient.values()))) for made in group]
        variables = [made.slots["var"] for made in group]
        for call, gradient in enumerate(self.step.gradients):
            wanted = [{(gradients_word(call), str(i))} for i in range(len(group))]
            if found == wanted and variables == gradient.trained:
                return call
        return None


def _alike(a, b):
    def words(made):
        return {w: ONE.sub("gradient", t) for w, t in made.gradient.items()}

    return (a.op, a.slots.keys(), a.rest, words(a)) == (b.op, b.slots.keys(), b.rest, words(b))
