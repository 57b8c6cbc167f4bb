"""The verbs for old models: inspect, verify, convert."""

import argparse


def add_inspect(verbs, make_verb):
    """Adds `tf1ref inspect`."""
    text = "Say what a .pb, .pbtxt, .meta, checkpoint, SavedModel, TFRecord or event file holds. Only parses."
    verb = make_verb(verbs, "inspect", _inspect, text)
    verb.add_argument("path", metavar="PATH", help="a file, a folder, or a checkpoint's prefix; told by its content")
    part = verb.add_mutually_exclusive_group()
    for name, words in (("ops", "how many nodes of each op"), ("variables", "every variable")):
        part.add_argument(f"--{name}", dest="part", action="store_const", const=name, default="", help=words)
    part.add_argument("--signatures", dest="part", action="store_const", const="signatures", help="every signature")
    part.add_argument("--node", metavar="NAME", default="", help="one node: its inputs, readers and attributes")
    verb.add_argument("--json", action="store_true", help="the whole report as JSON; with --node that node")
    return verb


def _inspect(arguments):
    from tf1ref import console

    console.import_tensorflow()
    from tf1ref.cli.views import inspect as tables

    tables.show_inspect(arguments.path, arguments.part, arguments.node, arguments.json)


def add_verify(verbs, make_verb):
    """Adds `tf1ref verify`."""
    text = "Ask two artifacts the same: 0 when they answer the same to the bit, 1 when not. Weights: by name."
    verb = make_verb(verbs, "verify", _verify, text)
    verb.add_argument("a", metavar="A", help="a checkpoint, SavedModel, .pb, .pbtxt, .npz, event file, or an example")
    verb.add_argument("b", metavar="B", help="another one, of any of these kinds")
    _add_ends(verb)
    verb.add_argument("--feeds", metavar="FILE.npz", help="inputs by name; those it lacks are made")
    verb.add_argument("--ulps", type=_count, default=0, metavar="N", help="how far apart floats may be (default: 0)")
    verb.add_argument("--intermediate", action="store_true", help="compare every tensor that both graphs have")
    verb.add_argument("--seed", type=_count, default=20160413, metavar="S", help="of the inputs that are made")
    verb.add_argument("--json", action="store_true", help="the report as JSON")
    return verb


def _verify(arguments):
    from tf1ref import console, parity

    parity.without_onednn()
    console.import_tensorflow()
    from tf1ref.cli.views import verify as verify_tables

    equal = verify_tables.show_verify(
        arguments.a,
        arguments.b,
        arguments.json,
        outputs=arguments.outputs,
        inputs=arguments.inputs,
        feeds=arguments.feeds,
        ulps=arguments.ulps,
        intermediate=arguments.intermediate,
        seed=arguments.seed,
        trust=arguments.trust,
        signature=arguments.signature,
    )
    return 0 if equal else 1


def add_convert(verbs, make_verb):
    """Adds `tf1ref convert`."""
    text = "Turn any artifact into another kind, and verify it."
    verb = make_verb(verbs, "convert", _convert, text)
    verb.add_argument("source", metavar="SRC", help="what `verify` takes")
    verb.add_argument("destination", metavar="DEST", help="a file; a folder for a SavedModel, checkpoint or objects")
    kinds = "checkpoint, pb, saved_model, objects, npz, text, pbtxt, events, onnx"
    verb.add_argument("--to", default="", metavar="KIND", help=f"{kinds}; default: by the ending of DEST")
    _add_ends(verb)
    verb.add_argument("--map", type=_pair, action="append", default=[], metavar="OLD=NEW", help="a weight's new name")
    verb.add_argument("--like", default="", metavar="CKPT", help="of the new model, saved by tf.train.Checkpoint")
    verb.add_argument("--partial", action="store_true", help="with --like: leave what nothing matches as it is there")
    verb.add_argument("--feeds", default="", metavar="FILE.npz", help="inputs by name to verify on")
    verb.add_argument("--no-verify", action="store_true", help="do not read back and compare what was written")
    verb.add_argument("--force", action="store_true", help="replace DEST")
    verb.add_argument("--json", action="store_true", help="the report as JSON")
    return verb


def _convert(arguments):
    from tf1ref import console, parity

    parity.without_onednn()
    console.import_tensorflow()
    from tf1ref.cli.views import verify as verify_tables

    verify_tables.show_convert(
        arguments.source,
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
        force=arguments.force,
        trust=arguments.trust,
        verify=not arguments.no_verify,
    )


def _add_ends(verb):
    verb.add_argument("--outputs", type=_names, default=[], metavar="A,B", help="keys of a signature, nodes or tensors")
    verb.add_argument("--inputs", type=_names, default=[], metavar="X,Y", help="what is fed in the place of its op")
    verb.add_argument("--signature", default="", metavar="NAME", help="of a SavedModel (default: serving_default)")
    verb.add_argument("--trust", action="store_true", help="allow ops that touch files, the network or Python")


def _names(words):
    return [word.strip() for word in words.split(",") if word.strip()]


def _pair(word):
    old, equals, new = word.partition("=")
    if not (old and equals and new):
        raise argparse.ArgumentTypeError(f"{word!r}: write OLD=NEW")
    return old, new


def _count(word):
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is no number: give 0 or more")
    return int(word)


VERBS = (add_inspect, add_convert, add_verify)
