"""The launcher's own parser, for the reference of the command line."""

from tf1ref.cluster import options


def parser():
    """Returns the parser of `tf1ref launch`."""
    return options.parser("tf1ref launch")
