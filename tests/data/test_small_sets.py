"""Iris and dots: facts known from elsewhere, and csv files written here."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tf1ref.data import dots, folders, iris
from tf1ref.errors import InputError

GOOD = ["x1,x2,y_c"] + [f"{i / 10},{-i},{i % 2}" for i in range(40)]


def test_iris_has_the_published_statistics():
    x, y = iris.load()
    assert x.shape == (150, 4) and x.dtype == np.float64 and y.shape == (150,) and y.dtype == np.int64
    assert y.tolist() == [0] * 50 + [1] * 50 + [2] * 50
    # Fisher 1936, table 2: the means of the four measures for each species.
    assert np.round(x[:50].mean(0), 3).tolist() == [5.006, 3.428, 1.462, 0.246]
    assert np.round(x[50:100].mean(0), 3).tolist() == [5.936, 2.770, 4.260, 1.326]
    assert np.round(x[100:].mean(0), 3).tolist() == [6.588, 2.974, 5.552, 2.026]
    assert x.min(0).tolist() == [4.3, 2.0, 1.0, 0.1] and x.max(0).tolist() == [7.9, 4.4, 6.9, 2.5]
    assert x[0].tolist() == [5.1, 3.5, 1.4, 0.2] and x[-1].tolist() == [5.9, 3.0, 5.1, 1.8]
    assert x[34].tolist() == [4.9, 3.1, 1.5, 0.2] and x[37].tolist() == [4.9, 3.6, 1.4, 0.1]


def test_iris_is_found_from_any_folder(tmp_path):
    code = "from tf1ref.data import iris; print(len(iris.load()[0]))"
    package = os.path.dirname(os.path.dirname(os.path.dirname(iris.__file__)))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": package},
    )
    assert done.stdout.strip() == "150"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TF1REF_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folders.stand_in.cache_clear()
    return tmp_path


def test_generated_dots_obey_the_circle_and_say_so(home, capsys):
    x, y = dots.load()
    assert x.shape == (300, 2) and y.shape == (300, 1) and x.dtype == y.dtype == np.float64
    assert [bool(label) for label in y[:, 0]] == [a * a + b * b < 2 for a, b in x]
    assert x[0].tolist() == pytest.approx([-0.416757847, -0.056266827], abs=1e-9)  # the source's first row
    assert capsys.readouterr().err.startswith("dots: no files in $TF1REF_DATA or ")


def test_a_file_comes_before_the_generated_dots(home, capsys):
    (home / "dots").mkdir()
    assert len(dots.load()[0]) == 300  # the folder alone is not enough
    capsys.readouterr()
    (home / "dots/dot.csv").write_text("\ufeff" + "\r\n".join(GOOD), encoding="utf-8")
    x, y = dots.load()
    assert x.tolist() == [[i / 10, -i] for i in range(40)] and y.tolist() == [[i % 2] for i in range(40)]
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(
    not os.path.exists(os.path.join(os.environ.get("TF1REF_DATA") or "none", "dots/dot.csv")),
    reason="no $TF1REF_DATA/dots",
)
def test_the_real_file_and_the_generated_dots_agree():
    x, y = dots.load()
    generated, labels = dots.generate()
    assert np.abs(x - generated).max() < 2e-9 and np.array_equal(y, labels)  # written with nine decimals


@pytest.mark.parametrize(
    "lines, says",
    [
        ([], "line 1: no column x1, x2, y_c"),
        (["x1,x2,y"] + GOOD[1:], "line 1: no column y_c"),
        (GOOD[:5] + ["0.1,red,1"] + GOOD[5:], "line 6: x2 is 'red', expected a number"),
        (GOOD + ["0.1,2"], "line 42: y_c is None"),
        (GOOD + ["nan,2,1"], "line 42: x1 is 'nan'"),
        (GOOD[:32], "31 rows, expected 32 or more"),
        (GOOD[:1], "0 rows"),
        (["\0"], "dot.csv"),
    ],
)
def test_malformed_csv_is_one_line(tmp_path, lines, says):
    path = tmp_path / "dot.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as error:
        dots.read(path)
    line = str(error.value)
    assert line.startswith(f"{path}: ") and says in line and "\n" not in line


def test_bytes_that_are_no_text_and_a_folder_for_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"x1,x2,y_c\n\xff\xfe")
    with pytest.raises(InputError, match="not a csv text file"):
        dots.read(tmp_path / "a")
    with pytest.raises(InputError, match="Is a directory"):
        dots.read(tmp_path)
