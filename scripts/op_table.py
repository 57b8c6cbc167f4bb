#!/usr/bin/env python
"""Brings tf1ref/artifacts/graph/ops.txt up to the installed TensorFlow, and lists the ops that need a decision.

An op that is not stateful and takes neither a string nor a function cannot name a file, an address or a graph: it goes
to the first group by itself. Each of the others is looked up in TensorFlow's source and written into a group by hand.
Exit code 1 while one is undecided; --check writes nothing.
"""

import argparse
import sys
import textwrap
from pathlib import Path

from tensorflow.core.framework import op_def_pb2, types_pb2
from tensorflow.python.client import pywrap_tf_session

TABLE = Path(__file__).parents[1] / "tf1ref" / "artifacts" / "graph" / "ops.txt"
TEXTS = ("string", "list(string)")
FUNCTIONS = ("func", "list(func)")


def registry():
    """Returns the OpDefs of the installed TensorFlow."""
    return op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())).op


def needs_review(op):
    """Returns why an OpDef cannot be decided by itself, or ""."""
    words = ["stateful"] if op.is_stateful else []
    words += [f"input {a.name}" for a in op.input_arg if a.type == types_pb2.DT_STRING]
    words += [f"attribute {a.name}" for a in op.attr if a.type in TEXTS and not a.HasField("allowed_values")]
    return ", ".join(words + [f"function {a.name}" for a in op.attr if a.type in FUNCTIONS])


def groups(text):
    """Returns (the comment at the top, [[head, [ops]]]) of the table."""
    top, *rest = text.split("\n[")
    found = [part.partition("\n") for part in rest]
    return top, [[f"[{head}", body.split()] for head, _, body in found]


def written(top, found):
    """Returns the table as text."""
    parts = [
        f"{head}\n{textwrap.fill(' '.join(sorted(ops)), 118, break_long_words=False, break_on_hyphens=False)}\n"
        for head, ops in found
    ]
    return "\n".join([top, *parts])


def main():
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    top, found = groups(TABLE.read_text())
    decided = {op for _, ops in found for op in ops}
    missing = [op for op in registry() if op.name not in decided]
    left = [op for op in missing if needs_review(op)]
    if not arguments.check:
        found[0][1] += [op.name for op in missing if not needs_review(op)]
        TABLE.write_text(written(top, found))
    for op in left:
        print(f"{op.name}: {needs_review(op)}")
    return 1 if left or (arguments.check and missing) else 0


if __name__ == "__main__":
    sys.exit(main())
