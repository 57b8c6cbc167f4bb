"""tf1ref run, list, show and parity as people call them, in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tf1ref import catalog, cli
from tf1ref.data import folders


def test_run_shows_promised_beside_reached(tf1ref):
    done = tf1ref("run", "training.gradient_descent")
    assert done.returncode == 0, done.stderr
    assert "promised" in done.stdout and "reached" in done.stdout and "missed" not in done.stdout
    assert done.stdout.count(" ok") == 3
    assert all(len(line) <= 100 for line in done.stdout.split("\n"))
    assert "step 40/40" in done.stderr


def as_file(path, *options, folder):
    """Runs the file as people do, in a fresh process with its stdout and stderr as text."""
    command = [sys.executable, path, *map(str, options)]
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["basics.graph_collections", "monitoring.run_metadata", "mnist.summaries"])
def test_a_file_does_what_run_does(tf1ref, tmp_path, name):
    options = [] if name.startswith("basics") else ["--steps", 2]
    done = as_file(catalog.find(name).path, *options, "--mode", "function", "--out", "kept", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    asked = tf1ref("run", name, *options, "--mode", "function", "--out", "named")
    assert done.stdout == asked.stdout.replace("named", "kept") and name in done.stdout
    assert not [line for line in done.stderr.split("\n") if line and not line.startswith(("step ", "mnist: "))]
    with np.load(tmp_path / "kept/function/trace.npz") as kept, np.load(tmp_path / "named/function/trace.npz") as named:
        assert sorted(kept) == sorted(named) and len(kept.files) > 3


def test_a_file_that_gets_a_bad_option_says_so_in_one_line(tmp_path):
    done = as_file(catalog.find("training.gradient_descent").path, "--steps", 0, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tf1ref: ") and done.stderr.count("\n") == 1


def test_a_copy_runs_as_it_was_changed(here, tmp_path):
    copy = tmp_path / "mine.py"
    here("copy", "training.gradient_descent", "-o", copy)
    copy.write_text(copy.read_text().replace("STEPS = 40", "STEPS = 4"))
    out, err = here("run", "mine.py")
    assert "mine (graph, 4 steps" in out and "step 4/4" in err


@pytest.mark.slow
def test_a_shorter_run_promises_nothing(tf1ref):
    done = tf1ref("run", "training.gradient_descent", "--steps", 3, "--json")
    figures = json.loads(done.stdout)["figures"]
    assert [figure["met"] for figure in figures] == [None] * 3


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """Calls the command's main in tmp_path, in this process; returns what it printed on (stdout, stderr)."""

    def run(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COLUMNS", "120")  # what is wrapped depends on the terminal
        capsys.readouterr()
        for kept in (folders.asked, folders.stood_in):  # a process of its own would begin without them
            kept.clear()
        try:
            assert cli.main([str(argument) for argument in arguments]) == 0
        finally:
            folders.use(None)
        return capsys.readouterr()

    return run


def test_a_constant_set_to_its_own_value_is_the_sources_run(here):
    out, _ = here("run", "training.gradient_descent", "--set", "START=5")
    assert out.count(" ok") == 3 and "settings" not in out
    out, _ = here("run", "training.gradient_descent", "--set", "START=4", "--steps", "60")
    assert out.count("ok, with other settings") == 1  # the last w: it converges to -1 from anywhere
    assert "not promised" in out and "the source promises its figures for START = 5.0 and STEPS = 40" in out


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["graph", "function"])
def test_run_keeps_the_trace(tf1ref, tmp_path, mode):
    done = tf1ref("run", "training.gradient_descent", "--mode", mode, "--out", "kept", "--plots", "--set", "START=3")
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "kept" / mode / "trace.npz", allow_pickle=False) as trace:
        assert trace["initial/w"] == np.float32(3)
        # w1 = w - rate * (2w + 2), by hand
        assert trace["steps/w"][0] == pytest.approx(3 - 0.2 * (2 * 3 + 2), abs=1e-6)
    assert (tmp_path / "kept" / mode / "trace.png").read_bytes()[:4] == b"\x89PNG"
    assert sorted(os.listdir(tmp_path / "kept" / mode)) == ["trace.npz", "trace.png"]


