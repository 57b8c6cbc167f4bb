"""tf1ref list, show, copy and completion, and the help: what people see before they run anything."""

import json
import os
import shutil
import subprocess

import pytest

from tf1ref import catalog, cli, console
from tf1ref.catalog import copying


@pytest.fixture
def on_terminal(terminal, started_python):
    """Runs the command on a terminal of so many columns; returns what it wrote."""

    def run(*arguments, columns):
        slave, written = terminal
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)}
        environment.pop("NO_COLOR", None)
        command = [started_python, "-m", "tf1ref", *arguments]
        with subprocess.Popen(command, stdout=slave, stderr=slave, env=environment) as process:
            shown = written()
            assert process.wait(60) == 0, shown
        return shown

    return run


def luminance(red, green, blue):
    """Relative luminance of a colour of three bytes, by WCAG 2's definition."""
    parts = [c / 255 for c in (red, green, blue)]
    parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), parts))


def xterm(number):
    """The colour of xterm's palette: a cube of 6 x 6 x 6 from 16 on, then 24 greys."""
    if number >= 232:
        return (8 + 10 * (number - 232),) * 3
    levels = (0, 95, 135, 175, 215, 255)
    return tuple(levels[(number - 16) // step % 6] for step in (36, 6, 1))


def test_every_colour_is_legible_on_white_and_on_black():
    numbers = [int(name.removeprefix("color(").removesuffix(")")) for name in console.COLOURS.values()]
    assert min(numbers) >= 16, "the first sixteen are the terminal's own"
    for number in numbers:
        value = luminance(*xterm(number))
        assert min(1.05 / (value + 0.05), (value + 0.05) / 0.05) >= 4, number


def test_show_uses_those_colours_alone_and_leaves_identifiers_to_the_terminal(on_terminal):
    written = on_terminal("show", "training.gradient_descent", columns=120)
    codes = {code for part in written.split("\x1b[")[1:] for code in [part.partition("m")[0]]}
    known = {f"38;5;{name[6:-1]}" for name in console.COLOURS.values()}
    assert known & codes
    assert {code for code in codes if "38;" in code or "48;" in code} <= known
    assert "build_graph" in written and "learning" in written.lower()


def test_show_source_is_the_file(tf1ref):
    done = tf1ref("show", "training.gradient_descent", "--source")
    assert done.stdout == (catalog.FOLDER / "training/gradient_descent.py").read_text()


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_list_shows_every_title_in_full(tf1ref, columns):
    done = tf1ref("list", env={"COLUMNS": str(columns)})
    assert max(map(len, done.stdout.split("\n"))) <= columns
    said = " ".join(done.stdout.split())
    for example in catalog.examples():
        assert f"{example.name} {example.title}" in said


def test_without_a_verb_it_prints_its_help(capsys):
    assert cli.main([]) == 0
    bare = capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert bare == capsys.readouterr().out and "gallery" in bare
    assert cli.main(["data"]) == 0
    assert "records" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("lst",), "nearest: list"),
        (("prity", "basics.hello"), "nearest: parity"),
        (("data", "verfy", "x"), "nearest: verify"),
        (("run", "basics.hello", "--stpes", "3"), "nearest: --steps"),
        (("list", "--chaptr=iris"), "nearest: --chapter"),
        (("run", "basics.hello", "--mode", "functoin"), "nearest: function"),
        (("copy", "mnist.softmx"), "nearest: mnist.softmax"),
        (("completion", "fish"), "choose from"),
    ],
)
def test_what_is_misspelt_is_told_what_is_near(refused, arguments, says):
    assert says in refused(*arguments)


def test_copy_writes_the_file_and_replaces_nothing(tf1ref, refused, tmp_path):
    assert tf1ref("copy", "basics.hello").returncode == 0
    assert (tmp_path / "hello.py").read_text() == (catalog.FOLDER / "basics/hello.py").read_text()
    (tmp_path / "hello.py").write_text("mine")
    assert "--force" in refused("copy", "basics.hello")
    assert "there is no folder" in refused("copy", "basics.hello", "-o", "nowhere/hello.py")
    assert (tmp_path / "hello.py").read_text() == "mine"
    assert tf1ref("copy", "basics.hello", "--force", "-o", "hello.py").returncode == 0
    assert "mine" not in (tmp_path / "hello.py").read_text()


def test_a_standalone_copy_holds_nothing_of_the_command():
    text = copying.standalone(catalog.find("transfer.fine_tune"))
    assert "'tf1ref.examples.transfer._body'" in text and "'tf1ref.cli'" not in text
    own = text.partition("# ---- the example ----")[2]
    assert own.count("__main__") == 1 and "run_file" not in own


@pytest.mark.slow
@pytest.mark.parametrize("name", ["basics.hello", "iris.iris_l2", "sequences.lstm_cells"])
def test_a_standalone_copy_computes_the_same_without_tf1ref(tf1ref, started_python, tmp_path, name):
    """A module of tf1ref that is not in the file would come from a finder, and so would be an error."""
    assert tf1ref("copy", name, "--standalone", "-o", "alone.py").returncode == 0
    code = (
        "import sys\n"
        "import numpy as np\n"
        "import alone\n"
        "trace = alone.run_graph(**({'steps': 2} if hasattr(alone, 'STEPS') else {}))\n"
        "np.savez('alone.npz', **{k.replace('/', ' '): v for k, v in trace.items()})\n"
        "ours = [m for n, m in sys.modules.items() if n.partition('.')[0] == 'tf1ref']\n"
        "assert ours and all(m.__file__.startswith(alone.__file__ + ':') for m in ours), ours\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [started_python, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    import numpy as np

    module = catalog.load(name)
    trace = module.run_graph(**({"steps": 2} if hasattr(module, "STEPS") else {}))
    with np.load(tmp_path / "alone.npz") as alone:
        assert sorted(alone) == sorted(key.replace("/", " ") for key in trace)
        for key, value in trace.items():
            assert alone[key.replace("/", " ")].tobytes() == np.asarray(value).tobytes(), key


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash on this machine")
def test_a_shell_completes_verbs_options_and_examples(tf1ref, tmp_path):
    script = tf1ref("completion", "bash").stdout
    (tmp_path / "script").write_text(
        f"{script}\n"
        'ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _shtab_tf1ref; echo "${COMPREPLY[*]}"; }\n'
        "ask tf1ref pa\nask tf1ref run mnist.lenet\nask tf1ref run basics.hello --mo\nask tf1ref data ver\n"
        "ask tf1ref run basics.hello --mode g\nask tf1ref list --chapter ir\n"
    )
    done = subprocess.run(["bash", "script"], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    answers = done.stdout.split("\n")[:6]
    assert answers == ["parity", "mnist.lenet5 mnist.lenet5_relu6", "--mode", "verify", "graph", "iris"], done.stderr


def test_copy_as_a_notebook(tf1ref, refused, tmp_path):
    assert "jupyter notebook hello.ipynb" in tf1ref("copy", "basics.hello", "--notebook").stdout
    assert [cell["cell_type"] for cell in json.loads((tmp_path / "hello.ipynb").read_text())["cells"]][:2] == [
        "markdown",
        "code",
    ]
    assert "not allowed with" in refused("copy", "basics.hello", "--notebook", "--standalone")
