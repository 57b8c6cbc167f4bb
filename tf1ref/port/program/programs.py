"""Ports a program. It is recorded, its training step becomes train.py over model.py, and both are proven."""

import os
import tempfile
from dataclasses import dataclass, field

from tf1ref.artifacts import CheckFailed
from tf1ref.artifacts.formats import weights
from tf1ref.artifacts.graph import constants, effects, graphs
from tf1ref.artifacts.models import Ready
from tf1ref.errors import InputError
from tf1ref.parity import recorded
from tf1ref.port import calls, literals, names, nodes, patterns, porting, proof, reading, sharing, writing
from tf1ref.port.flow import parts
from tf1ref.port.program import evaluations, initializers, packing, pipelines, proving, reach, trainer, training
from tf1ref.port.program.recording import record
from tf1ref.port.program.steps import Training

STEPS = 20
# The seed of everything that the program does not seed, so that its draws can be repeated.
SEED = 1
# How often a program is recorded that has a race in its session: the next time the race may end as the code has it.
RACES = 3


def port_program(script, folder, arguments=(), steps=STEPS, seed=SEED, force=False):
    """Writes the program `script` as TensorFlow 2 code into the new `folder`. Returns the porting.Report.

    `exec` runs it with `arguments` for `steps` steps of its training. Raises InputError for a program that does not
    train, fails, or trains in a way that is not ported yet. Raises CheckFailed when the code computes other values.
    """
    path = porting.target(folder, force)
    if not os.path.isfile(script):
        raise InputError(f"{script}: no such script")
    for left in range(RACES - 1, -1, -1):
        with tempfile.TemporaryDirectory() as scratch:
            made = made_of(record(script, os.path.join(scratch, "program.rec"), arguments, steps, seed))
        try:
            return _proven(path, script, made)
        except CheckFailed as e:
            if len({run.session for run in made.recording.steps}) > 1:
                raise InputError(
                    f"{script}: trains in several sessions, each with its variables: not ported yet"
                ) from e
            why = _race(made)
            if not why:
                raise
            if not left:
                raise CheckFailed(f"{e}; {why}") from e


def _race(made):
    """Returns what of a program may end in another way each time it runs, or ""."""
    for step in made.training.steps:
        if len(step.gradients) > 1:
            what = "one session.run trains several losses, and which reads the weights first is a race in the session"
            return f"{what}: run its optimizers one after the other"
        written = [node.inputs[0] for node in step.updates if reach.WRITES.fullmatch(node.op)]
        twice = next((name for name, _ in written if written.count((name, 0)) > 1), None)
        if twice:
            return f"one session.run writes to {porting.plain(twice)} twice, and which does so first is a race"
    loops = [node for node in made.program.every().values() if node.op == nodes.LOOP]
    loops = [node for node in loops if node.attrs.get("parallel_iterations") != 1]
    inner = [node for loop in loops for part in loop.parts for node in parts.everything(part.nodes).values()]
    if any({"seed", "seed2"} <= node.attrs.keys() for node in inner):
        what = "a loop draws random numbers, and which of its iterations draws first is a race"
        return f"{what}: give it parallel_iterations=1"
    return ""


def _proven(path, script, made):
    """Writes the port of a Made and proves it. Returns its Report.

    Where it differs, what the program computes besides its steps may be the reason: random numbers, or a race.
    """
    try:
        return _either(path, script, made)
    except CheckFailed:
        plain = made_of(made.recording, whole=False)
        if plain.keys == made.keys and not made.program.shared:
            raise
        report = _either(path, script, plain)
        if plain.keys != made.keys:
            report.notes.append("what the program computes besides its steps is not ported: it differs each time")
        return report


