"""What `tf1ref verify` and `tf1ref convert` print: a verdict, tables and notes; or JSON."""

import json
import sys
from dataclasses import asdict

from tf1ref import console
from tf1ref.artifacts.convert import converting as convert
from tf1ref.artifacts.verify import verifying as verify

MOST_ROWS = 20


def show_verify(a, b, as_json=False, **options):
    """Compares two artifacts as verify.verify does and prints the report. Returns True when they are equal."""
    report = verify.verify(a, b, **options)
    if as_json:
        json.dump(asdict(report), sys.stdout, indent=2)
        console.say()
        return report.equal
    for note in report.notes:
        console.note(f"note: {note}")
    # The outputs are the last rows.
    shown = [row for row in report.rows if row.first] or report.rows[-MOST_ROWS:]
    rows = [
        (
            r.name,
            r.other if r.other != r.name else "the same",
            r.elements,
            r.differing,
            r.max_ulp,
            console.verdict(not r.first, "equal", "DIFFERS"),
        )
        for r in shown[:MOST_ROWS]
    ]
    console.table(("A", "B", ">elements", ">differing", ">max ULP", ""), rows)
    if len(report.rows) > len(rows):
        console.say(f"and {len(report.rows) - len(rows)} more: --json")
    console.say(verdict(report))
    return report.equal


def verdict(report):
    """Returns the result of a verify.Report in one line."""
    if not report.equal:
        return f"DIFFERENT: the first difference is in {report.first}"
    elements, differing = (sum(getattr(row, field) for row in report.rows) for field in ("elements", "differing"))
    of = "of weights" if report.what == "weights" else f"on {console.counted(report.compared, 'set')} of inputs"
    tensors = f"{console.counted(len(report.rows), 'tensor')}, {console.counted(elements, 'element')} {of}"
    return f"equal: {tensors}, {differing:,} differing" + (" within the ULPs allowed" if differing else "")


def show_convert(source, destination, to="", as_json=False, **options):
    """Converts as convert.convert does and prints the report."""
    report = convert.convert(source, destination, to, **options)
    if as_json:
        json.dump(asdict(report), sys.stdout, indent=2)
        console.say()
        return
    for note in report.notes:
        console.note(f"note: {note}")
    console.say(f"{report.path}: {report.kind} from {report.source_kind}, {report.bytes:,} bytes")
    ends = [("input", report.inputs), ("output", report.outputs)]
    rows = [(what, key, name) for what, found in ends for key, name in found.items()]
    if rows:
        console.table(("", "key", "tensor"), rows)
    if report.names:
        _show_names(report.names)
    if not report.compared:
        console.say(f"NOT verified: {report.not_compared}")
    elif report.names:
        console.say("verified: read back, every weight is the same, to the bit")
    else:
        sets = console.counted(report.compared, "set")
        console.say(f"verified: read back, it answers the same, to the bit, on {sets} of inputs")


def _show_names(names):
    """Prints what happened to each name. Names that did not change are only counted."""
    renamed = [(old, new) for old, new in names.matched.items() if old != new]
    if renamed:
        console.table(("renamed", "to"), renamed)
    console.say(f"{len(names.matched)} matched, {len(names.unmatched)} unmatched, {len(names.unused)} unused")
    for word, found in (("unmatched", names.unmatched), ("unused", names.unused)):
        if found:
            console.say(f"{word}: {', '.join(found)}")
