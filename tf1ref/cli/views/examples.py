"""What `tf1ref list` and `tf1ref show` print."""

import json
import sys

from tf1ref import catalog, console

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
