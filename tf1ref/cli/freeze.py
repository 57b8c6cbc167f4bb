"""The verb freeze."""

import json
import sys
from dataclasses import asdict


def add_freeze(verbs, make_verb):
    """Adds `tf1ref freeze`."""
    text = "Turn a model and its weights into one .pb of constants, and verify it."
    verb = make_verb(verbs, "freeze", _freeze, text)
    source = "a checkpoint (prefix, file or folder), a SavedModel, a .pb, or an example (chapter.name)"
    verb.add_argument("source", metavar="SRC", help=source)
    verb.add_argument("-o", "--output", required=True, metavar="FILE.pb")
    verb.add_argument(
        "--outputs", metavar="A,B", default="", help="nodes or tensors to answer; none: guessed, and said"
    )
    verb.add_argument("--inputs", metavar="X,Y", default="", help="nodes or tensors to become placeholders")
    verb.add_argument("--ema", action="store_true", help="moving averages in the place of the variables' own values")
    verb.add_argument(
        "--strip-training", action="store_true", help="training flags off, batch norms use their averages"
    )
    verb.add_argument("--fold-batch-norms", action="store_true", help="batch norms into the weights before them")
    verb.add_argument("--checkpoint", metavar="PREFIX", default="", help="weights of an example (default: fresh ones)")
    verb.add_argument("--signature", metavar="KEY", default="", help="of a SavedModel (default: serving_default)")
    verb.add_argument("--tags", metavar="A,B", default="", help="of a SavedModel that holds several graphs")
    verb.add_argument("--force", action="store_true", help="replace FILE.pb")
    verb.add_argument("--trust", action="store_true", help="allow ops that touch files or the network")
    verb.add_argument("--no-verify", action="store_true", help="do not compare what was written with the session")
    verb.add_argument("--json", action="store_true", help="the report as JSON")
    return verb


def _freeze(arguments):
    from tf1ref import console

    console.import_tensorflow()
    from tf1ref.artifacts.freeze import freeze

    report = freeze(
        arguments.source,
        _names(arguments.outputs),
        arguments.output,
        inputs=_names(arguments.inputs) or None,
        force=arguments.force,
        trust=arguments.trust,
        ema=arguments.ema,
        strip_training=arguments.strip_training,
        fold=arguments.fold_batch_norms,
        verify=not arguments.no_verify,
        signature=arguments.signature,
        tags=tuple(_names(arguments.tags)),
        checkpoint=arguments.checkpoint,
    )
    for line in report.notes:
        console.note(f"note: {line}")
    if arguments.json:
        json.dump(asdict(report), sys.stdout, indent=2)
        console.say()
    else:
        _show(report)


def _names(words):
    return [name for name in words.split(",") if name]


def _show(report):
    from tf1ref import console

    counts = [f"{report.nodes} nodes", f"{report.bytes:,} bytes", f"{len(report.variables)} variables frozen"]
    counts += [f"{report.folded} batch norms and factors folded"] * bool(report.folded)
    console.say(f"{report.path}: {', '.join(counts)}")
    ends = [("input", report.inputs), ("output", report.outputs)]
    rows = [(kind, name, "any" if shape is None else shape) for kind, found in ends for name, shape in found.items()]
    console.table(("", "tensor", "shape"), rows)
    if not report.compared:
        console.say(f"NOT verified on inputs: {report.not_compared}")
        return
    how = "nearly (batch norms are folded)" if report.folded else "to the bit"
    console.say(
        f"verified: read back, it answers as the session does, {how}, on {report.compared} "
        f"set{'s' * (report.compared != 1)} of inputs"
    )
