"""tf1ref gallery: bad input, interruption, and which runs are made."""

import html
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tf1ref import catalog
from tf1ref.catalog import gallery
from tf1ref.catalog.gallery import page as gallery_page


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--chapter", "trainig"), "nearest: training"),
        (("--out", "full"), "--force"),
        (("--out", "full/file"), "cannot be written"),
        (("--steps", "0"), "give 1 or more"),
    ],
)
def test_bad_input_is_one_line(refused, tmp_path, arguments, says):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("somebody's")
    assert says in refused("gallery", *arguments)
    assert sorted(os.listdir(tmp_path)) == ["full"]
    assert (tmp_path / "full" / "file").read_text() == "somebody's"


def children_of(process):
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def in_time(condition, seconds=60):
    """True as soon as `condition()` is; False when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.slow
@pytest.mark.parametrize("at_work", [False, True], ids=["starting", "at-work"])
def test_ctrl_c_leaves_no_file_and_no_process(tmp_path, at_work):
    command = [sys.executable, "-m", "tf1ref", "gallery", "--full", "--chapter", "mnist"]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "TMPDIR": str(scratch)},
    )  # fmt: skip
    try:
        assert in_time(lambda: len(children_of(process)) >= 2)
        # At work an example has a temporary folder of its own, inside that of the gallery.
        assert not at_work or in_time(lambda: list(scratch.glob("*/*")), 120)
        children = children_of(process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    *steps, last = said.splitlines()
    assert last == "tf1ref: interrupted" and all(line.startswith("step ") for line in steps)
    assert os.listdir(tmp_path) == ["scratch"] and not os.listdir(scratch)
    assert in_time(lambda: not any(Path(f"/proc/{child}").exists() for child in children))


@pytest.mark.slow
def test_what_is_not_quick_is_not_run_at_full_length():
    result = gallery.examine("training.regularizers", 5, 0)
    assert (result.equal, result.ran, result.steps) == (True, 5, 400)
    (example,) = (e for e in catalog.examples() if e.name == result.name)
    text = html.unescape(re.sub("<[^>]+>", "", gallery_page.page([example], [result])))
    assert "Not run at full length, 400 steps, which alone promises figures: tf1ref run training.regularizers" in text
    assert text.count("not run") == len(result.figures) + 1 and "after 5 steps of 400" in text
    assert gallery.examine("training.regularizers", 5, None).ran == 400


def test_what_takes_too_long_is_cut_short():
    assert gallery.within(30, lambda: 7) == gallery.within(None, lambda: 7) == 7
    assert gallery.within(0.05, lambda: time.sleep(60)) is None
    with pytest.raises(ZeroDivisionError):
        gallery.within(30, lambda: 1 / 0)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


@pytest.mark.slow
def test_no_example_takes_soft_placement_from_the_next(started_python):
    code = (
        "from tf1ref.catalog import gallery;"
        "print([gallery.examine(name, 1, 0).error for name in ('basics.checks_and_errors', 'basics.devices')])"
    )
    done = subprocess.run([started_python, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "['', '']\n", done.stdout + done.stderr
