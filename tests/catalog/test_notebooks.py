"""Notebooks of the examples: each is a valid one, and those of a chapter run and say that both halves are equal."""

import ast
import json

import nbclient
import nbformat
import pytest

from tf1ref import catalog
from tf1ref.catalog import notebooks


@pytest.mark.parametrize("example", catalog.examples(), ids=lambda example: example.name)
def test_every_notebook_is_valid_and_holds_the_whole_program(example):
    text = notebooks.notebook(example)
    nbformat.validate(json.loads(text), version=4)
    code = "\n".join(cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code")
    program = ast.parse(catalog.program(example.path)).body[1:]  # without the docstring, which is a cell of text
    assert "__main__" not in code
    cells = {ast.dump(node) for node in ast.parse(code).body}
    assert {ast.dump(node) for node in program} <= cells


@pytest.mark.slow
@pytest.mark.parametrize("example", catalog.examples("iris"), ids=lambda example: example.name)
def test_a_notebook_runs_and_is_equal(example, tmp_path):
    notebook = nbformat.reads(notebooks.notebook(example), as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=280, startup_timeout=200, kernel_name="python3")
    client.execute(cwd=str(tmp_path))
    said = "".join(out.get("text", "") for cell in notebook.cells for out in cell.get("outputs", []))
    assert "equal to the bit" in said
