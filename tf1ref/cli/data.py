"""The verb data, with its own three verbs: ls, verify, records."""

from tf1ref import console
from tf1ref.cli.verbs import verb, verb_group


def add_verbs(verbs):
    """Adds the verb `data` with its own three verbs."""
    text = "Look at TFRecord files, folders of class folders, and lists of pictures with labels."
    parser = verbs.add_parser("data", help=text, description=text)
    kinds = verb_group(parser, "data_verb")
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


def _ls(arguments):
    _show_reports(arguments)


def _verify(arguments):
    from tf1ref.data import report

    _show_reports(arguments, report.parse_features(arguments.features), check=True)


def _show_reports(arguments, features=None, check=False):
    from tf1ref.cli.views.data import show_reports
    from tf1ref.data import report

    _load(arguments.files)
    show_reports([report.report(path, arguments.skip_bad, features, check) for path in arguments.files], arguments.json)


def _records(arguments):
    from tf1ref.cli.views.data import show_rows
    from tf1ref.data import report

    _load(arguments.files)
    show_rows((row for path in arguments.files for row in report.rows_of(path, arguments.skip_bad)), arguments.json)


def _load(files):
    """TensorFlow, without its banner, where a file of records needs it."""
    from tf1ref.data import report

    if not all(report.is_pictures(path) for path in files):
        console.import_tensorflow()
