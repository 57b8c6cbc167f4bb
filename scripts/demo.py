"""What scripts/demo runs: train on a cluster, freeze, ask the frozen graph, prove parity, say where it all is."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

out = Console(highlight=False)
STEPS, BATCH_SIZE = 1500, 100
EXAMPLE = "distributed.async_mnist"


def main(folder="demo-out"):
    """Runs every part in turn; returns 0, or the exit code of the part that failed."""
    folder, began = Path(folder), time.monotonic()
    if folder.exists() and not (folder / "graph").exists() and any(folder.iterdir()):
        print(f"demo: {folder}: holds something else: name another folder, or empty it", file=sys.stderr)
        return 2
    shutil.rmtree(folder, ignore_errors=True)
    tf1ref = [sys.executable, "-m", "tf1ref"]
    training = [*tf1ref, "run", EXAMPLE, "--steps", str(STEPS), "--set", f"BATCH_SIZE={BATCH_SIZE}", "--out", folder]
    frozen = folder / "lenet5.pb"
    parts = (
        (
            f"LeNet-5 on one parameter server and two workers, {STEPS} steps of {BATCH_SIZE} digits",
            [sys.executable, "-m", "tf1ref.cluster", "up", "local.yml", "--log-dir", folder / "logs", "--", *training],
        ),
        (
            "Freeze the checkpoint: variables become constants, the answers stay",
            [*tf1ref, "freeze", folder / "graph", "--outputs", "y", "-o", frozen],
        ),
        (
            "Ask the frozen graph about the test digits",
            [sys.executable, "scripts/ask_frozen.py", frozen, folder / "graph"],
        ),
        (
            "Parity: the graph half of LeNet-5 against its tf.function twin, 20 steps, every bit",
            [*tf1ref, "parity", "mnist.lenet5", EXAMPLE],
        ),
    )
    for number, (title, command) in enumerate(parts, 1):
        out.rule(f"[bold]{number}. {title}", align="left")
        out.print("$ " + " ".join(_shown(word) for word in command), style="cyan", soft_wrap=True)
        code = subprocess.run(list(map(str, command)), check=False).returncode
        if code:
            print(f"demo: part {number} ended with exit code {code}", file=sys.stderr)
            return code
    _say_where(folder, frozen, time.monotonic() - began)
    return 0


def _say_where(folder, frozen, seconds):
    out.rule(f"[bold]Done in {seconds:.0f} s", align="left")
    out.print(f"checkpoints, events   {folder / 'graph'}")
    out.print(f"one log a task        {folder / 'logs'}")
    out.print(f"frozen graph          {frozen}")
    out.print(f"TensorBoard           .venv/bin/tensorboard --logdir {folder / 'graph'}", soft_wrap=True)
    out.print("more                  .venv/bin/tf1ref list")


def _shown(word):
    word = "python" if word == sys.executable else str(word)
    return os.path.relpath(word) if os.path.isabs(word) else word


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
