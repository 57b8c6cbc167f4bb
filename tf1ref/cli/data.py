"""The verb data, with its own four verbs: fetch, ls, verify, records."""

from tf1ref import console
from tf1ref.cli.verbs import verb, verb_group


def add_verbs(verbs):
    """Adds the verb `data` with its own four verbs."""
    text = "Fetch data sets; look at TFRecord files, folders of class folders, and lists of pictures with labels."
    parser = verbs.add_parser("data", help=text, description=text)
    kinds = verb_group(parser, "data_verb")
    _add_fetch(kinds)
    for name, function, text in (
        ("ls", _ls, "What a file holds: records and their features, or pictures by class."),
        ("verify", _verify, "Read everything: lengths, checksums, features; every picture is decoded."),
        ("records", _records, "Print every record, or every picture with its label."),
    ):
        kind = verb(kinds, name, function, text)
        kind.add_argument("files", nargs="+", metavar="FILE", help="a TFRecord file, a folder, or a .txt/.csv list")
        kind.add_argument("--skip-bad", action="store_true", help="count what is damaged and pass over it")
        kind.add_argument("--json", action="store_true", help="as JSON, a list")
        if name == "verify":
            about = "what every record must have, such as label:int64,image_raw:bytes"
            kind.add_argument("--features", metavar="NAME:TYPE,...", default="", help=about)


def _add_fetch(kinds):
    kind = verb(kinds, "fetch", _fetch, "Fetch a public data set from its home, with its checksum.")
    kind.add_argument("name", nargs="?", metavar="SET", help="the data set; without it, the list of them")
    kind.add_argument("--to", metavar="DIR", help="where its folder is put; default: $TF1REF_DATA, else the cache")
    kind.add_argument("--from", metavar="URL", dest="url", help="a mirror of your own")
    kind.add_argument("--force", action="store_true", help="replace files that have another checksum")


def _fetch(arguments):
    from tf1ref.data import fetch

    if not arguments.name:
        console.table(("data set", "what it is"), [(name, one.about) for name, one in fetch.SETS.items()])
    else:
        console.say(fetch.fetch(arguments.name, arguments.to, arguments.url, arguments.force))


def _ls(arguments):
    _show_reports(arguments)


def _verify(arguments):
    from tf1ref.data import report

    _show_reports(arguments, report.parse_features(arguments.features), check=True)


def _show_reports(arguments, features=None, check=False):
    from tf1ref.cli.views.data import show_reports
    from tf1ref.data import report

    show_reports([report.report(path, arguments.skip_bad, features, check) for path in arguments.files], arguments.json)


def _records(arguments):
    from tf1ref.cli.views.data import show_rows
    from tf1ref.data import report

    show_rows((row for path in arguments.files for row in report.rows_of(path, arguments.skip_bad)), arguments.json)
