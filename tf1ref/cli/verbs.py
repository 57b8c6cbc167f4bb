"""How a verb is registered: its parser, its options that every verb has, and the values that options share."""

import argparse
from collections.abc import Callable

from tf1ref.errors import InputError


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises InputError where argparse would print its usage and exit."""

    def error(self, message):
        raise InputError(f"{message}; `{self.prog} --help` shows the usage")


def verb(verbs, name: str, function: Callable, text: str, debug: bool = True) -> argparse.ArgumentParser:
    """Adds the verb `name` to `verbs` (what add_subparsers returned) and returns its parser.

    function: called with the parsed arguments; it returns the exit code, None for 0. debug: it takes --debug, too.
    """
    parser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(verb=function)
    if debug:
        parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def steps(word: str) -> int:
    """Parses a number of steps, 1 or more."""
    try:
        number = int(word)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is no number of steps: give 1 or more")
    return number


def count(word: str) -> int:
    """Parses a whole number, 0 or more."""
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is no number: give 0 or more")
    return int(word)


def names(words: str) -> list:
    """Parses "A,B" into its names."""
    return [word.strip() for word in words.split(",") if word.strip()]


def pair(word: str) -> tuple:
    """Parses "OLD=NEW" into both."""
    old, equals, new = word.partition("=")
    if not (old and equals and new):
        raise argparse.ArgumentTypeError(f"{word!r}: write OLD=NEW")
    return old, new
