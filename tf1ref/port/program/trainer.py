"""Writes train.py: the variables of training steps besides the model's, and a method for each step."""

import textwrap

import numpy as np
import tensorflow as tf

from tf1ref.port import layout, literals, names, porting, writing
from tf1ref.port.program import checkpoints, summaries, training, updates

# The types of numbers that stand in the code.
SCALARS = (np.float32, np.float64, np.int32, np.int64, np.bool_)
HEAD = '''"""{title}

`python {file}.py` repeats the recorded steps{steps}.
"""

{operator}from pathlib import Path

import numpy as np
import tensorflow as tf
{model}
HERE = Path(__file__).parent
'''
TAIL = '''

def recorded():
    """Yields (the method, what the original program fed, by argument) of each recorded step."""
    with np.load(HERE / "recording.npz") as arrays:
        for i in range(int(arrays["steps"])):
            start = f"{i}/inputs/"
            fed = {k.removeprefix(start): arrays[k] for k in arrays.files if k.startswith(start)}
            yield str(arrays[f"{i}/step"]), fed


def main():
    """Repeats the recorded steps and prints what they answer@ALSO."""
    trainer = @CLASS()
@LOOP

if __name__ == "__main__":
    main()
'''
LOOP = """for i, (name, batch) in enumerate(recorded()):
    values = {method}(**batch)
{single}{summarize}    numbers = (f"{{key}} {{float(v):.6g}}" for key, v in values.items() if not v.shape.rank)
    print(i, name, *numbers)
"""
LOGS = 'with tf.summary.create_file_writer("logs").as_default():\n'


def text(made, tape=True):
    """Returns the text of train.py for a programs.Made. tape: uses GradientTape; otherwise tf.gradients."""
    called = made.recording.names[made.recording.steps[0].graph]
    attributes = updates.Attributes(words={n.removesuffix(":0"): names.identifier(w) for n, w in called.items()})
    attributes.taken |= {*training.OWN, *(step.name for step in made.training.steps)}
    calls = [(step, gradient) for step in made.training.steps for gradient in step.gradients]
    for step, gradient in calls:
        word = "trained" if len(calls) == 1 else f"trained_{step.name.removeprefix('step_')}"
        if tuple(gradient.trained) not in attributes.trained:
            attributes.trained[tuple(gradient.trained)] = names.free_attribute(word, attributes.taken)
    methods = [line for step in made.training.steps for line in _method(made, step, attributes, tape)]
    shown = summaries.method(made, attributes)
    lines = ["", "", f"class {made.class_name}(tf.Module):", *layout.statement(_docstring(made), 1), ""]
    lines += [f"    def __init__(self{', model=None' * (not made.alone)}):", "        super().__init__()"]
    for statement in _variables(made, attributes):
        lines += layout.statement(statement, 2)
    lines.append("        # A tf.function would look for the concrete one in each call, for about 0.2 ms.")
    for step in made.training.steps:
        lines.append(f"        self.{step.name} = self.{step.name}.get_concrete_function()")
    saved, saving = checkpoints.text(porting.plain(made.recording.program), checkpoints.renamed(made.recording))
    tail = _tail(shown, made.training.evaluations).replace("@CLASS", made.class_name)
    pipes = [line for pipeline in made.pipelines for line in pipeline.lines]
    return _head(made) + "\n".join([*saved, *lines, *methods, *shown, *saving, *pipes]) + "\n" + tail


def _head(made):
    program = porting.plain(made.recording.program)
    if made.alone:
        title = f"The variables of {program}, ported from TensorFlow 1."
        return HEAD.format(title=title, file=made.module, steps="", operator="", model="")
    pipes = " and ".join(f"{pipeline.name}()" for pipeline in made.pipelines)
    pipes = f".\nThe original's batches come from {pipes}" if pipes else ""
    steps = "Trainer.step takes" if len(made.training.steps) == 1 else "the steps of Trainer take"
    return HEAD.format(
        title=f"{'Trains' if made.training.trains else 'Runs'} model.py as {program} does.",
        file=made.module,
        steps=f"; {steps} any batch{pipes}",
        operator="from operator import attrgetter\n" if made.training.evaluations else "",
        model="\nfrom model import Model\n",
    )


