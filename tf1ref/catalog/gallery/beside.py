"""What the gallery's page links to: the source and the notebook of each example, in folders beside the page."""

from pathlib import Path

from tf1ref import files
from tf1ref.catalog import notebooks
from tf1ref.catalog.finding import Example


def link(example: Example, suffix: str) -> str:
    """Returns the address of an example's source ("py") or notebook ("ipynb"), relative to the page."""
    return f"{suffix}/{example.name}.{suffix}"


def write(folder: Path, example: Example) -> None:
    """Writes both into `folder`. Raises InputError when it cannot be written."""
    for suffix, text in (("py", example.path.read_text()), ("ipynb", notebooks.notebook(example))):
        path = folder / link(example, suffix)
        path.parent.mkdir(exist_ok=True)
        files.write(path, text.encode())
