"""scripts/conformance.py on a small checkout of one's own: what it counts as what, and what it refuses."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "conformance.py"
TESTS = """
from tensorflow.contrib.framework.python.ops import arg_scope
from tensorflow.contrib.losses.python.losses import loss_ops
from tensorflow.python.framework import constant_op
from tensorflow.python.ops import array_ops
from tensorflow.python.platform import test


class LossTest(test.TestCase):
    def testRight(self):
        with arg_scope([loss_ops.add_loss], loss_collection=None), self.cached_session() as session:
            loss = loss_ops.mean_squared_error(constant_op.constant([[1.0], [3.0]]), array_ops.zeros([2, 1]))
            self.assertAllClose(session.run(loss), 5.0)

    def testWrong(self):
        self.assertEqual(loss_ops.get_losses(), [1])

    def testAbsent(self):
        loss_ops.a_loss_of_the_future(1)

    def testSkipped(self):
        self.skipTest("not here")


if __name__ == "__main__":
    test.main()
"""


@pytest.fixture
def run(started_python):
    """Runs the script, which starts a process for each of its files."""

    def script(*arguments):
        return subprocess.run(
            [started_python, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, timeout=280,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        )  # fmt: skip

    return script


@pytest.fixture
def checkout(tmp_path):
    for path, text in {
        "contrib/layers/python/layers/layers.py": "",
        "contrib/framework/python/ops/arg_scope.py": "",
        "contrib/losses/python/losses/loss_ops.py": "",
        "contrib/losses/python/losses/loss_ops_test.py": TESTS,
        "contrib/losses/python/metric_learning/metric_loss_ops_test.py": "import a_module_of_the_future\n"
        "class SomeTest(object):\n    def testOne(self):\n        pass\n",
    }.items():
        file = tmp_path / "tensorflow" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


@pytest.mark.slow
def test_each_outcome_is_told_from_the_others(run, checkout):
    done = run("--tensorflow", checkout, "--json", "contrib.losses")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)["contrib.losses"]
    assert {kind: list(tests) for kind, tests in found.items()} == {
        "pass": ["LossTest.testRight"], "ours": ["LossTest.testWrong", "SomeTest.testOne"],
        "not given": ["LossTest.testAbsent"], "stays out": [], "own": [], "passes though listed": [],
    }  # fmt: skip
    assert "a_loss_of_the_future" in found["not given"]["LossTest.testAbsent"]
    assert "a_module_of_the_future" in found["ours"]["SomeTest.testOne"]


@pytest.mark.slow
def test_files_that_the_checkout_lacks_are_named(run, checkout):
    done = run("--tensorflow", checkout, "layers")
    assert done.returncode == 2 and "has none of the files of layers, such as" in done.stderr
    (checkout / "tensorflow/contrib/losses/python/metric_learning/metric_loss_ops_test.py").unlink()
    done = run("--tensorflow", checkout, "--only", "testRight", "contrib.losses")
    assert done.returncode == 0, done.stderr
    assert "contrib.losses: the checkout has no tensorflow/contrib/losses/python/metric_learning/" in done.stdout


@pytest.mark.parametrize(
    "arguments, says",
    [
        ([], "give a checkout"),
        (["contrib.loses"], "contrib.loses: no such suite; nearest: contrib.losses"),
        (["slim"], "slim: give its checkout with --slim DIR"),
        (["--slim", "HERE"], "no checkout of it, there is no tf_slim/learning.py"),
        (["--tensorflow", "/nowhere"], "no checkout of it"),
    ],
)
def test_bad_usage_is_one_line(run, tmp_path, arguments, says):
    done = run(*(str(tmp_path) if each == "HERE" else each for each in arguments))
    assert done.returncode == 2 and done.stdout == ""
    assert says in done.stderr and len(done.stderr.strip().splitlines()) == 1