def _tail(shown, evaluates):
    """Returns the end of the file. shown: whether steps have summaries. evaluates: whether the model has methods."""
    summarize = "trainer.summarize(values, i)"
    if evaluates:
        summarize = f'if not name.startswith("model."):\n        {summarize}'
    single = "    values = values if isinstance(values, dict) else {name: values}\n" if evaluates else ""
    method = "attrgetter(name)(trainer)" if evaluates else "getattr(trainer, name)"
    loop = LOOP.format(summarize=f"    {summarize}\n" if shown else "", single=single, method=method)
    loop = LOGS + textwrap.indent(loop, "    ") if shown else loop
    also = ", also to TensorBoard in logs" if shown else ""
    return TAIL.replace("@ALSO", also).replace("@LOOP\n", textwrap.indent(loop, "    ") + "\n")


def _method(made, step, attributes, tape):
    """Returns the lines of a step's method."""
    specs = {made.words[name]: made.kind(name) for name in step.inputs}
    lines = ["", *writing.signature(specs)]
    lines += layout.statement(f"def {step.name}({', '.join(['self', *specs])}):", 1)
    lines += [f"        {_said(step)}"]
    taped = tape and step.gradients
    if taped:
        persistent = "persistent=True" if len(step.gradients) > 1 else ""
        lines.append(f"        with tf.GradientTape({persistent}) as tape:")
    if step.forward:
        lines += layout.statement(f"values = self.model{made.call(step)}", 3 if taped else 2)
    if step.gradients and not tape:
        lines += ["        # A GradientTape would sum in another order, and round otherwise."]
    for number, gradient in enumerate(step.gradients):
        losses = [f"values[{literals.quoted(made.keys[loss])}]" for loss in gradient.losses]
        losses = losses[0] if len(losses) == 1 else f"[{', '.join(losses)}]"
        trained = f"self.{attributes.trained[tuple(gradient.trained)]}"
        function = "tape.gradient" if tape else "tf.gradients"
        lines += layout.statement(f"{updates.gradients_word(number)} = {function}({losses}, {trained})", 2)
    statements, answers = updates.statements(step, made.training.nodes, _given(made, step), attributes, made.keys)
    for s in statements:
        lines += layout.statement(s.text, 2 + s.indent)
    if step.forward and not answers:
        return [*lines, "        return values"]
    found = ["**values"] * bool(step.forward) + [f"{literals.quoted(key)}: {text}" for key, text in answers.items()]
    return [*lines, *layout.statement(f"return {{{', '.join(found)}}}", 2)]


def _said(step):
    """Returns the docstring of a step."""
    if not step.gradients:
        also = "; returns what the run answers" if step.forward or step.late else ""
        return f'"""Writes to the variables{also}."""'
    also = f", and {len(step.late)} more" if step.late else ""
    return f'"""One step: returns what the model answers, before its weights change{also}."""'


def _given(made, step):
    """Returns {source: text} of what the updates of a step may read."""
    given = {}
    for number, gradient in enumerate(step.gradients):
        for source, (name, part) in gradient.tensors.items():
            given[source] = f"{updates.gradients_word(number)}[{gradient.trained.index(name)}]{part}"
    for tensor in step.forward:
        name, _, index = tensor.partition(":")
        given[name, int(index)] = f"values[{literals.quoted(made.keys[tensor])}]"
    for tensor in step.inputs:
        name, _, index = tensor.partition(":")
        given[name, int(index)] = made.words[tensor]
    return given


def _docstring(made):
    program = porting.plain(made.recording.program)
    if made.alone:
        return f'"""The variables of {program}. A method is what a session.run does to them."""'
    if not made.training.trains:
        return f'"""The model. A method is what a session.run of {program} does to it."""'
    return f'"""The model, the state of its optimizer, and a step as {program} has it."""'


