"""console: what a person sees, in a log file, on a real terminal and without either."""

import os
import subprocess
import sys
import textwrap

import pytest
from rich.cells import cell_len

from tf1ref import console


def child(code, stderr=subprocess.PIPE, **env):
    """Runs `code` in a Python of its own; stdout and stderr are pipes. TensorFlow says all it has to say."""
    environment = {k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL", "COLUMNS", "NO_COLOR")}
    command = [sys.executable, "-c", "from tf1ref import console\n" + textwrap.dedent(code)]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=stderr, text=True, timeout=120, env={**environment, **env}
    )


@pytest.fixture
def on_terminal(terminal):
    """Runs a child with a terminal of 80 columns as stderr; returns (exit code, what was written to it)."""

    def run(code):
        slave, written = terminal
        done = child(code, stderr=slave, TERM="xterm", COLUMNS="80")
        return done.returncode, written()

    return run


LOOP = """
bar = console.steps(50)
with console.progress_shown():
    for step in bar:
        bar.show(loss=1 / (step + 1))
"""
SILENT = LOOP.replace("console.progress_shown()", "__import__('contextlib').nullcontext()")


def test_steps_are_counted_silently_by_default(capfd, on_terminal):
    bar = console.steps(3)
    assert [(step, bar.show(loss=1.0)) for step in bar] == [(0, None), (1, None), (2, None)]
    assert capfd.readouterr() == ("", "")
    assert on_terminal(SILENT) == (0, "")


def test_a_log_gets_one_line_for_quick_work():
    done = child(LOOP)
    assert (done.stdout, done.stderr) == ("", "step 50/50  loss 0.02\n")


def test_a_log_gets_a_line_whenever_it_is_time():
    done = child(LOOP.replace("50", "3").replace("bar =", "console.steps.LINE_SECONDS = 0\nbar ="))
    lines = done.stderr.split("\n")
    assert lines[:3] == ["step 1/3  loss 1", "step 2/3  loss 0.5", "step 3/3  loss 0.333333"]
    assert "\x1b" not in done.stderr and "\r" not in done.stderr


def test_a_terminal_gets_a_bar_that_ends_complete(on_terminal):
    code, written = on_terminal(LOOP)
    last = written.split("\x1b[2K")[-1]
    assert code == 0
    assert "50/50" in last and "loss 0.02" in last
    assert "\x1b[?25h" in last, "the cursor is shown again"


def test_a_terminal_is_left_in_order_by_an_error(on_terminal):
    code, written = on_terminal(LOOP + "        if step == 20: raise SystemExit(7)\n")
    last = written.split("\x1b[2K")[-1]
    assert code == 7
    assert "20/50" in last and "\x1b[?25h" in last


def test_work_that_counts_by_itself(capsys):
    with console.progress_shown(), console.steps(10) as bar:
        bar.reached(4, accuracy=0.5)
        bar.reached(12, accuracy=0.75)
    assert capsys.readouterr().err == "step 10/10  accuracy 0.75\n"


def test_progress_is_shown_only_within_its_context(capsys):
    with pytest.raises(KeyError), console.progress_shown():
        with console.progress_shown():
            pass
        list(console.steps(2))
        raise KeyError
    list(console.steps(3))
    assert capsys.readouterr().err == "step 2/2\n"


WORD = "a_long_name_without_a_space/" * 12


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        (("name", ">value"), [("loss", 0.5), (WORD, 1)]),
        (("name", ">value"), [(WORD, WORD)]),
        (("name",), [("\u6f22\u5b57" * 90,)]),
        ((WORD, WORD, ">" + WORD), [("a", "b", "c")]),
        ([f"column{i}" for i in range(20)], [[f"{i:05d}" for i in range(20)]]),
        (("name", "text"), [("[bold]", "[/nowhere]"), ("", "two\nlines")]),
    ],
)
def test_a_table_fits_100_columns_and_loses_nothing(capsys, monkeypatch, columns, rows):
    monkeypatch.delenv("COLUMNS", raising=False)
    console.table(columns, rows, title="the title " * 20)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert max(map(cell_len, printed.split("\n"))) <= 100
    shown = sorted(c for c in printed if not c.isspace() and c != "\u2500")
    given = "the title " * 20 + "".join(c.removeprefix(">") for c in columns) + "".join(str(c) for r in rows for c in r)
    assert shown == sorted("".join(given.split()))


