"""What the verbs print: lists, programs, parity reports - for people, or as JSON."""

import json
import sys

from tf1ref import catalog, console, files

WIDE = 160  # columns from which the two halves stand side by side


def show_list(examples, as_json=False):
    """Prints examples by chapter, or as a JSON list of {name, chapter, title, source}."""
    if as_json:
        rows = [{k: v for k, v in e._asdict().items() if k != "path"} for e in examples]
        json.dump(rows, sys.stdout, indent=2, ensure_ascii=False)
        console.say()
        return
    width = max((len(e.name) for e in examples), default=0)
    chapter = None
    for example in examples:
        if example.chapter != chapter:
            chapter = example.chapter
            console.say(("" if example is examples[0] else "\n") + chapter)
        console.say(f"  {example.name:<{width}}  {example.title}"[:100])


def show_example(example):
    """Prints the docstring, the constants and the two halves: side by side on a wide terminal."""
    from rich.columns import Columns
    from rich.panel import Panel
    from rich.syntax import Syntax

    out = console.out()
    parts = catalog.parts(example.path)
    out.print(f"[bold]{example.name}[/bold]  {example.path}", highlight=False)
    out.print(Panel(parts.docstring.rstrip(), expand=False), markup=False, highlight=False)

    def code(text, width):
        return Syntax(text, "python", background_color="default", code_width=width, word_wrap=True)

    out.print(code(parts.constants, None))
    if out.width < WIDE:
        out.print(Panel(code(parts.graph, None), title="graph"), Panel(code(parts.function, None), title="function"))
    else:
        half = out.width // 2 - 1
        halves = [
            Panel(code(text, half - 4), title=title, width=half)
            for text, title in ((parts.graph, "graph"), (parts.function, "function"))
        ]
        out.print(Columns(halves, padding=0))


def show_parity(names, steps, json_file=None, onednn=False, force=False):
    """Runs and prints the parity of `names`; True when every trace is equal. JSON goes to `json_file` (- : stdout).

    Raises InputError for an unknown name or a file that cannot be written, before anything runs.
    """
    from tf1ref import parity

    if not onednn:
        parity.without_onednn()
    if json_file and json_file != "-":
        files.target(json_file, force)
    console.import_tensorflow()
    modules = [(name, parity.module_named(name)) for name in names]
    reports = []
    for number, (name, module) in enumerate(modules, 1):
        if len(modules) > 1:
            console.note(f"[{number}/{len(modules)}] {name}")
        reports.append(parity.run(module, steps, name))
    if json_file != "-":
        _print_reports(reports)
    if json_file:
        _write_json([report.summary() for report in reports], json_file)
    return all(report.equal for report in reports)


def _print_reports(reports):
    if len(reports) == 1:
        keys = [
            (k.key, k.elements, k.differing, f"{k.max_difference:.3g}", k.max_ulp, k.first) for k in reports[0].rows
        ]
        console.table(("key", ">elements", ">differing", ">max diff", ">max ULP", "first"), keys)
    rows = [
        (
            r.name,
            r.keys,
            f"{r.elements:,}",
            f"{r.differing:,}",
            f"{r.max_ulp:,}",
            console.verdict(r.equal, "equal"),
        )
        for r in reports
    ]
    console.table(("example", ">keys", ">elements", ">differing", ">max ULP", "verdict"), rows)
    for report in reports:
        if report.first:
            console.say(f"{report.name}: first divergence: {report.first}")


def show_check(files, uses, problems, as_json=False):
    """Prints what `checking.check` found; True when nothing is missing and every file could be parsed."""
    count = {verdict: sum(use.verdict == verdict for use in uses) for verdict in ("runs", "exec", "missing")}
    if as_json:
        listed = {"uses": [u._asdict() for u in uses], "problems": [p._asdict() for p in problems]}
        found = {"files": files, **count, **listed}
        json.dump(found, sys.stdout, indent=2)
        console.say()
    else:
        _print_check(files, uses, problems, count)
    return not (count["missing"] or problems)


def _print_check(files, uses, problems, count):
    for problem in problems:
        console.say(f"{problem.file}:{problem.line}: {problem.text}")
    grouped = {}
    for use in uses:
        if use.verdict != "runs":
            grouped.setdefault(use.file, {}).setdefault((use.name, use.verdict, use.instead), []).append(use.line)
    for file, names in grouped.items():
        rows = [
            (", ".join(map(str, lines)), name, console.verdict(verdict == "exec", "exec", "MISSING"), instead)
            for (name, verdict, instead), lines in names.items()
        ]
        console.table((">lines", "name", "runs", "instead"), rows, title=file)
    console.say(
        f"{files} file{'s' * (files != 1)}, {len(uses)} uses of TensorFlow: {count['runs']} run as they are, "
        f"{count['exec']} under `tf1ref exec`, {count['missing']} missing"
    )


def _write_json(value, path):
    text = json.dumps(value, indent=2) + "\n"
    if path == "-":
        sys.stdout.write(text)
    else:
        files.write(path, text.encode())
