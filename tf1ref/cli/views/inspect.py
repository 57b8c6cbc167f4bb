"""What `tf1ref inspect` prints: the facts of an artifact, tables, and warnings; or JSON.

The tables are at most 100 columns wide.
"""

import json
import os
import re
import sys
from dataclasses import asdict

from tf1ref import console
from tf1ref.artifacts import inspect
from tf1ref.artifacts.graph import shapes, summaries
from tf1ref.console import clean, counted

# A table has at most this many rows, unless its option asks for all.
MOST_ROWS = 20
MOST_OPS = 14
MOST_NAMES = 4
SLOT = "slot"
VERDICTS = {"outside": "needs --trust", "state": "no file holds it", "python": "no file holds it"}


def show_inspect(path, part="", node="", as_json=False):
    """Inspects `path` and prints the report.

    part: "ops", "variables" or "signatures" prints all rows of that table; "" (the default) prints at most 20 of
    each.
    node: a node's name; that node is printed instead of the report. as_json: prints JSON.
    Raises InputError as inspect.inspect and inspect.node do.
    """
    if node:
        found = inspect.node(path, node)
        return _json(asdict(found)) if as_json else _show_node(found)
    report = inspect.inspect(path)
    if as_json:
        found = asdict(report)
        for graph, one in zip(found["graphs"], report.graphs):
            graph["warnings"] = [list(w) for w in summaries.warnings(one, _names(report))]
        return _json(found)
    show = {"ops": _show_ops, "variables": _show_variables, "signatures": _show_signatures}.get(part)
    if show:
        return show(report, None)
    return _show(report)


def _json(found):
    json.dump(found, sys.stdout, indent=2, default=str)
    console.say()


def _show(report):
    _heading(os.path.basename(report.path.rstrip("/")) or report.path, report.kind)
    _facts([("files", _files(report.files)), *_values(report)])
    if report.records:
        _show_records(report.records)
    for number, graph in enumerate(report.graphs, 1):
        if len(report.graphs) > 1:
            _heading(f"graph {number} of {len(report.graphs)}", ", ".join(graph.tags))
        _facts(_graph_facts(graph))
        _show_ends(graph)
    _show_signatures(report, MOST_ROWS)
    _show_variables(report, MOST_ROWS)
    _look_out(report)


def _heading(name, kind):
    from rich.text import Text

    console.out().print(Text.assemble("\n", (clean(name), "bold"), "  ", (clean(kind), "cyan")), soft_wrap=True)


def _facts(rows):
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=13, no_wrap=True)
    grid.add_column(overflow="fold")
    for name, words in rows:
        if words:
            grid.add_row(Text("  " + name, "dim"), Text(clean(words)))
    console.out().print(grid)


def _files(files):
    shown = [f"{name} ({_size(size)})" for name, size in list(files.items())[:MOST_NAMES]]
    more = len(files) - len(shown)
    return ", ".join(shown) + (f" and {more} more, {_size(sum(files.values()))} in all" if more else "")


def _values(report):
    if not report.variables:
        return []
    numbers, held = sum(v.parameters for v in report.variables), sum(v.bytes for v in report.variables)
    words = f"{counted(len(report.variables), 'tensor')}, {numbers:,} numbers, {_size(held)}"
    return [
        ("values", words + (", saved by tf.train.Checkpoint: each name is a path through objects" * report.objects))
    ]


def _graph_facts(graph):
    made = [f"TensorFlow {graph.tensorflow}"] if graph.tensorflow else []
    made += [f"graph version {graph.producer}"] if graph.producer else []
    nodes = f"{counted(graph.nodes, 'node')}, {counted(len(graph.ops), 'kind')} of ops"
    nodes += f", {counted(graph.functions, 'function')}" if graph.functions else ""
    nodes += f", {graph.constants:,} numbers in constants" if graph.constants else ""
    nodes += ", no variables: frozen" if graph.constants and not graph.variables else ""
    ops = [f"{op} {count}" for op, count in list(graph.ops.items())[:MOST_OPS]]
    more = len(graph.ops) - len(ops)
    collections = [f"{name} {c['count']}" for name, c in graph.collections.items()]
    return [
        ("made by", ", ".join(made)),
        ("tags", ", ".join(graph.tags)),
        ("graph", nodes),
        ("ops", ", ".join(ops) + (f" and {counted(more, 'more kind')}: --ops" if more else "")),
        ("collections", ", ".join(collections)),
        ("assets", ", ".join(graph.assets)),
    ]


def _show_ends(graph):
    ends = [("in", t) for t in graph.inputs[:MOST_ROWS]] + [("out?", t) for t in graph.outputs]
    if ends:
        rows = [(end, clean(t.name), clean(t.op), t.dtype, shapes.text(t.shape)) for end, t in ends]
        console.table(("", "likely inputs and outputs", "op", "type", "shape"), rows)
    if len(graph.inputs) > MOST_ROWS:
        console.say(f"and {len(graph.inputs) - MOST_ROWS} more placeholders")


def _show_ops(report, _):
    for graph in report.graphs:
        marks = {op: f"{VERDICTS[decision]}: {reason}" for op, (decision, reason) in graph.verdicts.items()}
        marks.update(dict.fromkeys(graph.unknown_ops, "unknown here"))
        rows = [(f"{count:,}", clean(op), marks.get(op, "")) for op, count in graph.ops.items()]
        console.table((">nodes", "op", ""), rows, title=", ".join(graph.tags) or None)
    if not report.graphs:
        console.say(f"{clean(os.path.basename(report.path))}: {report.kind}: no graph, so no ops")


