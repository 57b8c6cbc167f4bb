"""Checkpoints, meta graphs, GraphDefs: read, freeze, verify."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """A program whose `build_graph` is the source: its `name`, for messages, and what loads its module."""

    name: str
    load: Callable[[], object]


class CheckFailed(Exception):
    """What was made does not answer as its source does. One line: which tensor, and where. Exit code 1."""
