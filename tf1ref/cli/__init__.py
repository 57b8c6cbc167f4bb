"""The verbs of the command tf1ref: each parses its arguments and calls one library function.

TensorFlow is imported only by the verbs that compute, and after its environment is set.
"""

import os
import sys
import traceback

from tf1ref import __version__, console
from tf1ref.cli import artifacts, completion, data, doctor, examples, launch, port, programs
from tf1ref.cli.verbs import Parser, verb_group
from tf1ref.cluster import ending
from tf1ref.errors import InputError

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def main(argv=None):
    """Runs one command line. Returns the exit code: 0 done, 1 a check failed, 2 bad input, 130 interrupted.

    In a task of a cluster it ends the process instead, because TensorFlow's servers would keep it from ending.
    """
    code = _main(argv)
    if os.environ.get("TF_CONFIG"):
        ending.leave(code)
    return code


def _main(argv):
    argv = sys.argv[1:] if argv is None else argv
    # TensorFlow announces a missing GPU as an error. What is really wrong arrives as an exception. A value that is
    # set stays.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    arguments = None
    try:
        arguments = parser().parse_args(argv)
        return arguments.verb(arguments) or 0
    except KeyboardInterrupt:
        console.error("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `tf1ref list | head`
        return 0
    except InputError as e:
        return _failed(e, EXIT_USAGE, arguments)
    except Exception as e:
        kind = "" if type(e).__module__.startswith("tf1ref.") else f"{type(e).__name__}: "
        return _failed(f"{kind}{e} (--debug shows where)", EXIT_FAILED, arguments)


def _failed(message, code, arguments):
    if getattr(arguments, "debug", False):
        traceback.print_exc()
    console.error(message)
    return code


def parser():
    """Returns the parser of the whole command line. The reference in docs/ is made from it."""
    parser = Parser(prog="tf1ref", description="TensorFlow 1 that works today: reference programs and tools.")
    parser.add_argument("--version", action="version", version=f"tf1ref {__version__}")
    verbs = verb_group(parser, "verb_name")
    for group in (examples, programs, artifacts, port, data, launch, doctor, completion):
        group.add_verbs(verbs)
    return parser
