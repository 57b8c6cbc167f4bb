"""The verb completion: what a shell needs to complete verbs, options and the names of the examples."""

from tf1ref import catalog, console
from tf1ref.cli.verbs import verb

SHELLS = ("bash", "zsh", "tcsh")


def add_verbs(verbs):
    """Adds completion."""
    text = "Print what completes this command in a shell."
    parser = verb(verbs, "completion", _completion, text)
    parser.add_argument("shell", choices=SHELLS, help="such as: tf1ref completion bash >> ~/.bash_completion")


def _completion(arguments):
    import shtab

    from tf1ref import cli

    parser = cli.parser()
    names = [example.name for example in catalog.examples()]
    _complete(parser, {"NAME": names, "NAME|MODULE": names, "C": catalog.CHAPTERS})
    console.say(shtab.complete(parser, shell=arguments.shell))


def _complete(parser, words):
    """Sets what each argument of `parser` and of its verbs completes to.

    words: {metavar: its values}. An argument of another metavar completes to files.
    """
    import argparse

    import shtab

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                _complete(one, words)
        elif action.metavar in words:
            action.choices = action.choices or list(words[action.metavar])
        elif action.nargs != 0 and not action.choices:
            action.complete = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE
