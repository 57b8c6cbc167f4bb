"""Writes recording.npz of a port: what the program fed in each step, what it fetched, and its variables."""

import numpy as np
import tensorflow as tf

from tf1ref.artifacts import CheckFailed
from tf1ref.artifacts.graph import answers, effects, graphs
from tf1ref.errors import InputError, one_line
from tf1ref.port.flow import frames
from tf1ref.port.program import summaries

# Bytes of what pipelines are given. Of more, the proof is done once, and the test does not repeat it.
MOST_BYTES = 1 << 26


def packed(made):
    """Returns {name: array} of recording.npz."""
    recording = made.recording
    step_of = {id(run): (step, step.name) for step in made.training.steps for run in step.runs}
    step_of |= {id(run): (step, f"model.{step.name}") for step in made.training.evaluations for run in step.runs}
    runs = [run for run in recording.runs if id(run) in step_of]
    arrays = {"steps": np.array(len(runs))}
    for i, run in enumerate(runs):
        step, method = step_of[id(run)]
        arrays[f"{i}/step"] = np.array(method)
        for name in step.inputs:
            value = run.feeds[name] if name in run.feeds else _unfed(made, run, name, i)
            arrays[f"{i}/inputs/{made.words[name]}"] = value
        found = {made.keys[n]: run.fetches[n] for n in [*step.forward, *step.late] if n in run.fetches}
        scalars, ranges = summaries.recorded(step, run, made.keys)
        arrays.update((f"{i}/outputs/{key}", value) for key, value in {**scalars, **found}.items())
        arrays.update((f"{i}/ranges/{key}", value) for key, value in ranges.items())
        places = {p.name: p.positions[id(run)] for p in made.pipelines if id(run) in p.positions}
        arrays.update((f"{i}/element/{name}", np.array(place)) for name, place in places.items())
    drawn = made.start.names | made.copies.keys()
    arrays.update((f"initial/{name}", value) for name, value in recording.initial.items() if name in drawn)
    arrays.update((f"final/{name}", value) for name, value in recording.final.items())
    if not any("/outputs/" in name or name.startswith("final/") for name in arrays):
        raise CheckFailed(f"{recording.program}: nothing of its training was recorded to compare with")
    return arrays


def given(made):
    """Returns {name: array} of what recording.npz has for the pipelines: the arguments of each."""
    return {f"data/{p.name}/{word}": np.asarray(a) for p in made.pipelines for word, a in p.arguments.items()}


def without_order(graph_def, forward, recording):
    """Returns `graph_def` without writes that only order requires: they are not a part of a forward pass.

    What says in which loop or branch a node without inputs is stays: a random op there draws each time.
    """
    inside = frames.inside(graph_def.node)
    for node in graph_def.node:
        data = [i for i in node.input if i[0] != "^"]
        node.input[:] = data or [i for i in node.input if i[1:] in inside]
    return graphs.Graph(graph_def, recording.program).pruned(forward)


def _unfed(made, run, name, i):
    """Returns the value of the tensor `name` in a Run that did not feed it, such as the state before the first batch.

    Raises InputError unless it depends only on what was fed.
    """
    graph = graphs.Graph(made.training.graph_def, made.recording.program)
    graph = graph.but(without_order(graph.pruned([name]), [name], made.recording))
    op = next((n.name for n in graph.graph_def.node if n.op in graphs.VARIABLES or "seed" in n.attr), "")
    try:
        effects.check(graph, trust=False)
        if not op:
            return np.asarray(answers.Model(graph, [name]).answers(_within(graph, run.feeds))[name])
    except (InputError, answers.Refused, tf.errors.OpError) as e:
        op = one_line(e)
    why = f"step {i} does not feed {name}, which depends on more than what was fed ({op})"
    raise InputError(f"{made.recording.program}: {why}: not ported yet")


def _within(graph, feeds):
    there = {node.name for node in graph.graph_def.node}
    return {name: value for name, value in feeds.items() if graphs.tensor(name)[0] in there}