def _either(path, script, made):
    """Writes and proves a port, with GradientTape or else tf.gradients, then the same with its input pipelines."""
    title = f"The model of {porting.plain(script)}, ported from TensorFlow 1."
    text, arrays = ("", {}) if made.alone else writing.model(made.program, title, True, made.start)
    tape = True
    try:
        report = _write(path, script, made, text, arrays, tape)
    except CheckFailed:  # the gradients' sums may have another order than a tape's
        tape = False
        report = _write(path, script, made, text, arrays, tape)
    made.pipelines, notes = pipelines.found(made)
    if made.pipelines:
        try:
            whole = _write(path, script, made, text, arrays, tape)
            why = "its files are gone, so it is not proven" if whole.compared == report.compared else ""
            report = whole
        except CheckFailed as e:
            why = f"not ported: {e}"
        notes += [f"its input pipeline: {why}"] * bool(why)
    report.notes += notes
    return report


def _write(path, script, made, text, arrays, tape):
    train = trainer.text(made, tape)
    report = _report(path, script, text + train, made)
    with porting.written(path) as beside:
        if not made.alone:
            (beside / "model.py").write_text(text)
        (beside / f"{made.module}.py").write_text(train)
        (beside / "test_port.py").write_text(proving.text(made))
        if arrays:
            (beside / "weights.npz").write_bytes(weights.npz_bytes(arrays))
        if "state.npz" in train:
            (beside / "state.npz").write_bytes(weights.npz_bytes(trainer.state(made, train)))
        packed, given = packing.packed(made), packing.given(made)
        (beside / "recording.npz").write_bytes(weights.npz_bytes({**packed, **given}))
        report.compared = proof.run(beside, "test_port.py")
        if sum(array.nbytes for array in given.values()) > packing.MOST_BYTES:
            (beside / "recording.npz").write_bytes(weights.npz_bytes(packed))
    return report


@dataclass
class Made:
    """A program on its way to code. `keys`: {tensor: key} of the model's outputs. `words`: {tensor: argument}.

    start: the writing.Start of the model's variables. copies: {variable: the model's that it starts as}.
    pipelines: the Pipelines that are written.
    """

    recording: recorded.Recording
    training: Training
    program: nodes.Program
    keys: dict
    words: dict
    start: writing.Start = field(default_factory=writing.Start)
    copies: dict = field(default_factory=dict)
    pipelines: list = field(default_factory=list)

    @property
    def alone(self):
        """Returns whether no step needs a model: then all is one file, model.py."""
        return not self.training.forward

    @property
    def module(self):
        """Returns the name of the file with the steps."""
        return "model" if self.alone else "train"

    @property
    def class_name(self):
        """Returns the name of the class with the steps."""
        return "Model" if self.alone else "Trainer"

    def kind(self, tensor):
        """Returns (DType, TensorShape) of a tensor of the graph."""
        name, _, index = tensor.partition(":")
        node = self.training.nodes[name]
        return node.dtypes[int(index)], node.shapes[int(index)]

    def call(self, step):
        """Returns the text after "self.model" that computes what `step` needs."""
        method = f".{_method(step)}" if _method(step) in self.program.methods else ""
        part = self.program.by_method()[_method(step) if method else "__call__"]
        return f"{method}({', '.join(part.inputs)})"


def made_of(recording, whole=True):
    """Returns the Made of a recording. Raises InputError for what cannot be ported.

    whole: with what it computes besides its steps, and with what its steps share as a method.
    """
    found = training.training(recording, whole)
    _check_values(found, recording)
    taken, keys = set(), {}
    losses = [loss for step in found.steps for gradient in step.gradients for loss in gradient.losses]
    if len(set(losses)) == 1:
        taken, keys = {"loss"}, {losses[0]: "loss"}
    called = recording.names[recording.steps[0].graph]
    of_steps = [gradient.tensors for step in found.steps for gradient in step.gradients]
    gradients = {source: variable for tensors in of_steps for source, (variable, _) in tensors.items()}
    for name in [*found.forward, *found.late]:
        if name not in keys:
            node, _, index = name.partition(":")
            if reach.WRITES.fullmatch(found.nodes[node].op):
                node = found.nodes[node].inputs[0][0]
            word = called.get(name) or calls.output(found.nodes[node].op, int(index)) or node
            variable = gradients.get((node, int(index)))
            word = f"gradient_{names.local(variable)}" if variable and name not in called else names.local(word)
            keys[name] = names.free(word, taken)
    taken = set()
    words = {n: names.free(names.identifier(called.get(n) or n.partition(":")[0]), taken) for n in found.inputs}
    program = _program(found, recording, keys, words)
    patterns.stops(program)
    patterns.found(program)
    seed = recording.seeds[recording.steps[0].graph]
    patterns.dropouts(program, initializers.DEFAULT if seed is None else seed)
    program.words = {graphs.tensor(n): names.identifier(word) for n, word in called.items() if ":" in n}
    _methods(program, found, keys, whole)
    names_ = [node.name for node in program.nodes.values() if node.weight]
    start = initializers.start(recording, names_, porting.plain(recording.program))
    return Made(recording, found, program, keys, words, start, initializers.copies(recording, names_))


