"""The verbs for people's own TF1 programs: exec and check."""

import argparse


def add_exec(verbs, make_verb):
    """Adds `tf1ref exec`."""
    verb = make_verb(verbs, "exec", _exec, "Run a TF1 program unchanged, in a process of its own.")
    verb.usage = "tf1ref exec [--seed S] [--trust] [-m] SCRIPT|MODULE [ARGS...]"
    verb.add_argument("--seed", type=int, metavar="S", help="start every graph, NumPy and random from S")
    verb.add_argument("--trust", action="store_true", help="np.load may unpickle, which runs what the file says")
    verb.add_argument("-m", action="store_true", dest="as_module", help="the program is a module, as in python -m")
    verb.add_argument("program", metavar="SCRIPT|MODULE")
    verb.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER, help="the program's own")
    return verb


def _exec(arguments):
    from tf1ref.compat import execute as executing

    executing.replace(
        arguments.program,
        arguments.arguments,
        as_module=arguments.as_module,
        seed=arguments.seed,
        trust=arguments.trust,
        debug=arguments.debug,
    )


def add_check(verbs, make_verb):
    """Adds `tf1ref check`."""
    text = "Say which TensorFlow names of programs and notebooks still run, which under exec, which not. Only parses."
    verb = make_verb(verbs, "check", _check, text)
    verb.add_argument("paths", nargs="+", metavar="PATH", help=".py, .ipynb, or a folder of them")
    verb.add_argument("--json", action="store_true", help="every use as JSON")
    return verb


def _check(arguments):
    from tf1ref.cli.views import examples as showing
    from tf1ref.compat import check as checking

    files, uses, problems = checking.check(arguments.paths)
    return 0 if showing.show_check(files, uses, problems, arguments.json) else 1
