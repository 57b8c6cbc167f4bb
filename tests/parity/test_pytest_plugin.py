"""The fixture `parity` in someone else's project: its own folder, its own pytest, no settings."""

import os
import subprocess
import sys
import textwrap

import pytest

PROGRAMS = """
import numpy as np

def graph(steps):
    return {"initial/w": np.zeros(2, "f"), "steps/w": np.arange(2 * steps, dtype="f").reshape(steps, 2) + 1}

def same(steps):
    return graph(steps)

def off(steps):
    trace = graph(steps)
    trace["steps/w"][3:4, 1] = np.nextafter(np.float32(8), np.float32(99))
    return trace
"""


@pytest.fixture
def project(tmp_path, started_python):
    """Writes files into a folder and runs pytest there; returns the CompletedProcess."""

    def run(env=None, command=(started_python,), **files):
        for name, text in {"programs": PROGRAMS, **files}.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        (tmp_path / "pytest.ini").write_text("[pytest]\n")  # nothing above this folder counts
        command = [*command, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short"]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}  # as in the processes of server.py
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=environment)

    return run


def failure(done):
    """The one line that a failed test says."""
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.split("\n") if line.startswith("E ")]
    return line.removeprefix("E").strip()


@pytest.mark.slow
def test_five_lines_prove_a_port(project):
    """A TF1 program and its port, with TensorFlow itself."""
    done = project(
        ported="""
        import tensorflow as tf
        import tensorflow.compat.v1 as v1

        def run_graph(steps):
            with v1.Graph().as_default(), v1.Session() as sess:
                w = v1.get_variable("w", initializer=5.0)
                train = v1.train.GradientDescentOptimizer(0.1).minimize(v1.square(w + 1))
                sess.run(v1.global_variables_initializer())
                return {"steps/w": [(sess.run(train), sess.run(w))[1] for _ in range(steps)]}

        def run_function(steps):
            w = tf.Variable(5.0)
            def train():
                with tf.GradientTape() as tape:
                    loss = tf.square(w + 1)
                w.assign_sub(0.1 * tape.gradient(loss, w))
                return w.numpy()
            return {"steps/w": [train() for _ in range(steps)]}
        """,
        test_port="""
        import ported

        def test_port(parity):
            report = parity(ported, steps=7)
            assert (report.keys, report.elements) == (1, 7)
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.slow
def test_a_mismatch_names_key_step_and_element(project):
    line = failure(project(test_port="import programs\ndef test(parity): parity(programs.graph, programs.off)"))
    assert line == (
        "Failed: programs: 1 of 42 elements differ: steps/w: step 3, element [1]: 8.0 in the graph, "
        "8.000001 in the function"
    )


@pytest.mark.slow
def test_the_failure_points_at_the_test_and_not_into_tf1ref(project):
    done = project(test_port="import programs\ndef test(parity):\n    parity(programs.graph, programs.off)\n")
    failure(done)
    assert "test_port.py:3: in test" in done.stdout
    assert "pytest_plugin" not in done.stdout


@pytest.mark.slow
def test_steps_and_ulps_are_taken(project):
    done = project(
        test_port="""
        from programs import graph, off, same

        def test_same(parity):
            assert parity(graph, same).equal

        def test_before_the_step_that_differs(parity):
            assert parity(graph, off, steps=3).elements == 2 + 6

        def test_within_an_ulp(parity):
            report = parity(graph, off, ulps=1)
            assert (report.differing, report.max_ulp) == (1, 1)
        """,
    )
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout


@pytest.mark.slow
def test_a_module_may_carry_its_ulps(project):
    both = "from programs import graph as run_graph, off as run_function\n"
    tests = "import module\ndef test(parity): parity(module)"
    assert "1 passed" in project(module=both + "ULPS = 1", test_port=tests).stdout
    assert failure(project(module=both + "ULPS = 0", test_port=tests)).startswith("Failed: module: 1 of 42")


@pytest.mark.slow
@pytest.mark.parametrize(("value", "hint"), [("1", True), ("0", False)])
def test_onednn_is_named_where_it_is_on(project, value, hint):
    tests = "import programs\ndef test(parity): parity(programs.graph, programs.off)"
    line = failure(project(env={"TF_ENABLE_ONEDNN_OPTS": value}, test_port=tests))
    assert ("(oneDNN is on: TF_ENABLE_ONEDNN_OPTS=0)" in line) == hint


@pytest.mark.slow
def test_onednn_is_off_when_the_fixture_comes_before_tensorflow(project):
    tests = "import os\ndef test(parity): assert os.environ['TF_ENABLE_ONEDNN_OPTS'] == '0'"
    # In a process that is told nothing and has no TensorFlow yet.
    command = ["env", "-u", "TF_ENABLE_ONEDNN_OPTS", sys.executable]
    assert project(test_port=tests, command=command).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("parity(lambda: {'x': [1]}, lambda: {'y': [1]})", "x: missing in the function"),
        ("parity(lambda: {}, lambda: {})", "the trace is empty"),
        ("parity(lambda: 3, lambda: {})", "returned int: return a dict"),
        ("parity(lambda: {'x': [1]}, lambda: 1 / 0)", "ZeroDivisionError: division by zero"),
        ("parity(lambda: {'x': [1.0, 2.0]}, lambda: {'x': [1.0]})", "float64[2] in the graph, float64[1] in the"),
    ],
)
def test_what_cannot_be_equal_fails(project, text, says):
    done = project(test_port=f"def test(parity): {text}")
    assert done.returncode == 1
    assert says in done.stdout
