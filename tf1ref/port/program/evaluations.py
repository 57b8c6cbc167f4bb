"""Runs that write nothing, such as an accuracy between training steps: they become methods of the model."""

import tensorflow as tf

from tf1ref.artifacts.graph import constants, effects
from tf1ref.port import names
from tf1ref.port.flow.frames import FLOW
from tf1ref.port.program import reach
from tf1ref.port.program.steps import Step

MOST = 8  # methods
# Bytes of all that these were fed. A test set may be large.
MOST_BYTES = 1 << 26


def found(recording, parts, steps):
    """Returns a Step without updates for each kind of evaluation, without its name.

    parts: the training.Parts of the graph. steps: the Steps that write. What the forward pass of one answers already
    is left out.
    """
    sessions = {run.session for run in recording.steps}
    if len(sessions) > 1:
        return []
    runs = [run for run in recording.runs if run.graph == recording.steps[0].graph and run.session in sessions]
    kinds, written = {}, set()
    for run in runs:
        writes = {parts.ops[name].inputs[0].op.name for name in parts.writes(run)}
        if run.trains:
            continue
        if writes:
            # What ran before starts from other values. What counts by itself is no variable of the port.
            kinds, written = (kinds, written | writes) if _began(runs, run) else ({}, set())
            continue
        for inputs, outputs in _asked(run, parts).items():
            answers, among = kinds.setdefault(inputs, ({}, []))
            answers.update(dict.fromkeys(outputs))
            among.append(run)
    made = [Step("", [], answers, [], list(inputs), among) for inputs, (answers, among) in kinds.items()]
    for evaluation in made:
        for step in steps:
            if set(evaluation.inputs) <= set(step.inputs):
                evaluation.forward = {n: None for n in evaluation.forward if n not in step.forward}
    return _small([e for e in made if e.forward and _fits(e, parts, steps, written)])


def _began(runs, run):
    """Returns whether a step came before `run`."""
    return any(other.trains for other in runs[: next(i for i, other in enumerate(runs) if other is run)])


def _asked(run, parts):
    """Returns {names of the tensors that are fed: names of what a Run computes of them}."""
    asked, trainable = {}, set(parts.where.recording.trainable)
    for name in run.fetches:
        op = parts.ops.get(name.partition(":")[0])
        if op is None or op.outputs[0].dtype.base_dtype == tf.string or _is_plain(op):
            continue
        fed = {n.partition(":")[0]: n for n in run.feeds}
        needed = reach.ancestors([op.name], parts.ops, ends=fed)
        # A global step is no evaluation.
        if not needed & (fed.keys() | trainable):
            continue
        if op.name not in fed and not any(_is_outside(parts, n) for n in needed - fed.keys()):
            asked.setdefault(tuple(fed[n] for n in fed if n in needed), []).append(name)
    return asked


def _is_plain(op):
    """Returns whether an op computes nothing."""
    return op.type in (*constants.VARIABLES, *FLOW, "Const") or reach.is_read(op)


def _is_outside(parts, name):
    """Returns whether a model cannot compute an op: a gradient, an input that is missing, a queue."""
    op = parts.ops[name]
    if op.type in constants.VARIABLES:
        return name not in parts.initial
    verdict = effects.verdict(op.node_def)
    if verdict is None or verdict.decision in (effects.STATE, effects.PYTHON):
        return True
    return name in parts.known or (op.type.startswith("Placeholder") and not op.inputs)


def _fits(evaluation, parts, steps, written):
    """Returns whether an evaluation is fed where the steps are, and reads none of the variables `written`.

    A tensor that has a value without being fed is either an argument of all or of none.
    """
    ops, fed = parts.ops, {name.partition(":")[0] for name in evaluation.inputs}
    needed = reach.ancestors([name.partition(":")[0] for name in evaluation.forward], ops, ends=fed)
    among = [{name.partition(":")[0] for name in step.inputs} for step in steps]
    optional = [name for name in fed if not ops[name].type.startswith("Placeholder") or ops[name].inputs]
    same = all(name in inputs for name in optional for inputs in among)
    return same and not (needed - fed) & set().union(*among) and not needed & written


def _small(evaluations):
    """Returns the first evaluations with their first and last runs, as far as what is fed is small enough to keep."""
    kept, size = [], 0
    for evaluation in evaluations[:MOST]:
        runs = evaluation.runs[:1] + evaluation.runs[-1:][: len(evaluation.runs) - 1]
        size += sum(run.feeds[name].nbytes for run in runs for name in evaluation.inputs)
        if size <= MOST_BYTES:
            evaluation.runs = runs
            kept.append(evaluation)
    return kept


def name_all(evaluations, keys, taken):
    """Gives each of `evaluations` a name: that of its only answer, or "evaluate"."""
    for evaluation in evaluations:
        answers = list(evaluation.forward)
        evaluation.name = names.free(keys[answers[0]] if len(answers) == 1 else "evaluate", taken)
