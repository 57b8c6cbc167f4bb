"""The rooms: their sizes, the arrows between them, and names that a user's own files may have."""

import ast
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

# Rooms and files that people import: their public functions say their types.
TYPED = ("parity", "modules", "distributed", "errors.py", "files.py", "ulps.py")
ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tf1ref"
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if "__pycache__" not in path.parts]
# Modules of a user's own, named as rooms and files of tf1ref are. None of them may ever be imported.
THEIRS = (
    "cluster",
    "parity",
    "data",
    "legacy",
    "catalog",
    "compat",
    "cli",
    "errors",
    "files",
    "task",
    "record",
    "events",
)


def test_the_root_and_the_folders_stay_small():
    assert len(list(PACKAGE.glob("*.py"))) <= 7
    counts = Counter(path.parent for path in FILES if path.relative_to(PACKAGE).parts[0] != "examples")
    assert {folder.name: count for folder, count in counts.items() if count > 18} == {}


@pytest.mark.slow
def test_files_stay_below_300_lines_and_functions_within_40():
    long = {str(path.relative_to(ROOT)): n for path in FILES if (n := path.read_text().count("\n")) > 300}
    assert long == {}
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, functions):
                # A signature does not count: some of TF1's functions take twenty arguments, a line each.
                assert node.end_lineno - node.body[0].lineno < 40, f"{path}:{node.lineno} {node.name}"


def test_what_people_import_has_types():
    """Every public function and method of the rooms that people import says the types of what it takes and gives."""
    for path in TYPED:
        for file in sorted((PACKAGE / path).rglob("*.py")) if (PACKAGE / path).is_dir() else [PACKAGE / path]:
            assert untyped(ast.parse(file.read_text())) == [], file


def untyped(tree):
    """The names of the public functions, and of the public methods of public classes, without all their types."""
    public = [node for node in tree.body if not getattr(node, "name", "_").startswith("_")]
    methods = [node for place in public if isinstance(place, ast.ClassDef) for node in place.body]
    found = []
    for node in [*public, *methods]:
        if isinstance(node, ast.FunctionDef) and (node.name == "__init__" or not node.name.startswith("_")):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            bare = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
            if bare or (node.returns is None and node.name != "__init__"):
                found.append(node.name)
    return found


def lint(folder):
    """Runs import-linter over the tf1ref in `folder`; returns the exit code and what it printed."""
    code = (
        "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "file, line, broken",
    [
        ("artifacts/graph/shapes.py", "from tf1ref import catalog", "tf1ref.artifacts is not allowed to import"),
        ("artifacts/graph/shapes.py", "from tf1ref import console", "Artifacts print nothing BROKEN"),
        ("legacy/_formats.py", "from tf1ref.modules import layers", "tf1ref.legacy is not allowed to import"),
        ("cluster/ports.py", "from tf1ref import files", "nothing of the rest but the error class BROKEN"),
    ],
)
def test_an_arrow_up_is_red(file, line, broken, tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "tf1ref", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "setup.cfg", tmp_path / "setup.cfg")
    with open(tmp_path / "tf1ref" / file, "a") as changed:
        changed.write(f"\n{line}  # noqa\n")
    code, printed = lint(tmp_path)
    assert code == 1 and broken in printed, printed


def test_the_arrows_point_down():
    code, printed = lint(ROOT)
    assert code == 0, printed


@pytest.fixture(scope="module")
def beside(tmp_path_factory, started_python):
    """Runs `python ...` in a folder of modules that end the process when they are imported; returns the output."""
    folder = tmp_path_factory.mktemp("theirs")
    for name in THEIRS:
        (folder / f"{name}.py").write_text("raise SystemExit('the file of the user was imported')\n")
    (folder / "program.py").write_text("import tensorflow as tf\nprint(tf.Session().run(tf.constant(3) * 2))\n")

    def run(*arguments):
        done = subprocess.run(
            [started_python, *arguments], cwd=folder, capture_output=True, text=True, timeout=240,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
        )  # fmt: skip
        assert done.returncode == 0 and "the file of the user" not in done.stderr, done.stdout + done.stderr
        return done.stdout

    run.folder = folder
    return run


@pytest.mark.slow
def test_the_commands_work_beside_a_users_files_of_the_same_names(beside):
    assert "mnist.lenet5" in beside("-m", "tf1ref", "list")
    assert "basics.hello" in beside("-m", "tf1ref", "run", "basics.hello")
    assert beside("-m", "tf1ref", "exec", "program.py") == "6\n"
    assert "verified" in beside("-m", "tf1ref", "freeze", "mnist.softmax", "-o", "frozen.pb", "--outputs", "y")


@pytest.mark.slow
def test_jobs_work_beside_a_users_files_of_the_same_names(beside, started_python):
    task = "from tf1ref import distributed; print('I am', distributed.Task.from_environment().job)"
    said = beside("-m", "tf1ref", "launch", "local", "--grace", "5", "--", started_python, "-c", task)
    assert "[worker 0] I am worker" in said
    assert beside("-c", "from tf1ref import distributed, modules; print(distributed.run.__name__)") == "run\n"
    code = "import sys; from tf1ref.cluster.__main__ import main; sys.exit(main(['--help']))"
    assert "up" in beside("-c", code)


@pytest.mark.slow
def test_the_launcher_of_the_checkout_is_the_installed_one(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "cluster", "render", "local", "--to", "compose", "--image", "i", "--", "true"],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and "services:" in done.stdout, done.stderr
