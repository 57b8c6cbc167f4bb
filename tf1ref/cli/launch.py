"""The verb launch: `python -m tf1ref.cluster`, with examples as commands."""

import argparse
import re

from tf1ref import catalog

PROG = "tf1ref launch"
VERBS = ("up", "task", "status", "stop", "render")
EXAMPLE = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")


def add_verbs(verbs):
    """Adds `tf1ref launch [up] FILE ...`, and the launcher's other verbs under it."""
    text = "Run an example, or any command after --, as a ps/worker cluster."
    # A word here is never an option: all of them, --help too, are for the launcher's own parser.
    parser = verbs.add_parser("launch", help=text, prefix_chars="\0", add_help=False)
    parser.add_argument("words", nargs=argparse.REMAINDER)
    parser.set_defaults(verb=_launch)


def _launch(arguments):
    from tf1ref.cluster import __main__ as cluster  # not at the top: YAML and sockets cost half the start of `list`

    words = arguments.words
    if words and words[0] not in (*VERBS, "--help", "-h"):
        words = ["up", *words]
    return cluster.run(words, PROG, _command)


def _command(words, python):
    """Returns the command by which `python` runs the example named first in `words`, or `words` where it names none.

    Raises InputError where the word names a chapter of the examples, but not an example in it.
    """
    if not EXAMPLE.fullmatch(words[0]) or words[0].partition(".")[0] not in catalog.CHAPTERS:
        return words
    return [python, "-m", "tf1ref", "run", catalog.find(words[0]).name, *words[1:]]
