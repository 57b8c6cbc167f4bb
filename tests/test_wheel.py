"""The wheel, built from the files git has and unpacked alone: it needs no checkout and works from any folder."""

import importlib.metadata
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHECKOUT / ".git").exists(), reason="what belongs to the project is what git tracks"),
]


def test_it_holds_one_package_and_its_data(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    rooms = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert rooms == {"tf1ref"}
    assert {
        "tf1ref/data/iris.csv",
        "tf1ref/catalog/gallery/gallery.css",
        "tf1ref/cluster/descriptions/local.yml",
        "tf1ref/py.typed",
        "tf1ref/examples/mnist/lenet5.py",
    } <= set(names)
    assert [name for name in names if name.endswith("/licenses/LICENSE")]


def test_it_holds_every_module_that_git_has(wheel):
    listed = subprocess.run(["git", "ls-files", "tf1ref"], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    there = {name for name in listed.stdout.split("\n") if name.endswith(".py") and (CHECKOUT / name).exists()}
    assert there <= set(zipfile.ZipFile(wheel).namelist())


def test_both_entry_points_are_declared(python):
    (distribution,) = importlib.metadata.distributions(name="tf1ref", path=[str(python.unpacked)])
    declared = {(point.group, point.name, point.value) for point in distribution.entry_points}
    assert declared == {
        ("console_scripts", "tf1ref", "tf1ref.cli:main"),
        ("pytest11", "tf1ref", "tf1ref.parity.pytest_plugin"),
    }
    assert (python.unpacked / "bin" / "tf1ref").exists()


def test_it_is_what_python_finds(python):
    found = python("-c", "import tf1ref; print(tf1ref.__file__)").strip()
    assert Path(found) == python.unpacked / "tf1ref" / "__init__.py"


def test_the_command_lists_and_runs_examples(python):
    names = [example["name"] for example in json.loads(python("-m", "tf1ref", "list", "--json"))]
    assert {"basics.hello", "mnist.lenet5", "saving.freeze"} <= set(names)
    assert json.loads(python("-m", "tf1ref", "run", "basics.hello", "--json"))["name"] == "basics.hello"
    assert "v1.Session" in python("-m", "tf1ref", "show", "basics.hello")


def test_the_data_that_ships_is_found(python):
    code = "from tf1ref.data import iris; x, y = iris.load(); print(x.shape, y.sum(), round(x.sum(), 1))"
    assert python("-c", code) == "(150, 4) 150 2078.7\n"  # means of 5.843, 3.057, 3.758 and 1.199 cm


def test_the_launcher_finds_the_description_that_ships(python):
    # The ps stays until it is ended; the workers stay until it has said its name.
    code = "import json, os, pathlib, time; task = json.loads(os.environ['TF_CONFIG'])['task']\n"
    code += "print('I am', task, flush=True); said = pathlib.Path('ps-has-said-it')\n"
    code += "if task['type'] == 'ps': said.touch(); time.sleep(60)\n"
    code += "limit = time.monotonic() + 60\n"
    code += "while not said.exists() and time.monotonic() < limit: time.sleep(.05)\n"
    said = python("-m", "tf1ref.cluster", "up", "local.yml", "--", sys.executable, "-c", code)
    for task, index in (("ps", 0), ("worker", 0), ("worker", 1)):
        assert f"[{task} {index}] I am {{'type': '{task}', 'index': {index}}}" in said
