"""The examples: found by reading their source, loaded, run, drawn, and put on one page."""

from tf1ref.catalog.finding import (
    CHAPTERS,
    CONSTANT,
    FOLDER,
    Example,
    Parts,
    constants,
    examples,
    find,
    load,
    parse_change,
    parts,
    vocabulary,
)

__all__ = [
    "CHAPTERS",
    "CONSTANT",
    "FOLDER",
    "Example",
    "Parts",
    "constants",
    "examples",
    "find",
    "load",
    "parse_change",
    "parts",
    "vocabulary",
]
