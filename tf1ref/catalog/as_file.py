"""Examples that are run as files: `python softmax.py` does what `tf1ref run softmax.py` does."""

import runpy
import sys
from typing import NoReturn


def run_file(path: str) -> NoReturn:
    """Runs the example at `path` as `tf1ref run` does, with the options of this process, and ends the process.

    It raises SystemExit with the command's exit code: 2 for bad input, as everywhere.
    """
    sys.argv[1:1] = ["run", path]
    runpy.run_module("tf1ref", run_name="__main__")
    raise SystemExit(0)
