"""What `tf1ref parity` prints: a row for each program, for one alone a row for each key; or JSON."""

import json
import sys

from tf1ref import console, files


def show_parity(reports, json_file=None):
    """Prints parity reports; JSON goes to the file `json_file`, or in the place of the tables for "-"."""
    if json_file != "-":
        _print_reports(reports)
    if json_file:
        _write_json([report.summary() for report in reports], json_file)


def _print_reports(reports):
    if len(reports) == 1:
        keys = [
            (k.key, k.elements, k.differing, f"{k.max_difference:.3g}", k.max_ulp, k.first) for k in reports[0].rows
        ]
        console.table(("key", ">elements", ">differing", ">max diff", ">max ULP", "first"), keys)
    rows = [
        (
            r.name,
            r.keys,
            f"{r.elements:,}",
            f"{r.differing:,}",
            f"{r.max_ulp:,}",
            console.verdict(r.equal, "equal"),
        )
        for r in reports
    ]
    console.table(("example", ">keys", ">elements", ">differing", ">max ULP", "verdict"), rows)
    for report in reports:
        if report.first:
            console.say(f"{report.name}: first divergence: {report.first}")


def _write_json(value, path):
    text = json.dumps(value, indent=2) + "\n"
    if path == "-":
        sys.stdout.write(text)
    else:
        files.write(path, text.encode())
