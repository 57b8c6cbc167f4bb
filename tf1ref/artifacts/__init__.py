"""Reads, freezes, converts and verifies checkpoints, meta graphs and GraphDefs."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """A program whose `build_graph` is the source. `name`: for messages. `load`: returns its module."""

    name: str
    load: Callable[[], object]


class CheckFailed(Exception):
    """The written artifact does not answer as its source. The message is one line with the tensor and the place.

    The exit code is 1.
    """
