"""What `tf1ref port` prints: notes, what was written, and how it was proven; or JSON."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from tf1ref import console
from tf1ref.cli.views import halves
from tf1ref.port import porting
from tf1ref.port.program import programs


def show_port(source, folder, as_json=False, **options):
    """Ports a model as porting.port does and prints the report."""
    report = porting.port(source, folder, **options)
    if _show(report, "model.py", as_json):
        return
    if report.not_compared:
        console.say(f"NOT proven: {report.not_compared}: give inputs with --feeds FILE.npz")
    else:
        console.say(
            f"proven: in a process of its own it answers as {report.source}, to the bit: {report.compared:,} elements "
            f"on {console.counted(report.cases, 'set')} of inputs, 0 differ; test_model.py repeats it"
        )


def show_program(script, folder, as_json=False, beside=False, **options):
    """Ports a program as programs.port_program does and prints the report; `beside`: and both programs in halves."""
    report = programs.port_program(script, folder, **options)
    files = [name for name in ("model.py", "train.py") if (Path(report.path) / name).exists()]
    if beside:
        with open(script, encoding="utf-8", errors="replace") as file:
            old = file.read()
        texts = [(Path(report.path) / name).read_text() for name in files]
        halves.show([(script, old), (f"{report.path}/{', '.join(files)}", "\n\n".join(texts))])
    if not _show(report, " and ".join(files), as_json):
        console.say(
            f"proven: in a process of its own it trains as {report.source}, to the bit: {report.compared:,} elements "
            f"after {report.cases} steps, 0 differ; test_port.py repeats it"
        )


def _show(report, files, as_json):
    """Prints what all ports say; returns True where that was all, as JSON."""
    if as_json:
        json.dump(asdict(report), sys.stdout, indent=2)
        console.say()
        return True
    for note in report.notes:
        console.note(f"note: {note}")
    console.say(
        f"{report.path}: {files}: {report.lines} lines, {report.classes} classes, {report.weights} weights, "
        f"{report.raw_ops} calls of tf.raw_ops"
    )
    ends = [("argument", report.inputs), ("output", report.outputs)]
    console.table(("", "name", "tensor"), [(what, key, name) for what, found in ends for key, name in found.items()])
    return False
