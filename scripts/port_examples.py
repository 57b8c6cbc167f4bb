"""Ports the graph half of examples and compares the port with the hand-written function half, to the bit.

scripts/port_examples.py [--steps N] [--json FILE] [NAME...]; without names every example that has build_graph. The
port is proven against the recording; then what its steps answer is looked for among the function half's steps/ and
initial/ values. Where an example never trains, its graphs are ported as models, and their answers are looked for.
One line for each example, and the counts at the end; the exit code is 1 when one differs.
"""

import argparse
import collections
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.update(TF_ENABLE_ONEDNN_OPTS="0", TF_CPP_MIN_LOG_LEVEL="3")

import numpy as np
from tensorflow.python.framework import random_seed

from tf1ref import catalog
from tf1ref.artifacts import CheckFailed
from tf1ref.catalog import finding
from tf1ref.errors import InputError
from tf1ref.parity import engine

STEPS = 5
# TensorFlow's own graph seed where a program has none: an op with a seed draws as in the function half.
SEED = random_seed.DEFAULT_GRAPH_SEED
MOST = 100_000  # runs that train
DRIVER = """
from tf1ref import catalog
from tf1ref.parity import engine

engine.trace_of(catalog.load("{name}").run_graph, {steps}, "{name}")
"""
# The last: what needs resource variables or hard placement runs here, and not under exec.
UNTRAINED = "never trains", "runs no session", "fails before it has trained"
EQUAL, DIFFERENT, NOT_PORTED, NOT_COMPARED = "equal", "different", "not portable", "not compared"


def names():
    """The examples whose source has build_graph."""
    return [e.name for e in finding.examples() if "def build_graph(" in e.path.read_text()]


def one(name, steps):
    """Returns (one of the results above; what was compared, or the reason)."""
    from tf1ref.port.program import programs

    with tempfile.TemporaryDirectory() as folder:
        script, port = Path(folder) / "driver.py", Path(folder) / "port"
        script.write_text(DRIVER.format(name=name, steps=steps))
        try:
            try:  # to the end, so that the last values can be compared
                programs.port_program(str(script), port, steps=MOST, seed=SEED)
            except InputError as e:
                if "more than one graph" not in str(e) and "several sessions" not in str(e):
                    raise
                programs.port_program(str(script), port, steps=steps, seed=SEED)
        except InputError as e:
            reason = str(e).replace(f"{script}: ", "")
            return as_models(name, steps, folder) if any(word in reason for word in UNTRAINED) else (NOT_PORTED, reason)
        except CheckFailed as e:
            return DIFFERENT, f"the port differs from the session: {e}"
        arrays = dict(np.load(port / "recording.npz"))
    result = against(arrays, engine.trace_of(catalog.load(name).run_function, steps, name))
    if result[0] == NOT_COMPARED:  # what it computes besides its steps is shown, too
        with tempfile.TemporaryDirectory() as folder:
            models = as_models(name, steps, folder)
        return models if models[0] in (EQUAL, DIFFERENT) else result
    return result


def as_models(name, steps, folder):
    """Compares the ports of the graphs of an example that does not train with what its function half answers."""
    import port_models

    with port_models.Runs().kept() as runs:
        engine.trace_of(catalog.load(name).run_graph, steps, name)
    try:
        found, reasons = runs.ported(folder)
    except CheckFailed as e:
        return DIFFERENT, f"the port differs from the session: {e}"
    if not found and reasons:
        return NOT_PORTED, f"its graphs: {'; '.join(dict.fromkeys(reasons))}"
    there = {a.tobytes() for a in found if a.size}
    trace = engine.trace_of(catalog.load(name).run_function, steps, name)
    same = [key for key, value in trace.items() if value.size and value.dtype.kind in "fiub" and _among(value, there)]
    if any(not key.startswith("initial/") for key in same):  # weights are copied, and prove nothing
        return EQUAL, f"as models: {', '.join(same)}"
    if not runs.groups:
        return NOT_COMPARED, "it builds graphs and runs none"
    return NOT_COMPARED, f"{len(found)} answers are proven, and the function half shows other ones: {', '.join(trace)}"


def _among(value, there):
    """Returns whether an array, or each of its rows, is one of `there`, a set of bytes."""
    return value.tobytes() in there or (value.ndim > 0 and all(row.tobytes() in there for row in value))


def against(arrays, trace):
    """Compares a proven port's recording with the trace of a function half: which of its values are the port's."""
    count, answers = int(arrays["steps"]), collections.defaultdict(list)
    for i in range(count):
        for key in [k for k in arrays if k.startswith(f"{i}/outputs/")]:
            answers[str(arrays[f"{i}/step"]), key.partition("/outputs/")[2]].append(arrays[key])
    starts = {value.tobytes() for key, value in arrays.items() if key.startswith("initial/")}
    rows = {np.stack(found).tobytes() for found in answers.values() if len({a.shape for a in found}) == 1}
    ends = {value.tobytes() for key, value in arrays.items() if key.startswith("final/")}
    shown = {value.tobytes() for found in answers.values() for value in found}
    places = {"initial": starts, "steps": rows, "final": ends, "slots": ends, "forward": shown}
    same, other = [], []
    for key, value in trace.items():
        kind = key.partition("/")[0]
        if kind in places and value.size:
            value = np.asarray(value)
            found = value.tobytes() in places[kind] or any(
                value[:n].tobytes() in rows for n in range(1, count + 1) if kind == "steps"
            )
            (same if found else other).append(key)
    if [key for key in same if key.startswith(("steps/", "final/", "slots/", "forward/"))]:
        return EQUAL, f"{', '.join(same)}" + (f"; not of these steps: {', '.join(other)}" if other else "")
    return NOT_COMPARED, f"the port is proven, and the function half shows other moments: {', '.join(other)}"


def main(argv=None):
    """Walks the examples; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--json", metavar="FILE", help="what was found so far is kept there, and not computed again")
    arguments = parser.parse_args(argv)
    kept = Path(arguments.json) if arguments.json else None
    found = json.loads(kept.read_text()) if kept and kept.exists() else {}
    for name in [catalog.find(n).name for n in arguments.names] or names():
        if name not in found:
            try:
                found[name] = one(name, arguments.steps)
            except (engine.ProgramFailed, InputError) as e:
                found[name] = NOT_PORTED, f"the function half: {e}"
            if kept:
                kept.write_text(json.dumps(found, indent=1) + "\n")
        print(f"{name}: {found[name][0]}: {found[name][1]}", flush=True)
    counts = collections.Counter(result for result, _ in found.values())
    print(", ".join(f"{counts[word]} {word}" for word in (EQUAL, DIFFERENT, NOT_PORTED, NOT_COMPARED)))
    return 1 if counts[DIFFERENT] else 0


if __name__ == "__main__":
    sys.exit(main())
