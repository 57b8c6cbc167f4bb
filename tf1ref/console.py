"""Everything that a person sees: progress, tables and the one error format.

rich is imported inside the functions, because `tf1ref list --json` must not wait for it.
"""

import contextlib
import gc
import os
import shutil
import sys
import time

# Colours that can be read on a white ground and on a black one: the contrast is 4 to 1 or better on both
# (tests/cli/test_show.py). A terminal's own sixteen colours are not: each is too pale on one of the two.
COLOURS = {
    "good": "color(28)",  # green
    "bad": "color(161)",  # red
    "keyword": "color(98)",  # violet
    "string": "color(28)",
    "number": "color(130)",  # brown
    "soft": "color(243)",  # grey
}
# `progress_shown` sets this. It is off by default, so that parity, tests and people's own programs run silently.
_shown = False


@contextlib.contextmanager
def progress_shown():
    """Within this context `steps` shows progress on standard error."""
    global _shown
    before, _shown = _shown, True
    try:
        yield
    finally:
        _shown = before


class steps:
    """Progress over `total` steps, with the values last given to `show`: silent unless `progress_shown`.

    Iterate over it for range(total); or use it as a context and tell it the step by `reached`.
    On a terminal: a bar. In a log file: a line every five seconds and one at the end.
    """

    LINE_SECONDS = 5.0
    BAR_SECONDS = 0.1

    def __init__(self, total):
        self.total = total
        self._values = {}
        self._step = 0
        self._bar = self._next = None

    def show(self, **values):
        """Sets the values that stand beside the bar: loss=..., accuracy=... (numbers). Every step may call it."""
        self._values = values

    def reached(self, step, **values):
        """Sets how many steps are done and which values are shown. Loops that do not iterate over this use it."""
        self._step, self._values = min(int(step), self.total), values
        if self._next is not None and time.monotonic() >= self._next:
            self._draw()

    def __iter__(self):
        with self:
            for step in range(self.total):
                yield step
                self.reached(step + 1, **self._values)

    def __enter__(self):
        if _shown:
            self._bar = _bar(self.total) if sys.stderr.isatty() else None
            if self._bar:
                self._bar.start()
            self._next = time.monotonic() + (0 if self._bar else self.LINE_SECONDS)
        return self

    def __exit__(self, *error):
        if self._next is not None:
            self._draw()
        if self._bar:
            self._bar.stop()

    def _draw(self):
        self._next = time.monotonic() + (self.BAR_SECONDS if self._bar else self.LINE_SECONDS)
        words = "  ".join(f"{k} {float(v):.6g}" for k, v in self._values.items())
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=self._step, description=words)
        else:
            print(f"step {self._step}/{self.total}  {words}".rstrip(), file=sys.stderr, flush=True)


def _bar(total):
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    bar = Progress(*columns, console=Console(stderr=True))
    bar.add_task("", total=total)
    return bar


def counted(number: int, word: str) -> str:
    """Returns the number and the word, in the plural where it is one.

    >>> counted(1, "set"), counted(2000, "tensor")
    ('1 set', '2,000 tensors')
    """
    return f"{number:,} {word}{'s' * (number != 1)}"


def say(text=""):
    """Prints one plain line on standard output."""
    print(text, flush=True)


def note(text):
    """Prints one line about what happens, on standard error. Standard output has only results."""
    print(text, file=sys.stderr, flush=True)


def error(text):
    """Prints `text` on standard error in the one format of errors: a single line, whatever the text holds."""
    print(f"tf1ref: {clean(' '.join(str(text).split()))}", file=sys.stderr, flush=True)


def clean(text):
    """Returns `text` with its control characters written out: a foreign name must not move the cursor or colour."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def table(columns, rows, title=None):
    """Prints `rows` of words under `columns`; a column called ">name" is aligned to the right.

    The table fits the terminal, or 100 columns where there is no terminal.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for column in columns:
        grid.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    out().print(grid)


def out():
    """Returns the rich Console for standard output: 100 columns where neither a terminal nor $COLUMNS says more."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 100)


def columns():
    """Returns the width of what `out` prints to, without rich, which takes a tenth of a second to import."""
    return shutil.get_terminal_size((100, 24)).columns


def verdict(good, yes="ok", no="FAILED"):
    """Returns a coloured word for a table cell."""
    from rich.text import Text

    return Text(yes, COLOURS["good"]) if good else Text(no, f"bold {COLOURS['bad']}")


def python(text, width=None):
    """Returns Python source to print with `out()`, coloured and with long lines wrapped. width: columns, None: all."""
    from pygments import token
    from rich.style import Style
    from rich.syntax import ANSISyntaxTheme, Syntax

    def style(name):
        return Style(color=COLOURS[name])

    theme = {
        token.Token: Style(),  # in the terminal's own colour
        token.Comment: style("soft"),
        token.Literal.String: style("string"),
        token.Literal.String.Doc: style("soft"),
        token.Literal.Number: style("number"),
        token.Keyword: style("keyword"),
        token.Operator.Word: style("keyword"),
        token.Name.Decorator: style("soft"),
        token.Name.Function: Style(bold=True),
        token.Name.Class: Style(bold=True),
    }
    return Syntax(text, "python", theme=ANSISyntaxTheme(theme), code_width=width, word_wrap=True)


@contextlib.contextmanager
def _without_keras():
    """Keeps TensorFlow's import from loading all of Keras 3, which is a third of its time.

    tf.keras loads Keras when it is used. TensorFlow loads it at once for what Keras 2 registers, and Keras 3 does not.
    """
    asked = "keras.src.optimizers"  # The end of tensorflow/__init__.py imports it, and passes over an ImportError.
    held = asked in sys.modules
    sys.modules.setdefault(asked, None)
    try:
        yield
    finally:
        if not held:
            sys.modules.pop(asked, None)


@contextlib.contextmanager
def _without_garbage():
    """Keeps Python from searching for garbage among what is made inside the block, then and later.

    Modules stay for good. The searches are a quarter of TensorFlow's import.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if before:
            gc.enable()


@contextlib.contextmanager
def light_imports():
    """Keeps TensorFlow's import inside the block from what takes time and serves nobody."""
    with _without_keras(), _without_garbage():
        yield


def import_tensorflow():
    """Imports TensorFlow without its banner and without the deprecation warnings that every v1 call brings.

    C++ code writes the banner at every log level, so standard error itself is redirected. When the import fails, what
    was written is shown.
    """
    import tempfile

    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as banner:
        os.dup2(banner.fileno(), 2)
        try:
            with light_imports():
                import tensorflow as tf

            tf.get_logger().setLevel("ERROR")
        except BaseException:
            banner.seek(0)
            os.write(kept, banner.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