@pytest.mark.slow
def test_run_writes_events_that_tensorboard_reads(tf1ref, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    for mode in ("graph", "function"):
        done = tf1ref("run", "regression.quadratic", "--steps", 201, "--mode", mode, "--out", "kept")
        assert done.returncode == 0, done.stderr
        events = EventAccumulator(str(tmp_path / "kept" / mode)).Reload()
        # A v1 writer's values are scalars to TensorBoard, a v2 writer's are tensors.
        if mode == "graph":
            written = [event.value for event in events.Scalars("loss")]
        else:
            written = [make_ndarray(event.tensor_proto).item() for event in events.Tensors("loss")]
        with np.load(tmp_path / "kept" / mode / "trace.npz") as trace:
            assert written == [float(x) for x in trace["steps/loss"][::100]]


@pytest.mark.slow
def test_seed_changes_the_start(tf1ref, tmp_path):
    for seed in (1, 2):
        tf1ref("run", "regression.quadratic", "--steps", 1, "--seed", seed, "--out", f"seed{seed}")
    one, two = (np.load(tmp_path / f"seed{n}/graph/trace.npz")["initial/layer1/weights"] for n in (1, 2))
    assert (one != two).all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "mnist.sotfmax"), "nearest: mnist.softmax"),
        (("show", "nothing.like.it"), "`tf1ref list` shows all"),
        (("list", "--chapter", "mnits"), "nearest: mnist"),
        (("run", "training.gradient_descent", "--set", "LEARNING_RAT=1"), "nearest: LEARNING_RATE"),
        (("run", "training.gradient_descent", "--set", "LEARNING_RATE=fast"), "LEARNING_RATE is float"),
        (("run", "training.gradient_descent", "--seed", "3"), "no constant 'SEED'"),
        (("run", "training.gradient_descent", "--steps", "0"), "give 1 or more"),
        (("run", "training.gradient_descent", "--steps", "ten"), "give 1 or more"),
        (("run", "basics.hello", "--steps", "3"), "has no steps"),
        (("run", "mnist.softmax", "--data", "nowhere"), "nowhere: not a folder that can be read"),
        (("run", "basics.hello", "--plots"), "--out DIR"),
        (("run", "basics.hello", "--mode", "eager"), "invalid choice"),
        (("parity", "basics.hello", "--steps", "-1"), "give 1 or more"),
        (("parity", "json"), "no function run_graph and no run_function"),
        (("parity", "no_such_module"), "no example"),
        (("parity", "missing.py"), "no such file"),
        (("parity", "basics.hello", "--json", "nowhere/file.json"), "there is no folder nowhere"),
        (("run", "missing.py"), "missing.py: cannot be read as a program: No such file"),
        (("unknown",), "invalid choice"),
    ],
)
def test_bad_input_is_one_line(refused, arguments, says):
    assert says in refused(*arguments)


