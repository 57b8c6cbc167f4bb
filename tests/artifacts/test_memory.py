"""What freeze, convert, verify and inspect hold in memory beside TensorFlow: a copy of all weights shows here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import answers, memory

BENCH = Path(__file__).resolve().parents[2] / "scripts" / "bench_memory.py"
PARAMETERS, LAYERS = 30_000_000, 5
WEIGHTS = PARAMETERS * 4 / 1e6  # MB
SPARE = 20  # MB that graphs and sessions take beside the weights, however many these are
# {what: its bound beside SPARE, in times the weights}. The first ones read a weight at a time. A session holds all of
# them, once.
WAYS = {"inspect pb": 0.0, "checkpoint to npz": 0.7}
WAYS |= dict.fromkeys(("freeze", "verify checkpoint and pb", "pb to SavedModel", "pb to checkpoint"), 1.4)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_verb_holds_copies_of_the_weights(tmp_path):
    environment = {**os.environ, "TF1REF_BENCH_PARAMETERS": str(PARAMETERS)}
    environment["TF1REF_BENCH_LAYERS"] = str(LAYERS)

    def run(*words):
        command = [sys.executable, BENCH, *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=290)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    run("make", tmp_path, str(PARAMETERS))
    found = json.loads(run("peak", tmp_path, *WAYS))
    assert {way: mb for way, mb in found.items() if mb > WAYS[way] * WEIGHTS + SPARE} == {}


def kept_by_a_session(array):
    """Whether a variable of a session lies in the memory of the array that it was assigned."""
    with v1.Graph().as_default() as graph, v1.Session() as sess:
        handle = tf.raw_ops.VarHandleOp(dtype=array.dtype, shape=array.shape)
        value = tf.raw_ops.ReadVariableOp(resource=handle, dtype=array.dtype)
        node = v1.NodeDef(attr={"dtype": v1.AttrValue(type=tf.as_dtype(array.dtype).as_datatype_enum)})
        op, start = answers.assignment(graph, handle.op.name, node)
        answers.assign(sess, [(op, start, array)])
        before = sess.run(value)
        array += 1
        return not np.array_equal(sess.run(value), before)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_session_takes_over_an_aligned_array_and_copies_others(size):
    array = memory.aligned((size, 5), np.dtype(np.float32))
    array[...] = 1
    assert kept_by_a_session(array)
    unaligned = memory.aligned((size * 5 + 1,), np.dtype(np.float32))[1:]
    unaligned[...] = 1
    assert not kept_by_a_session(unaligned)


def test_what_is_made_aligned_has_the_same_elements():
    rows = np.arange(12, dtype=np.float64).reshape(3, 4)
    for array in (rows.T, rows[:, 1:], np.array(["a", b"b"], object), np.array(["ab", "c"]), np.float32(2), rows[:0]):
        assert np.array_equal(memory.as_aligned(array), array)
    aligned = memory.as_aligned(rows[:, 1:])
    assert memory.as_aligned(aligned) is aligned
