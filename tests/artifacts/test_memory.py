"""What freeze, convert, verify and inspect hold in memory beside TensorFlow: a copy of all weights shows here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "scripts" / "bench_memory.py"
PARAMETERS, LAYERS = 50_000_000, 5
WEIGHTS = PARAMETERS * 4 / 1e6  # MB
# {what: its bound, in times the weights}. The first ones read a weight at a time. A session holds all of them, once.
WAYS = {"inspect pb": 0.5, "checkpoint to npz": 1.2}
WAYS |= dict.fromkeys(("freeze", "verify checkpoint and pb", "checkpoint to SavedModel", "pb to checkpoint"), 2.2)


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
    assert {way: mb for way, mb in found.items() if mb > WAYS[way] * WEIGHTS} == {}