def _show_variables(report, most):
    rows = sorted(_saved_rows(report) or _graph_rows(report), key=lambda row: _in_order(row[0]))
    slots = [row for row in rows if row[4] == SLOT] if most else []
    shown = [row for row in rows if row not in slots][:most]
    if shown:
        placed = any(row[-1] for row in rows)
        columns = ("variable", "shape", "type", ">numbers", "role", *["where"] * placed)
        console.table(columns, [row[: len(columns)] for row in shown])
    left = len(rows) - len(slots) - len(shown)
    if left or slots:
        words = [f"{left} more"] * bool(left) + [counted(len(slots), "slot") + " of an optimizer"] * bool(slots)
        console.say(f"and {' and '.join(words)}: --variables")
    if not rows and not most:
        console.say(f"{clean(os.path.basename(report.path))}: {report.kind}: no variables")


def _graph_rows(report):
    return [
        (clean(v.name), shapes.text(v.shape), v.dtype, _numbers(v.shape), "trained" * (v.name in g.trained), "")
        for g in report.graphs
        for v in g.variables
    ]


def _in_order(name):
    """Returns a sort key that puts Variable_2 before Variable_10."""
    return [int(word) if word.isdecimal() else word for word in re.split(r"(\d{1,18})", name)]


def _saved_rows(report):
    trained = {name for graph in report.graphs for name in graph.trained}
    averages = set(summaries.shadows(_names(report)))
    scattered = len({shard for v in report.variables for shard in v.shards}) > 1
    rows = []
    for v in report.variables:
        slot = v.name.rpartition("/")[0] in trained
        role = "average" if v.name in averages else "trained" if v.name in trained else SLOT if slot else ""
        places = ", ".join(s.rpartition(".")[2] for s in v.shards) if scattered else ""
        places += f" in {v.slices} pieces" * (v.slices > 1)
        rows.append((clean(v.name), shapes.text(v.shape), v.dtype, f"{v.parameters:,}", role, clean(places.strip())))
    return rows


def _show_signatures(report, most):
    for graph in report.graphs:
        rows = []
        for name, signature in graph.signatures.items():
            for end, key in (("in", "inputs"), ("out", "outputs")):
                for name_of, t in signature[key].items():
                    rows.append((clean(name), end, clean(name_of), clean(t.name), t.dtype, shapes.text(t.shape)))
        if rows:
            console.table(("signature", "", "key", "tensor", "type", "shape"), rows[:most])
        if most and len(rows) > most:
            console.say(f"and {len(rows) - most} more lines: --signatures")
    if not most and not any(graph.signatures for graph in report.graphs):
        console.say(f"{clean(os.path.basename(report.path))}: {report.kind}: no signatures; name tensors instead")


def _show_records(records):
    sizes = _range([records.shortest, records.longest])
    number = f"{records.records:,}" + (" or more" * (not records.counted))
    _facts([("records", f"{number}, {sizes} bytes each"), ("packed", records.compression.replace("NONE", ""))])
    if records.version:
        _facts([("written as", records.version)])
        rows = [(clean(tag), t["kind"], f"{t['steps']:,}", t["last_step"]) for tag, t in records.tags.items()]
        console.table(("tag", "kind", ">events", ">last step"), rows)
    elif records.features:
        rows = [
            (clean(name), f["type"], _range(f["lengths"]), f"{f['records']:,}")
            for name, f in sorted(records.features.items())
        ]
        console.table(("feature", "type", ">values", ">records"), rows)
    else:
        console.say("  its records are not tf.train.Examples")


def _look_out(report):
    from rich.text import Text

    lines = [(problem, [], "") for problem in report.problems]
    for graph in report.graphs:
        lines += summaries.warnings(graph, _names(report))
    if not report.graphs and summaries.shadows(_names(report)):
        lines.append(("moving averages", summaries.shadows(_names(report)), "evaluate with these values"))
    for what, names, advice in lines:
        shown = ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" * (len(names) > MOST_NAMES))
        words = [("! ", "bold yellow"), (clean(what), "yellow"), f": {clean(shown)}" if names else ""]
        console.out().print(Text.assemble(*words, f" - {advice}" if advice else ""), overflow="fold")


def _show_node(node):
    _heading(node.name, node.op)
    _facts([("function", node.function), ("device", node.device), ("shape", shapes.text(node.shape))])
    ends = [("reads", *i) for i in node.inputs] + [("read by", *r) for r in node.readers[:MOST_ROWS]]
    if ends:
        console.table(("", "node", "op"), [(end, clean(name), clean(op)) for end, name, op in ends])
    if len(node.readers) > MOST_ROWS:
        console.say(f"and {len(node.readers) - MOST_ROWS} more readers")
    if node.attributes:
        console.table(("attribute", "value"), [(clean(k), clean(v[:400])) for k, v in node.attributes.items()])


def _names(report):
    return [v.name for v in report.variables]


def _numbers(sizes):
    count = inspect.elements(sizes)
    return "" if count is None else f"{count:,}"


def _range(ends):
    return " to ".join(f"{number:,}" for number in dict.fromkeys(ends))


def _size(number):
    for unit in ("bytes", "KB", "MB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "bytes" else f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.3g} GB"