def _variables(made, attributes):
    """Returns the statements of __init__: the model, the trained variables, slots, counters."""
    found = list(_state_of(made, attributes))
    if any("variables[" in statement for statement in found):
        found.insert(0, 'variables = {v.name.removesuffix(":0"): v for v in self.model.variables}')
    return ["self.model = Model() if model is None else model"] * (not made.alone) + found


def _state_of(made, attributes):
    model = {n.name for n in made.program.nodes.values() if n.weight}
    for trained, attribute in attributes.trained.items():
        found = ", ".join(literals.quoted(name) for name in trained)
        yield f"self.{attribute} = [variables[name] for name in [{found}]]"
    placed = {name: f"variables[{literals.quoted(name)}]" for name in model}
    for variables, attribute in attributes.lists.items():
        yield f"self.{attribute} = {_slots(variables, attributes, made, placed)}"
        for i, name in enumerate(variables):
            placed.setdefault(name, f"self.{attribute}[{i}]")
    for name, attribute in attributes.variables.items():
        yield f"self.{attribute} = {placed.get(name) or _state(name, made)}"


def _slots(variables, attributes, made, placed):
    """Returns the text of a list of variables. placed: {variable: the text of one that is there already}."""
    initial = made.recording.initial
    new = not any(name in placed for name in variables)
    trained, suffix = _beside(variables, attributes) if new else ("", "")
    if trained:
        name = f'v.name.removesuffix(":0") + {literals.quoted(suffix)}'
        start = _start(variables, initial)
        if start:
            return f"[tf.Variable({start}, trainable=False, name={name}) for v in {trained}]"
        if all(made.copies.get(name) == name.removesuffix(suffix) for name in variables):
            return f"[tf.Variable(v, trainable=False, name={name}) for v in {trained}]"
    return f"[{', '.join(placed.get(n) or _state(n, made) for n in variables)}]"


def _beside(variables, attributes):
    """Returns (the text of the list that has a variable for each of `variables`, what their names add), or two ""."""
    for whole, attribute in attributes.trained.items():
        for at in range(len(whole) - len(variables) + 1):
            part = whole[at : at + len(variables)]
            suffix = variables[0].removeprefix(part[0])
            if suffix and list(variables) == [name + suffix for name in part]:
                return f"self.{attribute}{updates.span(at, len(part), len(whole))}", suffix
    return "", ""


def _start(variables, initial):
    """Returns the text of the first value of slots that all start with one number, in terms of v, or ""."""
    values = {initial[name].flat[0].item() if initial[name].size else 0 for name in variables}
    same = all((initial[n] == initial[n].flat[0]).all() for n in variables if initial[n].size)
    if not same or len(values) != 1:
        return ""
    value = literals.plain(initial[variables[0]].flat[0])
    return "tf.zeros_like(v)" if value == "0.0" else f"tf.fill(v.shape, {value})"


def state(made, text):
    """Returns {name: array} of state.npz: the first values that `text` of train.py reads there."""
    return {name: a for name, a in made.recording.initial.items() if _stored(name) in text}


def _stored(name):
    return f'np.load(HERE / "state.npz")[{literals.quoted(name)}]'


def _state(name, made):
    """Returns the text that makes a variable which the model has not."""
    value, end = made.recording.initial[name], f"name={literals.quoted(name)}"
    if name not in made.recording.trainable:
        end = f"trainable=False, {end}"
    if name in made.copies:
        return f"tf.Variable(variables[{literals.quoted(made.copies[name])}], {end})"
    if literals.repeated(value):
        return f"tf.Variable({literals.filled(value)}, {end})"
    if not literals.short(value) or value.dtype not in SCALARS or not value.size:
        return f"tf.Variable({_stored(name)}, {end})"
    kind = tf.as_dtype(value.dtype)
    kind = "" if kind in literals.DEFAULTS else f"dtype={literals.dtype(kind)}, "
    return f"tf.Variable({literals.plain(value)}, {kind}{end})"