@pytest.mark.slow
def test_a_stand_in_is_named_beside_its_figures(tf1ref, tmp_path):
    nothing = {"TF1REF_DATA": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    done = tf1ref("run", "mnist.softmax", "--steps", 1, env=nothing)
    assert "mnist: no files in" in done.stderr
    assert "reached on generated data in place of mnist" in done.stdout
    assert json.loads(tf1ref("run", "mnist.softmax", "--steps", 1, "--json", env=nothing).stdout)["stand_ins"] == [
        "mnist"
    ]


def test_data_that_is_named_is_found_or_missed(here, refused, tmp_path):
    (tmp_path / "dot.csv").write_text("x1,x2,y_c\n" + "0.1,0.2,1\n2,2,0\n" * 20)
    said = "".join(here("run", "regression.dots", "--data", ".", "--steps", 1))
    assert "generated" not in said and "final" in said
    (tmp_path / "sets" / "dots").mkdir(parents=True)
    line = refused("run", "regression.dots", "--data", "sets", "--steps", 1)
    assert "no dots there: looked for dot.csv in it and in sets/dots" in line
    assert "no mnist there: looked for train-images" in refused("run", "mnist.softmax", "--data", "sets")
    folders.asked.clear()
    assert "reads no data set" in here("run", "basics.hello", "--data", "sets")[1]


def test_out_that_cannot_be_written(refused, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert "cannot be written" in refused("run", "basics.hello", "--out", "file")
    assert (tmp_path / "file").read_text() == "in the way"
    assert "cannot be written" in refused("run", "basics.hello", "--out", "/proc/nowhere")


@pytest.mark.slow
def test_nothing_is_overwritten_without_force(tf1ref, refused, tmp_path):
    kept = tmp_path / "kept" / "graph"
    kept.mkdir(parents=True)
    (kept / "trace.npz").write_text("an earlier run")
    assert "--force" in refused("run", "basics.hello", "--out", "kept")
    assert (kept / "trace.npz").read_text() == "an earlier run"
    assert tf1ref("run", "basics.hello", "--out", "kept", "--force").returncode == 0
    assert np.load(kept / "trace.npz")["forward/sum"] == 42


def test_parity_of_a_users_module(tf1ref, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "ported.py").write_text(
        "import numpy as np\n"
        "def run_graph(steps): return {'steps/x': np.arange(steps, dtype=np.float32)}\n"
        "def run_function(steps): return {'steps/x': np.arange(steps, dtype=np.float32) * FACTOR}\n"
        "FACTOR = np.float32(1)\n"
    )
    done = tf1ref("parity", "mine.ported", "--steps", 3, "--json", "report.json")
    assert done.returncode == 0, done.stderr
    (report,) = json.loads((tmp_path / "report.json").read_text())
    assert report == {
        "name": "mine.ported", "equal": True, "keys": 1, "elements": 3, "differing": 0, "max_ulp": 0, "first": "",
    }  # fmt: skip
    ported = tmp_path / "mine" / "ported.py"
    ported.write_text(ported.read_text().replace("float32(1)", "float32(1.0000001)"))
    done = tf1ref("parity", "mine/ported.py", "--steps", 3, "--json", "-")
    assert done.returncode == 1
    (report,) = json.loads(done.stdout)
    assert (report["differing"], report["max_ulp"]) == (2, 1)
    assert report["first"].startswith("steps/x: step 1, element []: 1.0 in the graph")
    assert "--force" in tf1ref("parity", "mine.ported", "--json", "report.json").stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def run_graph(: pass", "cannot be imported: SyntaxError"),
        ("import nowhere_to_be_found", "cannot be imported: No module named"),
        ("run_graph = lambda: 3\nrun_function = lambda: {}", "returned int: return a dict"),
        ("run_graph = lambda: {'x': object()}\nrun_function = lambda: {}", "not an array"),
        ("def run_graph(): return {}", "no function run_function"),
    ],
)
def test_a_users_module_that_cannot_be_compared(refused, tmp_path, monkeypatch, text, says):
    monkeypatch.delitem(sys.modules, "bad", raising=False)
    (tmp_path / "bad.py").write_text(text)
    assert says in refused("parity", "bad")


@pytest.mark.slow
def test_a_users_half_that_raises_is_one_line(tf1ref, tmp_path):
    (tmp_path / "bad.py").write_text("def run_graph(): raise ValueError('no\\nluck')\nrun_function = dict")
    done = tf1ref("parity", "bad")
    assert done.returncode == 1
    assert done.stderr.strip() == "tf1ref: bad.run_graph: ValueError: no luck (--debug shows where)"
    assert "Traceback" in tf1ref("parity", "bad", "--debug").stderr


def test_show_prints_both_halves(tf1ref):
    done = tf1ref("show", "basics.hello")
    assert done.returncode == 0
    assert done.stdout.index("Source: S0 91-115") < done.stdout.index("v1.Session") < done.stdout.index("@tf.function")
    assert max(map(len, done.stdout.split("\n"))) <= 100


def test_show_sets_the_halves_side_by_side_where_there_is_room(tf1ref):
    wide = tf1ref("show", "basics.hello", env={"COLUMNS": "200"})
    narrow = tf1ref("show", "basics.hello", env={"COLUMNS": "90"})
    both = [line for line in wide.stdout.split("\n") if "build_graph" in line and "tf.function" in line]
    assert both and not [x for x in narrow.stdout.split("\n") if "build_graph" in x and "tf.function" in x]


@pytest.mark.slow
def test_ctrl_c_leaves_the_last_checkpoint_whole(started_python, tmp_path):
    command = [started_python, "-m", "tf1ref", "run", "mnist.lenet5", "--out", "kept", "--set", "SAVE_EVERY=2"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        state = tmp_path / "kept" / "graph" / "checkpoint"
        deadline = time.monotonic() + 120
        while not (state.exists() and "mnist_model-5" in state.read_text()) and time.monotonic() < deadline:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err and "the last checkpoint is kept/graph/mnist_model-" in err
    prefix = tmp_path / err.split("the last checkpoint is ")[1].split("\n")[0]
    import tensorflow as tf

    values = {name: tf.train.load_variable(str(prefix), name) for name, _ in tf.train.list_variables(str(prefix))}
    assert values["global_step"] == int(prefix.name.split("-")[1])
    assert all(np.isfinite(value).all() for value in values.values())
