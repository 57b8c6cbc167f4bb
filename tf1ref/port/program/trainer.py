"""train.py: the variables of a training step beside the model's, and what it does with the gradients."""

import re
from dataclasses import dataclass, field

import numpy as np

from tf1ref.artifacts.graph import constants
from tf1ref.port import calls, layout, literals, names, writing
from tf1ref.port.bodies import HOLE, Body, Holes, Statement
from tf1ref.port.program import training

HEAD = '''"""Trains model.py as {program} does.

`python train.py` repeats the recorded steps; Trainer.step takes any batch.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from model import Model

HERE = Path(__file__).parent
'''
TAIL = '''

def recorded():
    """Yields what the original program fed in each recorded step, by argument."""
    with np.load(HERE / "recording.npz") as arrays:
        for i in range(int(arrays["steps"])):
            start = f"{i}/inputs/"
            yield {k.removeprefix(start): arrays[k] for k in arrays.files if k.startswith(start)}


def main():
    """Trains for the recorded steps and prints the losses."""
    trainer = Trainer()
    for i, batch in enumerate(recorded()):
        print(i, float(trainer.step(**batch)["loss"]))


if __name__ == "__main__":
    main()
'''
PLAIN = ("Identity", "NoOp", "Const", "StopGradient")
SLOTS = {
    "var", "accum", "accum_update", "m", "v", "vhat", "ms", "mg", "mom", "linear", "gradient_accumulator",
    "gradient_squared_accumulator",
}  # fmt: skip


@dataclass
class Apply:
    """One application of an optimizer's kernel. `slots`: {argument: variable name}; `rest`: [(keyword, text)]."""

    op: str
    slots: dict
    gradient: dict
    rest: list


@dataclass
class Trainer:
    """The text of train.py in parts. `variables`: {name: attribute} of those that statements name."""

    step: object
    program: object
    recording: object
    keys: dict
    variables: dict = field(default_factory=dict)
    lists: dict = field(default_factory=dict)
    taken: set = field(default_factory=lambda: {"model", "trained", "step"})

    def attribute(self, name):
        """Returns "self.<attribute>" of the variable `name`."""
        if name not in self.variables:
            self.variables[name] = names.free_attribute(name.replace("/", "_"), self.taken)
        return f"self.{self.variables[name]}"


def text(step, program, recording, keys, nodes):
    """Returns the text of train.py. `keys`: {tensor name: key} of the model's outputs; `nodes`: all of the graph."""
    made = Trainer(step, program, recording, keys)
    statements = _updates(made, nodes)
    lines = ["", "", "class Trainer(tf.Module):", *layout.statement(_docstring(recording), 1), ""]
    lines += ["    def __init__(self, model=None):", "        super().__init__()"]
    for statement in _variables(made):
        lines += layout.statement(statement, 2)
    lines += ["", *writing.signature(program)]
    given = list(writing.arguments(program).values())
    lines += layout.statement(f"def step(self{''.join(f', {word}' for word in given)}):", 1)
    lines += ['        """One step: returns what the model answers, before its weights change."""']
    lines += ["        with tf.GradientTape() as tape:", f"            values = self.model({', '.join(given)})"]
    lines += ['        gradients = tape.gradient(values["loss"], self.trained)']
    for s in statements:
        lines += layout.statement(s.text, 2 + s.indent)
    lines += ["        return values"]
    return HEAD.format(program=_plain(recording.program)) + "\n".join(lines) + "\n" + TAIL


def _docstring(recording):
    return f'"""The model, the state of its optimizer, and a step as {_plain(recording.program)} has it."""'


def _plain(name):
    return re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)


def _updates(made, nodes):
    """The Statements between the gradients and the end of the step."""
    step, holes = made.step, Holes()
    given = {source: f"gradients[{step.trained.index(name)}]{part}" for source, (name, part) in step.gradients.items()}
    for tensor, key in made.keys.items():
        name, _, index = tensor.partition(":")
        given[name, int(index)] = f"values[{literals.quoted(key)}]"
    needed = _needed(step.updates)
    used = {}
    for node in needed:
        for source in node.inputs:
            used[source] = used.get(source, 0) + 1
    body = _Updates(nodes, given, holes, used, made)
    for node in needed:
        body.update(node)
    body.flush()
    for s in body.statements:
        s.text = HOLE.sub(lambda m: holes.found[int(m[1])][1], s.text)
    return body.statements


def _needed(updates):
    """Those of the updates' nodes that a write needs: summaries and the like are left out."""
    there, wanted = {n.name: n for n in updates}, set()
    stack = [n.name for n in updates if training.WRITES.fullmatch(n.op)]
    while stack:
        name = stack.pop()
        if name in there and name not in wanted:
            wanted.add(name)
            stack += [source for source, _ in there[name].inputs]
    return [n for n in updates if n.name in wanted]


