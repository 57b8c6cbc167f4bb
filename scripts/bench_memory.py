"""Memory of freeze, convert, verify and inspect: what each takes over a warm TensorFlow, in times the weights."""

import ctypes
import gc
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import tensorflow as tf
import tensorflow.compat.v1 as v1

PARAMETERS = int(os.environ.get("TF1REF_BENCH_PARAMETERS", 100_000_000))
LAYERS = int(os.environ.get("TF1REF_BENCH_LAYERS", 10))
DTYPE = tf.as_dtype(os.environ.get("TF1REF_BENCH_DTYPE", "float32"))
ROWS = 100  # in a layer: a made input is small
WEIGHTS = PARAMETERS * DTYPE.size / 1e6
SUBJECT = f"""\
{PARAMETERS:,} {DTYPE.name} parameters in {LAYERS} variables, {WEIGHTS:.0f} MB. A process of its own does the work with
tiny weights, then with these. A row says by how much its resident memory rises, the files that it maps included."""
TINY = 1000
MOST_SECONDS = 600  # one way may take so long
ENVIRONMENT = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}  # the verbs run without oneDNN


def contests():
    """Yields the Contest of peak memory."""
    from bench import Contest

    with tempfile.TemporaryDirectory() as folder:
        sources(folder)
        ways = {"the weights": lambda: WEIGHTS}
        ways.update((way, lambda way=way: alone([way], folder)[way]) for way in WAYS)
        yield Contest("peak memory", "MB", "the weights", ways, warm=False)  # a way warms up by itself


def build(parameters):
    """x [?, ROWS] -> y [?]: each layer's products are summed, so that the answers are small."""
    y = x = v1.placeholder(DTYPE, [None, ROWS], name="x")
    for number in range(LAYERS):
        start = v1.random_normal_initializer(seed=number + 1, dtype=DTYPE)
        w = v1.get_variable(f"layer{number}/w", [ROWS, parameters // LAYERS // ROWS], DTYPE, start)
        y = y + v1.reduce_mean(v1.matmul(x, w), axis=1, keepdims=True)
    v1.identity(y, name="y")


def sources(folder):
    """Writes one source of each kind into `folder`/large and `folder`/small, in a process of its own."""
    command = [sys.executable, __file__, "make", folder, str(PARAMETERS)]
    subprocess.run(command, check=True, timeout=900, env=ENVIRONMENT)


def make(folder, parameters):
    """Writes sources() of `parameters`."""
    write(f"{folder}/large", int(parameters))
    write(f"{folder}/small", TINY)


def write(folder, parameters):
    """Writes a checkpoint of `parameters`, and what is made of it: model.pb, saved, w.npz."""
    from tf1ref.artifacts.convert import convert
    from tf1ref.artifacts.freeze import freeze

    os.makedirs(folder, exist_ok=True)
    with v1.Graph().as_default(), v1.Session() as sess:
        build(parameters)
        sess.run(v1.global_variables_initializer())
        prefix = v1.train.Saver().save(sess, f"{folder}/model")
    if parameters * DTYPE.size < 2**31:
        freeze(prefix, ["y"], f"{folder}/model.pb", verify=False)
    convert(prefix, f"{folder}/saved", "saved_model", outputs=["y"], verify=False)
    convert(prefix, f"{folder}/w.npz", verify=False)


def freeze(source, to, verify=True):
    """Freezes a source in a folder."""
    from tf1ref.artifacts.freeze import freeze

    freeze(source, ["y"], to, force=True, verify=verify)


def convert(source, to, kind, **options):
    """Converts a source in a folder."""
    from tf1ref.artifacts.convert import convert

    convert(source, to, kind, force=True, **({"outputs": ["y"]} if kind in ("saved_model", "pb") else {}), **options)


def verify(a, b):
    """Compares two artifacts in a folder."""
    from tf1ref.artifacts.verify import verify

    assert verify(a, b, outputs=["y"]).equal


def inspect(path):
    """Inspects what is in a folder."""
    from tf1ref.artifacts.inspect import inspect

    inspect(path)


# {way: what it does with a folder}.
WAYS = {
    "inspect pb": lambda d: inspect(f"{d}/model.pb"),
    "inspect checkpoint": lambda d: inspect(f"{d}/model"),
    "verify checkpoint and npz": lambda d: verify(f"{d}/model", f"{d}/w.npz"),
    "checkpoint to npz": lambda d: convert(f"{d}/model", f"{d}/to.npz", "npz"),
    "pb to npz": lambda d: convert(f"{d}/model.pb", f"{d}/to.npz", "npz"),
    "freeze, not verified": lambda d: freeze(f"{d}/model", f"{d}/to.pb", verify=False),
    "freeze": lambda d: freeze(f"{d}/model", f"{d}/to.pb"),
    "freeze a .pb": lambda d: freeze(f"{d}/model.pb", f"{d}/to.pb"),
    "checkpoint to SavedModel": lambda d: convert(f"{d}/model", f"{d}/to_saved", "saved_model"),
    "checkpoint to checkpoint": lambda d: convert(f"{d}/model", f"{d}/to_checkpoint", "checkpoint", outputs=["y"]),
    "checkpoint to objects": lambda d: convert(f"{d}/model", f"{d}/to_objects", "objects"),
    "checkpoint to pb": lambda d: convert(f"{d}/model", f"{d}/to.pb", "pb"),
    "SavedModel to checkpoint": lambda d: convert(f"{d}/saved", f"{d}/to_checkpoint", "checkpoint"),
    "pb to SavedModel": lambda d: convert(f"{d}/model.pb", f"{d}/to_saved", "saved_model"),
    "pb to checkpoint": lambda d: convert(f"{d}/model.pb", f"{d}/to_checkpoint", "checkpoint"),
    "verify checkpoint and pb": lambda d: verify(f"{d}/model", f"{d}/model.pb"),
    "verify checkpoint and SavedModel": lambda d: verify(f"{d}/model", f"{d}/saved"),
    "verify pb and pb": lambda d: verify(f"{d}/model.pb", f"{d}/model.pb"),
}


def alone(ways, folder):
    """Runs those of WAYS in a process of their own, one after the other; returns {way: by how many MB it rises}."""
    command = [sys.executable, __file__, "peak", folder, *ways]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500, env=ENVIRONMENT)
    if done.returncode:
        raise RuntimeError(done.stderr[-500:])
    return json.loads(done.stdout)


def peak(folder, *ways):
    """Prints by how many MB each of WAYS, or of `ways`, raises the memory of a process of its own.

    The processes are forks of this one, which has imported TensorFlow and has not used it.
    """
    from tf1ref.artifacts.graph import memory

    memory.returned()  # as the verbs do
    found = {}
    for way in ways or WAYS:
        with multiprocessing.get_context("fork").Pool(1) as pool:
            found[way] = pool.apply_async(rise, (way, folder)).get(MOST_SECONDS)
    print(json.dumps(found))


def rise(way, folder):
    """Returns by how many MB the peak of resident memory rises, once the same was done with tiny weights."""
    WAYS[way](f"{folder}/small")
    gc.collect()
    # Freed memory that the process keeps would hide what comes.
    ctypes.CDLL(None).malloc_trim(0)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what there is
    WAYS[way](f"{folder}/large")
    return resident("VmHWM") - before


def resident(what):
    """Resident memory in MB: VmRSS now, VmHWM its peak. ru_maxrss of a child starts with that of its parent."""
    return int(re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024 / 1e6


if __name__ == "__main__":
    tf.get_logger().setLevel("ERROR")
    {"make": make, "peak": peak}[sys.argv[1]](*sys.argv[2:])
