"""What Sphinx needs to know about tf1ref: plain docstrings, and a page of all examples made from their own text."""

import re
from pathlib import Path

from tf1ref import catalog

HERE = Path(__file__).resolve().parents[1]
HEAD = """# The examples

Each is one file with two halves, which equal each other to the bit. `tf1ref show NAME` prints one, `tf1ref run NAME`
runs it, and `tf1ref copy NAME` copies it. `tf1ref gallery` makes one page of all of them, with pictures and figures.
"""
GALLERY = "_gallery/gallery/index.html"  # `scripts/docs --gallery` writes it
# What reStructuredText would read as markup, outside of `words`: docstrings here are plain text.
MARKUP = re.compile(r"`[^`]*`|[*|]|(?<=\w)_(?!\w)")


def plain(app, what, name, obj, options, lines):
    """Turns a plain docstring into reStructuredText: marks are escaped, and each line stands at the margin."""
    del app, what, name, obj, options
    text = "\n".join(lines)
    text = MARKUP.sub(lambda m: f"`{m[0]}`" if m[0][0] == "`" else "\\" + m[0], text)
    inside, result = False, []
    for line in text.split("\n"):
        inside = line.lstrip().startswith((">>>", "...")) or (inside and line.strip() != "")
        result.append(line.replace("\\", "") if inside else line.strip())
    lines[:] = result


def examples(app):
    """Writes the page of all examples."""
    del app
    text, chapter = HEAD, None
    if (HERE / GALLERY).exists():
        text += '\n<a href="../gallery/index.html">The gallery</a> of all of them.\n'
    for example in catalog.examples():
        if example.chapter != chapter:
            chapter = example.chapter
            init = (catalog.FOLDER / chapter / "__init__.py").read_text()
            text += f"\n## {chapter}\n\n{' '.join(init.strip().strip(chr(34)).split())}\n\n"
        file = f"../../tf1ref/examples/{chapter}/{example.path.name}"
        text += f"- {{download}}`{example.name} <{file}>` {example.title}\n"
    page = HERE / "reference" / "examples.md"
    if not page.exists() or page.read_text() != text:
        page.write_text(text)


def setup(app):
    """Connects both to Sphinx."""
    app.connect("builder-inited", examples)
    app.connect("autodoc-process-docstring", plain)
    return {"parallel_read_safe": True}
