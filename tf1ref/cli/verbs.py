"""How a verb is registered: its parser, its options that every verb has, and the values that options share."""

import argparse
import re
from collections.abc import Callable

from tf1ref.errors import InputError, nearest

CHOICE = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)$", re.S)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises InputError where argparse would print its usage and exit."""

    def error(self, message):
        """Raises InputError with argparse's message, and with what is near to a misspelt choice."""
        choice = CHOICE.search(message)
        if choice:
            message += nearest(choice[1], [word.strip("'\" ") for word in choice[2].split(",")])
        raise InputError(f"{message}; `{self.prog} --help` shows the usage")

    def parse_known_args(self, args=None, namespace=None):
        """As argparse's, but an unknown option is an error of the verb that it was given to."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            option = unknown[0].partition("=")[0]
            known = [name for action in self._actions for name in action.option_strings]
            hint = nearest(option, known) if option.startswith("-") else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return found, unknown


def verb_group(parser: argparse.ArgumentParser, dest: str):
    """Adds a group of verbs to `parser`, which prints its help where it is given none; returns the group.

    dest: the attribute that the chosen verb's name goes to.
    """
    parser.set_defaults(verb=lambda _: parser.print_help())
    return parser.add_subparsers(title="verbs", metavar="VERB", dest=dest)


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
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of steps: give 1 or more")
    return number


def count(word: str) -> int:
    """Parses a whole number, 0 or more."""
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is not a number: give 0 or more")
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
