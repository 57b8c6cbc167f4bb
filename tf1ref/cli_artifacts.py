"""The verbs for old models: inspect."""


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
    from tf1ref.artifacts import tables

    tables.show_inspect(arguments.path, arguments.part, arguments.node, arguments.json)
