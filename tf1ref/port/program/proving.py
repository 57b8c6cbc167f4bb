"""Writes test_port.py: the proof that a port of a program computes as the program, to the bit."""

from tf1ref.port import layout, literals, proof

TEST = '''"""The proof that @FILE.py computes as the program that it was ported from, to the bit.

Run it, or call pytest. recording.npz holds what the program fed and fetched, and its variables.
"""

import os
import sys
import tempfile
from operator import attrgetter
from pathlib import Path

# oneDNN's kernels round differently. This must come before TensorFlow is imported.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import numpy as np
import tensorflow as tf

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import @FILE  # noqa: E402

# Folding constants and fusing ops changes last bits, in a session as in a function.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def differing(expected, reached):
    """Returns how many elements differ in their bits."""
    reached = np.asarray(reached)
    if (expected.dtype, expected.shape) != (reached.dtype, reached.shape):
        return max(expected.size, 1)
    if not expected.size:
        return 0
    bits = [np.frombuffer(a.tobytes(), np.uint8).reshape(a.size, -1) for a in (expected, reached)]
    return int(np.sum(np.any(bits[0] != bits[1], axis=1)))


def of_variables(trainer, arrays, kind, when):
    """Returns [(recorded value, the variable's value, what they are)]."""
    named = {v.name.removesuffix(":0"): v.numpy() for v in trainer.variables}
    return [
        (arrays[f"{kind}/{name}"], value, f"{name} {when}")
        for name, value in named.items()
        if f"{kind}/{name}" in arrays.files
    ]

@PIPES
def compare():
    """Returns (elements compared, elements that differ, the first that differs)."""
    trainer, arrays = @FILE.@CLASS(), np.load(HERE / "recording.npz")
    rows = of_variables(trainer, arrays, "initial", "before the first step")
    for i, (name, batch) in enumerate(@FILE.recorded()):
        values, start = attrgetter(name)(trainer)(**batch), f"{i}/outputs/"
        for name in [n for n in arrays.files if n.startswith(start)]:
            key = name.removeprefix(start)
            value = values[key] if isinstance(values, dict) else values
            rows.append((arrays[name], value, f"{key} of step {i}"))
        start = f"{i}/ranges/"
        for key in [n.removeprefix(start) for n in arrays.files if n.startswith(start)]:
            ends = np.float64([np.min(values[key]), np.max(values[key])])
            rows.append((arrays[start + key], ends, f"the range of {key} of step {i}"))
@ROWS    rows += of_variables(trainer, arrays, "final", "after the last step")
    with tempfile.TemporaryDirectory() as folder:
        trainer.save(Path(folder) / "model")
        for variable in trainer.variables:
            variable.assign(tf.zeros_like(variable))
        assert not trainer.restore(Path(folder) / "model")
    rows += of_variables(trainer, arrays, "final", "out of a checkpoint")
    counts = [(differing(expected, reached), what) for expected, reached, what in rows]
    first = next((what for count, what in counts if count), "")
    return sum(row[0].size for row in rows), sum(count for count, _ in counts), first


def test_trains_to_the_bit():
'''


PIPES = '''
def of_pipelines(arrays):
    """Returns [(recorded batch, what the pipeline gives, what they are)].

    A pipeline whose files are missing, or whose data were too large to keep, is left out.
    """
    rows = []
    for name, (words, arguments) in PIPELINES.items():
        data = {a: f"data/{name}/{a}" for a in arguments}
        given = {a: arrays[key] for a, key in data.items() if key in arrays.files}
        places = {i: f"{i}/element/{name}" for i in range(int(arrays["steps"]))}
        steps = {int(arrays[place]): i for i, place in places.items() if place in arrays.files}
        if len(given) < len(arguments) or not steps:
            continue
        try:
            elements = list(getattr(@FILE, name)(**given).take(max(steps) + 1))
        except tf.errors.NotFoundError:
            continue
        for at in sorted(steps):
            element = elements[at] if isinstance(elements[at], tuple) else (elements[at],)
            for word, value in zip(words, element):
                expected = arrays.get(f"{steps[at]}/inputs/{word}")
                rows += [(expected, value, f"{word} of batch {at}")] * (expected is not None)
    return rows

'''


def text(made):
    """Returns the text of test_port.py for a programs.Made."""
    known = {p.name: ([made.words.get(t, t) for t in p.elements], list(p.arguments)) for p in made.pipelines}
    pipes, rows = "", ""
    if known:
        words = {literals.quoted(name): f"({_list(a)}, {_list(b)})" for name, (a, b) in known.items()}
        table = ", ".join(f"{name}: {text}" for name, text in words.items())
        comment = "# {pipeline: (what its elements are, what it is given)}"
        pipes = "\n".join(["", comment, *layout.statement(f"PIPELINES = {{{table}}}"), "", PIPES])
        rows = "    rows += of_pipelines(arrays)\n"
    test = TEST.replace("@PIPES", pipes).replace("@ROWS", rows)
    return (test + proof.END).replace("@FILE", made.module).replace("@CLASS", made.class_name)


def _list(words):
    return f"[{', '.join(map(literals.quoted, words))}]"
