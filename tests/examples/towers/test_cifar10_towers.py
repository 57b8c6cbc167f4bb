"""towers.cifar10_towers: the same bits on one device as on two, on a few small pictures."""

import subprocess

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref import catalog
from tf1ref.data import cifar10 as data
from tf1ref.examples.convnets import cifar10
from tf1ref.examples.towers import cifar10_towers

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two training files of generated pictures."""
    names = [str(tmp_path_factory.mktemp("data") / f"data_batch_{number}.bin") for number in (1, 2)]
    for seed, name in enumerate(names, 20):
        data.write_binary(name, *data.generate(150, seed=seed))
    return names


@pytest.fixture(scope="module")
def towers():
    """The towers with a small batch and queue."""
    return catalog.load("towers.cifar10_towers", {"JOINED_BATCH": 32, "MIN_QUEUE": 200})


def equal(a, b):
    return {key for key in a if not np.array_equal(a[key], b[key])} == set() == set(a) ^ set(b)


@pytest.mark.parametrize("half", ["graph", "function"])
def test_two_devices_give_one_devices_bits_for_the_same_towers(towers, files, half):
    train = getattr(towers, f"train_{half}")
    assert equal(train(files, ("/cpu:0", "/cpu:1"), 3), train(files, ("/cpu:0", "/cpu:0"), 3))


def test_towers_equal_one_device_in_every_step(towers, files):
    two, one = (towers.train_graph(files, devices, 3) for devices in (towers.DEVICES, towers.DEVICES[:1]))
    assert two["steps/weights_difference"].max() < 1e-6 and two["steps/loss_difference"].max() < 1e-6
    assert two["steps/weights_difference"].max() > 0  # the sums are of another order: a zero would compare nothing
    assert one["steps/weights_difference"].max() == 0


def test_towers_equal_one_device_over_10_steps_where_rounding_is_not_amplified(towers, files, monkeypatch):
    monkeypatch.setattr(cifar10, "INITIAL_LEARNING_RATE", 0.001)
    two, one = (towers.train_graph(files, devices, 10) for devices in (towers.DEVICES, towers.DEVICES[:1]))
    finals = [key for key in two if key.startswith("final/")]
    assert max(np.abs(two[key] - one[key]).max() for key in finals) < 1e-6
    assert any(not np.array_equal(two[key], two[f"initial/{key[6:]}"]) for key in finals)


def test_towers_are_placed_on_their_devices_and_variables_on_the_first_cpu():
    with v1.Graph().as_default() as graph:
        cifar10_towers.build_graph()
        kinds = {op.name: (op.type, op.device) for op in graph.get_operations()}
    for i in (0, 1):
        assert kinds[f"tower_{i}/conv1/Conv2D"] == ("Conv2D", f"/device:CPU:{i}")
    handles = {name: device for name, (kind, device) in kinds.items() if kind == "VarHandleOp"}
    assert set(handles.values()) == {"/device:CPU:0"}
    assert sorted(name for name in handles if name.count("/") == 1) == sorted(
        f"{layer}/{kind}" for layer in cifar10.LAYERS for kind in ("weights", "biases")
    )


def test_the_averaged_gradient_is_the_mean():
    with v1.Graph().as_default(), v1.Session() as sess:
        pairs = [[(v1.constant([1.0, 2.0]), "v")], [(v1.constant([3.0, 8.0]), "v")]]
        ((mean, variable),) = cifar10_towers.average_gradients(pairs)
        assert variable == "v" and sess.run(mean).tolist() == [2.0, 5.0]


PROGRAM = """
import sys
from tf1ref.examples.towers import cifar10_towers
import numpy as np, tensorflow as tf
if sys.argv[1] == "2":
    cifar10_towers.make_logical_devices(2)
assert len(tf.config.list_logical_devices("CPU")) == int(sys.argv[1])
trace = cifar10_towers.train_function(sys.argv[3:], cifar10_towers.DEVICES, 2)
np.savez(sys.argv[2], **trace)
"""


def test_function_towers_on_two_logical_devices_give_the_bits_of_one(files, tmp_path, started_python):
    traces = []
    for count in "12":
        command = [started_python, "-c", PROGRAM, count, tmp_path / f"{count}.npz", *files]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        with np.load(tmp_path / f"{count}.npz") as trace:
            traces.append(dict(trace))
    assert equal(*traces)
