"""Writes test_port.py: the proof that a port of a program computes as the program, to the bit."""

from tf1ref.port import proof

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
    rows += of_variables(trainer, arrays, "final", "after the last step")
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


def text(made):
    """Returns the text of test_port.py for a programs.Made."""
    return (TEST + proof.END).replace("@FILE", made.module).replace("@CLASS", made.class_name)
