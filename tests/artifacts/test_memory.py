"""What freeze, convert, verify and inspect hold in memory beside TensorFlow: a copy of all weights shows here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "scripts" / "bench_memory.py"
PARAMETERS = 25_000_000
WEIGHTS = PARAMETERS * 4 / 1e6  # MB
# These read one weight at a time. The others also run the model, whose session holds all.
STREAMED = ("inspect pb", "inspect checkpoint", "verify checkpoint and npz", "checkpoint to npz", "pb to npz")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_verb_holds_copies_of_the_weights(tmp_path):
    environment = {**os.environ, "TF1REF_BENCH_PARAMETERS": str(PARAMETERS)}

    def run(*words):
        command = [sys.executable, BENCH, *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=290)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    run("make", tmp_path, str(PARAMETERS))
    found = json.loads(run("peak", tmp_path))
    most = {way: WEIGHTS * (1.0 if way in STREAMED else 2.5) for way in found}
    assert {way: mb for way, mb in found.items() if mb > most[way]} == {} and {*STREAMED} <= found.keys()
