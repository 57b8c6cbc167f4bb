"""Runs examples at the source's own length, which takes hours, and proves the other half over the first steps.

scripts/full_length.py [NAME ...] [--steps N] [--first N] [--only first|full]. Without names: S4's five networks on
CIFAR-10. Then the CIFAR-10 tutorial: `scripts/full_length.py convnets.cifar10 --steps 10000`. One after the other; the
date, the figures promised and reached, and how the halves compare go to standard output. `--only full` takes half the
time, because it leaves oneDNN's kernels on. Exit code 1 when anything missed or differed.
"""

import argparse
import datetime
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tf1ref import catalog, console, parity
from tf1ref.catalog import figures, running
from tf1ref.data import folders

NETWORKS = [f"convnets.{name}" for name in ("lenet5_cifar", "alexnet8", "vgg16", "inception10", "resnet18")]
FIRST = 200


def first_steps(example, steps):
    """Both halves for `steps` steps of the full batch size; returns the Report."""
    known = catalog.constants(example.path)
    whole = {"SHORT_BATCH_SIZE": known["BATCH_SIZE"]} if "SHORT_BATCH_SIZE" in known else {}
    return parity.run(catalog.load(example, whole), steps, example.name)


def full(example, steps):
    """The graph half at full length; prints each figure, promised and reached. Returns whether all were met."""
    module = catalog.load(example)
    steps = steps or module.STEPS
    since = time.monotonic()
    trace = parity.trace_of(module.run_graph, steps, example.name)
    minutes, today = (time.monotonic() - since) / 60, datetime.date.today()
    rows = running.figures_of(module, steps, {}, trace)
    on = f" on generated {', '.join(sorted(folders.stood_in))}" if folders.stood_in else ""
    print(f"{example.name}: {steps} steps{on}, {minutes:.0f} minutes, {today}")
    for row in rows:
        print(f"  {row['key']}: {row['promised']} promised, {row['reached']} reached")
    for key in ("final/validation_accuracy", "final/precision_at_1"):
        if key in trace:
            print(f"  {key}: {figures.text(trace[key])}")
    return all(row["met"] is not False for row in rows)


def main(arguments=None):
    """The program; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=NETWORKS, metavar="NAME", help="examples (default: S4's five)")
    parser.add_argument("--steps", type=int, metavar="N", help="another length than the source's")
    parser.add_argument("--first", type=int, default=FIRST, metavar="N", help="steps of both halves (%(default)s)")
    parser.add_argument("--only", choices=("first", "full"), help="one of the two parts")
    given = parser.parse_args(arguments)
    examples = [catalog.find(name) for name in given.names]
    if given.only != "full":
        parity.without_onednn()
    console.import_tensorflow()
    good = True
    for example in examples:
        if given.only != "full":
            report = first_steps(example, given.first)
            print(f"{example.name}: {report.differing} of {report.elements} elements differ over {given.first} steps")
            good &= report.equal
        if given.only != "first":
            good &= full(example, given.steps)
        sys.stdout.flush()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
