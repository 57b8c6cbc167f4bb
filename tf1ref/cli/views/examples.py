"""What `tf1ref list` and `tf1ref show` print."""

import json
import sys
import textwrap

from tf1ref import catalog, console
from tf1ref.cli.views import halves


def show_list(examples, as_json=False):
    """Prints examples by chapter, or as a JSON list of {name, chapter, title, source}."""
    if as_json:
        rows = [{k: v for k, v in e._asdict().items() if k != "path"} for e in examples]
        json.dump(rows, sys.stdout, indent=2, ensure_ascii=False)
        console.say()
        return
    columns = console.columns()
    width = max((len(e.name) for e in examples), default=0)
    chapter = None
    for example in examples:
        if example.chapter != chapter:
            chapter = example.chapter
            console.say(("" if example is examples[0] else "\n") + chapter)
        hanging = " " * (width + 4)
        head = f"  {example.name:<{width}}  "
        lines = textwrap.fill(
            example.title, columns, initial_indent=head, subsequent_indent=hanging, break_on_hyphens=False
        )
        console.say(lines)


def show_source(example):
    """Prints the file of an example as it is: coloured on a terminal, its very bytes elsewhere."""
    text = example.path.read_text()
    if sys.stdout.isatty():
        console.out().print(console.python(text))
    else:
        sys.stdout.write(text)


def show_example(example):
    """Prints the docstring, the constants and the two halves: side by side on a wide terminal."""
    from rich.panel import Panel

    out = console.out()
    parts = catalog.parts(example.path)
    out.print(f"[bold]{example.name}[/bold]  {example.path}", highlight=False)
    out.print(Panel(parts.docstring.rstrip(), expand=False), markup=False, highlight=False)

    out.print(console.python(parts.constants))
    halves.show([("graph", parts.graph), ("function", parts.function)])
