"""The verbs for old models: inspect, verify, convert, freeze."""

from tf1ref.cli.verbs import count, names, pair, verb
from tf1ref.errors import InputError


def add_verbs(verbs):
    """Adds the verbs inspect, convert, verify and freeze to `verbs`, the subparsers of the command line."""
    _add_inspect(verbs)
    _add_convert(verbs)
    _add_verify(verbs)
    _add_freeze(verbs)


def _add_inspect(verbs):
    text = "Say what a .pb, .pbtxt, .meta, checkpoint, SavedModel, TFRecord or event file holds. Runs nothing."
    parser = verb(verbs, "inspect", _inspect, text)
    parser.add_argument(
        "path", metavar="PATH", help="a file, a folder or a checkpoint's prefix; its content tells the kind"
    )
    part = parser.add_mutually_exclusive_group()
    for name, words in (("ops", "list the ops, and how many nodes use each"), ("variables", "every variable")):
        part.add_argument(f"--{name}", dest="part", action="store_const", const=name, default="", help=words)
    part.add_argument("--signatures", dest="part", action="store_const", const="signatures", help="every signature")
    part.add_argument("--node", metavar="NAME", default="", help="show one node: its inputs, readers and attributes")
    parser.add_argument("--json", action="store_true", help="print the whole report, or that node, as JSON")


def _inspect(arguments):
    from tf1ref.cli.views import inspect as view

    view.show_inspect(arguments.path, arguments.part, arguments.node, arguments.json)


def _add_verify(verbs):
    text = "Give two artifacts the same inputs and compare their answers to the bit. Weights are compared by name."
    parser = verb(verbs, "verify", _verify, text)
    parser.add_argument(
        "a", metavar="A", help="a checkpoint, SavedModel, .pb, .pbtxt, .npz, event file, example or recording"
    )
    parser.add_argument("b", metavar="B", help="another one, of any of these kinds")
    _add_ends(parser)
    parser.add_argument("--feeds", metavar="FILE.npz", help="inputs by name; random values stand for the others")
    parser.add_argument("--ulps", type=count, default=0, metavar="N", help="how far apart floats may be (default: 0)")
    parser.add_argument("--intermediate", action="store_true", help="compare every tensor that both graphs have")
    parser.add_argument("--seed", type=count, default=20160413, metavar="S", help="seed of the random inputs")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _verify(arguments):
    from tf1ref.parity import recorded

    if recorded.is_recording(arguments.a) or recorded.is_recording(arguments.b):
        return _verify_recordings(arguments)
    _import_tensorflow()
    from tf1ref.catalog import programs
    from tf1ref.cli.views import verify as view

    equal = view.show_verify(
        programs.source_named(arguments.a),
        programs.source_named(arguments.b),
        arguments.json,
        outputs=arguments.outputs,
        inputs=arguments.inputs,
        feeds=arguments.feeds,
        ulps=arguments.ulps,
        intermediate=arguments.intermediate,
        seed=arguments.seed,
        trust=arguments.trust,
        signature=arguments.signature,
        tags=arguments.tags,
    )
    return 0 if equal else 1


def _verify_recordings(arguments):
    from tf1ref.cli.views.parity import show_parity
    from tf1ref.parity import recorded

    if arguments.outputs or arguments.inputs or arguments.feeds:
        raise InputError("verify: --outputs, --inputs and --feeds are for models: recordings are compared as a whole")
    report = recorded.between(arguments.a, arguments.b, arguments.ulps)
    show_parity([report], "-" if arguments.json else None)
    return 0 if report.equal else 1


