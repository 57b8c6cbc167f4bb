"""What `tf1ref data` prints: tables of what files hold, a line for each record, or JSON."""

import json
import sys

from tf1ref import console
from tf1ref.data.report import SHOWN


def show_rows(rows, as_json=False):
    """Prints what report.rows_of yields: a line each as it comes, or one JSON list."""
    if as_json:
        json.dump(list(rows), sys.stdout, indent=2)
        console.say()
        return
    for row in rows:
        console.say(line_of(row))


def line_of(row):
    """A row of `rows_of` as one line."""
    if row.get("problem"):
        return f"{'' if row['number'] is None else row['number']}\t{row['file']}\tBAD: {row['problem']}"
    if "class" in row:
        return f"{row['number']}\t{row['file']}\t{row['label']} {row['class']}"
    if row["features"] is None:
        return f"{row['number']}\t{row['bytes']} bytes\tnot a tf.train.Example"
    words = []
    for name, feature in row["features"].items():
        values = ", ".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in feature["values"])
        more = ", ..." if feature["count"] > SHOWN else ""
        words.append(f"{name}: {feature['type']}[{feature['count']}] {values}{more}".rstrip())
    return f"{row['number']}\t{row['bytes']} bytes\t" + "; ".join(words)


def show_reports(reports, as_json=False):
    """Prints reports, for people or as a JSON list."""
    if as_json:
        json.dump(reports, sys.stdout, indent=2)
        console.say()
        return
    for found in reports:
        if found["kind"] == "TFRecord":
            _show_records(found)
        else:
            console.say(f"{found['file']}: {found['kind']}, {found['records']:,} pictures")
            rows = enumerate(found["classes"].items())
            console.table((">label", "class", ">pictures"), [(i, name, f"{n:,}") for i, (name, n) in rows])
        if found["bad"]:
            console.say(f"{found['file']}: {len(found['bad']):,} bad, passed over:")
            console.table(("where", "reason"), [(each["where"], each["reason"]) for each in found["bad"]])


def _show_records(found):
    plain = f", {found['no_example']:,} of them not a tf.train.Example" if found["no_example"] else ""
    size = f"{found['bytes']:,} bytes in them"
    console.say(f"{found['file']}: TFRecord, {found['compression']}, {found['records']:,} records, {size}{plain}")
    rows = [
        (name, c["type"] or "-", f"{c['records']:,}", _range(c["fewest"], c["most"]))
        for name, c in found["features"].items()
    ]
    if rows:
        console.table(("feature", "type", ">in records", ">values"), rows)


def _range(fewest, most):
    return f"{most:,}" if fewest == most else f"{fewest:,} - {most:,}"
