"""The verbs for the examples: list, show, copy, run, parity, gallery."""

from tf1ref import catalog, console, files
from tf1ref.cli.verbs import steps, verb
from tf1ref.errors import InputError


def add_verbs(verbs):
    """Adds list, show, copy, run, parity and gallery."""
    _add_list(verbs)
    _add_show(verbs)
    _add_copy(verbs)
    _add_run(verbs)
    _add_parity(verbs)
    _add_gallery(verbs)


def _add_list(verbs):
    parser = verb(verbs, "list", _list, "List the examples by chapter, in reading order.")
    parser.add_argument("--chapter", metavar="C", help="only this chapter")
    parser.add_argument("--json", action="store_true", help="a list of {name, chapter, title, source}")


def _list(arguments):
    from tf1ref.cli.views import examples as view

    view.show_list(catalog.examples(arguments.chapter), arguments.json)


def _add_show(verbs):
    parser = verb(verbs, "show", _show, "Show one example: what it teaches, and both halves side by side.")
    parser.add_argument("name", metavar="NAME", help="chapter.example")
    parser.add_argument("--source", action="store_true", help="print the file as it is, to read or to redirect")


def _show(arguments):
    from tf1ref.cli.views import examples as view

    (view.show_source if arguments.source else view.show_example)(catalog.find(arguments.name))


def _add_copy(verbs):
    parser = verb(verbs, "copy", _copy, "Copy one example to a file of your own, to change it.")
    parser.add_argument("name", metavar="NAME", help="chapter.example")
    parser.add_argument("-o", "--out", metavar="FILE", help="default: the example's own file name, in this folder")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--standalone", action="store_true", help="one file that runs where tf1ref is not installed")
    kind.add_argument("--notebook", action="store_true", help="a Jupyter notebook of both halves and their comparison")
    parser.add_argument("--force", action="store_true", help="replace the file")


def _copy(arguments):
    from tf1ref.catalog import copying, notebooks

    example = catalog.find(arguments.name)
    own_name = f"{example.path.stem}.{'ipynb' if arguments.notebook else 'py'}"
    path = files.target(arguments.out or own_name, arguments.force)
    if arguments.notebook:
        text, runs = notebooks.notebook(example), f"jupyter notebook {path}"
    elif arguments.standalone:
        text, runs = copying.standalone(example), f"python {path}"
    else:
        text, runs = example.path.read_text(), f"python {path}` or `tf1ref parity {path}"
    files.write(path, text.encode())
    console.say(f"{path}: a copy of {example.name}; try `{runs}`")


def _add_run(verbs):
    parser = verb(verbs, "run", _run, "Run one example; show the figures promised and reached.")
    parser.add_argument("name", metavar="NAME", help="chapter.example, or the file of one (.py)")
    parser.add_argument("--mode", choices=("graph", "function"), default="graph", help="half to run (default: graph)")
    parser.add_argument("--steps", type=steps, metavar="N", help="steps to run (default: the source's number)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a constant")
    parser.add_argument("--seed", type=int, metavar="S", help="the same as --set SEED=S")
    parser.add_argument("--data", metavar="DIR", help="folder of real data (default: $TF1REF_DATA, or generated data)")
    parser.add_argument("--out", metavar="DIR", help="keep trace, checkpoints and event files in DIR/MODE")
    parser.add_argument("--plots", action="store_true", help="with --out: draw a picture of the trace, too")
    parser.add_argument("--force", action="store_true", help="replace what an earlier run left in --out")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def _run(arguments):
    from tf1ref.catalog import running
    from tf1ref.cli.views.run import show_run
    from tf1ref.data import folders

    if arguments.seed is not None:
        arguments.set.append(f"SEED={arguments.seed}")
    if arguments.plots and not arguments.out:
        raise InputError("--plots writes a picture: say where with --out DIR")
    folders.use(arguments.data)
    done = running.run(
        catalog.find(arguments.name),
        mode=arguments.mode,
        steps=arguments.steps,
        changes=arguments.set,
        out=arguments.out,
        plots=arguments.plots,
        force=arguments.force,
    )
    if done.reports:
        show_run(done, arguments.json)
    if arguments.data and not folders.asked:
        console.note(f"--data {arguments.data}: not needed, since {arguments.name} reads no data set")


def _add_parity(verbs):
    parser = verb(verbs, "parity", _parity, "Run both halves and compare their traces to the bit.")
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME|MODULE",
        help="examples, or your own modules (default: all examples)",
    )
    parser.add_argument("--steps", type=steps, default=20, metavar="N", help="steps to compare (default: 20)")
    parser.add_argument("--json", metavar="FILE", help="write the reports there; - for standard output")
    parser.add_argument("--recorded", default="", metavar="FILE", help="what `exec --record` kept: MODULE is its port")
    parser.add_argument("--onednn", action="store_true", help="leave oneDNN on: its gradients are not exact")
    parser.add_argument("--force", action="store_true", help="replace the file of --json")


def _parity(arguments):
    from tf1ref import parity
    from tf1ref.catalog.programs import compare_all, compare_recorded
    from tf1ref.cli.views.parity import show_parity

    if not arguments.onednn:
        parity.without_onednn()
    if arguments.json and arguments.json != "-":
        files.target(arguments.json, arguments.force)
    if arguments.recorded:
        reports = [compare_recorded(arguments.recorded, arguments.names)]
    else:
        names = arguments.names or [example.name for example in catalog.examples()]
        reports = compare_all(names, arguments.steps)
    show_parity(reports, arguments.json)
    return 0 if all(report.equal for report in reports) else 1


def _add_gallery(verbs):
    parser = verb(verbs, "gallery", _gallery, "Run the examples and write one page of all of them, for a browser.")
    parser.add_argument(
        "--out", metavar="DIR", default="gallery", help="the folder of the page, DIR/index.html (default: gallery)"
    )
    parser.add_argument("--chapter", metavar="C", help="only this chapter")
    parser.add_argument("--steps", type=steps, default=20, metavar="N", help="steps to compare (default: 20)")
    parser.add_argument("--full", action="store_true", help="run slow examples at full length, too: it takes hours")
    parser.add_argument("--force", action="store_true", help="replace the page in DIR, or put one beside other files")


def _gallery(arguments):
    from tf1ref.catalog import gallery

    good = gallery.make(arguments.out, arguments.chapter, arguments.steps, arguments.full, arguments.force)
    return 0 if good else 1
