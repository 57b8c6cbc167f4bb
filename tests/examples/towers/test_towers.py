"""towers.mnist_towers, small: what towers are, checked on the graph, in the session and against numpy."""

import os
import subprocess

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref import catalog

SMALL = {"JOINED_BATCH": 30, "CONV1_DEEP": 4, "CONV2_DEEP": 4, "FC_SIZE": 16, "NODES": 196, "COMPARE_EVERY": 1}
VARIABLES = ("cnn1/filter_weight", "cnn1/biases", "cnn3/filter_weight", "cnn3/biases") + (
    "f1/f_weighs", "f1/f_bais", "f2/f_weighs", "f2/f_bais",
)  # fmt: skip


@pytest.fixture(scope="module")
def towers():
    return catalog.load("towers.mnist_towers", SMALL)


@pytest.fixture(scope="module")
def trace(towers):
    return towers.run_graph(3)


@pytest.mark.slow
def test_every_step_is_one_devices_step_on_the_joined_batch(towers, trace):
    for key in ("compared/loss_difference", "compared/weights_difference"):
        assert trace[key].shape == (3,) and towers.EXPECTED[key].met(trace[key]), trace[key]
    # Each tower has a share of its own: of S0's one batch for all, every tower would have the same loss.
    assert len(np.unique(trace["steps/losses"])) == 9


@pytest.mark.slow
def test_every_variable_is_trained(trace):
    # S0's average_gradients returns after the first of them.
    assert {key.removeprefix("final/") for key in trace if key.startswith("final/")} == {
        *VARIABLES, "global_step", "test_accuracy",
    }  # fmt: skip
    for name in VARIABLES:
        assert np.any(trace[f"gradient/{name}"]), name
        assert not np.array_equal(trace[f"final/{name}"], trace[f"initial/{name}"]), name
    assert trace["final/global_step"] == 3


@pytest.fixture(scope="module")
def graph(towers):
    with v1.Graph().as_default() as built:
        v1.set_random_seed(towers.SEED)
        return built, towers.build_graph(), v1.global_variables_initializer()


def test_a_tower_computes_on_its_share_and_on_its_device(towers, graph):
    built, ends, initializer = graph
    random, found = np.random.RandomState(0), v1.RunMetadata()
    xs, ys = random.rand(30, 28, 28, 1), np.eye(10)[random.randint(10, size=30)]
    with v1.Session(graph=built, config=v1.ConfigProto(device_count={"CPU": 3})) as session:
        session.run(initializer)
        options = v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE)
        feed = {ends["x"]: xs, ends["y_"]: ys}
        losses = session.run(ends["losses"], feed, options=options, run_metadata=found)
        for i in range(3):
            share = slice(10 * i, 10 * i + 10)
            alone = {ends["x"]: np.tile(xs[share], (3, 1, 1, 1)), ends["y_"]: np.tile(ys[share], (3, 1))}
            np.testing.assert_array_equal(session.run(ends["losses"], alone), [losses[i]] * 3)
    nodes = [
        (node.node_name, device.device[-5:]) for device in found.step_stats.dev_stats for node in device.node_stats
    ]
    pools = {place for place in nodes if place[0].endswith("cnn1/MaxPool")}
    assert pools == {(f"gpu_{i}/cnn1/MaxPool", f"CPU:{i}") for i in range(3)}


def test_variables_are_on_the_first_device_and_shared(graph):
    built, _, _ = graph
    variables = built.get_collection("variables")
    assert sorted(v.op.name for v in variables) == sorted([*VARIABLES, "global_step"])
    assert {v.device for v in variables} == {"/device:CPU:0"}


def test_the_average_is_the_mean_for_every_variable(towers):
    parts = np.random.RandomState(0).randn(3, 2, 4).astype(np.float32)
    with v1.Graph().as_default(), v1.Session() as session:
        pairs = [[(v1.constant(tower[i]), f"variable {i}") for i in range(2)] for tower in parts]
        averaged = towers.average_gradients(pairs)
        assert [variable for _, variable in averaged] == ["variable 0", "variable 1"]
        means = session.run([gradient for gradient, _ in averaged])
    np.testing.assert_allclose(means, parts.mean(axis=0), rtol=1e-6)


DEVICES = """
import sys
import numpy as np, tensorflow as tf
from tf1ref import catalog
towers = catalog.load("towers.mnist_towers", dict(eval(sys.argv[1]), DEVICES=eval(sys.argv[2])))
trace = towers.run_function(2)
print(len(tf.config.list_logical_devices("CPU")))
np.savez(sys.argv[3], **trace)
"""


@pytest.mark.slow
def test_three_logical_devices_give_the_graphs_bits(towers, tmp_path, started_python):
    path = tmp_path / "trace.npz"
    command = [started_python, "-c", DEVICES, repr(SMALL), repr(towers.DEVICES), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "3"
    other, graph_trace = np.load(path), towers.run_graph(2)
    assert sorted(other) == sorted(graph_trace)
    for key, value in graph_trace.items():
        np.testing.assert_array_equal(other[key], value, err_msg=key)
