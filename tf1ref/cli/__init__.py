"""The verbs of the command tf1ref: each parses its arguments and calls one library function.

TensorFlow is imported only by the verbs that compute, and after its environment is set.
"""

import argparse
import os
import sys
import traceback

from tf1ref import __version__, catalog, console
from tf1ref.cli import (
    artifacts as cli_artifacts,
)
from tf1ref.cli import (
    data as data_tools,
)
from tf1ref.cli import (
    freeze as cli_freeze,
)
from tf1ref.cli import (
    launch as cli_cluster,
)
from tf1ref.cli import (
    programs as cli_programs,
)
from tf1ref.cluster import ending
from tf1ref.cluster.errors import UsageError
from tf1ref.errors import InputError

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def main(argv=None):
    """Runs one command line; returns the exit code: 0 done, 1 a check failed, 2 bad input, 130 interrupted.

    As a task of a cluster it ends the process instead: TensorFlow's servers would keep it from ending.
    """
    code = _main(argv)
    if os.environ.get("TF_CONFIG"):
        ending.leave(code)
    return code


def _main(argv):
    argv = sys.argv[1:] if argv is None else argv
    # TensorFlow announces a missing GPU as an error; what is wrong arrives as an exception. A value that is set stays.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    arguments = None
    try:
        arguments = _parser().parse_args(argv)
        return arguments.verb(arguments) or 0
    except KeyboardInterrupt:
        console.error("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `tf1ref list | head`
        return 0
    except (InputError, UsageError) as e:
        return _failed(e, EXIT_USAGE, arguments)
    except Exception as e:
        kind = "" if type(e).__module__.startswith("tf1ref.") else f"{type(e).__name__}: "
        return _failed(f"{kind}{e} (--debug shows where)", EXIT_FAILED, arguments)


def _failed(message, code, arguments):
    if getattr(arguments, "debug", False):
        traceback.print_exc()
    console.error(message)
    return code


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise InputError(f"{message}; `{self.prog} --help` shows the usage")


def _parser():
    parser = _Parser(prog="tf1ref", description="TensorFlow 1 that works today: reference programs and tools.")
    parser.add_argument("--version", action="version", version=f"tf1ref {__version__}")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB", dest="verb_name")
    for add in (_add_list, _add_show, _add_run, _add_parity, _add_gallery):
        _with_debug(add(verbs))
    for add in (cli_programs.add_exec, cli_programs.add_check, *cli_artifacts.VERBS, cli_freeze.add_freeze):
        _with_debug(add(verbs, _verb))
    data_tools.add_verbs(verbs)
    cli_cluster.add_verbs(verbs)
    return parser


def _with_debug(verb):
    verb.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _verb(verbs, name, function, text):
    verb = verbs.add_parser(name, help=text, description=text)
    verb.set_defaults(verb=function)
    return verb


def _add_list(verbs):
    verb = _verb(verbs, "list", _list, "List the examples by chapter, in reading order.")
    verb.add_argument("--chapter", metavar="C", help="only this chapter")
    verb.add_argument("--json", action="store_true", help="a list of {name, chapter, title, source}")
    return verb


def _list(arguments):
    from tf1ref.cli.views import examples as showing

    showing.show_list(catalog.examples(arguments.chapter), arguments.json)


def _add_show(verbs):
    verb = _verb(verbs, "show", _show, "Show one example: what it teaches, and both halves side by side.")
    verb.add_argument("name", metavar="NAME", help="chapter.example")
    return verb


def _show(arguments):
    from tf1ref.cli.views import examples as showing

    showing.show_example(catalog.find(arguments.name))


def _add_run(verbs):
    verb = _verb(verbs, "run", _run, "Run one example; show the figures promised and reached.")
    verb.add_argument("name", metavar="NAME", help="chapter.example")
    verb.add_argument("--mode", choices=("graph", "function"), default="graph", help="which half (default: graph)")
    verb.add_argument("--steps", type=_steps, metavar="N", help="default: the source's own number")
    verb.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a constant")
    verb.add_argument("--seed", type=int, metavar="S", help="the same as --set SEED=S")
    verb.add_argument("--data", metavar="DIR", help="the folder of real data sets (default: $TF1REF_DATA)")
    verb.add_argument("--out", metavar="DIR", help="keep trace, checkpoints and event files in DIR/MODE")
    verb.add_argument("--plots", action="store_true", help="with --out: a picture of the trace too")
    verb.add_argument("--force", action="store_true", help="replace what an earlier run left in --out")
    verb.add_argument("--json", action="store_true", help="the figures as JSON")
    return verb


def _run(arguments):
    from tf1ref.catalog import running

    if arguments.seed is not None:
        arguments.set.append(f"SEED={arguments.seed}")
    if arguments.plots and not arguments.out:
        raise InputError("--plots writes a picture: say where with --out DIR")
    if arguments.data:
        if not os.path.isdir(arguments.data):
            raise InputError(f"--data {arguments.data}: no such folder")
        os.environ["TF1REF_DATA"] = arguments.data
    running.run(
        arguments.name,
        mode=arguments.mode,
        steps=arguments.steps,
        changes=arguments.set,
        out=arguments.out,
        plots=arguments.plots,
        force=arguments.force,
        as_json=arguments.json,
    )


def _add_parity(verbs):
    verb = _verb(verbs, "parity", _parity, "Run both halves and compare their traces to the bit.")
    verb.add_argument(
        "names",
        nargs="*",
        metavar="NAME|MODULE",
        help="examples, or your own modules (default: all examples)",
    )
    verb.add_argument("--steps", type=_steps, default=20, metavar="N", help="default: 20")
    verb.add_argument("--json", metavar="FILE", help="write the reports there; - for standard output")
    verb.add_argument("--onednn", action="store_true", help="leave oneDNN on: its gradients are not exact")
    verb.add_argument("--force", action="store_true", help="replace the file of --json")
    return verb


def _parity(arguments):
    from tf1ref.cli.views import examples as showing

    names = arguments.names or [example.name for example in catalog.examples()]
    equal = showing.show_parity(names, arguments.steps, arguments.json, arguments.onednn, arguments.force)
    return 0 if equal else EXIT_FAILED


def _add_gallery(verbs):
    verb = _verb(verbs, "gallery", _gallery, "Run the examples and write one page of all of them, for a browser.")
    verb.add_argument(
        "--out", metavar="DIR", default="gallery", help="the page goes to DIR/index.html (default: gallery)"
    )
    verb.add_argument("--chapter", metavar="C", help="only this chapter")
    verb.add_argument(
        "--steps", type=_steps, default=20, metavar="N", help="of the comparison to the bit (default: 20)"
    )
    verb.add_argument("--full", action="store_true", help="figures of the slow ones too: the whole takes hours")
    verb.add_argument("--force", action="store_true", help="replace the page in DIR, or put one beside other files")
    return verb


def _gallery(arguments):
    from tf1ref.catalog import gallery

    good = gallery.make(arguments.out, arguments.chapter, arguments.steps, arguments.full, arguments.force)
    return 0 if good else EXIT_FAILED


def _steps(word):
    try:
        steps = int(word)
    except ValueError:
        steps = 0
    if steps < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is no number of steps: give 1 or more")
    return steps
