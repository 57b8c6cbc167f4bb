"""What freeze, convert, verify and inspect hold in memory, in times the weights: copies of all weights show here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "scripts" / "bench_memory.py"
PARAMETERS = 25_000_000
WEIGHTS = PARAMETERS * 4 / 1e6  # MB
# Beside the weights: a weight that is on its way, and what TensorFlow takes for its buffers.
BOUND = 60


@pytest.mark.slow
def test_no_verb_holds_the_weights_twice(tmp_path):
    environment = {**os.environ, "TF1REF_BENCH_PARAMETERS": str(PARAMETERS)}

    def run(*words):
        command = [sys.executable, BENCH, *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    run("make", tmp_path, str(PARAMETERS))
    found = json.loads(run("peak", tmp_path))
    assert {way: mb for way, mb in found.items() if mb > 1.5 * WEIGHTS + BOUND} == {}
