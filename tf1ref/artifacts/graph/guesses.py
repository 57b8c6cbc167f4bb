"""Outputs that nobody named: what can be computed from what is there, the likeliest first. Every verb guesses here."""

from collections.abc import Callable
from typing import NamedTuple

from tf1ref.artifacts.graph import constants, definitions, graphs
from tf1ref.errors import InputError

MOST = 8  # at most so many guesses are listed in a message


class Guess(NamedTuple):
    """`outputs`: {key: tensor name} of the likeliest node; `note`: that it was guessed, and what else it could be."""

    outputs: dict[str, str]
    note: str


def guess(graph: graphs.Graph, read: Callable) -> Guess:
    """Returns the Guess at what a graphs.Graph answers. Raises InputError where nothing looks likely.

    `read`: takes NodeDefs of variables and raises InputError for one that has no value: what needs it is passed over.
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
