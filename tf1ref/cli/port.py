"""The verb port: a TF1 model or program becomes TensorFlow 2 code."""

import shlex

from tf1ref.cli.verbs import count, names, steps, verb
from tf1ref.errors import InputError


def add_verbs(verbs):
    """Adds port."""
    text = "Write a TF1 model or training script as readable TensorFlow 2 code, and prove the code, to the bit."
    parser = verb(verbs, "port", _port, text)
    source = "what `verify` takes: a checkpoint, SavedModel, .pb, an example; or a script that trains"
    parser.add_argument("source", metavar="SRC|SCRIPT.py", help=source)
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="the new folder for the port")
    parser.add_argument("--outputs", type=names, default=[], metavar="A,B", help="the outputs: keys, nodes or tensors")
    parser.add_argument(
        "--inputs", type=names, default=[], metavar="X,Y", help="nodes or tensors that become arguments"
    )
    parser.add_argument(
        "--signature", default="", metavar="NAME", help="signature of a SavedModel (default: serving_default)"
    )
    parser.add_argument("--feeds", default="", metavar="FILE.npz", help="inputs by name, used to prove the port")
    parser.add_argument("--force", action="store_true", help="replace DIR")
    parser.add_argument("--trust", action="store_true", help="run ops that touch files, the network or Python")
    parser.add_argument("--steps", type=steps, default=20, metavar="N", help="training steps of a script (default: 20)")
    parser.add_argument("--args", type=shlex.split, default=[], metavar="'ARGS'", help="the arguments of a script")
    parser.add_argument(
        "--seed", type=count, default=1, metavar="S", help="the seed with which a script starts (default: 1)"
    )
    parser.add_argument("--show", action="store_true", help="print a script and its port side by side")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _port(arguments):
    if arguments.show and arguments.json:
        raise InputError("port: --show and --json both print to standard output: give one of them")
    from tf1ref import console, parity

    parity.without_onednn()
    console.import_tensorflow()
    from tf1ref.catalog import programs
    from tf1ref.cli.views import port as view

    if arguments.source.endswith(".py"):
        view.show_program(
            arguments.source,
            arguments.output,
            arguments.json,
            arguments=arguments.args,
            steps=arguments.steps,
            seed=arguments.seed,
            force=arguments.force,
            beside=arguments.show,
        )
        return
    if arguments.args or arguments.show:
        raise InputError(f"port {arguments.source}: --args and --show are for a script: leave them out")
    view.show_port(
        programs.source_named(arguments.source),
        arguments.output,
        arguments.json,
        outputs=arguments.outputs,
        inputs=arguments.inputs,
        feeds=arguments.feeds,
        signature=arguments.signature,
        trust=arguments.trust,
        force=arguments.force,
    )
