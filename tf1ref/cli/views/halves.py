"""Two texts of Python beside each other, or one after the other on a narrow terminal."""

from tf1ref import console

WIDE = 160  # columns from which the two halves stand side by side


def show(pairs):
    """Prints two (title, text) as panels of coloured Python."""
    from rich.columns import Columns
    from rich.panel import Panel

    out = console.out()
    if out.width < WIDE:
        for title, text in pairs:
            out.print(Panel(console.python(text), title=title))
        return
    half = out.width // 2 - 1
    panels = [Panel(console.python(text, half - 4), title=title, width=half) for title, text in pairs]
    out.print(Columns(panels, padding=0))
