"""Stock prices: csv files written here, the course's own where it is, and the generated walk."""

import os
from pathlib import Path

import numpy as np
import pytest

from tf1ref.data import folders, stock
from tf1ref.errors import InputError

HEAD = ",date,open,close"
GOOD = [HEAD, *(f"{i},2010-01-01,{i + 1}.5,{i}" for i in range(400))]
REAL = Path(os.environ.get("TF1REF_DATA", "/nowhere")) / "stock" / stock.FILE


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TF1REF_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folders.stand_in.cache_clear()
    (tmp_path / "stock").mkdir()
    return tmp_path / "stock" / stock.FILE


def test_the_opening_prices_are_read(home):
    home.write_text("\n".join(GOOD))
    prices = stock.load()
    assert prices.dtype == np.float64 and prices.tolist() == [i + 1.5 for i in range(400)]


def test_columns_may_stand_in_any_order(home):
    home.write_text("\ufeffopen,volume\n" + "\n".join(f"{i + 1},x" for i in range(400)))
    assert stock.load().tolist() == list(range(1, 401))


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([",date,close", *GOOD[1:]], "line 1: no column open"),
        ([], "line 1: no column open"),
        ([*GOOD[:5], "4,2010-01-01,dear,4", *GOOD[6:]], "line 6: open is 'dear'"),
        ([*GOOD[:5], "4,2010-01-01,,4", *GOOD[6:]], "line 6: open is ''"),
        ([*GOOD[:5], "4,2010-01-01", *GOOD[6:]], "line 6: open is None"),
        ([*GOOD[:5], "4,2010-01-01,-1,4", *GOOD[6:]], "line 6: open is '-1'"),
        ([*GOOD[:5], "4,2010-01-01,nan,4", *GOOD[6:]], "line 6: open is 'nan'"),
        (GOOD[:361], "360 rows, expected 361 or more"),
    ],
    ids=["no-column", "empty", "text", "nothing", "short-line", "negative", "nan", "too-few"],
)
def test_bad_files_are_one_line(home, lines, says):
    home.write_text("\n".join(lines))
    with pytest.raises(InputError, match=says) as caught:
        stock.load()
    assert "\n" not in str(caught.value) and str(home) in str(caught.value)


def test_bytes_that_are_no_text(home):
    home.write_bytes(b"open\n\xff\xfe\x00")
    with pytest.raises(InputError, match="not a csv text file"):
        stock.load()


def test_a_bad_file_ends_a_run_with_one_line(home, refused):
    home.write_text("\n".join(GOOD[:100]))
    assert "99 rows" in refused("run", "sequences.stock", "--steps", "1", env={"TF1REF_DATA": str(home.parent.parent)})


def test_the_stand_in(home, capsys):
    prices = stock.load()
    stock.load()
    assert len(prices) == 2426 and prices[0] == 88.7 and prices[-1] == 1250 and prices.min() > 0
    assert 0.018 < np.std(np.diff(np.log(prices))) < 0.022
    assert capsys.readouterr().err.count("generated prices stand in") == 1


@pytest.mark.skipif(not REAL.exists(), reason="the course's csv is not here")
def test_the_courses_file():
    prices = stock.read(REAL)
    assert len(prices) == 2426 and prices[0] == 88.702 and prices[-1] == 1248.0
