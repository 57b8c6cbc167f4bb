"""exec runs the cells of a notebook in order, as IPython would."""

import json

import pytest


def notebook(*cells, **metadata):
    made = [{"cell_type": "code", "source": c, "metadata": {}, "outputs": [], "execution_count": None} for c in cells]
    return json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 2})


@pytest.mark.slow
def test_a_notebook_runs_cell_by_cell(run, tmp_path):
    cells = (
        "%matplotlib inline\nimport tensorflow as tf\n!echo shell\nx = tf.placeholder(tf.float32)\n",
        "%%bash\nrm -rf everything\n",
        "text = '''\n%not a magic\n'''\nfiles = !echo found\n"
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nprint(len(files))",
        "tf.Session().run(x, {x: 2.5})",
        "print 'a', 3 / 2",
        "1 / 0",
        "print('never')",
    )
    done = run(notebook(*cells), name="a.ipynb", options=["--out", "done.ipynb"])
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["0", "array(2.5, dtype=float32)", "a 1"], done.stderr
    assert "cell 1, line 3 is skipped: !echo shell; --trust" in done.stderr and "%%bash" in done.stderr
    assert "cell 6 failed: ZeroDivisionError" in done.stderr and "1 / 0" in done.stderr
    written = json.loads((tmp_path / "done.ipynb").read_text())["cells"]
    assert written[3]["outputs"][0]["data"]["text/plain"] == "array(2.5, dtype=float32)"
    assert [sorted(o["data"]) for o in written[2]["outputs"] if "data" in o] == [["image/png", "text/plain"]]
    assert written[4]["outputs"] == [{"output_type": "stream", "name": "stdout", "text": "a 1\n"}]
    assert written[5]["outputs"][-1]["ename"] == "ZeroDivisionError" and written[6]["outputs"] == []
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(nbformat.from_dict(json.loads((tmp_path / "done.ipynb").read_text())))
    trusted = run(notebook(cells[0], "y = !echo found\nprint(y)"), name="b.ipynb",
                  options=["--trust"])  # fmt: skip
    assert trusted.stdout == "shell\n['found']\n", trusted.stderr


@pytest.mark.parametrize("text", ["{}", "[]", "not json", notebook("x <- 1", kernelspec={"language": "R"})])
def test_what_is_no_notebook_of_python_is_one_line(run, text):
    done = run(text, name="a.ipynb")
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize(
    ("cells", "metadata", "printed"),
    [
        # Python 2: what divides in a cell that Python 3 reads as well, and what changes it for the cells after.
        (("x = 7 / 2", "print x", "print(7 / 2)"), {}, "3\n3\n"),
        (("print(7 / 2)",), {"language_info": {"version": "2.7.11"}}, "3\n"),
        (("print 1 / 2\nfrom __future__ import division", "print(1 / 2)"), {}, "0.5\n0.5\n"),
        (("print(1 / 2)",), {"language_info": {"version": "3.5.1"}}, "0.5\n"),
        (("import json\nfrom __future__ import print_function\nprint(1 / 2)\n%matplotlib inline",), {}, "0.5\n"),
    ],
)
def test_division_is_that_of_the_notebooks_python(run, cells, metadata, printed):
    pytest.importorskip("fissix")
    assert run(notebook(*cells, **metadata), name="a.ipynb").stdout == printed
