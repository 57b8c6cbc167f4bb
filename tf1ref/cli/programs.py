"""The verbs for people's own TF1 programs: exec and check."""

import argparse

from tf1ref.cli.verbs import steps, verb
from tf1ref.errors import InputError


def add_verbs(verbs):
    """Adds exec and check."""
    _add_exec(verbs)
    _add_check(verbs)


def _add_exec(verbs):
    parser = verb(
        verbs, "exec", _exec, "Run a program of TensorFlow 1 or 2.0 to 2.15 unchanged, in a process of its own."
    )
    options = "[--seed S] [--world 1|2] [--record FILE [--steps N]] [--out NOTEBOOK] [--trust] [-m]"
    parser.usage = f"tf1ref exec {options} SCRIPT|NOTEBOOK|MODULE [ARGS...]"
    parser.add_argument("--seed", type=int, metavar="S", help="start every graph, NumPy and random from S")
    parser.add_argument("--world", type=int, choices=(1, 2), help="TensorFlow 1 or 2, where the program does not tell")
    parser.add_argument("--out", metavar="NOTEBOOK", help="write the notebook with its outputs to this file")
    parser.add_argument("--trust", action="store_true", help="np.load may unpickle, a notebook's ! lines are run")
    parser.add_argument("--record", metavar="FILE", help="keep what it computes, for `parity --recorded` and `port`")
    parser.add_argument("--steps", type=steps, metavar="N", help="steps of training to record (default: 20)")
    parser.add_argument("-m", action="store_true", dest="as_module", help="the program is a module, as in python -m")
    parser.add_argument("program", metavar="SCRIPT|NOTEBOOK|MODULE")
    parser.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER, help="the program's own")


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
    text = "Say which TensorFlow names of programs and notebooks still run, which under exec, which not. Only parses."
    parser = verb(verbs, "check", _check, text)
    parser.add_argument("paths", nargs="+", metavar="PATH", help=".py, .ipynb, or a folder of them")
    parser.add_argument("--json", action="store_true", help="every use as JSON")
    parser.add_argument("--fix", action="store_true", help="show a diff with what can be replaced mechanically")
    parser.add_argument("--write", action="store_true", help="with --fix: write it into the files")


def _check(arguments):
    from tf1ref.cli.views.check import show_check, show_fixes
    from tf1ref.compat.check import check

    if not arguments.fix:
        if arguments.write:
            raise InputError("check --write: it writes what --fix shows: give --fix, too")
        return 0 if show_check(check(arguments.paths), arguments.json) else 1
    from tf1ref.compat import fix

    changes = fix.fixed(arguments.paths)
    if arguments.write:
        fix.write(changes)
    show_fixes(changes, arguments.write)
    return 0
