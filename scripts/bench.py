"""Benchmarks: several ways to do the same work, measured in turns within one run, as ratios with their spread.

scripts/bench.py NAME ... [--rounds N] [--json FILE]; `all` runs every benchmark, which takes 80 minutes. A benchmark is
a file bench_NAME.py beside this one with `SUBJECT`, a line of text, and `contests()`, which yields a Contest each.
Absolute numbers are this machine's; what compares between machines is a ratio. The file has the date, what the machine
is, and a row for each way.
"""

import argparse
import datetime
import importlib
import json
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tf1ref import console, doctor

HERE = Path(__file__).resolve().parent


@dataclass
class Contest:
    """Ways to do the same work. `ways`: {name: function}, a call returns the rate of one round, in `unit`.

    `baseline`: the way that the others are compared with. `remark`: takes the rows of measure(), returns a line more.
    `warm`: runs every way once before the rounds.
    """

    name: str
    unit: str
    baseline: str
    ways: dict
    remark: Callable[[list], str] | None = None
    warm: bool = True


def measure(contest, rounds):
    """Runs every way once a round; returns a dict for each way: rates and ratios, and medians.

    A ratio compares a way with the baseline of the same round, so that what slows a whole round cancels out.
    """
    rates = {name: [] for name in contest.ways}
    for way in contest.ways.values() if contest.warm else ():
        way()
    for number in range(rounds):
        console.note(f"{contest.name}: round {number + 1}/{rounds}")
        for name, way in contest.ways.items():
            rates[name].append(way())
    rows = []
    for name, values in rates.items():
        ratios = [a / b for a, b in zip(values, rates[contest.baseline])]
        rows.append(
            {
                "contest": contest.name,
                "way": name,
                "unit": contest.unit,
                "rate": statistics.median(values),
                "ratio": statistics.median(ratios),
                "ratio_min": min(ratios),
                "ratio_max": max(ratios),
                "rounds": rounds,
            }
        )
    return rows


def show(contest, rows):
    """Prints one contest as a table."""
    cells = [
        (r["way"], f"{r['rate']:,.1f}", f"{r['ratio']:.2f}", f"{r['ratio_min']:.2f} - {r['ratio_max']:.2f}")
        for r in rows
    ]
    columns = (contest.name, f">{contest.unit}", f">times {contest.baseline}", ">spread")
    console.table(columns, cells)
    if contest.remark:
        console.note(contest.remark(rows))


def run(name, rounds, shown):
    """Runs one benchmark; returns its rows. shown: prints each contest as a table, too."""
    benchmark = importlib.import_module(f"bench_{name}")
    console.note(benchmark.SUBJECT)
    results = []
    for contest in benchmark.contests():
        rows = measure(contest, rounds)
        results += [{"benchmark": name, **row} for row in rows]
        if shown:
            show(contest, rows)
    return results


def machine():
    """Returns {what: what was found} of the software and the processor, as `tf1ref doctor` finds them."""
    return {f.name: f.found for f in doctor.examine() if f.group in ("software", "processor")}


def main(argv=None):
    """Runs benchmarks in the order given, or all; returns the exit code."""
    names = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="+", choices=[*names, "all"], metavar="NAME", help=", ".join([*names, "all"]))
    parser.add_argument("--rounds", type=int, default=5, choices=range(1, 101), metavar="N", help="1 to 100 (5)")
    parser.add_argument("--json", metavar="FILE", help="write the results there too; - for standard output alone")
    arguments = parser.parse_args(argv)
    console.import_tensorflow()
    found = {"date": str(datetime.date.today()), "machine": machine() if arguments.json else {}, "rows": []}
    for name in names if "all" in arguments.names else arguments.names:
        found["rows"] += run(name, arguments.rounds, arguments.json != "-")
        if arguments.json and arguments.json != "-":  # after each, since all of them take long
            Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n")
    if arguments.json == "-":
        json.dump(found, sys.stdout, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
