"""Every example keeps the contract, and the catalog finds it without TensorFlow."""

import ast
import importlib.util
import re
import subprocess
import sys

import pytest

from tf1ref import catalog
from tf1ref.catalog.figures import Figure
from tf1ref.errors import InputError

EXAMPLES = {example.name: example for example in catalog.examples()}
each_example = pytest.mark.parametrize("name", EXAMPLES)


@each_example
def test_docstring_has_its_fields(name):
    docstring = catalog.parts(EXAMPLES[name].path).docstring
    assert not EXAMPLES[name].title.endswith(".") and len(EXAMPLES[name].title) < 75
    fields = re.findall(r"^(Source|TF1|Now|Errata|See):", docstring, re.M)
    assert fields == ["Source", "TF1", "Now", "Errata", "See"]
    assert re.match(r"S[0-4] \d+-\d+", EXAMPLES[name].source)


@each_example
def test_constants_come_first_and_each_half_speaks_its_own_language(name):
    tree = ast.parse(EXAMPLES[name].path.read_text())
    spoken = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            words = catalog.vocabulary(node)
            assert words != {"v1", "tf"}, f"{node.name} speaks both"
            spoken += words
        elif isinstance(node, ast.Assign):
            assert not spoken, f"line {node.lineno}: a constant after the first half"
    assert spoken == sorted(spoken, reverse=True), "the graph half (v1) comes before the function half (tf)"
    assert set(spoken) == {"v1", "tf"}


def helpers(path):
    """The files beside `path` that it imports: modules of an example that are none themselves."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tf1ref.examples"):
            folder = catalog.FOLDER.joinpath(*node.module.split(".")[2:])
            found |= {folder.with_suffix(".py"), *(folder / f"{alias.name}.py" for alias in node.names)}
    return {each for each in found if each.is_file() and each.name.startswith("_") and each.stem != "__init__"}


@each_example
def test_a_reader_finds_every_helper_in_the_examples_own_imports(name):
    direct = helpers(EXAMPLES[name].path)
    assert {deeper for helper in direct for deeper in helpers(helper)} <= direct


@each_example
def test_no_global_switch_and_no_long_file_or_function(name):
    text = EXAMPLES[name].path.read_text()
    assert not re.search(r"disable_eager_execution|disable_v2_behavior|enable_eager_execution|keras", text)
    assert text.count("\n") <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 40, node.name
            assert ast.get_docstring(node) or node.col_offset, f"{node.name} has no docstring"


@each_example
def test_every_random_op_has_a_seed(name):
    for node in ast.walk(ast.parse(EXAMPLES[name].path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = ast.unparse(node.func)
            if re.match(r"(tf|v1)\..*(random|truncated_normal|dropout|shuffle)", called) and "set_" not in called:
                assert any(k.arg == "seed" for k in node.keywords), f"line {node.lineno}: {called} without seed="


@each_example
def test_it_runs_as_a_file_before_it_imports_tensorflow(name):
    text = EXAMPLES[name].path.read_text()
    assert f'"""\n\n{catalog.GUARD}import ' in text or f'"""\n\n{catalog.GUARD}from ' in text
    assert text.count("__main__") == 1
    assert "run_file" not in "".join(catalog.parts(EXAMPLES[name].path))


def test_no_file_hides_a_module_from_its_neighbours():
    """A file that is run has its folder first in sys.path: collections.py would take the standard library's place."""
    for path in catalog.FOLDER.glob("*/*.py"):
        if path.stem != "__init__":
            assert path.stem not in sys.stdlib_module_names and not importlib.util.find_spec(path.stem), path


@each_example
def test_halves_and_figures(name):
    module = catalog.load(name)
    assert callable(module.run_graph) and callable(module.run_function) and callable(module.build_graph)
    assert all(isinstance(figure, Figure) for figure in module.EXPECTED.values())


def test_list_is_fast_to_start_and_needs_no_tensorflow():
    code = (
        "import sys; from tf1ref import cli; cli.main(['list']); cli.main(['list', '--json']);"
        "assert not [m for m in sys.modules if m.split('.')[0] in ('tensorflow', 'keras', 'numpy', 'rich')]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "mnist.softmax" in done.stdout


@pytest.mark.slow
def test_nothing_of_ours_imports_keras():
    code = """import sys, pkgutil, importlib, tensorflow
def kerases():
    return {name for name in sys.modules if name.split(".")[0] in ("keras", "tf_keras")}
before = kerases()
import tf1ref
for module in pkgutil.walk_packages(tf1ref.__path__, "tf1ref."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert kerases() == before
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_text_docstring_equals_parsed_docstring():
    # `list` reads docstrings as text, which is faster; the parser is the authority.
    for example in EXAMPLES.values():
        parsed = ast.get_docstring(ast.parse(example.path.read_text()))
        assert parsed.split("\n")[0].rstrip(".") == example.title


def test_chapters_in_reading_order():
    chapters = list(dict.fromkeys(example.chapter for example in EXAMPLES.values()))
    assert chapters == sorted(chapters, key=catalog.CHAPTERS.index)
    assert {path.parent.name for path in catalog.FOLDER.glob("*/*.py")} <= set(catalog.CHAPTERS)


def test_a_changed_constant_changes_what_is_computed_from_it():
    plain, changed = catalog.load("mnist.lenet5"), catalog.load("mnist.lenet5", {"CONV2_DEEP": 2, "STEPS": 7})
    assert (plain.NODES, changed.NODES) == (7 * 7 * 64, 7 * 7 * 2)
    assert changed.run_graph.__defaults__[0] == 7


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("LEARNING_RATEE=1", "nearest: LEARNING_RATE"),
        ("STEPS=many", "STEPS is int"),
        ("STEPS=1.5", "STEPS is int"),
        ("STEPS=True", "STEPS is int"),
        ("STEPS", "write NAME=VALUE"),
        ("LEARNING_RATE=fast", "LEARNING_RATE is float"),
        ("LEARNING_RATE=[1]", "LEARNING_RATE is float"),
    ],
)
def test_bad_change(text, says):
    with pytest.raises(InputError, match=re.escape(says)):
        catalog.parse_change(text, {"STEPS": 40, "LEARNING_RATE": 0.2})


def test_good_changes():
    known = {"RATE": 0.2, "NAME": "a", "SIZES": (1, 2)}
    assert catalog.parse_change("RATE=1", known) == ("RATE", 1.0)
    assert catalog.parse_change("NAME=b=c", known) == ("NAME", "b=c")
    assert catalog.parse_change("SIZES=(3,)", known) == ("SIZES", (3,))


def test_unknown_names_offer_the_nearest():
    with pytest.raises(InputError, match="nearest: mnist.softmax"):
        catalog.find("mnist.sotfmax")
    with pytest.raises(InputError, match="nearest: mnist"):
        catalog.examples("mnits")
