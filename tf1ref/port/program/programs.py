"""Porting a program: it is recorded, its training step becomes train.py over model.py, and both are proven."""

import os
import subprocess
import sys
import tempfile

import numpy as np

from tf1ref.artifacts import CheckFailed
from tf1ref.artifacts.formats import weights
from tf1ref.artifacts.graph import effects, graphs
from tf1ref.artifacts.models import Ready
from tf1ref.errors import InputError, one_line
from tf1ref.parity import recorded
from tf1ref.port import literals, names, porting, proof, reading, writing
from tf1ref.port.program import trainer, training

STEPS = 20
TIMEOUT = 1800  # seconds for a program to do its steps
TEST = '''"""The proof that train.py computes as the program that it was ported from, to the bit.

Run it, or call pytest. recording.npz holds what the program fed and fetched, and its variables.
"""

import os
import sys
from pathlib import Path

# oneDNN's kernels round otherwise. Before TensorFlow is imported.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import numpy as np
import tensorflow as tf

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import train  # noqa: E402

# Folding constants and fusing ops changes last bits, in a session as in a function.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def differing(expected, reached):
    """Returns how many elements differ in their bits."""
    reached = np.asarray(reached)
    if (expected.dtype, expected.shape) != (reached.dtype, reached.shape):
        return max(expected.size, 1)
    bits = [np.frombuffer(a.tobytes(), np.uint8).reshape(a.size, -1) for a in (expected, reached)]
    return int(np.sum(np.any(bits[0] != bits[1], axis=1))) if expected.size else 0


def compare():
    """Returns (elements compared, elements that differ, the first that differs)."""
    trainer, rows = train.Trainer(), []
    arrays = np.load(HERE / "recording.npz")
    for i, batch in enumerate(train.recorded()):
        values, start = trainer.step(**batch), f"{i}/outputs/"
        for name in [n for n in arrays.files if n.startswith(start)]:
            key = name.removeprefix(start)
            rows.append((arrays[name], values[key], f"{key} of step {i}"))
    for v in trainer.variables:
        name = v.name.removesuffix(":0")
        if f"final/{name}" in arrays.files:
            rows.append((arrays[f"final/{name}"], v, f"{name} after the last step"))
    counts = [(differing(expected, reached), what) for expected, reached, what in rows]
    first = next((what for count, what in counts if count), "")
    return sum(row[0].size for row in rows), sum(count for count, _ in counts), first


def test_trains_to_the_bit():
    elements, wrong, first = compare()
    assert elements and not wrong, f"{wrong} of {elements} elements differ, first in {first}"


if __name__ == "__main__":
    elements, wrong, first = compare()
    print(f"{elements} elements compared, {wrong} differ" + f", first in {first}" * bool(first))
    sys.exit(1 if wrong or not elements else 0)
'''


def port_program(script, folder, arguments=(), steps=STEPS, seed=None, force=False):
    """Writes the program `script` as TensorFlow 2 code into the new `folder`; returns the porting.Report.

    It is run with `arguments` under `exec` for `steps` steps of its training. Raises InputError for a program that
    does not train, fails, or trains in a way that is not ported yet; CheckFailed when the code computes otherwise.
    """
    path = porting.target(folder, force)
    if not os.path.isfile(script):
        raise InputError(f"{script}: no such script")
    with tempfile.TemporaryDirectory() as scratch:
        recording = record(script, os.path.join(scratch, "program.rec"), arguments, steps, seed)
    step = training.step(recording)
    program, keys = _program(step, recording)
    title = f"The model of {porting.plain(script)}, ported from TensorFlow 1."
    text, arrays = writing.model(program, title, inside=True)
    every = training.every(step, recording.path)
    train = trainer.text(step, program, recording, keys, every)
    report = _report(path, script, text + train, arrays, step, program, len(recording.steps))
    with porting.written(path) as beside:
        (beside / "model.py").write_text(text)
        (beside / "train.py").write_text(train)
        (beside / "test_port.py").write_text(TEST)
        (beside / "weights.npz").write_bytes(weights.npz_bytes(arrays))
        if "state.npz" in train:
            (beside / "state.npz").write_bytes(weights.npz_bytes(_state(recording, arrays)))
        (beside / "recording.npz").write_bytes(weights.npz_bytes(_packed(recording, step, program, keys)))
        report.compared = proof.run(beside, "test_port.py")
    return report


