"""Examples as Jupyter notebooks: the docstring as text, the constants and both halves as cells, then a comparison."""

import json

from tf1ref.catalog import finding
from tf1ref.catalog.finding import Example

SETTING = """import os

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # its convolution gradients differ in the last bits
"""
RUN = """from tf1ref import parity

graph = parity.trace_of(run_graph, {steps}, "graph")
function = parity.trace_of(run_function, {steps}, "function")
report = parity.compare(graph, function)
print("equal to the bit" if report.equal else report.first)
"""


def notebook(example: Example) -> str:
    """Returns the text of an .ipynb file (nbformat 4.4) of an example. It needs tf1ref to run."""
    parts = finding.parts(example.path)
    title, _, rest = parts.docstring.partition("\n")
    cells = [
        _markdown(f"# {title.rstrip('.')}\n\n```text\n{rest.strip()}\n```"),
        _code(SETTING),
        _markdown("## What both halves read"),
        _code(parts.constants),
        _markdown("## The graph half: a session runs a graph of TensorFlow 1"),
        _code(parts.graph),
        _markdown("## The function half: `tf.function` and `tf.Module`"),
        _code(parts.function),
        _markdown("## Both run, and their traces are compared"),
        _code(RUN.format(steps=min(20, finding.constants(example.path).get("STEPS", 20)))),
    ]
    if "\ndef plot(" in f"\n{parts.graph}\n{parts.function}":
        cells.append(_code("plot(graph)"))
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}, indent=1) + "\n"


def _markdown(text: str) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _code(text: str) -> dict:
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": text.strip()}