class _Updates(Body):
    """Statements of a step, with reads and writes of variables."""

    def __init__(self, every, given, holes, used, made):
        super().__init__(every, given, holes, used, {"self", "tape", "values", "gradients"})
        self.made, self.group = made, []

    def value(self, source):
        """Returns the Expression of a tensor; of a variable, what it holds at this line."""
        variable = self.variable(source)
        if variable and source not in self.pending and source not in self.given:
            self.given[source] = self.made.attribute(variable)
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
        variable = self.made.attribute(self.variable(node.inputs[0]))
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
        looped = len(group) > 1 and self._is_loop(group)
        for made in group[:1] if looped else group:
            variables = {w: w if w != "var" else "variable" for w in made.slots}
            words = [(w, f"{variables[w] if looped else self.made.attribute(n)}.handle") for w, n in made.slots.items()]
            parts = {w: re.sub(r"gradients\[\d+\]", "gradient", t) if looped else t for w, t in made.gradient.items()}
            words += [*made.rest, *parts.items()]
            order = [a.name for a in calls.definition(made.op).input_arg]
            words.sort(key=lambda pair: order.index(pair[0]))
            if looped:
                over = [self._list(group, w) for w in made.slots] + ["gradients"]
                targets = ", ".join([*variables.values(), "gradient"])
                self.statements.append(Statement(f"for {targets} in zip({', '.join(over)}):"))
            text = f"tf.raw_ops.{op}({', '.join(f'{w}={t}' for w, t in words)})"
            self.statements.append(Statement(text, indent=int(looped)))

    def _list(self, group, word):
        variables = tuple(made.slots[word] for made in group)
        if word == "var":
            return "self.trained"
        if variables not in self.made.lists:
            self.made.lists[variables] = names.free_attribute(word, self.made.taken)
        return f"self.{self.made.lists[variables]}"

    def _is_loop(self, group):
        """True where the group is one application for each trained variable, in their order."""
        found = [re.findall(r"gradients\[(\d+)\]", " ".join(made.gradient.values())) for made in group]
        numbers = [set(map(int, f)) for f in found]
        names_of = [made.slots["var"] for made in group]
        return numbers == [{i} for i in range(len(group))] and names_of == self.made.step.trained


def _alike(a, b):
    def words(made):
        return {w: re.sub(r"gradients\[\d+\]", "gradient", t) for w, t in made.gradient.items()}

    return (a.op, a.slots.keys(), a.rest, words(a)) == (b.op, b.slots.keys(), b.rest, words(b))


def _variables(made):
    """Statements of __init__: the trained variables, slots, counters."""
    model = {n.name for n in made.program.nodes.values() if n.weight}
    initial = made.recording.initial
    own = [n for n in made.variables if n not in model]
    trained = ", ".join(literals.quoted(name) for name in made.step.trained)
    yield "self.model = Model() if model is None else model"
    yield 'variables = {v.name.removesuffix(":0"): v for v in self.model.variables}'
    yield f"self.trained = [variables[name] for name in [{trained}]]"
    for variables, attribute in made.lists.items():
        yield f"self.{attribute} = {_slots(variables, made.step.trained, initial)}"
    for name, attribute in made.variables.items():
        if name in own:
            yield f"self.{attribute} = {_state(name, initial[name])}"
        else:
            yield f"self.{attribute} = variables[{literals.quoted(name)}]"


def _slots(variables, trained, initial):
    suffix = variables[0].removeprefix(trained[0])
    values = {initial[name].flat[0].item() if initial[name].size else 0 for name in variables}
    same = all((initial[n] == initial[n].flat[0]).all() for n in variables if initial[n].size)
    if list(variables) == [name + suffix for name in trained] and same and len(values) == 1:
        value = literals.plain(initial[variables[0]].flat[0])
        start = "tf.zeros_like(v)" if value == "0.0" else f"tf.fill(v.shape, {value})"
        name = f'v.name.removesuffix(":0") + {literals.quoted(suffix)}'
        return f"[tf.Variable({start}, trainable=False, name={name}) for v in self.trained]"
    return f"[{', '.join(_state(name, initial[name]) for name in variables)}]"


def _state(name, value):
    value, word = np.asarray(value), literals.quoted(name)
    if literals.short(value) and str(value.dtype) in ("float32", "int32", "bool") and not value.ndim:
        return f"tf.Variable({literals.plain(value)}, trainable=False, name={word})"
    return f"tf.Variable(np.load(HERE / {literals.quoted('state.npz')})[{word}], trainable=False, name={word})"
