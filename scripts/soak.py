"""Repeats the examples while every core is kept busy: what a race decides shows as bits that differ now and then.

scripts/soak.py [NAME ...] [--times N] [--steps N] [--busy N]. Without names: all examples. Each half runs N times, and
every trace is compared with the graph's first one. Exit code 1 when anything differed. `--busy 0` is for a machine that
other work keeps busy, such as another part of the examples.
"""

import argparse
import contextlib
import os
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tf1ref import catalog, console, parity

BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(1_000_000))"


@contextlib.contextmanager
def load(processes):
    """Keeps `processes` processes computing; they end with this one, however it ends."""
    busy = [subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.DEVNULL) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def soak(name, times, steps):
    """Yields (half, repetition, report) for each of the 2 * times runs of an example but the first."""
    module, first = catalog.load(name), None
    for repetition in range(1, times + 1):
        for half in ("graph", "function"):
            trace = parity.trace_of(getattr(module, f"run_{half}"), steps, name)
            if first is None:
                first = trace
            else:
                yield half, repetition, parity.compare(first, trace, getattr(module, "ULPS", 0), name)


def main(arguments=None):
    """The program; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="examples (default: all)")
    parser.add_argument("--times", type=int, default=20, help="runs of each half (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=parity.STEPS, help="steps of a run (default: %(default)s)")
    parser.add_argument("--busy", type=int, default=os.cpu_count() or 1, help="processes that compute beside it")
    given = parser.parse_args(arguments)
    names = [catalog.find(name).name for name in given.names] or [example.name for example in catalog.examples()]
    parity.without_onednn()
    console.import_tensorflow()
    failed = 0
    with load(given.busy):
        for name in names:
            wrong = 0
            for half, repetition, report in soak(name, given.times, given.steps):
                if not report.equal:
                    wrong += 1
                    print(f"{name}: {half}, run {repetition}: {report.differing} elements differ, {report.first}")
            failed += bool(wrong)
            print(f"{name}: {wrong} of {2 * given.times - 1} runs differ from the first", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
