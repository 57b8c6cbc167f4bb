"""The ops that TensorFlow has: its registry where TensorFlow is loaded, the table ops.txt where it is not."""

import functools
import re
import sys
from collections.abc import Iterable, Mapping
from importlib import resources, util
from pathlib import Path
from typing import NamedTuple

from tf1ref.data.formats import protos

DECISIONS = ("computes", "outside", "state", "python")
HEAD = re.compile(r"\[(\w+)(?: unless (\w+)=(\S*))?\] (.+)")
VERSION = re.compile(r"#define TF_GRAPH_DEF_VERSION (\d+)")


class Verdict(NamedTuple):
    """What was decided about an op, and why. `harmless`: (attribute, values) with which it only computes, or ().

    The first of the values is the attribute's default.
    """

    decision: str
    reason: str
    harmless: tuple = ()


@functools.cache
def table() -> dict[str, Verdict]:
    """Returns {op: Verdict} of ops.txt. Raises ValueError where it is malformed or decides about an op twice."""
    found, verdict = {}, None
    for line in resources.files(__package__).joinpath("ops.txt").read_text("ascii").splitlines():
        head = HEAD.fullmatch(line)
        if head:
            decision, attribute, values, reason = head.groups()
            harmless = (attribute, tuple(values.encode().split(b"|"))) if attribute else ()
            verdict = Verdict(decision, reason, harmless)
        elif not line.startswith("#"):
            for op in line.split():
                if verdict is None or verdict.decision not in DECISIONS or op in found:
                    raise ValueError(f"ops.txt: {op} stands twice, or under no decision")
                found[op] = verdict
    return found


def definition(op: str):
    """Returns the OpDef of an op, None where TensorFlow has none. It needs TensorFlow, and loads it."""
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(op)


def has(op: str) -> bool:
    """Whether TensorFlow has an op. Without TensorFlow the table says it, which knows those of TF 2.16 to 2.21."""
    return definition(op) is not None if "tensorflow" in sys.modules else op in table()


def unknown(nodes: Iterable[protos.NodeDef], library: Iterable[str] | Mapping = ()) -> dict[str, list[str]]:
    """Returns {op: [node names]} of the NodeDefs whose op is neither TensorFlow's nor in `library`."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        if node.op not in library and not has(node.op):
            found.setdefault(node.op, []).append(node.name)
    return found


@functools.cache
def graph_version() -> int:
    """Returns tf.version.GRAPH_DEF_VERSION, read from a header of the installed TensorFlow; 0 where it has none."""
    spec = util.find_spec("tensorflow")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        header = Path(folder, "include/tensorflow/core/public/version.h")
        if header.is_file() and (found := VERSION.search(header.read_text("utf-8", "replace"))):
            return int(found[1])
    return 0
