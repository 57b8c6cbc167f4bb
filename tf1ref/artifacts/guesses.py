"""Guesses outputs that nobody named: what can be computed from what there is, the most likely first."""

from collections.abc import Callable
from typing import NamedTuple

from tf1ref.artifacts.graph import constants, definitions, graphs
from tf1ref.errors import InputError

# A message lists at most this many guesses.
MOST = 8


class Guess(NamedTuple):
    """A guess. `outputs`: {key: tensor name} of the most likely node. `note`: a sentence with the other candidates."""

    outputs: dict[str, str]
    note: str


def guess(graph: graphs.Graph, read: Callable) -> Guess:
    """Returns the Guess at the outputs of a graphs.Graph. Raises InputError when nothing looks likely.

    read: a function of NodeDefs of variables that raises InputError for one without a value. Nodes that need such a
    variable are skipped.
    """
    found = graphs.guessed_outputs(graph.graph_def)
    usable = [name for name in found if _has_values(graph, name, read)] or found
    if not usable:
        raise InputError(f"{graph.where}: name the outputs with --outputs; none look likely")
    nodes = {node.name: node for node in graph.graph_def.node}
    outputs = definitions.answers(nodes[usable[0]], graph.graph_def)
    others = f"; others: {', '.join(usable[1:MOST])}" if usable[1:] else ""
    return Guess(outputs, f"no outputs named, taken: {', '.join(outputs.values())}{others}")


def _has_values(graph, name, read):
    try:
        read(constants.variables(graph.but(graph.pruned([name])).graph_def))
    except InputError:
        return False
    return True
