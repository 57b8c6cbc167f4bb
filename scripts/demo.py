"""What scripts/demo runs: train on a cluster, freeze, ask the frozen graph, prove parity, say where it all is."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

out = Console(highlight=False)
PROGRESS = re.compile(r"step \d+/\d+")
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
            [*tf1ref, "launch", "up", "local.yml", "--log-dir", folder / "logs", "--", *training],
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
        out.print("$ " + " ".join(_shown(word) for word in command), style="bold", soft_wrap=True)
        command = list(map(str, command))
        code = train(command) if number == 1 else subprocess.run(command, check=False).returncode
        if code:
            print(f"demo: part {number} ended with exit code {code}", file=sys.stderr)
            return code
    _say_where(folder, frozen, time.monotonic() - began)
    return 0


def train(command):
    """Runs a launcher's command line, with one row for each task that shows where it is; returns its exit code.

    Where there is no terminal, only the last progress of each task is shown. The logs have all of it.
    """
    at = command.index("--")
    command = [*command[:at], "--json", *command[at:]]
    rows = {}
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as job,
        Live(console=out, auto_refresh=False, transient=True) if out.is_terminal else contextlib.nullcontext() as live,
    ):
        try:
            for event in map(json.loads, job.stdout):
                _show(event, rows, live)
        except KeyboardInterrupt:  # the launcher has got it, too, and ends the job
            job.wait()
            raise
    for task, line in sorted(rows.items()):
        out.print(f"[bold]{task:<9}[/bold] {line}", soft_wrap=True)
    return job.returncode


def _show(event, rows, live):
    if event["event"] == "task":
        rows.setdefault(event["task"], "started")
    elif event["event"] == "log" and PROGRESS.match(event["line"]):
        rows[event["task"]] = event["line"]
    elif event["event"] == "log":
        out.print(event["line"], markup=False, soft_wrap=True)
    if live:
        grid = Table.grid(padding=(0, 2))
        for task, line in sorted(rows.items()):
            grid.add_row(Text(task, "bold"), Text(line))  # Text: a print beside it may be without markup
        live.update(grid, refresh=True)


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