def record(script, path, arguments, steps, seed):
    """Runs `script` until it has trained for `steps` steps; returns the recorded.Recording.

    What it prints is kept from the terminal; input has an end at once. Raises InputError where it fails or never
    trains.
    """
    options = [f"--record={path}", f"--steps={steps}", "--stop", *([] if seed is None else [f"--seed={seed}"])]
    command = [sys.executable, "-m", "tf1ref.compat", *options, "--", os.path.abspath(script), *arguments]
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, env=environment
        )
    except subprocess.TimeoutExpired as e:
        raise InputError(f"{script}: did not train {steps} steps within {TIMEOUT} s: give it smaller data") from e
    if done.returncode or not os.path.exists(path):
        lines = [line for line in done.stderr.splitlines() if "nothing is recorded" not in line] or [""]
        raise InputError(f"{script}: fails before it has trained: {one_line(lines[-1])}")
    found = recorded.load(path)
    if not found.steps:
        raise InputError(f"{script}: never trains: port its model, such as a checkpoint that it writes")
    return found


def _program(step, recording):
    """Returns (the Program of the forward pass, {tensor name: key of the model's answer})."""
    pruned = graphs.Graph(step.graph_def, recording.program).pruned(step.forward)
    for node in pruned.node:  # order alone: what is written to is no part of a forward pass
        node.input[:] = [i for i in node.input if i[0] != "^"]
    graph = graphs.Graph(graphs.Graph(pruned, recording.program).pruned(step.forward), recording.program)
    effects.check(graph, trust=True)
    taken, keys = {"loss"}, {step.loss: "loss"}
    for name in step.forward:
        if name != step.loss:
            keys[name] = names.free(names.local(name.partition(":")[0]), taken)
    there = {node.name for node in graph.graph_def.node}
    inputs = {n.partition(":")[0]: n for n in step.inputs if n.partition(":")[0] in there}
    outputs = {key: name for name, key in keys.items()}
    ready = Ready(graph.graph_def, graph.where, [], recording.initial, inputs, outputs)
    return reading.program(ready, literals.short), keys


def _report(path, script, text, arrays, step, program, steps):
    words = writing.arguments(program)
    return porting.Report(
        str(path),
        str(script),
        text.count("\n"),
        text.count("\nclass "),
        len(arrays),
        text.count("tf.raw_ops."),
        {words[key]: source[0] for key, source in program.inputs.items()},
        {"loss": step.loss},
        steps,
    )


def _state(recording, arrays):
    return {name: value for name, value in recording.initial.items() if name not in arrays}


def _packed(recording, step, program, keys):
    """{name: array} of recording.npz."""
    words = writing.arguments(program)
    arrays = {"steps": np.array(len(recording.steps))}
    for i, run in enumerate(recording.steps):
        for key, source in program.inputs.items():
            name = f"{source[0]}:{source[1]}"
            if name not in run.feeds:
                raise InputError(f"{recording.program}: step {i} does not feed {name}, the first did: not ported yet")
            arrays[f"{i}/inputs/{words[key]}"] = run.feeds[name]
        arrays.update((f"{i}/outputs/{keys[name]}", run.fetches[name]) for name in keys if name in run.fetches)
    arrays.update((f"final/{name}", value) for name, value in recording.final.items())
    if not any("/outputs/" in name or name.startswith("final/") for name in arrays):
        raise CheckFailed(f"{recording.program}: nothing of its training was recorded to compare with")
    return arrays