def _check_values(found, recording):
    """Raises InputError for a variable that a step uses and that had no value before the first one."""
    used = {name for step in found.steps for node in step.updates for name, _ in node.inputs}
    for name in sorted(used - recording.initial.keys()):
        if name in found.nodes and found.nodes[name].op in constants.VARIABLES:
            raise InputError(
                f"{recording.program}: {name} has no value before the first step: initialize it "
                "(values of bfloat16 are not recorded)"
            )


def _method(step):
    return f"forward_{step.name.removeprefix('step_')}"


def _methods(program, found, keys, whole):
    """Gives a Program its methods: one for each step, one for each evaluation, and what they share.

    whole: False leaves the order of the graph's ops as it is, so that sums of gradients have the same order.
    """
    computing = [step for step in found.steps if step.forward]
    named = {"__call__" if len(computing) == 1 else _method(step): step for step in computing}
    evaluations.name_all(found.evaluations, keys, {*names.MODULE, *named})
    program.public = {evaluation.name for evaluation in found.evaluations}
    named |= {evaluation.name: evaluation for evaluation in found.evaluations}
    if len(named) > 1 or program.public:
        program.methods = {name: [keys[tensor] for tensor in step.forward] for name, step in named.items()}
    if program.methods and whole:
        program.shared = sharing.shared(program)


def _program(found, recording, keys, words):
    """Returns the Program of the forward pass of all steps. A fed tensor becomes a placeholder."""
    graph_def = found.graph_def
    kinds = {name: (found.nodes[name.partition(":")[0]], int(name.partition(":")[2])) for name in words}
    types = {name: (node.dtypes[i], node.shapes[i]) for name, (node, i) in kinds.items()}
    deep = [name for name, (node, _) in kinds.items() if node.op not in training.FED]
    graph_def, renamed = graphs.cut(graph_def, deep, types)
    forward = {name: renamed.get(name, name) for name in found.forward}
    pruned = graphs.Graph(graph_def, recording.program).pruned(forward.values())
    graph = graphs.Graph(packing.without_order(pruned, forward.values(), recording), recording.program)
    effects.check(graph, trust=True)
    there = {node.name for node in graph.graph_def.node}
    inputs = {words[name]: renamed.get(name, name) for name in words}
    inputs = {word: name for word, name in inputs.items() if name.partition(":")[0] in there}
    outputs = {keys[name]: now for name, now in forward.items()}
    ready = Ready(graph.graph_def, graph.where, [], recording.initial, inputs, outputs)
    return reading.program(ready, literals.short, {name: node.shapes for name, node in found.nodes.items()})


def _report(path, script, text, made):
    return porting.Report(
        str(path),
        str(script),
        text.count("\n"),
        text.count("\nclass "),
        sum(bool(node.weight) for node in made.program.nodes.values()),
        text.count("tf.raw_ops."),
        {made.words[name]: name for name in made.training.inputs},
        {made.keys[name]: name for name in [*made.training.forward, *made.training.late]},
        len(made.recording.steps),
        notes=[f"the summary {tag} is not ported" for step in made.training.steps for tag in step.unshown],
    )
