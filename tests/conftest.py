"""What every test relies on: exact arithmetic, quiet logs, no leftovers."""

import functools
import importlib.metadata
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import unittest.mock
from pathlib import Path

# Before anything imports TensorFlow: convolution gradients are exact only without oneDNN.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

from tests import started
from tf1ref import console

# A runner in the background (`nohup scripts/test &`) ignores SIGINT, and so would what the tests start: a test of
# Ctrl-C would wait for its time-out. SIGHUP stays as it is, so that the runner outlives its terminal.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

CHECKOUT = Path(__file__).parent.parent
# Of the files that go through the whole catalog, the chapters that `scripts/test --fast` has time for.
QUICK = ("basics",)
# Their groups take longest. They come first, so that no process has one alone at the end.
LONGEST = ("test_chaos.py", "test_parity.py", "test_expected.py")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Has TensorFlow imported in the shorter way that the command has."""
    with console.light_imports():
        return (yield)


@pytest.hookimpl(wrapper=True)  # before xdist looks at the groups
def pytest_collection_modifyitems(items):
    """Says which tests share a process: a file's, so that TensorFlow loads once for it.

    Of the files that go through the whole catalog, a chapter's, so that no process is left with all of it. The parity
    tests of one example run in a row: they share its traces.
    """
    for item in items:
        name = _example(item)
        chapter = str(name).partition(".")[0] if item.path.name in ("test_parity.py", "test_expected.py") else ""
        item.add_marker(pytest.mark.xdist_group(f"{item.path}-{chapter}"))
        if name and chapter and chapter not in QUICK:
            item.add_marker(pytest.mark.slow)
    items.sort(key=_turn)
    return (yield)


def _turn(item):
    """What tests are sorted by: the longest files first, and the parity tests by example."""
    file = item.path.name
    turn = LONGEST.index(file) if file in LONGEST else len(LONGEST)
    return turn, str(_example(item)) if file == "test_parity.py" else ""


def _example(item):
    """The example that a test is about, or None."""
    return getattr(item, "callspec", None) and item.callspec.params.get("name")


@pytest.fixture(scope="session")
def started_python(tmp_path_factory):
    """The path of a `python` that has TensorFlow loaded when it starts."""
    with started.started(tmp_path_factory.mktemp("started")) as python:
        yield python


@pytest.fixture(scope="session")
def keras_python(tmp_path_factory):
    """The same with Keras 2 loaded, too."""
    with started.started(tmp_path_factory.mktemp("keras"), keras=True) as python:
        yield python


@pytest.fixture(scope="session")
def tf1ref_in(started_python):
    """Runs the command in a process of its own, in the folder that comes first; returns the CompletedProcess (text)."""

    def run(folder, *arguments, env=None, timeout=240):
        command = [started_python, "-m", "tf1ref", *map(str, arguments)]
        environment = {**os.environ, **(env or {})}
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=folder, env=environment)

    return run


@pytest.fixture
def tf1ref(tmp_path, tf1ref_in):
    """The same in tmp_path."""
    return functools.partial(tf1ref_in, tmp_path)


@pytest.fixture(scope="session")
def small_network(tmp_path_factory):
    """Has the network that stands in for Inception v3 trained once for all processes of this run: it takes 10 s."""
    from tf1ref import files
    from tf1ref.examples.transfer import _body

    ours = tmp_path_factory.getbasetemp()
    kept = (ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours) / "small_network.pickle"
    train = _body._trained

    def trained():
        if not kept.exists():
            files.write(kept, pickle.dumps(train()))
        return pickle.loads(kept.read_bytes())

    with unittest.mock.patch.object(_body, "_trained", trained):
        yield


def pip(*arguments, cwd):
    """Runs pip; its output where it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr


def builds_here():
    """True where the setuptools at hand is the one pyproject.toml asks for; else pip fetches that one."""
    return int(importlib.metadata.version("setuptools").split(".")[0]) >= 77


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The path of a wheel of the files that git tracks."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (CHECKOUT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(CHECKOUT / name, source / name)
    pip("wheel", ".", "--no-deps", "-w", out, *["--no-build-isolation"] * builds_here(), cwd=source)
    (path,) = out.iterdir()
    return path


@pytest.fixture(scope="session")
def python(wheel, tmp_path_factory):
    """Runs Python in an empty folder, where tf1ref is the unpacked wheel and nothing else."""
    unpacked, elsewhere = tmp_path_factory.mktemp("unpacked"), tmp_path_factory.mktemp("elsewhere")
    pip("install", "--no-deps", "--target", unpacked, wheel, cwd=elsewhere)
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.unpacked = unpacked
    return run


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Calls the command's main in tmp_path and asserts bad input: code 2, one line on standard error; returns it.

    In this process: a process each would cost 3 s, which TensorFlow takes to start.
    """

    def run(*arguments, env=None, cwd=tmp_path):
        from tf1ref import cli
        from tf1ref.data import folders

        monkeypatch.chdir(cwd)
        capsys.readouterr()
        # What the command sets, such as --data's folder, is for its own process.
        with unittest.mock.patch.dict(os.environ, {name: str(value) for name, value in (env or {}).items()}):
            code = cli.main([str(argument) for argument in arguments])
        folders.use(None)
        out, err = capsys.readouterr()
        assert code == 2, err
        assert out == ""
        (line,) = err.strip().split("\n")
        assert line.startswith("tf1ref: ")
        return line

    return run


@pytest.fixture
def assert_same():
    """Asserts that two dicts hold arrays of the same names, types and bits."""

    def check(one, other):
        assert sorted(one) == sorted(other)
        for name, value in one.items():
            assert (value.dtype, value.shape) == (other[name].dtype, other[name].shape), name
            assert value.tobytes() == other[name].tobytes(), name

    return check