def _add_convert(verbs):
    text = "Turn any artifact into another kind, and verify it."
    parser = verb(verbs, "convert", _convert, text)
    parser.add_argument("source", metavar="SRC", help="what `verify` takes")
    parser.add_argument("destination", metavar="DEST", help="a file; a folder for a SavedModel, checkpoint or objects")
    kinds = "checkpoint, pb, saved_model, objects, npz, text, pbtxt, events, onnx"
    parser.add_argument("--to", default="", metavar="KIND", help=f"{kinds}; default: what the ending of DEST says")
    _add_ends(parser)
    parser.add_argument("--map", type=pair, action="append", default=[], metavar="OLD=NEW", help="rename a weight")
    parser.add_argument(
        "--like", default="", metavar="CKPT", help="a checkpoint of the new model, saved by tf.train.Checkpoint"
    )
    parser.add_argument(
        "--partial", action="store_true", help="with --like: keep CKPT's values where no weight matches"
    )
    parser.add_argument("--feeds", default="", metavar="FILE.npz", help="inputs by name, used to verify the result")
    parser.add_argument("--no-verify", action="store_true", help="do not read back and compare what was written")
    parser.add_argument("--force", action="store_true", help="replace DEST")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _convert(arguments):
    _import_tensorflow()
    from tf1ref.catalog import programs
    from tf1ref.cli.views import verify as view

    view.show_convert(
        programs.source_named(arguments.source),
        arguments.destination,
        arguments.to,
        arguments.json,
        outputs=arguments.outputs,
        inputs=arguments.inputs,
        maps=dict(arguments.map),
        like=arguments.like,
        partial=arguments.partial,
        feeds=arguments.feeds,
        signature=arguments.signature,
        tags=arguments.tags,
        force=arguments.force,
        trust=arguments.trust,
        verify=not arguments.no_verify,
    )


def _add_ends(parser):
    parser.add_argument(
        "--outputs",
        type=names,
        default=[],
        metavar="A,B",
        help="the outputs: keys of a signature, tensors, or nodes with all that they give",
    )
    parser.add_argument(
        "--inputs", type=names, default=[], metavar="X,Y", help="the inputs: tensors that are fed instead of computed"
    )
    _add_choice(parser)
    parser.add_argument("--trust", action="store_true", help="run ops that do more than compute, such as reading files")


def _add_choice(parser):
    parser.add_argument(
        "--signature", default="", metavar="NAME", help="the signature of a SavedModel (default: serving_default)"
    )
    words = 'which graph of a SavedModel; "" is the graph without tags'
    parser.add_argument("--tags", type=names, metavar="A,B", default=None, help=words)


def _add_freeze(verbs):
    text = "Turn a model and its weights into one .pb of constants, and verify it."
    parser = verb(verbs, "freeze", _freeze, text)
    source = "a checkpoint (prefix, file or folder), a SavedModel, a .pb, or an example (chapter.name)"
    parser.add_argument("source", metavar="SRC", help=source)
    parser.add_argument("-o", "--output", required=True, metavar="FILE.pb")
    parser.add_argument(
        "--outputs",
        type=names,
        metavar="A,B",
        default=[],
        help="nodes or tensors to compute (default: a guess, which is printed)",
    )
    parser.add_argument(
        "--inputs", type=names, metavar="X,Y", default=[], help="nodes or tensors that become placeholders"
    )
    parser.add_argument("--ema", action="store_true", help="use moving averages instead of the variables' values")
    parser.add_argument(
        "--strip-training", action="store_true", help="switch training off: batch norms use their averages"
    )
    parser.add_argument(
        "--fold-batch-norms", action="store_true", help="multiply batch norms into the weights before them"
    )
    parser.add_argument(
        "--checkpoint", metavar="PREFIX", default="", help="the weights of an example (default: its initial ones)"
    )
    _add_choice(parser)
    parser.add_argument("--force", action="store_true", help="replace FILE.pb")
    parser.add_argument("--trust", action="store_true", help="run ops that do more than compute, such as reading files")
    parser.add_argument("--no-verify", action="store_true", help="do not compare the written graph with the session")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _freeze(arguments):
    _import_tensorflow()
    from tf1ref.artifacts.freeze import freeze
    from tf1ref.catalog import programs
    from tf1ref.cli.views.freeze import show_freeze

    report = freeze(
        programs.source_named(arguments.source),
        arguments.outputs,
        arguments.output,
        inputs=arguments.inputs or None,
        force=arguments.force,
        trust=arguments.trust,
        ema=arguments.ema,
        strip_training=arguments.strip_training,
        fold=arguments.fold_batch_norms,
        verify=not arguments.no_verify,
        signature=arguments.signature,
        tags=arguments.tags,
        checkpoint=arguments.checkpoint,
    )
    show_freeze(report, arguments.json)


def _import_tensorflow():
    """Imports TensorFlow without oneDNN: its last bits differ, and its allocator keeps the memory that is freed."""
    from tf1ref import console, parity

    parity.without_onednn()
    console.import_tensorflow()
    from tf1ref.artifacts.graph import memory

    memory.returned()
