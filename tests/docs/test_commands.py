"""README's and the docs' commands, run as a newcomer would: in a fresh folder, with the wheel and no checkout.

A block that begins with ```console holds commands after "$ ", and under each of them lines of its output. A line may be
the beginning or the middle of what is printed, and lines may be left out. A block whose first line is "# NAME.py" or
"# NAME.yml" is a file that the reader writes.
"""

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
FILE = re.compile(r"# ([\w-]+\.(?:py|yml))\n")
# Not run here, and why. Each must exist in the checkout.
ELSEWHERE = {
    "scripts/demo": "it takes three minutes; tests/cluster/test_main_job.py does the same in small",
    "scripts/test --fast": "it is what runs this test",
}
OLD_SCRIPT = "import tensorflow as tf\nprint(tf.Session().run(tf.placeholder_with_default(3, [])))\n"

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the wheel is built from what git tracks")


def blocks(page):
    """The blocks of a page, in order: (language, text)."""
    return BLOCK.findall(page.read_text())


def commands(text):
    """[(command, [lines of its output])] of a console block."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def pages_with_commands():
    return [page for page in PAGES if any(language == "console" for language, _ in blocks(page))]


@pytest.fixture
def newcomer(python, started_python, tmp_path):
    """Runs a command line in a fresh folder and home, where tf1ref is the installed wheel; returns what it printed."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("TF1REF", "XDG", "TF_CONFIG"))}
    path = os.pathsep.join([str(Path(each).parent) for each in (started_python, sys.executable)] + [os.environ["PATH"]])
    environment = {**keep, "HOME": str(home), "PATH": path, "PYTHONPATH": str(python.unpacked), "COLUMNS": "100"}
    (here / "old_script.py").write_text(OLD_SCRIPT)

    def run(command):
        done = subprocess.run(
            ["bash", "-c", command], cwd=here, env=environment, text=True, timeout=280, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    run.folder = here
    return run


def installs(command):
    """True where a command installs tf1ref, with extras that there are: the fixture has done so."""
    words = re.fullmatch(r'pip install "?[.](?:\[(\w+)\])?"?', command)
    if not words:
        return False
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert words[1] is None or words[1] in setup["options.extras_require"]
    return True


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a page has up to eight commands, and each may start TensorFlow three times
@pytest.mark.parametrize("page", pages_with_commands(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_does_what_the_page_says(newcomer, page):
    for language, text in blocks(page):
        named = FILE.match(text)
        if named:
            (newcomer.folder / named[1]).write_text(text)
        for command, lines in commands(text) if language == "console" else ():
            if command in ELSEWHERE:
                assert (ROOT / command.split()[0]).exists()
            elif not installs(command):
                _compare(newcomer(command), lines, command)


def _compare(printed, lines, command):
    left = " ".join(printed.split())
    for line in lines:
        wanted = " ".join(line.split())
        before, found, left = left.partition(wanted)
        assert found, f"$ {command}\n{wanted}\nis not in\n{printed}"


def test_commands_stand_in_blocks_that_are_run():
    """Nothing that looks like a command is in a block that this test passes over."""
    shells = {"sh", "bash", "shell", "shellsession"}
    for page in PAGES:
        for language, text in blocks(page):
            assert language not in shells, f"{page}: write ```console"
            assert language == "console" or not re.search(r"^\$ ", text, re.M), page


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", re.sub(r"\]\(\s*", "](", page.read_text())):
            assert (page.parent / target.strip()).exists(), f"{page}: {target}"
