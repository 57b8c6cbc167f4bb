"""What `tf1ref run` prints: the figures promised and reached, on which data, and where the files are; or JSON."""

import json
import sys

from tf1ref import console
from tf1ref.catalog import figures


def show_run(done, as_json=False):
    """Prints a running.Done."""
    if as_json:
        _print_json(done)
        return
    steps = f", {done.steps} steps" if done.steps else ""
    title = f"{done.name} ({done.mode}{steps}{''.join(f', {k}={v}' for k, v in done.changes.items())})"
    table = [(row["key"], row["promised"], row["reached"], _met(row)) for row in done.figures]
    if not table:
        table = [(key, "", figures.text(value), "") for key, value in done.trace.items() if key.startswith("final/")]
    console.table(("figure", ">promised", ">reached", ""), table, title=title)
    if done.figures and set(done.source) - {"SEED"}:
        own = " and ".join(f"{k} = {v}" for k, v in done.source.items() if k != "SEED")
        console.say(f"the source promises its figures for {own}")
    for data_set in done.stand_ins:
        console.say(f"reached on generated data in place of {data_set}: not a figure of the real {data_set}")
    if done.folder:
        console.say(f"trace: {done.folder / 'trace.npz'}; everything: {done.folder}")


def _print_json(done):
    names = ("name", "mode", "steps", "figures", "stand_ins")
    result = {**{name: getattr(done, name) for name in names}, "out": done.folder and str(done.folder)}
    json.dump(result, sys.stdout, indent=2)
    console.say()


def _met(row):
    if row["met"] is None:
        return console.verdict(True, "ok, with other settings") if row["kept"] else "not promised for these settings"
    return console.verdict(row["met"], "ok", "missed")
