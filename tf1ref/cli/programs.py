"""The verbs for people's own TF1 programs: exec and check."""

import argparse

from tf1ref.cli.verbs import steps, verb
from tf1ref.errors import InputError


def add_verbs(verbs):
    """Adds the verbs exec and check to `verbs`, the subparsers of the command line."""
    _add_exec(verbs)
    _add_check(verbs)


def _add_exec(verbs):
    parser = verb(
        verbs, "exec", _exec, "Run a program of TensorFlow 1 or 2.0 to 2.15 unchanged, in a process of its own."
    )
    options = "[--seed S] [--world 1|2] [--record FILE [--steps N]] [--out NOTEBOOK] [--trust] [-m]"
    parser.usage = f"tf1ref exec {options} SCRIPT|NOTEBOOK|MODULE [ARGS...]"
    parser.add_argument("--seed", type=int, metavar="S", help="the seed of every graph, of NumPy and of random")
    parser.add_argument(
        "--world", type=int, choices=(1, 2), help="the TensorFlow of the program, where its text does not tell"
    )
    parser.add_argument("--out", metavar="NOTEBOOK", help="write the notebook with its outputs to this file")
    parser.add_argument("--trust", action="store_true", help="let np.load unpickle, and run the ! lines of a notebook")
    parser.add_argument(
        "--record", metavar="FILE", help="write what the program computes to FILE, for `parity --recorded` and `port`"
    )
    parser.add_argument("--steps", type=steps, metavar="N", help="how many training steps to record (default: 20)")
    parser.add_argument("-m", action="store_true", dest="as_module", help="the program is a module, as in python -m")
    parser.add_argument("program", metavar="SCRIPT|NOTEBOOK|MODULE")
    parser.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER, help="the arguments of the program")


def _exec(arguments):
    from tf1ref.compat import execute

    execute.replace(
        arguments.program,
        arguments.arguments,
        as_module=arguments.as_module,
        seed=arguments.seed,
        trust=arguments.trust,
        debug=arguments.debug,
        world=arguments.world,
        out=arguments.out,
        record=arguments.record,
        steps=arguments.steps,
    )


def _add_check(verbs):
    text = "Say which TensorFlow names of a program run today, which need exec, and which fail. Runs nothing."
    parser = verb(verbs, "check", _check, text)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a .py or .ipynb file, or a folder that holds some")
    parser.add_argument("--json", action="store_true", help="print every use of a name as JSON")
    parser.add_argument("--fix", action="store_true", help="show a diff of the names that have an exact replacement")
    parser.add_argument("--write", action="store_true", help="with --fix: write the replacements into the files")


def _check(arguments):
    from tf1ref.cli.views.check import show_check, show_fixes
    from tf1ref.compat.check import check

    if not arguments.fix:
        if arguments.write:
            raise InputError("check --write writes what --fix shows: give --fix, too")
        return 0 if show_check(check(arguments.paths), arguments.json) else 1
    from tf1ref.compat import fix

    changes = fix.fixed(arguments.paths)
    if arguments.write:
        fix.write(changes)
    show_fixes(changes, arguments.write)
    return 0