def test_a_table_takes_the_columns_there_are(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    console.table(("name",), [("x" * 150,)])
    assert "x" * 150 in capsys.readouterr().out


NASTY = ["one\ntwo", "a\r\nb\tc", "\x1b[2J\x1b[31mred", "bell\x07 back\x08", "\u2028line\x85next\x0b\x0c", "\udcff", ""]


def test_an_error_is_one_line_whatever_it_holds():
    done = child(f"for text in {NASTY!r}: console.error(text)")
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0] == "tf1ref: one two"
    assert len(lines) == len(NASTY), done.stderr
    assert all(line.startswith("tf1ref: ") and line.isprintable() for line in lines)


def test_errors_notes_and_results_go_apart(capsys):
    console.error(ValueError("no luck"))
    console.note("working")
    console.say("42")
    assert capsys.readouterr() == ("42\n", "tf1ref: no luck\nworking\n")


TALKATIVE = """
import os, sys, types
os.write(2, b"a banner from below Python\\n")
print("another from Python", file=sys.stderr, flush=True)
def get_logger():
    return types.SimpleNamespace(setLevel=lambda level: print("level", level))
"""
IMPORT = """
import os, sys
print("before", file=sys.stderr)
descriptors = set(os.listdir("/proc/self/fd"))
try:
    console.import_tensorflow()
except RuntimeError as e:
    print("raised", e)
assert set(os.listdir("/proc/self/fd")) == descriptors
os.write(2, b"after, below\\n")
print("after", file=sys.stderr)
"""


def test_the_banner_of_the_import_is_not_shown(tmp_path):
    (tmp_path / "tensorflow.py").write_text(TALKATIVE)
    done = child(IMPORT, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert (done.stdout, done.stderr) == ("level ERROR\n", "before\nafter, below\nafter\n")


def test_the_banner_of_an_import_that_fails_is_shown(tmp_path):
    (tmp_path / "tensorflow.py").write_text(TALKATIVE + "raise RuntimeError('no such kernel')")
    done = child(IMPORT, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert done.stdout == "raised no such kernel\n"
    said = ["before", "a banner from below Python", "another from Python", "after, below", "after"]
    assert done.stderr.split("\n")[:-1] == said


@pytest.mark.parametrize("before", ["enable", "disable"])
def test_no_garbage_is_searched_for_during_the_import_and_all_is_as_before_after_it(tmp_path, before):
    (tmp_path / "tensorflow.py").write_text(f"{TALKATIVE}\nimport gc\nprint('inside', gc.isenabled())\n")
    code = f"import gc\ngc.{before}()\n{IMPORT}\nprint('after', gc.isenabled(), gc.get_freeze_count() > 0)"
    done = child(code, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert done.stdout == f"inside False\nlevel ERROR\nafter {before == 'enable'} True\n"


@pytest.mark.slow
def test_tensorflow_itself_is_imported_without_a_word():
    deprecated = "import tensorflow.compat.v1 as v1\nwith v1.Graph().as_default(): v1.to_float(v1.constant(1))\n"
    keras = (
        "import sys, tensorflow as tf\nassert not {'keras', 'pandas'} & sys.modules.keys()\n"
        "import tensorflow.keras.layers\nassert tf.keras.layers.Dense and tf.optimizers.Adam\n"
        "from keras.src import optimizers\n"
    )
    done = child(IMPORT.replace("assert set", "#") + deprecated + keras)
    assert done.returncode == 0
    assert (done.stdout, done.stderr) == ("", "before\nafter, below\nafter\n")
