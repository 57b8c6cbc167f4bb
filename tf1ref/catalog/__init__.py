"""The examples: found by reading their source, loaded, run, drawn, and put on one page."""

from tf1ref.catalog.as_file import run_file
from tf1ref.catalog.finding import (
    CHAPTERS,
    CONSTANT,
    FOLDER,
    GUARD,
    Example,
    Parts,
    constants,
    examples,
    find,
    load,
    parse_change,
    parts,
    program,
    vocabulary,
)

__all__ = [
    "CHAPTERS",
    "CONSTANT",
    "FOLDER",
    "GUARD",
    "Example",
    "Parts",
    "constants",
    "examples",
    "find",
    "load",
    "parse_change",
    "parts",
    "program",
    "run_file",
    "vocabulary",
]
