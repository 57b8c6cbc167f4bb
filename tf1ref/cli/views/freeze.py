"""What `tf1ref freeze` prints."""

import json
import sys
from dataclasses import asdict

from tf1ref import console
from tf1ref.artifacts.graph import shapes


def show_freeze(report, as_json=False):
    """Prints a freezing.Report: its notes on standard error, then counts, inputs, outputs and the verification."""
    for line in report.notes:
        console.note(f"note: {line}")
    if as_json:
        json.dump(asdict(report), sys.stdout, indent=2)
        console.say()
    else:
        _show(report)


def _show(report):
    counts = [f"{report.nodes} nodes", f"{report.bytes:,} bytes", f"{len(report.variables)} variables frozen"]
    counts += [f"{report.folded} batch norms and factors folded"] * bool(report.folded)
    console.say(f"{report.path}: {', '.join(counts)}")
    ends = [("input", report.inputs), ("output", report.outputs)]
    rows = [(kind, name, shapes.text(shape)) for kind, found in ends for name, shape in found.items()]
    console.table(("", "tensor", "shape"), rows)
    if not report.compared:
        console.say(f"NOT verified on inputs: {report.not_compared}")
        return
    how = "nearly (batch norms are folded)" if report.folded else "to the bit"
    console.say(
        f"verified: read back, it answers as the session does, {how}, on {console.counted(report.compared, 'set')} "
        "of inputs"
    )
