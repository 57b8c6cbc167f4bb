"""scripts/keras_gap.py: the reasons that it names for Keras' gaps are the whole ones, and docs hold its table."""

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/keras_gap.py"
ROUNDING = 2e-8  # of weights near 1: TF1 keeps the powers of Adam's betas in float32, Keras its slots' first 0.1


def table(text):
    """{name: {column: cell}} of the Markdown table in a text."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    columns, _, *rows = [[cell.strip() for cell in line] for line in lines]
    assert all(len(row) in (len(columns), len(columns) - 2) for row in rows)
    return {row[0]: dict(zip(columns, [*row, "", ""])) for row in rows}


def number(cell):
    return float(cell.removeprefix("<"))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory, started_python):
    """(the rows, what people see) of the script, in a process of its own: Keras must not come into this one."""
    path = tmp_path_factory.mktemp("gap") / "table.md"
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"} | {"PYTHONPATH": str(ROOT)}
    command = [started_python, SCRIPT, "--markdown", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment)
    assert done.returncode == 0, done.stderr
    return table(path.read_text()), done.stdout


@pytest.fixture(scope="module")
def rows(outcome):
    return outcome[0]


def test_every_optimizer_moves(rows):
    assert len(rows) == 10
    assert all(number(row["way"]) > (4e-5 if name == "Adadelta" else 0.05) for name, row in rows.items())


def test_what_differs_in_nothing_reaches_the_same_weights(rows):
    alike = [row for row in rows.values() if not row["mended by"]]
    assert len(alike) == 4
    assert all(max(number(row["same"]), number(row["own"])) < ROUNDING for row in alike)


def test_mended_as_said_keras_reaches_tf1s_weights(rows):
    mended = {name: row for name, row in rows.items() if row["mended by"]}
    assert len(mended) == 6
    for name, row in mended.items():
        assert number(row["left"]) < ROUNDING, name
        assert number(row["own"]) > 50 * max(number(row["left"]), 1e-12), name


@pytest.mark.parametrize("name", ["Adadelta", "Adam"])
def test_only_the_default_epsilon_differs(rows, name):
    assert rows[name]["mended by"] == "epsilon=1e-8"
    assert number(rows[name]["same"]) < ROUNDING
    assert number(rows[name]["own"]) > 0.1 * number(rows[name]["way"])


@pytest.mark.parametrize("name", ["RMSProp (RMSprop)", "RMSProp, centered"])
def test_rmsprop_differs_with_the_same_settings_too(rows, name):
    assert number(rows[name]["same"]) > 0.1 * number(rows[name]["way"])


def test_a_falling_rate_parts_the_momentums(rows):
    falling, constant = rows["Momentum, rate / 10 half-way"], rows["Momentum (SGD)"]
    assert number(constant["same"]) < ROUNDING < 0.1 < number(falling["same"])


def test_docs_hold_the_table(rows):
    documented = table((ROOT / "docs/reference/optimizers.md").read_text())
    assert list(documented) == list(rows)
    for name, row in rows.items():
        for column, cell in row.items():
            if column in ("way", "same", "own", "left") and cell and number(cell) > 1e-6:
                assert number(documented[name][column]) == pytest.approx(number(cell), rel=0.05), (name, column)
            elif column not in ("way", "same", "own", "left"):
                assert documented[name][column] == cell, (name, column)


def test_for_people_it_fits_100_columns(outcome):
    lines = outcome[1].splitlines()
    assert max(map(len, lines)) <= 100
    assert any("mended by" in line for line in lines) and any("Ftrl" in line for line in lines)
