"""The main job, as the demo does it: train on a cluster, freeze, and ask what was frozen."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tf1ref.data.formats.idx import write_idx

SCRIPTS = Path(__file__).parents[2] / "scripts"


def mnist_files(folder, train=5200, test=100):
    """Writes a small data set in MNIST's format: ten classes told apart by where a bar stands."""
    random = np.random.RandomState(0)
    (folder / "mnist").mkdir(parents=True)
    for name, count in (("train", train), ("t10k", test)):
        labels = random.randint(0, 10, count).astype(np.uint8)
        images = random.randint(0, 60, (count, 28, 28)).astype(np.uint8)
        for image, label in zip(images, labels):
            image[:, 2 * label + 3 : 2 * label + 6] = 255
        write_idx(folder / "mnist" / f"{name}-images-idx3-ubyte.gz", images)
        write_idx(folder / "mnist" / f"{name}-labels-idx1-ubyte", labels)
    return folder


@pytest.mark.slow
def test_train_on_a_cluster_freeze_and_ask(tf1ref, started_python, tmp_path):
    no_keras = os.pathsep.join([str(Path(__file__).parent / "no_keras"), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "TF1REF_DATA": str(mnist_files(tmp_path / "data")), "PYTHONPATH": no_keras}
    run = [started_python, "-m", "tf1ref", "run", "distributed.async_mnist", "--steps", "40", "--out", "kept"]
    command = [sys.executable, "-m", "tf1ref.cluster", "up", "local", "--", *run, "--set", "BATCH_SIZE=50"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[worker 0] step 40/40" in done.stdout and "no files in" not in done.stdout
    with np.load(tmp_path / "kept/graph/trace.npz") as trace:
        assert trace["final/global_step"] >= 40
        assert trace["steps/loss"][-1] < trace["steps/loss"][0]
    assert sorted(p.name for p in (tmp_path / "kept").iterdir()) == ["graph", "graph-worker-1"]

    done = tf1ref("freeze", "kept/graph", "--outputs", "y", "-o", "lenet5.pb", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["outputs"] == {"y:0": [None, 10]} and len(report["variables"]) == 8 and report["compared"] == 2
    asking = [started_python, SCRIPTS / "ask_frozen.py", "lenet5.pb", "kept/graph"]
    done = subprocess.run(asking, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 of 1000 logits differ" in done.stdout and "100 digits (MNIST)" in done.stdout


def test_freeze_says_in_one_line_what_it_cannot_use(refused, tmp_path):
    assert "nowhere" in refused("freeze", "nowhere", "--outputs", "y", "-o", "y.pb")
    assert "-o" in refused("freeze", "nowhere")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "t10k-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x64" + b"\0" * 50), "100"),
        (lambda f: (f / "t10k-labels-idx1-ubyte").write_bytes(b"not an idx file"), "not an idx file"),
        (lambda f: (f / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b\x08\0"), "damaged gzip"),
        (lambda f: write_idx(f / "t10k-labels-idx1-ubyte", np.zeros(99, np.uint8)), "99 labels for 100"),
        (lambda f: (f / "t10k-labels-idx1-ubyte").unlink(), "lacks t10k-labels-idx1-ubyte"),
    ],
)
def test_a_damaged_data_set_is_one_line(refused, tmp_path, damage, says):
    folder = mnist_files(tmp_path / "data")
    damage(folder / "mnist")
    line = refused("run", "mnist.softmax", "--data", folder)
    assert says in line and "idx" in line


def test_an_unreadable_data_folder_is_one_line(refused, tmp_path):
    (tmp_path / "data").write_text("a file")
    assert "not a folder" in refused("run", "mnist.softmax", "--data", "data")
    assert "not a folder" in refused("run", "mnist.softmax", env={"TF1REF_DATA": str(tmp_path / "data")})
