"""Small graphs to port, and the port of one as a module to ask."""

import importlib.util
import shutil
import subprocess
import sys

import pytest
import tensorflow.compat.v1 as v1


@pytest.fixture
def frozen(tmp_path):
    """Returns a function that writes what build() adds to a graph as a .pb of constants; returns its path."""

    def write(build, name="graph.pb"):
        with v1.Graph().as_default() as graph, v1.Session() as sess:
            v1.set_random_seed(3)
            outputs = build()
            sess.run(v1.global_variables_initializer())
            graph_def = v1.graph_util.convert_variables_to_constants(sess, graph.as_graph_def(), outputs)
        path = tmp_path / name
        path.write_bytes(graph_def.SerializeToString())
        return path

    return write


@pytest.fixture
def quick(monkeypatch):
    """Proves ports in this process: TensorFlow takes seconds to start. Other tests use a process of its own."""
    from tf1ref.artifacts import CheckFailed
    from tf1ref.port import proof

    def run(folder, test="test_model.py"):
        elements, wrong, first = _loaded(folder, test.removesuffix(".py")).compare()
        if wrong or not elements:
            raise CheckFailed(f"{wrong} of {elements} differ, first in {first}")
        return elements

    monkeypatch.setattr(proof, "run", run)


@pytest.fixture
def quick_program(quick, monkeypatch, keras_python):
    """Ports programs in this process; a program runs in one that has TensorFlow at its start."""
    monkeypatch.setattr(sys, "executable", keras_python)


@pytest.fixture
def loaded():
    """Returns a function that imports a file of a port's folder."""
    return _loaded


@pytest.fixture
def formatted():
    """Returns a function that asserts that formatters and linters have nothing to say to the files of a port."""

    def check(path):
        for rule in (["format", "--check"], ["check", "--select", "E,F,W"]):
            command = [
                sys.executable,
                "-m",
                "ruff",
                *rule,
                "--line-length",
                "100",
                "--isolated",
                "--no-cache",
                str(path),
            ]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stdout + done.stderr

    return check


def _loaded(folder, name):
    """Returns the module `name` of a port's folder."""
    import tensorflow as tf

    # Python compares seconds and sizes: a test that writes seed=2 for seed=1 would get the bytecode of before.
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    options = tf.config.optimizer.get_experimental_options()
    before = list(sys.path)
    for other in ("model", "train"):
        sys.modules.pop(other, None)
    try:
        module = _module(name, folder / f"{name}.py")
        if name.startswith("test_"):
            compare = module.compare
            module.compare = lambda: _without_optimizers(compare)
    finally:
        sys.path[:] = before
        sys.modules.pop("model", None)
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **options})
    return module


def _module(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _without_optimizers(compare):
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        return compare()
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
