"""Checkpoints, meta graphs, GraphDefs: read, freeze, verify."""


class CheckFailed(Exception):
    """What was made does not answer as its source does. One line: which tensor, and where. Exit code 1."""
